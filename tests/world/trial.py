"""One seed: a random workflow or two, a plan of what goes wrong, and the verdict of the judge and the oracle."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio

import crds
from actors.names import ids, labels
from actors.workflow.gather import TEMPLATES
from actors.workflow.state import WORKFLOWS
from runtime import perform
from runtime.messages import Address
from runtime.objects import CONFIGMAPS, CRDS, PODS, Object, Reference, reference
from runtime.system import System
from tests.upstream_view import deviations
from tests.virtual_time import VirtualClock, VirtualLoop
from tests.world import faults
from tests.world.faults import DEATHS, Plan
from tests.world.installation import PAST, Installation, installed
from tests.world.judge import ENDED, Judge, compare, drawn, finished_well, nodes_in
from tests.world.kubelet import Fates, Kubelet, made_by
from tests.world.lives import Lives
from tests.world.oracle import Expected, Oracle
from tests.world.random_flows import LIBRARY
from tests.world.shrunk import Case
from tests.world.teller import Teller
from tests.world.users import Users, answer_to
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.kinds import Catalog
from tiphys.devcluster.selectors import matcher
from tiphys.devcluster.server import ApiServer

LIMIT_S = 48 * 3600.0  # of virtual time: longer than any chain of outages, waits and time-outs there is
REST_S = 400.0  # after the end, on a quiet day: longer than a stream may be silent before we hang up ourselves
GROUPS = frozenset({"Steps", "StepGroup", "DAG", "TaskGroup", "Retry"})
ASKERS = 2  # nobody here asks services: fewer tasks to begin with each life


@dataclass
class Report:
    """What a run came to. `wrong` is empty when all was well."""

    case: Case
    wrong: list[str] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    nodes: tuple[int, ...] = ()
    deaths: int = 0
    between: int = 0
    commits: int = 0


_served: list[Catalog] = []


def new_server(clock: VirtualClock, seed: int) -> ApiServer:
    """An API server that serves our kinds; what they look like is worked out once."""
    server = ApiServer(now=clock.wall, random=Random(seed))
    if not _served:
        kind = server.catalog.of(CRDS)
        for definition in crds.manifests():
            server.rest.create(kind, "", {**definition, "metadata": dict(definition["metadata"])})
        _served.append(server.catalog)
        server = ApiServer(now=clock.wall, random=Random(seed))
    server.catalog = _served[0]
    server.start()
    for plural in ("pods", "configmaps"):
        server.storage.bucket("", plural).watchers = InOrder()  # type: ignore[assignment]  # a set that keeps its order
    for plural in ("workflows", "cronworkflows"):
        server.storage.bucket("argoproj.io", plural).watchers = InOrder()  # type: ignore[assignment]
    return server


class InOrder(dict[Any, None]):
    """A set whose order is that of the additions, so that the same seed is the same run in every process."""

    def add(self, member: Any) -> None:
        """Put it in."""
        self[member] = None

    def discard(self, member: Any) -> None:
        """Take it out, if it is there."""
        self.pop(member, None)


@dataclass
class Scene:
    """The pieces of one run."""

    case: Case
    plan: Plan
    fates: Fates
    server: ApiServer
    api: InProcessApi
    oracles: dict[str, Oracle]
    ends: dict[str, str] = field(default_factory=dict)
    installed: Installation = field(default_factory=Installation)

    def outcome(self, node: Expected) -> str:
        """The phase of a node that a pod, or a user, decides."""
        return answer_to(self.fates, node) if node.kind == "ask" else self.fates.ending(node)

    def expected(self, workflow: str, name: str) -> Expected | None:
        """What the oracle says of a node."""
        oracle = self.oracles.get(workflow)
        return oracle.nodes.get(name) if oracle is not None else None

    def given_up(self, pod: Object) -> bool:
        """Whether a pod's node is over before the pod is: it runs into its time-out, or its actor crashes."""
        meta = pod["metadata"]
        node = self.expected(meta["labels"][labels.WORKFLOW], meta["annotations"][labels.NODE_NAME])
        return node is not None and self.fates.of(node) in {"never_started", "node_death"}

    def is_group(self, address: Address) -> bool:
        """Whether a node has others below it."""
        oracle = self.oracles.get(address.name)
        kinds = oracle.types.items() if oracle is not None else ()
        return any(ids.node_id(address.name, name) == address.part for name, kind in kinds if kind in GROUPS)

    def predict(self) -> None:
        """Ask the oracle, under the fates as they are now."""
        for name, oracle in list(self.oracles.items()):
            again = Oracle(oracle.spec, self.outcome, name=name, made=made_by, library=LIBRARY)
            self.ends[name] = again.end()
            oracle.__dict__.update(again.__dict__)


def scene_of(case: Case) -> Scene:
    """Everything that is there before the controllers are."""
    clock = VirtualClock()
    plan = Plan(case.seed, case.kinds)
    bad = plan.dice("bad").choice([0.04, 0.08, 0.16, *([0.3, 0.3] if case.seed >= faults.FIRST_FURTHER else [])])
    server = new_server(clock, case.seed)
    specs = case.flows()
    oracles = {name: Oracle(spec, lambda node: "") for name, spec in specs.items()}
    scene = Scene(case, plan, Fates(plan, bad), server, InProcessApi(server), oracles)
    scene.installed = installed(case.seed, case.kinds)
    scene.predict()
    return scene


async def furnish(scene: Scene) -> None:
    """What the workflows refer to."""
    limits = {"metadata": {"name": "limits", "namespace": "default"}, "data": {"two": "2"}}
    await scene.api.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", **limits})
    library = {"metadata": {"name": "library", "namespace": "default"}, "spec": {"templates": LIBRARY}}
    await scene.api.create(TEMPLATES, {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", **library})
    if scene.installed.estimates:
        await scene.api.create(WORKFLOWS, PAST)
    for name, oracle in scene.oracles.items():
        for node in oracle.nodes.values():
            if node.type == "Pod" and scene.fates.of(node) == "squatted":
                scene.plan.hit("squatted")
                await scene.api.create(PODS, squatter(name, node))


def squatter(workflow: str, node: Expected) -> Object:
    """The pod that the node of an earlier workflow of the same name has left behind."""
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": workflow, "uid": "of-the-one-before"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": ids.pod_name(workflow, node.name, node.template),
            "namespace": "default",
            "labels": {labels.WORKFLOW: workflow, "squatter": "yes"},
            "annotations": {labels.NODE_NAME: node.name, labels.NODE_ID: ids.node_id(workflow, node.name)},
            "ownerReferences": [{**owner, "controller": True}],
        },
        "spec": {"containers": [{"name": "main", "image": "busybox"}]},
    }


async def trial(case: Case, tell: Callable[[str], None] | None = None) -> Report:
    """Run a case. What went wrong is in the report. `tell` hears of each commit."""
    scene = scene_of(case)
    report = Report(case, tally=scene.plan.tally)
    judge = Judge(scene.server, scene.oracles, lambda name: name in kubelet.doing)
    judge.given_up = scene.given_up
    judge.vague = {name for name, oracle in scene.oracles.items() if oracle.vague}
    await furnish(scene)
    perform.ASK_CONCURRENCY = ASKERS
    async with anyio.create_task_group() as tasks:
        kubelet = Kubelet(scene.server, scene.plan, scene.fates, scene.expected, tasks)
        lives = Lives(scene.api, scene.server, scene.plan, judge, tasks, lambda address: _struck(scene, judge, address))
        lives.is_group = scene.is_group
        if tell is not None:
            scene.server.storage.observers.append(Teller(tell, scene.plan).observe)
        users = Users(scene.api, scene.plan, judge, scene.fates)
        scene.server.storage.observers += [judge.observe, kubelet.observe, users.observe]
        if scene.plan.on("standby"):
            lives.partner = Lives(lives.api, lives.server, lives.plan, judge, tasks, lives.struck_nodes)
            lives.partner.partner, lives.partner.name = lives, "other"
            lives.partner.is_group = scene.is_group
            tasks.start_soon(_guarded, lives.partner.run, judge)
        tasks.start_soon(_guarded, lives.run, judge)
        if scene.plan.on("away"):
            tasks.start_soon(lives.absences)
        refs = [await _submit(scene, name, tasks, users) for name in scene.oracles]
        await _until_over(scene, judge, lives)
        if not judge.broken:
            await _verdict(scene, judge, refs)
        if not judge.broken and scene.plan.on("user_retry") and not judge.stopped and await users.retry(refs[0]):
            scene.predict()
            await _until_over(scene, judge, lives)
        if not judge.broken:
            await _at_rest(scene, judge, lives)
        report.nodes = tuple([len(nodes_in(await scene.api.get(ref))) for ref in refs if ref.name not in judge.deleted])
        tasks.cancel_scope.cancel()
    both = [lives, *([lives.partner] if lives.partner is not None else [])]
    report.wrong, report.deaths = judge.broken, sum(one.deaths for one in both)
    report.between = sum(one.between for one in both)
    report.commits = judge.commits
    return report


async def _guarded(run: Any, judge: Judge) -> None:
    """The controllers must never fall as a whole."""
    try:
        await run()
    except Exception as error:  # noqa: BLE001  # whatever it is, the run has failed
        judge.wrong(f"the controllers fell: {_first(error)!r}")
        await anyio.sleep_forever()


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def as_written(seed: int, spec: Object) -> Object:
    """What the user submits; the later seeds' name their library by a tag, which means the same."""
    if seed < faults.FIRST_NAMED_LATER:
        return spec
    text = json.dumps(spec).replace('{"name": "library"', """{"name": "{{='library'}}\"""")
    named_later: Object = json.loads(text)
    return named_later


async def _submit(scene: Scene, name: str, tasks: Any, users: Users) -> Reference:
    thing = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, "namespace": "default", **scene.installed.like_the_past()},
        "spec": as_written(scene.case.seed, scene.oracles[name].spec),
    }
    ref = reference(WORKFLOWS, await scene.api.create(WORKFLOWS, thing))
    tasks.start_soon(users.answer, ref, lambda node: scene.expected(name, node))
    if scene.plan.on("user_suspend"):
        tasks.start_soon(users.suspend, ref)
    if scene.plan.on("user_stop") and name == "w":
        tasks.start_soon(users.stop, ref)
    if scene.plan.on("user_delete") and name == "w":
        tasks.start_soon(users.delete, ref)
    return ref


async def _until_over(scene: Scene, judge: Judge, lives: Lives) -> None:
    with anyio.move_on_after(LIMIT_S) as limit:
        while not judge.broken and judge.ended != scene.oracles.keys():
            judge.news = anyio.Event()
            await judge.news.wait()
    if limit.cancelled_caught:
        left = sorted(scene.oracles.keys() - judge.ended)
        system = lives.leading() or lives.system
        assert system is not None
        actors = [*system.addresses("workflow"), *system.addresses("node")]
        waits = [f"{address.part or address.name}: {system.explain(address)}" for address in actors]
        stuck = [text for text in waits if not text.endswith("to be released")]
        judge.wrong(f"{', '.join(left)} did not end within {LIMIT_S / 3600:.0f} hours: {'; '.join(stuck[-8:])}")


async def _verdict(scene: Scene, judge: Judge, refs: Iterable[Reference]) -> None:
    for ref in refs:
        if ref.name in judge.deleted:
            continue
        thing = await scene.api.get(ref)
        struck = ref.name in judge.crashed
        for text in finished_well(thing, clocks_agree="skew" not in scene.case.kinds, struck=struck):
            judge.wrong(text)
        for text in deviations(thing, nodes_in(thing)):
            judge.wrong(text)
        crashed = any(scene.fates.of(node) == "node_death" for node in scene.oracles[ref.name].nodes.values())
        unknown = crashed or ref.name in judge.vague or (judge.stopped and ref.name == "w")
        if not unknown:  # else it only has to end, and to leave nothing behind
            for text in compare(scene.oracles[ref.name], scene.ends[ref.name], thing):
                judge.wrong(f"{ref.name}: {text}")
            for text in drawn(scene.oracles[ref.name], nodes_in(thing)):
                judge.wrong(f"{ref.name}: {text}")
            for text in scene.installed.missing(thing, hurried=any(scene.plan.tally[kind] for kind in DEATHS)):
                judge.wrong(f"{ref.name}: {text}")


async def _at_rest(scene: Scene, judge: Judge, lives: Lives) -> None:
    """Nothing goes wrong any more; then nothing is left to do."""
    scene.plan.calm = True
    await anyio.sleep(REST_S)
    for _ in range(20):  # pods whose deletion is put off, logs, permits that are given back
        system = lives.leading()
        if system is None or not system.ready or system.addresses("node"):
            await anyio.sleep(REST_S)
    system = lives.leading()
    if system is None:
        judge.wrong("nobody leads")
        return
    judge.left_over()
    for address in (*system.addresses("node"), *system.addresses("workflow")):
        judge.wrong(f"{address} still lives: {system.explain(address)}")
    for entry in system.statistics().lives.quarantined:
        judge.wrong(f"{entry.address} is put aside: {entry.error}")
    _cache_is_true(scene, judge, system)


def _cache_is_true(scene: Scene, judge: Judge, system: System) -> None:
    """What every store has is what the server has."""
    for (resource, selector), store in system._parts.router.stores.items():
        kind = scene.server.catalog.of(resource)
        matches = matcher(selector, "", kind.selectable)
        records = [
            entry for entry in scene.server.rest.bucket(kind).records.values() if not matches or matches(entry.object)
        ]
        there = {entry.key[1]: str(entry.version) for entry in records}
        seen = {thing["metadata"]["name"]: thing["metadata"]["resourceVersion"] for thing in store.objects()}
        if seen != there:
            different = sorted(name for name in seen.keys() | there.keys() if seen.get(name) != there.get(name))
            judge.wrong(f"the cache of {resource.plural} is not what the server has: {different[:5]}")


def _struck(scene: Scene, judge: Judge, address: Any) -> bool:
    """Whether the actor of a node is to crash: whenever its pod runs, until that crash is on record."""
    if "node_death" not in scene.case.kinds or scene.fates.healed or address.name in judge.ended:
        return False
    if judge.nodes.get(address.name, {}).get(address.part) in ENDED:
        return False
    for node in scene.oracles[address.name].nodes.values():
        if ids.node_id(address.name, node.name) == address.part:
            return node.type == "Pod" and scene.fates.of(node) == "node_death"
    return False


def case_of(seed: int, kind: str) -> Case:
    """The case of a seed: `mixed` draws a part of all faults, the others have theirs."""
    if kind == "mixed":
        return Case(seed, faults.mixed(seed))
    return Case(seed, faults.KINDS[kind] & faults.known_to(seed))


def run(case: Case, tell: Callable[[str], None] | None = None) -> Report:
    """Run a case on a loop of its own, in which time jumps."""
    from tests.world.offloaded import offloading  # noqa: PLC0415  # which puts itself between the pieces of this module

    kept = offloading(case.seed) if "database" in case.kinds else nullcontext()
    try:
        with kept as database:
            report: Report = anyio.run(trial, case, tell, backend_options={"loop_factory": VirtualLoop})
    except Exception as error:  # noqa: BLE001  # what is on record may be such that nobody can read it
        return Report(case, [f"the run broke: {_first(error)!r}"])
    report.tally["database"] += database.failures if database is not None else 0
    return report

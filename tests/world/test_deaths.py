"""The controllers die at any moment and start again: every workflow ends as if nothing had happened."""

from __future__ import annotations

from random import Random

import anyio
import pytest

from actors.names import ids, labels
from runtime.api import Api, Unavailable
from runtime.election import Election
from runtime.objects import LEASES, PODS, Object, Reference
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tests.world.flows import phases
from tests.world.test_runs import LEAF, nodes
from tests.world.world import Outcome, world
from tiphys.controllers import rooms

pytestmark = pytest.mark.virtual_time

SEEDS = range(8)

MIXED = f"""
spec:
  entrypoint: main
  onExit: leaf
  templates:
  - {LEAF}
  - name: make
    script: {{image: python, command: [python], source: "print(1)"}}
    outputs: {{parameters: [{{name: p, valueFrom: {{path: /tmp/p}}}}]}}
  - name: flaky
    retryStrategy: {{limit: 3, backoff: {{duration: "3"}}}}
    container: {{image: busybox, command: [sh]}}
  - name: inner
    steps:
    - - {{name: one, template: leaf}}
      - {{name: two, template: leaf, when: "a == b"}}
    - - {{name: wait, template: rest}}
  - name: rest
    suspend: {{duration: "4"}}
  - name: main
    dag:
      tasks:
      - {{name: A, template: make}}
      - {{name: B, template: flaky, depends: A}}
      - {{name: C, template: leaf, depends: A, withItems: [x, y], hooks: {{exit: {{template: leaf}}}},
          arguments: {{parameters: [{{name: m, value: "{{{{tasks.A.outputs.parameters.p}}}}-{{{{item}}}}"}}]}}}}
      - {{name: D, template: inner, depends: "B && C"}}
      - {{name: E, template: leaf, depends: "B.Failed"}}
"""


def script(name: str, pod: Object) -> Outcome:
    if name.endswith("B(0)"):
        return Outcome(code=1)
    if name.endswith(".A"):
        return Outcome(result="r", parameters={"p": "made"})
    return Outcome()


async def outcome(seed: int, deaths_every_s: float | None) -> tuple[dict[str, tuple[str, str]], list[str], int]:
    """Phases and messages of all nodes, all pods that ever were, and how often the controllers died."""
    async with world(script, seed=seed, deaths_every_s=deaths_every_s) as here:
        done = await here.end_of(await here.submit(MIXED))
        told = {name: (entry["phase"], entry.get("message", "")) for name, entry in nodes(done).items()}
        told["workflow"] = (done["status"]["phase"], done["status"]["progress"])
        inputs = nodes(done)["C(0:x)"]["inputs"]["parameters"][0]["value"]
        assert inputs == "made-x"
        pods = await here.settled_pods()
        assert {pod["metadata"]["labels"]["workflows.argoproj.io/completed"] for pod in pods} == {"true"}
        assert not any(pod["metadata"].get("finalizers") for pod in pods)
        return told, sorted(here.created), here.deaths


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_dies_when_the_end_is_the_same_and_no_pod_is_made_twice(seed: int) -> None:
    quiet, quiet_pods, _ = await outcome(seed, None)
    told, pods, deaths = await outcome(seed, 1.5)

    assert deaths > 0
    assert told == quiet
    assert pods == quiet_pods
    assert len(set(pods)) == len(pods)


@pytest.mark.spec("PGC-1")
@pytest.mark.spec("PGC-4")
@pytest.mark.parametrize("rule", ["", "podGC: {strategy: OnWorkflowCompletion}"])
@pytest.mark.parametrize("delay_s", [0.1, 40.0])
async def test_pods_that_were_on_record_when_the_controllers_died_are_let_go_by_the_next(
    rule: str, delay_s: float
) -> None:
    text = f"""
spec:
  entrypoint: main
  {rule}
  templates:
  - {LEAF}
  - name: make
    script: {{image: p, command: [p], source: x}}
    outputs: {{parameters: [{{name: p, valueFrom: {{path: /p}}}}]}}
  - name: main
    steps: [[{{name: a, template: make}}], [{{name: b, template: leaf}}]]
"""
    deaf = Deaf()
    async with world(lambda name, pod: Outcome(delay_s=delay_s, parameters={"p": "v"}), coat=deaf.over) as here:
        ref = await here.submit(text)
        await anyio.sleep(20)
        assert not any(
            pod["metadata"]["labels"].get(labels.COMPLETED) == "true" for pod in (await here.api.list(PODS)).items
        )
        deaf.hears = True
        here.die()
        await here.end_of(ref)
        pods = await here.settled_pods()

    assert (pods == []) if rule else {pod["metadata"]["labels"][labels.COMPLETED] for pod in pods} == {"true"}
    assert not any(pod["metadata"].get("finalizers") for pod in pods)


class Deaf:
    """An API that never answers patches of pods, until it hears."""

    hears = False

    def over(self, api: Api) -> Api:
        def fault(verb: str, subject: object) -> BaseException | None:
            wf = isinstance(subject, str) and subject == "w"
            return None if self.hears or verb != "patch" or wf else Unavailable("no answer")

        coat: Api = Coat(api, fault=fault)
        return coat


@pytest.mark.parametrize("elected", [False, True])
async def test_a_pod_that_was_deleted_while_no_controller_lived_is_missed_at_once(elected: bool) -> None:
    kinds = ("leaf", "make", "tries", "alone", "serve", "both")
    tasks = ", ".join(f"{{name: {kind}, template: {kind}}}" for kind in kinds)
    text = f"""
spec:
  entrypoint: main
  parallelism: 6
  templates:
  - {LEAF}
  - name: make
    outputs: {{parameters: [{{name: p, valueFrom: {{path: /p}}}}]}}
    script: {{image: p, command: [p], source: x}}
  - {{name: tries, retryStrategy: {{limit: 0}}, container: {{image: busybox, command: [sh]}}}}
  - {{name: alone, synchronization: {{mutexes: [{{name: m}}]}}, container: {{image: busybox, command: [sh]}}}}
  - {{name: serve, daemon: true, container: {{image: busybox, command: [sh]}}}}
  - name: both
    containerSet: {{containers: [{{name: main, image: x, command: [y]}}]}}
  - name: main
    dag: {{failFast: false, tasks: [{tasks}]}}
"""
    async with world(lambda name, pod: Outcome(delay_s=500)) as here:
        ref = await here.submit(text)
        await anyio.sleep(5)
        begun = phases(await here.api.get(ref))
        assert {begun[f"w.{kind}"] for kind in kinds} == {"Running"}
        here.replaced = True
        here.die()
        await anyio.sleep(1)
        for gone, _ in await here.pod_refs():
            await here.api.patch(gone, {"metadata": {"finalizers": None}})
            await here.api.delete(gone, grace_s=0)
        lease = Election(here.api, Reference(LEASES, "default", "l"), "me", VirtualClock()) if elected else None
        system = System(
            here.api, rooms(here.settings), settings=Settings(election=lease), clock=VirtualClock(), dice=Random(1)
        )
        async with here.instead(system):
            await anyio.sleep(2)
            found = phases(await here.api.get(ref))
    assert {found[f"w.{kind}"] for kind in kinds} == {"Error"}


@pytest.mark.spec("PGC-1")
@pytest.mark.parametrize(("strategy", "collected"), [("OnWorkflowCompletion", True), ("OnPodSuccess", False)])
async def test_a_pod_that_the_record_does_not_know_is_collected_by_whoever_lives_next(
    strategy: str, *, collected: bool
) -> None:
    """An attempt that nobody had on record when its controller died, and that another had let go when it died too."""
    text = f"""
spec:
  entrypoint: main
  podGC: {{strategy: {strategy}}}
  templates:
  - {LEAF}
  - name: main
    steps: [[{{name: a, template: leaf}}]]
"""
    made: list[Object] = []

    def keep(name: str, pod: Object) -> Outcome:
        del name
        made.append(pod)
        return Outcome()

    async with world(keep) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        assert await here.settled_pods() == []
        here.replaced = True
        here.die()
        await anyio.sleep(1)
        meta = {key: made[0]["metadata"][key] for key in ("namespace", "ownerReferences", "labels", "annotations")}
        meta["labels"] = {**meta["labels"], labels.COMPLETED: "true"}
        name = "w[0].a(1)"
        meta["annotations"] = {**meta["annotations"], labels.NODE_NAME: name, labels.NODE_ID: ids.node_id("w", name)}
        stray = {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, "name": "stray"}, "spec": made[0]["spec"]}
        await here.api.create(PODS, stray)
        await anyio.sleep(5)
        system = System(here.api, rooms(here.settings), settings=Settings(), clock=VirtualClock(), dice=Random(1))
        async with here.instead(system):
            left = [pod["metadata"]["name"] for pod in await here.settled_pods()]
            assert left == ([] if collected else ["stray"])
            assert system.addresses("workflow") == system.addresses("node") == []

"""The actor of a composite crashes: what stands below it gives back what it had and what it had asked for.

Most of that is on no record, since nodes that have not begun have no entry in the status."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from actors.lock_messages import WHOLE, holder_key
from actors.messages import ChildChanged, Forsaken, NodeChanged, NodeStatus
from actors.names import ids
from actors.workflow import forsaken, locks
from actors.workflow.locks import Ledger, forsake
from actors.workflow.mind import WorkflowMind
from actors.workflow.state import WorkflowState
from runtime.messages import Address, Down, Told, WakeAt
from runtime.objects import Object, Reference
from tests.kernel.coat import Coat
from tests.pure.engine.nodes import a_run
from tests.world.flows import flow, named, phases
from tests.world.world import Outcome, World, world

pytestmark = pytest.mark.virtual_time

STEPS = "  - {name: inner, steps: [[{name: s, template: %s, withItems: [1, 2, 3]}]]}\n"
LOCKED = "  - {name: locked, synchronization: {mutexes: [{name: m}]}, container: {image: busybox}}\n"


def dag(call: str, after: str, more: str = "") -> str:
    """A task whose group is going to crash, and one that follows its failure."""
    ends = "A.Failed || A.Errored"
    return f"""
  - name: main{more}
    dag:
      tasks:
      - {{name: A, {call}}}
      - {{name: B, template: {after}, depends: "{ends}"}}
"""


async def crash(here: World, ref: Reference, name: str) -> None:
    """Tell the actor of a node a word that nobody could make sense of."""
    assert here.system is not None
    (address,) = [one for one in here.system.addresses("node") if one.part == ids.node_id(ref.name, name)]
    word: Any = None
    here.system.tell(address, ChildChanged(word))


def slow(name: str, pod: Object) -> Outcome:
    del name, pod
    return Outcome(delay_s=5.0)


@pytest.mark.spec("PAR-3")
@pytest.mark.spec("PAR-4")
@pytest.mark.parametrize(
    ("templates", "group", "limit"),
    [
        (STEPS % "leaf" + dag("template: inner", "leaf"), "w.A[0]", {"parallelism": 1}),
        (dag("template: leaf, withItems: [1, 2, 3]", "leaf", "\n    parallelism: 1"), "w.A", {}),
    ],
    ids=["of the workflow", "of its boundary"],
)
async def test_who_waits_below_for_a_place_waits_no_more(templates: str, group: str, limit: dict[str, int]) -> None:
    async with world(slow) as here:
        ref = await here.submit(flow(templates, **limit))
        await here.after(2)
        await crash(here, ref, group)
        done = await here.end_of(ref, limit_s=300)

    assert phases(done)[group] == "Error"
    assert phases(done)["w.B"] == "Succeeded"
    assert len(here.created) == 2


@pytest.mark.spec("SYNC-9")
@pytest.mark.parametrize("after_s", [3.0, 5.0, 7.0])
async def test_a_lock_that_was_given_to_a_node_that_had_not_begun_goes_back(after_s: float) -> None:
    """Calls take two seconds here: what it refers to is read, the lock is given, then on record, and only then its
    node begins."""
    async with world(slow, coat=lambda api: Coat(api, delay_s=2.0)) as here:
        templates = LOCKED + STEPS % "locked" + dag("template: inner", "locked")
        ref = await here.submit(flow(templates))
        await here.after(after_s)
        await crash(here, ref, "w.A[0]")
        done = await here.end_of(ref, limit_s=300)

    assert phases(done)["w.A[0]"] == "Error"
    assert phases(done)["w.B"] == "Succeeded"
    assert "synchronization" not in done["status"]


@pytest.mark.spec("SYNC-9")
@pytest.mark.parametrize(
    ("node", "pod", "recorded", "free"),
    [
        ("w.A[0].s", "w.A[0].s", False, True),
        ("w.A[0].s", "", False, True),
        ("w.B", "w.B", False, False),
        ("w.B", "", True, False),
        ("", "", False, False),
    ],
    ids=["it has a pod", "it has none", "a pod of another", "on record", "the workflow's own"],
)
def test_a_lock_on_record_of_a_node_that_never_was_is_free_when_what_it_stood_below_crashes(
    node: str, pod: str, *, recorded: bool, free: bool
) -> None:
    """A former life had put on record that it has the lock, and nothing else of it."""
    address = Address("workflow", "default", "w", "uid-of-w")
    node_id = ids.node_id("w", node) if node else WHOLE
    holding = [{"mutex": "default/Mutex/m", "holder": holder_key(address, node_id)}]
    state = WorkflowState(address)
    state.locks = Ledger.of({"synchronization": {"mutex": {"holding": holding}}}, address)
    if pod:
        state.pods[node_id] = ("its-pod", pod, True)
    if recorded:
        state.journal.statuses[node_id] = NodeStatus(id=node_id, name=node, type="Pod", phase="Running")

    assert forsake(state, "w.A") == []  # it goes back once that is on record
    assert state.locks.claims[node_id].stage == ("leaving" if free else "held")


@pytest.mark.spec("SYNC-9")
@pytest.mark.parametrize(
    ("asks", "works", "recorded", "free"),
    [
        (False, False, False, True),
        (True, False, False, False),
        (False, True, False, False),
        (False, False, True, False),
    ],
    ids=["never", "it asks", "a pod of it works", "on record"],
)
def test_a_lock_on_record_goes_back_when_whoever_got_it_does_not_ask_again_within_a_minute(
    *, asks: bool, works: bool, recorded: bool, free: bool
) -> None:
    """What it stood in has failed before the restart, and begins nothing more."""
    address = Address("workflow", "default", "w", "uid-of-w")
    node_id = ids.node_id("w", "w.A.T")
    holding = [{"mutex": "default/Mutex/m", "holder": holder_key(address, node_id)}]
    state = WorkflowState(address)
    state.run = a_run()
    state.locks = Ledger.of({"synchronization": {"mutex": {"holding": holding}}}, address)
    if recorded:
        state.journal.statuses[node_id] = NodeStatus(id=node_id, name="w.A.T", type="Pod", phase="Running")
    assert locks.expect_asking(state, 100.0) == ([] if recorded else [WakeAt(160.0, locks.UNASKED)])
    if works:
        state.pods[node_id] = ("its-pod", "w.A.T", True)
    if asks:
        locks.wants(state, node_id, ("default/Mutex/m",), "w.A.T")

    freed, again = locks.unclaimed(state, 160.0)
    assert (freed, state.locks.claims[node_id].stage) == (free, "leaving" if free else "held")
    assert bool(again) is works, "looked at again as long as its pod works"


@pytest.mark.parametrize("phase", ["Failed", "Succeeded", ""])
def test_an_end_on_record_of_a_group_that_was_looked_at_once_more_stands_whatever_crashes_above(phase: str) -> None:
    """A group is opened again for a moment after a restart, to see whether a hook of it is still to run."""
    root = NodeStatus(id="w", name="w", type="DAG", phase="Error", message="a bug")
    group = NodeStatus(id="w-1", name="w.T", type="TaskGroup", phase="Running", boundary_id="w")
    recorded = msgspec.structs.replace(group, phase=phase, message="as recorded", finished_at="2026-01-01T00:00:08Z")
    state = WorkflowState(Address("workflow", "default", "w", "uid-of-w"))
    state.run = a_run(group=recorded) if phase else a_run()
    state.journal.change(root, WHOLE)
    state.journal.change(group, "w")

    forsaken.heard(state, Forsaken("w", "w"), 100.0)

    found = state.journal.statuses["w-1"]
    assert found == recorded if phase else (found.phase, found.message) == ("Error", "a bug")


@pytest.mark.spec("DAG-9")
@pytest.mark.spec("STEP-2")
@pytest.mark.parametrize(
    ("call", "group"), [("template: leaf, withItems: [1, 2]", "w.A"), ("template: inner", "w.A[0]")]
)
async def test_a_crashed_group_stays_what_it_was_and_where_it_stood(call: str, group: str) -> None:
    async with world(slow) as here:
        ref = await here.submit(flow(STEPS % "leaf" + dag(call, "leaf")))
        await here.after(2)
        before = named(await here.api.get(ref))[group]
        await crash(here, ref, group)
        after = named(await here.end_of(ref, limit_s=300))[group]

    assert (before["phase"], after["phase"]) == ("Running", "Error")
    fields = ("type", "boundaryID", "templateScope", "templateName", "startedAt")
    assert {field: after.get(field) for field in fields} == {field: before.get(field) for field in fields}


@pytest.mark.spec("DMN-4")
async def test_a_daemon_below_a_group_that_crashed_after_its_end_is_not_waited_for() -> None:
    text = flow("""
  - name: server
    daemon: true
    container: {image: busybox, command: [serve], readinessProbe: {tcpSocket: {port: 1}}}
  - name: main
    steps:
    - - {name: d, template: server}
    - - {name: a, template: leaf}
""")
    async with world(lambda name, pod: Outcome(delay_s=1000.0 if name.endswith(".d") else 20.0)) as here:
        ref = await here.submit(text)
        await here.after(10)
        await crash(here, ref, "w[0]")
        done = await here.end_of(ref)
        pods = await here.settled_pods()

    assert done["status"]["phase"] == "Succeeded"
    assert phases(done)["w[0]"] == "Succeeded"
    assert phases(done)["w[0].d"] == "Error"
    assert all(pod["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true" for pod in pods)


class LateCreates(Coat):
    """An API that takes ten seconds to create anything, even if whoever asked for it is no more."""

    async def create(self, resource: Any, thing: Any, **options: Any) -> Any:
        await anyio.sleep(10)
        return await super().create(resource, thing, **options)


@pytest.mark.spec("PGC-4")
async def test_a_pod_that_is_made_after_the_crash_of_all_and_the_workflows_end_is_ended_and_let_go() -> None:
    async with world(lambda name, pod: Outcome(delay_s=1000.0), coat=LateCreates) as here:
        ref = await here.submit(flow("  - {name: main, steps: [[{name: a, template: leaf}]]}\n"))
        await here.after(5)
        await crash(here, ref, "w")
        done = await here.end_of(ref)
        assert (done["status"]["phase"], here.created) == ("Error", [])
        left = await here.settled_pods()

    assert (len(here.created), left) == (1, [])


@pytest.mark.parametrize("told", [True, False], ids=["it had told its end", "it had not"])
def test_the_crash_of_an_actor_does_not_take_back_the_end_that_it_has_told_of(*, told: bool) -> None:
    """Word of a crash may overtake, on its way to the parent, what the crashed actor said before."""
    state = WorkflowState(Address("workflow", "default", "w", "uid-of-w"))
    state.run = a_run()
    node = NodeStatus(id=ids.node_id("w", "w.A"), name="w.A", type="Pod", phase="Succeeded" if told else "Running")
    state.journal.change(node, "")
    crashed = NodeChanged(msgspec.structs.replace(node, phase="Error", message="ValueError: x"), crashed=True)
    list(WorkflowMind().receive(state, Told(state.address, crashed), 100.0))

    assert state.journal.statuses[node.id].phase == ("Succeeded" if told else "Error")


def test_the_crash_of_an_actor_that_only_looked_after_a_pod_puts_nothing_on_record() -> None:
    """The pod was of a node that the record has never known."""
    state = WorkflowState(Address("workflow", "default", "w", "uid-of-w"))
    state.run = a_run()
    state.root = NodeStatus(id="w", name="w", type="DAG", phase="Running")
    state.journal.change(state.root, WHOLE)
    stray = state.run.node_address(ids.node_id("w", "w.A"))
    list(WorkflowMind().receive(state, Down(stray, "crashed", "ValueError: x"), 100.0))

    assert state.journal.statuses == {"w": state.root}

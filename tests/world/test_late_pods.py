"""A pod that a workflow's actor asked for before it crashed, and that the cache shows after the workflow's end."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import NodeStatus, Recorded
from actors.names import ids, labels
from actors.node.mind import NodeMind
from actors.run import Leftover
from actors.workflow.mind import WorkflowMind
from actors.workflow.pods import SHOWN
from actors.workflow.state import WORKFLOWS, WorkflowState
from runtime.api import Unavailable
from runtime.messages import (
    Address,
    Command,
    Done,
    Down,
    Failed,
    Message,
    Observed,
    Patch,
    Read,
    Spawn,
    Started,
    Stop,
    Tell,
    Told,
    WakeAt,
    Woke,
)
from runtime.objects import PODS, Object, reference
from tests.pure.engine.nodes import a_run

ADDRESS = Address("workflow", "default", "w", "uid-of-w")
NOW = 1_800_000_000.0
FINISHED: Object = {
    "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
    "metadata": {
        "name": "w", "namespace": "default", "uid": ADDRESS.uid, "resourceVersion": "9",
        "labels": {labels.COMPLETED: "true"},
    },
    "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "busybox"}}]},
    "status": {"phase": "Error", "startedAt": "2027-01-15T07:59:00Z", "finishedAt": "2027-01-15T08:00:00Z"},
}  # fmt: skip
POD: Object = {
    "apiVersion": "v1", "kind": "Pod",
    "metadata": {
        "name": "w-main", "namespace": "default", "uid": "uid-of-pod", "resourceVersion": "8",
        "labels": {labels.WORKFLOW: "w", labels.COMPLETED: "false"},
        "annotations": {labels.NODE_NAME: "w.A", labels.NODE_ID: ids.node_id("w", "w.A")},
    },
    "status": {"phase": "Running"},
}  # fmt: skip


def at_its_end(attempt: int) -> tuple[WorkflowMind, WorkflowState, list[Command]]:
    """An actor that has found the workflow finished, and what it wants then."""
    mind = WorkflowMind()
    state = mind.birth(ADDRESS, None)
    commands: list[Command] = []
    waiting: list[Message] = [Started(attempt), Observed(reference(WORKFLOWS, FINISHED), FINISHED)]
    while waiting:
        new = list(mind.receive(state, waiting.pop(0), NOW))
        commands += new
        waiting += [Done(one, FINISHED) for one in new if isinstance(one, Read)]
        waiting += [Told(ADDRESS, one.word) for one in new if isinstance(one, Tell) and one.to == ADDRESS]
    return mind, state, commands


def kinds(commands: list[Command]) -> list[type[Any]]:
    return [type(command) for command in commands]


def test_an_actor_that_has_not_crashed_has_been_shown_all_there_is() -> None:
    _, _, commands = at_its_end(0)

    assert kinds(commands)[-1] is Stop


@pytest.mark.spec("PGC-4")
def test_after_a_crash_a_pod_that_is_shown_late_is_looked_after_all_the_same() -> None:
    mind, state, commands = at_its_end(1)
    assert Stop not in kinds(commands)
    found = list(mind.receive(state, Observed(reference(PODS, POD), POD), NOW + 1))

    (spawn,) = [command for command in found if isinstance(command, Spawn)]
    assert isinstance(spawn.argument, Leftover)
    assert (spawn.argument.node.name, spawn.argument.pod) == ("w.A", "w-main")


@pytest.mark.spec("PGC-4")
def test_a_pod_that_is_shown_after_another_of_its_name_was_let_go_is_looked_after_too() -> None:
    mind, state, _ = at_its_end(1)
    (spawn,) = [one for one in mind.receive(state, Observed(reference(PODS, POD), POD), NOW) if isinstance(one, Spawn)]
    gone: list[Message] = [Down(spawn.address, "normal", "")]
    marked = {**POD, "metadata": {**POD["metadata"], "labels": {labels.WORKFLOW: "w", labels.COMPLETED: "true"}}}
    gone.append(Observed(reference(PODS, marked), marked))
    assert [one for word in gone for one in mind.receive(state, word, NOW) if isinstance(one, Spawn)] == []
    other = {**POD, "metadata": {**POD["metadata"], "uid": "uid-of-another"}}
    found = [one for one in mind.receive(state, Observed(reference(PODS, other), other), NOW) if isinstance(one, Spawn)]

    assert [one.address for one in found] == [spawn.address]


def test_after_a_crash_it_stops_once_the_cache_had_time_to_show_what_there_is() -> None:
    mind, state, _ = at_its_end(1)

    assert kinds(list(mind.receive(state, Woke(SHOWN), NOW + 60))) == [Stop]


@pytest.mark.spec("PGC-4")
def test_a_pod_that_the_cache_need_not_have_is_looked_for_whatever_it_shows_of_another_of_its_name() -> None:
    """The one of the run before a retry had been let go; the one of this run is held, and nobody else lets it go."""
    status = NodeStatus(id=ids.node_id("w", "w.A"), name="w.A", type="Pod", template_name="main", phase="Succeeded")
    run = a_run()
    own = {"kind": "Workflow", "name": "w", "uid": run.address.uid, "controller": True}
    held = {**POD, "metadata": {**POD["metadata"], "name": ids.pod_name("w", "w.A", "main"), "ownerReferences": [own]}}
    held["status"] = {"phase": "Succeeded"}
    marked = {labels.WORKFLOW: "w", labels.COMPLETED: "true"}
    former = {**held, "metadata": {**held["metadata"], "uid": "uid-of-another", "labels": marked}}
    mind = NodeMind()
    state = mind.birth(run.node_address(status.id), Leftover(run, status, "Error", unseen=True))
    (look_at,) = mind.receive(state, Started(0), NOW)
    assert isinstance(look_at, WakeAt)

    assert list(mind.receive(state, Observed(reference(PODS, former), former), NOW)) == []
    (look,) = mind.receive(state, Woke(look_at.tag), NOW + 2)
    assert isinstance(look, Read)
    (wake,) = mind.receive(state, Failed(look, Unavailable("away")), NOW + 3)
    assert isinstance(wake, WakeAt)
    assert list(mind.receive(state, Woke(wake.tag), NOW + 5)) == [look]

    (patch,) = mind.receive(state, Done(look, held), NOW + 6)
    assert isinstance(patch, Patch)
    assert patch.ref.uid == "uid-of-pod"
    assert list(mind.receive(state, Observed(reference(PODS, former), former), NOW + 7)) == []


@pytest.mark.spec("PGC-4")
def test_a_pod_is_not_let_go_before_the_end_that_a_restart_gave_its_node_is_on_record() -> None:
    status = NodeStatus(id=ids.node_id("w", "w.A"), name="w.A", type="Pod", template_name="main", phase="Error")
    run = a_run()
    own = {"kind": "Workflow", "name": "w", "uid": run.address.uid, "controller": True}
    held = {**POD, "metadata": {**POD["metadata"], "name": ids.pod_name("w", "w.A", "main"), "ownerReferences": [own]}}
    held["status"] = {"phase": "Succeeded"}
    mind = NodeMind()
    state = mind.birth(run.node_address(status.id), Leftover(run, status, recorded=False))
    list(mind.receive(state, Started(0), NOW))

    assert list(mind.receive(state, Observed(reference(PODS, held), held), NOW)) == []
    (patch,) = mind.receive(state, Told(run.address, Recorded()), NOW + 1)
    assert isinstance(patch, Patch)
    assert patch.ref.uid == "uid-of-pod"

"""A call of a template that nobody knows yet: the node asks, the workflow reads once for all who ask, and keeps it."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import NodeChanged, Shutdown, TemplateSought, WantsTemplate
from actors.node.mind import NodeMind
from actors.node.pod import PodNode
from actors.node.sought import SoughtNode
from actors.run import Call
from actors.templates import Resolved
from actors.workflow import gather, lookups
from actors.workflow.repositories import REPOSITORIES
from actors.workflow.state import WorkflowState
from runtime.api import Gone, Refused, Unavailable
from runtime.messages import Create, Read, Stop, Tell, WakeAt
from runtime.objects import PODS
from tests.pure.engine.nodes import LEAF, NOW, WORKFLOW, Played, a_call, a_pod, a_run, of

pytestmark = pytest.mark.spec("WFT-1")

SCOPE = "namespaced/lib"
REFERENCE = {"name": "lib", "template": "leaf"}
OBJECT: dict[str, Any] = {"metadata": {"name": "lib"}, "spec": {"templates": [LEAF, {"name": "other", "suspend": {}}]}}


def a_sought_call() -> Call:
    run = a_run()
    resolved = run.library.resolve_or_seek({"templateRef": REFERENCE}, "local/w")
    return Call(run, WORKFLOW, "w.A", "w", "w", resolved)


def wanted(node_id: str = "w-1", scope: str = SCOPE, name: str = "leaf") -> WantsTemplate:
    return WantsTemplate(node_id, scope, name)


def a_state() -> WorkflowState:
    return WorkflowState(WORKFLOW, object={"metadata": {"name": "w", "namespace": "default"}}, run=a_run())


def answers(commands: list[Any]) -> dict[str, str]:
    """What is said to whom."""
    return {tell.to.part: tell.word.error for tell in of(Tell, commands) if isinstance(tell.word, TemplateSought)}


def test_what_a_node_hears_before_its_template_is_known_it_hears_then() -> None:
    """After a restart its pod may be shown to it first: else it would make another."""
    call = a_sought_call()
    node = Played(call)
    (asked,) = node.hears_of_birth()
    assert isinstance(node.state, SoughtNode)
    assert asked == Tell(WORKFLOW, WantsTemplate(call.id, SCOPE, "leaf"))
    assert node.sees(a_pod(a_call(call.run), "Running")) == []
    call.run.library.add(SCOPE, [LEAF])
    found = [*node.told(TemplateSought()), *node.hears_begin()]

    assert isinstance(node.state.node, PodNode)
    assert node.state.node.call.resolved == Resolved(LEAF, "leaf", SCOPE, REFERENCE)
    assert of(Create, found) == []
    assert [read.ref.resource for read in of(Read, found)] == [PODS]


def test_a_node_that_was_stopped_before_its_template_was_known_does_not_begin() -> None:
    call = a_sought_call()
    node = Played(call)
    node.hears_of_birth()
    call.run.shutdown = "Terminate"
    node.told(Shutdown("Terminate"))
    call.run.library.add(SCOPE, [LEAF])
    found = [*node.told(TemplateSought()), *node.hears_begin()]

    assert of(Create, found) == []
    assert of(NodeChanged, [tell.word for tell in of(Tell, found)])[-1].status.phase == "Failed"


def test_a_template_that_cannot_be_had_is_an_error_that_shows_what_was_sought() -> None:
    node = Played(a_sought_call())
    node.hears_of_birth()
    told = node.told(TemplateSought("it is not there"))
    (status,) = [tell.word.status for tell in of(Tell, told) if isinstance(tell.word, NodeChanged)]

    assert (status.type, status.phase, status.message) == ("Skipped", "Error", "it is not there")
    assert status.template_ref == REFERENCE
    assert isinstance(told[-1], Stop)
    assert NodeMind().waiting(node.state)


def test_one_read_serves_all_who_ask_meanwhile_and_what_it_finds_is_kept() -> None:
    state = a_state()
    (read,) = lookups.wants(state, wanted("w-1"), NOW)
    assert isinstance(read, Read)
    assert lookups.wants(state, wanted("w-2"), NOW) == []

    told = answers(lookups.read(state, read.ref, OBJECT, NOW))
    assert told == {"w-1": "", "w-2": ""}
    assert state.status_extra["storedTemplates"] == {f"{SCOPE}/leaf": LEAF}
    assert state.running.library.resolve_or_seek({"templateRef": REFERENCE}, "local/w").template == LEAF

    assert answers(lookups.wants(state, wanted("w-3", name="other"), NOW)) == {"w-3": ""}
    assert set(state.status_extra["storedTemplates"]) == {f"{SCOPE}/leaf", f"{SCOPE}/other"}
    missed = answers(lookups.wants(state, wanted("w-4", name="nox"), NOW))
    assert missed == {"w-4": "template nox not found in workflow template lib"}


def test_what_the_status_has_kept_wins_over_what_the_object_says_now() -> None:
    state, kept = a_state(), {"name": "leaf", "container": {"image": "as it was"}}
    library = state.running.library
    library.add(SCOPE, [kept])
    library.kept.add(f"{SCOPE}/leaf")
    state.status_extra["storedTemplates"] = {f"{SCOPE}/leaf": kept}
    (read,) = lookups.wants(state, wanted(name="other"), NOW)
    assert isinstance(read, Read)
    lookups.read(state, read.ref, OBJECT, NOW)

    assert library.resolve({"templateRef": REFERENCE}, "local/w").template == kept
    assert state.status_extra["storedTemplates"][f"{SCOPE}/leaf"] == kept


def test_absent_and_refused_are_answers_and_silence_is_not() -> None:
    state = a_state()
    (read,) = lookups.wants(state, wanted(), NOW)
    assert isinstance(read, Read)
    (woken,) = lookups.unread(state, read.ref, Unavailable("away"), NOW)
    assert isinstance(woken, WakeAt)
    assert lookups.again(state) == [read]
    assert answers(lookups.unread(state, read.ref, Gone("gone"), NOW)) == {"w-1": "workflow template lib not found"}
    assert lookups.again(state) == []

    assert lookups.wants(state, wanted(), NOW) == [read]  # it may be there by now
    assert answers(lookups.unread(state, read.ref, Refused("forbidden"), NOW)) == {"w-1": "forbidden"}


@pytest.mark.parametrize("name", ["", "{{item}}", "../secrets/x", "Lib"])
def test_what_is_no_name_of_an_object_is_not_read(name: str) -> None:
    told = lookups.wants(a_state(), wanted(scope=f"namespaced/{name}"), NOW)

    assert answers(told) == {"w-1": f"workflow template {name} not found"}
    assert of(Read, told) == []


@pytest.mark.parametrize("hooked", [False, True])
def test_a_workflow_whose_templates_are_named_later_is_read_the_artifact_repository_before_and_no_such_object(
    hooked: bool,
) -> None:
    call = {"name": "a", "templateRef": {"name": "{{workflow.parameters.g}}", "template": "leaf"}}
    spec = {"hooks": {"exit": call}} if hooked else {"templates": [{"name": "main", "steps": [[call]]}]}
    workflow = {"metadata": {"name": "w", "namespace": "default"}, "spec": spec}

    assert [ref.name for ref in gather.missing(workflow, {})] == [REPOSITORIES]

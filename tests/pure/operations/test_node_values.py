"""A suspended node takes a phase, a message and the values that it waits for, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest

from actors.operations.node_values import set_node
from actors.operations.refusal import Refusal
from actors.operations.selector import parse

NOW = 1_767_225_700.0
SUPPLIED = {"name": "x", "valueFrom": {"supplied": {}}}


def workflow(**fields: Any) -> dict[str, Any]:
    a = {"id": "a", "name": "w.a", "displayName": "a", "type": "Suspend", "phase": "Running", **fields}
    pod = {"id": "p", "name": "w.p", "displayName": "p", "type": "Pod", "phase": "Running"}
    return {"metadata": {"name": "w"}, "status": {"phase": "Running", "nodes": {"a": a, "p": pod}}}


@pytest.mark.spec("OP-8")
def test_phase_message_and_values_are_written_to_the_node_that_is_picked() -> None:
    thing = workflow(outputs={"parameters": [SUPPLIED, {"name": "y", "value": "1"}]})
    changed = set_node(thing, parse("displayName=a"), NOW, phase="Succeeded", message="ok", outputs={"x": "v=1"})
    node = changed["status"]["nodes"]["a"]
    assert (node["phase"], node["message"], node["finishedAt"]) == ("Succeeded", "ok", "2026-01-01T00:01:40Z")
    assert node["outputs"]["parameters"] == [{"name": "x", "value": "v=1"}, {"name": "y", "value": "1"}]
    assert changed["status"]["nodes"]["p"] == thing["status"]["nodes"]["p"]
    assert thing["status"]["nodes"]["a"]["phase"] == "Running"


@pytest.mark.spec("OP-8")
@pytest.mark.parametrize(
    ("selector", "options", "said"),
    [
        ("displayName=p", {"phase": "Failed"}, "no suspended node of w matches"),
        ("displayName=a", {"phase": "Skipped"}, "cannot be set to 'Skipped'"),
        ("displayName=a", {}, "nothing to set"),
        ("displayName=a", {"outputs": {"z": "1"}}, "not expecting output parameter 'z'; it expects: x, y"),
        (
            "displayName=a",
            {"outputs": {"y": "1"}},
            "cannot set output parameter 'y' because it does not use valueFrom.raw or it was already set",
        ),
    ],
)
def test_what_cannot_be_set_is_refused(selector: str, options: dict[str, Any], said: str) -> None:
    thing = workflow(outputs={"parameters": [SUPPLIED, {"name": "y", "value": "1"}]})
    with pytest.raises(Refusal, match=said):
        set_node(thing, parse(selector), NOW, **options)


@pytest.mark.spec("OP-8")
def test_a_node_that_waits_for_no_value_takes_none() -> None:
    with pytest.raises(Refusal, match="cannot set output parameters because node is not expecting any raw parameters"):
        set_node(workflow(), parse("displayName=a"), NOW, outputs={"x": "1"})


def test_a_comma_in_a_selectors_value_stands_behind_a_backslash() -> None:
    (term,) = parse(r"inputs.parameters.p.value=a\,b")
    assert term.value == "a,b"

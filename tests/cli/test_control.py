"""Steering a workflow is an edit of its object that upstream's clients would make too."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from tiphys.cli import control, listing, nodes, nodeselector, selection, submission
from tiphys.cli.kinds import CLUSTER_WORKFLOW_TEMPLATES, CRON_WORKFLOWS, WORKFLOW_TEMPLATES
from tiphys.cli.problems import InputError
from tiphys.cli.selection import Filter

NOW = 1_767_225_700.0
STAMP = "2026-01-01T00:01:40Z"


def suspend(key: str, **fields: Any) -> dict[str, Any]:
    return {"id": key, "name": f"w.{key}", "displayName": key, "type": "Suspend", "phase": "Running", **fields}


def workflow(*entries: dict[str, Any], phase: str = "Running", **spec: Any) -> dict[str, Any]:
    status = {"phase": phase, "nodes": {entry["id"]: entry for entry in entries}}
    return {"metadata": {"name": "w", "namespace": "n"}, "spec": spec, "status": status}


@pytest.mark.spec("OP-1", "OP-2")
@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
@pytest.mark.spec("CLI-10")
def test_shutting_down_says_how(strategy: str) -> None:
    assert control.shut_down(workflow(), strategy)["spec"] == {"shutdown": strategy}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Error"])
def test_what_has_ended_cannot_be_steered(phase: str) -> None:
    ended = workflow(phase=phase)
    with pytest.raises(InputError, match=f"cannot shutdown a completed workflow.* is {phase}"):
        control.shut_down(ended, "Stop")
    with pytest.raises(InputError, match=f"cannot suspend completed workflows.* is {phase}"):
        control.suspended(ended)


@pytest.mark.spec("CLI-11")
def test_what_waits_for_nothing_is_resumed_as_it_is() -> None:
    for thing in (workflow(), workflow(phase="Succeeded")):
        assert control.resumed(thing, [], NOW) == thing


@pytest.mark.spec("SUS-6")
@pytest.mark.spec("CLI-11")
def test_resuming_clears_the_flag_and_ends_every_waiting_node() -> None:
    other = {"id": "p", "name": "w.p", "type": "Pod", "phase": "Running"}
    changed = control.resumed(workflow(suspend("a"), suspend("b"), other, suspend=True), [], NOW)
    assert changed["spec"] == {}
    found = changed["status"]["nodes"]
    assert {key: node["phase"] for key, node in found.items()} == {"a": "Succeeded", "b": "Succeeded", "p": "Running"}
    assert found["a"]["finishedAt"] == STAMP


@pytest.mark.spec("SUS-5")
def test_a_selector_resumes_only_the_nodes_it_picks() -> None:
    terms = nodeselector.parse("displayName=a")
    changed = control.resumed(workflow(suspend("a"), suspend("b"), suspend=True), terms, NOW)
    assert changed["spec"] == {"suspend": True}
    assert {key: node["phase"] for key, node in changed["status"]["nodes"].items()} == {
        "a": "Succeeded",
        "b": "Running",
    }
    with pytest.raises(InputError, match="no suspended node of w matches the selector"):
        control.resumed(workflow(suspend("a")), nodeselector.parse("displayName=z"), NOW)


@pytest.mark.spec("SUS-3")
def test_a_supplied_output_takes_its_default_and_is_demanded_without_one() -> None:
    def waits(**source: Any) -> dict[str, Any]:
        parameters = [{"name": "x", "valueFrom": {"supplied": {}, **source}}, {"name": "y", "value": "set"}]
        return workflow(suspend("a", outputs={"parameters": parameters}))

    changed = control.resumed(waits(default="d"), [], NOW)
    values = changed["status"]["nodes"]["a"]["outputs"]["parameters"]
    assert values == [{"name": "x", "value": "d"}, {"name": "y", "value": "set"}]
    with pytest.raises(InputError, match="raw output parameter 'x' has not been set and does not have a default value"):
        control.resumed(waits(), [], NOW)


def test_compressed_nodes_stay_compressed() -> None:
    thing = workflow()
    packed = gzip.compress(json.dumps({"a": suspend("a")}).encode())
    thing["status"] = {"phase": "Running", "compressedNodes": base64.b64encode(packed).decode()}
    changed = control.resumed(thing, [], NOW)
    assert "nodes" not in changed["status"]
    assert nodes.nodes_of(changed)["a"]["phase"] == "Succeeded"


def test_stopping_a_node_fails_it_with_the_message() -> None:
    changed = control.failed(workflow(suspend("a")), nodeselector.parse("phase=Running"), "no", NOW)
    node = changed["status"]["nodes"]["a"]
    assert (node["phase"], node["message"], node["finishedAt"]) == ("Failed", "no", STAMP)


@pytest.mark.parametrize(
    ("selector", "picked"),
    [
        ("displayName=a", True),
        ("displayName==a", True),
        ("displayName!=a", False),
        ("displayName=a,phase!=Running", False),
        ("templateRef.name=lib", True),
        ("inputs.parameters.p.value=v", True),
        ("inputs.parameters.q.value=v", False),
        ("templateName=", False),
        ("templateName=t", True),
    ],
)
def test_a_selector_compares_fields(selector: str, picked: bool) -> None:
    ref = {"name": "lib", "template": "t"}  # its name there is what upstream compares
    node = suspend("a", templateRef=ref, inputs={"parameters": [{"name": "p", "value": "v"}]})
    assert nodeselector.matches(node, nodeselector.parse(selector)) is picked


@pytest.mark.parametrize("selector", ["displayName", "colour=red", "a>b"])
def test_what_is_no_selector_is_said(selector: str) -> None:
    with pytest.raises(InputError, match="node field selector"):
        nodeselector.parse(selector)


def listed(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "ab", "creationTimestamp": "2026-01-01T00:00:00Z"}, "status": status}


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        (Filter(), True),
        (Filter(running=True), False),
        (Filter(completed=True), True),
        (Filter(resubmitted=True), False),
        (Filter(prefix="a"), True),
        (Filter(prefix="b"), False),
        (Filter(phases=("Failed", "Error")), False),
        (Filter(since_s=100), True),
        (Filter(since_s=99), False),
        (Filter(older_s=49), True),
        (Filter(older_s=50), False),
    ],
)
def test_a_filter_asks_for_state_and_age(wanted: Filter, passes: bool) -> None:
    thing = listed(phase="Succeeded", finishedAt="2026-01-01T00:00:50Z")
    assert selection.passes(thing, wanted, NOW) is passes


@pytest.mark.spec("CLI-3")
def test_a_list_begins_with_what_runs_and_goes_on_with_what_ended_last() -> None:
    def one(name: str, created: int, finished: int = 0) -> dict[str, Any]:
        stamp = {"finishedAt": f"2026-01-01T00:00:{finished}Z"} if finished else {}
        meta = {"name": name, "creationTimestamp": f"2026-01-01T00:00:{created}Z"}
        return {"metadata": meta, "status": stamp}

    things = [one("long", 10, 50), one("old", 11), one("brief", 12, 40), one("new", 13)]
    assert [thing["metadata"]["name"] for thing in selection.in_order(things)] == ["new", "old", "long", "brief"]


@pytest.mark.spec("CLI-3")
def test_a_wide_list_shows_the_ends_of_a_long_value_and_no_parameter_without_one() -> None:
    parameters = [{"name": "a", "value": "x" * 32 + "y" * 10 + "z" * 15}, {"name": "b"}, {"name": "c", "value": 1}]
    thing = {**workflow(), "spec": {"arguments": {"parameters": parameters}}}
    (row,) = listing.lines([thing], NOW, wide=True, everywhere=False, head=False)
    assert row.split()[-1] == f"a={'x' * 32}...{'z' * 15},c=1"


@pytest.mark.spec("CLI-3")
def test_phases_are_separated_by_commas_or_given_again() -> None:
    assert selection.phases(["Running,Failed", " Error "]) == ("Running", "Failed", "Error")


@pytest.mark.spec("CLI-1")
def test_the_time_that_a_run_stands_for_is_a_time() -> None:
    assert submission.moment("2006-01-02T15:04:05-07:00") == "2006-01-02T15:04:05-07:00"
    with pytest.raises(InputError, match="--scheduled-time 'soon': expected a time"):
        submission.moment("soon")


@pytest.mark.spec("WFT-4")
def test_a_template_in_the_cluster_becomes_a_workflow_that_refers_to_it() -> None:
    ref = submission.origin("wftmpl/build", "n")
    assert (ref.resource, ref.namespace) == (WORKFLOW_TEMPLATES, "n")
    made = submission.workflow_of({}, ref)
    assert made["spec"] == {"workflowTemplateRef": {"name": "build"}}
    assert made["metadata"]["generateName"] == "build-"
    cluster = submission.origin("cwft/build", "n")
    assert (cluster.resource, cluster.namespace) == (CLUSTER_WORKFLOW_TEMPLATES, "")
    assert submission.workflow_of({}, cluster)["spec"]["workflowTemplateRef"]["clusterScope"] is True
    cron = submission.origin("cronwf/nightly", "n")
    assert cron.resource == CRON_WORKFLOWS
    nightly = {"metadata": {"name": "nightly", "uid": "u"}, "spec": {"workflowSpec": {"entrypoint": "x"}}}
    assert submission.workflow_of(nightly, cron)["spec"] == {"entrypoint": "x"}


@pytest.mark.parametrize("text", ["build", "pod/x", "wftmpl/"])
def test_what_nothing_can_be_submitted_from_is_said(text: str) -> None:
    with pytest.raises(InputError, match="expected KIND/NAME"):
        submission.origin(text, "n")

"""The verdict finds every lie: each change of a good outcome is a sentence."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from actors.names.ids import node_id, pod_name
from tests.conformance.cluster import PodRecord
from tests.conformance.corpus import broken
from tests.conformance.harness import Outcome
from tests.conformance.verdict import attempts, problems

WORKFLOW = "steps-x"
STEP = f"{WORKFLOW}[0].hello"
POD = pod_name(WORKFLOW, STEP, "print")
EXPECT: dict[str, Any] = {
    "phase": "Failed",
    "message": "child '{id [0].hello}' failed",
    "types": {"Pod": 1, "Steps": 1},
    "nodes": {
        "root": "Failed",
        "hello": {
            "phase": "Failed",
            "exit": "3",
            "message": "main: Error (exit code 3)",
            "outputs": {"greeting": ["hi", "hello"]},
            "artifacts": {"text": "hello\n"},
            "log": "said hello",
            "pod": {"/metadata/labels/a~1b": "c", "/spec/containers/main/image": "busybox"},
        },
    },
    "absent": ["bye"],
    "failed": ["hello"],
    "at_once": 1,
    "claims": 0,
    "others": {"made-?????": "Succeeded"},
}


def _outcome() -> Outcome:
    """A run that ended as EXPECT says."""
    message = f"child '{node_id(WORKFLOW, STEP)}' failed"
    root = {"id": WORKFLOW, "name": WORKFLOW, "displayName": WORKFLOW, "type": "Steps", "phase": "Failed"}
    outputs = {"exitCode": "3", "parameters": [{"name": "greeting", "value": "hello"}]}
    hello: dict[str, Any]
    hello = {"id": node_id(WORKFLOW, STEP), "name": STEP, "displayName": "hello", "type": "Pod", "phase": "Failed"}
    hello |= {
        "templateName": "print",
        "boundaryID": WORKFLOW,
        "message": "main: Error (exit code 3)",
        "outputs": outputs,
    }
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z"}
    nodes = {node["id"]: node | times | {"templateScope": f"local/{WORKFLOW}"} for node in (root, hello)}
    completed = {"type": "Completed", "status": "True"}
    workflow = {
        "metadata": {"name": WORKFLOW, "labels": {"workflows.argoproj.io/completed": "true"}},
        "spec": {},
        "status": {"phase": "Failed", "message": message, "nodes": nodes, "conditions": [completed], **times},
    }
    pod = {
        "metadata": {"name": POD, "uid": "1", "labels": {"a/b": "c"}},
        "spec": {"containers": [{"name": "main", "image": "busybox"}]},
        "status": {"phase": "Failed"},
    }
    end = {"exitCode": 3, "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z"}
    return Outcome(
        workflow=workflow,
        pods=[PodRecord(pod, {"main": end})],
        logs={hello["id"]: "it said hello\n"},
        artifacts={(hello["id"], "text"): "hello\n"},
        others={"made-abcde": "Succeeded"},
    )


def _hello(outcome: Outcome) -> dict[str, Any]:
    node: dict[str, Any] = outcome.workflow["status"]["nodes"][node_id(WORKFLOW, STEP)]
    return node


def _second_pod(outcome: Outcome, name: str) -> None:
    other = copy.deepcopy(outcome.pods[0])
    other.object["metadata"]["name"] = name
    outcome.pods.append(other)


LIES: dict[str, Callable[[Outcome], object]] = {
    "the workflow ended otherwise": lambda o: o.workflow["status"].update(phase="Succeeded"),
    "the workflow says otherwise": lambda o: o.workflow["status"].update(message="child failed"),
    "it is not labelled as completed": lambda o: o.workflow["metadata"].update(labels={}),
    "a node's phase is another": lambda o: _hello(o).update(phase="Error"),
    "a node's message is another": lambda o: _hello(o).update(message="main: Error (exit code 3): oh"),
    "a node's type is another": lambda o: _hello(o).update(type="Suspend"),
    "a node's id is not the formula's": lambda o: _hello(o).update(id="steps-x-1"),
    "a node is kept under another id": lambda o: o.workflow["status"]["nodes"].update({"steps-x-1": _hello(o)}),
    "a node's type is none of upstream's": lambda o: _hello(o).update(type="Task"),
    "a node is shown by its whole name": lambda o: _hello(o).update(displayName=STEP),
    "a node's template is nowhere": lambda o: _hello(o).update(templateScope=""),
    "a node's template is another workflow's": lambda o: _hello(o).update(templateScope="local/other"),
    "a node's boundary is a pod": lambda o: o.workflow["status"]["nodes"][WORKFLOW].update(type="Pod"),
    "a group has no boundary": lambda o: _hello(o).update(type="StepGroup", boundaryID=""),
    "a node has a field of our own": lambda o: _hello(o).update(pod=POD),
    "a node's flag is one of our own": lambda o: _hello(o).update(nodeFlag={"looped": True}),
    "a node never finished": lambda o: _hello(o).pop("finishedAt"),
    "a node's time has fractions": lambda o: _hello(o).update(startedAt="2026-01-01T00:00:00.5Z"),
    "a node's progress is a share": lambda o: _hello(o).update(progress="100%"),
    "what a node used is a text": lambda o: _hello(o).update(resourcesDuration={"cpu": "1"}),
    "the status has a field of our own": lambda o: o.workflow["status"].update(actors=3),
    "no condition says that it is completed": lambda o: o.workflow["status"].update(conditions=[]),
    "a condition is one of our own": lambda o: o.workflow["status"]["conditions"].append({"type": "Quarantined"}),
    "a node is missing": lambda o: o.workflow["status"]["nodes"].pop(node_id(WORKFLOW, STEP)),
    "a node must not be there": lambda o: _hello(o).update(displayName="bye"),
    "an output has another value": lambda o: _hello(o)["outputs"].update(parameters=[]),
    "no exit code is recorded": lambda o: _hello(o)["outputs"].pop("exitCode"),
    "another exit code is recorded": lambda o: _hello(o)["outputs"].update(exitCode="4"),
    "the container ended with another code": lambda o: o.pods[0].ends["main"].update(exitCode=1),
    "the container never ended": lambda o: o.pods[0].ends.clear(),
    "there is no pod": lambda o: o.pods.clear(),
    "the pod has another name": lambda o: o.pods[0].object["metadata"].update(name=f"{POD}-2"),
    "there is a pod without a node": lambda o: _second_pod(o, "stray"),
    "there were two pods of a name": lambda o: _second_pod(o, POD),
    "a pod still runs": lambda o: o.pods[0].object["status"].update(phase="Running"),
    "the pod was built otherwise": lambda o: o.pods[0].object["metadata"].update(labels={}),
    "the log is another": lambda o: o.logs.clear(),
    "the artifact is another": lambda o: o.artifacts.clear(),
    "a claim is left": lambda o: setattr(o, "claims", 1),
    "a workflow that it makes ended otherwise": lambda o: o.others.update({"made-abcde": "Failed"}),
    "a workflow that it makes is not there": lambda o: o.others.clear(),
    "there are two of a workflow that it makes": lambda o: o.others.update({"made-fghij": "Succeeded"}),
    "there is a workflow that it does not make": lambda o: o.others.update({"strange": "Succeeded"}),
    "it did not end": lambda o: setattr(o, "problem", "not finished after 60 s"),
}


def test_an_outcome_that_is_as_it_must_be_has_no_problem() -> None:
    assert problems(_outcome(), EXPECT) == []


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_whatever_is_not_as_it_must_be_is_said(lie: Callable[[Outcome], object]) -> None:
    outcome = _outcome()
    lie(outcome)
    assert problems(outcome, EXPECT) != []


def test_a_node_that_succeeded_with_a_failed_container_is_found() -> None:
    outcome = _outcome()
    _hello(outcome).update(phase="Succeeded", message="")
    assert any("is Succeeded with exit code 3" in text for text in problems(outcome, {"phase": "Failed"}))


def test_pods_of_jobs_of_other_workflows_and_of_the_agent_have_no_node() -> None:
    outcome = _outcome()
    outcome.workflow["metadata"]["uid"] = "u"
    _second_pod(outcome, "mine")
    meta = outcome.pods[1].object["metadata"]
    for owner, labels, strays in (
        ({"kind": "Job", "uid": "u"}, {}, 0),
        ({"kind": "Workflow", "uid": "v"}, {}, 0),
        ({"kind": "Workflow", "uid": "u"}, {}, 1),
        ({"kind": "Workflow", "uid": "u"}, {"workflows.argoproj.io/component": "agent"}, 0),
    ):
        meta |= {"ownerReferences": [owner | {"controller": True}], "labels": labels}
        assert sum("mine belongs to no node" in text for text in problems(outcome, EXPECT)) == strays


@pytest.mark.parametrize(
    ("phase", "tried", "good"),
    [
        ("Succeeded", {0: "Failed", 1: "Succeeded"}, True),
        ("Failed", {0: "Failed", 1: "Failed"}, True),
        ("Succeeded", {0: "Failed", 1: "Failed"}, False),
        ("Failed", {0: "Failed", 1: "Succeeded"}, False),
        ("Succeeded", {0: "Succeeded", 1: "Succeeded"}, False),
        ("Succeeded", {1: "Succeeded"}, False),
        ("Failed", {}, False),
    ],
)
def test_a_retried_node_is_what_its_attempts_make_it(phase: str, tried: dict[int, str], good: bool) -> None:
    retry = {"type": "Retry", "name": "w.a", "displayName": "a", "phase": phase}
    tries = [{"type": "Pod", "name": f"w.a({n})", "displayName": f"a({n})", "phase": p} for n, p in tried.items()]
    assert (list(attempts([retry, *tries])) == []) == good


def test_pods_that_ran_in_the_same_second_are_counted() -> None:
    outcome = _outcome()
    _second_pod(outcome, "stray")
    assert any("2 pods ran at once" in text for text in problems(outcome, {"phase": "Failed", "at_once": 1}))


def test_a_twin_breaks_what_the_pointer_names_and_nothing_else() -> None:
    template = {"name": "a", "container": {"image": "i", "command": ["echo"], "args": ["x"], "env": []}}
    script = {"name": "b", "script": {"image": "i", "command": ["python"], "source": "print(1)"}}
    thing = {"metadata": {"name": "t"}, "spec": {"templates": [template, script]}}
    (first,) = broken([thing], "", "/spec/templates/0/container")
    assert first["spec"]["templates"] == [
        {**template, "container": {"image": "i", "command": ["sh", "-c"], "args": ["exit 3"], "env": []}},
        script,
    ]
    (second,) = broken([thing], "t", "/spec/templates/1/script")
    assert second["spec"]["templates"][1]["script"] == {"image": "i", "command": ["sh"], "source": "exit 3"}
    for name, pointer in (("", "/spec"), ("u", "/spec/templates/0/container"), ("", "/spec/templates/2/container")):
        with pytest.raises((KeyError, IndexError)):
            broken([thing], name, pointer)

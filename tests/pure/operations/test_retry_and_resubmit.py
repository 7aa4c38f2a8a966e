"""What a retry takes away and what it keeps, and what a resubmission carries over."""

from __future__ import annotations

import base64
import copy
import gzip
import json
from random import Random
from typing import Any

import pytest

from actors.names import ids, labels
from actors.operations.record import nodes_in
from actors.operations.refusal import Refusal
from actors.operations.resubmit import resubmit
from actors.operations.retry import retry
from actors.operations.selector import parse

NOW = 1_767_225_700.0
STAMP = "2026-01-01T00:01:40Z"
LEAVES = ("Pod", "Skipped", "Suspend")


def node(name: str, kind: str = "Pod", phase: str = "Succeeded", *children: str, **fields: Any) -> dict[str, Any]:
    begun = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z"}
    linked = {"children": [ids.node_id("w", child) for child in children]} if children else {}
    known = {"id": ids.node_id("w", name), "name": name, "displayName": name, "type": kind, "phase": phase}
    return {**known, "templateName": "t", **begun, **linked, **fields}


def workflow(*nodes: dict[str, Any], phase: str = "Failed", **spec: Any) -> dict[str, Any]:
    status = {"phase": phase, "finishedAt": "2026-01-01T00:00:09Z", "message": "no", "storedTemplates": {"x": {}}}
    meta = {"name": "w", "namespace": "n", "labels": {labels.COMPLETED: "true", "mine": "kept"}}
    return {"metadata": meta, "spec": spec, "status": {**status, "nodes": {entry["id"]: entry for entry in nodes}}}


def names(thing: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["phase"] for entry in nodes_in(thing).values()}


STEPS = (
    node("w", "Steps", "Failed", "w[0]", message="child failed", outputs={"parameters": []}),
    node("w[0]", "StepGroup", "Succeeded", "w[0].a"),
    node("w[0].a", "Pod", "Succeeded", "w[1]", outputs={"result": "1"}),
    node("w[1]", "StepGroup", "Failed", "w[1].b", "w[1].c"),
    node("w[1].b", "Pod", "Failed"),
    node("w[1].c", "Pod", "Succeeded"),
    node("w.onExit", "Pod", "Succeeded"),
)


@pytest.mark.spec("OP-4")
def test_a_retry_takes_away_what_failed_and_opens_what_is_around_it() -> None:
    begun, pods = retry(workflow(*STEPS, shutdown="Stop"), NOW)

    assert names(begun) == {
        "w": "Running", "w[0]": "Succeeded", "w[0].a": "Succeeded", "w[1]": "Running", "w[1].c": "Succeeded",
    }  # fmt: skip
    assert pods == sorted(ids.pod_name("w", name, "t") for name in ("w[1].b", "w.onExit"))
    root, group = (nodes_in(begun)[ids.node_id("w", name)] for name in ("w", "w[1]"))
    assert (root["startedAt"], "finishedAt" in root, "message" in root, "outputs" in root) == (
        STAMP,
        False,
        False,
        False,
    )
    assert group["children"] == [ids.node_id("w", "w[1].c")]
    assert begun["spec"] == {}
    assert begun["metadata"]["labels"] == {"mine": "kept"}
    status = begun["status"]
    assert {"phase", "finishedAt", "message"}.isdisjoint(status)
    assert (status["startedAt"], status["storedTemplates"]) == (STAMP, {"x": {}})


@pytest.mark.spec("OP-4")
def test_a_retry_changes_nothing_that_it_was_given() -> None:
    thing = workflow(*STEPS)
    before = copy.deepcopy(thing)
    retry(thing, NOW, parameters={"p": "1"})
    assert thing == before


@pytest.mark.spec("OP-4")
def test_all_attempts_of_a_retry_node_go_and_a_composite_one_begins_with_the_first() -> None:
    leaf = (node("w", "Retry", "Failed", "w(0)", "w(1)"), node("w(0)", "Pod", "Failed"), node("w(1)", "Pod", "Error"))
    begun, pods = retry(workflow(*leaf), NOW)
    assert (names(begun), len(pods)) == ({"w": "Running"}, 2)

    composite = (
        node("w", "Retry", "Failed", "w(0)", "w(1)"),
        node("w(0)", "DAG", "Failed", "w(0).A"),
        node("w(0).A", "Pod", "Succeeded", "w(0).B"),
        node("w(0).B", "Pod", "Failed"),
        node("w(1)", "DAG", "Failed", "w(1).A"),
        node("w(1).A", "Pod", "Failed"),
    )
    begun, _ = retry(workflow(*composite), NOW)
    assert names(begun) == {"w": "Running", "w(0)": "Running", "w(0).A": "Succeeded"}


@pytest.mark.spec("OP-4")
def test_a_failure_that_the_workflow_went_past_stays() -> None:
    passed = (
        node("w", "DAG", "Failed", "w.A"),
        node("w.A", "Pod", "Failed", "w.B"),
        node("w.B", "Pod", "Succeeded", "w.C"),
        node("w.C", "Pod", "Failed"),
    )
    assert names(retry(workflow(*passed), NOW)[0]) == {"w": "Running", "w.A": "Failed", "w.B": "Succeeded"}
    alone = (*passed[:3], node("w.D", "Skipped", "Omitted"))
    assert "w.A" not in names(retry(workflow(*alone), NOW)[0]), "nothing else explains the failure"


@pytest.mark.spec("OP-4")
def test_what_followed_goes_too_and_a_set_of_containers_goes_as_a_whole() -> None:
    nodes = (
        node("w", "DAG", "Failed", "w.A"),
        node("w.A", "Pod", "Failed", "w.A.main", "w.A.side"),
        node("w.A.main", "Container", "Failed", "w.B"),
        node("w.A.side", "Container", "Succeeded"),
        node("w.B", "Skipped", "Omitted"),
    )
    begun, pods = retry(workflow(*nodes), NOW)
    assert (names(begun), len(pods)) == ({"w": "Running"}, 1)
    begun, _ = retry(workflow(*nodes, phase="Succeeded"), NOW, restart_successful=True, selector=parse("name=w.A.side"))
    assert names(begun) == {"w": "Running"}


@pytest.mark.spec("OP-4")
def test_a_selector_begins_again_from_what_succeeded() -> None:
    done = [{**entry, "phase": "Succeeded"} for entry in STEPS]
    begun, pods = retry(workflow(*done, phase="Succeeded"), NOW, restart_successful=True, selector=parse("name=w[0].a"))
    assert names(begun) == {"w": "Running", "w[0]": "Running"}
    assert len(pods) == 4


@pytest.mark.spec("OP-4")
@pytest.mark.parametrize(
    ("phase", "options", "said"),
    [
        ("Running", {}, "Cannot retry a workflow in phase Running"),
        ("", {}, "Cannot retry a workflow in phase Pending"),
        ("Succeeded", {}, "To retry a succeeded workflow"),
        ("Succeeded", {"restart_successful": True}, "To retry a succeeded workflow"),
        ("Failed", {"restart_successful": True, "selector": parse("name=x")}, "no node matches"),
    ],
)
def test_what_cannot_be_retried_is_refused(phase: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        retry(workflow(*STEPS, phase=phase), NOW, **options)


@pytest.mark.spec("OP-4")
def test_compressed_nodes_stay_compressed_and_pods_have_the_names_of_their_format() -> None:
    thing = workflow(*STEPS)
    packed = gzip.compress(json.dumps(thing["status"].pop("nodes")).encode())
    thing["status"]["compressedNodes"] = base64.b64encode(packed).decode()
    thing["metadata"]["annotations"] = {labels.POD_NAME_FORMAT: "v1"}
    begun, pods = retry(thing, NOW)
    assert "nodes" not in begun["status"]
    assert "w[1].b" not in names(begun)
    assert pods == sorted(ids.node_id("w", name) for name in ("w[1].b", "w.onExit"))


@pytest.mark.spec("OP-4")
@pytest.mark.parametrize("seed", range(200))
def test_every_node_that_is_kept_had_ended_well_or_is_open(seed: int) -> None:
    thing = workflow(*_random_tree(Random(seed)))
    before, (begun, pods) = nodes_in(thing), retry(thing, NOW)
    after = nodes_in(begun)
    assert set(after) <= set(before)
    taken = {
        ids.pod_name("w", entry["name"], "t")
        for key, entry in before.items()
        if key not in after and entry["type"] == "Pod"
    }
    assert set(pods) == taken
    for key, entry in after.items():
        assert entry["phase"] in {"Running", "Succeeded", "Skipped", "Omitted"}, entry
        assert set(entry.get("children", ())) <= set(after)
        if entry["phase"] == "Running":
            assert entry["type"] not in LEAVES
        else:
            assert {**before[key], "children": None} == {**entry, "children": None}
            owners = [o for o in after.values() if entry["name"].startswith(o["name"]) and o["name"] != entry["name"]]
            assert all(owner["phase"] in {"Running", "Succeeded"} for owner in owners)


def _random_tree(dice: Random) -> list[dict[str, Any]]:
    """Steps in steps; a group that fails is the last; a failed leaf makes all around it fail."""
    found: list[dict[str, Any]] = []

    def steps(name: str, depth: int) -> str:
        phase, follows, groups = "Succeeded", [], []
        for number in range(dice.randint(1, 3)):
            group = f"{name}[{number}]"
            made = [(child, call(child, depth)) for child in (f"{group}.s{at}" for at in range(dice.randint(1, 3)))]
            bad = any(verdict == "Failed" for _, verdict in made)
            phase = "Failed" if bad else "Succeeded"
            groups.append(node(group, "StepGroup", phase, *(child for child, _ in made)))
            for entry in follows:
                entry.setdefault("children", []).append(ids.node_id("w", group))
            leaves = {child for child, _ in made}
            follows = [entry for entry in found if entry["name"] in leaves]
            if bad:
                break
        found.extend(groups)
        found.append(node(name, "Steps", phase, groups[0]["name"]))
        return phase

    def call(name: str, depth: int) -> str:
        if depth and dice.random() < 0.5:
            return steps(name, depth - 1)
        phase = dice.choice(["Succeeded", "Succeeded", "Succeeded", "Failed"])
        found.append(node(name, "Pod", phase))
        return phase

    verdict = steps("w", 2)
    if verdict == "Succeeded":
        return [node("w", "Pod", "Failed")]
    return found


@pytest.mark.spec("OP-5")
def test_a_resubmission_is_a_new_workflow_with_the_old_ones_spec() -> None:
    thing = workflow(*STEPS, entrypoint="main", shutdown="Stop", activeDeadlineSeconds=0)
    thing["metadata"]["annotations"] = {"note": "kept"}
    thing["metadata"]["labels"][labels.CREATOR] = "somebody"
    made = resubmit(thing, "abcde", NOW, parameters={"p": "1"}, priority=4)

    assert made["metadata"] == {
        "name": "w-abcde", "generateName": "w-", "namespace": "n", "annotations": {"note": "kept"},
        "labels": {"mine": "kept", labels.RESUBMITTED_FROM: "w"},
    }  # fmt: skip
    arguments = {"parameters": [{"name": "p", "value": "1"}]}
    assert made["spec"] == {"entrypoint": "main", "arguments": arguments, "priority": 4}
    assert "status" not in made
    assert resubmit(made, "fghij", NOW)["metadata"]["name"] == "w-fghij"  # and not w-abcde-fghij
    thing["metadata"]["generateName"] = "from-"
    assert resubmit(thing, "abcde", NOW)["metadata"]["name"] == "from-abcde"


@pytest.mark.spec("OP-5")
def test_a_memory_has_the_new_names_and_nothing_of_what_failed() -> None:
    made = resubmit(workflow(*STEPS), "x", NOW, memoized=True)
    found = nodes_in(made)
    assert {entry["name"]: (entry["type"], entry["phase"]) for entry in found.values()} == {
        "w-x": ("Steps", "Running"), "w-x[0]": ("StepGroup", "Succeeded"), "w-x[0].a": ("Skipped", "Skipped"),
        "w-x[1]": ("StepGroup", "Running"), "w-x[1].c": ("Skipped", "Skipped"),
    }  # fmt: skip
    assert all(key == entry["id"] == ids.node_id("w-x", entry["name"]) for key, entry in found.items())
    a = found[ids.node_id("w-x", "w-x[0].a")]
    assert (a["message"], a["outputs"]) == (f"original pod: {ids.node_id('w', 'w[0].a')}", {"result": "1"})
    assert a["children"] == [ids.node_id("w-x", "w-x[1]")]
    with pytest.raises(Refusal, match="workflow must be Failed/Error to resubmit in memoized mode"):
        resubmit(workflow(phase="Succeeded"), "x", NOW, memoized=True)

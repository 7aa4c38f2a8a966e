"""What the judge lets pass after a user's retry and after a deadline, and what it does not."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from actors.names import ids, labels
from actors.workflow.state import WORKFLOWS
from runtime.objects import PODS, Object, Reference
from tests.definitions import serve_our_kinds
from tests.virtual_time import VirtualClock
from tests.world.judge import Judge, drawn
from tests.world.oracle import Oracle
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

pytestmark = pytest.mark.virtual_time

NODE = "w.A"
NODE_ID = ids.node_id("w", NODE)
POD: Object = {
    "apiVersion": "v1", "kind": "Pod",
    "metadata": {
        "name": "w-a", "namespace": "default", "labels": {labels.WORKFLOW: "w"},
        "annotations": {labels.NODE_NAME: NODE, labels.NODE_ID: NODE_ID},
    },
    "spec": {"containers": [{"name": "main", "image": "busybox"}]},
}  # fmt: skip
POD_REF, FLOW_REF = Reference(PODS, "default", "w-a"), Reference(WORKFLOWS, "default", "w")


def flow_with(phase: str = "") -> Object:
    """A workflow whose record has the node in that phase, or does not have it."""
    node = {"id": NODE_ID, "name": NODE, "type": "Pod", "phase": phase}
    nodes = {NODE_ID: node} if phase else {}
    meta = {"name": "w", "namespace": "default"}
    kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}
    return {**kind, "metadata": meta, "spec": {}, "status": {"phase": "Running", "nodes": nodes}}


def judged(**spec: Any) -> tuple[InProcessApi, Judge]:
    """A server, and the judge of what happens there to a workflow of one leaf."""
    clock = VirtualClock()
    server = ApiServer(now=clock.wall, random=Random(0))
    server.start()
    serve_our_kinds(server)
    flow = {"entrypoint": "main", "templates": [{"name": "main", "container": {}}], **spec}
    judge = Judge(server, {"w": Oracle(flow, lambda node: "Succeeded")}, lambda name: False)
    judge.vague.add("w")
    server.storage.observers.append(judge.observe)
    return InProcessApi(server), judge


async def swept(*, tried_again: bool, on_record: str = "") -> list[str]:
    """What is wrong when a pod that has run is let go, and made again."""
    api, judge = judged()
    await api.create(WORKFLOWS, flow_with())
    await api.create(PODS, POD)
    await api.patch(POD_REF, {"status": {"phase": "Succeeded"}}, subresource="status")
    judge.ended.add("w")
    if tried_again:
        judge.forget("w")
    await api.patch(FLOW_REF, {"status": flow_with(on_record)["status"]})
    await api.patch(POD_REF, {"metadata": {"labels": {labels.COMPLETED: "true"}}})
    await api.delete(POD_REF, grace_s=0)
    await api.create(PODS, POD)
    return [text for text in judge.broken if "twice" in text]


async def test_a_pod_that_no_record_knew_may_be_let_go_after_a_retry_and_be_made_again() -> None:
    assert await swept(tried_again=True) == []


@pytest.mark.parametrize("tried_again", [False, True])
async def test_a_pod_whose_node_is_on_record_may_not(*, tried_again: bool) -> None:
    assert await swept(tried_again=tried_again, on_record="Running") == [f"the pod of {NODE} was made twice"]


async def test_nor_may_one_that_no_record_knew_before_a_retry() -> None:
    assert await swept(tried_again=False) == [f"the pod of {NODE} was made twice"]


@pytest.mark.parametrize(("spec", "wrong"), [({"activeDeadlineSeconds": 10}, 0), ({}, 1)], ids=["in time", "any time"])
async def test_a_pod_may_be_made_after_its_nodes_end_where_a_deadline_can_overtake_a_create(
    spec: Object, wrong: int
) -> None:
    api, judge = judged(**spec)
    await api.create(WORKFLOWS, flow_with("Failed"))
    await api.create(PODS, POD)

    assert judge.broken == [f"a pod was made for {NODE}, whose end is on record"] * wrong


FLOW = {
    "entrypoint": "main",
    "templates": [
        {"name": "main", "steps": [[{"name": "a", "template": "leaf"}], [{"name": "b", "template": "leaf"}]]},
        {"name": "leaf", "container": {}},
    ],
}
GRAPH = {
    "w": ("Steps", ["w[0]"], ["w[1].b"]),
    "w[0]": ("StepGroup", ["w[0].a"], []),
    "w[0].a": ("Pod", ["w[1]"], []),
    "w[1]": ("StepGroup", ["w[1].b"], []),
    "w[1].b": ("Pod", [], []),
}


def differences(**changed: tuple[str, list[str], list[str]]) -> list[str]:
    """In what a graph differs from that of FLOW."""
    oracle = Oracle(FLOW, lambda node: "Succeeded")
    oracle.end()
    return list(drawn(oracle, {name: _drawn(name, *node) for name, node in {**GRAPH, **changed}.items()}))


def _drawn(name: str, kind: str, children: list[str], ends: list[str]) -> Object:
    return {"name": name, "type": kind, "children": children, "outboundNodes": ends}


def test_a_graph_that_is_drawn_as_the_oracle_draws_it_is_right() -> None:
    assert differences() == []


@pytest.mark.parametrize(
    ("name", "node", "wrong"),
    [
        ("w[0].a", ("Pod", [], []), "w[0].a leads to [], not ['w[1]']"),
        ("w[0]", ("StepGroup", ["w[0].a", "w[1]"], []), "w[0] leads to ['w[0].a', 'w[1]'], not ['w[0].a']"),
        ("w", ("Steps", ["w[0]"], ["w[1]"]), "w ends in ['w[1]'], not ['w[1].b']"),
        ("w[1].b", ("Suspend", [], []), "w[1].b is a Suspend, not a Pod"),
    ],
)
def test_an_edge_an_end_or_a_type_that_is_another_is_said(
    name: str, node: tuple[str, list[str], list[str]], wrong: str
) -> None:
    assert differences(**{name: node}) == [wrong]


async def test_a_pod_of_another_name_than_the_formula_gives_is_said() -> None:
    api, judge = judged()
    judge.vague.clear()
    await api.create(WORKFLOWS, flow_with())
    meta = {**POD["metadata"], "annotations": {labels.NODE_NAME: "w", labels.NODE_ID: "w"}}
    judge.oracles["w"].end()
    await api.create(PODS, {**POD, "metadata": meta})

    assert judge.broken == ["the pod of w is called w-a, not w"]

"""Where a pod may run, and the scheduler's words when it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.objects import NODES, PODS, Reference
from tests.node.cluster import cluster, over, pod
from tiphys.devcluster.node.quantity import parse_quantity
from tiphys.devcluster.scheduler import NodeState, place, requests_of


def node(name: str = "n", cpu: str = "2", memory: str = "4Gi", labels: dict | None = None, **spec: object) -> NodeState:
    own = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})}
    allocatable = {"cpu": cpu, "memory": memory}
    return NodeState({"metadata": {"name": name, "labels": own}, "spec": spec, "status": {"allocatable": allocatable}})


def asks(cpu: str = "0", memory: str = "0", **spec: object) -> dict:
    return {"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}}], **spec}}


def required(*terms: dict) -> dict:
    return {
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    }


def expression(key: str, operator: str, *values: str) -> dict:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


MISMATCH = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."


def test_a_selector_that_no_node_has_is_told_in_the_schedulers_words() -> None:
    assert place(asks(nodeSelector={"disk": "ssd"}), [node()]) == ("", MISMATCH)
    assert place(asks(nodeSelector={"disk": "ssd"}), [node(labels={"disk": "ssd"})]) == ("n", "")
    assert place(asks(), []) == ("", "no nodes available to schedule pods")


@pytest.mark.parametrize(
    ("term", "fits"),
    [
        (expression("kubernetes.io/os", "In", "linux", "windows"), True),
        (expression("kubernetes.io/os", "NotIn", "linux"), False),
        (expression("gpu", "NotIn", "x"), True),
        (expression("gpu", "Exists"), False),
        (expression("gpu", "DoesNotExist"), True),
        (expression("gen", "Gt", "3"), True),
        (expression("gen", "Lt", "3"), False),
        ({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}, True),
        ({}, False),
    ],
)
def test_required_affinity_is_obeyed(term: dict, fits: bool) -> None:
    name, why = place(asks(**required(term)), [node(labels={"gen": "5"})])
    assert (name == "n") is fits
    assert why == ("" if fits else MISMATCH)


def test_one_of_several_terms_is_enough() -> None:
    terms = required(expression("gpu", "Exists"), expression("kubernetes.io/os", "Exists"))
    assert place(asks(**terms), [node()])[0] == "n"


def test_requests_are_weighed_against_what_is_left() -> None:
    full = node()
    full.add("u", requests_of(asks("1500m", "1Gi")))
    assert place(asks("500m"), [full])[0] == "n"
    assert place(asks("501m"), [full])[1] == "0/1 nodes are available: 1 Insufficient cpu."
    both = place(asks("1", "8Gi"), [full, node("m", cpu="500m")])
    assert both[1] == "0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory."
    assert full.remove("u")
    assert place(asks("2"), [full])[0] == "n"


def test_init_containers_count_by_the_largest_and_sidecars_always() -> None:
    def container(cpu: str, **more: object) -> dict:
        return {"name": "x", "resources": {"requests": {"cpu": cpu}}, **more}

    thing = asks("1", initContainers=[container("500m", restartPolicy="Always"), container("3")])
    assert requests_of(thing)["cpu"] == parse_quantity("3500m")
    assert requests_of(asks("1", initContainers=[container("100m")]))["cpu"] == 1


def test_taints_keep_away_who_does_not_tolerate_them() -> None:
    tainted = node(taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    assert place(asks(), [tainted])[1] == "0/1 nodes are available: 1 node(s) had untolerated taint {k: v}."
    assert place(asks(tolerations=[{"key": "k", "value": "v"}]), [tainted])[0] == "n"
    assert place(asks(tolerations=[{"operator": "Exists"}]), [tainted])[0] == "n"
    assert place(asks(), [node(unschedulable=True)])[1] == "0/1 nodes are available: 1 node(s) were unschedulable."


@given(st.lists(st.integers(1, 2000), max_size=30), st.integers(1, 3))
def test_no_node_is_ever_asked_for_more_than_it_has(wishes: list[int], count: int) -> None:
    nodes = {f"n{i}": node(f"n{i}", cpu="2") for i in range(count)}
    for number, millis in enumerate(wishes):
        thing = asks(f"{millis}m")
        name, why = place(thing, nodes.values())
        if name:
            nodes[name].add(str(number), requests_of(thing))
            assert nodes[name].free("cpu") >= 0
        else:
            assert why.startswith(f"0/{count} nodes are available: {count} Insufficient cpu")
            assert all(n.free("cpu") * 1000 < millis for n in nodes.values())


async def test_an_unschedulable_pod_waits_with_the_reason_and_runs_once_it_fits(tmp_path: Path) -> None:
    async with cluster(tmp_path / "node", "simulated") as made:
        await made.create(pod("a", spec={"nodeSelector": {"disk": "ssd"}}))
        told = await made.until("a", lambda p: p["status"].get("conditions"))
        condition = told["status"]["conditions"][0]
        assert (condition["status"], condition["reason"], condition["message"]) == ("False", "Unschedulable", MISMATCH)
        nodes = await made.api.list(NODES)
        name = nodes.items[0]["metadata"]["name"]
        await made.api.patch(Reference(NODES, "", name), {"metadata": {"labels": {"disk": "ssd"}}})
        ended = await made.until("a", over)
        scheduled = next(c for c in ended["status"]["conditions"] if c["type"] == "PodScheduled")
        assert scheduled["status"] == "True"
        assert (await made.api.get(Reference(PODS, "default", "a")))["spec"]["nodeName"] == name

"""The DAG's verdict and order of work, against a naive reading of the rules."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.node.dag_graph import BadGraph, Graph, build

PHASES = ("Succeeded", "Failed", "Error", "Skipped")


def dag(tasks: dict[str, list[str]], **fields: Any) -> dict[str, Any]:
    """A dag template of tasks and what they depend on."""
    return {"dag": {"tasks": [{"name": n, "dependencies": d} for n, d in tasks.items()], **fields}}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """A random acyclic graph: each task depends on earlier ones only."""
    names = [f"t{i}" for i in range(draw(st.integers(1, 8)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:i]), unique=True, max_size=3)) if i else []
        for i, name in enumerate(names)
    }


def walk(graph: Graph, outcomes: dict[str, str]) -> list[str]:
    """Run a graph to its end: a task runs if its condition holds, else it is omitted. Returns the order of settling."""
    order: list[str] = []
    settled: dict[str, str] = {}
    ready = graph.roots()
    while ready:
        task = ready.pop(0)
        holds = task.clause is None or task.clause.evaluate(lambda name, result: settled[name] == result)
        settled[task.name] = outcomes[task.name] if holds else "Omitted"
        order.append(task.name)
        ready += graph.settle(task.name, settled[task.name])
    outcomes.update(settled)
    return order


@given(tasks=graphs(), dice=st.randoms(use_true_random=False))
@pytest.mark.spec("DAG-2")
def test_every_wanted_task_settles_once_and_after_all_it_depends_on(tasks: dict[str, list[str]], dice: Any) -> None:
    outcomes = {name: dice.choice(PHASES) for name in tasks}
    order = walk(build(dag(tasks)), outcomes)

    assert sorted(order) == sorted(tasks)
    for name, needs in tasks.items():
        assert all(order.index(need) < order.index(name) for need in needs)


@given(tasks=graphs(), dice=st.randoms(use_true_random=False), fail_fast=st.booleans())
@pytest.mark.spec("DAG-13")
def test_the_verdict_is_that_of_walking_every_branch(tasks: dict[str, list[str]], dice: Any, fail_fast: bool) -> None:
    graph = build(dag(tasks))
    outcomes = {name: dice.choice(PHASES) for name in tasks}
    walk(graph, outcomes)

    def branches(name: str) -> set[str]:
        if outcomes[name] in {"Succeeded", "Failed", "Error"}:
            return {outcomes[name]}
        return {phase for need in tasks[name] for phase in branches(need)} or {"Succeeded"}

    leaves = sorted(name for name in tasks if not any(name in needs for needs in tasks.values()))
    failing = [("Failed" if "Failed" in b else "Error") for b in map(branches, leaves) if b & {"Failed", "Error"}]
    expected = "Succeeded" if not failing else failing[0 if fail_fast else -1]
    assert graph.verdict({}, fail_fast=fail_fast) == expected


@pytest.mark.spec("DAG-1")
def test_only_ancestors_of_the_targets_run() -> None:
    graph = build(dag({"A": [], "B": ["A"], "C": ["A"], "D": ["B"]}, target="C"))
    order = walk(graph, dict.fromkeys("ABCD", "Succeeded"))

    assert order == ["A", "C"]


@pytest.mark.spec("DAG-4")
def test_omission_cascades_behind_a_failure() -> None:
    outcomes = {"A": "Failed", "B": "Succeeded", "C": "Succeeded"}
    walk(build(dag({"A": [], "B": ["A"], "C": ["B"]})), outcomes)

    assert outcomes == {"A": "Failed", "B": "Omitted", "C": "Omitted"}


@pytest.mark.spec("DAG-12")
def test_a_failed_target_that_may_go_on_does_not_fail_the_dag() -> None:
    graph = build(dag({"A": []}))
    graph.settle("A", "Failed")

    assert graph.verdict({"A": ("Failed",)}, fail_fast=True) == "Succeeded"
    assert graph.verdict({"A": ("Error",)}, fail_fast=True) == "Failed"


@pytest.mark.spec("DAG-11")
def test_without_fail_fast_a_target_still_to_come_keeps_the_dag_open() -> None:
    graph = build(dag({"A": [], "B": []}))
    graph.settle("A", "Failed")

    assert graph.verdict({}, fail_fast=False) is None
    assert graph.verdict({}, fail_fast=True) == "Failed"


@pytest.mark.spec("DAG-17")
@pytest.mark.parametrize("template", [dag({"A": ["nobody"]}), dag({"A": []}, target="nobody")])
def test_a_name_that_is_no_task_is_named(template: dict[str, Any]) -> None:
    with pytest.raises(BadGraph, match="nobody"):
        build(template)

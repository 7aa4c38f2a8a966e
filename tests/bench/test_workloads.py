"""The workloads of benchmarks are workflows that upstream would take, and have the shape they are named after."""

from __future__ import annotations

from typing import Any

import pytest

from actors.workflow.validation import validate
from tiphys.bench import workloads

MADE = {
    "one pod": workloads.one_pod("w"),
    "chain": workloads.chain("w", 5),
    "pair": workloads.pair("w", 2.0),
    "fan-out": workloads.fan_out("w", 7),
    "limited fan-out": workloads.fan_out("w", 7, parallelism=3),
    "ladder": workloads.ladder("w", 10),
    "matrix": workloads.matrix("w", 3, 4),
    "random graph": workloads.random_graph("w", 200),
    "mutex": workloads.locked("w", limit=1),
    "semaphore": workloads.locked("w", limit=10),
}


@pytest.mark.parametrize("name", MADE)
def test_a_workload_is_fit_to_run(name: str) -> None:
    assert [problem for problem in validate(MADE[name], lookup=lambda _: None) if problem.severity == "error"] == []


def test_each_task_of_a_ladder_waits_for_the_whole_rung_before_it() -> None:
    tasks = _tasks(workloads.ladder("w", 6))
    first, second = ["l0", "r0"], ["l1", "r1"]
    assert [task.get("dependencies") for task in tasks] == [None, None, first, first, second, second]


def test_each_task_of_a_matrix_waits_for_the_whole_row_before_it() -> None:
    tasks = _tasks(workloads.matrix("w", 2, 3))
    assert [task.get("dependencies") for task in tasks] == [None] * 3 + [["t0-0", "t0-1", "t0-2"]] * 3


def test_a_random_graph_is_the_same_for_the_same_seed_and_has_no_cycle() -> None:
    tasks = _tasks(workloads.random_graph("w", 300, seed=7))
    assert tasks == _tasks(workloads.random_graph("w", 300, seed=7))
    for at, task in enumerate(tasks):
        assert all(int(one[1:]) < at for one in task.get("dependencies", ()))


def _tasks(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow["spec"]["templates"][0]["dag"]["tasks"]
    return found

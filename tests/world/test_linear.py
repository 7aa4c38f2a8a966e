"""Size is a rule: what an event costs does not grow with the workflow. Calls are counted, not seconds."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
import yaml

from actors.workflow.validation import validate
from tests.world.flows import run

pytestmark = pytest.mark.virtual_time

SMALL, LARGE = 10, 40
GROWTH_MAX = 1.25
"""How much more a node of a workflow four times as large may cost: what is sorted or packed has logarithms."""


def workflow(*templates: dict[str, Any]) -> dict[str, Any]:
    leaf = {
        "name": "leaf",
        "inputs": {"parameters": [{"name": "m", "default": "x"}]},
        "script": {"image": "busybox", "command": ["sh"], "source": "echo {{inputs.parameters.m}}"},
    }
    meta = {"name": "w", "namespace": "default"}
    spec = {"entrypoint": "main", "templates": [*templates, leaf]}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": meta, "spec": spec}


def sequence(count: int) -> dict[str, Any]:
    given = {"parameters": [{"name": "m", "value": "{{item}}"}]}
    step = {"name": "s", "template": "leaf", "withSequence": {"count": str(count)}, "arguments": given}
    return workflow({"name": "main", "steps": [[step]]})


def chain(count: int) -> dict[str, Any]:
    steps = [[called("s", number, "steps")] for number in range(count)]
    return workflow({"name": "main", "steps": steps})


def wide_dag(count: int) -> dict[str, Any]:
    return workflow({"name": "main", "dag": {"tasks": [{"name": f"t{n}", "template": "leaf"} for n in range(count)]}})


def deep_dag(count: int) -> dict[str, Any]:
    tasks = [called("t", number, "tasks") for number in range(count)]
    for number, task in enumerate(tasks[1:]):
        task["depends"] = f"t{number}"
    return workflow({"name": "main", "dag": {"tasks": tasks}})


def called(prefix: str, number: int, family: str) -> dict[str, Any]:
    """A call that says something of the one before it, by a tag and by an expression."""
    call: dict[str, Any] = {"name": f"{prefix}{number}", "template": "leaf"}
    if number:
        before = f"{prefix}{number - 1}"
        text = f"{{{{{family}.{before}.status}}}} {{{{={family}.{before}.status}}}}"
        call["arguments"] = {"parameters": [{"name": "m", "value": text}]}
        call["when"] = f"{{{{{family}.{before}.status}}}} == Succeeded"
    return call


class Calls:
    """Counts the calls of functions of the controllers."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        del argument
        if event == "call" and "/actors/" in frame.f_code.co_filename:
            self.count += 1

    def __enter__(self) -> Calls:
        self.before = sys.getprofile()
        sys.setprofile(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self.before)


@pytest.mark.parametrize("shape", [sequence, chain, deep_dag], ids=lambda shape: shape.__name__)
async def test_a_node_of_a_large_workflow_costs_what_one_of_a_small_one_does(shape: Any) -> None:
    costs = []
    for count in (SMALL, LARGE):
        with Calls() as calls:
            thing = await run(yaml.safe_dump(shape(count)), limit_s=36_000)
        assert thing["status"]["progress"] == f"{count}/{count}"
        costs.append(calls.count / count)

    assert costs[1] < GROWTH_MAX * costs[0], costs


@pytest.mark.parametrize("shape", [sequence, chain, wide_dag, deep_dag], ids=lambda shape: shape.__name__)
def test_so_does_judging_it(shape: Any) -> None:
    costs = []
    for count in (250, 1000):
        thing = shape(count)
        with Calls() as calls:
            assert validate(thing, lookup=lambda _: None) == []
        costs.append(calls.count / count)

    assert costs[1] < GROWTH_MAX * costs[0] + 0.1, costs

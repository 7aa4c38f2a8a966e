"""Smaller workflows: what may be left out of a spec and still leave one, and the search for the least that fails.

A part has a path, `w/c1/steps/0/s0x` or `w/spec/onExit`, so what is left of a failing run can be said on one line.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.world.oracle import Oracle
from tests.world.random_flows import LIBRARY, random_spec

FIELDS = ("when", "withItems", "withParam", "withSequence", "hooks", "continueOn", "depends", "dependencies")
TEMPLATE_FIELDS = ("retryStrategy", "parallelism", "synchronization")
SPEC_FIELDS = ("onExit", "hooks", "parallelism", "podGC", "synchronization")


@dataclass(frozen=True)
class Case:
    """What makes a run: the same case is the same run."""

    seed: int
    kinds: frozenset[str]
    dropped: tuple[str, ...] = ()  # parts of the workflows that are left out

    def flows(self) -> dict[str, dict[str, Any]]:
        """The specs of the run's workflows by name."""
        dice = Random(f"{self.seed}/flows")
        specs = {"w": random_spec(self.seed)}
        if dice.random() < 0.12:
            specs["v"] = random_spec(self.seed + 10**9, nodes=(6, 40))
            if dice.random() < 0.2:
                for spec in specs.values():
                    spec["synchronization"] = {"mutexes": [{"name": "whole"}]}
        return {name: without(spec, name, self.dropped) for name, spec in specs.items() if name not in self.dropped}

    def parts(self) -> list[str]:
        """What could still be left out."""
        flows = self.flows()
        return [*(["v"] if "v" in flows else []), *(part for name in flows for part in parts_of(flows[name], name))]

    def is_whole(self) -> bool:
        """Whether what is left is a workflow that the oracle understands."""
        try:
            for name, spec in self.flows().items():
                Oracle(spec, lambda node: "Succeeded", name=name, made=lambda name: '["1","b"]', library=LIBRARY).end()
        except (LookupError, StopIteration, ValueError, TypeError):
            return False
        return all(
            template.get("steps") != [] and (template.get("dag") or {}).get("tasks") != []
            for spec in self.flows().values()
            for template in spec["templates"]
        )


def without(spec: dict[str, Any], name: str, dropped: tuple[str, ...]) -> dict[str, Any]:
    """The spec of workflow `name` without the dropped parts."""
    mine = {path.partition("/")[2] for path in dropped if path.partition("/")[0] == name}
    if not mine:
        return spec
    spec = copy.deepcopy(spec)
    for field in SPEC_FIELDS:
        if f"spec/{field}" in mine:
            spec.pop(field, None)
    for template in spec["templates"]:
        for field in TEMPLATE_FIELDS:
            if f"{template['name']}/{field}" in mine:
                template.pop(field, None)
        if "steps" in template:
            groups = [[_call(call, template["name"], mine) for call in group] for group in template["steps"]]
            template["steps"] = [kept for group in groups if (kept := [call for call in group if call is not None])]
        elif "dag" in template:
            tasks = [_call(task, template["name"], mine) for task in template["dag"]["tasks"]]
            template["dag"]["tasks"] = [task for task in tasks if task is not None]
    return spec


def _call(call: dict[str, Any], template: str, mine: set[str]) -> dict[str, Any] | None:
    here = f"{template}/{call['name']}"
    if here in mine:
        return None
    for field in FIELDS:
        if f"{here}/{field}" in mine:
            call.pop(field, None)
    if f"{here}/plain" in mine:
        call["template"] = "leaf"
        call.pop("arguments", None)
    return call


def parts_of(spec: dict[str, Any], name: str) -> Iterator[str]:
    """All that could be left out, the largest first."""
    composites = [template for template in spec["templates"] if "steps" in template or "dag" in template]
    calls = [(template["name"], call) for template in composites[::-1] for call in _calls(template)]
    yield from (f"{name}/spec/{field}" for field in SPEC_FIELDS if field in spec)
    yield from (f"{name}/{template}/{call['name']}" for template, call in calls)
    for template, call in calls:
        if call.get("template", "leaf") != "leaf":
            yield f"{name}/{template}/{call['name']}/plain"
        yield from (f"{name}/{template}/{call['name']}/{field}" for field in FIELDS if field in call)
    for template in composites:
        yield from (f"{name}/{template['name']}/{field}" for field in TEMPLATE_FIELDS if field in template)


def _calls(template: dict[str, Any]) -> list[dict[str, Any]]:
    if "steps" in template:
        return [call for group in template["steps"] for call in group]
    return list(template["dag"]["tasks"])


def signature(text: str) -> str:
    """What went wrong without the names and numbers in it: the same for the same bug in a smaller workflow."""
    return re.sub(r"\b[wv]\b[\w\[\]().:-]*|[wv]-[\w-]+|'[^']*'|\d[\d.]*", "", text)[:60]


def shrink(case: Case, wrong: Sequence[str], run: Callable[[Case], Sequence[str]], *, tries: int = 250) -> Case:
    """The least that goes wrong in the same way: fewer faults first, then a smaller workflow.

    `run` gives what goes wrong in a case. Ends after so many tries, with the best that was found."""
    wanted = signature(wrong[0])
    left = [tries]

    def fails(smaller: Case) -> bool:
        left[0] -= 1
        return any(signature(text) == wanted for text in run(smaller))

    for kind in sorted(case.kinds):
        smaller = replace(case, kinds=case.kinds - {kind})
        if left[0] > 0 and fails(smaller):
            case = smaller
    found = True
    while found and left[0] > 0:
        found = False
        for part in case.parts():
            smaller = replace(case, dropped=(*case.dropped, part))
            if left[0] > 0 and smaller.is_whole() and fails(smaller):
                case, found = smaller, True
                break
    return case

"""The shape of a DAG and what its verdict follows from: pure, and constant work per edge.

A task runs when all that it depends on is settled and its condition holds. The verdict looks at the targets: each
carries the phases that reach it, where a task that ran sets its own and a skipped or omitted one passes on those of
the tasks before it. (DAG-1..8, DAG-11..13, §phase computation.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from actors.language.depends import Clause, expand_dependencies, parse_depends
from actors.messages import COMPLETED, FAILED, Phase

BEFORE = ""
"""What has reached the DAG itself: a success within it; what follows on the DAG inherits the DAG's own phase."""


class BadGraph(ValueError):
    """The tasks do not form a DAG; the text names the task and what is wrong."""


@dataclass
class Task:
    """One task and its place in the graph."""

    name: str
    declared: Mapping[str, Any]
    clause: Clause | None  # None: it waits for nothing
    needs: tuple[str, ...]
    needed_by: list[str] = field(default_factory=list)
    open_needs: int = 0  # needs that are not settled yet
    wanted: bool = False  # a target, or something that one depends on
    rank: int = 0  # of those wanted: when the walk from the targets through what they need comes to it
    settled: bool = False
    phases: frozenset[str] = frozenset()  # its own, or those that reach it when it did not run
    leaves: frozenset[str] = frozenset()  # what follows it inherits: of a nested template, the phases of its ends


@dataclass
class Graph:
    """All tasks of one dag template by name, targets in order."""

    tasks: dict[str, Task]
    targets: tuple[str, ...]

    def roots(self) -> list[Task]:
        """The wanted tasks that wait for nothing, in order of declaration."""
        return [task for task in self.tasks.values() if task.wanted and not task.needs]

    def settle(self, name: str, phase: str, leaves: frozenset[str] = frozenset()) -> list[Task]:
        """A task is settled in this phase: the wanted tasks that now wait for nothing more."""
        task = self.tasks[name]
        if task.settled:
            return []
        task.settled = True
        task.phases = self._phases(task, phase)
        task.leaves = (leaves if phase in COMPLETED else frozenset()) or task.phases
        ready = []
        for follower in task.needed_by:
            after = self.tasks[follower]
            after.open_needs -= 1
            if after.open_needs == 0 and after.wanted:
                ready.append(after)
        return ready

    def late(self, name: str, phase: str) -> None:
        """A settled daemon has ended by itself."""
        self.tasks[name].phases = self.tasks[name].leaves = frozenset({phase})

    def _phases(self, task: Task, phase: str) -> frozenset[str]:
        if phase in COMPLETED:
            return frozenset({phase})
        passed = frozenset(phase for need in task.needs for phase in self.tasks[need].leaves)
        return passed or frozenset({BEFORE})

    def verdict(self, excused: Mapping[str, Iterable[str]], *, fail_fast: bool) -> Phase | None:
        """The DAG's phase when nothing runs any more; None when targets are still to come.

        `excused[target]` are the phases that the target's `continueOn` forgives."""
        result: Phase | None = "Succeeded"
        for name in self.targets:
            target = self.tasks[name]
            if not target.settled:
                if not fail_fast:
                    return None
                result = None if result == "Succeeded" else result
                continue
            phase = _decisive(target.phases)
            if phase in FAILED and phase not in excused.get(name, ()):
                if fail_fast:
                    return "Failed" if phase == "Failed" else "Error"
                result = "Failed" if phase == "Failed" else "Error"
        return result


def _decisive(phases: frozenset[str]) -> str:
    """Failures are not outweighed by successes that reach the same target."""
    return next((phase for phase in ("Failed", "Error") if phase in phases), "Succeeded")


def build(template: Mapping[str, Any]) -> Graph:
    """Read `dag` of a template whose tags are filled in. Raises BadGraph, or ValueError for a bad condition."""
    dag = template.get("dag") or {}
    tasks: dict[str, Task] = {}
    declared = {task.get("name", ""): task for task in dag.get("tasks") or ()}
    proceed = {name: task.get("continueOn") for name, task in declared.items()}
    for name, task in declared.items():
        text = expand_dependencies(task, proceed)
        clause = parse_depends(text) if text else None
        tasks[name] = Task(name, task, clause, tuple(sorted(clause.tasks())) if clause else ())
    for task in tasks.values():
        for need in task.needs:
            if need not in tasks:
                raise BadGraph(f"task '{task.name}' depends on '{need}', which is not a task of this dag")
            tasks[need].needed_by.append(task.name)
        task.open_needs = len(task.needs)
    targets = _targets(dag.get("target"), tasks)
    _want(tasks, targets)
    return Graph(tasks, targets)


def _targets(text: str | None, tasks: Mapping[str, Task]) -> tuple[str, ...]:
    if text:
        named = tuple(name for name in text.split(" ") if name)
        for name in named:
            if name not in tasks:
                raise BadGraph(f"target '{name}' is not a task of this dag")
        return named
    return tuple(sorted(name for name, task in tasks.items() if not task.needed_by))


def _want(tasks: Mapping[str, Task], targets: Sequence[str]) -> None:
    """Walk through the targets and all that they need, which comes before them."""
    ranks = count()
    path = [(name, False) for name in reversed(targets)]
    while path:
        name, done = path.pop()
        task = tasks[name]
        if done:
            task.rank = next(ranks)
        elif not task.wanted:
            task.wanted = True
            path += [(name, True), *((need, False) for need in reversed(task.needs))]

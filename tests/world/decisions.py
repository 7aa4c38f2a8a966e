"""Which branches of the modules that decide were taken: those that are pure functions of what is, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import coverage

import runtime

ROOT = Path(str(runtime.__file__)).resolve().parents[1]
DECIDING = (
    "actors/gate.py",
    "actors/lock/decide.py",
    "actors/node/dag_graph.py",
    "actors/node/group.py",
    "actors/node/retry.py",
    "actors/node/retry_policy.py",
    "actors/node/steps.py",
    "actors/workflow/journal.py",
    "actors/workflow/pods.py",
    "actors/workflow/writing.py",
)
"""What starts when, what holds whom back, what is tried again, what is written, what the verdict is."""
ELSEWHERE = {
    # Asked of a dag only when nothing of it runs, and about what has just run; what names no task never begins.
    "actors/node/dag_graph.py": (
        "if task.settled:", "if not target.settled:", "if not fail_fast:", "if need not in tasks:",
        "if name not in tasks:",
    ),
    "actors/node/group.py": ("case EndDaemon():",),  # daemons are told themselves, never the group around them
    "actors/node/retry.py": ("if not status.phase:",),  # an attempt has its permit already: none is denied
    "actors/node/retry_policy.py": ('if str(error).startswith("unknown name "):',),  # expressions name what there is
    "actors/lock/decide.py": ("if entry is None or self.paused or not self.ready(entry[1]):",),  # locks of a database
    "actors/workflow/pods.py": ("if ids.node_id(state.address.name, name) != node_id:",),  # agents' and collectors'
    "actors/workflow/writing.py": (
        "if state.metric_errors:", "if (finalizers := collecting.finalizers(state)) is not None:",
    ),
}  # fmt: skip
"""Conditions that guard what no run does, or that are one thing only in these worlds, which have no agents, no
artifacts, no locks of a database and no metrics that fail: tests/pure and the tests of those decide them both ways."""


@dataclass
class Reached:
    """Branches by module: those that there are, and those that were taken (as pairs of lines)."""

    possible: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    taken: dict[str, set[tuple[int, int]]] = field(default_factory=dict)

    def merge(self, other: Reached) -> None:
        """Add what another process has reached."""
        for name, arcs in other.possible.items():
            self.possible.setdefault(name, set()).update(arcs)
        for name, arcs in other.taken.items():
            self.taken.setdefault(name, set()).update(arcs)

    def share(self) -> float:
        """The part of all branches that was taken."""
        possible = sum(len(arcs) for arcs in self.possible.values())
        return sum(len(arcs) for arcs in self.taken.values()) / possible if possible else 0.0

    def table(self) -> Iterator[str]:
        """Per module, with the lines whose branches were not taken."""
        yield f"branches taken of the modules that decide: {self.share():.1%}"
        for name in sorted(self.possible):
            missing = sorted(self.possible[name] - self.taken.get(name, set()))
            shown = ", ".join(f"{a}->{b}" if b > 0 else f"{a}->out" for a, b in missing[:8])
            part = 1 - len(missing) / max(1, len(self.possible[name]))
            yield f"    {name:32} {part:>6.1%}  {shown}"


@contextmanager
def measured() -> Iterator[Reached]:
    """Count the branches taken inside."""
    files = [str(ROOT / name) for name in DECIDING]
    counter = coverage.Coverage(data_file=None, branch=True, include=files, config_file=False)
    reached = Reached()
    counter.start()
    try:
        yield reached
    finally:
        counter.stop()
        for name, path in zip(DECIDING, files, strict=True):
            analysis, spared = counter._analyze(path), elsewhere(name)
            missed = {(a, b) for a, ends in analysis.missing_branch_arcs().items() for b in ends if a not in spared}
            taken = {(a, b) for a, ends in analysis.executed_branch_arcs().items() for b in ends if a not in spared}
            reached.possible[name], reached.taken[name] = missed | taken, taken


def elsewhere(name: str) -> set[int]:
    """The lines of a module whose branches are not counted. Raises ValueError for one that is not there once."""
    lines, found = (ROOT / name).read_text().splitlines(), set()
    for text in ELSEWHERE.get(name, ()):
        there = [number for number, line in enumerate(lines, 1) if line.strip().partition("  #")[0] == text]
        if len(there) != 1:
            raise ValueError(f"{name} has {text!r} {len(there)} times, not once: ELSEWHERE is no longer true")
        found.add(there[0])
    return found

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
            analysis = counter._analyze(path)
            possible = {(a, b) for a, ends in analysis.missing_branch_arcs().items() for b in ends}
            taken = {(a, b) for a, ends in analysis.executed_branch_arcs().items() for b in ends}
            reached.possible[name], reached.taken[name] = possible | taken, taken

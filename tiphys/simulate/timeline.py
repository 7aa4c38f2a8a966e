"""What a person wants to see of an update: one row whenever something changed, and what was said meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from runtime.objects import Object
from tiphys.cli.rollouts import facts
from tiphys.cli.rollouts.objects import Around, Revision, hash_of, number, part, revisions
from tiphys.cli.tree import duration

TOLD: Final = frozenset(
    {
        "RolloutStepCompleted", "RolloutPaused", "RolloutResumed", "RolloutAborted", "RolloutCompleted",
        "SwitchService", "SkipSteps", "TrafficRoutingError", "ReconciliationError", "InvalidSpec",
    }
)  # fmt: skip
"""Reasons of Events that a person wants to hear of; those of analyses and experiments as well."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The state at a time, in seconds since the update."""

    at_s: float
    phase: str
    message: str
    step: str
    weight: int | None  # the share of traffic (or of pods) that the new version has
    stable: tuple[int, int]  # ready, all
    new: tuple[int, int]
    said: tuple[str, ...] = ()

    def same(self, other: Moment) -> bool:
        """Whether nothing that is shown differs but the time."""
        return self._shown() == other._shown()

    def _shown(self) -> tuple[object, ...]:
        return (self.phase, self.message, self.step, self.weight, self.stable, self.new)


def moment(rollout: Object, around: Around, at_s: float) -> Moment:
    """The state of a Rollout and what belongs to it."""
    found = revisions(rollout, around)
    phase = facts.phase(rollout)
    status = rollout.get("status") or {}
    stable, new = _pods(found, status.get("stableRS")), _pods(found, status.get("currentPodHash"))
    if status.get("stableRS") == status.get("currentPodHash"):
        stable, new = new, (0, 0)
    return Moment(at_s, phase.name, phase.message, facts.step(rollout), _weight(rollout, new), stable, new)


def is_told(event: Object) -> bool:
    """Whether an Event belongs into a timeline."""
    reason = str(event.get("reason"))
    return reason in TOLD or reason.startswith(("AnalysisRun", "Experiment"))


def _pods(found: Sequence[Revision], value: object) -> tuple[int, int]:
    sets = [one.object for revision in found for one in revision.sets]
    mine = [one for one in sets if value and hash_of(one) == value]
    return (
        sum(number(one, "status", "readyReplicas") for one in mine),
        sum(number(one, "status", "replicas") for one in mine),
    )


def _weight(rollout: Object, new: tuple[int, int]) -> int | None:
    if facts.strategy(rollout) != "Canary":
        return None
    status = rollout.get("status") or {}
    if status.get("stableRS") == status.get("currentPodHash"):
        return facts.highest(rollout)
    routed = part(status, "canary", "weights", "canary")
    if "weight" in routed:
        return int(routed["weight"])
    available = number(status, "availableReplicas")
    return new[0] * 100 // available if available else 0


class Timeline:
    """Moments in order; of several within a second the last one stands, with all that was said."""

    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._said: list[str] = []

    def say(self, sentence: str) -> None:
        """Something was said; it is shown with the next moment."""
        if not self._said or self._said[-1] != sentence:
            self._said.append(sentence)

    def add(self, now: Moment) -> bool:
        """A state; whether it differs from the last one, or something was said."""
        last = self.moments[-1] if self.moments else None
        if last is not None and last.same(now) and not self._said:
            return False
        said = tuple(self._said)
        self._said = []
        if last is not None and int(last.at_s) == int(now.at_s):
            said = tuple(dict.fromkeys(last.said + said))
            self.moments[-1] = _replaced(now, said)
        else:
            self.moments.append(_replaced(now, said))
        return True


def _replaced(now: Moment, said: tuple[str, ...]) -> Moment:
    return Moment(now.at_s, now.phase, now.message, now.step, now.weight, now.stable, now.new, said)


def rows(moments: Iterable[Moment]) -> list[list[str]]:
    """The table: a head, a row a moment, and a line of its own for each further sentence."""
    table = [["TIME", "PHASE", "STEP", "WEIGHT", "STABLE", "NEW", ""]]
    for one in moments:
        notes = list(one.said) or [one.message]
        table.append(
            [
                duration(one.at_s), one.phase, one.step, "" if one.weight is None else f"{one.weight} %",
                _of(one.stable), _of(one.new), notes[0],
            ]
        )  # fmt: skip
        table += [["", "", "", "", "", "", note] for note in notes[1:]]
    return table


def _of(pods: tuple[int, int]) -> str:
    ready, total = pods
    return "-" if not total else f"{ready}/{total}"

"""What one decision does to pauses and to the abort flag, gathered, and written into the status at its end.

The protocol is upstream's: the controller pauses by adding a condition and setting `controllerPause`; a user resumes
by emptying the list of conditions; `controllerPause` with an empty list is the signal that somebody did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from actors.names.timestamps import rfc3339, seconds
from actors.rollout.model import Ro, pause_s
from runtime.objects import Object

CANARY_STEP: Final = "CanaryPauseStep"
BLUE_GREEN: Final = "BlueGreenPause"
INCONCLUSIVE_ANALYSIS: Final = "InconclusiveAnalysisRun"
INCONCLUSIVE_EXPERIMENT: Final = "InconclusiveExperiment"


@dataclass(slots=True)
class Pauses:
    """Of one decision."""

    ro: Ro
    now: float
    added: list[str] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)
    cleared: bool = False
    aborts: bool = False
    forgets_abort: bool = False
    abort_message: str = ""

    @property
    def is_aborted(self) -> bool:
        """Whether the update is aborted, from before or by this decision."""
        return not self.forgets_abort and (self.aborts or self.ro.is_aborted)

    def abort(self, message: str) -> None:
        """Give the update up."""
        self.aborts, self.abort_message = True, message

    def begin_anew(self) -> None:
        """No pause and no abort any more."""
        self.cleared = self.forgets_abort = True

    def write(self, status: Object) -> None:
        """Put the result into the new status."""
        if self.aborts or (not self.forgets_abort and self.ro.is_aborted):
            status["abort"] = True
            status["abortedAt"] = self.ro.status.get("abortedAt") or rfc3339(self.now)
            return
        status["abort"], status["abortedAt"] = False, None
        if self.cleared:
            return
        kept = [each for each in self.ro.pause_conditions if each["reason"] not in self.removed]
        there = {each["reason"] for each in self.ro.pause_conditions}
        new = [reason for reason in dict.fromkeys(self.added) if reason not in there]
        kept += [{"reason": reason, "startTime": rfc3339(self.now)} for reason in new]
        if kept:
            status["controllerPause"] = self.ro.controller_pause or bool(new)
            status["pauseConditions"] = kept

    # ------------------------------------------------------------------------------------- when is one over

    def step_is_over(self, pause: Object) -> bool:
        """Whether the pause step has been served: by a user, or by time."""
        condition = self.ro.paused_for(CANARY_STEP)
        if self.ro.controller_pause and condition is None:
            return True
        length = pause_s(pause)
        return length is not None and condition is not None and self.now > seconds(condition["startTime"]) + length

    def blue_green_is_over(self) -> bool:
        """Whether the pause before the switch has been served."""
        strategy = self.ro.blue_green or {}
        condition = self.ro.paused_for(BLUE_GREEN)
        if self.added:
            return False
        if self.ro.blue_green_status.get("scaleUpPreviewCheckPoint"):
            return True
        resumed = self.ro.controller_pause and condition is None
        if strategy.get("autoPromotionEnabled") is False:
            return resumed
        length = int(strategy.get("autoPromotionSeconds") or 0)
        if length == 0:
            return True
        if condition is not None:
            return self.now > seconds(condition["startTime"]) + length
        return resumed

    def halt(self) -> str:
        """Why nothing may move now; empty when it may."""
        if self.ro.is_paused:
            return "user paused"
        if self.ro.paused_for(INCONCLUSIVE_ANALYSIS) is not None:
            return "inconclusive analysis"
        return ""


def needs_person(ro: Ro, reason: str) -> bool:
    """Whether a pause of that reason ends only when somebody acts."""
    if reason in (INCONCLUSIVE_ANALYSIS, INCONCLUSIVE_EXPERIMENT):
        return True
    if reason == CANARY_STEP:
        pause = (ro.step or {}).get("pause")
        return pause is not None and pause.get("duration") is None
    return reason == BLUE_GREEN and (ro.blue_green or {}).get("autoPromotionEnabled") is False

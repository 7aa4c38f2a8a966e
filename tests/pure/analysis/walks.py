"""A run played by hand: measurements with given ends, at the times that the rules themselves name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from actors.analysis.decide import Status, assessed, is_completed, is_terminating, trimmed, with_measurement
from actors.analysis.plan import RunPlan, run_plan
from actors.analysis.timing import next_look, tasks
from actors.names.timestamps import rfc3339

PHASES = {"S": "Successful", "F": "Failed", "I": "Inconclusive", "E": "Error"}
START = 1_767_225_600.0


def metric(name: str = "m", **fields: Any) -> dict[str, Any]:
    return {"name": name, "provider": {"web": {"url": "http://x"}}, **fields}


def run_of(*metrics: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r", "namespace": "n"}, "spec": {"metrics": list(metrics), **spec}}


class Walk:
    """One run: what its status is, and how much time has passed."""

    def __init__(self, run: dict[str, Any], now: float = START) -> None:
        self.spec: dict[str, Any] = run["spec"]
        self.plan: RunPlan = run_plan(run)
        self.now = now
        self.status: Status = {}
        self.taken = 0
        self._look()

    def _look(self) -> None:
        terminating = is_terminating(self.spec, self.status)
        self.status = assessed(self.plan, self.spec, self.status, self.now, terminating=terminating)

    def due(self) -> list[str]:
        """The metrics that are measured now; nothing once the run has its verdict."""
        if is_completed(self.status):
            return []
        return [task.metric.name for task in tasks(self.plan, self.spec, self.status, self.now, frozenset())]

    def wait(self) -> None:
        """Let the time pass until something is due."""
        at = next_look(self.plan, self.spec, self.status, frozenset())
        assert at is not None, "nothing will be due"
        self.now = max(self.now, at)

    def measure(self, ends: dict[str, str]) -> None:
        """Take one measurement of each metric named, all in one go, then judge."""
        terminating = is_terminating(self.spec, self.status)
        for name, end in ends.items():
            at = rfc3339(self.now)
            measurement = {"phase": PHASES[end], "startedAt": at, "finishedAt": at}
            if end == "E":
                measurement["message"] = "it broke"
            self.status = with_measurement(self.status, self.plan.by_name[name], measurement)
            self.taken += 1
        self.status = assessed(self.plan, self.spec, self.status, self.now, terminating=terminating)
        self.status, _ = trimmed(self.status, self.plan)

    def play(self, ends: Iterable[str], name: str = "m") -> str:
        """Measure with these ends, one after the other when each is due; the run's phase."""
        for end in ends:
            if name not in self.due():
                if is_completed(self.status):
                    break
                self.wait()
            if name in self.due():
                self.measure({name: end})
        return str(self.status["phase"])

    def terminate(self) -> str:
        """Tell it to end; the run's phase."""
        self.spec = {**self.spec, "terminate": True}
        self._look()
        return str(self.status["phase"])

    def result(self, name: str = "m") -> dict[str, Any]:
        return next(each for each in self.status["metricResults"] if each["name"] == name)

"""The census room: one actor is shown every workflow and every pod of one, and keeps count. (§ metrics.)

What it has counted it can count again, so after a crash the gauges are right at once; a phase that was entered
meanwhile is not counted as entered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from actors import upstream_metrics
from runtime.messages import (
    Address,
    Command,
    Done,
    Down,
    Failed,
    Gone,
    Message,
    Observed,
    Started,
    Told,
    Woke,
)
from runtime.objects import PODS, Object, Reference

WORKFLOW_PHASES: Final = ("Pending", "Running", "Succeeded", "Failed", "Error")
POD_PHASES: Final = ("Pending", "Running", "Succeeded", "Failed")
PREPARED: Final = "PodInitializing"  # what every pod with init containers says for a while: it keeps nobody
UNPLACED: Final = "Unschedulable"  # the one condition of a pod that waits which is counted

CENSUS = Address("census", "", "all", "")


@dataclass
class CensusState:
    """Everybody's phase."""

    phases: dict[Reference, str] = field(default_factory=dict)
    workflows: Counter[str] = field(default_factory=Counter)
    pods: Counter[str] = field(default_factory=Counter)
    waits: dict[Reference, str] = field(default_factory=dict)  # pods that wait, and why


class CensusMind:
    """How the actor that counts behaves."""

    def birth(self, address: Address, argument: Any) -> CensusState:
        """Nobody is known yet."""
        del address, argument
        return CensusState()

    def waiting(self, state: CensusState) -> str:
        """Whom it has counted."""
        return f"for one of {len(state.phases)} workflows and pods to change"

    def receive(self, state: CensusState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message."""
        del now
        match message:
            case Observed(ref, thing):
                status = thing.get("status") or {}
                told = self._now_is(state, ref, str(status.get("phase") or ""))
                return [*told, *(_waiting_pod(state, ref, thing) if ref.resource == PODS else [])]
            case Gone(ref, _):
                state.waits.pop(ref, None)
                return self._now_is(state, ref, "")
            case Started():
                return [*_none(upstream_metrics.workflows, WORKFLOW_PHASES), *_none(upstream_metrics.pods, POD_PHASES)]
            case Told() | Woke() | Done() | Failed() | Down():
                return []

    def _now_is(self, state: CensusState, ref: Reference, phase: str) -> list[Command]:
        before = state.phases.get(ref, "")
        if before == phase:
            return []
        of_pods = ref.resource == PODS
        counts, gauge = (
            (state.pods, upstream_metrics.pods) if of_pods else (state.workflows, upstream_metrics.workflows)
        )
        commands: list[Command] = []
        if before:
            counts[before] -= 1
            commands.append(gauge(before, counts[before]))
        if phase:
            state.phases[ref] = phase
            counts[phase] += 1
            commands.append(gauge(phase, counts[phase]))
            if of_pods:
                commands.append(upstream_metrics.pod_entered(phase, ref.namespace))
        else:
            del state.phases[ref]
        return commands


def _none(gauge: Callable[[str, int], Command], phases: Iterable[str]) -> list[Command]:
    """Nobody is known to be in any of these: a gauge that is not there yet is no zero to who watches it."""
    return [gauge(phase, 0) for phase in phases]


def _waiting_pod(state: CensusState, ref: Reference, pod: Object) -> list[Command]:
    """A pod that waits is counted once for each reason: of its container, or why no node takes it."""
    status = pod.get("status") or {}
    if status.get("phase") != "Pending":
        state.waits.pop(ref, None)
        return []
    containers = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    reasons = [((entry.get("state") or {}).get("waiting") or {}).get("reason") for entry in containers]
    reasons += [entry["reason"] for entry in status.get("conditions") or () if entry.get("reason") == UNPLACED]
    reason = next((str(reason) for reason in reasons if reason), "")
    if reason in {"", PREPARED} or state.waits.get(ref) == reason:
        return []
    state.waits[ref] = reason
    return [upstream_metrics.pod_waits(reason, ref.namespace)]

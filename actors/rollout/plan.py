"""What a decision about a Rollout answers: changes, the status after them, and what is still missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from actors.kube_events import Said
from actors.rollout.balancer_query import BalancerAnswer, BalancerQuery
from runtime.messages import Command
from runtime.objects import Object, Reference

STEP_PLUGIN: Final = "step-plugin"
"""The service that calls step plugins."""


class PluginCall(NamedTuple):
    """One call of a step plugin: which step, which of Run, Terminate and Abort, and how often it was run before."""

    step: int
    name: str
    operation: str
    executions: int


@dataclass(frozen=True, slots=True)
class PluginQuery:
    """What a step plugin is called with."""

    call: PluginCall
    rollout: Object
    config: Any = None
    status: Any = None  # what it answered last

    @property
    def service(self) -> str:
        """Who is asked."""
        return STEP_PLUGIN

    def failed(self, why: str) -> PluginAnswer:
        """The answer when nobody could be asked."""
        return PluginAnswer(error=why)


@dataclass(frozen=True, slots=True)
class PluginAnswer:
    """What a step plugin says. `error`: it could not be asked, or broke."""

    phase: str = ""
    message: str = ""
    requeue_after_s: float = 0.0
    status: Any = None
    error: str = ""


Query: TypeAlias = PluginQuery | BalancerQuery
"""A question that only the world outside can answer; its answer is found by `call`."""

Call: TypeAlias = PluginCall | BalancerQuery
Reply: TypeAlias = PluginAnswer | BalancerAnswer


class Refusal(NamedTuple):
    """A ReplicaSet that the API server would not have, and why; it says nothing about one of another name."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer.

    Changes are done in order, all of them, before the status is written and the Events are told; if one fails, the
    rest of the plan is forgotten and everything is decided anew."""

    changes: tuple[Command, ...] = ()
    status: Object | None = None  # the whole new status; None: it is left as it is
    said: tuple[Said, ...] = ()
    wake_at: float | None = None  # seconds since the epoch
    needs: tuple[Reference, ...] = ()  # objects to be known first; nothing else is in the plan then
    needs_pods: bool = False  # likewise
    query: Query | None = None  # likewise
    stalled: str = ""  # why the decision could not be completed
    waiting: str = ""
    durations: tuple[Object, ...] = field(default=())  # of updates that have ended, for the metrics

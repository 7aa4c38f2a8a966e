"""The queue room: one actor gives every workflow its turn.

It remembers nothing that the cluster does not say: which workflows run stands in their statuses, who waits has asked.
A workflow that is finished or gone has left. After a crash of this actor everybody is asked again before anybody is let
in. A namespace's label may say how many run in it at once. (PAR-1, PAR-2, PRI-1.)

Next: `decide.Turns` says who; `actors/workflow/turn.py` is the asking side.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from actors.names import labels
from actors.queue.decide import Turns
from actors.turn_messages import AskTurn, HasTurn, LimitsChanged, SayTurn, TurnAwaited, TurnGiven
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
    Tell,
    Told,
    WakeAt,
    Woke,
)
from runtime.objects import NAMESPACES, Object, Reference

SETTLED = "settled"
STRANGERS_MAX = 1000
SETTLE_S = 2.0  # after a crash of this actor: by then every workflow has said what it has or wants


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How many workflows run at once; 0: any number."""

    parallelism: int = 0
    namespace_parallelism: int = 0


@dataclass
class QueueState:
    """Who runs, who waits, and who there is."""

    turns: Turns = field(default_factory=Turns)
    known: set[Address] = field(default_factory=set)  # unfinished workflows
    strangers: dict[Address, None] = field(default_factory=dict)  # asked before the cache knew that they are unfinished
    reborn: bool = False


class QueueMind:
    """How the actor that gives turns behaves."""

    def __init__(self, settings: QueueSettings | None = None) -> None:
        self.settings = settings or QueueSettings()

    def birth(self, address: Address, argument: Any) -> QueueState:
        """Nobody runs, as far as is known yet."""
        del address, argument
        return QueueState()

    def waiting(self, state: QueueState) -> str:
        """How many run and wait."""
        return f"for one of {len(state.turns.running)} workflows to end; {len(state.turns.waiting)} wait for their turn"

    def receive(self, state: QueueState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message."""
        turns = state.turns
        turns.limit, turns.namespace_limit = self.settings.parallelism, self.settings.namespace_parallelism
        match message:
            case Started(attempt):
                state.reborn = turns.paused = attempt > 0
                return [WakeAt(now + SETTLE_S, SETTLED)] if state.reborn else []
            case Observed(ref, thing) if ref.resource == NAMESPACES:
                _heed_label(turns, ref.name, thing)
                return _given(turns.admit())
            case Gone(ref, _) if ref.resource == NAMESPACES:
                turns.own_limits.pop(ref.name, None)
                return _given(turns.admit())
            case Observed(ref, thing):
                return self._met(state, _workflow(ref), thing)
            case Gone(ref, _):
                state.known.discard(_workflow(ref))
                state.strangers.pop(_workflow(ref), None)
                return _given(turns.leave(_workflow(ref)))
            case Told(sender, word):
                return self._told(state, sender, word)
            case Woke():
                turns.paused = False
                return _given(turns.admit())
            case Done() | Failed() | Down():
                return []

    def _met(self, state: QueueState, workflow: Address, thing: Object) -> list[Command]:
        """An unfinished workflow: it runs when its record says so."""
        fresh = workflow not in state.known
        state.known.add(workflow)
        early = workflow in state.strangers
        state.strangers.pop(workflow, None)
        if (thing.get("status") or {}).get("phase") == "Running":
            state.turns.runs(workflow, workflow.namespace)
        elif fresh and (state.reborn or early):
            return [Tell(workflow, SayTurn())]
        return []

    def _told(self, state: QueueState, sender: Address, word: Any) -> list[Command]:
        if isinstance(word, LimitsChanged):
            return _given(state.turns.admit())
        if sender not in state.known:  # finished or gone already, or begun again and known by a live read alone
            state.strangers[sender] = None
            if len(state.strangers) > STRANGERS_MAX:
                del state.strangers[next(iter(state.strangers))]
            return []
        match word:
            case HasTurn():
                state.turns.runs(sender, sender.namespace)
                return []
            case AskTurn(priority, created):
                admitted = state.turns.ask(sender, sender.namespace, priority, created)
                waits = sender in state.turns.waiting
                return [*_given(admitted), *([Tell(sender, TurnAwaited())] if waits else [])]
        return []


def _workflow(ref: Reference) -> Address:
    return Address("workflow", ref.namespace, ref.name, ref.uid)


def _given(admitted: Iterable[Hashable]) -> list[Command]:
    return [Tell(who, TurnGiven()) for who in admitted if isinstance(who, Address)]


def _heed_label(turns: Turns, name: str, namespace: Object) -> None:
    """What the namespace's label says; one that is no number says nothing, and the default counts."""
    text = ((namespace["metadata"].get("labels") or {}).get(labels.PARALLELISM_LIMIT) or "").strip()
    if text.isdecimal():
        turns.own_limits[name] = int(text)
    else:
        turns.own_limits.pop(name, None)

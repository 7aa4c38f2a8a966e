"""The history room: one actor sees all finished workflows, deletes those that are not kept, and answers for the past.

What it knows stands in the objects; after a crash they are shown to it again. Nodes that a database keeps are read from
there once, when somebody asks; while it is away, the workflow's own time is the answer. A workflow whose archiving is
under way is not touched. (TTL-3, EST-1.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from actors.database_messages import DATABASE, LoadNodes
from actors.history.decide import Finished, Retention, durations
from actors.history_messages import AskBaseline, Baseline, RetentionChanged
from actors.names import labels
from actors.packing import version_of
from runtime.api import Propagation
from runtime.messages import (
    Address,
    Ask,
    Command,
    Delete,
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
from runtime.objects import Object, Reference

REVIEW, RETENTION = "review", "retention"
SETTLE_S = 1.0  # workflows that finish together, and all that the cache has at the start, are looked at together
AGAIN_S = 5.0  # after a deletion that failed
ANSWERS_MAX = 100  # kept of what a database had to be asked for


@dataclass
class HistoryState:
    """All finished workflows."""

    finished: Finished = field(default_factory=Finished)
    objects: dict[Reference, Object] = field(default_factory=dict)
    deleting: set[Reference] = field(default_factory=set)
    review_due: bool = False
    asking: dict[LoadNodes, Asking] = field(default_factory=dict)
    answers: dict[LoadNodes, Baseline] = field(default_factory=dict)


@dataclass
class Asking:
    """A workflow whose nodes are being read, and who waits for that."""

    workflow: Object
    who: list[Address] = field(default_factory=list)


class HistoryMind:
    """How the actor that looks after finished workflows behaves."""

    def __init__(self, retention: Retention | None = None, propagation: Propagation = "Background") -> None:
        self.retention = retention or Retention()
        self.propagation = propagation

    def birth(self, address: Address, argument: Any) -> HistoryState:
        """Nothing has finished, as far as is known yet."""
        del address, argument
        return HistoryState()

    def waiting(self, state: HistoryState) -> str:
        """How many there are."""
        return f"for one more workflow to finish; {len(state.objects)} have"

    def receive(self, state: HistoryState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message."""
        match message:
            case Observed(ref, thing):
                state.finished.drop(ref)
                state.finished.add(ref, thing)
                state.objects[ref] = thing
                return self._review_soon(state, now)
            case Gone(ref, _):
                state.finished.drop(ref)
                state.objects.pop(ref, None)
                state.deleting.discard(ref)
                return []
            case Told(_, RetentionChanged()):
                return self._review_soon(state, now)
            case Told(sender, AskBaseline(label, value)):
                return self._answer(state, sender, label, value)
            case Woke():
                state.review_due = False
                return self._review(state)
            case Done(Ask(query=LoadNodes() as query), nodes):
                return self._read(state, query, nodes)
            case Failed(Ask(query=LoadNodes() as query), _):
                return self._read(state, query, None)
            case Failed(Delete(ref), _):
                state.deleting.discard(ref)
                return self._review_soon(state, now, AGAIN_S)
            case Started() | Told() | Done() | Failed() | Down():
                return []

    def _review_soon(self, state: HistoryState, now: float, after_s: float = SETTLE_S) -> list[Command]:
        if state.review_due or self.retention == Retention():
            return []
        state.review_due = True
        return [WakeAt(now + after_s, REVIEW)]

    def _review(self, state: HistoryState) -> list[Command]:
        commands: list[Command] = []
        for ref in state.finished.beyond(self.retention):
            if isinstance(ref, Reference) and ref not in state.deleting and not _is_being_archived(state.objects[ref]):
                state.deleting.add(ref)
                commands.append(Delete(ref, propagation=self.propagation, tag=RETENTION))
        return commands

    def _answer(self, state: HistoryState, sender: Address, label: str, value: str) -> list[Command]:
        ref = state.finished.newest(sender.namespace, label, value)
        if not isinstance(ref, Reference):
            return []
        thing = state.objects[ref]
        if not version_of(thing):
            return [Tell(sender, Baseline(*durations(thing)))]
        query = LoadNodes(ref.uid, version_of(thing))
        if query in state.answers:
            return [Tell(sender, state.answers[query])]
        first = query not in state.asking
        state.asking.setdefault(query, Asking(thing)).who.append(sender)
        return [Ask(DATABASE, query)] if first else []

    def _read(self, state: HistoryState, query: LoadNodes, nodes: Any) -> list[Command]:
        """A database's nodes have come, or will not: whoever asked is told what is known."""
        asking = state.asking.pop(query)
        answer = Baseline(*durations(asking.workflow, nodes))
        if nodes is not None:
            state.answers[query] = answer
            if len(state.answers) > ANSWERS_MAX:
                del state.answers[next(iter(state.answers))]
        return [Tell(sender, answer) for sender in asking.who]


def _is_being_archived(workflow: Object) -> bool:
    return (workflow["metadata"].get("labels") or {}).get(labels.ARCHIVING_STATUS) == "Pending"

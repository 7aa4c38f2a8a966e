"""One actor has old versions of nodes forgotten: which are needed is read off the workflows, not remembered. (OFF-2)

A write saves a new version and then names it, so whatever is younger than some minutes may be on its way. What is
older goes when a workflow names a newer one, or when there is no such workflow. One that runs and names none yet may
be about to, however long its API server is away: all of its versions stay until it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from actors.database_messages import DATABASE, OLD_NODES, ForgetNodes
from actors.names import labels
from actors.packing import version_of
from runtime.messages import (
    Address,
    Ask,
    Command,
    Done,
    Down,
    Failed,
    Gone,
    Message,
    Observed,
    Started,
    Told,
    WakeAt,
    Woke,
)
from runtime.objects import Object

FORGET = "forget"
WAITING_ROUNDS = 2
"""How many times the versions of a deleted workflow are spared that waits to be archived: by the second one, the
database has answered long enough for that."""


@dataclass(frozen=True, slots=True)
class OldNodesSettings:
    """What an installation decides about them."""

    offload: bool = False
    keep_s: float = 300.0  # how long a version is there at least
    period_s: float = 300.0  # between two looks
    strangers: bool = True  # versions of workflows that nobody has seen go too; not where others may know them
    namespace: str = ""  # of the workflows that are looked after; empty: all


@dataclass
class OldNodesState:
    """Which workflows may need versions."""

    known: dict[str, str] = field(default_factory=dict)  # uid -> version that its status names
    gone: set[str] = field(default_factory=set)  # uids of deleted ones
    waiting: dict[str, int] = field(default_factory=dict)  # deleted, and to be archived -> rounds that spare them
    trouble: str = ""


class OldNodesMind:
    """How that actor behaves."""

    def __init__(self, settings: OldNodesSettings | None = None) -> None:
        self.settings = settings or OldNodesSettings()

    def birth(self, address: Address, argument: object) -> OldNodesState:
        """No workflow is known yet."""
        del address, argument
        return OldNodesState()

    def waiting(self, state: OldNodesState) -> str:
        """What keeps it."""
        return "for old versions of nodes" + (f", and for the database: {state.trouble}" if state.trouble else "")

    def receive(self, state: OldNodesState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message."""
        match message:
            case Started():
                return [WakeAt(now + self.settings.keep_s, FORGET)]
            case Observed(ref, thing):
                state.known[ref.uid] = version_of(thing)
                state.gone.discard(ref.uid)
                state.waiting.pop(ref.uid, None)
            case Gone(ref, last):
                self._lost(state, ref.uid, last)
            case Woke():
                return self._look(state, now)
            case Done(Ask(query=ForgetNodes() as query)):
                _forgotten(state, query)
            case Failed(_, error):
                state.trouble = error.message
            case Done() | Told() | Down():
                pass
        return []

    def _look(self, state: OldNodesState, now: float) -> list[Command]:
        settings, again = self.settings, WakeAt(now + self.settings.period_s, FORGET)
        if not settings.offload:
            return [again]
        gone = frozenset(state.gone - state.waiting.keys())
        spared = {**dict.fromkeys(state.waiting, ""), **state.known}
        query = ForgetNodes(spared, gone, settings.keep_s, settings.strangers, settings.namespace)
        return [Ask(DATABASE, query), again]

    def _lost(self, state: OldNodesState, uid: str, last: Object | None) -> None:
        """A workflow has been deleted, or it has ended and has its nodes itself."""
        state.known.pop(uid, None)
        if self.settings.offload and not self.settings.strangers:
            state.gone.add(uid)
        have = (last or {}).get("metadata", {}).get("labels") or {}
        if last is not None and version_of(last) and have.get(labels.ARCHIVING_STATUS) == "Pending":
            state.waiting[uid] = WAITING_ROUNDS


def _forgotten(state: OldNodesState, query: ForgetNodes) -> None:
    state.trouble = ""
    state.gone -= query.gone
    state.waiting = {uid: rounds - 1 for uid, rounds in state.waiting.items() if rounds > 1}


def old_nodes_address(workflow: Object) -> Address | None:
    """Whoever runs, or has ended and names a version, may need what the database has."""
    ended = (workflow["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true"
    return OLD_NODES if version_of(workflow) or not ended else None

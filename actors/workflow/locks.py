"""A workflow's locks: what its nodes want and hold, on record before anything begins and after everything has ended.

Two rules keep a lock from having two holders whatever dies when. A node that was given a lock begins only when a status
write that names it as the holder was acknowledged; and a lock goes back only when a write that has the node's end, and
no longer names it, was. (SYNC-7..10, SYNC-12, RTY-11.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from actors.lock_messages import (
    LOCKS,
    WHOLE,
    AskLocks,
    HoldsLocks,
    HoldsOnly,
    LockAwaited,
    LockGranted,
    LockRefused,
    ReturnLocks,
    SayAgain,
    holder_key,
    holder_node,
    holdings,
    is_semaphore,
    lock_keys,
    shown,
)
from actors.messages import NodeStatus
from actors.names import ids
from runtime.messages import Address, Command, Tell, WakeAt

if TYPE_CHECKING:
    from actors.workflow.state import WorkflowState

Answer: TypeAlias = LockGranted | LockAwaited | LockRefused | SayAgain
UNASKED = "locks:unasked"  # the wake-up
ASKED_WITHIN_S = 60.0  # so long a lock on record is kept for a node that has not begun, and is written down nowhere
Stage = Literal["asked", "granted", "held", "leaving"]
"""granted: given, not yet on record; held: on record; leaving: no longer needed, and the record still names it."""


@dataclass
class Claim:
    """What one node, or the workflow itself, wants or has."""

    keys: tuple[str, ...]
    number: int = 0  # of the last time it was asked for
    stage: Stage = "asked"
    name: str = ""  # of the node that has asked for it in this life
    awaits: tuple[str, ...] = ()  # once the lock room has said that one is in its way: all that it wants


@dataclass
class Ledger:
    """All claims of one workflow, and how the status shows them."""

    address: Address
    claims: dict[str, Claim] = field(default_factory=dict)  # by node id; WHOLE is the workflow's own
    open: dict[str, None] = field(default_factory=dict)  # claims whose record is behind: granted or leaving
    holding: dict[str, dict[str, None]] = field(default_factory=dict)  # lock -> node ids, as the record is to say
    awaited: dict[str, dict[str, None]] = field(default_factory=dict)  # lock -> node ids it is in the way of
    blockers: dict[str, tuple[str, ...]] = field(default_factory=dict)  # lock -> who held it when it was last heard of
    asked: int = 0  # how often anything was asked for

    @classmethod
    def of(cls, status: Mapping[str, Any], address: Address) -> Ledger:
        """The ledger of a status found on record."""
        ledger = cls(address)
        for holder, keys in holdings(status).items():
            ledger.enter(holder_node(holder), tuple(keys))
            ledger.move(holder_node(holder), "held")
        return ledger

    def enter(self, node_id: str, keys: tuple[str, ...]) -> None:
        """A new claim, about to be asked for."""
        self.asked += 1
        self.claims[node_id] = Claim(keys, self.asked)

    def renew(self, node_id: str) -> None:
        """What was asked for is withdrawn: a grant that is on its way means nothing."""
        self.asked += 1
        self.claims[node_id].number = self.asked

    def move(self, node_id: str, stage: Stage) -> None:
        """Take a claim to its next stage."""
        claim = self.claims[node_id]
        claim.stage = stage
        self.awaits(node_id, {})
        for key in claim.keys:
            _mark(self.holding, key, node_id, present=stage in {"granted", "held"})
        if stage in {"granted", "leaving"}:
            self.open[node_id] = None
        else:
            self.open.pop(node_id, None)

    def drop(self, node_id: str) -> None:
        """The claim is over."""
        claim = self.claims[node_id]
        self.awaits(node_id, {})
        for key in claim.keys:
            _mark(self.holding, key, node_id, present=False)
        self.open.pop(node_id, None)
        del self.claims[node_id]

    def awaits(self, node_id: str, holders: Mapping[str, tuple[str, ...]]) -> None:
        """A claim waits for these locks, and who has them; for none, when there are none."""
        claim = self.claims[node_id]
        for key in claim.awaits:
            _mark(self.awaited, key, node_id, present=False)
        claim.awaits = tuple(holders)
        for key in claim.awaits:
            _mark(self.awaited, key, node_id, present=True)
        self.blockers |= holders

    def section(self) -> dict[str, Any]:
        """`status.synchronization` as it is to be; empty when nothing is held or awaited (SYNC-12)."""
        held = {key: [holder_key(self.address, node) for node in nodes] for key, nodes in self.holding.items()}
        awaited = {key: list(self.blockers.get(key, ())) for key in self.awaited}
        section: dict[str, dict[str, Any]] = {}
        for word, entries in (("holding", held), ("waiting", awaited)):
            for key, holders in entries.items():
                if is_semaphore(key):
                    entry = {"semaphore": shown(key), **({"holders": holders} if holders else {})}
                    section.setdefault("semaphore", {}).setdefault(word, []).append(entry)
                else:
                    entry = {"mutex": shown(key), **({"holder": holders[0]} if holders else {})}
                    section.setdefault("mutex", {}).setdefault(word, []).append(entry)
        return section


def _mark(index: dict[str, dict[str, None]], key: str, node_id: str, *, present: bool) -> None:
    if present:
        index.setdefault(key, {})[node_id] = None
    elif key in index:
        index[key].pop(node_id, None)
        if not index[key]:
            del index[key]


# ------------------------------------------------------------------------------------------------ asking


def holds_back(state: WorkflowState) -> bool:
    """Whether the workflow's own locks are not on record yet: nothing may begin."""
    claim = state.locks.claims.get(WHOLE)
    return claim is not None and claim.stage in {"asked", "granted"}


def ask_whole(state: WorkflowState) -> list[Command]:
    """Ask for the workflow's own locks; nothing when there are none or they are held. Raises BadLock (SYNC-1)."""
    section = state.running.spec.get("synchronization")
    keys = lock_keys(section, state.address.namespace) if section else ()
    if not keys or WHOLE in state.locks.claims:
        return []
    state.locks.enter(WHOLE, keys)
    return [_ask(state, WHOLE)]


def wants(state: WorkflowState, node_id: str, keys: tuple[str, ...], name: str = "") -> list[Command]:
    """A node wants locks: it has them on record already, or they are asked for."""
    if state.ended:
        return []
    if node_id not in state.locks.claims:
        state.locks.enter(node_id, keys)
    claim = state.locks.claims[node_id]
    claim.name = name
    if claim.stage == "held":
        return [Tell(state.running.node_address(node_id), LockGranted(node_id))]
    if claim.stage == "leaving" and not state.journal.has_ended(node_id):
        state.locks.move(node_id, "granted")  # it was thought to be nobody's
        return []
    if claim.stage != "asked":
        return []  # it hears of it with the next acknowledged write, or has ended
    return [] if state.suspended else [_ask(state, node_id)]


def _ask(state: WorkflowState, node_id: str) -> Command:
    priority = str(state.running.spec.get("priority") or 0)
    created = str(((state.object or {}).get("metadata") or {}).get("creationTimestamp") or "")
    number = int(priority) if priority.removeprefix("-").isdecimal() else 0
    claim = state.locks.claims[node_id]
    return Tell(LOCKS, AskLocks(node_id, claim.keys, claim.number, number, created))


def suspension_changed(state: WorkflowState) -> list[Command]:
    """Nodes of a suspended workflow do not stand in the way of others; they ask again when it goes on (SYNC-6)."""
    asked = [node for node, claim in state.locks.claims.items() if claim.stage == "asked" and node != WHOLE]
    if state.suspended:
        for node_id in asked:
            state.locks.renew(node_id)
        return [Tell(LOCKS, ReturnLocks(node_id)) for node_id in asked]
    return [_ask(state, node_id) for node_id in asked]


def heed_priority(state: WorkflowState, before: Any) -> list[Command]:
    """Somebody has edited the priority, which was another `before`: who waits stands elsewhere from now on (SYNC-6)."""
    priority = ((state.object or {}).get("spec") or {}).get("priority")
    if priority == before or state.ended:
        return []
    state.running.spec["priority"] = priority
    asked = [node for node, claim in state.locks.claims.items() if claim.stage == "asked"]
    return [_ask(state, node_id) for node_id in asked if node_id == WHOLE or not state.suspended]


# ------------------------------------------------------------------------------------------------ answers


def heard(state: WorkflowState, word: Answer) -> list[Command]:
    """Take in what the lock room says."""
    match word:
        case LockGranted():
            return granted(state, word)
        case LockAwaited():
            return awaited(state, word)
        case LockRefused():
            return refused(state, word)
        case SayAgain():
            return said_again(state)


def granted(state: WorkflowState, word: LockGranted) -> list[Command]:
    """The lock room gave what was asked for: it goes on record. What nobody wants any more goes back."""
    claim = state.locks.claims.get(word.node_id)
    if claim is None:
        return [Tell(LOCKS, ReturnLocks(word.node_id))]
    if claim.stage == "asked" and claim.number == word.number:
        state.locks.move(word.node_id, "granted")
    return []


def awaited(state: WorkflowState, word: LockAwaited) -> list[Command]:
    """Not yet: the node shows it, or the workflow does (SYNC-7, SYNC-8)."""
    claim = state.locks.claims.get(word.node_id)
    if claim is None or claim.stage != "asked" or state.ended:
        return []
    state.locks.awaits(word.node_id, _waited_for(word))
    if word.node_id != WHOLE:
        return [Tell(state.running.node_address(word.node_id), word)]
    state.phase, state.message = "Pending", word.message
    return []


def _waited_for(word: LockAwaited) -> dict[str, tuple[str, ...]]:
    """As upstream lists it: all semaphores that are wanted, and of the mutexes those that somebody has (SYNC-12)."""
    others = {key: holders for key, holders in word.besides if holders or is_semaphore(key)}
    return {**({word.key: word.holders} if word.key else {}), **others}


def refused(state: WorkflowState, word: LockRefused) -> list[Command]:
    """Never: the node is an Error."""
    if word.node_id in state.locks.claims:
        state.locks.drop(word.node_id)
    return [Tell(state.running.node_address(word.node_id), word)]


def reborn(state: WorkflowState) -> list[Command]:
    """What a former life of this actor had and did not put on record, or did not give back, is nobody's."""
    held = [Tell(LOCKS, HoldsLocks(node_id, claim.keys)) for node_id, claim in state.locks.claims.items()]
    return [Tell(LOCKS, HoldsOnly(tuple(state.locks.claims))), *held]


def said_again(state: WorkflowState) -> list[Command]:
    """The lock room has forgotten everything: what is held, and no more than that, and what is wanted.

    It has begun again with what the cache shows on record, which may be older than what was given back since. Who has
    crashed and has not read its own record yet does not know better: it says so when it has."""
    if state.object is None:
        return []
    held = tuple(node_id for node_id, claim in state.locks.claims.items() if claim.stage != "asked")
    words: list[Command] = [Tell(LOCKS, HoldsOnly(held))]
    for node_id, claim in state.locks.claims.items():
        if claim.stage != "asked":
            words.append(Tell(LOCKS, HoldsLocks(node_id, claim.keys)))
        elif not state.suspended or node_id == WHOLE:
            words.append(_ask(state, node_id))
    return words


# ------------------------------------------------------------------------------------------------ release


def node_changed(state: WorkflowState, status: NodeStatus) -> list[Command]:
    """A fulfilled node needs its locks no longer; they go back when that is on record (SYNC-9)."""
    claim = state.locks.claims.get(status.id)
    return _give_back(state, status.id, claim) if claim is not None and status.fulfilled else []


def _give_back(state: WorkflowState, node_id: str, claim: Claim) -> list[Command]:
    if claim.stage == "asked":
        state.locks.drop(node_id)
        return [Tell(LOCKS, ReturnLocks(node_id))]
    if claim.stage != "leaving":
        state.locks.move(node_id, "leaving")
    return []


def forsake(state: WorkflowState, above: str) -> list[Command]:
    """Nobody below the node of that name has an actor any more: what those want they will never take, what they have
    they will never give back, and those that had not begun are on no record."""
    below = [(node_id, claim) for node_id, claim in state.locks.claims.items() if _stands_below(state, node_id, above)]
    return [command for node_id, claim in below for command in _give_back(state, node_id, claim)]


def _stands_below(state: WorkflowState, node_id: str, above: str) -> bool:
    """Whether what it had is now nobody's.

    Of a node that has a lock on record, and has neither an entry there nor asked in this life, only a pod tells the
    name. Without one it has done nothing with its lock, and asks for it again if it is elsewhere."""
    name = state.locks.claims[node_id].name or state.pods.get(node_id, ("", ""))[1]
    if not name:
        return node_id != WHOLE and node_id not in state.journal.statuses
    return name == above or ids.is_below(name, above)


def _unwritten(state: WorkflowState) -> list[str]:
    """Nodes that have a lock on record and no entry of their own: they may never begin."""
    held = [node_id for node_id, claim in state.locks.claims.items() if claim.stage == "held" and node_id != WHOLE]
    return [node_id for node_id in held if node_id not in state.journal.statuses]


def _abandon(state: WorkflowState, found: list[str]) -> bool:
    idle = [node_id for node_id in found if not state.pods.get(node_id, ("", "", False))[2]]
    for node_id in idle:
        state.locks.move(node_id, "leaving")
    return bool(idle)


def abandon(state: WorkflowState) -> bool:
    """Locks on record of nodes that were never written down, and that nobody begins after the end of the first node,
    go back once their pods work no longer; whether there are any. An exit handler may want them."""
    return _abandon(state, _unwritten(state))


def unasked(state: WorkflowState) -> list[str]:
    """Nodes that were never written down, have a lock on record and have not asked for it in this life."""
    return [node_id for node_id in _unwritten(state) if not state.locks.claims[node_id].name]


def expect_asking(state: WorkflowState, now: float) -> list[Command]:
    """A life begins: who was given a lock in the one before is to ask for it, unless what it stands in has failed."""
    return [WakeAt(now + ASKED_WITHIN_S, UNASKED)] if unasked(state) else []


def unclaimed(state: WorkflowState, now: float) -> tuple[bool, list[Command]]:
    """What nobody has asked for in that time goes back once no pod of it works; whether anything does. Who asks later
    waits anew: nothing was done with it."""
    if state.ended or state.run is None:
        return False, []
    return _abandon(state, unasked(state)), expect_asking(state, now)


def recorded(state: WorkflowState) -> list[Command]:
    """A write was acknowledged: those whose locks it names begin, locks that it no longer names go back."""
    ledger = state.locks
    if state.closed:
        over: list[Command] = [Tell(LOCKS, ReturnLocks(node_id)) for node_id in ledger.claims]
        for node_id in list(ledger.claims):
            ledger.drop(node_id)
        return over
    commands: list[Command] = []
    if not ledger.open:
        return commands
    named = {holder_node(holder) for holder in holdings(state.summary_written)}
    for node_id in list(ledger.open):
        stage = ledger.claims[node_id].stage
        if stage == "granted" and node_id in named:
            ledger.move(node_id, "held")
            if node_id != WHOLE:
                commands.append(Tell(state.running.node_address(node_id), LockGranted(node_id)))
        elif stage == "leaving" and node_id not in named:
            ledger.drop(node_id)
            commands.append(Tell(LOCKS, ReturnLocks(node_id)))
    return commands

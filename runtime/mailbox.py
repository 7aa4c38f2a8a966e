"""A mailbox keeps the newest state of each subject, so its size follows what there is, not how often it changes.

A second `Observed` of the same object (same uid) takes the place of the one that still waits. An object of the same
name with another uid is another object: the older one is declared `Gone` first, never overwritten. Urgent messages
overtake all others; within each of the two classes the order of sending is kept.

    put: A1 T B1 A2     take: A2 T B1          A is one object in two versions, T was told by another actor
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from runtime.messages import Done, Down, Failed, Gone, Message, Observed, Started
from runtime.objects import Resource

MAILBOX_SUBJECTS_MAX = 100_000
"""Messages one actor may have waiting. At the limit the actor is killed and rebuilt from the cache: it is either stuck
or was sent words faster than it can read them, and both would otherwise end in the machine's memory."""

_NEVER_REFUSED = frozenset(
    {Started, Done, Failed, Down}
)  # each answers something the actor did: bounded by its own doing


class MailboxStatistics(NamedTuple):
    """How full a mailbox is: messages `waiting`, of which `urgent`; `subjects` are objects with a waiting state."""

    waiting: int = 0
    urgent: int = 0
    subjects: int = 0


class _Slot:
    """A place in the queue whose message may still be replaced by a newer state."""

    __slots__ = ("message",)

    def __init__(self, message: Observed) -> None:
        self.message = message


class Mailbox:
    """What waits for one actor. Not thread-safe: everything happens in one event loop."""

    __slots__ = ("_limit", "_newest", "_queue", "_urgent")

    def __init__(self, limit: int = MAILBOX_SUBJECTS_MAX) -> None:
        self._limit = limit
        self._queue: deque[Message | _Slot] = deque()
        self._urgent: deque[Message] = deque()
        self._newest: dict[tuple[Resource, str, str], _Slot] = {}  # by name; the slot's message knows the uid

    def put(self, message: Message, *, urgent: bool = False) -> bool:
        """Take in a message; False when the mailbox is full and it was refused. Results of commands never are."""
        kind = message.__class__
        if kind is Observed:
            return self._observe(message)  # type: ignore[arg-type]  # the class was just compared
        if len(self._queue) + len(self._urgent) >= self._limit and kind not in _NEVER_REFUSED:
            return False
        if urgent:
            self._urgent.append(message)
            return True
        if kind is Gone:
            self._forget(message)  # type: ignore[arg-type]  # the class was just compared
        self._queue.append(message)
        return True

    def _observe(self, message: Observed) -> bool:
        key = message.ref[:3]
        slot = self._newest.get(key)
        if slot is not None and slot.message.ref.uid == message.ref.uid:
            slot.message = message
            return True
        if len(self._queue) + len(self._urgent) >= self._limit:
            return False
        if slot is not None:
            self._queue.append(Gone(slot.message.ref, slot.message.object))
        slot = self._newest[key] = _Slot(message)
        self._queue.append(slot)
        return True

    def _forget(self, message: Gone) -> None:
        # What comes after the end of an object is a new place in the queue, even if it has the same uid again (an
        # object may leave a label selector and come back).
        key = message.ref[:3]
        slot = self._newest.get(key)
        if slot is not None and slot.message.ref.uid == message.ref.uid:
            del self._newest[key]

    def take(self) -> Message | None:
        """The next message, urgent ones first; None when nothing waits."""
        if self._urgent:
            return self._urgent.popleft()
        if not self._queue:
            return None
        item = self._queue.popleft()
        if item.__class__ is not _Slot:
            return item  # type: ignore[return-value]  # not a slot, so a message
        message = item.message
        key = message.ref[:3]
        if self._newest.get(key) is item:
            del self._newest[key]
        return message

    def waiting(self) -> list[Message]:
        """All that waits, in the order it would be taken; nothing is taken."""
        return [*self._urgent, *(item.message if isinstance(item, _Slot) else item for item in self._queue)]

    def __len__(self) -> int:
        return len(self._queue) + len(self._urgent)

    def statistics(self) -> MailboxStatistics:
        """The counts of this moment."""
        return MailboxStatistics(len(self), len(self._urgent), len(self._newest))

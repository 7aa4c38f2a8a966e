"""Questions between actors: each has one answer, a limit of time, and an end when either side's life is over."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from runtime.api import ApiError, Gone, Unavailable
from runtime.messages import Address, Asked, Done, Failed, Question, Told
from runtime.registry import Actor, Registry

Settle = Callable[[Any, ApiError | None], None]
"""What to do with an answer, or with the reason why there is none."""


class Pending:
    """A question without an answer yet; it owns the timer of its limit."""

    __slots__ = ("asker", "number", "settle", "target")

    def __init__(self, number: int, target: Actor, asker: Actor | None, settle: Settle) -> None:
        self.number = number
        self.target = target
        self.asker = asker  # None: somebody outside of all actors
        self.settle = settle


class Questions:
    """All pending questions."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._numbers = count(1)
        self._pending: dict[int, Pending] = {}
        self._of: dict[Actor, dict[int, Pending]] = {}  # by asker and by target

    def ask(self, asker: Actor, command: Question, target: Actor | None) -> Pending | None:
        """Put an actor's question to `target`; None when it has failed at once, for want of somebody to ask."""

        def settle(answer: Any, error: ApiError | None) -> None:
            self._registry.post(asker, Done(command, answer) if error is None else Failed(command, error))

        if target is None:
            settle(None, _nobody(command.to))
            return None
        return self._put(target, asker, asker.address, command.word, settle)

    def ask_from_outside(self, sender: Address, target: Actor, word: Any, settle: Settle) -> Pending:
        """Put a question of somebody who is no actor."""
        return self._put(target, None, sender, word, settle)

    def _put(self, target: Actor, asker: Actor | None, sender: Address, word: Any, settle: Settle) -> Pending:
        pending = Pending(next(self._numbers), target, asker, settle)
        self._pending[pending.number] = pending
        for side in {target, asker} - {None}:
            if side is not None:
                self._of.setdefault(side, {})[pending.number] = pending
        self._registry.post(target, Told(sender, Asked(pending.number, word)))
        return pending

    def answer(self, answerer: Actor, number: int, word: Any) -> Pending | None:
        """Settle a question put to `answerer`; None when nobody waits for it (any more)."""
        pending = self._pending.get(number)
        if pending is None or pending.target is not answerer:
            return None
        self.forget(pending)
        pending.settle(word, None)
        return pending

    def late(self, pending: Pending) -> None:
        """The limit of a question has come."""
        self.forget(pending)
        pending.settle(None, Unavailable(f"{pending.target.address} gave no answer in time"))

    def ended(self, actor: Actor) -> list[Pending]:
        """`actor` has ended: its own questions are dropped, those put to it have failed. All that were concerned."""
        concerned = list(self._of.get(actor, {}).values())
        for pending in concerned:
            self.forget(pending)
            if pending.asker is not actor:
                pending.settle(None, Gone(f"{actor.address} ended before it answered", code=404, reason="NotFound"))
        return concerned

    def forget(self, pending: Pending) -> None:
        """Nobody waits for that answer any more."""
        self._pending.pop(pending.number, None)
        for side in (pending.target, pending.asker):
            row = self._of.get(side) if side is not None else None
            if row is not None and side is not None:
                row.pop(pending.number, None)
                if not row:
                    del self._of[side]

    def __len__(self) -> int:
        return len(self._pending)


def _nobody(address: Address) -> Gone:
    return Gone(f"nobody lives at {address}", code=404, reason="NotFound")

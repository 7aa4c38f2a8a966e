"""A flight recorder: what every actor read, when, and what it commanded. Bounded, and off unless somebody asks for it.

An entry is written down as JSON at once, because minds may go on to change what they hold. When the ring is full the
oldest entry goes; `dropped` says how many went, since a replay needs a life from its beginning. What it is about may
change on the way: that is an entry, too, and the first line says what held before the first entry that is kept.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runtime.messages import Address, Command, Message
from runtime.recording import decisions, told

FORMAT = 1
ENTRIES_MAX = 20_000
"""About 40 MB: a message of a workflow's actor is the workflow."""


class Recorder:
    """The ring. `about` goes into the first line of what is written: whatever a replay has to know of the settings."""

    def __init__(self, about: Mapping[str, Any] | None = None, *, entries_max: int = ENTRIES_MAX) -> None:
        self._about: deque[tuple[int, dict[str, Any]]] = deque([(0, dict(about or {}))])  # since which entry
        self._entries: deque[str] = deque(maxlen=entries_max)
        self.seen = 0

    @property
    def dropped(self) -> int:
        """Entries that are no longer kept."""
        return self.seen - len(self._entries)

    def read(self, address: Address, message: Message, now: float, commands: Sequence[Command]) -> None:
        """An actor has read a message at `now` and commanded this."""
        self._add(address, message, now, {"commands": decisions(commands)})

    def crashed(self, address: Address, message: Message | None, error: str, now: float) -> None:
        """A mind raised; None: at a birth, or not by its own doing."""
        self._add(address, message, now, {"crashed": error})

    def changed(self, about: Mapping[str, Any], now: float) -> None:
        """From here on minds decide by other settings."""
        self.seen += 1
        self._about.append((self.seen, dict(about)))
        self._entries.append(json.dumps({"at": now, "about": self._about[-1][1]}))
        self._forget()

    def _forget(self) -> None:
        while len(self._about) > 1 and self._about[1][0] <= self.dropped:
            self._about.popleft()

    def _add(self, address: Address, message: Message | None, now: float, rest: dict[str, Any]) -> None:
        self.seen += 1
        said = None if message is None else told(message)
        self._entries.append(json.dumps({"at": now, "to": list(address), "message": said, **rest}))

    def lines(self) -> Iterator[str]:
        """The recording as JSON lines: what it is about, then every entry that is kept."""
        self._forget()
        yield json.dumps({"recording": FORMAT, "dropped": self.dropped, "about": self._about[0][1]})
        yield from self._entries

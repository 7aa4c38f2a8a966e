"""Who wants to hear of whose end: a monitor belongs to two lives, and goes with either of them."""

from __future__ import annotations

from runtime.messages import Address, Down
from runtime.registry import Actor, Registry


class Monitors:
    """All monitors. Costs nothing for actors that nobody monitors."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._watchers: dict[Actor, dict[Actor, None]] = {}  # monitored -> who hears of it, in the order of asking
        self._watched: dict[Actor, dict[Actor, None]] = {}  # the other way round

    def begin(self, watcher: Actor, address: Address) -> None:
        """Tell `watcher` when the present life at `address` ends; at once when there is none."""
        actor = self._registry.actors.get(address)
        if actor is None:
            self._registry.post(watcher, Down(address, "absent"))
            return
        self._watchers.setdefault(actor, {})[watcher] = None
        self._watched.setdefault(watcher, {})[actor] = None

    def end(self, watcher: Actor, address: Address) -> None:
        """Forget that monitor; nothing happens when there is none."""
        actor = self._registry.actors.get(address)
        if actor is not None and actor in self._watchers:
            self._cut(actor, watcher)

    def ended(self, actor: Actor, reason: str, detail: str = "") -> None:
        """`actor` has ended: whoever monitors it hears so, and it hears of nobody any more."""
        for watched in tuple(self._watched.get(actor, ())):
            self._cut(watched, actor)
        for watcher in tuple(self._watchers.get(actor, ())):
            self._cut(actor, watcher)
            self._registry.post(watcher, Down(actor.address, reason, detail))

    def _cut(self, watched: Actor, watcher: Actor) -> None:
        for table, key, value in ((self._watchers, watched, watcher), (self._watched, watcher, watched)):
            row = table.get(key)
            if row is not None:
                row.pop(value, None)
                if not row:
                    del table[key]

    def __len__(self) -> int:
        return sum(map(len, self._watchers.values()))

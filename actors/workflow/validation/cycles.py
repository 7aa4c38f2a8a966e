"""A cycle among things that need each other, found without recursion: a chain may be thousands long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def cycle(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """The first cycle in the order of the keys, from a member back to itself; empty when there is none.

    What is needed but not among the keys has no needs of its own.
    """
    done: set[str] = set()
    for start in needs:
        path: list[str] = []
        on_path: set[str] = set()
        pending = [(start, False)]
        while pending:
            name, leaving = pending.pop()
            if leaving:
                on_path.discard(path.pop())
                done.add(name)
            elif name in on_path:
                return [*path[path.index(name) :], name]
            elif name not in done:
                path.append(name)
                on_path.add(name)
                pending.append((name, True))
                pending.extend((need, False) for need in reversed(list(needs.get(name, ()))))
    return []


class Ancestry:
    """Who needs whom, directly or not, among things without a cycle: a bit for each in one number for each.

    Sets of names would be millions of entries for a chain of thousands."""

    def __init__(self, needs: Mapping[str, Iterable[str]]) -> None:
        self._bits: dict[str, int] = {}
        self._above: dict[str, int] = {}
        for start in needs:
            pending = [(start, False)]
            while pending:
                name, leaving = pending.pop()
                if name in self._above:
                    continue
                wanted = needs.get(name, ())
                if not leaving:
                    pending.append((name, True))
                    pending.extend((need, False) for need in wanted)
                    continue
                above = 0
                for need in wanted:
                    above |= self._above[need] | self._bits[need]
                self._above[name] = above
                self._bits[name] = 1 << len(self._bits)

    def needs(self, name: str, other: str) -> bool:
        """Whether `name` needs `other`."""
        return bool(self._above.get(name, 0) & self._bits.get(other, 0))

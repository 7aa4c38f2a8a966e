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


def ancestors(name: str, needs: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Everything that something needs, directly or not."""
    found: set[str] = set()
    pending = list(needs.get(name, ()))
    while pending:
        need = pending.pop()
        if need not in found:
            found.add(need)
            pending.extend(needs.get(need, ()))
    return frozenset(found)

"""Which variables an expression needs, so that it can wait for one that is not there yet.

What stands left of `??`, or before `?.`, is cared for by the expression itself and not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from actors.language import syntax
from actors.language.syntax import Node


class Reference(NamedTuple):
    """A variable, or a path below one, as an expression names it: `inputs.parameters.x`."""

    path: str
    position: int


def references(tree: Node) -> tuple[Reference, ...]:
    """List what an expression refers to, innermost first, without the names it binds itself."""
    finder = _Finder()
    finder.guard(tree)
    finder.visit(tree, frozenset())
    first: dict[str, Reference] = {}
    for found in finder.found:
        first.setdefault(found.path, found)
    return tuple(first.values())


def reach(tree: Node) -> frozenset[str]:
    """Name the parts of the variables an expression can look into: a variable, or one field of it (`tasks.A`).

    Of a workflow with a thousand tasks an expression mentions two: the rest need not be made ready for it.
    """
    found: set[str] = set()
    _reach(tree, frozenset(), found)
    return frozenset(found)


def _reach(node: Node, bound: frozenset[str], found: set[str]) -> None:
    path = _path(node)
    if path is not None:
        if path[0] not in bound:
            found.add(".".join(path[:2]))
        return
    if isinstance(node, syntax.Let):
        _reach(node.value, bound, found)
        _reach(node.body, bound | {node.name}, found)
        return
    for child in syntax.children(node):
        _reach(child, bound, found)


class _Finder:
    """Walks a tree twice: once for what is cared for, once for the rest."""

    def __init__(self) -> None:
        self.found: list[Reference] = []
        self._guarded: set[int] = set()

    def guard(self, node: Node) -> None:
        if isinstance(node, syntax.Binary) and node.operator == "??":
            self._guard_members(node.left)
        elif isinstance(node, syntax.Member) and node.optional and isinstance(node.of, syntax.Member):
            self._guarded.add(id(node.of))
        for child in syntax.children(node):
            self.guard(child)

    def _guard_members(self, node: Node) -> None:
        if isinstance(node, syntax.Member):
            self._guarded.add(id(node))
        for child in syntax.children(node):
            self._guard_members(child)

    def visit(self, node: Node, bound: frozenset[str]) -> None:
        if isinstance(node, syntax.Let):
            self.visit(node.value, bound)
            self.visit(node.body, bound | {node.name})
            return
        for child in syntax.children(node):
            self.visit(child, bound)
        if id(node) in self._guarded:
            return
        path = _path(node)
        if path is not None and path[0] not in bound and path[0] != "$env":
            self.found.append(Reference(".".join(path), node.position))


def _path(node: Node) -> list[str] | None:
    if isinstance(node, syntax.Name):
        return [node.name]
    if not isinstance(node, syntax.Member) or node.optional:
        return None
    if not isinstance(node.key, syntax.Literal) or not isinstance(node.key.value, str):
        return None
    start = _path(node.of)
    return None if start is None else [*start, node.key.value]


def is_present(env: Mapping[str, Any], path: str) -> bool:
    """Tell whether an environment has a variable; one that is there and nil is present."""
    current: Any = env
    for part in path.split("."):
        if not isinstance(current, Mapping) or part not in current:
            return False
        current = current[part]
    return True

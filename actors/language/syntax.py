"""The tree an expression is read into; every node knows where it begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """Any piece of an expression."""

    position: int


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Node):
    """A number, string, bytes, true, false or nil."""

    value: Any


@dataclass(frozen=True, slots=True, eq=False)
class Name(Node):
    """A variable, or one bound by `let`."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Pointer(Node):
    """What a predicate looks at: `#`, `#index`, `#acc`; the name is empty for the element itself."""

    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Unary(Node):
    """An operator before its operand."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True, eq=False)
class Binary(Node):
    """An operator between two operands."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False)
class Member(Node):
    """`of.key`, `of[key]`; optional with `?.`."""

    of: Node
    key: Node
    optional: bool


@dataclass(frozen=True, slots=True, eq=False)
class Chain(Node):
    """The reach of a `?.`: nil in the middle makes the whole of it nil."""

    inner: Node


@dataclass(frozen=True, slots=True, eq=False)
class Slice(Node):
    """`of[start:end]`."""

    of: Node
    start: Node | None
    end: Node | None


@dataclass(frozen=True, slots=True, eq=False)
class Call(Node):
    """A call of a function that is a value (`sprig.trim(…)`, `asInt(…)`)."""

    function: Node
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Builtin(Node):
    """A call of a function of the language."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Predicate(Node):
    """The body that `filter`, `map` and their kin run for each element."""

    body: Node


@dataclass(frozen=True, slots=True, eq=False)
class Let(Node):
    """`let name = value; body`."""

    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True, eq=False)
class Sequence(Node):
    """Expressions separated by semicolons; the last one counts."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Conditional(Node):
    """`condition ? yes : no`, or `if condition { yes } else { no }`."""

    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True, eq=False)
class Array(Node):
    """`[a, b]`."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Map(Node):
    """`{key: value}`."""

    pairs: tuple[tuple[Node, Node], ...]


def children(node: Node) -> tuple[Node, ...]:
    """List the direct parts of a node, in the order they are written."""
    match node:
        case Unary(operand=inner) | Chain(inner=inner) | Predicate(body=inner):
            return (inner,)
        case Binary(left=left, right=right):
            return (left, right)
        case Member(of=of, key=key):
            return (of, key)
        case Slice(of=of, start=start, end=end):
            return (of, *(part for part in (start, end) if part is not None))
        case Call(function=function, arguments=arguments):
            return (function, *arguments)
        case Builtin(arguments=nodes) | Sequence(nodes=nodes) | Array(nodes=nodes):
            return nodes
        case Let(value=value, body=body):
            return (value, body)
        case Conditional(condition=condition, yes=yes, no=no):
            return (condition, yes, no)
        case Map(pairs=pairs):
            return tuple(part for pair in pairs for part in pair)
        case _:
            return ()

"""Functions that run a predicate for each element of a list: `filter`, `map`, `reduce` and their kin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cmp_to_key
from typing import Any, TypeAlias

from actors.language.budget import Meter
from actors.language.faults import Fault
from actors.language.gotext import go_type
from actors.language.operators import BINARY, is_true, less


class Frame:
    """What one evaluation knows: the environment, the `let` variables, and the element a predicate looks at."""

    __slots__ = ("accumulated", "element", "env", "index", "meter", "variables")

    def __init__(self, env: Mapping[str, Any], meter: Meter) -> None:
        self.env = env
        self.meter = meter
        self.variables: dict[int, Any] = {}
        self.element: Any = None
        self.index = 0
        self.accumulated: Any = None


Body: TypeAlias = Callable[[Frame], Any]


def _elements(frame: Frame, array: Any, name: str, *, backwards: bool = False) -> Iterator[Any]:
    """Point the frame at each element in turn, and back at what it was when done."""
    if not isinstance(array, (list, tuple)):
        raise Fault(f"builtin {name} takes only array (got {go_type(array)})")
    outer = (frame.element, frame.index, frame.accumulated)
    frame.accumulated = None
    order = range(len(array) - 1, -1, -1) if backwards else range(len(array))
    for index in order:
        frame.meter.step()
        frame.element, frame.index = array[index], index
        yield array[index]
    frame.element, frame.index, frame.accumulated = outer


def _leave(frame: Frame, outer: tuple[Any, int, Any]) -> None:
    frame.element, frame.index, frame.accumulated = outer


def _search(name: str, *, backwards: bool, position: bool) -> Callable[[Frame, Body, Body], Any]:
    def run(frame: Frame, array: Body, body: Body) -> Any:
        outer = (frame.element, frame.index, frame.accumulated)
        for element in _elements(frame, array(frame), name, backwards=backwards):
            index = frame.index
            if is_true(body(frame)):
                _leave(frame, outer)
                return index if position else element
        return None

    return run


def _until(name: str, stop: bool) -> Callable[[Frame, Body, Body], bool]:
    """Make `any` (stops at the first true) or `all` (stops at the first false)."""

    def run(frame: Frame, array: Body, body: Body) -> bool:
        outer = (frame.element, frame.index, frame.accumulated)
        for _ in _elements(frame, array(frame), name):
            if is_true(body(frame)) is stop:
                _leave(frame, outer)
                return stop
        return not stop

    return run


_any, _all = _until("any", True), _until("all", False)


def _none(frame: Frame, array: Body, body: Body) -> bool:
    return not _until("none", True)(frame, array, body)


def _one(frame: Frame, array: Body, body: Body) -> bool:
    return _matching(frame, array(frame), body, "one") == 1


def _count(frame: Frame, array: Body, body: Body | None = None) -> int:
    return _matching(frame, array(frame), body or (lambda inner: inner.element), "count")


def _matching(frame: Frame, array: Any, body: Body, name: str) -> int:
    return sum(is_true(body(frame)) for _ in _elements(frame, array, name))


def _filter(frame: Frame, array: Body, body: Body) -> list[Any]:
    kept = [element for element in _elements(frame, array(frame), "filter") if is_true(body(frame))]
    frame.meter.made(kept)
    return kept


def _map(frame: Frame, array: Body, body: Body) -> list[Any]:
    values = [body(frame) for _ in _elements(frame, array(frame), "map")]
    frame.meter.made(values)
    return values


def _sum(frame: Frame, array: Body, body: Body | None = None) -> Any:
    total: Any = 0
    for element in _elements(frame, array(frame), "sum"):
        total = BINARY["+"](body(frame) if body else element, total, frame.meter)
    return total


def _group_by(frame: Frame, array: Body, body: Body) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for element in _elements(frame, array(frame), "groupBy"):
        key = body(frame)
        if isinstance(key, (list, dict)):
            raise Fault(f"cannot use {go_type(key)} as a key for groupBy: type is not comparable")
        groups.setdefault(key, []).append(element)
    return groups


def _sort_by(frame: Frame, array: Body, body: Body, order: Body | None = None) -> list[Any]:
    direction = order(frame) if order else "asc"
    if not isinstance(direction, str):
        raise Fault("sortBy order argument must be a string")
    if direction not in {"asc", "desc"}:
        raise Fault("unknown order, use asc or desc")
    keyed = [(body(frame), element) for element in _elements(frame, array(frame), "sortBy")]
    return [element for _, element in sort_values(keyed, lambda pair: pair[0], descending=direction == "desc")]


def sort_values(values: list[Any], key: Callable[[Any], Any], *, descending: bool) -> list[Any]:
    """Sort by a key with the language's own order; equal keys keep their places. Raises Fault when kinds mix."""

    def compare(a: Any, b: Any) -> int:
        first, second = key(a), key(b)
        if less(first, second):
            return -1
        return 1 if less(second, first) else 0

    return sorted(values, key=cmp_to_key(compare), reverse=descending)


def _reduce(frame: Frame, array: Body, body: Body, initial: Body | None = None) -> Any:
    elements = array(frame)
    given = initial(frame) if initial else None
    if initial is None and isinstance(elements, (list, tuple)) and not elements:
        raise Fault("reduce of empty array with no initial value")
    outer = (frame.element, frame.index, frame.accumulated)
    result = given
    for element in _elements(frame, elements, "reduce"):
        if frame.index == 0 and initial is None:
            result = element
            continue
        frame.accumulated = result
        result = body(frame)
    _leave(frame, outer)
    return result


PREDICATE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "all": _all,
    "any": _any,
    "none": _none,
    "one": _one,
    "count": _count,
    "sum": _sum,
    "filter": _filter,
    "map": _map,
    "find": _search("find", backwards=False, position=False),
    "findIndex": _search("findIndex", backwards=False, position=True),
    "findLast": _search("findLast", backwards=True, position=False),
    "findLastIndex": _search("findLastIndex", backwards=True, position=True),
    "groupBy": _group_by,
    "sortBy": _sort_by,
    "reduce": _reduce,
}

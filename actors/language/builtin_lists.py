"""Functions on lists and maps that take no predicate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.language.budget import Meter
from actors.language.faults import Fault
from actors.language.gotext import go_type
from actors.language.operators import equal, fetch, get
from actors.language.predicates import sort_values


def _list(value: Any, verb: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise Fault(f"cannot {verb} {go_type(value)}")
    return list(value)


def _map(value: Any, verb: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise Fault(f"cannot {verb} {go_type(value)}")
    return value


def _end(index: int) -> Callable[..., Any]:
    def apply(_meter: Meter, value: Any) -> Any:
        try:
            return fetch(value, index)
        except Fault:
            return None

    return apply


def _take(_meter: Meter, value: Any, count: int) -> list[Any]:
    if count < 0:
        raise Fault(f"cannot take {count} elements")
    return _list(value, "take from")[:count]


def _from_pairs(_meter: Meter, value: Any) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for pair in _list(value, "transform from pairs"):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise Fault("fromPairs takes a list of [key, value]")
        result[pair[0]] = pair[1]
    return result


def _uniq(meter: Meter, value: Any) -> list[Any]:
    kept: list[Any] = []
    for element in _list(value, "uniq"):
        meter.step(len(kept))
        if not any(equal(element, known, meter) for known in kept):
            kept.append(element)
    return kept


def _concat(meter: Meter, *lists: Any) -> list[Any]:
    checked = [_list(each, "concat") for each in lists]
    meter.make(sum(map(len, checked)))
    return [element for each in checked for element in each]


def _flatten(meter: Meter, value: Any) -> list[Any]:
    meter.weigh(_list(value, "flatten"))
    flat: list[Any] = []
    stack = [iter(value)]
    while stack:
        element = next(stack[-1], stack)
        if element is stack:
            stack.pop()
        elif isinstance(element, (list, tuple)):
            stack.append(iter(element))
        else:
            flat.append(element)
    return flat


def _sort(meter: Meter, value: Any, order: str = "asc") -> list[Any]:
    if order not in {"asc", "desc"}:
        raise Fault(f"invalid order {order}, expected asc or desc")
    elements = _list(value, "sort")
    meter.step(len(elements) * max(1, len(elements).bit_length()))
    return sort_values(elements, lambda element: element, descending=order == "desc")


def sorted_items(value: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    """List a map's entries by key: Go's order is random, ours is the same each time."""
    return sorted(value.items(), key=lambda pair: str(pair[0]))


LISTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "first": ("a", _end(0)),
    "last": ("a", _end(-1)),
    "get": ("aa", lambda _meter, value, key: get(value, key)),
    "take": ("ai", _take),
    "keys": ("a", lambda _meter, value: [key for key, _ in sorted_items(_map(value, "get keys from"))]),
    "values": ("a", lambda _meter, value: [entry for _, entry in sorted_items(_map(value, "get values from"))]),
    "toPairs": (
        "a",
        lambda _meter, value: [[key, entry] for key, entry in sorted_items(_map(value, "transform to pairs"))],
    ),
    "fromPairs": ("a", _from_pairs),
    "reverse": ("a", lambda _meter, value: _list(value, "reverse")[::-1]),
    "uniq": ("a", _uniq),
    "concat": ("A", _concat),
    "flatten": ("a", _flatten),
    "sort": ("a?s", _sort),
}

"""Sprig's functions on lists and maps. Nothing is changed in place: `set` and `merge` give a new map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.language.budget import Meter
from actors.language.builtin_lists import sorted_items
from actors.language.faults import Fault
from actors.language.native import plain
from actors.language.operators import identical
from actors.language.sprig_values import as_list, empty, kind, to_int, to_text, to_texts

Function = Callable[..., Any]


def _end(index: int, word: str) -> Function:
    def apply(_meter: Meter, value: Any) -> Any:
        elements = as_list(value, f"Cannot find {word} on type")
        return elements[index] if elements else None

    return apply


def _part(word: str, cut: Callable[[list[Any]], list[Any] | None]) -> Function:
    return lambda _meter, value: cut(as_list(value, f"Cannot find {word} on type"))


def _has(meter: Meter, needle: Any, value: Any) -> bool:
    elements = [] if value is None else as_list(value, "Cannot find has on type")
    return any(identical(needle, element, meter) for element in elements)


def _uniq(meter: Meter, value: Any) -> list[Any]:
    kept: list[Any] = []
    for element in as_list(value, "Cannot find uniq on type"):
        meter.step(len(kept))
        if not any(identical(element, known, meter) for known in kept):
            kept.append(element)
    return kept


def _without(meter: Meter, value: Any, *unwanted: Any) -> list[Any]:
    elements = as_list(value, "Cannot find without on type")
    meter.step(len(elements) * len(unwanted))
    return [each for each in elements if not any(identical(each, other, meter) for other in unwanted)]


def _slice(value: Any, *bounds: Any) -> Any:
    elements = as_list(value, "list should be type of slice or array but")
    if not elements:
        return None
    start = to_int(bounds[0]) if bounds else 0
    end = to_int(bounds[1]) if len(bounds) > 1 else len(elements)
    if not 0 <= start <= end <= len(elements):
        raise Fault("reflect.Value.Slice: slice index out of bounds")
    return elements[start:end]


def _chunk(size: int, value: Any) -> list[list[Any]]:
    elements = as_list(value, "Cannot chunk type")
    if size <= 0:
        raise Fault("chunk needs a positive size")
    return [elements[at : at + size] for at in range(0, len(elements), size)]


def _concat(meter: Meter, *lists: Any) -> list[Any]:
    checked = [as_list(each, "Cannot concat as list the type") for each in lists]
    meter.make(sum(map(len, checked)))
    return [element for each in checked for element in each]


def _dict(*parts: Any) -> dict[str, Any]:
    return {to_text(parts[at]): parts[at + 1] if at + 1 < len(parts) else "" for at in range(0, len(parts), 2)}


def _dig(*parts: Any) -> Any:
    if len(parts) < 3:
        raise Fault("dig needs at least three arguments")
    *keys, default, current = parts
    for index, key in enumerate(keys):
        if not isinstance(key, str) or not isinstance(current, Mapping):
            wanted = "map[string]interface {}" if isinstance(key, str) else "string"
            raise Fault(f"interface conversion: interface {{}} is {kind(current)}, not {wanted}")
        if key not in current:
            return default
        current = current[key]
        if index == len(keys) - 1:
            break
    return current


def _merge(*, overwrite: bool) -> Function:
    def two(target: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
        merged = dict(target)
        for key, value in source.items():
            old = merged.get(key)
            if isinstance(old, Mapping) and isinstance(value, Mapping):
                merged[key] = two(old, value)
            elif key not in merged or (not empty(value) if overwrite else empty(old)):
                merged[key] = value
        return merged

    def apply(meter: Meter, target: Mapping[str, Any], *sources: Mapping[str, Any]) -> dict[str, Any]:
        meter.weigh([target, *sources])
        for source in sources:
            target = two(target, source)
        return dict(target)

    return apply


def _sort_alpha(meter: Meter, value: Any) -> list[str]:
    meter.weigh(value)
    return sorted(to_texts(value), key=lambda text: text.encode("utf-8", "surrogatepass"))


_LISTS: dict[str, tuple[str, Function]] = {
    **dict.fromkeys(["list", "tuple"], ("A", plain(lambda *elements: list(elements)))),
    "first": ("a", _end(0, "first")),
    "last": ("a", _end(-1, "last")),
    "rest": ("a", _part("rest", lambda elements: elements[1:] if elements else None)),
    "initial": ("a", _part("initial", lambda elements: elements[:-1] if elements else None)),
    "reverse": ("a", _part("reverse", lambda elements: elements[::-1])),
    "compact": ("a", _part("compact", lambda elements: [each for each in elements if not empty(each)])),
    **dict.fromkeys(
        ["append", "push"], ("aa", plain(lambda value, new: [*as_list(value, "Cannot push on type"), new]))
    ),
    "prepend": ("aa", plain(lambda value, new: [new, *as_list(value, "Cannot prepend on type")])),
    "uniq": ("a", _uniq),
    "without": ("aA", _without),
    "has": ("aa", _has),
    "slice": ("aA", plain(_slice)),
    "chunk": ("ia", plain(_chunk)),
}
# Each of these has a second name that reports mistakes as errors; here the first one does so too.
_MUST = {f"must{name[0].upper()}{name[1:]}": entry for name, entry in _LISTS.items() if name not in {"list", "tuple"}}

COLLECTIONS: dict[str, tuple[str, Function]] = {
    **_LISTS,
    **_MUST,
    "concat": ("A", _concat),
    "sortAlpha": ("a", _sort_alpha),
    "toStrings": ("a", lambda meter, value: (meter.weigh(value), to_texts(value))[1]),
    "dict": ("A", plain(_dict)),
    "get": ("ms", plain(lambda value, key: value.get(key, ""))),
    "set": ("msa", plain(lambda value, key, entry: {**value, key: entry})),
    "unset": ("ms", plain(lambda value, key: {k: v for k, v in value.items() if k != key})),
    "hasKey": ("ms", plain(lambda value, key: key in value)),
    "pluck": ("sM", plain(lambda key, *maps: [each[key] for each in maps if key in each])),
    "keys": ("M", plain(lambda *maps: [key for each in maps for key, _ in sorted_items(each)])),
    "values": ("m", plain(lambda value: [entry for _, entry in sorted_items(value)])),
    "pick": ("mS", plain(lambda value, *keys: {key: value[key] for key in keys if key in value})),
    "omit": ("mS", plain(lambda value, *keys: {k: v for k, v in value.items() if k not in keys})),
    "dig": ("A", plain(_dig)),
    **dict.fromkeys(["merge", "mustMerge"], ("mM", _merge(overwrite=False))),
    **dict.fromkeys(["mergeOverwrite", "mustMergeOverwrite"], ("mM", _merge(overwrite=True))),
    **dict.fromkeys(["deepCopy", "mustDeepCopy"], ("a", plain(lambda value: value))),
}

"""A loop is a list of items, each with its text, its part of a node's name, and the variables it sets.

`withItems` is a literal list, `withParam` JSON text, `withSequence` numbers run through a printf format. An item's text
is its own JSON spelling, because names of nodes and values of parameters are made from it: `1.0` of a JSON text stays
`1.0`, that of a spec is `1`, as an API server keeps it. The keys of a map are sorted, but not those of what is inside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.language.gotext import sprintf
from actors.language.jsontext import RawNumber, dumps, loads_raw

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_PARENTHESES = str.maketrans("", "", "()")
EXACT_BELOW = 1e21  # JSON writes larger ones with an exponent
DIGITS_MAX = 19  # of an integer that upstream reads
ITEMS_MAX = 100_000  # each becomes a node; a longer loop is a slip of the keyboard


class _Bound:
    """How many items a loop may have in this process."""

    items = ITEMS_MAX


_bound = _Bound()


def limit_items(most: int) -> None:
    """Set how many items a loop may have, for the whole process, before anything is expanded."""
    _bound.items = most


class LoopError(ValueError):
    """A loop that cannot be expanded; the text says which value is wrong."""


@dataclass(frozen=True, slots=True)
class Item:
    """One iteration: what it is, what `{{item}}` becomes, and what stands after the index in the node's name."""

    value: Any
    text: str
    description: str
    variables: dict[str, str]


def is_loop(step: Mapping[str, Any]) -> bool:
    """Tell whether a step or task has a loop; an empty `withItems` or `withParam` counts as none."""
    return bool(step.get("withItems")) or bool(step.get("withParam")) or step.get("withSequence") is not None


def expand(step: Mapping[str, Any]) -> list[Item] | None:
    """List the iterations of a step or task whose tags are already substituted; None when it has no loop.

    Raises LoopError with upstream's message for text that is not a JSON list and for bounds that are not integers, and
    for more items than may be.
    """
    if step.get("withItems"):
        values: Sequence[Any] = [_as_kept(value) for value in step["withItems"]]
    elif step.get("withParam"):
        values = _from_text(step["withParam"])
    elif step.get("withSequence") is not None:
        values = _sequence(step["withSequence"])
    else:
        return None
    _bounded(len(values), "the loop")
    return [_item(value) for value in values]


def _bounded(length: int, loop: str) -> None:
    if length > _bound.items:
        raise LoopError(f"{loop} makes {length} items, more than {_bound.items}: split the loop")


def _as_kept(value: Any) -> Any:
    """A literal of a spec as it comes back from an API server, which keeps 1.0 as 1 and keys in their order."""
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_BELOW:
        return int(value)
    if isinstance(value, dict):
        return {key: _as_kept(value[key]) for key in sorted(value)}
    return [_as_kept(entry) for entry in value] if isinstance(value, list) else value


def _from_text(text: str) -> list[Any]:
    failed = f"withParam value could not be parsed as a JSON list: {text.strip()}: "
    try:
        value = loads_raw(text)
    except ValueError as error:
        raise LoopError(f"{failed}{error}") from None
    if value is None:
        return []
    if not isinstance(value, list):
        raise LoopError(f"{failed}json: cannot unmarshal {_json_kind(value)} into Go value of type []v1alpha1.Item")
    return value


def _json_kind(value: Any) -> str:
    if isinstance(value, dict):
        return "object"
    if isinstance(value, str):
        return "string"
    return "bool" if isinstance(value, bool) else "number"


def _sequence(sequence: Mapping[str, Any]) -> list[str]:
    start = _integer(sequence.get("start"), 0)
    if sequence.get("end") is not None:
        end = _integer(sequence["end"], 0)
    elif sequence.get("count") is not None:
        count = _integer(sequence["count"], 0)
        if count == 0:
            return []
        end = start + count - 1
    else:
        raise LoopError("neither end nor count was specified in withSequence")
    _bounded(abs(end - start) + 1, "withSequence")
    numbers = range(start, end + 1) if start <= end else range(start, end - 1, -1)
    pattern = sequence.get("format") or "%d"
    if pattern == "%d":
        return [str(number) for number in numbers]
    return [_formatted(pattern, number) for number in numbers]


def _formatted(pattern: str, number: int) -> str:
    text = sprintf(pattern, [number])
    try:
        return str(loads_raw(f'"{text}"'))  # upstream reads the formatted text as a JSON string
    except ValueError as error:
        raise LoopError(f"withSequence format '{pattern}' does not make a JSON string: {error}") from None


def _integer(value: Any, default: int) -> int:
    if value is None:
        return default
    text = str(value)
    if not _INTEGER.fullmatch(text):
        raise LoopError(f'strconv.Atoi: parsing "{text}": invalid syntax')
    if len(text.lstrip("+-0")) >= DIGITS_MAX:
        raise LoopError(f'strconv.Atoi: parsing "{text}": value out of range')
    return int(text)


def _item(value: Any) -> Item:
    if isinstance(value, dict):
        inner = {key: printed(entry) for key, entry in value.items()}
        text = dumps(_spelled(dict(sorted(value.items()))), sort=False)
        description = ",".join(sorted(f"{key}:{entry}" for key, entry in inner.items()))
        variables = {f"item.{key}": entry for key, entry in inner.items()}
    elif isinstance(value, list):
        text, description, variables = dumps(_spelled(value), sort=False), f"[{' '.join(map(printed, value))}]", {}
    elif value is None:  # upstream reads null as a list without elements
        text, description, variables = "null", "[]", {}
    else:
        description = printed(value)
        text, variables = value if isinstance(value, str) else description, {}
    return Item(value, text, description.translate(_PARENTHESES), {"item": text, **variables})


def printed(value: Any) -> str:
    """Write an element as upstream prints one: a string is its JSON spelling without the quotes, escapes included."""
    text = dumps(_spelled(value), html=False, sort=False)
    return text[1:-1] if isinstance(value, str) else text


def _spelled(value: Any) -> Any:
    """Give floats that were parsed by others the spelling JSON had for them: with a decimal point."""
    if isinstance(value, float) and not isinstance(value, RawNumber):
        return RawNumber(repr(value))
    if isinstance(value, dict):
        return {key: _spelled(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_spelled(entry) for entry in value]
    return value

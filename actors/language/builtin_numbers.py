"""Functions on numbers and on types."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any

from actors.language.budget import Meter
from actors.language.faults import Fault
from actors.language.gotext import go_type
from actors.language.operators import is_number, less, to_int, wrap

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)", re.ASCII | re.I)
_SHIFT_MAX = 64


def as_int(value: Any) -> int:
    """Make an integer of a number (cut) or of decimal text. Raises Fault."""
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
            raise Fault(f"invalid operation: int({value})")
        return int(value)
    return to_int(value)


def as_float(value: Any) -> float:
    """Make a float of a number or of text. Raises Fault."""
    if isinstance(value, str):
        text = value.replace("_", "") if value[:2].lower() == "0x" else value
        if _FLOAT.fullmatch(text):
            return float(text)
        if text.lower().lstrip("+-").startswith("0x") and "p" in text.lower():
            return float.fromhex(text)
        raise Fault(f"invalid operation: float({value})")
    if not is_number(value):
        raise Fault(f"invalid operation: float({go_type(value)})")
    return float(value)


def type_name(value: Any) -> str:
    """Name a value's type as the language does."""
    if value is None:
        return "nil"
    if isinstance(value, datetime):
        return "time.Time"
    if isinstance(value, timedelta):
        return "time.Duration"
    names = ((bool, "bool"), (int, "int"), (float, "float"), (str, "string"), (dict, "map"), (tzinfo, "struct"))
    for kind, name in names:
        if isinstance(value, kind):
            return name
    return "array" if isinstance(value, (list, tuple, bytes)) else "func"


def _length(value: Any) -> int:
    if not isinstance(value, (str, list, tuple, dict, bytes)):
        raise Fault(f"invalid argument for len (type {go_type(value)})")
    return len(value)


def _absolute(value: Any) -> Any:
    if not is_number(value):
        raise Fault(f"invalid argument for abs (type {go_type(value)})")
    return abs(value) if isinstance(value, float) else wrap(abs(value))


def _rounding(name: str, compute: Callable[[float], float]) -> Callable[..., float]:
    def apply(_meter: Meter, value: Any) -> float:
        if not is_number(value):
            raise Fault(f"invalid argument for {name} (type {go_type(value)})")
        number = float(value)
        return compute(number) if math.isfinite(number) else number

    return apply


def half_away(number: float) -> float:
    """Round half away from zero, as Go does."""
    cut = math.trunc(number)
    return float(cut + math.copysign(1, number)) if abs(number - cut) >= 0.5 else math.copysign(float(cut), number)


def _flat_numbers(name: str, meter: Meter, values: Any) -> Iterator[Any]:
    """Walk numbers in lists of any depth. Raises Fault for anything else among them."""
    meter.weigh(values)
    stack = [iter(values)]
    while stack:
        value = next(stack[-1], stack)
        if value is stack:
            stack.pop()
        elif isinstance(value, (list, tuple)):
            stack.append(iter(value))
        elif is_number(value):
            yield value
        else:
            raise Fault(f"invalid argument for {name} (type {go_type(value)})")


def _extreme(name: str, *, largest: bool) -> Callable[..., Any]:
    def apply(meter: Meter, *values: Any) -> Any:
        if len(values) == 1 and not isinstance(values[0], (list, tuple)) and not is_number(values[0]):
            return values[0]
        best: Any = None
        for value in _flat_numbers(name, meter, values):
            if best is None or (less(best, value) if largest else less(value, best)):
                best = value
        return best

    return apply


def _mean(meter: Meter, *values: Any) -> float:
    numbers = [float(value) for value in _flat_numbers("mean", meter, values)]
    return sum(numbers) / len(numbers) if numbers else 0.0


def _median(meter: Meter, *values: Any) -> float:
    numbers = sorted(float(value) for value in _flat_numbers("median", meter, values))
    if not numbers:
        return 0.0
    middle = len(numbers) // 2
    return numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2


def _bits(name: str, compute: Callable[[int, int], int]) -> Callable[..., int]:
    def apply(_meter: Meter, a: int, b: int) -> int:
        if "sh" in name and b < 0:
            raise Fault(f"invalid operation: negative shift count {b} (type int)")
        return wrap(compute(a, b))

    return apply


_BIT_FUNCTIONS: dict[str, Callable[[int, int], int]] = {
    "bitand": lambda a, b: a & b,
    "bitor": lambda a, b: a | b,
    "bitxor": lambda a, b: a ^ b,
    "bitnand": lambda a, b: a & ~b,
    "bitshl": lambda a, b: 0 if b >= _SHIFT_MAX else a << b,
    "bitshr": lambda a, b: a >> min(b, _SHIFT_MAX),
    "bitushr": lambda a, b: (a % 2**64) >> min(b, _SHIFT_MAX),
}

NUMBERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "len": ("a", lambda _meter, value: _length(value)),
    "type": ("a", lambda _meter, value: type_name(value)),
    "int": ("a", lambda _meter, value: as_int(value)),
    "float": ("a", lambda _meter, value: as_float(value)),
    "abs": ("a", lambda _meter, value: _absolute(value)),
    "ceil": ("a", _rounding("ceil", lambda number: float(math.ceil(number)))),
    "floor": ("a", _rounding("floor", lambda number: float(math.floor(number)))),
    "round": ("a", _rounding("round", half_away)),
    "max": ("aA", _extreme("max", largest=True)),
    "min": ("aA", _extreme("min", largest=False)),
    "mean": ("aA", _mean),
    "median": ("aA", _median),
    "bitnot": ("i", lambda _meter, value: ~value),
    **{name: ("ii", _bits(name, compute)) for name, compute in _BIT_FUNCTIONS.items()},
}

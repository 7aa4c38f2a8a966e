"""Sprig's functions on numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from actors.language.budget import Meter
from actors.language.faults import Fault
from actors.language.gotext import printed
from actors.language.native import plain
from actors.language.operators import quotient, remainder, wrap
from actors.language.sprig_values import to_float, to_int

_OCTAL = re.compile(r"[+-]?[0-7]+", re.ASCII)
_ATOI = re.compile(r"[+-]?[0-9]+", re.ASCII)
_PLACES = Decimal(1).scaleb(-16)  # of a division's result


def _sum(*values: Any) -> int:
    total = 0
    for value in values:
        total = wrap(total + to_int(value))
    return total


def _product(first: Any, *values: Any) -> int:
    total = to_int(first)
    for value in values:
        total = wrap(total * to_int(value))
    return total


def _decimals(compute: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., float]:
    """Compute floats as the decimals they are written as: 0.1 + 0.2 is 0.3."""

    def apply(_meter: Meter, first: Any, *values: Any) -> float:
        total = Decimal(repr(to_float(first)))
        with localcontext() as context:
            context.prec = 60
            for value in values:
                total = compute(total, Decimal(repr(to_float(value))))
        return float(total)

    return apply


def _ratio(a: Decimal, b: Decimal) -> Decimal:
    if not b:
        raise Fault("decimal division by 0")
    result = a / b
    return result.quantize(_PLACES, rounding=ROUND_HALF_UP) if abs(result) < Decimal("1e40") else result


def _rounded(value: Any, places: int, round_on: float = 0.5) -> float:
    factor = math.pow(10, places)
    digits = factor * to_float(value)
    if not math.isfinite(digits):
        return digits
    part = math.modf(digits)[0]
    return (math.ceil(digits) if part >= round_on else math.floor(digits)) / factor


def _steps(meter: Meter, start: int, stop: int, step: int) -> list[int]:
    if step == 0 or (stop < start) == (step > 0):
        return []
    numbers = range(start, stop, step)
    meter.make(len(numbers))
    return list(numbers)


def _until(meter: Meter, count: int) -> list[int]:
    return _steps(meter, 0, count, -1 if count < 0 else 1)


def _sequence(meter: Meter, *bounds: int) -> str:
    if not 1 <= len(bounds) <= 3:
        return ""
    start, end = (1, bounds[0]) if len(bounds) == 1 else (bounds[0], bounds[-1])
    direction = -1 if end < start else 1
    step = bounds[1] if len(bounds) == 3 else direction
    if len(bounds) == 3 and end < start and step > 0:
        return ""
    return " ".join(map(str, _steps(meter, start, end + direction, step)))


def _extreme(pick: Callable[..., Any], convert: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda _meter, *values: pick(convert(value) for value in values)


def _whole(rounding: Callable[[float], int]) -> Callable[..., float]:
    def apply(_meter: Meter, value: Any) -> float:
        number = to_float(value)
        return float(rounding(number)) if math.isfinite(number) else number

    return apply


def _octal(value: Any) -> int:
    text = printed(value)
    return int(text, 8) if _OCTAL.fullmatch(text) else 0


def _atoi(text: str) -> int:
    number = int(text) if _ATOI.fullmatch(text) else 0
    return max(-(2**63), min(2**63 - 1, number))


def _random_int(meter: Meter, least: int, below: int) -> int:
    if below <= least:
        raise Fault("invalid argument to Intn")
    return meter.chance("sprig.randInt").randrange(least, below)


NUMBERS: dict[str, tuple[str, Callable[..., Any]]] = {
    "add": ("A", plain(_sum)),
    "add1": ("a", plain(lambda value: wrap(to_int(value) + 1))),
    "sub": ("aa", plain(lambda a, b: wrap(to_int(a) - to_int(b)))),
    "mul": ("aA", plain(_product)),
    "div": ("aa", plain(lambda a, b: quotient(to_int(a), to_int(b)))),
    "mod": ("aa", plain(lambda a, b: remainder(to_int(a), to_int(b)))),
    "add1f": ("a", lambda meter, value: _decimals(Decimal.__add__)(meter, value, 1)),
    "addf": ("A", lambda meter, *values: _decimals(Decimal.__add__)(meter, 0.0, *values)),
    "subf": ("aA", _decimals(Decimal.__sub__)),
    "mulf": ("aA", _decimals(Decimal.__mul__)),
    "divf": ("aA", _decimals(_ratio)),
    **dict.fromkeys(["max", "biggest"], ("aA", _extreme(max, to_int))),
    "min": ("aA", _extreme(min, to_int)),
    "maxf": ("aA", _extreme(max, to_float)),
    "minf": ("aA", _extreme(min, to_float)),
    "ceil": ("a", _whole(math.ceil)),
    "floor": ("a", _whole(math.floor)),
    "round": ("ai?n", plain(_rounded)),
    "int": ("a", plain(to_int)),
    "int64": ("a", plain(to_int)),
    "float64": ("a", plain(to_float)),
    "atoi": ("s", plain(_atoi)),
    "toDecimal": ("a", plain(_octal)),
    "until": ("i", _until),
    "untilStep": ("iii", _steps),
    "seq": ("I", _sequence),
    "randInt": ("ii", _random_int),
}

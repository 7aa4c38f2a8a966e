"""Operators do what Go does: integers wrap at 64 bits, `/` gives a float, kinds do not mix unless both are numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from actors.language.budget import Meter
from actors.language.faults import Fault
from actors.language.go_time import attribute
from actors.language.gotext import go_type, printed
from actors.language.regex import RegexError, compile_regex

Operator = Callable[[Any, Any, Meter], Any]


def wrap(value: int) -> int:
    """Keep an integer in 64 bits, as Go does on overflow."""
    if -(2**63) <= value < 2**63:
        return value
    return (value + 2**63) % 2**64 - 2**63


def is_number(value: Any) -> bool:
    """Tell whether a value is an integer or a float (true and false are neither)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def to_int(value: Any) -> int:
    """Turn a number into an integer, cutting a float. Raises Fault for everything else, text included."""
    if not is_number(value):
        raise Fault(f"invalid operation: int({go_type(value)})")
    if isinstance(value, float):
        return int(value) if -(2.0**63) <= value < 2.0**63 else -(2**63)
    return int(value)


def to_float(value: Any) -> float:
    """Turn a number into a float. Raises Fault for everything else."""
    if not is_number(value):
        raise Fault(f"invalid operation: float({go_type(value)})")
    return float(value)


def is_true(value: Any) -> bool:
    """Insist on true or false. Raises Fault for everything else: nothing is true by being there."""
    if not isinstance(value, bool):
        raise Fault(f"interface conversion: interface {{}} is {go_type(value)}, not bool")
    return value


def equal(a: Any, b: Any, meter: Meter) -> bool:
    """Compare as `==` does: numbers by value, everything else only with its own kind."""
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and a == b
    if is_number(a) and is_number(b):
        return bool(a == b)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        meter.step(len(a))
        return len(a) == len(b) and all(equal(x, y, meter) for x, y in zip(a, b, strict=True))
    return identical(a, b, meter)


def identical(a: Any, b: Any, meter: Meter) -> bool:
    """Compare deeply without bending kinds: 1 and 1.0 differ."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        meter.step(len(a))
        return a.keys() == b.keys() and all(identical(a[key], b[key], meter) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        meter.step(len(a))
        return len(a) == len(b) and all(identical(x, y, meter) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return a == b
    return type(a) is type(b) and bool(a == b)


def ordered(a: Any, b: Any) -> bool:
    """Tell whether two values have an order between them."""
    return (
        (is_number(a) and is_number(b))
        or (isinstance(a, str) and isinstance(b, str))
        or (isinstance(a, datetime) and isinstance(b, datetime))
        or (isinstance(a, timedelta) and isinstance(b, timedelta))
    )


def less(a: Any, b: Any) -> bool:
    """Compare as `<` does. Raises Fault for values of different kinds."""
    if not ordered(a, b):
        raise _undefined("<", a, b)
    if isinstance(a, str) and isinstance(b, str) and not (a.isascii() and b.isascii()):
        return a.encode("utf-8", "surrogatepass") < b.encode("utf-8", "surrogatepass")  # Go compares bytes
    return bool(a < b)


def _undefined(symbol: str, a: Any, b: Any) -> Fault:
    return Fault(f"invalid operation: {go_type(a)} {symbol} {go_type(b)}")


def _comparison(symbol: str) -> Operator:
    def compare(a: Any, b: Any, meter: Meter) -> bool:
        if not ordered(a, b):
            raise _undefined(symbol, a, b)
        if symbol == "<":
            return less(a, b)
        if symbol == ">":
            return less(b, a)
        first, second = (a, b) if symbol == "<=" else (b, a)
        return less(first, second) or equal(first, second, meter)

    return compare


def _add(a: Any, b: Any, meter: Meter) -> Any:
    if isinstance(a, str) and isinstance(b, str):
        meter.make(len(a) + len(b))
        return a + b
    if is_number(a) and is_number(b):
        return _number(a + b)
    moments = (isinstance(a, datetime), isinstance(b, datetime))
    spans = (isinstance(a, timedelta), isinstance(b, timedelta))
    if all(spans) or (moments[0] and spans[1]) or (spans[0] and moments[1]):
        return _in_time(lambda: a + b)
    raise _undefined("+", a, b)


def _subtract(a: Any, b: Any, _meter: Meter) -> Any:
    if is_number(a) and is_number(b):
        return _number(a - b)
    if isinstance(a, datetime) and isinstance(b, (datetime, timedelta)):
        return _in_time(lambda: a - b)
    if isinstance(a, timedelta) and isinstance(b, timedelta):
        return _in_time(lambda: a - b)
    raise _undefined("-", a, b)


def _multiply(a: Any, b: Any, _meter: Meter) -> Any:
    if is_number(a) and is_number(b):
        return _number(a * b)
    if (isinstance(a, timedelta) and is_number(b)) or (is_number(a) and isinstance(b, timedelta)):
        return _in_time(lambda: a * b)
    raise _undefined("*", a, b)


def _number(value: Any) -> Any:
    return value if isinstance(value, float) else wrap(value)


def _in_time(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except (OverflowError, ValueError):
        raise Fault("the time is out of range") from None


def _divide(a: Any, b: Any, _meter: Meter) -> float:
    if not (is_number(a) and is_number(b)):
        raise _undefined("/", a, b)
    return divide(float(a), float(b))


def divide(a: float, b: float) -> float:
    """Divide floats as IEEE 754 has it: by zero gives an infinity or NaN, never an error."""
    if b:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _modulo(a: Any, b: Any, _meter: Meter) -> int:
    whole = isinstance(a, int) and isinstance(b, int) and not isinstance(a, bool) and not isinstance(b, bool)
    if not whole:
        raise _undefined("%", a, b)
    return remainder(a, b)


def remainder(a: int, b: int) -> int:
    """Take the remainder with the sign of the dividend. Raises Fault for zero."""
    if b == 0:
        raise Fault("runtime error: integer divide by zero")
    return a - b * quotient(a, b)


def quotient(a: int, b: int) -> int:
    """Divide integers, cutting towards zero. Raises Fault for zero."""
    if b == 0:
        raise Fault("runtime error: integer divide by zero")
    size = abs(a) // abs(b)
    return wrap(size if (a < 0) == (b < 0) else -size)


def power(a: float, b: float) -> float:
    """Raise a float to a power as Go's math.Pow: too large is an infinity, no real result is NaN."""
    try:
        return math.pow(a, b)
    except OverflowError:
        return -math.inf if a < 0 and b % 2 == 1 else math.inf
    except ValueError:
        return math.nan if a else math.inf


def _range(a: Any, b: Any, meter: Meter) -> list[int]:
    first, last = to_int(a), to_int(b)
    meter.make(max(0, last - first + 1))
    return list(range(first, last + 1))


def contained(needle: Any, haystack: Any, meter: Meter) -> bool:
    """Look for an element in a list, or a key in a map. Raises Fault for other haystacks, text among them."""
    if haystack is None:
        return False
    if isinstance(haystack, (list, tuple)):
        meter.step(len(haystack))
        return any(equal(each, needle, meter) for each in haystack)
    if isinstance(haystack, Mapping):
        return isinstance(needle, (str, int, float)) and needle in haystack
    raise Fault(f'operator "in" not defined on {go_type(haystack)}')


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise Fault(f"interface conversion: interface {{}} is {go_type(value)}, not string")


def matches(a: Any, b: Any, meter: Meter) -> bool:
    """Search text for a pattern. Raises Fault for a pattern RE2 refuses."""
    if a is None or b is None:
        return False
    text = a.decode("utf-8", "replace") if isinstance(a, bytes) else _text(a)
    meter.step(len(text) // 64)
    try:
        return compile_regex(_text(b)).search(text) is not None
    except RegexError as error:
        raise Fault(str(error)) from None


def _on_text(test: Callable[[str, str], bool]) -> Operator:
    def apply(a: Any, b: Any, meter: Meter) -> bool:
        if a is None or b is None:
            return False
        meter.step(len(a) // 64 if isinstance(a, str) else 1)
        return test(_text(a), _text(b))

    return apply


BINARY: dict[str, Operator] = {
    "==": equal,
    "!=": lambda a, b, meter: not equal(a, b, meter),
    "<": _comparison("<"),
    ">": _comparison(">"),
    "<=": _comparison("<="),
    ">=": _comparison(">="),
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
    "**": lambda a, b, _meter: power(to_float(a), to_float(b)),
    "^": lambda a, b, _meter: power(to_float(a), to_float(b)),
    "..": _range,
    "in": contained,
    "matches": matches,
    "contains": _on_text(lambda a, b: b in a),
    "startsWith": _on_text(str.startswith),
    "endsWith": _on_text(str.endswith),
}


def negate(value: Any) -> Any:
    """Turn a number's sign. Raises Fault for everything else."""
    if isinstance(value, timedelta):
        return -value
    if not is_number(value):
        raise Fault(f"invalid operation: - {go_type(value)}")
    return _number(-value)


def fetch(of: Any, key: Any) -> Any:
    """Take an element, a key (nil when the map lacks it), or a method of a time. Raises Fault."""
    if isinstance(of, Mapping):
        return of.get(key) if isinstance(key, (str, int, float)) or key is None else None
    if isinstance(of, (list, tuple, str, bytes)):
        elements = of.encode() if isinstance(of, str) else of
        index = to_int(key)
        if not -len(elements) <= index < len(elements):
            shown = index + len(elements) if index < 0 else index
            raise Fault(f"index out of range: {shown} (array length is {len(elements)})")
        return elements[index]
    if isinstance(of, (datetime, timedelta)) and isinstance(key, str):
        method = attribute(of, key)
        if method is not None:
            return method
    raise Fault(f"cannot fetch {printed(key)} from {go_type(of)}")


def get(of: Any, key: Any) -> Any:
    """Take an element or key, or nil when there is none."""
    try:
        return fetch(of, key)
    except Fault:
        if isinstance(of, (list, tuple, str, bytes)) and not is_number(key):
            raise
        return None


def cut(of: Any, start: Any, end: Any, meter: Meter) -> Any:
    """Take a slice; text is cut by bytes, as Go does. Raises Fault for what cannot be sliced."""
    if not isinstance(of, (list, tuple, str, bytes)):
        raise Fault(f"cannot slice {printed(start)}")
    elements = of.encode("utf-8", "surrogatepass") if isinstance(of, str) and not of.isascii() else of
    length = len(elements)
    first, last = to_int(start), length if end is None else to_int(end)
    first = max(0, first + length if first < 0 else first)
    last = min(length, max(0, last + length if last < 0 else last))
    part = elements[min(first, last) : last]
    meter.make(len(part))
    if isinstance(of, str) and isinstance(part, bytes):
        return part.decode("utf-8", "replace")
    return part

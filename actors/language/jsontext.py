"""JSON text is written the way Go writes it: sorted keys, no spaces, `<>&` escaped, floats in shortest form.

A parameter that holds JSON is text to its consumer, so a different spelling of the same value is a different value.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

_SPACES = " \t\n\r"
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_ALWAYS = re.compile('["\\\\\x00-\x1f\u2028\u2029\ud800-\udfff]')
_WITH_HTML = re.compile('["\\\\<>&\x00-\x1f\u2028\u2029\ud800-\udfff]')
_NESTING_MAX = 200  # a deeper value is refused before Python's own stack is the limit


class RawNumber(float):
    """A JSON number that remembers its spelling: `1.0` stays `1.0`, and a long integer keeps its digits."""

    text: str

    def __new__(cls, text: str) -> RawNumber:
        number = super().__new__(cls, text)
        number.text = text
        return number


def loads(text: str) -> Any:
    """Read JSON as Go does: a number is a float. Raises ValueError with Go's wording for the common mistakes."""
    return _loads(text, float)


def loads_raw(text: str) -> Any:
    """Read JSON and keep the spelling of each number. Raises ValueError as `loads` does."""
    return _loads(text, RawNumber)


def _loads(text: str, number: Callable[[str], float]) -> Any:
    try:
        return json.loads(text, parse_float=number, parse_int=number, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise ValueError(_mistake(text, error)) from None
    except RecursionError:
        raise ValueError("exceeded max depth") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"invalid character '{name.lstrip('-')[0]}' looking for beginning of value")


def _mistake(text: str, error: json.JSONDecodeError) -> str:
    """Say what is wrong in the words of Go's decoder, where Python's says enough to know."""
    rest = text[error.pos :].lstrip(_SPACES)
    if error.msg.startswith("Illegal trailing comma"):  # Python 3.13 points at the comma, Go at what follows it
        rest = rest[1:].lstrip(_SPACES)
        key = error.msg.endswith("object")
        where = "looking for beginning of object key string" if key else "looking for beginning of value"
        return f"invalid character {_quoted(rest[0])} {where}" if rest else "unexpected end of JSON input"
    if not rest or error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    literal = {"t": "true", "f": "false", "n": "null", "-": "-"}.get(rest[0])
    if error.msg == "Expecting value" and literal is not None:
        return _literal_mistake(rest, literal)
    where = {
        "Extra data": "after top-level value",
        "Expecting ',' delimiter": _after(text, error.pos),
        "Expecting ':' delimiter": "after object key",
        "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
        "Invalid control character at": "in string literal",
    }.get(error.msg, "looking for beginning of value")
    if error.msg.startswith("Invalid \\escape"):
        rest, where = rest[1:] or " ", "in string escape code"
    return f"invalid character {_quoted(rest[0])} {where}"


def _literal_mistake(rest: str, literal: str) -> str:
    at = next((i for i, wanted in enumerate(literal) if rest[i : i + 1] != wanted), len(literal))
    found = _quoted(rest[at : at + 1] or " ")
    if literal == "-":
        return f"invalid character {found} in numeric literal"
    return f"invalid character {found} in literal {literal} (expecting '{literal[at]}')"


def _after(text: str, position: int) -> str:
    """Tell whether a place is in a list or in an object, by the last bracket that is still open."""
    depth = 0
    for character in reversed(text[:position]):
        depth += (character in "]}") - (character in "[{")
        if depth < 0:
            return "after array element" if character == "[" else "after object key:value pair"
    return "after array element"


def _quoted(character: str) -> str:
    return {"'": "'\\''", "\\": "'\\\\'", "\n": "'\\n'", "\t": "'\\t'"}.get(character, f"'{character}'")


def dumps(value: Any, *, html: bool = True, indent: str = "", sort: bool = True) -> str:
    """Write a value as Go's encoder does; html=False keeps `<>&` as they are, indent spreads it over lines. sort=False
    leaves keys in their order, as Go does of JSON that it has not looked into.

    Raises ValueError for what JSON cannot hold: a function, NaN, an infinity, more than 200 levels.
    """
    return _dump(value, _Style(_WITH_HTML if html else _ALWAYS, indent, sort=sort), 0)


PARAMETER = ("name", "default", "value", "valueFrom", "globalName", "enum", "description")
"""The fields of a parameter, in the order in which Go's encoder writes them."""


def dumps_records(records: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> str:
    """Write a list of objects as Go's encoder does: the fields in the order of their type, not of the alphabet; what
    an object does not have is left out. Raises ValueError as `dumps`."""
    written = [
        ",".join(f"{dumps(field)}:{dumps(record[field])}" for field in fields if field in record) for record in records
    ]
    return f"[{','.join(f'{{{one}}}' for one in written)}]"


def parameters_text(parameters: Sequence[Mapping[str, Any]]) -> str:
    """All parameters as JSON text, their values and choices as text."""
    plain = [
        {
            **entry,
            **{key: parameter_text(entry[key]) for key in ("default", "value", "description") if key in entry},
            **({"enum": [parameter_text(choice) for choice in entry["enum"]]} if entry.get("enum") else {}),
        }
        for entry in parameters
    ]
    return dumps_records(plain, PARAMETER)


class _Style:
    """How text is escaped, lines are broken and keys are ordered."""

    __slots__ = ("escape", "indent", "sort")

    def __init__(self, escape: re.Pattern[str], indent: str, *, sort: bool) -> None:
        self.escape = escape
        self.indent = indent
        self.sort = sort

    def quote(self, text: str) -> str:
        return f'"{self.escape.sub(_escape, text)}"'

    def block(self, opening: str, items: list[str], closing: str, depth: int) -> str:
        if not self.indent or not items:
            return f"{opening}{','.join(items)}{closing}"
        line = "\n" + self.indent * (depth + 1)
        return f"{opening}{line}{(',' + line).join(items)}\n{self.indent * depth}{closing}"


def _dump(value: Any, style: _Style, depth: int) -> str:
    if depth > _NESTING_MAX:
        raise ValueError(f"json: a value nested deeper than {_NESTING_MAX} levels cannot be written")
    if isinstance(value, str):
        return style.quote(value)
    if isinstance(value, Mapping):
        colon = ": " if style.indent else ":"
        named = ((key_text(key), item) for key, item in value.items())
        pairs = sorted(named) if style.sort else list(named)
        inner = [f"{style.quote(key)}{colon}{_dump(item, style, depth + 1)}" for key, item in pairs]
        return style.block("{", inner, "}", depth)
    if isinstance(value, (list, tuple)):
        return style.block("[", [_dump(item, style, depth + 1) for item in value], "]", depth)
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, RawNumber):
        return value.text
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, bytes):
        return f'"{base64.b64encode(value).decode()}"'
    if isinstance(value, datetime):
        return f'"{time_text(value)}"'
    if isinstance(value, timedelta):
        return str(value // timedelta(microseconds=1) * 1000)
    raise ValueError(f"json: unsupported type: {type(value).__name__}")


def key_text(key: Any) -> str:
    """Write a map's key as JSON must have it: as text."""
    return key if isinstance(key, str) else _scalar(key)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    if "\ud800" <= character <= "\udfff":
        return "\\ufffd"  # half a surrogate pair is not a character
    return _SHORT.get(character) or f"\\u{ord(character):04x}"


def number_text(value: float) -> str:
    """Write a float as Go's JSON does: plain digits between 1e-6 and 1e21, else with a bare exponent.

    Raises ValueError for NaN and infinities.
    """
    if not math.isfinite(value):
        raise ValueError(f"json: unsupported value: {special_float(value)}")
    size = abs(value)
    if size and (size < 1e-6 or size >= 1e21):
        mantissa, _, exponent = repr(value).partition("e")
        if exponent:
            sign = "-" if exponent.startswith("-") else "+"
            return f"{mantissa.removesuffix('.0')}e{sign}{exponent.lstrip('+-').lstrip('0')}"
    return plain_number(value)


def plain_number(value: float) -> str:
    """Write a float in its shortest form without an exponent: `1`, `0.5`, `1000000`."""
    text = repr(float(value))
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text.removesuffix(".0")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    shift = int(exponent)
    digits = whole + fraction
    if shift >= 0:
        return f"{sign}{digits}{'0' * (shift - len(fraction))}"
    return f"{sign}0.{'0' * (-shift - 1)}{digits}"


def special_float(value: float) -> str:
    """Write NaN and the infinities as Go prints them."""
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def time_text(value: datetime) -> str:
    """Write a time as RFC 3339 with as many decimals as it has."""
    text = value.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    if value.microsecond:
        text += f".{value.microsecond:06d}".rstrip("0")
    offset = value.utcoffset() or timedelta()
    if not offset:
        return text + "Z"
    minutes = abs(int(offset.total_seconds())) // 60
    return f"{text}{'-' if offset < timedelta() else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def parameter_text(value: Any) -> str:
    """Write a parameter's value as the text it is stored as: numbers without an exponent, lists and maps as nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):  # upstream's numbers are floats: digits beyond their precision are lost there too
        return str(value) if abs(value) <= 2**53 else plain_number(float(value))
    if isinstance(value, float):
        return plain_number(value)
    return ""

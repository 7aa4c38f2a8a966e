"""Values print as Go prints them: `[a b]`, `map[k:v]`, `<nil>`, and printf with Go's verbs and complaints.

Formats in `withSequence`, `sprig.printf` and messages that quote a value are written for Go's fmt package.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from actors.language.jsontext import key_text, plain_number, special_float
from actors.names.durations import format_nanoseconds

EXPONENT_FROM = 1e6  # where Go begins to write an exponent
WIDTH_MAX = 10_000  # a wider field is somebody's attack, not a table
_VERB = re.compile(r"%([-+# 0]*)(?:\[([0-9]+)\])?([0-9]+|\*)?(?:\.([0-9]+|\*)?)?(?:\[([0-9]+)\])?(.)?", re.DOTALL)
_QUOTE = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def printed(value: Any) -> str:
    """Write a value as `%v` does."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Mapping):
        pairs = sorted((key_text(key), item) for key, item in value.items())
        return f"map[{' '.join(f'{key}:{printed(item)}' for key, item in pairs)}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(map(printed, value))}]"
    if isinstance(value, bytes):
        return f"[{' '.join(map(str, value))}]"
    if isinstance(value, timedelta):
        return format_nanoseconds(value // timedelta(microseconds=1) * 1000)
    if isinstance(value, datetime):
        return _time(value)
    return str(value)


def float_text(value: float) -> str:
    """Write a float as `%v` does: shortest form, with an exponent of two digits below 1e-4 and from 1e6."""
    if not math.isfinite(value):
        return special_float(value)
    size = abs(value)
    if not size or 1e-4 <= size < EXPONENT_FROM:
        return plain_number(value)
    digits = plain_number(size).replace(".", "").strip("0")
    exponent = f"{value:.17e}".partition("e")[2]
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{'-' if value < 0 else ''}{mantissa}e{exponent}"


def _time(value: datetime) -> str:
    fraction = f".{value.microsecond:06d}".rstrip("0") if value.microsecond else ""
    offset = value.strftime("%z") or "+0000"
    return f"{value.strftime('%Y-%m-%d %H:%M:%S')}{fraction} {offset} {value.tzname() or 'UTC'}"


def quoted(text: str) -> str:
    """Write text as a Go string literal, as `%q` does."""
    return '"' + "".join(_quote_character(character) for character in text) + '"'


def _quote_character(character: str) -> str:
    if character in _QUOTE:
        return _QUOTE[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code == 7:
        return "\\a"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@dataclass(frozen=True, slots=True)
class _Verb:
    flags: str
    width: int | None
    precision: int | None
    letter: str

    def pad(self, text: str, *, numeric: bool = False) -> str:
        width = self.width or 0
        if "-" in self.flags:
            return text.ljust(width)
        if "0" in self.flags and numeric and self.precision is None:
            sign, digits = (text[0], text[1:]) if text[:1] in {"-", "+", " "} else ("", text)
            return sign + digits.rjust(width - len(sign), "0")
        return text.rjust(width)

    def signed(self, text: str) -> str:
        if text.startswith("-"):
            return text
        return f"+{text}" if "+" in self.flags else f" {text}" if " " in self.flags else text


def sprintf(pattern: str, arguments: Sequence[Any]) -> str:
    """Format arguments as Go's Sprintf does, its `%!d(string=x)` and `%!(EXTRA …)` complaints included.

    Raises ValueError for a width or precision above 10,000.
    """
    pieces: list[str] = []
    used = position = 0
    reordered = False
    for found in _VERB.finditer(pattern):
        pieces.append(pattern[position : found.start()])
        position = found.end()
        flags, early, width, precision, late, letter = found.groups()
        if letter is None:
            pieces.append("%!(NOVERB)")
            continue
        if letter == "%":
            pieces.append("%")
            continue
        index = early or late
        if index:
            used, reordered = int(index) - 1, True
        size, used = _number(width, arguments, used)
        decimals, used = _number(precision, arguments, used)
        if decimals is None and "." in found.group(0)[:-1]:
            decimals = 0
        if not 0 <= used < len(arguments):
            pieces.append(f"%!{letter}(BADINDEX)" if index else f"%!{letter}(MISSING)")
            continue
        pieces.append(_format(_Verb(flags, size, decimals, letter), arguments[used]))
        used += 1
    pieces.append(pattern[position:])
    if used < len(arguments) and not reordered:
        pieces.append(f"%!(EXTRA {', '.join(f'{go_type(a)}={printed(a)}' for a in arguments[used:])})")
    return "".join(pieces)


def _number(text: str | None, arguments: Sequence[Any], used: int) -> tuple[int | None, int]:
    if text is None:
        return None, used
    if text != "*":
        value = int(text)
    elif used < len(arguments) and isinstance(arguments[used], int):
        value, used = arguments[used], used + 1
    else:
        return None, used + 1
    if value > WIDTH_MAX:
        raise ValueError(f"printf: a width or precision of {value} is more than {WIDTH_MAX}")
    return value, used


def _format(verb: _Verb, value: Any) -> str:
    if verb.letter == "v":
        return _as_v(verb, value)
    if verb.letter == "T":
        return verb.pad(go_type(value))
    if isinstance(value, bool):
        return verb.pad(printed(value)) if verb.letter == "t" else _complaint(verb, value)
    if isinstance(value, int):
        return _integer(verb, value)
    if isinstance(value, float):
        return _float(verb, value)
    if isinstance(value, (str, bytes)):
        return _string(verb, value)
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(_format(verb, item) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = sorted((key_text(key), item) for key, item in value.items())
        return f"map[{' '.join(f'{_format(verb, key)}:{_format(verb, item)}' for key, item in pairs)}]"
    if value is None:
        return f"%!{verb.letter}(<nil>)"
    return verb.pad(printed(value)) if verb.letter == "s" else _complaint(verb, value)


def _as_v(verb: _Verb, value: Any) -> str:
    if "#" in verb.flags and isinstance(value, str):
        return verb.pad(quoted(value))
    if isinstance(value, float):
        return verb.pad(verb.signed(printed(value)), numeric=True)
    return verb.pad(printed(value), numeric=isinstance(value, int) and not isinstance(value, bool))


def _integer(verb: _Verb, value: int) -> str:
    letter = verb.letter
    if letter in "dboxXO":
        base = {"d": "d", "b": "b", "o": "o", "x": "x", "X": "X", "O": "o"}[letter]
        digits = format(abs(value), base)
        if verb.precision is not None:
            digits = digits.rjust(verb.precision, "0")
        prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(letter, "") if "#" in verb.flags else ""
        prefix = "" if letter == "o" and digits.startswith("0") else prefix
        prefix = "0o" if letter == "O" else prefix
        return verb.pad(verb.signed(f"{'-' if value < 0 else ''}{prefix}{digits}"), numeric=True)
    if letter == "c":
        return verb.pad(chr(value) if 0 <= value < 0x110000 else "\ufffd")
    if letter == "q":
        character = chr(value) if 0 <= value < 0x110000 else "\ufffd"
        return verb.pad(
            "'\\''" if character == "'" else f"'{_quote_character(character).replace(chr(92) + chr(34), chr(34))}'"
        )
    if letter == "U":
        return verb.pad(f"U+{value % 2**64:04X}")
    return _complaint(verb, value)


def _float(verb: _Verb, value: float) -> str:
    letter = verb.letter
    if letter not in "eEfFgG":
        return _complaint(verb, value)
    if not math.isfinite(value):
        return verb.pad(verb.signed(special_float(value).lstrip("+")))
    if letter in "gG" and verb.precision is None:
        text = float_text(value)
        return verb.pad(verb.signed(text if letter == "g" else text.upper()), numeric=True)
    places = 6 if verb.precision is None else verb.precision
    return verb.pad(verb.signed(format(value, f".{places}{letter}")), numeric=True)


def _string(verb: _Verb, value: str | bytes) -> str:
    text = value if isinstance(value, str) else value.decode(errors="replace")
    if verb.precision is not None and verb.letter in "sq":
        text = text[: verb.precision]
    if verb.letter == "s":
        return verb.pad(text, numeric=True) if "0" in verb.flags else verb.pad(text)
    if verb.letter == "q":
        return verb.pad(f"`{text}`" if "#" in verb.flags and "`" not in text else quoted(text))
    if verb.letter in "xX":
        digits = text.encode().hex(" " if " " in verb.flags else "x").replace("x", "")
        return verb.pad(digits if verb.letter == "x" else digits.upper())
    return _complaint(verb, value)


def _complaint(verb: _Verb, value: Any) -> str:
    return f"%!{verb.letter}({go_type(value)}={printed(value)})"


def go_type(value: Any) -> str:
    """Name a value's type as Go does."""
    names: dict[type, str] = {bool: "bool", int: "int", str: "string", bytes: "[]uint8"}
    if isinstance(value, float):
        return "float64"
    if value is None:
        return "<nil>"
    if isinstance(value, Mapping):
        return "map[string]interface {}"
    if isinstance(value, (list, tuple)):
        return "[]interface {}"
    if isinstance(value, datetime):
        return "time.Time"
    if isinstance(value, timedelta):
        return "time.Duration"
    return names.get(type(value), "func")

"""How sprig sees values: what is empty, what a value is as a number, as text, as a list."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from actors.language.faults import Fault
from actors.language.go_time import format_time
from actors.language.gotext import printed

_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_OCTAL = re.compile(r"[+-]?0[0-7]+", re.ASCII)
_DECIMAL = re.compile(r"([-+]?)([0-9]*)\.[0-9]*", re.ASCII)


def empty(value: Any) -> bool:
    """Tell whether a value is its type's zero: nil, false, 0, "", an empty list or map."""
    return not isinstance(value, datetime) and (value is None or value in (False, "") or _without_content(value))


def _without_content(value: Any) -> bool:
    if isinstance(value, (Mapping, list, tuple, bytes)):
        return len(value) == 0
    return isinstance(value, (int, float, timedelta)) and not value


def to_int(value: Any) -> int:
    """Make an integer of nearly anything; 0 of what is none."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and abs(value) < 2.0**63 else -(2**63)
    if isinstance(value, str):
        decimal = _DECIMAL.fullmatch(value)
        return _integer(f"{decimal[1]}{decimal[2] or '0'}" if decimal else value)
    return 0


def _integer(text: str) -> int:
    if any(character.isspace() for character in text):  # blanks, which Python would pass over
        return 0
    try:
        number = int(text, 8) if _OCTAL.fullmatch(text) else int(text, 0)
    except ValueError:
        return 0
    return number if -(2**63) <= number < 2**63 else 0


def to_float(value: Any) -> float:
    """Make a float of nearly anything; 0 of what is none."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    if isinstance(value, str) and _FLOAT.fullmatch(value):
        return float(value)
    return 0.0


def to_text(value: Any) -> str:
    """Print a value."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime):
        return format_time(value, "2006-01-02 15:04:05.999999999 -0700 MST")
    return printed(value)


def to_texts(value: Any) -> list[str]:
    """Print each element of a list that is not nil; anything else is a list of itself."""
    if isinstance(value, (list, tuple)):
        return [to_text(element) for element in value if element is not None]
    return [] if value is None else [to_text(value)]


def as_list(value: Any, complaint: str) -> list[Any]:
    """Insist on a list. Raises Fault, which names what was wanted."""
    if not isinstance(value, (list, tuple)):
        raise Fault(f"{complaint} {kind(value)}")
    return list(value)


def kind(value: Any) -> str:
    """Name a value's kind, as reflection in Go does."""
    if value is None:
        return "invalid"
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "bool"),
        (int, "int"),
        (float, "float64"),
        (str, "string"),
        (dict, "map"),
        ((list, tuple, bytes), "slice"),
        (datetime, "struct"),
        (timedelta, "int64"),
    )
    return next((name for types, name in kinds if isinstance(value, types)), "func")

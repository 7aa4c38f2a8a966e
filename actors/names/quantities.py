"""A Kubernetes quantity has one canonical text: `0.001` and `1m` are the same amount, written `1m`.

Canonical: no fraction, the largest suffix of the same family that leaves none, at most nine places behind the point
(rounded up, away from zero). Binary amounts below 1024 are written without a suffix.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil
from typing import Final

_QUANTITY: Final = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?", re.ASCII)
_DECIMAL: Final = {-3: "n", -2: "u", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P", 6: "E"}
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_POWER: Final = {suffix: power for power, suffix in _DECIMAL.items() if suffix}
_NANO: Final = 10**9


def amount(text: str) -> Fraction:
    """The number that a quantity stands for. Raises ValueError for what is none."""
    return _parsed(text)[0]


def canonical(text: str) -> str:
    """The canonical text of a quantity. Raises ValueError for what is none."""
    value, family = _parsed(text)
    nano = value * _NANO
    whole = ceil(abs(nano)) * (1 if nano >= 0 else -1)
    if family == "binary" and abs(value) >= 1024:
        return _binary(value)
    power, number = -3, whole
    while number and number % 1000 == 0 and power < max(_DECIMAL):
        number, power = number // 1000, power + 1
    if not whole:
        return "0"
    if family == "exponent":
        return f"{number}e{3 * power}" if power else str(number)
    return f"{number}{_DECIMAL[power]}"


def _binary(value: Fraction) -> str:
    number = ceil(abs(value)) * (1 if value >= 0 else -1)
    power = 0
    while number % 1024 == 0 and power + 1 < len(_BINARY):
        number, power = number // 1024, power + 1
    return f"{number}{_BINARY[power]}"


def _parsed(text: str) -> tuple[Fraction, str]:
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no quantity such as 500m, 2 or 1Gi")
    number, suffix = Fraction(found[1].rstrip(".") or "0"), found[2] or ""
    if suffix.endswith("i"):
        return number * 1024 ** _BINARY.index(suffix), "binary"
    if suffix in _POWER:
        return number * Fraction(1000) ** _POWER[suffix], "decimal"
    if suffix:
        return number * Fraction(10) ** int(suffix[1:]), "exponent"
    return number, "decimal"

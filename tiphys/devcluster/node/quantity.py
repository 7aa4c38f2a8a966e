"""Kubernetes quantities ("500m", "1Gi", "2e3") as exact numbers."""

from __future__ import annotations

from fractions import Fraction

_SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
    "T": Fraction(10**12),
    "P": Fraction(10**15),
    "E": Fraction(10**18),
    "Ki": Fraction(2**10),
    "Mi": Fraction(2**20),
    "Gi": Fraction(2**30),
    "Ti": Fraction(2**40),
    "Pi": Fraction(2**50),
    "Ei": Fraction(2**60),
}


def parse_quantity(text: str | float) -> Fraction:
    """The number a quantity stands for. Raises ValueError naming it when it is none."""
    value = str(text).strip()
    for length in (2, 1):
        factor = _SUFFIXES.get(value[-length:])
        if factor is not None and len(value) > length:
            return _number(value[:-length], value) * factor
    return _number(value, value)


def _number(digits: str, whole: str) -> Fraction:
    try:
        return Fraction(digits)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"quantity {whole!r} is not a number with a suffix such as m, Mi or Gi") from None


def divide_up(amount: Fraction, divisor: Fraction) -> int:
    """How many `divisor`s cover `amount`, as resourceFieldRef counts them (rounded up; divisor 0 means 1)."""
    quotient = amount / (divisor or 1)
    return -(-quotient.numerator // quotient.denominator)

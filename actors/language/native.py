"""A function of the language checks its arguments against a signature before it runs.

A signature has one letter an argument: `s` text, `i` integer, `n` number, `b` bool, `l` list, `m` map, `t` time,
`a` anything; behind `?` the optional ones; a last letter in upper case takes the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from actors.language.budget import Meter
from actors.language.faults import Fault
from actors.language.gotext import go_type

_TYPES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "s": ("string", lambda v: isinstance(v, str)),
    "i": ("int", lambda v: isinstance(v, int) and not isinstance(v, bool)),
    "n": ("float64", lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)),
    "b": ("bool", lambda v: isinstance(v, bool)),
    "l": ("[]interface {}", lambda v: isinstance(v, (list, tuple))),
    "m": ("map[string]interface {}", lambda v: isinstance(v, Mapping)),
    "t": ("time.Time", lambda v: isinstance(v, datetime)),
    "a": ("interface {}", lambda _: True),
}
_ZEROS: dict[str, Any] = {"s": "", "i": 0, "n": 0, "b": False}
_MISTAKES = (TypeError, ValueError, AttributeError, KeyError, IndexError, ArithmeticError, RecursionError)


class Native:
    """A named function with its signature; what it makes is counted."""

    __slots__ = ("_function", "_least", "_letters", "_nil_is_zero", "_rest", "name")

    def __init__(self, name: str, signature: str, function: Callable[..., Any], *, nil_is_zero: bool = False) -> None:
        self.name = name
        self._function = function
        self._nil_is_zero = nil_is_zero  # as Go calls a function value: nil is the zero of the parameter's type
        needed, _, optional = signature.partition("?")
        letters = needed + optional
        self._rest = letters[-1:].lower() if letters[-1:].isupper() else ""
        self._letters = letters[:-1] if self._rest else letters
        self._least = len(needed) - (1 if self._rest and not optional else 0)

    def count_problem(self, count: int) -> str:
        """Say what is wrong with a number of arguments; empty when nothing is."""
        most = len(self._letters)
        if count < self._least or (count > most and not self._rest):
            if self._rest:
                wanted = f"at least {self._least}"
            else:
                wanted = str(most) if self._least == most else f"{self._least} to {most}"
            return f"invalid number of arguments for {self.name} (expected {wanted}, got {count})"
        return ""

    def call(self, meter: Meter, arguments: list[Any]) -> Any:
        """Run the function; its mistakes become faults that name it."""
        for index, argument in enumerate(arguments):
            letter = self._letters[index] if index < len(self._letters) else self._rest
            if argument is None and self._nil_is_zero and letter in _ZEROS:
                arguments[index] = _ZEROS[letter]
                continue
            wanted, fits = _TYPES[letter]
            if not fits(argument):
                raise Fault(f"cannot use {go_type(argument)} as argument (type {wanted}) to call {self.name}")
        meter.step(1 + sum(len(a) for a in arguments if isinstance(a, (str, list, tuple, dict))) // 16)
        try:
            return meter.made(self._function(meter, *arguments))
        except _MISTAKES as mistake:
            raise Fault(f"{self.name}: {mistake}") from None


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adapt a function that needs no meter."""
    return lambda _meter, *arguments: function(*arguments)

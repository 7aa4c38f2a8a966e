"""A `when` is a small formula over its substituted text: bare words are strings, numbers compare as numbers.

Upstream evaluates it with govaluate, so `heads == heads` holds, `"1" == 1` does not, `a-b` is a subtraction of two
words and fails, and a value with spaces needs quotes. The result must be true or false.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

from actors.language.gotext import printed
from actors.language.regex import RegexError, compile_regex
from actors.language.when_tokens import Kind, Token, WhenError, check_order, tokenize

__all__ = ["WhenError", "evaluate_when"]

NESTING_MAX = 200
CACHED_TEXT_MAX = 4096

# Binary operators by level, from the loosest; a level is read from left to right.
_LEVELS: tuple[tuple[Kind, frozenset[str], str], ...] = (
    (Kind.SEPARATOR, frozenset({","}), ""),
    (
        Kind.TERNARY,
        frozenset({"?", ":", "??"}),
        "Value '{}' cannot be used with the ternary operator '{}', it is not a bool",
    ),
    (Kind.LOGICALOP, frozenset({"||"}), "Value '{}' cannot be used with the logical operator '{}', it is not a bool"),
    (Kind.LOGICALOP, frozenset({"&&"}), "Value '{}' cannot be used with the logical operator '{}', it is not a bool"),
    (
        Kind.COMPARATOR,
        frozenset({"==", "!=", ">", ">=", "<", "<=", "=~", "!~", "in"}),
        "Value '{}' cannot be used with the comparator '{}', it is not a number",
    ),
    *(
        (Kind.MODIFIER, symbols, "Value '{}' cannot be used with the modifier '{}', it is not a number")
        for symbols in map(frozenset, ({"^", "&", "|"}, {">>", "<<"}, {"+", "-"}, {"*", "/", "%"}, {"**"}))
    ),
)
_PREFIX_MESSAGE = "Value '{}' cannot be used with the prefix '{}'"
_PRINTED_SYMBOLS = {"==": "="}

_Value = Callable[[], Any]


def evaluate_when(text: str, *, bare_words: bool = True) -> bool:
    """Decide a `when` whose tags are already substituted; an empty one is true.

    `bare_words=False` is the CronWorkflow's way: unquoted words are unknown parameters. Raises WhenError.
    """
    if text == "":
        return True
    return _cached_verdict(text, bare_words) if len(text) <= CACHED_TEXT_MAX else _verdict(text, bare_words)


def _verdict(text: str, bare_words: bool) -> bool:
    result = _result_of(text) if bare_words else _evaluate(_checked(tokenize(text)))
    if not isinstance(result, bool):
        raise WhenError(f"Expected boolean evaluation for '{text}'. Got {printed(result)}")
    return result


def _result_of(text: str) -> Any:
    try:
        tokens = _checked(tokenize(text))
    except WhenError as error:
        hint = ' (hint: try wrapping the affected expression in quotes ("))' if "Invalid token" in str(error) else ""
        raise WhenError(f"Invalid 'when' expression '{text}': {error}{hint}") from None
    words = [token._replace(kind=Kind.STRING) if token.kind is Kind.VARIABLE else token for token in tokens]
    try:
        check_order(words)
        _checked(words)
    except WhenError as error:
        raise WhenError(f"Failed to parse 'when' expression '{text}': {error}") from None
    try:
        return _evaluate(words)
    except WhenError as error:
        raise WhenError(f"Failed to evaluate 'when' expresion '{text}': {error}") from None


_cached_verdict = lru_cache(maxsize=8192)(_verdict)


def _checked(tokens: list[Token]) -> list[Token]:
    """Compile the patterns that stand as strings behind `=~` and `!~`, so that a bad one fails early."""
    for operator, operand in pairwise(tokens):
        if operator.kind is Kind.COMPARATOR and operator.value in {"=~", "!~"} and operand.kind is Kind.STRING:
            _pattern(operand.value)
    return tokens


def _pattern(text: str) -> Any:
    try:
        return compile_regex(text)
    except RegexError as error:
        raise WhenError(str(error)) from None


def _evaluate(tokens: list[Token]) -> Any:
    return _Planner(tokens).level(0)()


class _Planner:
    """Turns tokens into one closure, which computes the value when called."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def level(self, index: int) -> _Value:
        """Plan one level of operators, and everything that binds tighter."""
        if index == len(_LEVELS):
            return self._value()
        kind, symbols, message = _LEVELS[index]
        left = self.level(index + 1)
        while (token := self._peek()) is not None and token.kind is kind and token.value in symbols:
            self._at += 1
            left = _binary(token.value, left, self.level(index + 1), message)
        return left

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _value(self) -> _Value:
        token = self._peek()
        if token is None or token.kind is Kind.CLAUSE_CLOSE:
            return lambda: None
        self._at += 1
        if token.kind is Kind.CLAUSE:
            return self._clause()
        if token.kind is Kind.PREFIX:
            return _prefix(token.value, self._value())
        if token.kind in {Kind.VARIABLE, Kind.ACCESSOR}:
            name = token.value if token.kind is Kind.VARIABLE else token.value[0]
            return _unknown(name)
        if token.kind in {Kind.NUMERIC, Kind.STRING, Kind.BOOLEAN, Kind.TIME}:
            return lambda: token.value
        raise WhenError(f"Unable to plan token kind: '{token.kind.value}', value: '{printed(token.value)}'")

    def _clause(self) -> _Value:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise WhenError(f"nested deeper than {NESTING_MAX} levels")
        inner = self.level(0)
        self._at += 1
        self._depth -= 1
        return inner


def _unknown(name: str) -> _Value:
    def fail() -> Any:
        raise WhenError(f"No parameter '{name}' found.")

    return fail


def _prefix(symbol: str, operand: _Value) -> _Value:
    def apply() -> Any:
        value = operand()
        if symbol == "!":
            if not isinstance(value, bool):
                raise _mismatch(_PREFIX_MESSAGE, value, symbol)
            return not value
        if not isinstance(value, float):
            raise _mismatch(_PREFIX_MESSAGE, value, symbol)
        return -value if symbol == "-" else float(~_whole(value))

    return apply


def _mismatch(message: str, value: Any, symbol: str) -> WhenError:
    return WhenError(message.format(printed(value), _PRINTED_SYMBOLS.get(symbol, symbol)))


def _binary(symbol: str, left: _Value, right: _Value, message: str) -> _Value:
    if symbol in _SHORT:
        shortcut = _SHORT[symbol]
        return lambda: shortcut(left(), right, message)
    if symbol == ",":
        return lambda: _joined(left(), right())
    compute, fits = _OPERATORS[symbol]

    def apply() -> Any:
        a, b = left(), right()
        wrong = fits(a, b)
        if wrong is not None:
            raise _mismatch(message, b if wrong else a, symbol)
        return compute(a, b)

    return apply


def _joined(left: Any, right: Any) -> list[Any]:
    return [*left, right] if isinstance(left, list) else [left, right]


def _and(left: Any, right: _Value, message: str) -> Any:
    if left is False:
        return False
    return _logical(left, right(), "&&", message)


def _or(left: Any, right: _Value, message: str) -> Any:
    if left is True:
        return True
    return _logical(left, right(), "||", message)


def _logical(left: Any, right: Any, symbol: str, message: str) -> bool:
    for value in (left, right):
        if not isinstance(value, bool):
            raise _mismatch(message, value, symbol)
    return bool(right)  # the left side has not decided, so the right one does


def _then(left: Any, right: _Value, message: str) -> Any:
    if left is False:
        return None
    value = right()
    if left is not True:
        raise _mismatch(message, left, "?")
    return value


def _else(left: Any, right: _Value, _message: str) -> Any:
    return left if left is not None else right()


_SHORT: dict[str, Callable[[Any, _Value, str], Any]] = {"&&": _and, "||": _or, "?": _then, ":": _else, "??": _else}


def _whole(value: float) -> int:
    """Cut a float to a signed 64-bit integer; what does not fit becomes the smallest one, as on amd64."""
    if not -(2.0**63) <= value < 2.0**63:
        return -(2**63)
    return int(value)


def _equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    return bool(a == b)


def _matches(a: Any, b: Any) -> bool:
    return bool(_pattern(b).search(a))


def _bits(compute: Callable[[int, int], int]) -> Callable[[Any, Any], float]:
    return lambda a, b: float(compute(_whole(a), _whole(b)))


def _shift(a: float, b: float, *, left: bool) -> float:
    value, places = _whole(a) % 2**64, _whole(b) % 2**64
    if places > 63:
        return 0.0
    return float((value << places) % 2**64 if left else value >> places)


def _power(a: float, b: float) -> float:
    try:
        return math.pow(a, b)
    except OverflowError:
        return math.inf if a > 0 or b % 2 == 0 else -math.inf
    except ValueError:
        return math.inf if a == 0 else math.nan


def _quotient(a: float, b: float) -> float:
    if b:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _remainder(a: float, b: float) -> float:
    return math.fmod(a, b) if b and math.isfinite(a) else math.nan


# What fits two operands: None when they do, else which one to complain about (0 left, 1 right).
_Fit = Callable[[Any, Any], "int | None"]


def _numbers(a: Any, b: Any) -> int | None:
    if not isinstance(a, float):
        return 0
    return None if isinstance(b, float) else 1


def _strings(a: Any, b: Any) -> int | None:
    if not isinstance(a, str):
        return 0
    return None if isinstance(b, str) else 1


def _alike(a: Any, b: Any) -> int | None:
    both = (isinstance(a, float) and isinstance(b, float)) or (isinstance(a, str) and isinstance(b, str))
    return None if both else 0


def _addable(a: Any, b: Any) -> int | None:
    both = isinstance(a, float) and isinstance(b, float)
    return None if both or isinstance(a, str) or isinstance(b, str) else 0


def _any_pair(_a: Any, _b: Any) -> int | None:
    return None


def _second_is_list(_a: Any, b: Any) -> int | None:
    return None if isinstance(b, list) else 1


def _plus(a: Any, b: Any) -> Any:
    return a + b if isinstance(a, float) and isinstance(b, float) else printed(a) + printed(b)


_OPERATORS: dict[str, tuple[Callable[[Any, Any], Any], _Fit]] = {
    "==": (_equal, _any_pair),
    "!=": (lambda a, b: not _equal(a, b), _any_pair),
    ">": (lambda a, b: a > b, _alike),
    ">=": (lambda a, b: a >= b, _alike),
    "<": (lambda a, b: a < b, _alike),
    "<=": (lambda a, b: a <= b, _alike),
    "=~": (_matches, _strings),
    "!~": (lambda a, b: not _matches(a, b), _strings),
    "in": (lambda a, b: any(_equal(a, each) for each in b), _second_is_list),
    "+": (_plus, _addable),
    "-": (lambda a, b: a - b, _numbers),
    "*": (lambda a, b: a * b, _numbers),
    "/": (_quotient, _numbers),
    "%": (_remainder, _numbers),
    "**": (_power, _numbers),
    "&": (_bits(lambda a, b: a & b), _numbers),
    "|": (_bits(lambda a, b: a | b), _numbers),
    "^": (_bits(lambda a, b: a ^ b), _numbers),
    "<<": (lambda a, b: _shift(a, b, left=True), _numbers),
    ">>": (lambda a, b: _shift(a, b, left=False), _numbers),
}

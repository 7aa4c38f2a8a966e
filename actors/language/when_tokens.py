"""The words of a `when`: what is a number, a name, a quoted string, a time, and what may follow what.

The lexer is govaluate's in every habit that users see: a backslash takes the next character as it is, operators are
read greedily up to the next letter or digit, a word with a dot is an accessor, a quoted date is a time.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from actors.language.gotext import float_text, printed
from actors.language.when_times import unix_time

_QUOTES = "'\""


class Kind(Enum):
    """What a token is; the value is the name messages use."""

    UNKNOWN = "UNKNOWN"
    PREFIX = "PREFIX"
    NUMERIC = "NUMERIC"
    BOOLEAN = "BOOLEAN"
    STRING = "STRING"
    PATTERN = "PATTERN"
    TIME = "TIME"
    VARIABLE = "VARIABLE"
    ACCESSOR = "ACCESSOR"
    SEPARATOR = "SEPARATOR"
    COMPARATOR = "COMPARATOR"
    LOGICALOP = "LOGICALOP"
    MODIFIER = "MODIFIER"
    CLAUSE = "CLAUSE"
    CLAUSE_CLOSE = "CLAUSE_CLOSE"
    TERNARY = "TERNARY"


PREFIXES = frozenset({"-", "!", "~"})
_SYMBOLS: dict[str, Kind] = {
    **dict.fromkeys(["+", "-", "*", "/", "%", "**", "&", "|", "^", ">>", "<<"], Kind.MODIFIER),
    **dict.fromkeys(["&&", "||"], Kind.LOGICALOP),
    **dict.fromkeys(["==", "!=", ">", ">=", "<", "<=", "=~", "!~"], Kind.COMPARATOR),
    **dict.fromkeys(["?", ":", "??"], Kind.TERNARY),
}

_VALUES = frozenset({Kind.NUMERIC, Kind.BOOLEAN, Kind.VARIABLE, Kind.ACCESSOR, Kind.CLAUSE})
_START = _VALUES | {Kind.PREFIX, Kind.PATTERN, Kind.STRING, Kind.TIME}
_AFTER_TIME = frozenset({Kind.MODIFIER, Kind.COMPARATOR, Kind.LOGICALOP, Kind.CLAUSE_CLOSE, Kind.SEPARATOR})
_AFTER_VALUE = _AFTER_TIME | {Kind.TERNARY}
_AFTER_OPERATOR = _VALUES | {Kind.PREFIX, Kind.STRING, Kind.CLAUSE_CLOSE}
_FOLLOWERS: dict[Kind, frozenset[Kind]] = {
    Kind.UNKNOWN: _START,
    Kind.CLAUSE: _START | {Kind.CLAUSE_CLOSE},
    Kind.CLAUSE_CLOSE: _AFTER_VALUE
    | {Kind.NUMERIC, Kind.BOOLEAN, Kind.VARIABLE, Kind.STRING, Kind.PATTERN, Kind.TIME, Kind.CLAUSE},
    **dict.fromkeys([Kind.NUMERIC, Kind.BOOLEAN, Kind.STRING, Kind.VARIABLE], _AFTER_VALUE),
    **dict.fromkeys([Kind.TIME, Kind.PATTERN], _AFTER_TIME),
    Kind.ACCESSOR: _AFTER_VALUE | {Kind.CLAUSE},
    Kind.MODIFIER: _AFTER_OPERATOR,
    Kind.COMPARATOR: _AFTER_OPERATOR | {Kind.TIME, Kind.PATTERN},
    Kind.LOGICALOP: _AFTER_OPERATOR | {Kind.TIME},
    Kind.PREFIX: _VALUES | {Kind.CLAUSE_CLOSE},
    Kind.TERNARY: _VALUES | {Kind.PREFIX, Kind.STRING, Kind.TIME, Kind.SEPARATOR},
    Kind.SEPARATOR: _VALUES | {Kind.PREFIX, Kind.STRING, Kind.TIME},
}
_MAY_END = frozenset(
    {
        Kind.CLAUSE_CLOSE,
        Kind.NUMERIC,
        Kind.BOOLEAN,
        Kind.STRING,
        Kind.TIME,
        Kind.PATTERN,
        Kind.VARIABLE,
        Kind.ACCESSOR,
    }
)


class WhenError(ValueError):
    """A `when` that cannot be evaluated, with upstream's message."""


class Token(NamedTuple):
    """One word of a `when`."""

    kind: Kind
    value: Any
    source: str = ""  # as messages show it; of times, the text they were read from


def _shown(token: Token | None) -> str:
    if token is None:
        return "<nil>"
    if token.kind in {Kind.CLAUSE, Kind.CLAUSE_CLOSE}:
        return str(ord(token.value))  # upstream prints the rune as its number
    if token.kind is Kind.ACCESSOR:
        return f"[{' '.join(token.value)}]"
    return token.source or printed(token.value)


def tokenize(text: str) -> list[Token]:
    """Cut a `when` into tokens and check their order. Raises WhenError with govaluate's wording."""
    lexer = _Lexer(text)
    tokens: list[Token] = []
    state = Kind.UNKNOWN
    while (token := lexer.next(state)) is not None:
        tokens.append(token)
        state = token.kind
    check_balance(tokens)
    check_order(tokens)
    return tokens


def check_balance(tokens: list[Token]) -> None:
    """Insist on as many closing as opening parentheses."""
    opened = sum(token.kind is Kind.CLAUSE for token in tokens)
    if opened != sum(token.kind is Kind.CLAUSE_CLOSE for token in tokens):
        raise WhenError("Unbalanced parenthesis")


def check_order(tokens: list[Token]) -> None:
    """Insist that each token may follow the one before it, and that the last one may be last."""
    state, last = Kind.UNKNOWN, None
    for token in tokens:
        if token.kind not in _FOLLOWERS[state]:
            if last is not None and last.kind is Kind.VARIABLE and token.kind is Kind.CLAUSE:
                raise WhenError(f"Undefined function {last.value}")
            raise WhenError(
                f"Cannot transition token types from {state.value} [{_shown(last)}]"
                f" to {token.kind.value} [{_shown(token)}]"
            )
        state, last = token.kind, token
    if state not in _MAY_END:
        raise WhenError("Unexpected end of expression")


class _Lexer:
    """Reads characters from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def next(self, state: Kind) -> Token | None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        if self._at >= len(self._text):
            return None
        character = self._text[self._at]
        if _is_digit(character) or character == ".":
            return self._number()
        if character.isalpha():
            return self._word()
        if character in _QUOTES:
            return self._string()
        if character in ",([)":
            return self._single(character)
        return self._symbol(state)

    def _single(self, character: str) -> Token:
        self._at += 1
        if character == "[":
            name, closed = self._run(lambda c: c != "]", whitespace=True)
            if not closed:
                raise WhenError("Unclosed parameter bracket")
            self._at += 1
            return Token(Kind.VARIABLE, name)
        return Token({",": Kind.SEPARATOR, "(": Kind.CLAUSE, ")": Kind.CLAUSE_CLOSE}[character], character)

    def _number(self) -> Token:
        if self._text.startswith("0x", self._at) and self._at + 2 <= len(self._text):
            self._at += 2
            digits, _ = self._run(lambda c: _is_digit(c) or c.lower() in "abcdef", breaks=True)
            try:
                return Token(Kind.NUMERIC, float(_unsigned(digits)))
            except ValueError:
                raise WhenError(f"Unable to parse hex value '{digits}' to uint64\n") from None
        digits, _ = self._run(lambda c: _is_digit(c) or c == ".", breaks=True)
        try:
            return Token(Kind.NUMERIC, _float(digits))
        except ValueError:
            raise WhenError(f"Unable to parse numeric value '{digits}' to float64\n") from None

    def _word(self) -> Token:
        word, _ = self._run(lambda c: c.isalpha() or _is_digit(c) or c in "_.", breaks=True)
        if word in {"true", "false"}:
            return Token(Kind.BOOLEAN, word == "true")
        if word in {"in", "IN"}:
            return Token(Kind.COMPARATOR, "in")
        if "." not in word[1:]:
            return Token(Kind.VARIABLE, word)
        if word.endswith("."):
            raise WhenError(f"Hanging accessor on token '{word}'")
        path = word.split(".")
        for name in path[1:]:
            if name[:1].upper() != name[:1]:
                raise WhenError(f"Unable to access unexported field '{name}' in token '{word}'")
        return Token(Kind.ACCESSOR, tuple(path))

    def _string(self) -> Token:
        self._at += 1
        text, closed = self._run(lambda c: c not in _QUOTES, whitespace=True)
        if not closed:
            raise WhenError("Unclosed string literal")
        self._at += 1
        time = unix_time(text)
        return Token(Kind.STRING, text, text) if time is None else Token(Kind.TIME, float(time), text)

    def _symbol(self, state: Kind) -> Token:
        def is_symbol(c: str) -> bool:
            return not (_is_digit(c) or c.isalpha() or c in "()[]" or c in _QUOTES)

        symbol, _ = self._run(is_symbol, breaks=True)
        if symbol in PREFIXES and Kind.PREFIX in _FOLLOWERS[state]:
            return Token(Kind.PREFIX, symbol)
        if symbol in _SYMBOLS:
            return Token(_SYMBOLS[symbol], symbol)
        raise WhenError(f"Invalid token: '{symbol}'")

    def _run(
        self, wanted: Callable[[str], bool], *, whitespace: bool = False, breaks: bool = False
    ) -> tuple[str, bool]:
        """Read while characters are wanted; tell also whether something ended the run before the text did."""
        out: list[str] = []
        while self._at < len(self._text):
            character = self._text[self._at]
            self._at += 1
            if character == "\\":
                if self._at >= len(self._text):
                    raise WhenError("Nothing follows the backslash at the end")
                out.append(self._text[self._at])
                self._at += 1
                continue
            if character.isspace():
                if breaks and out:
                    return "".join(out), True
                if not whitespace:
                    continue
            if not wanted(character):
                self._at -= 1
                return "".join(out), True
            out.append(character)
        return "".join(out), False


def _is_digit(character: str) -> bool:
    return "0" <= character <= "9" or unicodedata.category(character) == "Nd"


def _unsigned(digits: str) -> int:
    value = int(digits, 16) if digits.isascii() and digits.isalnum() else -1
    if not 0 <= value < 2**64:
        raise ValueError(digits)
    return value


def _float(digits: str) -> float:
    if not digits.isascii():
        raise ValueError(digits)
    return float(digits)


__all__ = ["Kind", "Token", "WhenError", "check_balance", "check_order", "float_text", "tokenize"]

"""An expression is cut into tokens: names, numbers, strings, operators, brackets.

Comments (`//`, `/* */`) vanish here. Strings take Go's escapes; a back-quoted one takes none.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

from actors.language.faults import located

TokenKind: TypeAlias = Literal["name", "number", "string", "bytes", "operator", "bracket", "end"]

EXPRESSION_LENGTH_MAX = 100_000  # characters; a longer one is a program in the wrong place
_WORD_OPERATORS = frozenset(
    {"not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"}
)
_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_OPERATOR = re.compile(r"\?\.|\?\?|\?|\|\||\||::|:|\.\.|\.|[&!=*<>][&=*]?|[,;%+\-^/#]")
_DIGITS = re.compile(r"0[xX][0-9a-fA-F_]*|0[oO][0-7_]*|0[bB][01_]*|[0-9][0-9_]*|(?=\.[0-9])")
_FRACTION = re.compile(r"(?:\.(?!\.)[0-9_]*)?(?:[eE][+-]?[0-9_]*)?")
_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?",
}  # fmt: skip
_NUMBERED = re.compile(
    r"u\{([0-9a-fA-F]{1,6})\}|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})"
)


class Token(NamedTuple):
    """One token and where it begins."""

    kind: TokenKind
    value: str
    position: int

    def __str__(self) -> str:
        names = {"name": "Identifier", "end": "EOF"}
        kind = names.get(self.kind, self.kind.capitalize())
        return kind if self.kind == "end" else f'{kind}("{self.value}")'


def is_name_character(character: str) -> bool:
    """Tell whether a character may stand in a name."""
    return character.isalnum() or character in "_$"


def tokenize(text: str) -> list[Token]:
    """Cut an expression into tokens, an `end` token last. Raises ExpressionError."""
    if len(text) > EXPRESSION_LENGTH_MAX:
        raise located(f"an expression of {len(text)} characters is longer than {EXPRESSION_LENGTH_MAX}", "", 0)
    tokens: list[Token] = []
    at = 0
    while True:
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        if at >= len(text):
            tokens.append(Token("end", "", max(0, len(text) - 1)))
            return tokens
        token, at = _token(text, at)
        tokens.append(token)


def _token(text: str, at: int) -> tuple[Token, int]:
    character = text[at]
    if character in "'\"":
        end = _string_end(text, at)
        return Token("string", _unescape(text, at + 1, end), at), end + 1
    if character in "bB" and text[at + 1 : at + 2] in {"'", '"'}:
        end = _string_end(text, at + 1)
        return Token("bytes", _unescape(text, at + 2, end, raw_bytes=True), at), end + 1
    if character == "`":
        return _raw_string(text, at)
    if character.isascii() and (character.isdigit() or (character == "." and text[at + 1 : at + 2].isdigit())):
        return _number(text, at)
    if character in "([{}])":
        return Token("bracket", character, at), at + 1
    if text.startswith("/*", at):
        raise located("unclosed comment", text, len(text))
    operator = _OPERATOR.match(text, at)
    if operator is not None:
        return Token("operator", operator.group(), at), operator.end()
    if is_name_character(character):
        return _word(text, at)
    raise located(f"unrecognized character: U+{ord(character):04X} '{character}'", text, at)


def _word(text: str, at: int) -> tuple[Token, int]:
    end = at
    while end < len(text) and is_name_character(text[end]):
        end += 1
    word = text[at:end]
    return Token("operator" if word in _WORD_OPERATORS else "name", word, at), end


def _number(text: str, at: int) -> tuple[Token, int]:
    whole = _DIGITS.match(text, at)
    end = whole.end() if whole else at
    if not text[at : at + 2].lower().startswith(("0x", "0o", "0b")):
        rest = _FRACTION.match(text, end)
        end = rest.end() if rest else end
    if end < len(text) and is_name_character(text[end]):
        raise located(f'bad number syntax: "{text[at : end + 1]}"', text, end)
    return Token("number", text[at:end], at), end


def _string_end(text: str, start: int) -> int:
    quote = text[start]
    at = start + 1
    while at < len(text) and text[at] != quote:
        if text[at] == "\n":
            break
        at += 2 if text[at] == "\\" else 1
    if at >= len(text) or text[at] != quote:
        raise located("literal not terminated", text, min(at, len(text)))
    return at


def _raw_string(text: str, start: int) -> tuple[Token, int]:
    at = start + 1
    while True:
        end = text.find("`", at)
        if end < 0:
            raise located("literal not terminated", text, len(text))
        if text[end + 1 : end + 2] != "`":
            return Token("string", text[start + 1 : end].replace("``", "`"), start), end + 1
        at = end + 2


def _unescape(text: str, start: int, end: int, *, raw_bytes: bool = False) -> str:
    body = text[start:end].replace("\r\n", "\n").replace("\r", "\n")
    if "\\" not in body:
        return body
    out: list[str] = []
    at = 0
    while at < len(body):
        if body[at] != "\\":
            out.append(body[at])
            at += 1
            continue
        letter = body[at + 1 : at + 2]
        numbered = _NUMBERED.match(body, at + 1)
        if letter in _ESCAPES and letter:
            out.append(_ESCAPES[letter])
            at += 2
        elif numbered is not None and not (raw_bytes and letter in "uU"):
            out.append(_character(numbered, text, start + at))
            at = numbered.end()
        else:
            raise located("invalid char escape", text, start + at + 1)
    return "".join(out)


def _character(found: re.Match[str], text: str, position: int) -> str:
    *hexadecimal, octal = found.groups()
    code = int(octal, 8) if octal else int(next(digits for digits in hexadecimal if digits), 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise located("unable to unescape string", text, position)
    return chr(code)

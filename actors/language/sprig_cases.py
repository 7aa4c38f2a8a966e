"""snake_case, kebab-case and CamelCase: where one word ends and the next begins."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

WordKind: TypeAlias = Literal["gap", "punctuation", "capital", "lower", "number", "other"]


class Word(NamedTuple):
    """A run of characters of one sort; a capital may lead lower-case letters."""

    kind: WordKind
    text: str


def _sort(character: str) -> WordKind:
    if character in "-_" or character.isspace():
        return "gap"
    category = unicodedata.category(character)
    if category.startswith("P"):
        return "punctuation"
    if character.isupper():
        return "capital"
    if category.startswith("L"):
        return "lower"
    return "number" if category.startswith("N") else "other"


def words(text: str) -> Iterator[Word]:
    """Cut text into words: `HTTPServer2` is HTTP, Server, 2."""
    at = 0
    while at < len(text):
        kind = _sort(text[at])
        end = at + 1
        if kind == "capital" and end < len(text) and _sort(text[end]) == "lower":
            kind_inside: WordKind = "lower"
        else:
            kind_inside = kind
        while end < len(text) and _sort(text[end]) == kind_inside:
            end += 1
        if kind == "capital" and kind_inside == "capital" and end < len(text) and _sort(text[end]) == "lower":
            end -= 1  # the last capital begins the next word
        yield Word(kind, text[at:end])
        at = end


def separated_case(text: str, connector: str) -> str:
    """Write text in lower case with a connector between its words."""
    found = list(words(text))
    out: list[str] = []
    at = 0
    while at < len(found):
        word = found[at]
        if word.kind == "gap":
            out.append(connector * len(word.text))
            at += 1
            continue
        run, at = _joined(found, at)
        out.append(run)
        if at < len(found) and _needs_connector(found[at - 1], found[at]):
            out.append(connector)
    return "".join(out)


def _joined(found: list[Word], at: int) -> tuple[str, int]:
    """Take a word, and the numbers and lower-case letters that belong to it."""
    word = found[at]
    text = word.text.lower() if word.kind == "capital" else word.text
    at += 1
    if word.kind == "number":
        while at < len(found) and found[at].kind in {"lower", "number"}:
            text += found[at].text
            at += 1
    elif word.kind in {"capital", "lower", "other"} and at < len(found) and found[at].kind == "number":
        after = found[at + 1] if at + 1 < len(found) else None
        if after is None or after.kind != "lower":
            text += found[at].text
            at += 1
    return text, at


def _needs_connector(before: Word, after: Word) -> bool:
    return before.kind != "punctuation" and after.kind not in {"gap", "punctuation"}


def camel_case(text: str) -> str:
    """Write text without its gaps, each word with a capital; gaps at both ends stay."""
    core = text.strip("-_ \t\n")
    if not core:
        return text
    start = text.index(core)
    middle = re.split(r"[-_\s]", core)
    written = "".join(_capitalised(part) if part else "_" for part in middle)
    return text[:start] + written + text[start + len(core) :]


def _capitalised(part: str) -> str:
    if part.isupper() and len(part) > 1:
        part = part.lower()
    return part[:1].upper() + part[1:]

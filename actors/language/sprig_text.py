"""Sprig's functions on text."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import string
import zlib
from collections.abc import Callable
from typing import Any

from actors.language.budget import Meter
from actors.language.builtin_text import replace, split, trim
from actors.language.faults import Fault
from actors.language.gotext import printed, quoted
from actors.language.native import plain
from actors.language.sprig_cases import camel_case, separated_case
from actors.language.sprig_values import to_text, to_texts

RANDOM_TEXT_MAX = 100_000
_WORD_START = re.compile(r"(?:^|(?<=\s))\S")
Table = dict[str, tuple[str, Callable[..., Any]]]


def _abbreviate(width: int, text: str) -> str:
    return text if width < 4 or len(text) <= width else text[: width - 3] + "..."


def _abbreviate_both(left: int, right: int, text: str) -> str:
    if right < 4 or (left > 0 and right < 7) or len(text) <= right:
        return text
    offset = min(left, len(text))
    if len(text) - offset < right - 3:
        offset = len(text) - (right - 3)
    if offset <= 4:
        return text[: right - 3] + "..."
    if offset + right - 3 < len(text):
        return "..." + _abbreviate(right - 3, text[offset:])
    return "..." + text[len(text) - (right - 3) :]


def _truncate(count: int, text: str) -> str:
    if count < 0:
        return text[count:] if len(text) + count > 0 else text
    return text[:count]


def _substring(start: int, end: int, text: str) -> str:
    length = len(text)
    if start < 0:
        start, last = 0, end
    else:
        last = length if end < 0 or end > length else end
    if not 0 <= start <= last <= length:
        raise Fault(f"runtime error: slice bounds out of range [{start}:{last}] with length {length}")
    return text[start:last]


def _title(text: str) -> str:
    out: list[str] = []
    previous = " "
    for character in text:
        inside = previous.isalnum() or previous == "_" or (ord(previous) < 0x80 and previous not in " " + _ASCII_GAPS)
        out.append(character if inside else character.upper() if len(character.upper()) == 1 else character)
        previous = character
    return "".join(out)


_ASCII_GAPS = "".join(chr(code) for code in range(0x80) if not chr(code).isalnum() and chr(code) != "_")


def _initials(text: str) -> str:
    return "".join(word[0] for word in text.split())


def _wrap(width: int, separator: str, text: str, *, cut_words: bool = True) -> str:
    """Break text at blanks so that lines have at most `width` characters; longer words are cut, or left long."""
    width = max(1, width)
    lines: list[str] = []
    while len(text) > width:
        if text[0] == " ":
            text = text[1:]
            continue
        end = text.rfind(" ", 0, width + 1)
        if end < 0 and not cut_words:
            end = text.find(" ", width)
            if end < 0:
                break
        if end >= 0:
            lines.append(text[:end])
            text = text[end + 1 :]
        else:
            lines.append(text[:width])
            text = text[width:]
    return "".join(line + (separator or "\n") for line in lines) + text


def _untitle(text: str) -> str:
    return _WORD_START.sub(lambda found: found.group().lower(), text)


def _indent(meter: Meter, spaces: int, text: str) -> str:
    if spaces < 0:
        raise Fault("strings: negative Repeat count")
    meter.make((text.count("\n") + 1) * spaces)
    pad = " " * spaces
    return pad + text.replace("\n", "\n" + pad)


def _repeat(meter: Meter, count: int, text: str) -> str:
    if count < 0:
        raise Fault("strings: negative Repeat count")
    meter.make(count * len(text))
    return text * count


def _numbered(parts: list[str]) -> dict[str, str]:
    return {f"_{index}": part for index, part in enumerate(parts)}


def _cat(meter: Meter, *values: Any) -> str:
    meter.weigh(values)
    return " ".join(printed(value) for value in values if value is not None)


def _quote(meter: Meter, *values: Any) -> str:
    meter.weigh(values)
    return " ".join(quoted(to_text(value)) for value in values if value is not None)


def _single_quote(meter: Meter, *values: Any) -> str:
    meter.weigh(values)
    return " ".join(f"'{printed(value)}'" for value in values if value is not None)


def _join(meter: Meter, glue: str, value: Any) -> str:
    meter.weigh(value)
    parts = to_texts(value)
    meter.make(len(parts) * len(glue))
    return glue.join(parts)


def _decode(decode: Callable[[str], bytes], name: str) -> Callable[..., str]:
    def apply(_meter: Meter, text: str) -> str:
        try:
            return decode(text.replace("\n", "").replace("\r", "")).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return f"illegal {name} data at input byte {_bad_byte(text, name)}"

    return apply


def _bad_byte(text: str, name: str) -> int:
    alphabet = string.ascii_uppercase + (
        "234567" if name == "base32" else string.ascii_lowercase + string.digits + "+/"
    )
    return next((index for index, character in enumerate(text) if character not in alphabet), len(text))


def _random(alphabet: str, asked_by: str) -> Callable[..., str]:
    def apply(meter: Meter, count: int) -> str:
        if not 0 <= count <= RANDOM_TEXT_MAX:
            raise Fault(f"sprig.{asked_by} makes at most {RANDOM_TEXT_MAX} characters")
        chance = meter.chance(f"sprig.{asked_by}")
        return "".join(chance.choice(alphabet) for _ in range(count))

    return apply


def _shuffle(meter: Meter, text: str) -> str:
    letters = list(text)
    meter.chance("sprig.shuffle").shuffle(letters)
    return "".join(letters)


def _random_bytes(meter: Meter, count: int) -> str:
    if not 0 <= count <= RANDOM_TEXT_MAX:
        raise Fault(f"sprig.randBytes makes at most {RANDOM_TEXT_MAX} bytes")
    return base64.b64encode(meter.chance("sprig.randBytes").randbytes(count)).decode()


def _digest(name: str) -> Callable[..., str]:
    return lambda _meter, text: hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


STRINGS: Table = {
    "hello": ("", plain(lambda: "Hello!")),
    "abbrev": ("is", plain(_abbreviate)),
    "abbrevboth": ("iis", plain(_abbreviate_both)),
    "trunc": ("is", plain(_truncate)),
    "trim": ("s", plain(trim)),
    "upper": ("s", plain(str.upper)),
    "lower": ("s", plain(str.lower)),
    "title": ("s", plain(_title)),
    "untitle": ("s", plain(_untitle)),
    "substr": ("iis", plain(_substring)),
    "repeat": ("is", _repeat),
    **dict.fromkeys(["trimAll", "trimall"], ("ss", plain(lambda cut, text: trim(text, cut)))),
    "trimSuffix": ("ss", plain(lambda suffix, text: text.removesuffix(suffix))),
    "trimPrefix": ("ss", plain(lambda prefix, text: text.removeprefix(prefix))),
    "nospace": ("s", plain(lambda text: "".join(text.split()))),
    "initials": ("s", plain(_initials)),
    "swapcase": ("s", plain(str.swapcase)),
    "snakecase": ("s", plain(lambda text: separated_case(text, "_"))),
    "kebabcase": ("s", plain(lambda text: separated_case(text, "-"))),
    "camelcase": ("s", plain(camel_case)),
    "wrap": ("is", plain(lambda width, text: _wrap(width, "\n", text, cut_words=False))),
    "wrapWith": ("iss", plain(_wrap)),
    "contains": ("ss", plain(lambda part, text: part in text)),
    "hasPrefix": ("ss", plain(lambda prefix, text: text.startswith(prefix))),
    "hasSuffix": ("ss", plain(lambda suffix, text: text.endswith(suffix))),
    "quote": ("A", _quote),
    "squote": ("A", _single_quote),
    "cat": ("A", _cat),
    "indent": ("is", _indent),
    "nindent": ("is", lambda meter, spaces, text: "\n" + _indent(meter, spaces, text)),
    "replace": ("sss", lambda meter, old, new, text: replace(meter, text, old, new)),
    "plural": ("ssi", plain(lambda one, many, count: one if count == 1 else many)),
    "split": ("ss", plain(lambda by, text: _numbered(split(text, by)))),
    "splitn": ("sis", plain(lambda by, count, text: _numbered(split(text, by, count)))),
    "splitList": ("ss", plain(lambda by, text: split(text, by))),
    "join": ("sa", _join),
    "sha1sum": ("s", _digest("sha1")),
    "sha256sum": ("s", _digest("sha256")),
    "sha512sum": ("s", _digest("sha512")),
    "adler32sum": ("s", plain(lambda text: str(zlib.adler32(text.encode())))),
    "b64enc": ("s", plain(lambda text: base64.b64encode(text.encode()).decode())),
    "b64dec": ("s", _decode(lambda text: base64.b64decode(text, validate=True), "base64")),
    "b32enc": ("s", plain(lambda text: base64.b32encode(text.encode()).decode())),
    "b32dec": ("s", _decode(base64.b32decode, "base32")),
    "randAlphaNum": ("i", _random(string.ascii_letters + string.digits, "randAlphaNum")),
    "randAlpha": ("i", _random(string.ascii_letters, "randAlpha")),
    "randNumeric": ("i", _random(string.digits, "randNumeric")),
    "randAscii": ("i", _random("".join(map(chr, range(32, 127))), "randAscii")),
    "randBytes": ("i", _random_bytes),
    "shuffle": ("s", _shuffle),
}

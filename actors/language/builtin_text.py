"""Functions on text, on encodings and on time."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from actors.language.budget import Meter
from actors.language.faults import Fault
from actors.language.go_time import parse_date, parse_time, zone
from actors.language.gotext import go_type, printed
from actors.language.jsontext import dumps, loads
from actors.language.native import plain
from actors.language.operators import to_int
from actors.names.durations import parse_nanoseconds

REPEAT_MAX = 1_000_000
Table = dict[str, tuple[str, Callable[..., Any]]]
WHITE_SPACE = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a" + (
    "\u2028\u2029\u202f\u205f\u3000"
)


def trim(text: str, characters: str | None = None) -> str:
    """Cut white space, or any of the given characters, off both ends."""
    return text.strip(WHITE_SPACE) if characters is None else text.strip(characters) if characters else text


def split(text: str, separator: str, limit: int = -1) -> list[str]:
    """Split as Go's strings.SplitN: at most `limit` parts when positive, none for 0, every character for ''."""
    if limit == 0:
        return []
    if not separator:
        characters = list(text)
        return characters if limit < 0 or len(characters) <= limit else [*text[: limit - 1], text[limit - 1 :]]
    return text.split(separator, limit - 1 if limit > 0 else -1)


def split_after(text: str, separator: str, limit: int = -1) -> list[str]:
    """Split as `split` does, and leave the separator at the end of each part."""
    parts = split(text, separator, limit)
    return [part + separator for part in parts[:-1]] + parts[-1:]


def replace(meter: Meter, text: str, old: str, new: str, count: int = -1) -> str:
    """Replace occurrences, all or the first `count`."""
    found = text.count(old)
    times = found if count < 0 else min(found, count)
    meter.make(len(text) + times * max(0, len(new) - len(old)))
    return text.replace(old, new, count if count >= 0 else -1)


def _repeat(meter: Meter, text: str, times: int) -> str:
    if times < 0:
        raise Fault(f"invalid argument for repeat (expected positive integer, got {times})")
    if times > REPEAT_MAX:
        raise Fault("memory budget exceeded")
    meter.make(len(text) * times)
    return text * times


def _join(meter: Meter, parts: list[Any], glue: str = "") -> str:
    for part in parts:
        if not isinstance(part, str):
            raise Fault(f"interface conversion: interface {{}} is {go_type(part)}, not string")
    meter.make(sum(len(part) + len(glue) for part in parts))
    return glue.join(parts)


def byte_index(text: str, at: int) -> int:
    """Turn an index of characters into one of UTF-8 bytes; -1 stays -1."""
    return at if at < 0 or text.isascii() else len(text[:at].encode("utf-8", "surrogatepass"))


def to_string(meter: Meter, value: Any) -> str:
    """Print a value as Go does."""
    meter.weigh(value)
    return printed(value)


def _to_json(meter: Meter, value: Any) -> str:
    meter.weigh(value)
    return dumps(value, indent="  ")


def from_base64(text: str) -> str:
    """Decode base64; bytes that are not UTF-8 become replacement characters. Raises Fault."""
    try:
        return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise Fault("illegal base64 data") from None


def _now(meter: Meter, where: Any = None) -> datetime:
    if where is not None and not isinstance(where, tzinfo):
        raise Fault("invalid number of arguments (expected 0, got 1)")
    return meter.now("now()").astimezone(where or UTC)


def _duration(text: str) -> timedelta:
    return timedelta(microseconds=parse_nanoseconds(text) / 1000)


def _date(*arguments: Any) -> datetime:
    where: tzinfo | None = arguments[0] if arguments and isinstance(arguments[0], tzinfo) else None
    rest = arguments[1:] if where is not None else arguments
    if not 1 <= len(rest) <= 3 or not all(isinstance(part, str) for part in rest):
        raise Fault("date takes a text, and after it a layout and a time zone if wanted")
    if len(rest) == 3:
        where = zone(rest[2])
    if len(rest) == 1:
        return parse_date(rest[0], where) if where else parse_date(rest[0])
    return parse_time(rest[1], rest[0], where) if where else parse_time(rest[1], rest[0])


TEXT: Table = {
    "trim": ("s?s", plain(trim)),
    "trimPrefix": ("s?s", plain(lambda text, prefix=" ": text.removeprefix(prefix))),
    "trimSuffix": ("s?s", plain(lambda text, suffix=" ": text.removesuffix(suffix))),
    "upper": ("s", plain(str.upper)),
    "lower": ("s", plain(str.lower)),
    "split": ("ss?n", plain(lambda text, by, limit=-1: split(text, by, to_int(limit)))),
    "splitAfter": ("ss?n", plain(lambda text, by, limit=-1: split_after(text, by, to_int(limit)))),
    "replace": ("sss?n", lambda meter, text, old, new, n=-1: replace(meter, text, old, new, to_int(n))),
    "repeat": ("sn", lambda meter, text, times: _repeat(meter, text, to_int(times))),
    "join": ("l?s", _join),
    "indexOf": ("ss", plain(lambda text, part: byte_index(text, text.find(part)))),
    "lastIndexOf": ("ss", plain(lambda text, part: byte_index(text, text.rfind(part)))),
    "hasPrefix": ("ss", plain(str.startswith)),
    "hasSuffix": ("ss", plain(str.endswith)),
    "string": ("a", to_string),
    "toJSON": ("a", _to_json),
    "fromJSON": ("s", plain(loads)),
    "toBase64": ("s", plain(lambda text: base64.b64encode(text.encode()).decode())),
    "fromBase64": ("s", plain(from_base64)),
    "now": ("?a", _now),
    "duration": ("s", plain(_duration)),
    "date": ("A", plain(_date)),
    "timezone": ("s", plain(zone)),
}

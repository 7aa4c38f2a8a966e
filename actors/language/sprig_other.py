"""Sprig's functions on defaults, JSON, types, patterns, paths and URLs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from actors.language.budget import Meter
from actors.language.faults import Fault
from actors.language.gotext import go_type
from actors.language.jsontext import dumps, loads
from actors.language.native import plain
from actors.language.operators import identical
from actors.language.regex import RegexError, compile_regex
from actors.language.semver import satisfies
from actors.language.sprig_values import empty, kind, to_text

Function = Callable[..., Any]
_REFERENCE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))", re.ASCII)


def _json(*, html: bool = True, indent: str = "") -> Function:
    def apply(meter: Meter, value: Any) -> str:
        meter.weigh(value)
        return dumps(value, html=html, indent=indent)

    return apply


def _from_json(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return None


def _pattern(text: str) -> Any:
    try:
        return compile_regex(text)
    except RegexError as error:
        raise Fault(str(error)) from None


def _found(pattern: str, text: str) -> Iterator[Any]:
    """Find matches as Go does: an empty one right behind another match does not count."""
    last = -1
    for match in _pattern(pattern).finditer(text):
        if match.end() == match.start() == last:
            continue
        last = match.end()
        yield match


def _matches(pattern: str, text: str) -> bool:
    try:
        return compile_regex(pattern).search(text) is not None
    except RegexError:
        return False


def _find_all(pattern: str, text: str, count: int) -> list[str] | None:
    found = [match.group(0) for match in _found(pattern, text)]
    return (found if count < 0 else found[:count]) or None


def _find(pattern: str, text: str) -> str:
    match = _pattern(pattern).search(text)
    return "" if match is None else str(match.group(0))


def _replace(meter: Meter, pattern: str, text: str, template: str, *, literal: bool) -> str:
    pieces: list[str] = []
    at = 0
    for match in _found(pattern, text):
        new = template if literal else _expanded(template, match)
        meter.make(len(new))
        pieces += [text[at : match.start()], new]
        at = match.end()
    return "".join([*pieces, text[at:]])


def _expanded(template: str, match: Any) -> str:
    def group(reference: re.Match[str]) -> str:
        name = reference.group(1) or reference.group(2)
        if not name:
            return "$"
        try:
            return match.group(int(name) if name.isdecimal() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(group, template)


def _split(pattern: str, text: str, count: int) -> list[str] | None:
    if count == 0:
        return None
    parts: list[str] = []
    at = 0
    if pattern and not text:
        return [""]
    for match in _found(pattern, text):
        if count > 0 and len(parts) == count - 1:
            break
        if match.end() == 0:
            continue
        if match.start() == match.end() == len(text):
            break
        parts.append(text[at : match.start()])
        at = match.end()
    return [*parts, text[at:]]


def _clean(path: str) -> str:
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned


def _base(path: str) -> str:
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def _directory(path: str) -> str:
    return _clean(path[: path.rfind("/") + 1])


def _extension(path: str) -> str:
    name = path.rpartition("/")[2]
    return "." + name.rpartition(".")[2] if "." in name else ""


def _url_parts(text: str) -> dict[str, str]:
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError as error:
        raise Fault(f"unable to parse url: {error}") from None
    user, _, authority = parts.netloc.rpartition("@")
    opaque = parts.path if parts.scheme and not parts.netloc and not parts.path.startswith("/") else ""
    kept = re.search(re.escape(host), authority, re.IGNORECASE) if host else None
    return {
        "scheme": parts.scheme,
        "host": authority,
        "hostname": kept.group() if kept else host,
        "path": "" if opaque else unquote(parts.path),
        "query": parts.query,
        "opaque": opaque,
        "fragment": unquote(parts.fragment),
        "userinfo": user,
    }


def _url(parts: Mapping[str, Any]) -> str:
    text = {name: parts.get(name, "") for name in ("scheme", "host", "path", "query", "opaque", "fragment", "userinfo")}
    for name, value in text.items():
        if not isinstance(value, str):
            raise Fault(f"unable to parse {name} key, must be of type string, but {kind(value)} found")
    url = f"{text['scheme']}:" if text["scheme"] else ""
    if text["opaque"]:
        url += text["opaque"]
    else:
        user = f"{text['userinfo']}@" if text["userinfo"] else ""
        path = quote(text["path"], safe="/$&+,:;=@!'()*~-._")
        if text["scheme"] or text["host"] or user:
            url += f"//{user}{text['host']}" if text["host"] or user or path else ""
            path = f"/{path}" if path and not path.startswith("/") and text["host"] else path
        url += path
    url += f"?{text['query']}" if text["query"] else ""
    return url + (f"#{quote(text['fragment'], safe='$&+,/:;=?@!()*~-._')}" if text["fragment"] else "")


def _fail(message: str) -> Any:
    raise Fault(message)


def _uuid(meter: Meter) -> str:
    bits = meter.chance("sprig.uuidv4").getrandbits(128)
    bits = bits & ~(0xF << 76) | (4 << 76)
    digits = f"{bits & ~(0x3 << 62) | (0x2 << 62):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _default(default: Any, *given: Any) -> Any:
    return default if not given or empty(given[0]) else given[0]


_PATHS: dict[str, Callable[[str], Any]] = {
    "base": _base,
    "dir": _directory,
    "clean": _clean,
    "ext": _extension,
    "isAbs": lambda path: path.startswith("/"),
}
_PATTERNS: dict[str, tuple[str, Function]] = {
    "regexFindAll": ("ssi", plain(_find_all)),
    "regexFind": ("ss", plain(_find)),
    "regexReplaceAll": ("sss", lambda meter, *rest: _replace(meter, *rest, literal=False)),
    "regexReplaceAllLiteral": ("sss", lambda meter, *rest: _replace(meter, *rest, literal=True)),
    "regexSplit": ("ssi", plain(_split)),
}
_JSON: dict[str, tuple[str, Function]] = {
    "toJson": ("a", _json()),
    "toPrettyJson": ("a", _json(indent="  ")),
    "toRawJson": ("a", _json(html=False)),
}

OTHER: dict[str, tuple[str, Function]] = {
    "default": ("aA", plain(_default)),
    "empty": ("a", plain(empty)),
    "coalesce": ("A", plain(lambda *values: next((value for value in values if not empty(value)), None))),
    "all": ("A", plain(lambda *values: not any(map(empty, values)))),
    "any": ("A", plain(lambda *values: not all(map(empty, values)))),
    "ternary": ("aab", plain(lambda yes, no, condition: yes if condition else no)),
    "fromJson": ("s", plain(_from_json)),
    "mustFromJson": ("s", plain(loads)),
    **_JSON,
    **{f"mustT{name[1:]}": entry for name, entry in _JSON.items()},
    "toString": ("a", lambda meter, value: (meter.weigh(value), to_text(value))[1]),
    "typeOf": ("a", plain(go_type)),
    "typeIs": ("sa", plain(lambda name, value: name == go_type(value))),
    "typeIsLike": ("sa", plain(lambda name, value: name == go_type(value))),
    "kindOf": ("a", plain(kind)),
    "kindIs": ("sa", plain(lambda name, value: name == kind(value))),
    "deepEqual": ("aa", lambda meter, a, b: identical(a, b, meter)),
    "regexMatch": ("ss", plain(_matches)),
    "mustRegexMatch": ("ss", plain(lambda pattern, text: _pattern(pattern).search(text) is not None)),
    "regexQuoteMeta": ("s", plain(lambda text: re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text))),
    **_PATTERNS,
    **{f"mustR{name[1:]}": entry for name, entry in _PATTERNS.items()},
    **{name: ("s", plain(function)) for name, function in _PATHS.items()},
    **{f"os{name[0].upper()}{name[1:]}": ("s", plain(function)) for name, function in _PATHS.items()},
    "urlParse": ("s", plain(_url_parts)),
    "urlJoin": ("m", plain(_url)),
    "semverCompare": ("ss", plain(satisfies)),
    "fail": ("s", plain(_fail)),
    "uuidv4": ("", _uuid),
}

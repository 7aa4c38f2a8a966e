"""The flags of a resource template are kubectl's: which object is meant, and how to do it (RES-4).

Those that mean something without kubectl are understood, those that only shape its output are accepted, and any other
is refused: a flag that is silently dropped would do something else than what was asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_SWITCHES = {"--all": "all", "--ignore-not-found": "ignore_absent"}
_VALUES = {
    "--selector": "selector",
    "-l": "selector",
    "--field-selector": "fields",
    "--namespace": "namespace",
    "-n": "namespace",
    "--grace-period": "grace",
    "--cascade": "cascade",
    "--field-manager": "manager",
    "--wait": "wait",
}
_WITHOUT_EFFECT = frozenset({"--validate", "--output", "-o", "--server-side", "--force-conflicts", "--overwrite"})
_TAKES_WORD = frozenset({"--output", "-o"})
_FALSE = frozenset({"false", "0", "no"})


class BadFlag(ValueError):
    """A flag that cannot be understood here; the message names it."""


@dataclass(slots=True)
class Flags:
    """What the flags say. `targets` are (type, name) as written; name is empty when only a type was given."""

    targets: list[tuple[str, str]] = field(default_factory=list)
    selector: str = ""
    fields: str = ""
    namespace: str = ""
    manager: str = ""
    grace_s: int | None = None
    cascade: str = ""
    all: bool = False
    ignore_absent: bool = False
    wait: bool = True


def parse_flags(written: Sequence[str]) -> Flags:
    """Read the flags of a template. Raises BadFlag."""
    flags = Flags()
    words: list[str] = []
    rest = iter(written)
    for flag in rest:
        if not flag.startswith("-"):
            words.append(flag)
            continue
        _take(flags, flag, rest)
    flags.targets = _targets(words)
    return flags


def _take(flags: Flags, flag: str, rest: Iterator[str]) -> None:
    name, has_value, value = flag.partition("=")
    if name in _WITHOUT_EFFECT:
        if name in _TAKES_WORD and not has_value:
            next(rest, "")
        return
    if name in _SWITCHES:
        setattr(flags, _SWITCHES[name], value not in _FALSE)
        return
    if name not in _VALUES:
        raise BadFlag(f"resource.flags: {flag!r} is not supported here")
    if not has_value:
        value = next(rest, "")
    _set(flags, name, value)


def _set(flags: Flags, name: str, value: str) -> None:
    meaning = _VALUES[name]
    if meaning == "grace":
        if not value.lstrip("-").isdecimal():
            raise BadFlag(f"resource.flags: --grace-period {value!r} is not a number of seconds")
        flags.grace_s = int(value) if int(value) >= 0 else None
    elif meaning == "wait":
        flags.wait = value not in _FALSE
    else:
        setattr(flags, meaning, value)


def _targets(words: list[str]) -> list[tuple[str, str]]:
    """`pod a b`, `pod/a deployment/b`, `pod`."""
    if any("/" in word for word in words):
        targets = [tuple(word.split("/", 1)) for word in words]
        if any(len(target) != 2 for target in targets):
            raise BadFlag(f"resource.flags: {' '.join(words)!r} mixes TYPE NAME with TYPE/NAME")
        return [(target[0], target[1]) for target in targets]
    if not words:
        return []
    types = words[0].split(",")
    names = words[1:] or [""]
    return [(kind, name) for kind in types for name in names]

"""What makes a Rollout unfit, in the words of Kubernetes' field errors, which upstream uses."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

_REFUSED: Final = re.compile(r'ReplicaSet\.apps "[^"]*" is invalid: (?:\[(.*?)(?:, spec\..*)?\]|(.*))', re.DOTALL)


class Unfit(NamedTuple):
    """One reason, as it stands in the condition InvalidSpec."""

    text: str


def invalid(path: str, value: Any, message: str) -> Unfit:
    """A field whose value is wrong."""
    return Unfit(f"{path}: Invalid value: {shown(value)}: {message}")


def required(path: str, message: str) -> Unfit:
    """A field that is missing."""
    return Unfit(f"{path}: Required value: {message}" if message else f"{path}: Required value")


def internal(path: str, message: str) -> Unfit:
    """Something that does not go together."""
    return Unfit(f"{path}: Internal error: {message}")


def unsupported(path: str, value: str, allowed: list[str]) -> Unfit:
    """A field whose value is none of those that there are."""
    return Unfit(f"{path}: Unsupported value: {shown(value)}: supported values: {', '.join(map(shown, allowed))}")


def duplicate(path: str, value: Any) -> Unfit:
    """A name that is there twice."""
    return Unfit(f"{path}: Duplicate value: {shown(value)}")


def shown(value: Any) -> str:
    """A value as Kubernetes shows it in an error."""
    if value is None:
        return "null"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def refused(message: str) -> str:
    """The first thing that an API server finds wrong with a ReplicaSet's template; empty when it refuses it for
    another reason. It asks more questions than are asked here, and in the same words."""
    found = _REFUSED.fullmatch(message)
    return str(found[1] or found[2]) if found is not None else ""

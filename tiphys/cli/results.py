"""Objects go to standard output as JSON, as YAML or by name; nothing else is printed there then.

One object is printed as itself, several as a List, so that `jq` and `kubectl apply -f -` take both. What lists
workflows prints an array.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TextIO

from runtime.objects import Object
from tiphys.cli.problems import InputError


def check_form(form: str, allowed: Sequence[str]) -> None:
    """Raises InputError for a form that the command does not have."""
    if form and form not in allowed:
        raise InputError(f"--output {form!r}: one of {', '.join(allowed)}")


def text_of(things: Sequence[Object], form: str) -> str:
    """The objects in a form: json, yaml or name."""
    if form == "name":
        return "".join(f"{thing['metadata'].get('name', '')}\n" for thing in things)
    value: Any = things[0] if len(things) == 1 else {"apiVersion": "v1", "kind": "List", "items": list(things)}
    return _dumped(value, form)


def _dumped(value: Any, form: str) -> str:
    if form == "yaml":
        import yaml  # noqa: PLC0415  needed for this form alone

        text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
        return text
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_list(things: Sequence[Object], form: str, stream: TextIO) -> None:
    """Print a list of workflows as upstream's client does: an array, however many they are."""
    stream.write(text_of(things, form) if form == "name" else _dumped(list(things), form))
    stream.flush()


def write(things: Sequence[Object], form: str, stream: TextIO) -> None:
    """Print the objects."""
    stream.write(text_of(things, form))
    stream.flush()

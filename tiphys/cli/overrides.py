"""What the command line says of a workflow wins over what its file says; the file's object is left as it is.

Pure: an object and the wishes in, a new object out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from actors.language import jsontext
from actors.names.labels import SCHEDULED_TIME
from runtime.objects import Object
from tiphys.cli import yamltext
from tiphys.cli.documents import text_of
from tiphys.cli.problems import InputError, Problem


class Overrides(NamedTuple):
    """The wishes of one submission; empty means as the file says."""

    name: str = ""
    generate_name: str = ""
    entrypoint: str = ""
    service_account: str = ""
    priority: int | None = None
    parameters: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    scheduled: str = ""  # the time that a run by hand stands for


def applied(workflow: Object, wishes: Overrides) -> Object:
    """A copy of the workflow with the wishes applied. A parameter that it does not declare is added."""
    changed = copy.deepcopy(workflow)
    meta = _table(changed, "metadata")
    if wishes.name:
        meta.pop("generateName", None)
        meta["name"] = wishes.name
    elif wishes.generate_name:
        meta.pop("name", None)
        meta["generateName"] = wishes.generate_name
    if wishes.labels:
        _table(meta, "labels").update(wishes.labels)
    if wishes.scheduled:
        _table(meta, "annotations")[SCHEDULED_TIME] = wishes.scheduled
    spec = _table(changed, "spec")
    for field, value in (
        ("entrypoint", wishes.entrypoint),
        ("serviceAccountName", wishes.service_account),
        ("priority", wishes.priority),
    ):
        if value not in ("", None):
            spec[field] = value
    if wishes.parameters:
        arguments = _table(spec, "arguments")
        arguments["parameters"] = _parameters(arguments.get("parameters"), wishes.parameters)
    return changed


def parameters(pairs: Iterable[str], file: str = "") -> dict[str, str]:
    """Parameters of a file and of `name=value` pairs; pairs win. Raises InputError for what is neither."""
    found = _from_file(file) if file else {}
    found.update(named_values(pairs, "parameter"))
    return found


def named_values(pairs: Iterable[str], what: str) -> dict[str, str]:
    """Read `name=value` texts; everything after the first = belongs to the value, to the letter."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"{what} {pair!r}: expected name=value")
        found[name] = value
    return found


def unquoted(value: str) -> str:
    """A value that was given in quotes without them, as upstream's `node set` takes it."""
    if len(value) < 2 or value[0] != value[-1] or value[0] not in '"`':
        return value
    if value[0] == "`":
        return value[1:-1]
    try:
        inner: str = jsontext.loads(value)
    except ValueError:
        return value
    return inner


def labels(texts: Iterable[str]) -> dict[str, str]:
    """Read `-l a=b,c=d` options."""
    return named_values((pair for text in texts for pair in text.split(",") if pair), "label")


def _from_file(file: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for parsed in yamltext.parse(text_of(file), file):
        if not isinstance(parsed.value, dict):
            raise InputError(Problem("a parameter file is a mapping of names to values", file, parsed.line))
        found.update({name: as_text(name, value) for name, value in parsed.value.items()})
    return found


def as_text(name: str, value: Any) -> str:
    """A parameter's value as the text that it travels as: JSON, as Go writes it, for everything but text."""
    try:
        return value if isinstance(value, str) else jsontext.dumps(value)
    except ValueError as e:
        raise InputError(f"parameter {name!r}: {e}") from e


def _parameters(declared: Any, wished: Mapping[str, str]) -> list[Any]:
    entries = list(declared) if isinstance(declared, list) else []
    left = dict(wished)
    for at, entry in enumerate(entries):
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and name in left:
            entries[at] = {
                **{key: value for key, value in entry.items() if key != "valueFrom"},
                "value": left.pop(name),
            }
    return entries + [{"name": name, "value": value} for name, value in left.items()]


def _table(parent: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping at `key`, made when it is missing. Raises InputError when something else is there."""
    value = parent.get(key)
    if value is None:
        value = parent[key] = {}
    if not isinstance(value, dict):
        raise InputError(f"{key} must be a mapping, and is {value!r}")
    table: dict[str, Any] = value
    return table

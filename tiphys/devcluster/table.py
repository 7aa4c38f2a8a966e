"""`kubectl get` prints rows that the server made: Table and PartialObjectMetadata of stored objects."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster.columns import NAME_DESCRIPTION, duration, seconds_of
from tiphys.devcluster.jsonpath import find
from tiphys.devcluster.kinds import Column, Kind

META = "meta.k8s.io/v1"


def definitions(kind: Kind) -> list[Object]:
    """The columnDefinitions of a kind."""
    name = {"name": "Name", "type": "string", "format": "name", "description": NAME_DESCRIPTION, "priority": 0}
    rest = [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in kind.columns
    ]
    return rest if _shows_name(kind) else [name, *rest]


def _shows_name(kind: Kind) -> bool:
    """True for a kind that shows the name in a column of its own, at another place or with more in it."""
    return not kind.custom and any(column.name == "Name" for column in kind.columns)


def _cell(column: Column, thing: Object, now: float) -> Any:
    if column.cell is not None:
        return column.cell(thing, now)
    found = find(thing, column.path)
    if not found:
        return None
    value = found[0]
    if column.type == "date":
        since = seconds_of(value)
        return "<unknown>" if since is None else duration(now - since)
    if column.type == "integer":
        return int(value) if isinstance(value, int | float) else None
    if column.type == "number":
        return float(value) if isinstance(value, int | float) else None
    if column.type == "boolean":
        return value if isinstance(value, bool) else None
    return value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        import json  # noqa: PLC0415 - few columns show a whole structure

        return json.dumps(value, separators=(",", ":"))
    return str(value)


def partial(thing: Object) -> Object:
    """The object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": thing["metadata"]}


def rows(kind: Kind, things: list[Object], now: float, include: str) -> list[Object]:
    """One row per object; `include` is None, Metadata or Object, as the request says."""
    made: list[Object] = []
    shows_name = _shows_name(kind)
    for thing in things:
        name = () if shows_name else (thing["metadata"]["name"],)
        cells = [*name, *(_cell(column, thing, now) for column in kind.columns)]
        row: Object = {"cells": cells}
        if include == "Object":
            row["object"] = thing
        elif include != "None":
            row["object"] = partial(thing)
        made.append(row)
    return made


def table(kind: Kind, made: list[Object], meta: Object) -> Object:
    """The Table of these rows."""
    return {
        "kind": "Table",
        "apiVersion": META,
        "metadata": meta,
        "columnDefinitions": definitions(kind),
        "rows": made,
    }

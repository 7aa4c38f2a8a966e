"""When a resource is as wished, and what of it becomes the node's outputs (RES-6..9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from actors.contract.documents import Parameter
from actors.language.conditions import ConditionError, failing, matches, parse_condition
from actors.language.jsonpath import PathError
from actors.language.jsontext import dumps
from actors.language.kubectl_path import render_template
from runtime.api import Api, Expired, Gone, Selection, Throttled, Unavailable
from runtime.objects import Object, Reference

POLL_S = 5.0  # when there is no watch to be had
DELETED = "The resource has been deleted while its status was still being checked."  # upstream's words
WATCH_S = 120  # then the object is read anew, in case the watch has lost something


class Unsatisfied(Exception):
    """The resource will not become as wished; the text says why."""


async def until_decided(api: Api, ref: Reference, success: str, failure: str) -> Object:
    """Follow the object until a condition decides; the object then. Raises Unsatisfied, ApiError."""
    _readable("success", success)
    _readable("fail", failure)
    async for thing in _states(api, ref):
        if failure and failing(failure, thing) is not None:
            raise Unsatisfied(f"failure condition '{failure}' evaluated true")
        if matches(success, thing):
            return thing
    resource = ref.resource
    called = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
    raise Unsatisfied(f'{DELETED} Will not be retried: {called} "{ref.name}" not found')


def _readable(what: str, condition: str) -> None:
    try:
        parse_condition(condition)
    except ConditionError as error:
        raise Unsatisfied(f"{what} condition '{condition}' failed to parse: {error}") from error


def values_of_nothing(wanted: Sequence[Parameter]) -> dict[str, str]:
    """The output parameters when no object was found, and that was allowed: no filter is asked."""
    return {entry["name"]: entry.get("default", "") for entry in wanted}


def output_values(thing: Any, wanted: Sequence[Parameter]) -> tuple[dict[str, str], str]:
    """The output parameters taken from an object, and why one of them could not be."""
    values: dict[str, str] = {}
    error = ""
    for entry in wanted:
        try:
            values[entry["name"]] = _value(thing, entry)
        except (PathError, ValueError) as reason:
            if "default" in entry:
                values[entry["name"]] = entry["default"]
            elif not error:
                error = f"output parameter {entry['name']!r}: {reason}"
    return values, error


async def _states(api: Api, ref: Reference) -> AsyncIterator[Object]:
    """Each state of the object, now and later; ends when it is deleted."""
    while True:
        try:
            thing = await api.get(ref)
        except Gone:
            return
        yield thing
        version = str(thing["metadata"].get("resourceVersion") or "")
        named = Selection(ref.namespace or None, fields=f"metadata.name={ref.name}")
        try:
            async with api.watch(ref.resource, named, resource_version=version, timeout_s=WATCH_S) as events:
                async for event in events:
                    if event.type == "DELETED":
                        return
                    if event.type != "BOOKMARK":
                        yield event.object
        except (Expired, Unavailable, Throttled):
            await asyncio.sleep(POLL_S)


def _value(thing: Any, entry: Parameter) -> str:
    if "jsonPath" in entry:
        text = render_template(entry["jsonPath"], thing)
    elif "jqFilter" in entry:
        text = _filtered(thing, entry["jqFilter"])
    else:
        text = ""
    if not text and "default" in entry:
        return entry["default"]
    return text


def _filtered(thing: Any, text: str) -> str:
    """What `jq -r` prints, with values in Go's spelling of JSON, as upstream has them."""
    try:
        import jq  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415  (native; few templates use it)
    except ImportError as error:
        raise ValueError("jqFilter needs the Python package jq: install it, or use jsonPath") from error
    results = jq.compile(text).input_value(thing).all()
    return "\n".join(each if isinstance(each, str) else dumps(each, html=True) for each in results).strip()

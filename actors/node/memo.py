"""Remembered results: a ConfigMap entry of the template's choice takes the place of work that was done before.

It is read live, once the node could begin (after its locks, so that of two who want the same work the second finds
what the first has done). A success is saved before it is told: what the parent hears is in the cache. An entry is one
key of a merge patch, so nodes that save side by side never undo each other. (MEMO-1..5.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

import msgspec

from actors.messages import NodeStatus
from actors.names import labels
from actors.names.config_maps import is_cache
from actors.names.durations import parse_duration
from actors.names.timestamps import rfc3339, seconds
from runtime.api import AlreadyExists, ApiError, Conflict, Gone, Throttled, Unavailable
from runtime.messages import Command, Create, Patch, Read
from runtime.objects import CONFIGMAPS, Object, Reference

KEY = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
RECALL, SAVE, TOUCH = "memo:recall", "memo:save", "memo:touch"  # tags
READING, KNOWN, SAVED = "reading", "known", "saved"
SAVE_TRIES_MAX = 10  # then the node is an Error: a cache that cannot be written is a mistake to mend
FIELDS = {name.lower(): name for name in ("nodeID", "outputs", "creationTimestamp", "lastHitTimestamp")}  # of an entry
HELP = "https://argo-workflows.readthedocs.io/en/latest/memoization/#faqs"
TRANSIENT = (Conflict, Throttled, Unavailable)


class BadMemo(ValueError):
    """The template's `memoize`, or the entry found, is not what it must be; the text is the node's message."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Where a result is kept, and for how long it counts."""

    ref: Reference
    key: str
    max_age_s: float | None = None  # None: for ever


@dataclass(frozen=True, slots=True)
class Closing:
    """How the node will end once its result is saved."""

    command: Command
    message: str = ""
    error: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Memory:
    """How far a node is with its cache."""

    cache: Cache | None = None
    step: str = ""
    closing: Closing | None = None  # its end, while that is held back by a write to the cache
    failures: int = 0


def cache_of(template: Mapping[str, Any], namespace: str) -> Cache | None:
    """What a filled-in template says; None when it remembers nothing. Raises BadMemo."""
    section = template.get("memoize")
    if not section:
        return None
    key = str(section.get("key") or "")
    name = ((section.get("cache") or {}).get("configMap") or {}).get("name")
    if not KEY.fullmatch(key):
        raise BadMemo(f"invalid cache key: {key}")
    if not name:
        raise BadMemo("memoize.cache.configMap.name is missing: name the ConfigMap that keeps the results")
    text = str(section.get("maxAge") or "")
    try:
        age = parse_duration(text) if text else None
    except ValueError as error:
        raise BadMemo(f"invalid maxAge: {error}") from error
    return Cache(Reference(CONFIGMAPS, namespace, str(name)), key, age)


def recall(cache: Cache) -> Read:
    """Look what is remembered."""
    return Read(cache.ref, RECALL)


def _permit(found: Object | None, cache: Cache) -> None:
    """What is there must have been meant as a cache: it is read and written with our rights. Raises BadMemo."""
    if found is None or is_cache(found):
        return
    label = labels.CONFIGMAP_TYPE
    told = label in (found["metadata"].get("labels") or {})
    lacks = f"label {label} = {labels.CONFIGMAP_TYPE_CACHE}" if told else f"{label} label"
    raise BadMemo(f"memoization configmap doesn't have {lacks}, refusing to use it")


def entry_in(found: Object | None, cache: Cache, now: float) -> dict[str, Any] | None:
    """The entry that counts; None when there is none, it is nobody's, or it is too old. Raises BadMemo."""
    _permit(found, cache)
    text = ((found or {}).get("data") or {}).get(cache.key)
    if not text:
        return None
    try:
        entry = _entry(text)
        made = _at(entry.get("creationTimestamp"))
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        place = f"entry {cache.key!r} of ConfigMap {cache.ref.namespace}/{cache.ref.name}: delete it"
        why = f"could not unmarshal JSON; unable to parse: {error} ({place})"
        raise BadMemo(f"malformed cache entry: {why}") from error
    old = cache.max_age_s is not None and made + cache.max_age_s < now
    return None if old or not entry.get("nodeID") else entry


def _entry(text: str) -> dict[str, Any]:
    """What an entry says, whichever case its fields are written in. Raises DecodeError or ValueError."""
    read = msgspec.json.decode(text, type=dict[str, Any] | None) or {}
    entry = {FIELDS.get(name.lower(), name): value for name, value in read.items()}
    msgspec.convert(entry.get("nodeID"), str | None)
    msgspec.convert(entry.get("outputs"), dict[str, Any] | None)
    _at(entry.get("lastHitTimestamp"))
    return entry


def _at(stamp: Any) -> float:
    """When that was; a time that is not told is before all others."""
    return -inf if stamp is None else seconds(str(stamp))


def status_of(cache: Cache, *, hit: bool) -> dict[str, Any]:
    """`memoizationStatus` of the node."""
    return {"hit": hit, "key": cache.key, "cacheName": cache.ref.name}


def of_attempt(template: Mapping[str, Any]) -> dict[str, Any] | None:
    """`memoizationStatus` of an attempt: nothing was remembered, or there would be none."""
    section = template.get("memoize") or {}
    name = ((section.get("cache") or {}).get("configMap") or {}).get("name")
    return {"hit": False, "key": str(section.get("key") or ""), "cacheName": str(name)} if name else None


def is_hit(status: NodeStatus) -> bool:
    """Whether a node ended with a remembered result."""
    return bool((status.memoization_status or {}).get("hit"))


def touch(found: Object, cache: Cache, entry: Mapping[str, Any], now: float) -> Patch | None:
    """Note the hit, for who collects entries that nobody asks for; None when that is noted for this second."""
    stamp = rfc3339(now)
    if entry.get("lastHitTimestamp") == stamp:
        return None
    version = {"resourceVersion": found["metadata"].get("resourceVersion", "")}
    renewed = _text({**entry, "lastHitTimestamp": stamp})
    return Patch(cache.ref, {"metadata": version, "data": {cache.key: renewed}}, tag=TOUCH)


def save(cache: Cache, node_id: str, outputs: Mapping[str, Any] | None, now: float) -> Patch:
    """Keep a result."""
    stamp = rfc3339(now)
    entry = {"nodeID": node_id, "outputs": outputs or {}, "creationTimestamp": stamp, "lastHitTimestamp": stamp}
    return Patch(cache.ref, {**_labelled(), "data": {cache.key: _text(entry)}}, tag=SAVE)


def instead(command: Command, error: ApiError) -> Command | None:
    """What to try when a save was refused; None when nothing will help."""
    if isinstance(command, Patch) and isinstance(error, Gone):
        ref = command.ref
        body = _labelled()
        body["metadata"] |= {"name": ref.name, "namespace": ref.namespace}
        return Create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", **body, "data": command.body["data"]}, SAVE)
    if isinstance(command, Create) and isinstance(error, AlreadyExists):
        meta = command.object["metadata"]
        ref = Reference(CONFIGMAPS, meta["namespace"], meta["name"])
        return Patch(ref, {**_labelled(), "data": command.object["data"]}, tag=SAVE)
    return command if isinstance(error, TRANSIENT) else None


def unsaved(command: Command, error: ApiError) -> str:
    """What a node says whose result is not kept: there is no cache, or it takes no more."""
    if isinstance(command, Create):
        return f"could not save to config map cache: {error.message}"
    return f"error creating cache entry: {error.message}. Please check out this page for help: {HELP}"


def _labelled() -> dict[str, Any]:
    return {"metadata": {"labels": {labels.CONFIGMAP_TYPE: labels.CONFIGMAP_TYPE_CACHE}}}


def _text(entry: Mapping[str, Any]) -> str:
    return msgspec.json.encode(entry).decode()

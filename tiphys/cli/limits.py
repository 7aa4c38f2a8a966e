"""How many may hold a semaphore is an entry of a ConfigMap: made, looked at, changed and taken away. (CLI-20.)"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from runtime.api import Gone
from runtime.objects import CONFIGMAPS, Object, Reference
from tiphys.cli.connect import Connection
from tiphys.cli.problems import InputError


class Place(NamedTuple):
    """Where a limit stands."""

    config_map: str
    key: str


async def create(at: Connection, place: Place, limit: int) -> int:
    """Make a limit that is not there yet, and its ConfigMap if need be."""
    ref = _reference(at, place)
    try:
        thing: Object | None = await at.api.get(ref)
    except Gone:
        thing = None
    if thing is None:
        meta = {"name": ref.name, "namespace": ref.namespace}
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {place.key: str(limit)}}
        await at.api.create(CONFIGMAPS, made)
    elif place.key in (thing.get("data") or {}):
        raise InputError(f"sync limit {place.key!r} is there already in ConfigMap {place.config_map!r}: update it")
    else:
        await at.api.patch(ref, {"data": {place.key: str(limit)}})
    print("Sync limit created")
    return _show(at, place, str(limit))


async def get(at: Connection, place: Place) -> int:
    """Print a limit."""
    return _show(at, place, await _limit(at, place))


async def update(at: Connection, place: Place, limit: int) -> int:
    """Change a limit; who waits is let in within seconds."""
    await _limit(at, place)
    await at.api.patch(_reference(at, place), {"data": {place.key: str(limit)}})
    print("Sync limit updated")
    return _show(at, place, str(limit))


async def delete(at: Connection, place: Place) -> int:
    """Take a limit away; one that is not there is fine."""
    with suppress(Gone):
        await at.api.patch(_reference(at, place), {"data": {place.key: None}})
    print("Sync limit deleted")
    return 0


async def _limit(at: Connection, place: Place) -> str:
    thing = await at.api.get(_reference(at, place))
    found = (thing.get("data") or {}).get(place.key)
    if found is None:
        raise InputError(f"there is no sync limit {place.key!r} in ConfigMap {place.config_map!r}: create it")
    return str(found)


def _show(at: Connection, place: Place, limit: str) -> int:
    print(f"Key: {place.key}\nType: configmap\nConfigMap Name: {place.config_map}")
    print(f"Namespace: {at.namespace}\nLimit: {limit}")
    return 0


def _reference(at: Connection, place: Place) -> Reference:
    return Reference(CONFIGMAPS, at.namespace, place.config_map)

"""An artifact driver as somebody else may bring one: it puts and gets over HTTP what an example calls a bucket."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import yaml

from tiphys.executor.artifacts import NotFound, Place, StoreError

TIMEOUT_S = 30


def load(place: Place, target: Path) -> None:
    """Bring what is at the key."""
    target.write_bytes(_asked(place, "GET"))


def save(place: Place, source: Path) -> None:
    """Keep a file at the key."""
    _asked(place, "PUT", source.read_bytes())


def list_keys(place: Place) -> list[str]:
    """Only the key itself is ever asked for."""
    return [str(place.section["key"])]


def delete(place: Place, *, tree: bool) -> None:
    """Examples delete nothing."""
    raise StoreError(f"nothing is deleted here: {place.section['key']} (tree: {tree})")


def _asked(place: Place, method: str, body: bytes | None = None) -> bytes:
    said = yaml.safe_load(place.section["configuration"])
    url = f"http://{said['endpoint']}/{said['bucket']}/{place.section['key']}"
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            raise (NotFound if error.code == 404 else StoreError)(f"{url}: {error.code}") from error

"""Where artifacts are kept: one module a driver, chosen by the location's own section.

A driver loads into a path (a file, or a directory where the store has directories) and saves a path. A driver is
imported when it is needed: each has its own libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from tiphys.executor.redaction import keep_users, redacted

_MODULES = {
    "artifactory": "artifactory",
    "azure": "azure",
    "file": "directory",
    "gcs": "gcs",
    "git": "git",
    "hdfs": "hdfs",
    "http": "web",
    "oss": "oss",
    "plugin": "plugins",
    "raw": "raw",
    "s3": "s3",
}


class _Said(Exception):
    """What a store says, without the passwords that its URL may carry."""

    def __init__(self, text: str) -> None:
        super().__init__(redacted(text))


class NotFound(_Said):
    """The store has nothing at that location."""


class StoreError(_Said):
    """The store refused, or the location makes no sense; trying again will not help."""


class StoreUnavailable(StoreError):
    """The store did not answer as it should; trying again may help."""


class Place(NamedTuple):
    """An artifact's location, and the pod's directory repository: its path on the node, and where it is mounted."""

    section: Mapping[str, Any]
    repository_root: str = ""
    repository_mount: str = ""


def load(location: Mapping[str, Any], target: Path, *, root: str, mount: str) -> None:
    """Bring what is at `location` to `target`. Raises NotFound, StoreError."""
    driver, place = _driver(location, root, mount)
    driver.load(place, target)


def save(location: Mapping[str, Any], source: Path, *, root: str, mount: str) -> None:
    """Keep file or directory `source` at `location`, replacing what is there. Raises StoreError."""
    driver, place = _driver(location, root, mount)
    driver.save(place, source)


def list_keys(location: Mapping[str, Any], *, root: str, mount: str) -> list[str]:
    """The keys of all that is kept at or below `location`. Raises StoreError."""
    driver, place = _driver(location, root, mount)
    keys: list[str] = driver.list_keys(place)
    return keys


def delete(location: Mapping[str, Any], *, tree: bool, root: str, mount: str) -> None:
    """Delete what is kept at `location`, with `tree` (or a key that ends with a slash) all that is kept below it, too.

    What is not there counts as deleted. Raises StoreError."""
    driver, place = _driver(location, root, mount)
    driver.delete(place, tree=tree)


def _driver(location: Mapping[str, Any], root: str, mount: str) -> tuple[Any, Place]:
    name, section = next(iter(location.items()))
    keep_users(section)
    if name == "s3" and str(section.get("endpoint", "")).startswith("file:///"):
        name = "file"
    if name not in _MODULES:
        raise StoreError(f"the {name} driver is not supported here")
    return import_module(f"{__name__}.{_MODULES[name]}"), Place(section, root, mount)

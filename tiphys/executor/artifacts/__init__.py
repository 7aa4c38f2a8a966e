"""Where artifacts are kept: one module a driver, chosen by the location's own section.

A driver loads into a path (a file, or a directory where the store has directories) and saves a path. A driver is
imported when it is needed: each has its own libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class NotFound(Exception):
    """The store has nothing at that location."""


class StoreError(Exception):
    """The store refused, or the location makes no sense; trying again will not help."""


class StoreUnavailable(StoreError):
    """The store did not answer as it should; trying again may help."""


class Place(NamedTuple):
    """An artifact's location, and the pod's directory repository: its path on the node, and where it is mounted."""

    section: Mapping[str, Any]
    repository_root: str = ""
    repository_mount: str = ""


Load = Callable[[Place, Path], None]
Save = Callable[[Place, Path], None]


def load(location: Mapping[str, Any], target: Path, *, root: str, mount: str) -> None:
    """Bring what is at `location` to `target`. Raises NotFound, StoreError."""
    driver, place = _driver(location, root, mount)
    driver.load(place, target)


def save(location: Mapping[str, Any], source: Path, *, root: str, mount: str) -> None:
    """Keep file or directory `source` at `location`, replacing what is there. Raises StoreError."""
    driver, place = _driver(location, root, mount)
    driver.save(place, source)


def _driver(location: Mapping[str, Any], root: str, mount: str) -> tuple[Any, Place]:
    name, section = next(iter(location.items()))
    place = Place(section, root, mount)
    if name == "s3" and str(section.get("endpoint", "")).startswith("file:///"):
        from tiphys.executor.artifacts import directory  # noqa: PLC0415

        return directory, place
    if name == "raw":
        from tiphys.executor.artifacts import raw  # noqa: PLC0415

        return raw, place
    if name == "http":
        from tiphys.executor.artifacts import web  # noqa: PLC0415

        return web, place
    raise StoreError(f"the {name} driver is not supported here")

"""Drivers that others bring: Python entry points of the group `tiphys.artifact_drivers`, one for each name (DRV-10).

An entry point names a module or object with the four functions of every driver: `load(place, target)`,
`save(place, source)`, `list_keys(place)` and `delete(place, tree=...)`; `place.section` is the artifact's `plugin`
section, with `name`, `key` and the opaque `configuration`. Their errors are those of `tiphys.executor.artifacts`.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from tiphys.executor.artifacts import NotFound, Place, StoreError

GROUP = "tiphys.artifact_drivers"


def load(place: Place, target: Path) -> None:
    """Bring what is at the key."""
    _asked(place, "load", place, target)


def save(place: Place, source: Path) -> None:
    """Keep a file or directory at the key."""
    _asked(place, "save", place, source)


def list_keys(place: Place) -> list[str]:
    """The keys that begin with the artifact's."""
    return [str(key) for key in _asked(place, "list_keys", place)]


def delete(place: Place, *, tree: bool) -> None:
    """Delete what is at the key."""
    _asked(place, "delete", place, tree=tree)


def _asked(place: Place, deed: str, *arguments: Any, **options: Any) -> Any:
    """Do it with somebody else's code; whatever it raises becomes a sentence that names it."""
    name = str(place.section.get("name") or "")
    driver = _installed(name)
    try:
        return getattr(driver.load(), deed)(*arguments, **options)
    except (NotFound, StoreError):
        raise
    except Exception as error:
        raise StoreError(f"artifact driver {name!r}: cannot {deed} {place.section.get('key')!r}: {error}") from error


def _installed(name: str) -> EntryPoint:
    """The one driver of this name. StoreError when there is none, or more than one: neither goes first."""
    every = entry_points(group=GROUP)
    found = sorted(_origin(entry) for entry in every if entry.name == name)
    if len(found) > 1:
        raise StoreError(
            f"artifact driver {name!r} is there {len(found)} times in the executor's image: {'; '.join(found)}. "
            "Uninstall all but one"
        )
    if not found:
        known = ", ".join(sorted(every.names)) or "none"
        raise StoreError(f"artifact driver {name!r} is not installed in the executor's image (there are: {known})")
    return every[name]


def _origin(entry: EntryPoint) -> str:
    """Where a driver comes from: its distribution and its module."""
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "a package without a name"
    return f"{entry.value} of {package}"

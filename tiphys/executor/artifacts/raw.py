"""A raw artifact is its own content, written as it stands (DRV-6)."""

from __future__ import annotations

from pathlib import Path

from tiphys.executor.artifacts import Place, StoreError


def load(place: Place, target: Path) -> None:
    """Write the content."""
    target.write_text(str(place.section.get("data", "")), encoding="utf-8")


def save(place: Place, source: Path) -> None:
    """Refuse: there is no place behind a literal."""
    raise StoreError(f"a raw artifact cannot be saved to ({source.name}, {len(place.section)} fields)")

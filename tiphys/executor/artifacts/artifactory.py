"""Artifactory is HTTP with a name and a password (DRV-4)."""

from __future__ import annotations

from pathlib import Path

from tiphys.executor.artifacts import Place, web


def load(place: Place, target: Path) -> None:
    """GET the url."""
    web.load(_with_auth(place), target)


def save(place: Place, source: Path) -> None:
    """PUT the file."""
    web.save(_with_auth(place), source)


def _with_auth(place: Place) -> Place:
    """Basic auth is always sent, empty when the artifact names no credentials."""
    credentials = {key: place.section.get(key) for key in ("usernameSecret", "passwordSecret")}
    return place._replace(section={"url": place.section.get("url"), "auth": {"basicAuth": credentials}})

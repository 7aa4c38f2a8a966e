"""Which path a kind is served under is asked of the API server itself: its discovery documents know every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from runtime.objects import Resource

Fetch = Callable[[str], dict[str, Any]]
"""GET of a path as JSON. Raises LookupError when there is nothing at that path."""


class UnknownKind(LookupError):
    """The API server serves no such kind."""


class Kinds:
    """The kinds of one API server, looked up as they are needed."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._known: dict[str, list[dict[str, Any]]] = {}

    def of_kind(self, api_version: str, kind: str) -> Resource:
        """The resource of an object's apiVersion and kind. Raises UnknownKind."""
        for entry in self._served(api_version):
            if entry.get("kind") == kind:
                return _resource(api_version, entry)
        raise UnknownKind(f"the API server knows no kind {kind!r} in {api_version!r}: is its CRD installed?")

    def of_name(self, word: str) -> Resource:
        """The resource that kubectl would take `word` for: plural, singular, short name or kind, with `.group` or not.

        Raises UnknownKind."""
        name, _, group = word.lower().partition(".")
        for api_version in self._versions():
            if group and not api_version.rpartition("/")[0].startswith(group):
                continue
            for entry in self._served(api_version):
                if name in _names(entry):
                    return _resource(api_version, entry)
        raise UnknownKind(f"the API server knows no resource {word!r}")

    def _versions(self) -> Iterator[str]:
        yield "v1"
        for group in self._fetch("/apis").get("groups") or ():
            yield str((group.get("preferredVersion") or {}).get("groupVersion") or "")

    def _served(self, api_version: str) -> list[dict[str, Any]]:
        if api_version not in self._known:
            path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                entries = self._fetch(path).get("resources") or []
            except LookupError:
                entries = []
            self._known[api_version] = [entry for entry in entries if "/" not in str(entry.get("name", ""))]
        return self._known[api_version]


def _resource(api_version: str, entry: dict[str, Any]) -> Resource:
    return Resource(api_version, str(entry["kind"]), str(entry["name"]), bool(entry.get("namespaced")))


def _names(entry: dict[str, Any]) -> set[str]:
    words = {str(entry.get(key) or "").lower() for key in ("name", "singularName", "kind")}
    return (words | {str(short) for short in entry.get("shortNames") or ()}) - {""}

"""A request's path says which objects are meant: parsed by one function, as there are only two shapes."""

from __future__ import annotations

from typing import NamedTuple

from runtime.api import Selection
from runtime.objects import PODS
from tiphys.devcluster import errors
from tiphys.devcluster.kinds import Catalog, Kind

_NAMESPACE_PARTS = ("status", "finalize")  # below /namespaces/NAME these are subresources, not collections


class Target(NamedTuple):
    """What a request is about. `name` empty: the collection; `namespace` None: in all namespaces."""

    kind: Kind
    namespace: str | None = None
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Where the object is stored."""
        return self.namespace or "", self.name

    def selection(self, labels: str, fields: str) -> Selection:
        """The objects of this collection that both selectors match."""
        return Selection(self.namespace, labels, fields)


def _split(path: str) -> tuple[str, list[str]] | None:
    """The API version and the rest of the path."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        return parts[1], parts[2:]
    if parts[0] == "apis" and len(parts) > 3:
        return f"{parts[1]}/{parts[2]}", parts[3:]
    return None


def target(catalog: Catalog, path: str) -> Target | None:
    """The target of a resource path; None when its group version is not served at all. Raises Gone (404)."""
    split = _split(path)
    if split is None:
        return None
    api_version, parts = split
    namespace: str | None = None
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in _NAMESPACE_PARTS:
        namespace, parts = parts[1], parts[2:]
    if (api_version, parts) == ("v1", ["bindings"]) and namespace is not None:
        return Target(catalog.of(PODS), namespace, "", "bindings")  # the schedulers' way to bind
    kind = catalog.find(api_version, parts[0])
    if kind is None:
        if not any(served.resource.api_version == api_version for served in catalog):
            return None
        raise errors.no_such_path()
    if len(parts) > 3 or (namespace is not None and not kind.resource.namespaced):
        raise errors.no_such_path()
    name = parts[1] if len(parts) > 1 else ""
    if name and kind.resource.namespaced and namespace is None:
        raise errors.no_such_path()
    return Target(kind, namespace, name, parts[2] if len(parts) > 2 else "")

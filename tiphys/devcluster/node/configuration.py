"""Reads the ConfigMaps and Secrets that pods name; what does not exist is None."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.api import Api, ApiError, Gone
from runtime.objects import CONFIGMAPS, SECRETS, Object, Reference
from tiphys.devcluster.node.containers import CannotCreate
from tiphys.devcluster.node.environment import Source

_RESOURCES = {"ConfigMap": CONFIGMAPS, "Secret": SECRETS}


async def fetch(api: Api, namespace: str, sources: Iterable[Source]) -> dict[Source, Object | None]:
    """Read each source. Raises CannotCreate when the API does not answer."""
    found: dict[Source, Object | None] = {}
    for source in sources:
        try:
            found[source] = await api.get(Reference(_RESOURCES[source.kind], namespace, source.name))
        except Gone:
            found[source] = None
        except ApiError as error:
            raise CannotCreate(f"{source.kind.lower()} {source.name!r} cannot be read: {error.message}") from error
    return found

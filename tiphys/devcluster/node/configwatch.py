"""Tells when a ConfigMap or Secret changes that living pods show in a volume: one watch each, however many pods."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeAlias

import anyio
from anyio.abc import TaskGroup

from runtime.api import Api, Refused, Selection
from runtime.log import Log
from runtime.objects import CONFIGMAPS, SECRETS
from tiphys.devcluster.node.environment import Source
from tiphys.devcluster.node.follow import Change, follow

log = Log()

_RESOURCES = {"ConfigMap": CONFIGMAPS, "Secret": SECRETS}
_Key: TypeAlias = tuple[str, Source]  # namespace, source

Refresh: TypeAlias = Callable[[str], Coroutine[Any, Any, None]]
"""Called with a pod's uid when something that it shows has changed."""


class ConfigWatch:
    """The sources of pods, by uid."""

    def __init__(self, api: Api, tasks: TaskGroup, refresh: Refresh) -> None:
        self._api = api
        self._tasks = tasks
        self._refresh = refresh
        self._users: dict[_Key, set[str]] = {}
        self._scopes: dict[_Key, anyio.CancelScope] = {}

    def add(self, uid: str, namespace: str, sources: Iterable[Source]) -> None:
        """The pod shows these from now on, whether they exist or not."""
        for source in sources:
            key = namespace, source
            users = self._users.setdefault(key, set())
            users.add(uid)
            if key not in self._scopes:
                self._scopes[key] = anyio.CancelScope()
                self._tasks.start_soon(self._watch, key, self._scopes[key])

    def remove(self, uid: str) -> None:
        """The pod is over."""
        for key, users in list(self._users.items()):
            users.discard(uid)
            if not users:
                del self._users[key]
                self._scopes.pop(key).cancel()

    async def _watch(self, key: _Key, scope: anyio.CancelScope) -> None:
        namespace, source = key

        def tell(change: Change) -> None:
            if not change.first:
                for uid in self._users.get(key, ()):
                    self._tasks.start_soon(self._refresh, uid)

        with scope:
            try:
                selection = Selection(namespace, fields=f"metadata.name={source.name}")
                await follow(self._api, _RESOURCES[source.kind], tell, selection)
            except Refused as error:
                log.warning("configuration.unwatched", kind=source.kind, name=source.name, error=error.message)

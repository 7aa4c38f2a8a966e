"""Events about pods: what went wrong, told once each, where `kubectl describe` looks for it."""

from __future__ import annotations

import hashlib

import anyio
from anyio.abc import TaskGroup

from runtime.api import AlreadyExists, Api, ApiError
from runtime.objects import EVENTS, Object
from tiphys.devcluster.node.lifecycle import rfc3339
from tiphys.devcluster.node.settings import Clock

ATTEMPTS = 3  # an Event that the API server does not take after this many tries is dropped, as the kubelet does


class EventRecorder:
    """Writes Warning Events in the background; the same words about the same pod are written once."""

    def __init__(self, api: Api, tasks: TaskGroup, clock: Clock, component: str, host: str = "") -> None:
        self._api = api
        self._tasks = tasks
        self._clock = clock
        self._source = {"component": component} | ({"host": host} if host else {})
        self._told: dict[str, set[str]] = {}  # pod uid -> names of its Events

    def warn(self, pod: Object, reason: str, message: str) -> None:
        """Tell that something about the pod went wrong. Never waits, never raises."""
        self._tell(pod, "Warning", reason, message)

    def forget(self, uid: str) -> None:
        """The pod is gone: what was told about it need not be remembered."""
        self._told.pop(uid, None)

    def _tell(self, pod: Object, kind: str, reason: str, message: str) -> None:
        meta = pod["metadata"]
        digest = hashlib.sha256(f"{meta['uid']}\0{reason}\0{message}".encode()).hexdigest()[:16]
        told = self._told.setdefault(meta["uid"], set())
        if digest in told:
            return
        told.add(digest)
        at = rfc3339(self._clock())
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{meta['name'][:236]}.{digest}", "namespace": meta["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "source": self._source,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        self._tasks.start_soon(self._write, event)

    async def _write(self, event: Object) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._api.create(EVENTS, event)
            except AlreadyExists:
                return
            except ApiError:
                await anyio.sleep(2.0**attempt)
            else:
                return

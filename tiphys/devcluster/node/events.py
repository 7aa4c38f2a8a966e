"""Events about pods: what was done and what went wrong, where `kubectl describe` looks for it.

The same words about the same pod are one Event with a count, brought up to date now and then, as the kubelet does.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

import anyio
from anyio.abc import TaskGroup

from runtime.api import AlreadyExists, Api, ApiError
from runtime.objects import EVENTS, Object, Reference
from tiphys.devcluster.node.lifecycle import rfc3339
from tiphys.devcluster.node.settings import Clock

ATTEMPTS = 3  # an Event that the API server does not take after this many tries is dropped, as the kubelet does
COUNT_EVERY_S = 10.0  # what is said again is counted at most so often
NORMAL_KEPT_MAX = 2000  # of Normal Events; then the oldest goes for each new one: nobody else would remove them

Kind: TypeAlias = Literal["Normal", "Warning"]


@dataclass(slots=True)
class _Said:
    """One sentence about one pod."""

    ref: Reference
    count: int = 1
    is_counting: bool = False  # a later write will tell the count


class EventRecorder:
    """Writes Events in the background. With `only_warnings`, what goes well is not told."""

    def __init__(
        self,
        api: Api,
        tasks: TaskGroup,
        clock: Clock,
        component: str,
        host: str = "",
        *,
        only_warnings: bool = False,
    ) -> None:
        self._api = api
        self._tasks = tasks
        self._clock = clock
        self._source = {"component": component} | ({"host": host} if host else {})
        self._only_warnings = only_warnings
        self._told: dict[str, dict[str, _Said]] = {}  # pod uid -> name of the Event -> what was said
        self._normal: deque[Reference] = deque()

    def warn(self, pod: Object, reason: str, message: str) -> None:
        """Tell that something about the pod went wrong. Never waits, never raises."""
        self._tell(pod, "Warning", reason, message)

    def say(self, pod: Object, reason: str, message: str) -> None:
        """Tell what was done for the pod. Never waits, never raises."""
        if not self._only_warnings:
            self._tell(pod, "Normal", reason, message)

    def forget(self, uid: str) -> None:
        """The pod is gone: what was told about it need not be remembered."""
        self._told.pop(uid, None)

    def _tell(self, pod: Object, kind: Kind, reason: str, message: str) -> None:
        meta = pod["metadata"]
        digest = hashlib.sha256(f"{meta['uid']}\0{reason}\0{message}".encode()).hexdigest()[:16]
        told = self._told.setdefault(meta["uid"], {})
        if (said := told.get(digest)) is not None:
            said.count += 1
            if not said.is_counting:
                said.is_counting = True
                self._tasks.start_soon(self._count, said)
            return
        said = told[digest] = _Said(Reference(EVENTS, meta["namespace"], f"{meta['name'][:236]}.{digest}"))
        self._tasks.start_soon(self._write, self._event(pod, kind, reason, message, said.ref.name))
        if kind == "Normal":
            self._keep_few(said.ref)

    def _event(self, pod: Object, kind: Kind, reason: str, message: str, name: str) -> Object:
        meta, at = pod["metadata"], rfc3339(self._clock())
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": meta["namespace"]},
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
            "reportingComponent": self._source["component"],
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }

    def _keep_few(self, ref: Reference) -> None:
        self._normal.append(ref)
        if len(self._normal) > NORMAL_KEPT_MAX:
            self._tasks.start_soon(self._remove, self._normal.popleft())

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

    async def _count(self, said: _Said) -> None:
        await anyio.sleep(COUNT_EVERY_S)
        said.is_counting = False
        body = {"count": said.count, "lastTimestamp": rfc3339(self._clock())}
        try:
            await self._api.patch(said.ref, body)
        except ApiError:
            return  # a count is no news worth another try

    async def _remove(self, ref: Reference) -> None:
        try:
            await self._api.delete(ref)
        except ApiError:
            return  # gone already, or it stays: either does no harm

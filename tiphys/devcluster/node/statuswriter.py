"""Keeps a pod's status at the API server equal to what is known here: one write in flight, changes meanwhile together.

The status is computed at the moment of writing, so a burst of changes costs one write. After the last status of a pod
that is being deleted the object is deleted for good.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import anyio

from runtime.api import Api, ApiError, Conflict, Gone, Refused, Throttled
from runtime.log import Log
from runtime.objects import PODS, Object, reference
from tiphys.devcluster.node.lifecycle import OWN_CONDITIONS
from tiphys.devcluster.node.settings import Clock

log = Log()

RETRY_FIRST_S = 0.1
RETRY_MAX_S = 15.0

Compute: TypeAlias = Callable[[float, Object], Object]
"""(now, status written before) -> the status to write."""


class StatusWriter:
    """Writes one pod's status until it is finished or the object is gone."""

    def __init__(self, api: Api, clock: Clock, pod: Object, compute: Compute, lose: Callable[[], None]) -> None:
        self._api = api
        self._clock = clock
        self._compute = compute
        self._lose = lose
        self._pod = pod
        self._written: Object = {}
        self._dirty = anyio.Event()
        self._finishing = False
        self._stopped = False
        self.ended = False

    def observe(self, pod: Object) -> None:
        """The object as it is now: conditions that others own are kept, a deletion is noticed."""
        self._pod = pod
        self._dirty.set()

    def touch(self) -> None:
        """What the status is computed from may have changed."""
        self._dirty.set()

    def finish(self) -> None:
        """The status computed from now on is the last: write it, delete the object if it is being deleted, end."""
        self._finishing = True
        self._dirty.set()

    def stop(self) -> None:
        """The object is gone: end without writing."""
        self._stopped = True
        self._dirty.set()

    async def run(self) -> None:
        """Write until finished or stopped; API failures are waited out."""
        await self._run()
        self.ended = True

    async def _run(self) -> None:
        delay = RETRY_FIRST_S
        while not self._stopped:
            await self._dirty.wait()
            self._dirty = anyio.Event()
            last = self._finishing
            try:
                await self._write()
                if last:
                    await release(self._api, self._pod)
            except (Gone, Conflict):
                self._stopped = True
                self._lose()
            except Refused as error:
                log.warning("status.refused", pod=self._pod["metadata"]["name"], error=error.message)
                return
            except ApiError as error:
                await anyio.sleep(error.after_s if isinstance(error, Throttled) else delay)
                delay = min(delay * 2, RETRY_MAX_S)
                self._dirty.set()
                continue
            if last and not self._dirty.is_set():
                return
            delay = RETRY_FIRST_S

    async def _write(self) -> None:
        if self._stopped:
            return
        before = self._conditions()
        status = self._compute(self._clock(), {"conditions": before})
        if status == self._written:
            return
        ref = reference(PODS, self._pod)
        body = {"metadata": {"uid": ref.uid}, "status": status}
        if (self._pod.get("spec") or {}).get("readinessGates"):  # others write conditions too: ours are merged by type
            foreign = {c["type"] for c in before} - set(OWN_CONDITIONS)
            body["status"] = {**status, "conditions": [c for c in status["conditions"] if c["type"] not in foreign]}
            await self._api.patch(ref, body, kind="strategic", subresource="status")
        else:
            await self._api.patch(ref, body, subresource="status")
        self._written = status

    def _conditions(self) -> list[Object]:
        """Ours as written last, and what others wrote as observed."""
        seen = (self._pod.get("status") or {}).get("conditions") or ()
        foreign = [c for c in seen if c["type"] not in OWN_CONDITIONS]
        own = [c for c in self._written.get("conditions") or seen if c["type"] in OWN_CONDITIONS]
        return own + foreign


async def release_when_possible(api: Api, pod: Object) -> None:
    """`release`, tried again until the API server has answered."""
    await _insist(partial(release, api, pod))


async def write_once(api: Api, pod: Object, status: Object) -> None:
    """Merge `status` into a pod's, tried again until the API server has answered; release it if it is being deleted."""
    ref = reference(PODS, pod)
    body = {"metadata": {"uid": ref.uid}, "status": status}
    await _insist(partial(api.patch, ref, body, subresource="status"))
    await release_when_possible(api, pod)


async def _insist(call: Callable[[], Awaitable[object]]) -> None:
    delay = RETRY_FIRST_S
    while True:
        try:
            await call()
        except (Conflict, Gone, Refused):
            return
        except ApiError as error:
            await anyio.sleep(error.after_s if isinstance(error, Throttled) else delay)
            delay = min(delay * 2, RETRY_MAX_S)
        else:
            return


async def release(api: Api, pod: Object) -> None:
    """Delete a pod object whose containers have ended, if its deletion was asked for. Absent is fine."""
    meta = pod["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("deletionGracePeriodSeconds") == 0:
        return
    try:
        await api.delete(reference(PODS, pod), grace_s=0)
    except Gone:
        return

"""The logs of a workflow's pods, each line with its pod's name: in order of time, or as they are written.

Lines that carry results from a pod to the controller are left out: they are not the program's.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Final, NamedTuple

import anyio

from actors.contract import frame
from runtime.api import Api, ApiError, Gone, LogOptions, Refused, Selection
from runtime.objects import PODS, Object, Reference
from tiphys.cli import nodes as status
from tiphys.cli import tree
from tiphys.cli.follow import changes
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.problems import InputError

NOT_YET_S: Final = 0.25  # between two tries to read the log of a container that has not started
_STAMP = re.compile(r"^(\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)) ?")


class Line(NamedTuple):
    """One line of one pod's log."""

    time: str  # RFC 3339 with nanoseconds; empty when the server gave none
    pod: str
    text: str


class Wishes(NamedTuple):
    """What of the logs is wanted."""

    container: str = "main"
    pod: str = ""  # only this one
    tail: int | None = None
    since_s: int | None = None
    previous: bool = False
    grep: str = ""
    timestamps: bool = False

    def options(self, *, follow: bool) -> LogOptions:
        """The same as the API server is asked."""
        return LogOptions(
            container=self.container,
            follow=follow,
            previous=self.previous,
            tail_lines=self.tail,
            since_s=self.since_s,
            timestamps=True,
        )


def pods(workflow: Object) -> list[str]:
    """The pods of a workflow that have begun, oldest first."""
    found = [
        node
        for node in status.nodes_of(workflow).values()
        if status.text(node, "type") == "Pod"
        and status.text(node, "phase") not in ("", "Pending", "Skipped", "Omitted")
    ]
    found.sort(key=lambda node: (status.text(node, "startedAt"), status.text(node, "name")))
    return [tree.pod_of(workflow, node) for node in found]


async def present(api: Api, workflow: Object, wishes: Wishes) -> list[Line]:
    """All lines there are, merged by time; lines of one pod stay in their order. Unreadable logs become a line."""
    namespace = status.text(workflow["metadata"], "namespace")
    keep = _pattern(wishes.grep)
    columns: list[list[Line]] = []
    for pod in pods(workflow):
        if wishes.pod in ("", pod):
            column = [line async for line in _lines(api, Reference(PODS, namespace, pod), wishes, follow=False)]
            columns.append([line for line in _monotonic(column) if keep(line.text)])
    return list(heapq.merge(*columns, key=lambda line: line.time))


async def follow(api: Api, ref: Reference, wishes: Wishes, emit: Callable[[Line], None]) -> None:
    """Emit lines as they are written, of pods as they begin, until the workflow has ended and all is read.

    Raises Gone when there is no such workflow."""
    keep = _pattern(wishes.grep)
    reading: set[str] = set()
    await api.get(ref)

    async def read(pod: str) -> None:
        async with aclosing(_lines(api, Reference(PODS, ref.namespace, pod), wishes, follow=True)) as lines:
            async for line in lines:
                if keep(line.text):
                    emit(line)

    selection = Selection(ref.namespace, fields=f"metadata.name={ref.name}")
    async with anyio.create_task_group() as readers, aclosing(changes(api, WORKFLOWS, selection)) as events:
        async for event in events:
            for pod in pods(event.object):
                if pod not in reading and wishes.pod in ("", pod):
                    reading.add(pod)
                    readers.start_soon(read, pod)
            if event.type == "DELETED" or status.is_finished(event.object):
                break


async def _lines(api: Api, pod: Reference, wishes: Wishes, *, follow: bool) -> AsyncGenerator[Line]:
    """The lines of one pod; waits for its container to begin when following."""
    while True:
        try:
            async with api.log(pod, wishes.options(follow=follow)) as chunks:
                async for text in _texts(chunks):
                    stamp = _STAMP.match(text)
                    shown = text[stamp.end() :] if stamp else text
                    for kept in frame.strip_spill([shown]):
                        yield Line(stamp[1] if stamp else "", pod.name, kept)
                return
        except Gone:
            return
        except Refused as e:
            waits = follow and "waiting to start" in e.message
            if not waits or await _is_over(api, pod):
                yield Line("", pod.name, f"(no log: {e.message})")
                return
            await anyio.sleep(NOT_YET_S)
        except ApiError as e:
            yield Line("", pod.name, f"(no log: {e.message})")
            return


async def _is_over(api: Api, pod: Reference) -> bool:
    """The pod has ended: what waits to start in it never will (an init container before it has failed)."""
    try:
        status_of = (await api.get(pod)).get("status") or {}
    except ApiError as e:
        return isinstance(e, Gone)
    return status_of.get("phase") in ("Succeeded", "Failed")


async def _texts(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Whole lines out of chunks that break anywhere."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").removesuffix("\r")
    if rest:
        yield rest.decode("utf-8", "replace")


def _monotonic(lines: Iterable[Line]) -> Iterator[Line]:
    """Times that never go back, so that merging keeps each pod's order."""
    latest = ""
    for line in lines:
        latest = max(latest, line.time)
        yield line._replace(time=latest)


def _pattern(grep: str) -> Callable[[str], bool]:
    try:
        found = re.compile(grep)
    except re.error as e:
        raise InputError(f"--grep {grep!r} is no regular expression: {e}") from e
    return lambda text: found.search(text) is not None

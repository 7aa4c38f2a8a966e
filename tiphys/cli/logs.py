"""The logs of a workflow's pods, each line with its pod's name: in order of time, or as they are written.

Lines that carry results from a pod to the controller are left out: they are not the program's.
"""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Final, NamedTuple

import anyio

from actors.contract import frame
from runtime.api import Api, ApiError, Gone, LogOptions, Refused, Selection
from runtime.objects import PODS, Object, Reference
from tiphys.cli import archived, tree
from tiphys.cli import nodes as status
from tiphys.cli.follow import changes
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.offloaded import whole
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

    container: str = ""  # empty: main, or every container of a set
    pod: str = ""  # only this one, or that of the node of this id or name
    tail: int | None = None
    since_s: int | None = None
    previous: bool = False
    grep: str = ""
    timestamps: bool = False
    labels: str = ""  # of pods, as kubectl reads them

    def options(self, container: str, *, follow: bool) -> LogOptions:
        """The same as the API server is asked."""
        return LogOptions(
            container=container,
            follow=follow,
            previous=self.previous,
            tail_lines=self.tail,
            since_s=self.since_s,
            timestamps=True,
        )


class Source(NamedTuple):
    """A container of a pod, and the node that the pod was made for."""

    pod: str
    node: status.Node
    container: str = "main"

    def is_meant(self, wish: str) -> bool:
        """Whether a person means this one by a pod's name, or by a node's id or name."""
        return wish in ("", self.pod, *(status.text(self.node, key) for key in ("id", "name", "displayName")))


def sources(workflow: Object, container: str = "") -> list[Source]:
    """What can be read of a workflow's pods that have begun, oldest first: that container of each; without one, its
    main container, or in a container set every one."""
    found = [
        node
        for node in status.nodes_of(workflow).values()
        if status.text(node, "type") == "Pod"
        and status.text(node, "phase") not in ("", "Pending", "Skipped", "Omitted")
    ]
    sets = container_sets(workflow)
    found.sort(key=lambda node: (status.text(node, "startedAt"), status.text(node, "name")))
    return [
        Source(tree.pod_of(workflow, node), node, name)
        for node in found
        for name in ([container] if container else sets.get(status.text(node, "id")) or ["main"])
    ]


def container_sets(workflow: Object) -> dict[str, list[str]]:
    """The containers of each container set, by its node's id."""
    nodes, found = status.nodes_of(workflow), dict[str, list[str]]()
    for node in nodes.values():
        pod = status.text(node, "boundaryID")
        if status.text(node, "type") == "Container" and pod in nodes:
            start = f"{status.text(nodes[pod], 'name')}."
            found.setdefault(pod, []).append(status.text(node, "name").removeprefix(start))
    return found


async def _chosen(api: Api, workflow: Object, wishes: Wishes) -> list[Source]:
    """Those of them that are wanted."""
    found = [source for source in sources(workflow, wishes.container) if source.is_meant(wishes.pod)]
    if not wishes.labels:
        return found
    namespace = status.text(workflow["metadata"], "namespace")
    listed = await api.list(PODS, Selection(namespace, labels=wishes.labels))
    names = {pod["metadata"]["name"] for pod in listed.items}
    return [source for source in found if source.pod in names]


async def present(api: Api, workflow: Object, wishes: Wishes) -> list[Line]:
    """All lines there are, merged by time; lines of one pod stay in their order. Unreadable logs become a line."""
    namespace = status.text(workflow["metadata"], "namespace")
    keep = _pattern(wishes.grep)
    columns: list[list[Line]] = []
    for source in await _chosen(api, workflow, wishes):
        pod = Reference(PODS, namespace, source.pod)
        try:
            column = [line async for line in _lines(api, pod, wishes.options(source.container, follow=False))]
        except Gone:
            column = await _archived(api, pod, source, wishes.tail)
        columns.append([line for line in _monotonic(column) if keep(line.text)])
    return list(heapq.merge(*columns, key=lambda line: line.time))


async def _archived(api: Api, pod: Reference, source: Source, tail: int | None) -> list[Line]:
    """The lines of a pod that is gone, if they were kept elsewhere."""
    location = archived.location_of(source.node, source.container)
    if not location:
        return [Line("", pod.name, "(no log: the pod is gone, and its log was not archived)")]
    try:
        async with archived.archived_log(api, pod.namespace, location) as file:
            with file.open(encoding="utf-8", errors="replace") as text:
                kept = deque(frame.strip_spill(line.rstrip("\r\n") for line in text), maxlen=tail)
    except archived.Unarchived as e:
        return [Line("", pod.name, f"(no log: the pod is gone; {e})")]
    return [Line("", pod.name, text) for text in kept]


async def follow(api: Api, ref: Reference, wishes: Wishes, emit: Callable[[Line], None]) -> None:
    """Emit lines as they are written, of pods as they begin, until the workflow has ended and all is read.

    Raises Gone when there is no such workflow."""
    keep = _pattern(wishes.grep)
    reading: set[tuple[str, str]] = set()
    await api.get(ref)

    async def read(source: Source) -> None:
        pod = Reference(PODS, ref.namespace, source.pod)
        try:
            async with aclosing(_lines(api, pod, wishes.options(source.container, follow=True))) as lines:
                async for line in lines:
                    if keep(line.text):
                        emit(line)
        except Gone:  # what was followed until now has been seen
            if archived.location_of(source.node, source.container):
                for line in await _archived(api, pod, source, wishes.tail):
                    if keep(line.text):
                        emit(line)

    selection = Selection(ref.namespace, fields=f"metadata.name={ref.name}")
    async with anyio.create_task_group() as readers, aclosing(changes(api, WORKFLOWS, selection)) as events:
        async for event in events:
            for source in await _chosen(api, await whole(api, event.object), wishes):
                if (source.pod, source.container) not in reading:
                    reading.add((source.pod, source.container))
                    readers.start_soon(read, source)
            if event.type == "DELETED" or status.is_finished(event.object):
                break


async def _lines(api: Api, pod: Reference, options: LogOptions) -> AsyncGenerator[Line]:
    """The lines of one container; waits for it to begin when following. Raises Gone before the first line."""
    while True:
        try:
            async with api.log(pod, options) as chunks:
                async for text in _texts(chunks):
                    stamp = _STAMP.match(text)
                    shown = text[stamp.end() :] if stamp else text
                    for kept in frame.strip_spill([shown]):
                        yield Line(stamp[1] if stamp else "", pod.name, kept)
                return
        except Gone:
            raise
        except Refused as e:
            waits = options.follow and "waiting to start" in e.message
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

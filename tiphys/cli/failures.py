"""What failed is shown with the last lines of its log, so that the cause is on the screen and not a command away.

The log is read from the API server while the pod is still there; a pod that is gone is said to be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from actors.contract import frame
from actors.contract.paths import MAIN
from runtime.api import Api, ApiError, Gone, LogOptions
from runtime.objects import PODS, Object, Reference
from tiphys.cli import nodes as status
from tiphys.cli import tree
from tiphys.cli.logs import container_sets
from tiphys.cli.nodes import Node
from tiphys.cli.screen import Screen

LINES_SHOWN: Final = 20
"""Of each failed container's log; the whole of it is a `tiphys logs` away on a cluster that stays."""

PODS_SHOWN: Final = 10
"""Failed pods whose logs are shown; further ones are counted."""

BYTES_READ: Final = 256 * 1024


class Failure(NamedTuple):
    """One failed node, with the end of its log."""

    title: str
    message: str
    log: list[str]


def failed_pods(workflow: Object) -> list[Node]:
    """The Pod nodes that failed, in the order in which they ended."""
    found = [
        node
        for node in status.nodes_of(workflow).values()
        if status.text(node, "type") == "Pod" and status.text(node, "phase") in ("Failed", "Error")
    ]
    return sorted(found, key=lambda node: (status.text(node, "finishedAt"), status.text(node, "name")))


async def read(api: Api, workflow: Object) -> list[Failure]:
    """The failures of a workflow with the last lines of their logs. An unreadable log becomes a sentence."""
    namespace = status.text(workflow["metadata"], "namespace")
    failures = []
    sets = container_sets(workflow)
    for node in failed_pods(workflow)[:PODS_SHOWN]:
        pod = tree.pod_of(workflow, node)
        container = blamed(status.text(node, "message"), sets.get(status.text(node, "id"), ()))
        lines = await last_lines(api, Reference(PODS, namespace, pod), container)
        title = f"{status.text(node, 'name')} ({pod})"
        failures.append(Failure(tree.one_line(title), tree.one_line(status.text(node, "message")), lines))
    return failures


def blamed(message: str, names: Sequence[str]) -> str:
    """Whose log tells why a pod failed: of a container set with these names that of the container which its message
    begins with, else of main or the last one, as kubectl shows it."""
    told = [name for name in names if message.startswith(f"{name}: ")]
    return told[0] if told else names[-1] if names and MAIN not in names else MAIN


async def last_lines(api: Api, pod: Reference, container: str = MAIN) -> list[str]:
    """The end of a container's log, without the lines that carry results; a sentence when there is none."""
    options = LogOptions(container=container, tail_lines=LINES_SHOWN * 2)
    raw = bytearray()
    try:
        async with api.log(pod, options) as chunks:
            async for chunk in chunks:
                raw += chunk
                del raw[:-BYTES_READ]
    except Gone:
        return ["(the pod is gone, and its log with it)"]
    except ApiError as e:
        return [f"(no log: {e.message})"]
    lines = list(frame.strip_spill(raw.decode("utf-8", "replace").splitlines()))
    return [tree.one_line(line) for line in lines[-LINES_SHOWN:]]


def lines(failures: Iterable[Failure], more: int, screen: Screen) -> list[str]:
    """The failures as text: node, message, and the log indented below."""
    shown: list[str] = []
    for failure in failures:
        shown += ["", f"{screen.icon('✖')} {screen.plain(failure.title)}"]
        if failure.message:
            shown.append(f"  {screen.plain(failure.message)}")
        shown += [screen.plain(f"  │ {line}") for line in failure.log]
    if more > 0:
        shown += ["", f"  {more} more failed"]
    return shown

"""What happens is shown as it happens: a tree that redraws on a terminal, one line per change elsewhere.

Both are told the newest state of each workflow and draw what changed since; both write to standard error when the
result itself goes to standard output.
"""

from __future__ import annotations

import time
from datetime import datetime, tzinfo
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from actors.names import timestamps
from runtime.objects import Object
from tiphys.cli import nodes as status
from tiphys.cli import show, tree
from tiphys.cli.nodes import Node
from tiphys.cli.screen import Screen
from tiphys.cli.tree import Row

if TYPE_CHECKING:
    from rich.live import Live

PASSING: Final = ("ContainerCreating", "PodInitializing")
"""What every pod waits for a moment: not worth a line."""

ROWS_KEPT: Final = 4
"""Rows of the terminal that a live tree leaves free for its own headline and what follows it."""


class Display(Protocol):
    """Something that shows workflows while they run."""

    def __enter__(self) -> Display:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture standing."""
        ...

    def update(self, workflow: Object) -> None:
        """Take in the newest state of a workflow."""
        ...

    def tick(self) -> None:
        """Let running durations move."""
        ...

    def say(self, text: str) -> None:
        """Show a sentence beside the picture."""
        ...


class Silent:
    """Shows nothing: for --watch=false."""

    def __enter__(self) -> Silent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def update(self, workflow: Object) -> None:
        """Show nothing."""

    def tick(self) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""


class ChangeLog:
    """One line per change: `10:02:03 ✔ diamond.A  1s`."""

    def __init__(self, stream: TextIO, screen: Screen, zone: tzinfo | None = None) -> None:
        self._stream = stream
        self._screen = screen
        self._zone = zone
        self._seen: dict[str, tuple[str, str]] = {}  # of each node or workflow: the icon and message last written

    def __enter__(self) -> ChangeLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.flush()

    def update(self, workflow: Object) -> None:
        """Write what changed since this workflow was last seen."""
        for line in self.lines(workflow, time.time()):
            print(line, file=self._stream)
        self._stream.flush()

    def lines(self, workflow: Object, now: float) -> list[str]:
        """The lines for what changed; remembers that they were given."""
        found = sorted(status.nodes_of(workflow).items(), key=_when)
        changed = []
        for key, node in found:
            if not _worth_a_line(node):
                continue
            icon, message = tree.icon(node), tree.one_line(status.text(node, "message"))
            if self._seen.get(key) == (icon, message):
                continue
            self._seen[key] = (icon, message)
            changed.append(self._line(node, icon, message, now))
        return changed

    def tick(self) -> None:
        """A line once written does not move."""

    def say(self, text: str) -> None:
        """Write a sentence on its own line."""
        print(self._screen.plain(text), file=self._stream, flush=True)

    def _line(self, node: Node, icon: str, message: str, now: float) -> str:
        at = status.text(node, "finishedAt") or status.text(node, "startedAt")
        name = tree.one_line(status.text(node, "name") or status.display(node))
        finished = status.text(node, "phase") in status.FULFILLED_PHASES
        parts = [name, tree.took(node, now) if finished else "", message]
        text = "  ".join(part for part in parts if part)
        return f"{self._clock(at, now)} {self._screen.icon(icon)} {self._screen.plain(text)}"

    def _clock(self, text: str, now: float) -> str:
        try:
            seconds = timestamps.seconds(text)
        except ValueError:
            seconds = now
        try:
            return f"{datetime.fromtimestamp(seconds, self._zone).astimezone(self._zone):%H:%M:%S}"
        except (OverflowError, OSError, ValueError):
            return "--:--:--"


class LiveTree:
    """The trees of all workflows, redrawn in place."""

    def __init__(self, stream: TextIO, screen: Screen) -> None:
        from rich.console import Console  # noqa: PLC0415  a slow import, needed on terminals only
        from rich.live import Live  # noqa: PLC0415

        self._screen = screen
        self._console = Console(file=stream, no_color=not screen.colour, highlight=False)
        self._live: Live = Live(console=self._console, auto_refresh=False, transient=True)
        self._workflows: dict[str, Object] = {}

    def __enter__(self) -> LiveTree:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()  # the live picture may have been cropped: the whole one takes its place
        for line in self._lines(height=0):
            self._console.file.write(line + "\n")
        self._console.file.flush()

    def update(self, workflow: Object) -> None:
        """Redraw with this newest state."""
        self._workflows[status.text(workflow["metadata"], "uid")] = workflow
        self.tick()

    def tick(self) -> None:
        """Redraw: durations move."""
        from rich.text import Text  # noqa: PLC0415

        lines = self._lines(height=max(5, self._console.size.height - ROWS_KEPT))
        self._live.update(Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop"), refresh=True)

    def say(self, text: str) -> None:
        """Write a sentence above the picture."""
        self._console.print(self._screen.plain(text), markup=False)

    def _lines(self, height: int) -> list[str]:
        lines: list[str] = []
        now = time.time()
        for workflow in self._workflows.values():
            drawn = tree.rows(workflow, now)
            if not drawn:
                lines.append(f"{self._screen.icon('◷')} {status.text(workflow['metadata'], 'name')}")
                continue
            share = height // len(self._workflows) if height else 0
            kept = cropped(drawn, share)
            lines += show.tree_lines(kept, self._screen, head=False)
            if len(kept) < len(drawn):
                lines.append(self._screen.plain(f"  … and {len(drawn) - len(kept)} more"))
        return lines


def display_on(stream: TextIO, screen: Screen) -> Display:
    """The display that suits an output."""
    return LiveTree(stream, screen) if screen.live else ChangeLog(stream, screen)


def cropped(rows: list[Row], height: int) -> list[Row]:
    """At most `height` rows (all, when 0), the most telling ones: root, then failed, then running, then the last."""
    if not height or len(rows) <= height:
        return rows
    worth = {"✖": 1, "⚠": 1, "●": 2, "ǁ": 2, "◷": 3}
    ranked = sorted(range(len(rows)), key=lambda at: (at > 0, worth.get(rows[at].icon, 4), -at))
    kept = sorted(ranked[: max(1, height)])
    return [rows[at] for at in kept]


def result_line(workflow: Object, screen: Screen) -> str:
    """How it ended, in one line: `✔ diamond-x7k2p Succeeded  3s`."""
    state = status.status_of(workflow)
    icon = tree.ICONS.get(status.phase_of(workflow), "?")
    name = status.text(workflow["metadata"], "name")
    parts = [f"{name} {show.decorated_phase(workflow)}", tree.took(state, time.time()), status.text(state, "message")]
    return f"{screen.icon(icon)} {screen.plain('  '.join(tree.one_line(part) for part in parts if part))}"


def _worth_a_line(node: Node) -> bool:
    """Groups begin and end with what they contain; what has a pod or waits is told, and how composites ended."""
    kind, phase = status.text(node, "type"), status.text(node, "phase")
    if kind in ("StepGroup", "TaskGroup"):
        return False
    if kind in ("Steps", "DAG", "Retry"):
        return phase in status.FULFILLED_PHASES
    return phase not in ("", "Pending") or status.text(node, "message") not in ("", *PASSING)


def _when(entry: tuple[str, Node]) -> tuple[str, bool, str, str]:
    """By end, then start; what contains others after them."""
    key, node = entry
    contains = status.text(node, "type") in ("Steps", "DAG", "Retry")
    finished = status.text(node, "finishedAt") or "~"
    return finished, contains, status.text(node, "startedAt"), status.text(node, "name") or key

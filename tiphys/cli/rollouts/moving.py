"""An update as a person sees it move: rows as they happen, or the tree redrawn in place with Enter to promote."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, TextIO

import anyio

from runtime.api import Api, ApiError
from runtime.objects import Object, Reference
from tiphys.cli.rollouts.verbs import picture
from tiphys.cli.screen import Screen
from tiphys.cli.table import width
from tiphys.simulate.timeline import Moment, Timeline, rows

REDRAW_S: Final = 0.25
SETTLED_S: Final = 1.0
"""After so long no further change joins a row: a timeline has one for each second."""

WIDTHS: Final = (7, 11, 5, 6, 6, 5)
"""Cells of the columns, which nobody can know in advance: a wider one pushes its row."""

STUCK: Final = frozenset(
    {
        "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError", "ErrImagePull", "ImagePullBackOff",
        "InvalidImageName", "RunContainerError",
    }
)  # fmt: skip
"""Why a container waits when it will not run without somebody's help."""


class RowWriter:
    """Writes a row for each second in which something changed."""

    def __init__(self, stream: TextIO | None, screen: Screen, seconds: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream  # None: nothing is written
        self._seconds = seconds
        self._changed = 0.0
        self._screen = screen
        self._timeline: Timeline | None = None
        self._written = 0

    def see(self, timeline: Timeline) -> None:
        """Write what can no longer change."""
        if self._timeline is None:
            self._write(rows([])[0])
        self._timeline = timeline
        self._changed = self._seconds()
        self._up_to(len(timeline.moments) - 1)

    def hear(self, sentence: str) -> None:
        """Write a sentence on a line of its own."""
        if self._stream is not None:
            print(self._screen.plain(sentence), file=self._stream, flush=True)

    def settle(self) -> None:
        """Write the last row too when its second is over; called now and then."""
        if self._seconds() - self._changed >= SETTLED_S:
            self.finish()

    def finish(self) -> None:
        """Write what is left."""
        if self._timeline is not None:
            self._up_to(len(self._timeline.moments))

    def _up_to(self, end: int) -> None:
        moments: list[Moment] = self._timeline.moments[self._written : end] if self._timeline else []
        for row in rows(moments)[1:]:
            self._write(row)
        self._written = max(self._written, end)

    def _write(self, cells: list[str]) -> None:
        padded = [cell + " " * (cells_wide - width(cell)) for cell, cells_wide in zip(cells, WIDTHS, strict=False)]
        self.hear("  ".join([*padded, *cells[len(WIDTHS) :]]).rstrip())


class Keyboard:
    """A person at a terminal: Enter promotes."""

    def __init__(self, say: RowWriter) -> None:
        self._pressed = False
        self._asked = ""
        self._say = say

    def answers(self, why: str, waited_s: float) -> bool | None:
        """Whether Enter was pressed since it waits for that."""
        del waited_s
        if why != self._asked:
            self._asked, self._pressed = why, False
            self._say.hear(f"॥ it waits for a person: {why}: press Enter to promote, Ctrl-C to leave")
        if self._pressed:
            self._asked, self._pressed = "", False
            return True
        return False

    async def listen(self) -> None:
        """Read keys until the input ends or the task is cancelled."""
        while True:
            await anyio.wait_readable(sys.stdin)
            if not os.read(sys.stdin.fileno(), 4096):
                return
            self.press()

    def press(self) -> None:
        """Enter was pressed."""
        self._pressed = True


async def redraw(api: Api, ref: Reference, stream: TextIO, screen: Screen) -> None:
    """Keep the Rollout's tree on the terminal until cancelled; then leave the last picture standing."""
    from rich.console import Console  # noqa: PLC0415  slow to import, needed on terminals only
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=stream, no_color=not screen.colour, highlight=False)
    with Live(console=console, auto_refresh=False, redirect_stdout=True) as live:
        while True:
            try:
                lines = await picture(api, ref, screen)
            except ApiError:  # not created yet
                lines = []
            live.update(Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop"), refresh=True)
            await anyio.sleep(REDRAW_S)


def complaints(pods: list[Object], told: set[str]) -> Iterator[str]:
    """A sentence for every container that will not run by itself and was not `told` of yet."""
    for pod in pods:
        status = pod.get("status") or {}
        for one in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
            waits = (one.get("state") or {}).get("waiting") or {}
            last = ((one.get("lastState") or {}).get("terminated") or {}).get("message") or ""
            image = one.get("image") or ""
            if waits.get("reason") in STUCK and image not in told:
                told.add(image)
                why = last or waits.get("message") or ""
                yield f"⚠ pod {pod['metadata']['name']}: {waits['reason']}: {why}".removesuffix(": ")

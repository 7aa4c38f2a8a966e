"""Workflows that were created are followed to their end: shown, resumed, stopped in time, and never left behind.

The first interruption stops them (exit handlers run), the second leaves at once; the same for a time-out.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

import anyio
import anyio.abc

from runtime.api import Api, ApiError, Selection
from runtime.objects import Object, Reference
from tiphys.cli import control
from tiphys.cli import nodes as status
from tiphys.cli.follow import changes
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.live import Display
from tiphys.cli.offloaded import whole
from tiphys.cli.problems import InputError

TICK_S: Final = 0.25  # how often running durations move on a terminal
STOP_GRACE_S: Final = 15.0  # after a time-out the workflow may end by itself for so long


class Execution:
    """Some workflows on their way to an end."""

    def __init__(self, api: Api, workflows: Sequence[Object], display: Display, *, hint: bool = True) -> None:
        self.latest: dict[str, Object] = {workflow["metadata"]["uid"]: workflow for workflow in workflows}
        self.timed_out = False
        self._api = api
        self._display = display
        self._hint = hint  # whether to say how a suspended node is resumed
        self._told: set[str] = set()
        self._deleted: set[str] = set()
        self._namespaces = {workflow["metadata"]["namespace"] for workflow in workflows}
        self._scope = anyio.CancelScope()

    @property
    def finished(self) -> bool:
        """Whether all have ended or are gone."""
        return all(uid in self._deleted or status.is_finished(thing) for uid, thing in self.latest.items())

    @property
    def succeeded(self) -> bool:
        """Whether all ended well."""
        return all(
            uid not in self._deleted and status.phase_of(thing) == "Succeeded" for uid, thing in self.latest.items()
        )

    async def to_the_end(self, timeout_s: float | None = None) -> None:
        """Return when all have ended, when a second interruption said so, or when they outlived the time-out."""
        with self._scope:
            async with anyio.create_task_group() as helpers:
                helpers.start_soon(self._tick)
                if timeout_s is not None:
                    helpers.start_soon(self._time_out, timeout_s)
                if self._hint and sys.stdin.isatty() and os.name == "posix":
                    helpers.start_soon(self._resume_on_enter)
                for namespace in self._namespaces:
                    helpers.start_soon(self._follow, namespace)

    def leave(self) -> None:
        """Return at once, whatever still runs."""
        self._scope.cancel()

    def say(self, text: str) -> None:
        """Show a sentence beside the picture."""
        self._display.say(text)

    async def stop(self, strategy: str = "Stop") -> None:
        """Tell every workflow that still runs to stop."""
        for thing in list(self.latest.values()):
            if not status.is_finished(thing):
                await self._edit(thing, lambda current: control.shut_down(current, strategy))

    async def _follow(self, namespace: str) -> None:
        async with aclosing(changes(self._api, WORKFLOWS, Selection(namespace))) as events:
            async for event in events:
                uid = event.object["metadata"]["uid"]
                if uid in self.latest:
                    thing = await whole(self._api, event.object)
                    self._take(uid, thing, deleted=event.type == "DELETED")
                if self.finished:
                    break
        self._scope.cancel()

    def _take(self, uid: str, workflow: Object, *, deleted: bool) -> None:
        self.latest[uid] = workflow
        if deleted:
            self._deleted.add(uid)
            if not status.is_finished(workflow):
                self._display.say(f"{workflow['metadata']['name']} was deleted while it ran")
        self._display.update(workflow)
        if self._hint:
            self._tell_how_to_resume(workflow)

    def _tell_how_to_resume(self, workflow: Object) -> None:
        for key, node in status.nodes_of(workflow).items():
            if status.is_suspended(node) and key not in self._told and not _has_duration(workflow, node):
                self._told.add(key)
                how = "press Enter to resume" if sys.stdin.isatty() else "nobody can resume it here: see `tiphys dev`"
                self._display.say(f"ǁ {status.text(node, 'name')} waits for a person: {how}")

    async def _tick(self) -> None:
        while True:
            await anyio.sleep(TICK_S)
            self._display.tick()

    async def _time_out(self, timeout_s: float) -> None:
        await anyio.sleep(timeout_s)
        self.timed_out = True
        self._display.say(f"the time-out of {timeout_s:g} s is over: terminating")
        await self.stop("Terminate")
        await anyio.sleep(STOP_GRACE_S)
        self._scope.cancel()

    async def _resume_on_enter(self) -> None:
        while True:
            await anyio.wait_readable(sys.stdin)
            if not os.read(sys.stdin.fileno(), 4096):
                return  # end of input: nobody is there
            for thing in list(self.latest.values()):
                if any(map(status.is_suspended, status.nodes_of(thing).values())):
                    await self._edit(thing, lambda current: control.resumed(current, [], time.time()))

    async def _edit(self, thing: Object, decide: control.Change) -> None:
        meta = thing["metadata"]
        try:
            await control.change(self._api, Reference(WORKFLOWS, meta["namespace"], meta["name"]), decide)
        except (ApiError, InputError) as e:  # it has ended, or is gone: the watch tells
            self._display.say(str(e))


class Interruptions:
    """Turns signals into what a person means: the first stops, the second leaves, the third lets go of everything.

    Before there is an execution the first one lets go of everything already."""

    def __init__(self, scope: anyio.CancelScope) -> None:
        self.execution: Execution | None = None
        self.happened = False
        self._scope = scope

    async def heed(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Listen to SIGINT and SIGTERM until cancelled; started when it listens."""
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
            task_status.started()
            count = 0
            async for number in received:
                self.happened = True
                count += 1
                if self.execution is None or count > 2:
                    self._scope.cancel()
                elif count == 2:
                    self.execution.leave()
                elif number == signal.SIGINT:
                    self.execution.say("stopping; once more leaves at once")
                    await self.execution.stop("Stop")
                else:
                    self.execution.say("terminating")
                    await self.execution.stop("Terminate")


def _has_duration(workflow: Object, node: status.Node) -> bool:
    """Whether a suspend node ends by itself: its template gives a duration."""
    name = status.text(node, "templateName")
    spec = workflow.get("spec")
    templates = list((spec or {}).get("templates") or []) if isinstance(spec, dict) else []
    templates += (status.status_of(workflow).get("storedTemplates") or {}).values()
    for template in templates:
        if isinstance(template, dict) and template.get("name") == name:
            suspend = template.get("suspend")
            return isinstance(suspend, dict) and bool(suspend.get("duration"))
    return False

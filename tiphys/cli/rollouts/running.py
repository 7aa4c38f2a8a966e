"""`tiphys run` of a Rollout: its first version becomes healthy, then an update moves, with real pods on this machine.

When it ends nothing is left: no process, no socket, no folder.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio
import anyio.abc

from runtime.clock import SystemClock
from runtime.objects import Reference
from tiphys.cli import results
from tiphys.cli.documents import Document
from tiphys.cli.problems import EXIT_FAILED, EXIT_SUCCEEDED, InputError
from tiphys.cli.rollouts.moving import REDRAW_S, Keyboard, RowWriter, complaints, redraw
from tiphys.cli.rollouts.objects import ROLLOUTS
from tiphys.cli.screen import Screen, screen_of
from tiphys.cli.session import SessionSettings, opened
from tiphys.cli.simulate import TEMPLATES, beside, chosen, ending, first_of, images_of
from tiphys.simulate.run import CannotSimulate, Nobody, Patient, Person, Played, Wish, perform
from tiphys.simulate.scenery import scenery
from tiphys.simulate.stage import Stage
from tiphys.simulate.warnings import warnings

LONGEST_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Update:
    """What the command line of `run` said about a Rollout."""

    name: str = ""
    namespace: str = "default"
    changes: Sequence[str] = ()  # CONTAINER=IMAGE; without any the template is only marked
    promote_after_s: float | None = None
    until_s: float | None = None
    output: str = ""
    watch: bool = True
    no_colour: bool = False
    no_utf8: bool = False


def run(documents: Sequence[Document], update: Update, session: SessionSettings) -> int:
    """Run the Rollout of the documents through an update; 0 when it ends Healthy. Raises InputError."""
    wish = wished(documents, update)
    played: Played | None = None
    try:
        played = anyio.run(_run, wish, update, replace(session, serving=True))
    except* CannotSimulate as group:
        raise InputError(str(first_of(group))) from group
    return EXIT_SUCCEEDED if played is not None and played.ending == "Healthy" else EXIT_FAILED


def wished(documents: Sequence[Document], update: Update) -> Wish:
    """What to play; what is amiss is said on standard error. Raises InputError."""
    rollout = chosen(documents, update.name, update.namespace)
    others = beside(documents, rollout["metadata"]["namespace"])
    around = scenery(rollout, others)
    at_hand = [thing for resource, thing in others if resource.kind in TEMPLATES]
    for sentence in [*around.said, *warnings(rollout, at_hand)]:
        print(f"warning: {sentence}", file=sys.stderr)
    person: Person = Nobody() if update.promote_after_s is None else Patient(update.promote_after_s)
    images = images_of(update.changes)
    return Wish(rollout, [*around.things, *others], images, until_s=update.until_s or LONGEST_S, person=person)


async def _run(wish: Wish, update: Update, settings: SessionSettings) -> Played | None:
    played = None
    async with anyio.create_task_group() as tasks:
        await tasks.start(_leave_on_signals, tasks.cancel_scope)
        async with opened(settings) as session:
            stage = Stage(session.cluster, SystemClock())
            played = await _shown(stage, wish, update)
        tasks.cancel_scope.cancel()
    return played


async def _shown(stage: Stage, wish: Wish, update: Update) -> Played:
    stream = sys.stderr if update.output else sys.stdout
    screen = screen_of(stream, no_colour=update.no_colour, no_utf8=update.no_utf8)
    ref = Reference(ROLLOUTS, wish.rollout["metadata"]["namespace"], wish.rollout["metadata"]["name"])
    writer = RowWriter(stream if update.watch else None, screen)
    async with anyio.create_task_group() as tasks:
        if update.watch and screen.live:
            tasks.start_soon(redraw, stage.api, ref, stream, screen)
        if update.promote_after_s is None and _somebody_is_here(screen):
            keyboard = Keyboard(writer)
            wish = replace(wish, person=keyboard)
            tasks.start_soon(keyboard.listen)
        tasks.start_soon(_look_around, stage, ref, writer)
        played = await perform(stage, wish, writer)
        writer.finish()
        tasks.cancel_scope.cancel()
    print(f"\n{ref.name}: {ending(played, wish.until_s)}", file=stream, flush=True)
    if update.output:
        results.write([await stage.api.get(ref)], update.output, sys.stdout)
    return played


def _somebody_is_here(screen: Screen) -> bool:
    return screen.live and sys.stdin.isatty() and os.name == "posix"


async def _look_around(stage: Stage, ref: Reference, writer: RowWriter) -> None:
    """Write rows as soon as they are settled, and tell of pods that will not run."""
    told: set[str] = set()
    while True:
        await anyio.sleep(REDRAW_S)
        writer.settle()
        for sentence in complaints(stage.stored("", "pods", ref.namespace), told):
            writer.hear(sentence)
            if "is not pulled here" in sentence:
                writer.hear("  --runtime simulated plays pods without running anything")


async def _leave_on_signals(scope: anyio.CancelScope, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        task_status.started()
        async for _ in received:
            scope.cancel()

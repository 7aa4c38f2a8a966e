"""Finds an engine, tries it out with a real container, and at the end takes everything away that a node had there."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import anyio.to_thread

from runtime.api import Api, Refused
from tiphys.devcluster.node import launch
from tiphys.devcluster.node.engine import bodies, helpers
from tiphys.devcluster.node.engine.api import EngineApi, connected
from tiphys.devcluster.node.engine.errors import EngineAway, EngineError
from tiphys.devcluster.node.engine.premises import Premises, sweep
from tiphys.devcluster.node.engine.pulling import Images
from tiphys.devcluster.node.engine.runtime import EngineRuntime
from tiphys.devcluster.node.engine.session import Session, remove_leftovers, remove_session
from tiphys.devcluster.node.engine.sockets import Candidate, candidates, nobody_answers
from tiphys.devcluster.node.engine.trial import try_out
from tiphys.devcluster.node.events import EventRecorder
from tiphys.devcluster.node.layout import Layout
from tiphys.devcluster.node.settings import NodeSettings


class NoEngine(Refused):
    """No engine can be used here; one sentence that says why, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=503, reason="NoContainerEngine")


async def open_engine_runtime(stack: AsyncExitStack, api: Api, settings: NodeSettings) -> tuple[EngineRuntime, str]:
    """A runtime on the first engine that answers, and which one it is. Raises NoEngine."""
    if sys.platform != "linux":
        raise NoEngine(
            f"containers must see this machine's folders and network, and on {sys.platform} an engine lives in a "
            "virtual machine: use --runtime auto"
        )
    engine = await first_of(stack, settings.engines or candidates({}))
    layout = Layout(settings.root, settings.claims)
    layout.clear()  # what a killed node left behind
    layout.root.mkdir(parents=True, exist_ok=True)
    session = Session(secrets.token_hex(4), layout.root)
    stack.callback(session.close)
    await remove_leftovers(engine)
    machine = launch.system(settings.packages)
    try:
        can = bodies.abilities_of(await engine.call("GET", "/info"))
        archive = helpers.archive(machine)
        changes = [f"LABEL {label}={json.dumps(value)}" for label, value in session.labels.items()]
        image = await engine.import_image(helpers.NAME, session.name, archive, changes)
    except EngineError as error:
        raise NoEngine(f"{engine.name} at {engine.socket} cannot be used: {error.message}") from error
    tasks = await stack.enter_async_context(anyio.create_task_group())
    events = EventRecorder(api, tasks, time.time, "kubelet", settings.name)
    images = Images(api, engine, events)
    premises = Premises(engine, session, tasks, machine, image, can, images)
    stack.push_async_callback(_close, premises, layout)
    if why := await try_out(premises, layout.root / "trial"):
        raise NoEngine(f"{engine.name} at {engine.socket} answers, but {why}")
    return EngineRuntime(api, settings, premises), f"{engine.name} at {engine.socket}"


async def first_of(stack: AsyncExitStack, places: Iterable[Candidate]) -> EngineApi:
    """The first engine that answers at one of these places. Raises NoEngine."""
    tried: list[tuple[str, str]] = []
    seen: set[Path] = set()
    for place in places:
        if place.socket is None:
            tried.append((place.place, place.why_not))
            continue
        socket = place.socket.resolve()
        if socket in seen:
            continue
        seen.add(socket)
        try:
            return await stack.enter_async_context(connected(socket))
        except EngineAway as error:
            tried.append((place.place, error.message))
    raise NoEngine(nobody_answers(tried))


async def _close(premises: Premises, layout: Layout) -> None:
    """Nothing is left: no container, no image, no file that only a container may remove."""
    with anyio.CancelScope(shield=True):
        await remove_session(premises.engine, premises.session.name)
        await anyio.to_thread.run_sync(layout.clear)
        for folder in layout.made():
            await sweep(premises, folder)
        try:
            await premises.engine.remove_image(premises.helper_image)
        except EngineError:  # the next node finds it by its label
            return

"""What a node's runtime works with at an engine, and the one thing it does by the engine's rights: removing files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from anyio.abc import TaskGroup

from runtime.objects import Object
from tiphys.devcluster.node import images, launch
from tiphys.devcluster.node.engine import bodies, helpers
from tiphys.devcluster.node.engine.api import EngineApi
from tiphys.devcluster.node.engine.errors import EngineError
from tiphys.devcluster.node.engine.pulling import Images
from tiphys.devcluster.node.engine.session import Session


class Premises(NamedTuple):
    """What the runtime works with for as long as the node lives."""

    engine: EngineApi
    session: Session
    tasks: TaskGroup
    machine: launch.System
    helper_image: str  # the id of the image of our own program
    can: bodies.Abilities
    images: Images


async def sweep(premises: Premises, folder: Path) -> None:
    """Remove a folder of which this process may not remove everything: what root wrote in a container."""
    if not folder.exists():  # noqa: ASYNC240 - one look
        return
    shown = {"source": str(folder.parent), "target": "/swept", "read_only": False}
    start = bodies.Start(
        image=bodies.Image(premises.helper_image),
        argv=["/usr/bin/env", "rm", "-rf", "--", f"/swept/{folder.name}"],
        env={"PATH": images.PATH},
        binds=[*helpers.binds(premises.machine, own=False), shown],
        labels=premises.session.labels,
    )
    pod: Object = {"metadata": {"name": "sweep"}}
    body = bodies.container_body(pod, {"name": "sweep"}, start, bodies.Abilities())
    try:
        number = await premises.engine.create(f"tiphys.sweep.{folder.name}.{premises.session.name}", body)
        await premises.engine.start(number)
        await premises.engine.wait(number)
        await premises.engine.remove(number)
    except EngineError:  # what is left lies in the node's own scratch
        return

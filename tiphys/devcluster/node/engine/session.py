"""What one node has at an engine, told apart by a label; what a node that was killed left there is removed.

Every container and image carries the label of its session and the path of a file that the session holds locked. Who
finds something whose file is there and free knows that its session is over; where the file cannot be seen, nothing is
known, unless the container has ended.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio

from tiphys.devcluster.node.engine.api import EngineApi
from tiphys.devcluster.node.engine.errors import EngineError

SESSION = "tiphys.dev/session"
LOCK = "tiphys.dev/lock"
LOCK_FILE = "engine.lock"


class Session:
    """The labels of one node's containers, and the lock behind them."""

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self._path = root / LOCK_FILE
        self._lock = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def labels(self) -> dict[str, str]:
        """Of every container and image."""
        return {SESSION: self.name, LOCK: str(self._path)}

    def close(self) -> None:
        """The session is over."""
        self._path.unlink(missing_ok=True)
        os.close(self._lock)


async def remove_session(engine: EngineApi, name: str) -> None:
    """Remove every container of a session. What the engine refuses stays."""
    with suppress(EngineError):
        await _remove_all(engine, await engine.labelled(f"{SESSION}={name}"))


async def remove_leftovers(engine: EngineApi) -> None:
    """Remove containers and images of sessions that are over."""
    with suppress(EngineError):
        old = [c for c in await engine.labelled(SESSION) if is_over(c.get("Labels") or {}, str(c.get("State")))]
        await _remove_all(engine, old)
        for image in await engine.labelled_images(SESSION):
            if is_over(image.get("Labels") or {}, "running"):
                with suppress(EngineError):
                    await engine.remove_image(str(image["Id"]))


def is_over(labels: Mapping[str, str], state: str) -> bool:
    """Whether the session behind these labels has ended; `state` is the engine's word for the container's."""
    path = Path(labels.get(LOCK) or "/nowhere")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return state in ("exited", "dead")
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


async def _remove_all(engine: EngineApi, containers: list[dict[str, Any]]) -> None:
    async def remove(container: str) -> None:
        with suppress(EngineError):
            await engine.remove(container)

    async with anyio.create_task_group() as tasks:
        for container in containers:
            tasks.start_soon(remove, str(container["Id"]))

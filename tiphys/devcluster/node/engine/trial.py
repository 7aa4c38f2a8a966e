"""Whether an engine's containers see this machine: one of our own reads a file here and sends it to a port here.

An engine that is remote, or lives in a virtual machine, answers like any other. So it is tried, never guessed.
"""

from __future__ import annotations

import secrets
import socket
import sys
from pathlib import Path

import anyio
from anyio.abc import SocketAttribute, SocketStream

from tiphys.devcluster.node.engine import bodies, helpers
from tiphys.devcluster.node.engine.errors import EngineError
from tiphys.devcluster.node.engine.premises import Premises

TRIAL_S = 60.0
WORD_BYTES_MAX = 64
PROGRAM = (
    "import socket, sys\n"
    "with socket.create_connection(('127.0.0.1', int(sys.argv[1])), 10) as door:\n"
    "    door.sendall(open(sys.argv[2], 'rb').read())\n"
)


async def try_out(premises: Premises, folder: Path) -> str:
    """Why pods cannot be containers of this engine, and what to do; empty when they see this machine's folders and
    network."""
    word = _leave_word(folder)
    heard = bytearray()
    why = "it reached nobody"
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", family=socket.AF_INET)
    async with listener, anyio.create_task_group() as tasks:

        async def hear(stream: SocketStream) -> None:
            async with stream:
                heard.extend(await stream.receive(WORD_BYTES_MAX))
            tasks.cancel_scope.cancel()

        tasks.start_soon(listener.serve, hear)
        try:
            with anyio.fail_after(TRIAL_S):
                code = await _run(premises, folder, int(listener.extra(SocketAttribute.local_port)))  # noqa: S610 - of a socket
                why = f"it ended with {code}"
        except TimeoutError:
            why = "it did not end"
        except EngineError as error:
            return (
                f"no trial container starts there ({error.message}): see to it that this machine's own engine runs "
                "containers, or use --runtime auto"
            )
        finally:
            tasks.cancel_scope.cancel()
    if bytes(heard) == word:
        return ""
    return (
        f"a trial container did not see this machine's folders and network ({why}): an engine that is remote or in a "
        "virtual machine cannot be used; use --runtime auto"
    )


async def _run(premises: Premises, folder: Path, port: int) -> int:
    shown = {"source": str(folder), "target": "/shown", "read_only": True}
    start = bodies.Start(
        image=bodies.Image(premises.helper_image),
        argv=[sys.executable, "-I", "-S", "-c", PROGRAM, str(port), "/shown/word"],
        env={},
        binds=[*helpers.binds(premises.machine), shown],
        labels=premises.session.labels,
    )
    body = bodies.container_body({"metadata": {"name": "trial"}}, {"name": "trial"}, start, premises.can)
    engine = premises.engine
    number = await engine.create(f"tiphys.trial.{premises.session.name}", body)
    try:
        await engine.start(number)
        return await engine.wait(number)
    finally:
        with anyio.CancelScope(shield=True):
            await engine.remove(number)


def _leave_word(folder: Path) -> bytes:
    """Put a file that cannot be guessed into `folder`; what it says."""
    word = secrets.token_hex(16).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "word").write_bytes(word)
    return word

"""`pods/exec` over WebSocket: input, output, errors and the end of a command as numbered channels of one connection.

Served are Kubernetes' subprotocols v4 and v5, which differ in one thing: v5 can close a channel, so a command hears
the end of its input. A terminal, `attach` and `port-forward` are not served, and say so.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import orjson
from aiohttp import WSMsgType, web

from runtime.objects import Object
from tiphys.devcluster import errors, query
from tiphys.devcluster.exec import RunningCommand
from tiphys.devcluster.logs import container_of
from tiphys.devcluster.routes import Target
from tiphys.devcluster.server import ApiServer

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STREAMS = ("exec", "attach", "portforward")
INPUT, OUTPUT, ERRORS, STATUS, CLOSE = 0, 1, 2, 3, 255
LINGER_S = 2.0  # output is read this long after the command's end, whoever else holds it


async def execute(server: ApiServer, request: web.BaseRequest, found: Target) -> web.StreamResponse:
    """Answer a request to exec, attach or portforward. Raises runtime.api errors before the connection is taken."""
    pod = server.rest.read(found.kind, *found.key).object
    _check(found, request)
    container = container_of(pod, request.query.get("container", ""))
    if server.commands is None or not pod["spec"].get("nodeName"):
        raise errors.bad_request(f"pod {found.name} does not have a host assigned")
    argv = request.query.getall("command", [])
    if not argv:
        raise errors.bad_request("you must specify at least 1 command for the container")
    namespace = pod["metadata"]["namespace"]
    async with server.commands.command(namespace, found.name, container, argv) as command:
        if "websocket" not in request.headers.get("Upgrade", "").lower():
            raise _missing("SPDY is not served: use a client that speaks WebSocket, such as kubectl 1.31 or newer")
        socket = web.WebSocketResponse(protocols=PROTOCOLS, compress=False)
        await socket.prepare(request)
        await _Session(socket, command).run(request.query)
    return socket


def _missing(message: str) -> Exception:
    return errors.failure(501, "NotImplemented", message)


def _check(found: Target, request: web.BaseRequest) -> None:
    if found.subresource == "attach":
        raise _missing("attach is not served by the dev cluster: use kubectl logs -f, or kubectl exec for a command")
    if found.subresource == "portforward":
        raise _missing("port-forward is not needed: a pod's ports are open on 127.0.0.1 of this machine")
    if query.flag(request.query, "tty"):
        raise _missing("exec with a terminal is not served by the dev cluster: leave out --tty (-t)")


class _Session:
    """One command on one connection."""

    def __init__(self, socket: web.WebSocketResponse, command: RunningCommand) -> None:
        self._socket = socket
        self._command = command

    async def run(self, wanted: query.Query) -> None:
        """Carry the streams until the command ends, tell its end, and hang up."""
        try:
            async with anyio.create_task_group() as tasks:
                if not query.flag(wanted, "stdin"):
                    self._command.close_input()
                tasks.start_soon(self._listen, tasks.cancel_scope)
                async with anyio.create_task_group() as outputs:
                    outputs.start_soon(self._tell, OUTPUT, self._command.output(), query.flag(wanted, "stdout"))
                    outputs.start_soon(self._tell, ERRORS, self._command.errors(), query.flag(wanted, "stderr"))
                    code = await self._command.wait()
                    outputs.cancel_scope.deadline = anyio.current_time() + LINGER_S
                await self._send(STATUS, orjson.dumps(_end(code)))
                tasks.cancel_scope.cancel()
            await self._socket.close()
        except* (ConnectionError, RuntimeError):  # RuntimeError: aiohttp's for a connection that has closed
            if not self._socket.closed:
                raise

    async def _listen(self, scope: anyio.CancelScope) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, chunk = message.data[0], message.data[1:]
            if channel == CLOSE and chunk[:1] == bytes([INPUT]):
                self._command.close_input()
            elif channel == INPUT:
                await self._command.write(chunk)
        scope.cancel()  # the client has gone: so does the command

    async def _tell(self, channel: int, chunks: AsyncIterator[bytes], wanted: bool) -> None:
        async for chunk in chunks:
            if wanted:
                await self._send(channel, chunk)

    async def _send(self, channel: int, chunk: bytes) -> None:
        await self._socket.send_bytes(bytes([channel]) + chunk)


def _end(code: int) -> Object:
    """The Status of a command's end."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    details: dict[str, Any] = {"causes": [{"reason": "ExitCode", "message": str(code)}]}
    message = f"command terminated with non-zero exit code: exit status {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "NonZeroExitCode",
        "details": details,
        "code": 500,
    }

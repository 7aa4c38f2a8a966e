"""Performs the actions of probes and hooks; what went wrong is told in the kubelet's words."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream

from runtime.objects import Object
from tiphys.devcluster.node.containers import Execution
from tiphys.devcluster.node.lifecycle import ADDRESS

HEAD_BYTES_MAX = 64 * 1024
Execute: TypeAlias = Callable[[list[str], float], Awaitable[Execution]]
"""Runs a command inside the container; raises TimeoutError after so many seconds."""


async def perform(action: Object, container: Object, execute: Execute, timeout_s: float) -> str:
    """Perform the action of a probe or hook; the failure in words, empty if none."""
    if http := action.get("httpGet"):
        return await http_get(http, container, timeout_s)
    if tcp := action.get("tcpSocket") or action.get("grpc"):  # whether a gRPC server listens: a remark says so
        return await tcp_connect(tcp, container, timeout_s)
    if pause := action.get("sleep"):
        await anyio.sleep(float(pause.get("seconds") or 0))
        return ""
    if command := (action.get("exec") or {}).get("command"):
        try:
            done = await execute(list(command), timeout_s)
        except TimeoutError:
            return f"command timed out: {' '.join(command)!r} timed out after {timeout_s:g}s"
        return "" if done.code == 0 else done.output.strip() or f"command exited with {done.code}"
    return "the action must be exec, httpGet, tcpSocket, grpc or sleep"


async def http_get(action: Object, container: Object, timeout_s: float) -> str:
    """A GET whose answer must be 2xx or 3xx; the failure in words, empty if none."""
    port = port_number(action.get("port"), container)
    if port is None:
        return f"port {action.get('port')!r} is no number and names no port of the container"
    host, path = action.get("host") or ADDRESS, action.get("path") or "/"
    try:
        with anyio.fail_after(timeout_s):
            code = await _get(host, port, action, path)
    except TimeoutError:
        return f'Get "http://{host}:{port}{path}": context deadline exceeded (no answer within {timeout_s:g} s)'
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return f'Get "http://{host}:{port}{path}": EOF'
    except (OSError, ValueError, IndexError) as error:
        return f'Get "http://{host}:{port}{path}": {error}'
    return "" if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"


async def tcp_connect(action: Object, container: Object, timeout_s: float) -> str:
    """A connection that must be accepted; the failure in words, empty if none."""
    port = port_number(action.get("port"), container)
    if port is None:
        return f"port {action.get('port')!r} is no number and names no port of the container"
    host = action.get("host") or ADDRESS
    try:
        with anyio.fail_after(timeout_s):
            await (await anyio.connect_tcp(host, port)).aclose()
    except TimeoutError:
        return f"dial tcp {host}:{port}: i/o timeout"
    except OSError as error:
        return f"dial tcp {host}:{port}: {error}"
    return ""


def port_number(port: int | str | None, container: Object) -> int | None:
    """A port by number, or by the name that the container gives it."""
    if isinstance(port, int):
        return port
    if port is not None and port.isdigit():
        return int(port)
    named = (p for p in container.get("ports") or () if p.get("name") == port)
    return next((int(p["containerPort"]) for p in named), None)


async def _get(host: str, port: int, action: Object, path: str) -> int:
    stream: ByteStream
    if str(action.get("scheme") or "HTTP").upper() == "HTTPS":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the kubelet does not verify either
        stream = await anyio.connect_tcp(host, port, tls=True, ssl_context=context, tls_standard_compatible=False)
    else:
        stream = await anyio.connect_tcp(host, port)
    async with stream:
        target = urlsplit(path)
        asked = (target.path or "/") + (f"?{target.query}" if target.query else "")
        headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/tiphys", "Connection": "close", "Accept": "*/*"}
        headers |= {h["name"]: h["value"] for h in action.get("httpHeaders") or ()}
        lines = [f"GET {asked} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        await stream.send("\r\n".join(lines).encode())
        head = b""
        while b"\r\n" not in head and len(head) < HEAD_BYTES_MAX:
            head += await stream.receive()
    return int(head.split(b" ", 2)[1])

"""The engine's HTTP API over its unix socket: requests that are answered at once, and the pull of an image.

The version spoken is the engine's own, up to the newest that is known here: both engines refuse versions they do not
know, and newer ones refuse old ones.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tiphys.devcluster.node.engine.errors import EngineAway, EngineError

KNOWN_VERSION = (1, 47)
ANSWER_S = 60.0
PING_S = 5.0
PULL_SILENCE_S = 300.0  # a registry that sends nothing for so long has gone
WORDS_MAX = 2000


class EngineApi:
    """One engine. All methods raise EngineError, EngineAway when it does not answer."""

    def __init__(self, session: aiohttp.ClientSession, socket: Path, version: str, name: str) -> None:
        self._session = session
        self.socket = socket
        self.version = version
        self.name = name  # "Docker 20.10", "Podman 4.3"

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        timeout_s: float | None = ANSWER_S,
    ) -> Any:
        """Ask; the decoded answer, None for an empty one. Without `timeout_s` it waits for ever."""
        limit = aiohttp.ClientTimeout(total=timeout_s)
        url = f"http://engine/v{self.version}{path}"
        try:
            async with self._session.request(method, url, params=query, json=body, timeout=limit) as answer:
                return _read(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineAway(f"the engine does not answer: {str(error) or type(error).__name__}") from error

    # -------------------------------------------------------------------------------------------- images

    async def image(self, reference: str) -> dict[str, Any]:
        """What an image that is here says of itself."""
        found: dict[str, Any] = await self.call("GET", f"/images/{reference}/json")
        return found

    async def pull(self, reference: str, login: str = "") -> None:
        """Fetch an image from its registry; `login` is an X-Registry-Auth header."""
        name, tag = split_tag(reference)
        query = {"fromImage": name} | ({"tag": tag} if tag else {})
        headers = {"X-Registry-Auth": login} if login else {}
        limit = aiohttp.ClientTimeout(total=None, sock_read=PULL_SILENCE_S)
        url = f"http://engine/v{self.version}/images/create"
        try:
            async with self._session.post(url, params=query, headers=headers, timeout=limit) as answer:
                if answer.status >= 400:
                    _read(answer.status, await answer.read())
                async for told in _lines(answer.content):
                    if error := told.get("error"):
                        raise EngineError(str(error))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineAway(f"the engine does not answer: {str(error) or type(error).__name__}") from error

    async def pull_with(self, reference: str, logins: Sequence[str]) -> None:
        """Fetch an image with the first login that is let in; without any when there is none."""
        failed: EngineError | None = None
        for login in logins or ("",):
            try:
                await self.pull(reference, login)
            except EngineAway:
                raise
            except EngineError as error:
                failed = failed or error
            else:
                return
        if failed is not None:
            raise failed

    async def import_image(self, name: str, tag: str, archive: bytes, changes: Sequence[str]) -> str:
        """Make an image of a tar archive of its root and instructions of a Dockerfile; its id."""
        query = [("fromSrc", "-"), ("repo", name), ("tag", tag)]
        query += [("changes", change) for change in changes]
        url, headers = f"http://engine/v{self.version}/images/create", {"Content-Type": "application/x-tar"}
        limit = aiohttp.ClientTimeout(total=ANSWER_S)
        try:
            async with self._session.post(
                url, params=query, data=io.BytesIO(archive), headers=headers, timeout=limit
            ) as answer:
                told = _read(answer.status, await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise EngineAway(f"the engine does not answer: {str(error) or type(error).__name__}") from error
        return str(told["status"])

    async def remove_image(self, name: str) -> None:
        """Remove an image; nothing happens when it is not there."""
        await self._remove(f"/images/{name}", {"force": "1"})

    async def labelled_images(self, label: str) -> list[dict[str, Any]]:
        """The images with a label."""
        found: list[dict[str, Any]] = await self.call("GET", "/images/json", query=_filter(label))
        return found

    # -------------------------------------------------------------------------------------------- containers

    async def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Create a container; its id."""
        told = await self.call("POST", "/containers/create", query={"name": name}, body=body)
        return str(told["Id"])

    async def start(self, container: str) -> None:
        """Start a created container."""
        await self.call("POST", f"/containers/{container}/start")

    async def wait(self, container: str) -> int:
        """The exit code of a started container, once it has ended."""
        told = await self.call("POST", f"/containers/{container}/wait", timeout_s=None)
        return int(told["StatusCode"])

    async def inspect(self, container: str) -> dict[str, Any]:
        """What is known of a container."""
        found: dict[str, Any] = await self.call("GET", f"/containers/{container}/json")
        return found

    async def kill(self, container: str, number: int) -> None:
        """Send a signal to a container's first process."""
        await self.call("POST", f"/containers/{container}/kill", query={"signal": str(number)})

    async def remove(self, container: str) -> None:
        """Kill and remove a container; nothing happens when it is not there."""
        await self._remove(f"/containers/{container}", {"force": "1", "v": "1"})

    async def labelled(self, label: str) -> list[dict[str, Any]]:
        """The containers with a label, whatever their state."""
        query = {"all": "1"} | _filter(label)
        found: list[dict[str, Any]] = await self.call("GET", "/containers/json", query=query)
        return found

    async def _remove(self, path: str, query: Mapping[str, str]) -> None:
        try:
            await self.call("DELETE", path, query=query)
        except EngineError as error:
            if not error.is_absent:
                raise


@asynccontextmanager
async def connected(socket: Path) -> AsyncIterator[EngineApi]:
    """The engine at a socket. Raises EngineAway when none answers there."""
    connector = aiohttp.UnixConnector(path=str(socket), limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        try:
            limit = aiohttp.ClientTimeout(total=PING_S)
            async with session.get("http://engine/version", timeout=limit) as answer:
                told = _read(answer.status, await answer.read())
            version = version_of(str(told["ApiVersion"]))
        except (aiohttp.ClientError, TimeoutError, OSError, KeyError, TypeError, ValueError) as error:
            raise EngineAway(_words(error)) from error
        yield EngineApi(session, socket, version, _name(told))


def version_of(offered: str) -> str:
    """The version to speak with an engine that offers this one at most. Raises ValueError for none."""
    numbers = tuple(int(part) for part in offered.split("."))
    return ".".join(str(number) for number in min(numbers, KNOWN_VERSION))


def split_tag(reference: str) -> tuple[str, str]:
    """An image's name and its tag or digest; `latest` where it says none: without one, every tag would be pulled."""
    if "@" in reference:
        return reference, ""
    folder, slash, last = reference.rpartition("/")
    name, _, tag = last.partition(":")
    return folder + slash + name, tag or "latest"


def _filter(label: str) -> dict[str, str]:
    return {"filters": json.dumps({"label": [label]})}


def _name(told: Mapping[str, Any]) -> str:
    named = [str(part.get("Name") or "") for part in told.get("Components") or ()]
    kind = "Podman" if any(name.startswith("Podman") for name in named) else "Docker"
    return f"{kind} {told.get('Version') or ''}".strip()


def _read(status: int, raw: bytes) -> Any:
    """The decoded body of an answer. Raises EngineError for a refusal."""
    try:
        told = json.loads(raw) if raw.strip() else None
    except ValueError:
        told = None
        if status < 400:
            raise EngineError(f"the engine's answer is no JSON: {raw[:100]!r}") from None
    if status >= 400:
        message = told.get("message") if isinstance(told, dict) else None
        raise EngineError(str(message or raw[:WORDS_MAX].decode("utf-8", "replace") or f"status {status}"), status)
    return told


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """JSON objects, one a line: engines tell of a pull so."""
    async for line in content:
        try:
            told = json.loads(line) if line.strip() else {}
        except ValueError:
            continue
        if isinstance(told, dict):
            yield told


def _words(error: Exception) -> str:
    """Why a socket does not answer, in the system's words where it has some."""
    if isinstance(error, EngineError):
        return error.message
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__

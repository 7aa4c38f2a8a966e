"""How an image starts, as its registry says: the entrypoint and command of its configuration.

Asked without credentials, since the controller reads no secrets: images of private registries are named in the
configuration. What a digest means never changes and is kept; what a tag means is asked for again after a while.
"""

from __future__ import annotations

import platform
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import urlencode

from runtime.api import ApiError, Refused, Unavailable

if TYPE_CHECKING:
    import aiohttp

HUB = "registry-1.docker.io"
ASKED_S = 10.0
KEPT_S = 600.0  # of a tag
KEPT_MAX = 10_000
BODY_BYTES_MAX = 4 << 20
MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
Start: TypeAlias = tuple[list[str], list[str]]
"""Entrypoint and command."""

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Image(NamedTuple):
    """Where an image is kept."""

    registry: str
    repository: str
    reference: str  # tag or digest


def parse(image: str) -> Image:
    """Read an image's name as a container runtime does."""
    name, _, digest = image.partition("@")
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, path = first, rest
    else:
        registry, path = HUB, name
    folder, colon, tag = path.rpartition(":")
    if not colon or "/" in tag:
        folder, tag = path, "latest"
    if registry in (HUB, "docker.io", "index.docker.io"):
        registry = HUB
        folder = folder if "/" in folder else f"library/{folder}"
    return Image(registry, folder, digest or tag)


class Registry:
    """Answers how images start. An instance is a service of the node room."""

    def __init__(self, *, scheme: str = "https", machine: str = "") -> None:
        self._scheme = scheme
        self._architecture = ARCHITECTURES.get(machine or platform.machine(), "amd64")
        self._kept: OrderedDict[Image, tuple[float, Start]] = OrderedDict()
        self._tokens: dict[tuple[str, str], str] = {}

    async def __call__(self, query: str) -> Start:
        """Entrypoint and command of image `query`. Raises Refused (no such image, or not for us), Unavailable."""
        image = parse(query)
        known = self._kept.get(image)
        if known is not None and (":" in image.reference or time.monotonic() - known[0] < KEPT_S):
            return known[1]
        import aiohttp  # noqa: PLC0415  (loaded already where the cluster is reached over HTTP)

        timeout = aiohttp.ClientTimeout(total=ASKED_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                start = await self._start(session, image)
        except ApiError:
            raise
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"registry {image.registry} does not answer: {reason}") from error
        self._kept[image] = (time.monotonic(), start)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return start

    async def _start(self, session: aiohttp.ClientSession, image: Image) -> Start:
        manifest = await self._get(session, image, f"manifests/{image.reference}")
        if manifest.get("manifests"):
            digest = self._of_our_kind(image, manifest["manifests"])
            manifest = await self._get(session, image, f"manifests/{digest}")
        config = (await self._get(session, image, f"blobs/{manifest['config']['digest']}")).get("config") or {}
        return list(config.get("Entrypoint") or ()), list(config.get("Cmd") or ())

    def _of_our_kind(self, image: Image, listed: list[Mapping[str, Any]]) -> str:
        for entry in listed:
            kind = entry.get("platform") or {}
            if kind.get("os") == "linux" and kind.get("architecture") == self._architecture:
                return str(entry["digest"])
        raise Refused(f"{image.repository}:{image.reference} is not made for linux/{self._architecture}")

    async def _get(self, session: aiohttp.ClientSession, image: Image, what: str) -> dict[str, Any]:
        """A document of the registry; a challenge is met once, with a token that anybody gets."""
        url = f"{self._scheme}://{image.registry}/v2/{image.repository}/{what}"
        for again in (True, False):
            token = self._tokens.get((image.registry, image.repository))
            headers = {"Accept": ", ".join(MANIFESTS)} | ({"Authorization": f"Bearer {token}"} if token else {})
            async with session.get(url, headers=headers) as answer:
                if answer.status == 401 and again:
                    await self._log_in(session, image, answer.headers.get("WWW-Authenticate", ""))
                    continue
                if answer.status in (401, 403, 404):
                    raise Refused(
                        f"registry {image.registry} has no {image.repository} for everybody ({answer.status})"
                    )
                if answer.status != 200:
                    raise Unavailable(f"registry {image.registry} answered {answer.status}")
                raw = await answer.content.read(BODY_BYTES_MAX)
                return _json(raw)
        raise Refused(f"registry {image.registry} lets nobody in without credentials")

    async def _log_in(self, session: aiohttp.ClientSession, image: Image, challenge: str) -> None:
        told = dict(_CHALLENGE.findall(challenge))
        realm = told.get("realm", "")
        if not challenge.lower().startswith("bearer") or not realm.startswith(f"{self._scheme}://"):
            raise Refused(f"registry {image.registry} lets nobody in without credentials")
        query = {"service": told.get("service", ""), "scope": f"repository:{image.repository}:pull"}
        async with session.get(f"{realm}?{urlencode(query)}") as answer:
            if answer.status != 200:
                raise Refused(f"registry {image.registry} gives no token to everybody ({answer.status})")
            found = _json(await answer.content.read(BODY_BYTES_MAX))
        self._tokens[image.registry, image.repository] = str(found.get("token") or found.get("access_token") or "")


def _json(raw: bytes) -> dict[str, Any]:
    import orjson  # noqa: PLC0415  (as above)

    found = orjson.loads(raw)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  (the registry's mistake, like any other of its)
    return found

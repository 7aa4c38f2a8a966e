"""How an image starts, as its registry says: the entrypoint and command of its configuration.

Asked without credentials first, and only where that is refused with those of the workflow's pull secrets, which a
namespace has to let the controller read. What a digest means never changes and is kept; what a tag means, or what was
told to somebody in particular, is asked for again after a while.
"""

from __future__ import annotations

import platform
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlencode

from actors.node.image_question import ImageQuestion
from runtime.api import Api, ApiError, Refused, Unavailable
from tiphys.image_names import Image, parse
from tiphys.pull_credentials import Credential
from tiphys.pull_secrets import found_for

if TYPE_CHECKING:
    import aiohttp

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
NOT_FOR_US = frozenset({401, 403, 404})
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
Start: TypeAlias = tuple[list[str], list[str]]
"""Entrypoint and command."""

EVERYBODY = Credential()
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class Door(NamedTuple):
    """One image's place at its registry, and as whom it is entered."""

    session: aiohttp.ClientSession
    image: Image
    credential: Credential


class Registry:
    """Answers how images start. An instance is a service of the node room; `api` is where pull secrets are read."""

    def __init__(self, *, api: Api | None = None, scheme: str = "https", machine: str = "") -> None:
        self.api = api
        self._scheme = scheme
        self._architecture = ARCHITECTURES.get(machine or platform.machine(), "amd64")
        self._kept: OrderedDict[ImageQuestion, tuple[float, Start]] = OrderedDict()
        self._tokens: OrderedDict[tuple[str, str, Credential], str] = OrderedDict()

    async def __call__(self, query: ImageQuestion) -> Start:
        """Entrypoint and command of an image. Raises Refused (no such image, or not for us), Unavailable."""
        image = parse(query.image)
        everybodys = ImageQuestion(query.image)
        for known in (self._kept.get(everybodys), self._kept.get(query)):
            if known is not None and time.monotonic() < known[0]:
                return known[1]
        import aiohttp  # noqa: PLC0415  (loaded already where the cluster is reached over HTTP)

        timeout = aiohttp.ClientTimeout(total=ASKED_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                try:
                    start, whose = await self._start(Door(session, image, EVERYBODY)), everybodys
                except Refused as refusal:
                    if refusal.code not in NOT_FOR_US:
                        raise
                    start, whose = await self._with_credentials(session, image, query, refusal), query
        except ApiError:
            raise
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"registry {image.registry} does not answer: {reason}") from error
        for_ever = ":" in image.reference and whose == everybodys
        _keep(self._kept, whose, (float("inf") if for_ever else time.monotonic() + KEPT_S, start))
        return start

    async def _with_credentials(
        self, session: aiohttp.ClientSession, image: Image, query: ImageQuestion, refusal: Refused
    ) -> Start:
        """What is refused to everybody may be there for who has the pull secrets. Raises Refused with all reasons."""
        found = await found_for(self.api, query, image.registry, image.repository)
        reasons = [refusal.message, *found.troubles]
        for credential in found.credentials:
            try:
                return await self._start(Door(session, image, credential))
            except Refused as error:
                reasons.append(error.message)
        if self.api is not None and not found.credentials and not found.troubles:
            reasons.append("no pull secret of the pod's is for it")
        raise Refused("; ".join(dict.fromkeys(reasons)), code=refusal.code)

    async def _start(self, door: Door) -> Start:
        manifest = await self._get(door, f"manifests/{door.image.reference}")
        if manifest.get("manifests"):
            digest = self._of_our_kind(door.image, manifest["manifests"])
            manifest = await self._get(door, f"manifests/{digest}")
        config = (await self._get(door, f"blobs/{manifest['config']['digest']}")).get("config") or {}
        return list(config.get("Entrypoint") or ()), list(config.get("Cmd") or ())

    def _of_our_kind(self, image: Image, listed: list[Mapping[str, Any]]) -> str:
        for entry in listed:
            kind = entry.get("platform") or {}
            if kind.get("os") == "linux" and kind.get("architecture") == self._architecture:
                return str(entry["digest"])
        raise Refused(f"{image.repository}:{image.reference} is not made for linux/{self._architecture}")

    async def _get(self, door: Door, what: str) -> dict[str, Any]:
        """A document of the registry; a challenge is met once."""
        image = door.image
        url = f"{self._scheme}://{image.registry}/v2/{image.repository}/{what}"
        whom = "for the user of the pull secret" if door.credential != EVERYBODY else "for everybody"
        for again in (True, False):
            shown = self._tokens.get((image.registry, image.repository, door.credential))
            headers = {"Accept": ", ".join(MANIFESTS)} | ({"Authorization": shown} if shown else {})
            async with door.session.get(url, headers=headers) as answer:
                if answer.status == 401 and again:
                    await self._log_in(door, answer.headers.getall("WWW-Authenticate", []))
                    continue
                if answer.status in NOT_FOR_US:
                    said = f"registry {image.registry} has no {image.repository} {whom} ({answer.status})"
                    raise Refused(said, code=answer.status)
                if answer.status != 200:
                    raise Unavailable(f"registry {image.registry} answered {answer.status}")
                raw = await answer.content.read(BODY_BYTES_MAX)
                return _json(raw)
        raise AssertionError("a challenge is met, or refused")

    async def _log_in(self, door: Door, challenges: list[str]) -> None:
        """Find what to show from now on. Raises Refused where there is nothing that would be let in."""
        credential, image = door.credential, door.image
        bearer = next((text for text in challenges if text.lower().startswith("bearer")), "")
        basic = any(text.lower().startswith("basic") for text in challenges)
        realm = dict(_CHALLENGE.findall(bearer)).get("realm", "")
        if credential.registry_token:
            shown = f"Bearer {credential.registry_token}"
        elif realm.startswith(f"{self._scheme}://"):
            shown = f"Bearer {await self._token(door, dict(_CHALLENGE.findall(bearer)))}"
        elif basic and credential.basic:
            shown = credential.basic
        else:
            raise Refused(f"registry {image.registry} lets nobody in without credentials", code=401)
        _keep(self._tokens, (image.registry, image.repository, credential), shown)

    async def _token(self, door: Door, told: Mapping[str, str]) -> str:
        """The token of the registry's own authority, as that user or as everybody."""
        credential, image = door.credential, door.image
        query = {"service": told.get("service", ""), "scope": f"repository:{image.repository}:pull"}
        if credential.identity_token:
            form = {"grant_type": "refresh_token", "client_id": "tiphys", "refresh_token": credential.identity_token}
            asked = door.session.post(told["realm"], data={**query, **form})
        else:
            headers = {"Authorization": credential.basic} if credential.basic else {}
            asked = door.session.get(f"{told['realm']}?{urlencode(query)}", headers=headers)
        async with asked as answer:
            if answer.status != 200:
                whom = "the user of the pull secret" if credential != EVERYBODY else "everybody"
                raise Refused(f"registry {image.registry} gives no token to {whom} ({answer.status})", code=401)
            found = _json(await answer.content.read(BODY_BYTES_MAX))
        return str(found.get("token") or found.get("access_token") or "")


def _keep(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    """Remember; what is in there longest is forgotten first."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > KEPT_MAX:
        kept.popitem(last=False)


def _json(raw: bytes) -> dict[str, Any]:
    import orjson  # noqa: PLC0415  (as above)

    found = orjson.loads(raw)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004  (the registry's mistake, like any other of its)
    return found

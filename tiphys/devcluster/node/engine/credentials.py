"""What a registry asks for, out of the pod's imagePullSecrets, as the engine wants to be told it. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from runtime.objects import Object

HUB = "docker.io"
_HUB_NAMES = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
_KEYS = {".dockerconfigjson": "auths", ".dockercfg": ""}


def place_of(image: str) -> str:
    """Registry and path of an image, without tag and digest: "busybox" is "docker.io/library/busybox"."""
    name = image.partition("@")[0]
    first, slash, rest = name.partition("/")
    if not (slash and ("." in first or ":" in first or first == "localhost")):
        first, rest = HUB, name if slash else f"library/{name}"
    folder, _, last = rest.rpartition("/")
    last = last.partition(":")[0]
    registry = HUB if first in _HUB_NAMES else first
    return f"{registry}/{folder}/{last}" if folder else f"{registry}/{last}"


def logins(image: str, secrets: Iterable[Object]) -> list[str]:
    """The X-Registry-Auth headers to try for an image, the closest match first. What cannot be read is left out."""
    place = place_of(image)
    fitting = [(key, auth) for key, auth in _entries(secrets) if place == key or place.startswith(f"{key}/")]
    fitting.sort(key=lambda found: len(found[0]), reverse=True)
    return [header for key, auth in fitting if (header := _header(key.partition("/")[0], auth))]


def _entries(secrets: Iterable[Object]) -> Iterator[tuple[str, Any]]:
    for secret in secrets:
        for key, below in _KEYS.items():
            try:
                told = json.loads(base64.b64decode((secret.get("data") or {}).get(key, "")))
            except (ValueError, binascii.Error):
                continue
            listed = told.get(below) if below and isinstance(told, dict) else told
            if isinstance(listed, dict):
                yield from ((_registry(name), auth) for name, auth in listed.items() if isinstance(auth, dict))


def _registry(name: str) -> str:
    """A key of the secret as `place_of` writes it: Docker's own is "https://index.docker.io/v1/"."""
    parts = urlsplit(name if "://" in name else f"//{name}")
    path = parts.path.strip("/")
    path = "" if path in ("v1", "v2") else path
    registry = HUB if parts.netloc in _HUB_NAMES else parts.netloc
    return f"{registry}/{path}" if path else registry


def _header(registry: str, auth: dict[str, Any]) -> str:
    told: dict[str, str] = {"serveraddress": "https://index.docker.io/v1/" if registry == HUB else registry}
    if token := auth.get("identitytoken"):
        told["identitytoken"] = str(token)
    elif auth.get("username"):
        told |= {"username": str(auth["username"]), "password": str(auth.get("password") or "")}
    else:
        try:
            user, colon, password = base64.b64decode(str(auth.get("auth") or "")).decode().partition(":")
        except ValueError:
            return ""
        if not colon:
            return ""
        told |= {"username": user, "password": password}
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()

"""What a pull secret holds, read as kubelets read it: which registries, and how to log in there. Pure. (TMPL-14)"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from runtime.objects import Object
from tiphys.image_names import HUB_NAMES

CURRENT, LEGACY = ".dockerconfigjson", ".dockercfg"  # keys of the two types of pull secrets


class Credential(NamedTuple):
    """How to log in at a registry: by user and password, or by one of the two kinds of token."""

    user: str = ""
    password: str = ""
    identity_token: str = ""  # is exchanged for the token that is shown
    registry_token: str = ""  # is shown

    @property
    def basic(self) -> str:
        """The header of basic authentication; empty without a user."""
        both = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(both).decode()}" if self.user else ""


def entries(secret: Object) -> Mapping[str, Any]:
    """A pull secret's entries: registry -> how to log in. Raises ValueError; its text has nothing of the secret's."""
    held = secret.get("data") or {}
    key = CURRENT if CURRENT in held else LEGACY
    if key not in held:
        raise ValueError(f"it has neither {CURRENT} nor {LEGACY}: it is no pull secret")
    try:
        read = json.loads(base64.b64decode(held[key]))
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"{key} is no JSON") from error
    auths = read.get("auths") if key == CURRENT and isinstance(read, dict) else read
    if not isinstance(auths, dict) or not all(isinstance(entry, dict) for entry in auths.values()):
        raise ValueError(f"{key} has no map of registries")
    return auths


def matches(auths: Mapping[str, Any], registry: str, repository: str) -> Iterable[tuple[int, Credential]]:
    """The entries for that image: how many characters of their name fit, and the credential."""
    for place, entry in auths.items():
        host, _, path = _bare(place).partition("/")
        if _is_host(host, registry) and (repository == path or f"{repository}/".startswith(f"{path}/") or not path):
            yield len(host) + len(path), _credential(entry)


def _bare(place: str) -> str:
    """`https://index.docker.io/v1/` is `index.docker.io`."""
    text = place.removeprefix("https://").removeprefix("http://").rstrip("/")
    return text.removesuffix("/v1").removesuffix("/v2")


def _is_host(pattern: str, registry: str) -> bool:
    """Whether it is this registry; a `*` stands within one part of a name, and ports are the same."""
    if pattern in HUB_NAMES:
        return registry in HUB_NAMES
    mine, _, my_port = registry.partition(":")
    its, _, its_port = pattern.partition(":")
    parts, patterns = mine.split("."), its.split(".")
    return my_port == its_port and len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _credential(entry: Mapping[str, Any]) -> Credential:
    user, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth") and not user:
        try:
            user, _, password = base64.b64decode(str(entry["auth"])).decode().partition(":")
        except (ValueError, binascii.Error) as error:
            raise ValueError("an `auth` in it is not base64 of user:password") from error
    identity, registry = str(entry.get("identitytoken") or ""), str(entry.get("registrytoken") or "")
    return Credential(user, password.rstrip("\x00"), identity, registry)

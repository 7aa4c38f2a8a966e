"""The pod's pull secrets as the engine wants to be told of them: headers of a request to pull. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

from runtime.objects import Object
from tiphys.image_names import HUB, parse
from tiphys.pull_credentials import Credential, entries, matches

HUB_ADDRESS = "https://index.docker.io/v1/"  # what engines call Docker's own registry


def logins(image: str, secrets: Iterable[Object]) -> list[str]:
    """The X-Registry-Auth headers to try for an image, the closest match first. What cannot be read is left out: the
    pull itself will say what is missing."""
    named = parse(image)
    found: list[tuple[int, Credential]] = []
    for secret in secrets:
        try:
            found += matches(entries(secret), named.registry, named.repository)
        except ValueError:
            continue
    found.sort(key=lambda one: -one[0])
    distinct = dict.fromkeys(credential for _, credential in found)
    return [_header(named.registry, credential) for credential in distinct if any(credential)]


def _header(registry: str, login: Credential) -> str:
    told = {
        "username": login.user,
        "password": login.password,
        "identitytoken": login.identity_token,
        "registrytoken": login.registry_token,
        "serveraddress": HUB_ADDRESS if registry == HUB else registry,
    }
    return base64.urlsafe_b64encode(json.dumps({k: v for k, v in told.items() if v}).encode()).decode()

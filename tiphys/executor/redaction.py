"""What stores and servers say is shown to people, but not the passwords that we showed to them.

Two ways, because neither is enough: what was read from a Secret or stood in a URL as its user is remembered for the
life of the process, and left out in whatever spelling a server gives it back; and what looks like a credential of a URL
is left out even when nobody remembers it.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

SHOWN = "…"
CHARACTERS_MIN = 4  # shorter ones would be found in any text
_URL = re.compile(r"\w+://[^\s'\"]+")
_PORTLESS = re.compile(r":(?!\d*$)")
_USER = re.compile(r"(?<=://)[^/\s'\"]+@")
_SIGNED = re.compile(r"(?i)\b((?:[\w-]*(?:signature|token|password|secret|api_?key|sig)))=[^&\s'\"]+")
_kept: set[str] = set()


def keep_secret(text: str) -> str:
    """Leave this text out of everything that is said from now on; the text itself."""
    for part in {text, text.strip(), *text.split()}:  # of a header such as `Bearer …`, each word
        if len(part) >= CHARACTERS_MIN:
            _kept.update(_spellings(part))
    return text


def keep_users(value: Any) -> None:
    """Leave the users and passwords of all URLs in a JSON value out of everything that is said from now on."""
    if isinstance(value, str):
        for url in _URL.findall(value):
            _keep_user(url)
    elif isinstance(value, Mapping):
        for entry in value.values():
            keep_users(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            keep_users(entry)


def _keep_user(url: str) -> None:
    from urllib.parse import unquote  # noqa: PLC0415  (few pods need it)

    rest = url.partition("://")[2]
    host = re.split(r"[/?#]", rest)[0]
    whole = host.rpartition("@")[0]
    if not whole and _PORTLESS.search(host):  # a slash in a password ends the host early
        whole = rest.rpartition("@")[0]
    for part in re.split(r"[:/?#]", whole):
        keep_secret(part)
        keep_secret(unquote(part))


def without_kept(text: str) -> str:
    """The text without what is remembered: for what another side answered, where nothing else may be touched."""
    for secret in sorted(_kept, key=len, reverse=True):
        text = text.replace(secret, SHOWN)
    return text


def without(secret: str, value: Any) -> Any:
    """A JSON value whose texts are all without this one secret, in whatever spelling."""
    return _without(sorted(_spellings(secret), key=len, reverse=True), value) if secret else value


def _without(spellings: list[str], value: Any) -> Any:
    if isinstance(value, str):
        for spelling in spellings:
            value = value.replace(spelling, SHOWN)
        return value
    if isinstance(value, Mapping):
        return {_without(spellings, str(key)): _without(spellings, entry) for key, entry in value.items()}
    return [_without(spellings, entry) for entry in value] if isinstance(value, list) else value


def redacted(text: str) -> str:
    """The text without them."""
    text = without_kept(text)
    return _SIGNED.sub(rf"\1={SHOWN}", _USER.sub(f"{SHOWN}@", text))


def _spellings(text: str) -> set[str]:
    from urllib.parse import quote, quote_plus  # noqa: PLC0415  (as above)

    coded = b64encode(text.encode("utf-8", "surrogateescape")).decode()
    plain = {text, coded, coded.rstrip("="), repr(text)[1:-1], json.dumps(text)[1:-1]}
    return plain | {quote(text, safe="", errors="replace"), quote_plus(text, errors="replace")}

"""Labels that say who made a workflow, from the claims of his token. (EVT-3; upstream's workflow/creator.)"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from actors.names import labels

VALUE_MAX: Final = 63
_PARTS: Final = 3
_ODD: Final = re.compile(r"[^-_.a-z0-9A-Z]")
_ENDS: Final = re.compile(r"^[^a-z0-9A-Z]+|[^a-z0-9A-Z]+$")


def claims(token: str) -> Mapping[str, Any]:
    """What a token says of its bearer; nothing for one that is no JSON Web Token.

    It is believed for labels only: whether the token is good, the API server decides."""
    parts = token.split(".")
    if len(parts) != _PARTS:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def creator(claimed: Mapping[str, Any]) -> dict[str, str]:
    """The labels for a workflow that the bearer of these claims made."""
    texts = {
        labels.CREATOR: str(claimed.get("sub") or ""),
        labels.CREATOR_EMAIL: str(claimed.get("email") or "").replace("@", ".at.", 1),
        labels.CREATOR_PREFERRED_USERNAME: str(claimed.get("preferred_username") or ""),
    }
    return {key: label_value(text) for key, text in texts.items() if text}


def label_value(text: str) -> str:
    """A text as the value of a label: its end, with what labels cannot hold replaced."""
    return _ENDS.sub("", _ODD.sub("-", text)[-VALUE_MAX:])

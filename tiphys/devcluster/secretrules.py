"""What a secret of a known type must have: whoever reads it later relies on that, and finds nothing amiss otherwise."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from runtime.objects import Object
from tiphys.devcluster import rules
from tiphys.devcluster.errors import Cause, invalid_value, required

ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - the name of a type
ACCOUNT_NAME = "kubernetes.io/service-account.name"
_JSON_KEYS = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}
_BYTES_MAX = 1024 * 1024  # of all values together, as upstream


def secret(new: Object, old: Object | None) -> list[Cause]:
    """Keys that can be file names, what the type asks for; the type never changes."""
    return rules.secret(new, old) + _size_faults(new) + _type_faults(new)


def _size_faults(thing: Object) -> list[Cause]:
    coded = (len(value) for value in (thing.get("data") or {}).values() if isinstance(value, str))
    if sum(coded) * 3 // 4 <= _BYTES_MAX:
        return []
    return [Cause("data", f"Too long: may not be more than {_BYTES_MAX} bytes", "FieldValueTooLong")]


def _type_faults(thing: Object) -> list[Cause]:
    held: Object = thing.get("data") or {}
    match thing.get("type"):
        case "kubernetes.io/service-account-token":
            named = (thing["metadata"].get("annotations") or {}).get(ACCOUNT_NAME)
            return [] if named else [required(f"metadata.annotations[{ACCOUNT_NAME}]")]
        case "kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson" as kind:
            return _json_faults(held, _JSON_KEYS[kind])
        case "kubernetes.io/basic-auth":
            keys = ("username", "password")
            return [] if any(key in held for key in keys) else [required(f"data[{key}]") for key in keys]
        case "kubernetes.io/ssh-auth":
            return [] if held.get("ssh-privatekey") else [required("data[ssh-privatekey]")]
        case "kubernetes.io/tls":
            return [required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in held]
    return []


def _json_faults(held: Object, key: str) -> list[Cause]:
    """Registries' credentials are a JSON object."""
    if key not in held:
        return [required(f"data[{key}]")]
    try:
        content: Any = orjson.loads(base64.b64decode(held[key]))
    except (binascii.Error, orjson.JSONDecodeError, TypeError) as e:
        return [invalid_value(f"data[{key}]", '"<secret contents redacted>"', str(e))]
    if isinstance(content, dict | None):
        return []
    why = "must be a JSON object"
    return [invalid_value(f"data[{key}]", '"<secret contents redacted>"', why)]

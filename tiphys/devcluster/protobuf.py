"""`kubectl create` and client-go send built-in kinds as protobuf: read here into the JSON that they stand for.

What is not in the table of wire types, a kind or a field of one that is not empty, is refused with a remedy: nothing is
dropped unseen.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

import orjson

from runtime.api import ApiError
from runtime.objects import Object
from tiphys.devcluster import errors, wiretypes
from tiphys.devcluster.metadata import stamp

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if not byte & 0x80:
            return value, at
        shift += 7


def _fields(raw: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of a message: an int for numbers, bytes for the rest."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(raw, at)
            yield number, value
            continue
        if wire == _BYTES:
            size, at = _varint(raw, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise errors.bad_request(f"the protobuf body has a field of the unknown wire type {wire}")
        yield number, raw[at : at + size]
        at += size


def _value(kind: str, raw: Any) -> Any:
    if kind not in wiretypes.SCALARS:
        return _message(raw, kind)
    match kind:
        case "int":
            return raw - (1 << 64) if raw >= 1 << 63 else raw
        case "bool":
            return bool(raw)
        case "number":
            return struct.unpack("<d", raw)[0]
        case "bytes":
            return base64.b64encode(raw).decode()
        case "time" | "microtime":
            return _time(dict(_fields(raw)), micro=kind == "microtime")
        case "quantity":
            return dict(_fields(raw)).get(1, b"").decode() or "0"
        case "intstr":
            parts = dict(_fields(raw))
            return parts.get(3, b"").decode() if parts.get(1) else _value("int", parts.get(2, 0))
        case "raw":
            content = dict(_fields(raw)).get(1, b"")
            return orjson.loads(content) if content else None
    return raw.decode()


def _time(parts: dict[int, Any], *, micro: bool) -> str | None:
    seconds, nanos = parts.get(1, 0), parts.get(2, 0)
    if not seconds or seconds >= 1 << 63:
        return None
    return f"{stamp(seconds)[:-1]}.{nanos // 1000:06d}Z" if micro else stamp(seconds)


def _is_empty(value: Any) -> bool:
    """True for what Go writes for a field that nobody has set: zero, or messages of nothing else."""
    if not value:
        return True
    try:
        return isinstance(value, bytes) and all(_is_empty(part) for _, part in _fields(value))
    except (IndexError, ApiError):
        return False


def _unread(what: str) -> ApiError:
    return errors.unsupported_media(
        f"{what} is not read as protobuf: send JSON; with kubectl, add --dry-run=client -o yaml and pipe it into "
        "kubectl apply -f -",
        {},
    )


def _message(raw: bytes, name: str) -> Object:
    thing: Object = {}
    known = wiretypes.message(name)
    for number, value in _fields(raw):
        field = known.get(number)
        if field is None:
            if not _is_empty(value):
                raise _unread(f"field {number} of {name}")
        elif field.shape == "map":
            pair = dict(_fields(value))
            thing.setdefault(field.name, {})[pair.get(1, b"").decode()] = _value(field.type, pair.get(2, b""))
        elif field.shape == "list":
            thing.setdefault(field.name, []).append(_value(field.type, value))
        elif field.shape == "inline":
            thing |= _message(value, field.type)
        else:
            read = _value(field.type, value)
            if read is not None and (field.shape == "pointer" or read not in ("", {}, 0)):  # Go writes zeros too
                thing[field.name] = read
    return thing


def decode(body: bytes) -> Object:
    """The object in a protobuf body. Raises Refused (400, 415) with a remedy."""
    if not body.startswith(MAGIC):
        raise errors.bad_request("the protobuf body does not begin with the Kubernetes envelope")
    try:
        envelope = dict(_fields(body[len(MAGIC) :]))
        names = dict(_fields(envelope.get(1, b"")))
        api_version, kind = names.get(1, b"").decode(), names.get(2, b"").decode()
        message = wiretypes.message_name(api_version, kind)
        if message is None:
            raise _unread(kind)
        return {"apiVersion": api_version, "kind": kind, **_message(envelope.get(2, b""), message)}
    except (IndexError, ValueError, AttributeError, TypeError, struct.error) as e:
        raise errors.bad_request("the protobuf body is cut off or not of the kind that it names") from e

"""A frame is what a container says about its outcome in the few bytes of a termination message; nothing else is one.

It is one ASCII line: name and version, the nonce of the pod, an encoding letter, length, checksum, payload. The nonce
is chosen when the pod is built, so no text that a program happens to print (or copies from elsewhere) is taken for its
outcome. What does not fit is *spilled*: written as marked lines at the end of the container's own log, and the frame
says how many bytes, lines and which SHA-256.

Imports stay few: this file is also part of the program that runs in front of every captured command.
"""

from __future__ import annotations

import binascii
import json
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:  # a name that type checkers know: the real module costs more than the shim's whole work
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from actors.contract.documents import Content, Spill

FRAME_BYTES_DEFAULT = 1500
FRAME_BYTES_MAX = 4096  # the kubelet cuts a termination message there
FRAME_BYTES_POD = 12288  # and all messages of a pod together there: it divides by the number of containers
FRAME_BYTES_MIN = 400  # a frame that only says "spilled", with the start of an error
CONTENT_BYTES_MAX = 2 << 20  # outputs larger than this are no outputs but an artifact
RESULT_BYTES_MAX = 256 << 10
MESSAGE_BYTES_MAX = 1 << 10  # of the user's own termination message and of errors, inside the frame
SPILL_CHUNK = 3000  # characters a line: below PIPE_BUF, so that lines of several writers do not mix

_NAME = "tiphys/1"
_SPILL = "tiphys-spill/1"


def budget(containers: int, wished: int = FRAME_BYTES_DEFAULT) -> int:
    """The bytes a frame may have in a pod of that many containers (init containers included)."""
    return min(wished, FRAME_BYTES_MAX, FRAME_BYTES_POD // max(containers, 1))


def encode(content: Content, nonce: str, limit: int) -> tuple[str, list[str]]:
    """The frame of at most `limit` characters, and the lines to append to the log first (empty when all fits)."""
    content = _clipped(content, MESSAGE_BYTES_MAX)
    text = _frame(content, nonce)
    if len(text) <= limit:
        return text, []
    payload = _compact(content)
    if len(payload) > CONTENT_BYTES_MAX:
        return _refusal(content, len(payload), nonce, limit), []
    lines = _spill_lines(payload, nonce)
    spill: Spill = {"bytes": len(payload), "lines": len(lines), "sha256": _sha256(payload.encode())}
    rest: Content = {"spilled": spill}
    if "code" in content:
        rest["code"] = content["code"]
    text = _frame(rest, nonce)
    if len(text) > limit:
        raise ValueError(f"a frame needs at least {len(text)} bytes, the pod's containers have {limit} each")
    return text, lines


def decode(text: str, nonce: str) -> Content | None:
    """The content of a frame of that nonce; None for anything else, whatever it is."""
    parts = text.split(" ", 5) if text.isascii() else []
    if len(parts) != 6 or parts[:2] != [_NAME, nonce] or not nonce or len(text) > FRAME_BYTES_MAX:
        return None
    _, _, letter, length, checksum, payload = parts
    if length != str(len(payload)) or checksum != _crc(payload):
        return None
    return _read(_unpacked(payload) if letter == "z" else payload if letter == "j" else None)


def decode_spill(log: bytes, content: Content, nonce: str) -> Content | None:
    """The whole content, from the end of the log that the spilled frame `content` speaks of; None: not there."""
    spilled = content.get("spilled")
    if spilled is None:
        return content
    pieces = [piece for _, number, piece in _marked(log.decode("ascii", "replace").splitlines(), nonce) if number]
    payload = _unpacked("".join(pieces[-spilled["lines"] :])) if spilled["lines"] > 0 else None
    if payload is None or len(payload) != spilled["bytes"] or _sha256(payload.encode()) != spilled["sha256"]:
        return None
    return _read(payload)


def strip_spill(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a log as a person wants them: without what a shim appended. Nonces are not looked at."""
    for line in lines:
        before, mark, rest = line.partition(_SPILL + " ")
        if not mark or len(rest.split(" ")) != 3:
            yield line
        elif before:
            yield before  # the program's last line had no newline


# ------------------------------------------------------------------------------------------------ inside


def _frame(content: Mapping[str, Any], nonce: str) -> str:
    payload, letter = _compact(content), "j"
    packed = _packed(payload)
    if len(packed) < len(payload):
        payload, letter = packed, "z"
    return f"{_NAME} {nonce} {letter} {len(payload)} {_crc(payload)} {payload}"


def _refusal(content: Content, size: int, nonce: str, limit: int) -> str:
    error = f"outputs have {size} bytes, more than {CONTENT_BYTES_MAX}: save them as an artifact"
    said: Content = {"error": error}
    if "code" in content:
        said["code"] = content["code"]
    return _frame(said, nonce)[:limit]


def _clipped(content: Content, limit: int) -> Content:
    clipped = content.copy()
    if len(clipped.get("message", "")) > limit:
        clipped["message"] = clipped["message"][:limit]
    if len(clipped.get("error", "")) > limit:
        clipped["error"] = clipped["error"][:limit]
    return clipped


def _spill_lines(payload: str, nonce: str) -> list[str]:
    packed = _packed(payload)
    pieces = [packed[i : i + SPILL_CHUNK] for i in range(0, len(packed), SPILL_CHUNK)]
    return [f"{_SPILL} {nonce} {number} {piece}" for number, piece in enumerate(pieces, 1)]


def _marked(lines: Iterable[str], nonce: str) -> Iterator[tuple[str, int, str]]:
    for line in lines:
        before, mark, rest = line.partition(f"{_SPILL} {nonce} ")
        number, _, piece = rest.partition(" ")
        if mark and number.isdecimal():
            yield before, int(number), piece


def _compact(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"))


def _packed(text: str) -> str:
    return binascii.b2a_base64(zlib.compress(text.encode(), 6), newline=False).decode()


def _unpacked(text: str) -> str | None:
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(binascii.a2b_base64(text, strict_mode=True), CONTENT_BYTES_MAX)
        return raw.decode() if unpacker.eof and not unpacker.unconsumed_tail else None
    except (ValueError, zlib.error):
        return None


def _crc(payload: str) -> str:
    return f"{zlib.crc32(payload.encode()):08x}"


def _sha256(raw: bytes) -> str:
    import hashlib  # noqa: PLC0415  (costs more than a frame, and few outputs spill)

    return hashlib.sha256(raw).hexdigest()


def _read(payload: str | None) -> Content | None:
    try:
        content = json.loads(payload) if payload is not None else None
    except ValueError:
        return None
    return content if isinstance(content, dict) and _well_formed(content) else None  # type: ignore[return-value]  # (checked just now)


def _well_formed(content: dict[str, Any]) -> bool:
    texts = all(isinstance(content.get(key, ""), str) for key in ("result", "error", "message", "progress"))
    code = content.get("code", 0)
    parameters = content.get("parameters", {})
    artifacts = content.get("artifacts", [])
    undeleted = content.get("undeleted", {})
    return (
        texts
        and type(code) is int
        and isinstance(parameters, dict)
        and all(isinstance(value, str) for value in parameters.values())
        and isinstance(undeleted, dict)
        and all(isinstance(value, str) for value in undeleted.values())
        and isinstance(artifacts, list)
        and all(isinstance(artifact, dict) for artifact in artifacts)
        and _well_formed_spill(content.get("spilled", {"bytes": 0, "lines": 0, "sha256": ""}))
    )


def _well_formed_spill(spilled: Any) -> bool:
    return (
        isinstance(spilled, dict)
        and spilled.keys() == {"bytes", "lines", "sha256"}
        and type(spilled["bytes"]) is int
        and type(spilled["lines"]) is int
        and isinstance(spilled["sha256"], str)
    )

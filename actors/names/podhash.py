"""The hash of a pod template, to the letter as upstream computes it: the name and the selector of a ReplicaSet.

FNV-1a of the template's JSON (and of the collision count, when there has been a collision), in decimal, spelt with
letters that make no words.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from actors.names.gojson import encode, typed
from actors.names.pod_fields import POD_TEMPLATE, pod_types
from actors.names.suffixes import ALPHABET

HASH_LABEL: Final = "rollouts-pod-template-hash"
_OFFSET, _PRIME, _WORD = 0x811C9DC5, 0x01000193, 0xFFFFFFFF
_METADATA: Final = b'{"metadata":{'
_CREATION: Final = b'"creationTimestamp":null'


def pod_hash(template: Mapping[str, Any], collisions: int | None = None) -> str:
    """The hash of a pod template; `collisions` is status.collisionCount, None when it was never set."""
    return _pod_hash(_key(template), collisions, dated=False)


def dated_pod_hash(template: Mapping[str, Any], collisions: int | None = None) -> str:
    """The hash as controllers before 1.9 computed it: their clients print a creationTimestamp that is null."""
    return _pod_hash(_key(template), collisions, dated=True)


def typed_template(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template as a Go client has it: without unknown fields and malformed values, quantities canonical."""
    found: dict[str, Any] = typed(pod_types(), POD_TEMPLATE, template)
    return found


def safe_hash(content: bytes, collisions: int | None = None) -> str:
    """The hash of some bytes, spelt safely."""
    if collisions is not None:
        content += collisions.to_bytes(4, "little") + bytes(4)
    value = _OFFSET
    for byte in content:
        value = ((value ^ byte) * _PRIME) & _WORD
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(value))


def _key(template: Mapping[str, Any]) -> bytes:
    return orjson.dumps(template, option=orjson.OPT_SORT_KEYS)


@lru_cache(maxsize=1024)  # a key is a whole template: a few KB
def _pod_hash(key: bytes, collisions: int | None, *, dated: bool) -> str:
    """Remembered: a template is hashed at every decision, and changes seldom."""
    content = encode(pod_types(), POD_TEMPLATE, orjson.loads(key))
    if dated:
        rest = content.removeprefix(_METADATA)
        content = _METADATA + _CREATION + (b"" if rest.startswith(b"}") else b",") + rest
    return safe_hash(content, collisions)

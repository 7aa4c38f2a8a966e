"""The names of what controllers create are functions of their owner: whoever asks twice asks for the same object.

Upstream draws pod names at random and keeps expectations in memory. A name that follows from the owner's uid and a
number needs no memory: a creation that is asked for again, by a later life with an older view, meets itself
(AlreadyExists) instead of adding one pod too many.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import count, islice

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Of generated names: without vowels and look-alikes, so that no word comes out by accident."""

SUFFIX_LENGTH = 5
GENERATED_NAME_MAX = 63 - SUFFIX_LENGTH
"""What is kept of a prefix, so that the name can be a host name."""

_FNV_OFFSET, _FNV_PRIME, _WORD = 0x811C9DC5, 0x01000193, 0xFFFFFFFF


def fnv32a(content: bytes) -> int:
    """The 32-bit FNV-1a hash."""
    value = _FNV_OFFSET
    for byte in content:
        value = ((value ^ byte) * _FNV_PRIME) & _WORD
    return value


def safe_encoded(text: str) -> str:
    """Each character replaced by a letter of the alphabet, as names of replica sets are made of their hash."""
    return "".join(ALPHABET[ord(letter) % len(ALPHABET)] for letter in text)


def suffix(*seed: str) -> str:
    """Five letters that follow from the seed."""
    left = fnv32a("\0".join(seed).encode())
    letters = []
    for _ in range(SUFFIX_LENGTH):
        left, index = divmod(left, len(ALPHABET))
        letters.append(ALPHABET[index])
    return "".join(letters)


def free_names(prefix: str, uid: str, used: Collection[str], wanted: int) -> list[str]:
    """The first `wanted` names below `prefix` ("web-") of owner `uid` that nobody in `used` has."""
    return list(islice(_free(prefix, uid, used), wanted))


def _free(prefix: str, uid: str, used: Collection[str]) -> Iterator[str]:
    found: set[str] = set()
    for number in count():
        name = prefix[:GENERATED_NAME_MAX] + suffix(uid, prefix, str(number))
        if name not in used and name not in found:
            found.add(name)
            yield name

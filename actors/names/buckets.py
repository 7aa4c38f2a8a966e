"""A namespace is in one bucket for ever, and a bucket in one group of as many as there are shards.

All that is about a namespace is decided in one process, whichever that is at the moment. The number of buckets is part
of what labels say on live objects, so it is no setting: with another number, they would lie. Shards are groups of
buckets, and may be as many as there are buckets at most.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from actors.names import labels

BUCKETS = 64


@lru_cache(maxsize=10_000)  # asked for with every event
def bucket(namespace: str) -> int:
    """The bucket of a namespace, 0 to BUCKETS - 1."""
    return int.from_bytes(blake2b(namespace.encode(), digest_size=8).digest(), "big") % BUCKETS


def group(namespace: str, groups: int) -> int:
    """The group that a namespace is in, of so many."""
    return bucket(namespace) % groups


def mark(namespace: str) -> dict[str, str]:
    """The label of workflows and pods of a namespace."""
    return {labels.BUCKET: str(bucket(namespace))}


def placed(number: int, groups: int) -> str:
    """Select what is labelled with a bucket of that group."""
    return f"{labels.BUCKET} in ({','.join(str(one) for one in range(number, BUCKETS, groups))})"


def unplaced() -> str:
    """Select what has no such label, or one that names no bucket."""
    return f"{labels.BUCKET} notin ({','.join(str(one) for one in range(BUCKETS))})"

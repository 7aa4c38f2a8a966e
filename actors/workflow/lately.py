"""What a namespace's artifact repositories were a moment ago, so that not each of thousands of workflows reads them.

Every workflow has to look whether its namespace's default repository archives logs; that changes once in months. Who
saves artifacts, or names a repository, reads it live all the same. (REPO-2, REPO-4.)
"""

from __future__ import annotations

from runtime.objects import Object, Reference

FRESH_S = 2.0
KEPT = 32  # that are no longer fresh; of a cluster whose namespaces come and go most never come again

Found = dict[Reference, Object | None]


class Lately:
    """ConfigMaps as workflows have read them, for as long as they count as fresh."""

    def __init__(self) -> None:
        self._seen: dict[Reference, tuple[float, Object | None]] = {}
        self._seen_max = KEPT  # then what is not fresh goes

    def note(self, ref: Reference, thing: Object | None, now: float) -> None:
        """Somebody has read it."""
        self._seen[ref] = (now, thing)
        if len(self._seen) > self._seen_max:
            self._seen = {ref: seen for ref, seen in self._seen.items() if _is_fresh(seen[0], now)}
            self._seen_max = len(self._seen) + KEPT

    def recall(self, ref: Reference, found: Found, now: float) -> bool:
        """Put it to what a workflow has found, if it is fresh; whether it is."""
        at, thing = self._seen.get(ref, (float("-inf"), None))
        if not _is_fresh(at, now):
            return False
        found[ref] = thing
        return True


def _is_fresh(at: float, now: float) -> bool:
    return at <= now < at + FRESH_S

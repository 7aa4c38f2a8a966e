"""Manifests become objects: applied as `kubectl apply --server-side` does, and nothing of anybody else is taken over.

A CustomResourceDefinition or a namespace that is there and not ours stays as it is: upstream's definitions accept what
ours do. Everything else has names of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Final, NamedTuple

from runtime.api import Api, Gone
from runtime.objects import Object, Reference
from tiphys.installation.choice import PART_OF
from tiphys.installation.kinds import reference_of

MANAGER: Final = "tiphys-install"
SHARED: Final = ("CustomResourceDefinition", "Namespace")
"""Kinds whose objects others may have made before us, under the same names."""


class Applied(NamedTuple):
    """What became of one manifest."""

    ref: Reference
    done: str  # "applied", or "kept" for somebody else's

    def __str__(self) -> str:
        return f"{self.ref} {self.done}"


def is_ours(thing: Object) -> bool:
    """Whether it bears our label."""
    labels = thing["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in PART_OF.items())


async def apply(api: Api, things: Iterable[Object]) -> AsyncIterator[Applied]:
    """Apply each, in their order. Raises ApiError."""
    for thing in things:
        ref = reference_of(thing)
        if thing["kind"] in SHARED and await _is_others(api, ref):
            yield Applied(ref, "kept: somebody else's, and good enough")
            continue
        await api.patch(ref, thing, kind="apply", manager=MANAGER)
        yield Applied(ref, "applied")


async def _is_others(api: Api, ref: Reference) -> bool:
    try:
        return not is_ours(await api.get(ref))
    except Gone:
        return False

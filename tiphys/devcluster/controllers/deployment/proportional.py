"""A Deployment that is scaled while it rolls: every set gets its share, so that the risk stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Share(NamedTuple):
    """A set with pods: its wish, and the most pods its Deployment might have had when that was wished."""

    name: str
    wished: int
    most: int  # annotation max-replicas; 0 when unknown


def shares(sets: Sequence[Share], wished: int, surge: int) -> dict[str, int]:
    """What each set shall have so that all together have `wished` + `surge`; `sets` are newest first.

    Rounded to the nearest; what rounding leaves over goes to the largest set. Ties go to the newest when there is more
    to have, to the oldest when there is less."""
    allowed = wished + surge if wished > 0 else 0
    to_add = allowed - sum(each.wished for each in sets)
    ordered = sorted(sets if to_add > 0 else reversed(sets), key=lambda each: -each.wished)
    left = to_add
    sizes: dict[str, int] = {}
    for each in ordered:
        change = _change(each, allowed, left) if wished > 0 else -each.wished
        sizes[each.name] = each.wished + change
        left -= change
    if left and ordered:
        first = ordered[0].name
        sizes[first] = max(0, sizes[first] + left)
    return sizes


def _change(each: Share, allowed: int, left: int) -> int:
    if not each.wished or not left:
        return 0
    most = each.most or allowed
    fraction = (2 * each.wished * allowed + most) // (2 * most) - each.wished  # to the nearest, halves up
    return min(fraction, left) if left > 0 else max(fraction, left)

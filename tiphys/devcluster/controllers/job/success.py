"""successPolicy: an Indexed job may be a success before all of its indexes are. Pure."""

from __future__ import annotations

from collections.abc import Collection

from runtime.objects import Object
from tiphys.devcluster.controllers.job.indexes import parsed


def met(job: Object, completed: Collection[int]) -> str:
    """The sentence about the first rule that is met; empty while none is."""
    rules = (job["spec"].get("successPolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules):
        if _holds(rule, frozenset(completed)):
            return f"Matched rules at index {number}"
    return ""


def _holds(rule: Object, completed: frozenset[int]) -> bool:
    wanted, least = rule.get("succeededIndexes"), rule.get("succeededCount")
    if wanted is None:
        return least is not None and len(completed) >= int(least)
    required = parsed(wanted)
    return len(completed & required) >= (len(required) if least is None else int(least))

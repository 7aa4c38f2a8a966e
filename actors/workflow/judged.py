"""A workflow that is written like one that was judged before is not judged again.

Thousands of workflows are made of the same text: by a schedule, a resubmission, a program. What is judged is their
text alone, so the verdict is kept by it, as long as they refer to no template of another object, which may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from actors.workflow.validation import LibraryRef, Lookup, validate
from crds.problems import Problem

TEXT_MAX = 16 * 1024  # bytes of a workflow whose verdict is kept; larger ones are seldom made by the thousand
VERDICTS_MAX = 512
NAME_MAX = 63  # up to this length a name has no part in the verdict
JUDGED = ("apiVersion", "kind", "spec")


class _Refers(Exception):
    """What is judged names a template of another object."""


def problems_of(workflow: Mapping[str, Any], lookup: Lookup) -> tuple[Problem, ...]:
    """All that `validate` finds."""
    text = _text(workflow)
    found = _verdict(text) if 0 < len(text) <= TEXT_MAX else None
    return tuple(validate(workflow, lookup=lookup)) if found is None else found


def _text(workflow: Mapping[str, Any]) -> bytes:
    """All that is judged, alike for workflows that differ only in what is their own; empty when it cannot be told."""
    meta = workflow.get("metadata")
    if not isinstance(meta, dict) or not 0 < len(str(meta.get("name") or "")) <= NAME_MAX:
        return b""
    kept = {field: meta[field] for field in ("labels", "annotations") if field in meta}
    judged = {field: workflow[field] for field in JUDGED if field in workflow}
    try:
        return orjson.dumps({**judged, "metadata": {"name": "w", **kept}})
    except TypeError:  # a number beyond 64 bits, or broken text
        return b""


@lru_cache(maxsize=VERDICTS_MAX)
def _verdict(text: bytes) -> tuple[Problem, ...] | None:
    def lookup(reference: LibraryRef) -> None:
        raise _Refers(reference.name)

    try:
        return tuple(validate(orjson.loads(text), lookup=lookup))
    except _Refers:
        return None

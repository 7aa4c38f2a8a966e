"""Which workflows a command means: by name, by label, by state, by age.

Pure, but for the one list that it is applied to. `@latest` is the workflow that was created last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from actors.names import durations, timestamps
from runtime.api import Api, Selection
from runtime.objects import Object, Reference, reference
from tiphys.cli import nodes as status
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.problems import InputError
from tiphys.cli.tree import duration

LATEST: Final = "@latest"
RESUBMITTED: Final = "workflows.argoproj.io/resubmitted-from-workflow"


class Filter(NamedTuple):
    """What a workflow must be like; everything that is empty is not asked."""

    running: bool = False
    completed: bool = False
    resubmitted: bool = False
    prefix: str = ""
    phases: tuple[str, ...] = ()
    since_s: float | None = None  # created within
    older_s: float | None = None  # finished longer ago than
    labels: str = ""
    fields: str = ""


def passes(workflow: Object, wanted: Filter, now: float) -> bool:
    """Whether a workflow is like that."""
    meta, finished = workflow["metadata"], status.is_finished(workflow)
    created = _age(meta.get("creationTimestamp"), now)
    ended = _age(status.status_of(workflow).get("finishedAt"), now)
    return (
        not (wanted.running and finished)
        and not (wanted.completed and not finished)
        and not (wanted.resubmitted and RESUBMITTED not in (meta.get("labels") or {}))
        and str(meta.get("name", "")).startswith(wanted.prefix)
        and (not wanted.phases or status.phase_of(workflow) in wanted.phases)
        and (wanted.since_s is None or (created is not None and created <= wanted.since_s))
        and (wanted.older_s is None or (ended is not None and ended > wanted.older_s))
    )


async def listed(api: Api, namespace: str | None, wanted: Filter, now: float) -> list[Object]:
    """The workflows that pass, in the order of a list."""
    found = await api.list(WORKFLOWS, Selection(namespace, wanted.labels, wanted.fields))
    return in_order(workflow for workflow in found.items if passes(workflow, wanted, now))


def in_order(workflows: Iterable[Object]) -> list[Object]:
    """What runs, newest first; then what has ended, by when it did, latest first."""

    def rank(thing: Object) -> tuple[bool, str]:
        ended = status.text(status.status_of(thing), "finishedAt")
        return not ended, ended or _created(thing)

    return sorted(workflows, key=rank, reverse=True)


def _created(thing: Object) -> str:
    return status.text(thing["metadata"], "creationTimestamp")


async def named(api: Api, namespace: str, names: Sequence[str]) -> list[Reference]:
    """References for names, with @latest resolved. Raises InputError when there is no latest."""
    resolved = []
    for name in names:
        if name == LATEST:
            all_of_them = await listed(api, namespace, Filter(), 0)
            if not all_of_them:
                raise InputError(f"{LATEST}: there is no workflow in namespace {namespace}")
            name = max(all_of_them, key=_created)["metadata"]["name"]  # noqa: PLW2901  the same name, resolved
        resolved.append(Reference(WORKFLOWS, namespace, name))
    return resolved


async def meant(api: Api, namespace: str, names: Sequence[str], wanted: Filter, now: float) -> dict[Reference, str]:
    """The workflows that names, selectors, or both mean, each once; with what a person called it."""
    found = dict(zip(await named(api, namespace, names), names, strict=True))
    if wanted.labels or wanted.fields:
        for workflow in await listed(api, namespace, wanted, now):
            ref = reference(WORKFLOWS, workflow)
            if ref._replace(uid="") not in found:
                found[ref] = ref.name
    return found


def seconds(text: str, option: str) -> float | None:
    """A length of time as a person writes it: 10m, 2h, 7d, or bare seconds. Raises InputError for what is none."""
    if not text:
        return None
    try:
        if text.endswith("d") and text[:-1].isdecimal():
            return float(text[:-1]) * 86_400
        return durations.parse_duration_or_seconds(text)
    except ValueError as e:
        raise InputError(f"{option} {text!r}: expected a duration such as 90, 10m, 2h or 7d") from e


def phases(texts: Sequence[str]) -> tuple[str, ...]:
    """Read `--status Running,Failed` options."""
    return tuple(phase.strip() for text in texts for phase in text.split(",") if phase.strip())


def since(length: str, moment: str, now: float) -> int | None:
    """How many seconds to look back: a length of time, or until a moment. Raises InputError."""
    if length and moment:
        raise InputError("--since and --since-time exclude each other")
    if not moment:
        found = seconds(length, "--since")
        return None if found is None else int(found)
    try:
        return max(1, math.ceil(now - timestamps.seconds(moment)))
    except ValueError as e:
        raise InputError(f"--since-time {moment!r}: expected a time such as 2026-01-31T12:00:00Z") from e


def _age(stamp: object, now: float) -> float | None:
    try:
        return now - timestamps.seconds(stamp) if isinstance(stamp, str) else None
    except ValueError:
        return None


def age(stamp: object, now: float) -> str:
    """How long ago something was, as a person says it; "" when nobody knows."""
    passed = _age(stamp, now)
    return "" if passed is None else duration(passed)

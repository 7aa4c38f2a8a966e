"""The verbs on CronWorkflows that are in a cluster. Each takes a connection and plain values, and prints. (CLI-16.)"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from actors.names import labels
from runtime.api import ApiError, Selection
from runtime.objects import Object, Reference
from tiphys.cli import cron_backfill, cron_show, overrides, results
from tiphys.cli.connect import Connection
from tiphys.cli.cron_backfill import Backfill
from tiphys.cli.documents import Document
from tiphys.cli.kinds import CRON_WORKFLOWS, WORKFLOWS
from tiphys.cli.overrides import Overrides
from tiphys.cli.problems import EXIT_SUCCEEDED, InputError, Problem
from tiphys.localzone import local_zone

OURS = (labels.CRON_LAST_USED_SCHEDULE, labels.CRON_CAUGHT_UP_TO)
"""Annotations that the controller writes: an update from a file keeps them."""


class Wishes(NamedTuple):
    """What the command line changes on what the files say."""

    overrides: Overrides = Overrides()
    schedule: str = ""


def chosen(documents: Sequence[Document], wishes: Wishes) -> list[Document]:
    """The CronWorkflows among documents, as wished; what else is in the files is said and left alone.

    Raises InputError when there is none."""
    found = [document for document in documents if document.resource == CRON_WORKFLOWS]
    for other in documents:
        if other.resource != CRON_WORKFLOWS:
            print(f"warning: {other.problem('left alone: it is no CronWorkflow')}", file=sys.stderr)
    if not found:
        raise InputError("No CronWorkflows found in given files")
    return [document._replace(object=wished(document.object, wishes)) for document in found]


def wished(cron: Object, wishes: Wishes) -> Object:
    """A copy of the CronWorkflow with the wishes applied: names and labels to itself, the rest to its workflow."""
    changed = copy.deepcopy(cron)
    spec = changed.setdefault("spec", {})
    workflow = {"metadata": changed["metadata"], "spec": spec.get("workflowSpec") or {}}
    applied = overrides.applied(workflow, wishes.overrides)
    changed["metadata"], spec["workflowSpec"] = applied["metadata"], applied["spec"]
    if wishes.schedule:
        spec["schedules"] = [wishes.schedule]
    return changed


async def create(at: Connection, documents: Sequence[Document], form: str) -> int:
    """Create them and print each. Raises InputError naming the one that was refused."""
    for document in documents:
        thing = copy.deepcopy(document.object)
        thing["metadata"].setdefault("namespace", at.namespace)
        try:
            created = await at.api.create(CRON_WORKFLOWS, thing)
        except ApiError as e:
            text = f"failed to create cron workflow: {e.message}"
            raise InputError(Problem(text, document.source, document.line, document.title)) from e
        show(created, form)
    return EXIT_SUCCEEDED


async def update(at: Connection, documents: Sequence[Document], form: str) -> int:
    """Replace them by what the files say, and print each; what the controller has written is kept.

    Raises InputError naming the one that is not there or was refused."""
    for document in documents:
        thing = copy.deepcopy(document.object)
        meta = thing["metadata"]
        meta.setdefault("namespace", at.namespace)
        name = str(meta.get("name") or "")
        what = f'failed to get existing cron workflow "{name}" to update'
        try:
            current = await at.api.get(Reference(CRON_WORKFLOWS, meta["namespace"], name))
            what = "failed to update cron workflow"
            updated = await at.api.replace(CRON_WORKFLOWS, succeeded_by(current, thing))
        except ApiError as e:
            text = f"{what}: {e.message}"
            raise InputError(Problem(text, document.source, document.line, document.title)) from e
        show(updated, form)
    return EXIT_SUCCEEDED


def succeeded_by(current: Object, thing: Object) -> Object:
    """What a file says, with the past of the object that it replaces; one that had stopped begins anew."""
    meta = {**thing["metadata"], "resourceVersion": current["metadata"]["resourceVersion"]}
    written = current["metadata"].get("annotations") or {}
    kept = {key: written[key] for key in OURS if key in written}
    if kept:
        meta["annotations"] = {**(meta.get("annotations") or {}), **kept}
    status = dict(current.get("status") or {})
    if status.get("phase") == "Stopped":
        status = {key: status[key] for key in ("active", "lastScheduledTime") if key in status}
    return {**thing, "metadata": meta, **({"status": status} if status else {})}


async def get(at: Connection, names: Sequence[str], form: str) -> int:
    """Print them."""
    for name in names:
        show(await at.api.get(Reference(CRON_WORKFLOWS, at.namespace, name)), form)
    return EXIT_SUCCEEDED


async def list_(at: Connection, selector: str, form: str, *, everywhere: bool) -> int:
    """Print those of the namespace, or of all."""
    found = (await at.api.list(CRON_WORKFLOWS, Selection(None if everywhere else at.namespace, selector))).items
    if form in ("json", "yaml", "name"):
        results.write(found, form, sys.stdout)
    else:
        _print(cron_show.rows(found, time.time(), everywhere=everywhere))
    return EXIT_SUCCEEDED


async def delete(at: Connection, names: Sequence[str], *, everything: bool) -> int:
    """Delete them; their runs go with them."""
    wanted = list(names)
    if everything:
        found = (await at.api.list(CRON_WORKFLOWS, Selection(at.namespace))).items
        wanted += [thing["metadata"]["name"] for thing in found]
    for name in wanted:
        await at.api.delete(Reference(CRON_WORKFLOWS, at.namespace, name), propagation="Background")
        print(f"CronWorkflow '{name}' deleted")
    return EXIT_SUCCEEDED


async def suspend(at: Connection, names: Sequence[str], *, suspended: bool) -> int:
    """Let them rest, or go on."""
    for name in names:
        await at.api.patch(Reference(CRON_WORKFLOWS, at.namespace, name), {"spec": {"suspend": suspended}})
        print(f"CronWorkflow '{name}' {'suspended' if suspended else 'resumed'}")
    return EXIT_SUCCEEDED


async def backfill(at: Connection, name: str, wish: Backfill, now: float) -> int:
    """Create the workflows that make up for the runs of a past period (CLI-17)."""
    cron = await at.api.get(Reference(CRON_WORKFLOWS, at.namespace, name))
    makers, runs = cron_backfill.workflows(cron, wish, now)
    if not makers:
        print("There is no suitable scheduling time.")
        return EXIT_SUCCEEDED
    made = [await at.api.create(WORKFLOWS, maker) for maker in makers]
    _print(cron_backfill.summary(name, wish, made, runs, now))
    return EXIT_SUCCEEDED


def show(cron: Object, form: str) -> None:
    """Print one in a form; empty and wide are the block of facts."""
    if form in ("json", "yaml", "name"):
        results.write([cron], form, sys.stdout)
    else:
        _print(cron_show.block(cron, time.time(), here()))


def here() -> tzinfo:
    """The clock of this machine."""
    name = local_zone()
    return UTC if name == "UTC" else ZoneInfo(name)


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)
    sys.stdout.flush()

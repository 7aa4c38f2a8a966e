"""Runs that a CronWorkflow should have made in a past period are made by one workflow that loops over their hours.

Each run is a resource node that creates a Workflow and waits for its end. What the Workflow is like travels as one
encoded parameter, so that its own tags are its own: only the hour is put in. (CRON-11, CLI-17.)
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from actors.cron.child import submitted_manifest
from actors.language.faults import Fault
from actors.language.go_time import RFC1123, format_time, from_unix, parse_time, unix_seconds
from actors.names import labels
from actors.names.resources import ARGO_API_VERSION
from runtime.objects import Object
from tiphys.cli import cron_show
from tiphys.cli.problems import InputError

FORMAT: Final = RFC1123
HOUR_LAYOUT: Final = "2006-01-02 15:04:05 -0700 MST"
HOUR: Final = "@backfill-schedule-time@"  # where the hour goes in the encoded Workflow
PRIORITY_MAX: Final = 2**31 - 1
NAME_PREFIX_MAX: Final = 57  # five generated characters make it 63 with the dash before them
MANIFEST: Final = (
    f"{{{{=replace(fromBase64(workflow.parameters.run), '{HOUR}', inputs.parameters.backfillscheduletime)}}}}"
)


class Backfill(NamedTuple):
    """What is wished."""

    name: str
    start: str
    end: str = ""  # empty: now
    argument: str = "cronScheduleTime"
    layout: str = FORMAT
    parallel: bool = False
    most: int = 1000  # runs of one workflow that makes them


def workflows(cron: Object, wish: Backfill, now: float) -> tuple[list[Object], int]:
    """The workflows that make the runs, and how many these are. Raises InputError."""
    if not wish.start:
        raise InputError("start date should not be empty: give --start")
    if wish.most < 1:
        raise InputError("--maxworkflowcount: at least 1")
    start, end = _time(wish.start, wish.layout, "--start"), now
    if wish.end:
        end = _time(wish.end, wish.layout, "--end")
    hours = _hours(cron, start, end)
    parts = [hours[at : at + wish.most] for at in range(0, len(hours), wish.most)]
    run = base64.b64encode(json.dumps(_run(cron, wish, now)).encode()).decode()
    return [_maker(cron, run, part) for part in parts], len(hours)


def end_of(wish: Backfill, now: float) -> str:
    """The end of the period as people read it."""
    return wish.end or format_time(from_unix(now), FORMAT)


def summary(cron: str, wish: Backfill, made: Sequence[Object], runs: int, now: float) -> list[str]:
    """What is printed when the workflows are there."""
    line = "=" * 50
    return [
        f"Created {wish.name} Backfill task for Cronworkflow {cron} ",
        line,
        "Backfill Period :",
        f"Start Time : {wish.start} ",
        f"  End Time : {end_of(wish, now)} ",
        f"Total Backfill Schedule: {runs} ",
        line,
        "Backfill Workflows: ",
        "   NAMESPACE\t WORKFLOW: ",
        *(
            f"{number}. {thing['metadata'].get('namespace', '')} \t {thing['metadata']['name']} "
            for number, thing in enumerate(made, 1)
        ),
    ]


def _time(text: str, layout: str, option: str) -> float:
    try:
        return float(unix_seconds(parse_time(layout, text).astimezone(UTC)))
    except Fault as error:
        raise InputError(f"{option}: {error}; give it in the layout of --format, now {layout!r}") from error


def _hours(cron: Object, start: float, end: float) -> list[str]:
    """The moments of the period, as upstream writes them: `2026-01-01 00:05:00 +0000 UTC`."""
    table = cron_show.table_of(cron)
    found: list[str] = []
    at = table.next(start)
    while at is not None and at <= end:
        found.append(format_time(datetime.fromtimestamp(at, UTC), HOUR_LAYOUT))
        at = table.next(at)
    return found


def _run(cron: Object, wish: Backfill, now: float) -> Object:
    """One run: as scheduled ones, with its hour as an argument; one at a time unless they may run in parallel."""
    run = submitted_manifest(cron, now)
    prefix = f"{cron['metadata']['name']}-backfill-{wish.name.lower()}"
    run["metadata"]["generateName"] = f"{prefix[:NAME_PREFIX_MAX]}-"
    spec: dict[str, Any] = {**run["spec"]}
    arguments = {**(spec.get("arguments") or {})}
    entries = [entry for entry in arguments.get("parameters") or () if entry.get("name") != wish.argument]
    arguments["parameters"] = [*entries, {"name": wish.argument, "value": HOUR}]
    spec["arguments"] = arguments
    if not wish.parallel:
        spec["priority"] = PRIORITY_MAX
        spec["synchronization"] = {"mutexes": [{"name": wish.name}]}
    return {**run, "spec": spec}


def _maker(cron: Object, run: str, hours: Sequence[str]) -> Object:
    """The workflow that makes these runs."""
    hour = {"name": "backfillscheduletime"}
    resource = {
        "action": "create",
        "successCondition": "status.phase == Succeeded",
        "failureCondition": "status.phase in (Failed, Error)",
        "manifest": MANIFEST,
    }
    create = {"name": "create-workflow", "inputs": {"parameters": [hour]}, "resource": resource}
    step = {
        "name": "create-workflow",
        "template": "create-workflow",
        "arguments": {"parameters": [{**hour, "value": "{{item}}"}]},
        "withParam": json.dumps(list(hours)),
    }
    return {
        "apiVersion": ARGO_API_VERSION,
        "kind": "Workflow",
        "metadata": {
            "generateName": "backfill-wf-",
            "namespace": cron["metadata"].get("namespace", ""),
            "labels": {labels.CRON_BACKFILL: cron["metadata"]["name"]},
        },
        "spec": {
            "entrypoint": "main",
            "arguments": {"parameters": [{"name": "run", "value": run}]},
            "templates": [{"name": "main", "steps": [[step]]}, create],
        },
    }

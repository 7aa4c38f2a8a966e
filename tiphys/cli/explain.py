"""Why an object is where it is; of a workflow one sentence, and one more for every node that waits.

What it waits for, since when, until when, and what would end it. Pure, and from the object alone: it says what is on
record, for whoever may read the workflow and nothing else; what the controllers add (an actor that was put aside)
stands among the object's Events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, assert_never

from actors.database_messages import AWAY, BACK
from actors.names import labels
from actors.names.durations import parse_duration_or_seconds
from actors.names.timestamps import rfc3339, seconds
from runtime.api import Api, ApiError, Selection
from runtime.objects import EVENTS, Object, Reference, reference
from tiphys.cli import nodes as status
from tiphys.cli import tree
from tiphys.cli.kinds import CRON_WORKFLOWS
from tiphys.cli.nodes import Node
from tiphys.cli.offloaded import plain
from tiphys.cli.problems import InputError
from tiphys.cli.reasons import ENDS, NodeWait, node_wait, wanted_values

SHOWN: Final = 20
"""Nodes that are named; further ones are counted."""

QUARANTINED: Final = "Quarantined"
"""The reason of the Event that says an object's actor was put aside."""

CRONS: Final = ("cron", "cwf", "cronwf", "cronworkflow", "cronworkflows")
WORKFLOW_NAMES: Final = ("wf", "workflow", "workflows")

LEAVES: Final = ("Pod", "Suspend", "HTTP", "Plugin", "Container")


async def sentences(api: Api, namespace: str, name: str, now: float) -> list[str]:
    """What the object of that name waits for: a workflow, or whatever a `kind/` before the name says."""
    from tiphys.cli import selection  # noqa: PLC0415  # the pure half needs no more than the object

    kind, _, rest = name.rpartition("/")
    if kind in CRONS:
        return cron_lines(await api.get(Reference(CRON_WORKFLOWS, namespace, rest)), now)
    if kind and kind not in WORKFLOW_NAMES:
        return await _of_rollouts(api, namespace, kind, rest)
    (ref,) = await selection.named(api, namespace, [name if kind not in WORKFLOW_NAMES else rest])
    try:
        thing, unread = await api.get(ref), []
    except InputError as e:  # its nodes are elsewhere: the rest can be told
        thing, unread = await plain(api).get(ref), [f"  {e}"]
    return [*lines(thing, now), *unread, *await put_aside(api, reference(ref.resource, thing), _last_record(thing))]


async def _of_rollouts(api: Api, namespace: str, kind: str, name: str) -> list[str]:
    from tiphys.cli.rollouts import explaining, objects  # noqa: PLC0415  a workflow needs none of it

    speakers = {
        ("ro", "rollout", "rollouts"): (objects.ROLLOUTS, explaining.rollout),
        ("ar", "analysisrun", "analysisruns"): (objects.ANALYSIS_RUNS, explaining.analysis_run),
        ("exp", "experiment", "experiments"): (objects.EXPERIMENTS, explaining.experiment),
    }
    for names, (resource, speak) in speakers.items():
        if kind in names:
            thing = await api.get(Reference(resource, namespace, name))
            return [*speak(thing), *await put_aside(api, reference(resource, thing))]
    known = ", ".join(("workflow", "cron", *(names[1] for names in speakers)))
    raise InputError(f"{kind}/{name}: nobody explains a {kind}; there are: {known}")


async def put_aside(api: Api, ref: Reference, recorded: str = "") -> list[str]:
    """What the object's Events say of its controller: it was put aside, or waits for a database.

    `recorded` is the last time on record: it has not waited since. Nothing when they cannot be read."""
    try:
        found = await api.list(EVENTS, Selection(ref.namespace, fields=f"involvedObject.name={ref.name}"))
    except ApiError:
        return []
    about = [event for event in found.items if _mapping(event.get("involvedObject")).get("uid") == ref.uid]
    told = []
    if aside := _latest(about, (QUARANTINED,)):
        told.append(f"  since {aside.get('lastTimestamp')} its controller has trouble with it: {aside.get('message')}")
    held = _latest(about, (AWAY, BACK))
    if held.get("reason") == AWAY and str(held.get("lastTimestamp") or "") >= recorded:
        told.append(f"  since {held.get('lastTimestamp')} it waits for a database: {held.get('message')}")
    return told


def _last_record(workflow: Object) -> str:
    """The last time that its status tells of."""
    records = [status.status_of(workflow), *status.nodes_of(workflow).values()]
    return max(status.text(record, key) for record in records for key in ("startedAt", "finishedAt"))


def _latest(events: Iterable[Object], reasons: tuple[str, ...]) -> Object:
    """The last of them with one of these reasons, the later reason where two are of one second; empty: none."""
    found = [event for event in events if event.get("reason") in reasons]
    rank = {reason: place for place, reason in enumerate(reasons)}
    return max(found, key=lambda event: (str(event.get("lastTimestamp") or ""), rank[event["reason"]]), default={})


def cron_lines(cron: Object, now: float) -> list[str]:
    """What a CronWorkflow waits for."""
    from tiphys.cli.cron_show import next_run  # noqa: PLC0415  # the schedules' language: only a cron needs it

    meta, spec, state = cron["metadata"], _mapping(cron.get("spec")), status.status_of(cron)
    active = [str(entry.get("name", "")) for entry in state.get("active") or ()]
    runs = f"; running: {', '.join(active)}" if active else ""
    if state.get("phase") == "Stopped":
        return [f"{meta['name']} waits for nothing: its stop strategy has ended it{runs}"]
    if spec.get("suspend") is True:
        return [f"{meta['name']} is suspended; ends by tiphys cron resume{runs}"]
    following = next_run(cron, now)
    if following is None:
        return [f"{meta['name']} is never due: none of its schedules has another time{runs}"]
    since = f", since {state['lastScheduledTime']}" if state.get("lastScheduledTime") else ""
    policy = spec.get("concurrencyPolicy") or "Allow"
    held = f"; with Forbid, it is left out while {active[0]} runs" if active and policy == "Forbid" else ""
    return [f"{meta['name']} waits for its next run{since}, until {rfc3339(following)}{runs}{held}"]


def lines(workflow: Object, now: float) -> list[str]:
    """What the workflow waits for, or how it ended and through which nodes."""
    found = status.nodes_of(workflow)
    if status.is_finished(workflow):
        return _ended(workflow, found)
    waiting = [_waits(workflow, node, now) for node in _open_leaves(found)]
    first = f"{_name(workflow)} {_as_a_whole(workflow, len(waiting), now)}{_deadline(workflow)}"
    more = [f"  … and {len(waiting) - SHOWN} more"] if len(waiting) > SHOWN else []
    return [first, *(f"  {sentence}" for sentence in waiting[:SHOWN]), *more]


def _ended(workflow: Object, found: Mapping[str, Node]) -> list[str]:
    state = status.status_of(workflow)
    said = status.text(state, "message")
    first = f"{_name(workflow)} is {status.phase_of(workflow)} since {status.text(state, 'finishedAt')}"
    first += f": {said}" if said else ""
    causes = [
        f"  {status.text(node, 'name')} is {status.text(node, 'phase')}: {status.text(node, 'message') or 'no message'}"
        for node in found.values()
        if status.text(node, "phase") in ("Failed", "Error") and status.text(node, "type") in (*LEAVES, "Skipped")
    ]
    shown = causes[:SHOWN] if status.phase_of(workflow) != "Succeeded" else []
    more = [f"  … and {len(causes) - SHOWN} more"] if len(causes) > SHOWN and shown else []
    return [tree.one_line(first), *map(_indented, shown), *more, *_archiving(workflow)]


def _archiving(workflow: Object) -> list[str]:
    """Why a finished workflow stays that is to be archived."""
    have = _mapping(_mapping(workflow.get("metadata")).get("labels"))
    if have.get(labels.ARCHIVING_STATUS) != "Pending":
        return []
    return ["  it waits for the database to archive it, and is not deleted by its TTL before (tiphys actors says why)"]


def _as_a_whole(workflow: Object, waiting: int, now: float) -> str:
    """What holds the workflow itself, or how many of its nodes it waits for."""
    spec, state = _mapping(workflow.get("spec")), status.status_of(workflow)
    phase = status.phase_of(workflow)
    locks = ", ".join(sorted(set(_awaited(state.get("synchronization")))))
    if not phase:
        return f"waits for a controller to take it in, since {_created(workflow)}: is one running?"
    if status.text(spec, "shutdown"):
        return f"is being stopped ({status.text(spec, 'shutdown')}) and waits for {_counted(waiting)}"
    if spec.get("suspend") is True:
        return f"is suspended and starts nothing new until it is resumed; {_counted(waiting)} under way"
    if phase == "Pending":
        said = status.text(state, "message") or (f"the locks {locks}" if locks else "its turn")
        return f"waits: {said}"
    held = f"; locks that are waited for: {locks}" if locks else ""
    return f"is Running for {tree.took(state, now) or '0s'} and waits for {_counted(waiting)}{held}"


def _deadline(workflow: Object) -> str:
    """When it is ended at the latest; empty where nobody has set a limit."""
    limit = _mapping(workflow.get("spec")).get("activeDeadlineSeconds")
    try:
        began = seconds(status.text(status.status_of(workflow), "startedAt"))
        return f"; ends by {rfc3339(began + float(limit))} at the latest" if limit else ""
    except (TypeError, ValueError):
        return ""


def _counted(number: int) -> str:
    return f"{number} node{'' if number == 1 else 's'}" if number else "its next node"


def _awaited(section: Any) -> Iterable[str]:
    for kind in ("mutex", "semaphore"):
        for entry in _mapping(_mapping(section).get(kind)).get("waiting") or ():
            name = _mapping(entry).get(kind)
            if name:
                yield str(name)


def _open_leaves(found: Mapping[str, Node]) -> list[Node]:
    """The nodes that wait for something outside themselves: leaves under way, and retries between two attempts."""
    waiting = []
    for node in found.values():
        if status.text(node, "phase") in status.FULFILLED_PHASES:
            continue
        children = [found[key] for key in node.get("children") or () if key in found]
        between = status.text(node, "type") == "Retry" and all(
            status.text(child, "phase") in status.FULFILLED_PHASES for child in children
        )
        if status.text(node, "type") in LEAVES or between or status.text(node, "phase") == "Pending":
            waiting.append(node)
    return sorted(waiting, key=lambda node: (status.text(node, "startedAt"), status.text(node, "name")))


def _waits(workflow: Object, node: Node, now: float) -> str:
    """What one node waits for, since when, until when where that is known, and what would end it."""
    name, said, took = status.text(node, "name"), status.text(node, "message"), tree.took(node, now) or "0s"
    reason = node_wait(node, between_attempts=status.text(node, "type") == "Retry")
    until = ""
    match reason:
        case NodeWait.LOCK:
            why = f"waits for the lock {_mapping(node.get('synchronizationStatus')).get('waiting')}, since {took}"
            why += f" ({said})" if said.startswith("Waiting to acquire") else ""  # nobody could say yet who holds it
        case NodeWait.VALUES:
            why = (
                f"waits to be resumed with values for {', '.join(wanted_values(node))} (tiphys node set), since {took}"
            )
        case NodeWait.RESUME | NodeWait.RESUME_OR_TIME:
            why, until = f"waits to be resumed (tiphys resume), since {took}", _resumes_at(workflow, node)
            reason = NodeWait.RESUME_OR_TIME if until else reason
        case NodeWait.NEXT_ATTEMPT | NodeWait.ATTEMPT:
            why = f"waits for its next attempt: {said or 'soon'}"
        case NodeWait.BOUNDARY:
            why = f"serves since {took}, until its boundary ends"
        case NodeWait.POD_START:
            pod = tree.pod_of(workflow, node)
            why = f"waits for its pod {pod} to start, since {took}: {said or 'no reason is known yet'}"
        case NodeWait.POD_END:
            host = status.text(node, "hostNodeName")
            why = f"runs since {took} in pod {tree.pod_of(workflow, node)}" + (f" on {host}" if host else "")
        case NodeWait.PERMIT | NodeWait.AGENT | NodeWait.CHILDREN | NodeWait.CONTAINER:
            why = f"{'waits' if reason is NodeWait.PERMIT else 'runs'} since {took}" + (f": {said}" if said else "")
        case _:
            assert_never(reason)
    limit = f", until {until}" if until else ""
    return tree.one_line(f"{name} {why}{limit}; {ENDS[reason]}")


def _resumes_at(workflow: Object, node: Node) -> str:
    """When a suspended node goes on by itself; empty when it does not."""
    wanted = status.text(node, "templateName")
    places = [_mapping(workflow.get("spec")).get("templates") or (), _stored(workflow)]
    for template in (_mapping(entry) for place in places for entry in place):
        if template.get("name") == wanted and _mapping(template.get("suspend")).get("duration"):
            try:
                lasts = parse_duration_or_seconds(str(template["suspend"]["duration"]))
                return rfc3339(seconds(status.text(node, "startedAt")) + lasts)
            except ValueError:  # a duration that is a parameter, or no time yet
                return ""
    return ""


def _stored(workflow: Object) -> Iterable[Any]:
    return _mapping(status.status_of(workflow).get("storedTemplates")).values()


def _created(workflow: Object) -> str:
    return status.text(_mapping(workflow.get("metadata")), "creationTimestamp")


def _name(workflow: Object) -> str:
    return status.text(_mapping(workflow.get("metadata")), "name")


def _indented(text: str) -> str:
    return "  " + tree.one_line(text)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

"""What `kubectl get` shows of kinds that make pods, and with `-o wide` of the pods that they make."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster.columns import AGE, age_of, at, count, duration, pairs, seconds_of
from tiphys.devcluster.kinds import Column
from tiphys.devcluster.selectors import selector_text

_JOB_ENDS = ("Complete", "Failed")
_JOB_STATES = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _part(thing: Any, path: str) -> Any:
    for name in path.split("."):
        thing = thing.get(name) if isinstance(thing, dict) else None
    return thing


def _of_containers(template: str, field: str) -> Any:
    def cell(thing: Object, _now: float) -> str:
        containers = _part(thing, f"{template}.spec.containers") or ()
        return ",".join(str(container.get(field, "")) for container in containers)

    return cell


def _selector(path: str, *, plain: bool = False) -> Any:
    """A cell: the selector at a path; `plain`: it is labels, and no LabelSelector."""

    def cell(thing: Object, _now: float) -> str:
        found = _part(thing, path) or {}
        return pairs(found) if plain else selector_text(found) or "<none>"

    return cell


def _made(template: str = "spec.template") -> tuple[Column, ...]:
    """The names and images of the containers that are made."""
    return (
        Column("Containers", priority=1, cell=_of_containers(template, "name")),
        Column("Images", priority=1, cell=_of_containers(template, "image")),
    )


def _ready(thing: Object, _now: float) -> str:
    have = _part(thing, "status.readyReplicas") or 0
    return f"{have}/{(thing.get('spec') or {}).get('replicas', 1)}"


def _has(thing: Object, kind: str) -> bool:
    conditions = _part(thing, "status.conditions") or ()
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)


def _job_status(thing: Object, _now: float) -> str:
    end = next((kind for kind in _JOB_ENDS if _has(thing, kind)), "")
    if end or "deletionTimestamp" in thing["metadata"]:
        return end or "Terminating"
    return next((kind for kind in _JOB_STATES if _has(thing, kind)), "Running")


def _completions(thing: Object, _now: float) -> str:
    spec = thing.get("spec") or {}
    done, wanted, at_once = _part(thing, "status.succeeded") or 0, spec.get("completions"), spec.get("parallelism") or 0
    if wanted is not None:
        return f"{done}/{wanted}"
    return f"{done}/1 of {at_once}" if at_once > 1 else f"{done}/1"


def _job_duration(thing: Object, now: float) -> str:
    status = thing.get("status") or {}
    start, end = seconds_of(status.get("startTime")), seconds_of(status.get("completionTime"))
    return "" if start is None else duration((end if end is not None else now) - start)


def _last_schedule(thing: Object, now: float) -> str:
    last = _part(thing, "status.lastScheduleTime")
    return age_of(last, now) if last else "<none>"


def _suspended(thing: Object, _now: float) -> str:
    said = (thing.get("spec") or {}).get("suspend")
    return "<unset>" if said is None else str(bool(said))


def _controller(thing: Object, _now: float) -> str:
    for owner in thing["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            group = str(owner.get("apiVersion") or "").rpartition("/")[0]
            return f"{owner['kind'].lower()}{f'.{group}' if group else ''}/{owner['name']}"
    return "<none>"


_SELECTOR = Column("Selector", priority=1, cell=_selector("spec.selector"))

JOB = (
    Column("Status", cell=_job_status),
    Column("Completions", cell=_completions),
    Column("Duration", cell=_job_duration),
    AGE,
    *_made(),
    _SELECTOR,
)
CRONJOB = (
    Column("Schedule", ".spec.schedule"),
    Column("Timezone", cell=at("spec.timeZone")),
    Column("Suspend", type="boolean", cell=_suspended),
    Column("Active", type="integer", cell=lambda thing, _: len((thing.get("status") or {}).get("active") or ())),
    Column("Last Schedule", cell=_last_schedule),
    AGE,
    *_made("spec.jobTemplate.spec.template"),
    Column("Selector", priority=1, cell=_selector("spec.jobTemplate.spec.selector")),
)
_REPLICAS = (
    Column("Desired", ".spec.replicas", "integer"),
    Column("Current", type="integer", cell=count("replicas")),
    Column("Ready", type="integer", cell=count("readyReplicas")),
    AGE,
    *_made(),
)
REPLICA_SET = (*_REPLICAS, _SELECTOR)
REPLICATION_CONTROLLER = (
    *_REPLICAS,
    Column("Selector", priority=1, cell=_selector("spec.selector", plain=True)),
)
DEPLOYMENT = (
    Column("Ready", cell=_ready),
    Column("Up-to-date", cell=count("updatedReplicas")),
    Column("Available", cell=count("availableReplicas")),
    AGE,
    *_made(),
    _SELECTOR,
)
STATEFUL_SET = (Column("Ready", cell=_ready), AGE, *_made())
DAEMON_SET = (
    Column("Desired", type="integer", cell=count("desiredNumberScheduled")),
    Column("Current", type="integer", cell=count("currentNumberScheduled")),
    Column("Ready", type="integer", cell=count("numberReady")),
    Column("Up-to-date", type="integer", cell=count("updatedNumberScheduled")),
    Column("Available", type="integer", cell=count("numberAvailable")),
    Column("Node Selector", cell=_selector("spec.template.spec.nodeSelector", plain=True)),
    AGE,
    *_made(),
    _SELECTOR,
)
POD_TEMPLATE = (
    Column("Containers", cell=_of_containers("template", "name")),
    Column("Images", cell=_of_containers("template", "image")),
    Column("Pod Labels", cell=_selector("template.metadata.labels", plain=True)),
)
CONTROLLER_REVISION = (
    Column("Controller", cell=_controller),
    Column("Revision", cell=lambda thing, _: int(thing.get("revision") or 0)),
    AGE,
)

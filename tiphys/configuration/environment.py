"""Variables of the environment that upstream's controller obeys: those that decide something here, and those that do
not and are reported when somebody sets them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast, get_args

from actors.language.loops import ITEMS_MAX
from actors.names.durations import parse_duration
from actors.node.manifest_request import Held
from tiphys.configuration.problems import BadConfiguration

Propagation: TypeAlias = Literal["Background", "Foreground", "Orphan"]

NOT_NEEDED: Final = {
    "DEFAULT_REQUEUE_TIME": "actors are told what changes and requeue nothing",
    "MAX_OPERATION_TIME": "work an event is bounded by the children it concerns",
    "RECENTLY_STARTED_POD_DURATION": "a pod that is not in the cache is looked for live",
    "RECENTLY_DELETED_POD_DURATION": "a pod that is not in the cache is looked for live",
    "TASK_RESULT_TIMEOUT_DURATION": "results are part of the pod's own status",
    "WORKFLOW_GC_PERIOD": "a finished workflow is deleted when its time has come",
    "CRON_SYNC_PERIOD": "schedules are timers",
    "SEMAPHORE_NOTIFY_DELAY": "who waits for a lock is told when it is free",
    "BUBBLE_ENTRY_TEMPLATE_ERR": "it is always so",
    "WORKFLOW_COMPRESSION_ALGORITHM": "nodes are compressed by gzip, which every reader of upstream's understands",
    "WORKFLOW_COMPRESSION_LEVEL": "the level is chosen for speed",
    "RETRY_BACKOFF_DURATION": "back-off follows what the API server says",
    "RETRY_BACKOFF_FACTOR": "back-off follows what the API server says",
    "RETRY_BACKOFF_STEPS": "back-off follows what the API server says",
    "INDEX_WORKFLOW_SEMAPHORE_KEYS": "locks are indexed by their keys",
    "HEALTHZ_AGE": "/livez answers while the event loop turns",
    "ARGO_REMOVE_PVC_PROTECTION_FINALIZER": "claims are deleted as Kubernetes does it",
    "ALL_POD_CHANGES_SIGNIFICANT": "every change of a pod is looked at",
    "WORKFLOW_ESTIMATION_DB_QUERY_TIMEOUT_SECONDS": "estimates come from the cluster's workflows",
    "WATCH_CONTROLLER_SEMAPHORE_CONFIGMAPS": "limits are read live",
    "EVENT_AGGREGATION_WITH_ANNOTATIONS": "Events are not aggregated",
    "OPERATION_DURATION_METRIC_BUCKET_COUNT": "there are no operations to measure",
    "GZIP_IMPLEMENTATION": "there is one",
    "TRANSIENT_ERROR_PATTERN": "errors are told apart by the API server's answer",
    "DISABLE_MAX_RECURSION": "calls nested more than a hundred deep are always an endless recursion",
}
"""Why nothing depends on them."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment decides."""

    expressions: bool = True  # EXPRESSION_TEMPLATES
    estimates: bool = True  # SKIP_WORKFLOW_DURATION_ESTIMATION
    cache_gc_period_s: float = 0.0  # CACHE_GC_PERIOD
    cache_not_hit_s: float = 30.0  # CACHE_GC_AFTER_NOT_HIT_DURATION
    permitted_overrides: frozenset[str] = frozenset()  # WORKFLOW_USER_OVERRIDE_ALLOWLIST
    host_name_label: str = "kubernetes.io/hostname"  # RETRY_HOST_NAME_LABEL_KEY
    workflow_bytes: int = 1 << 20  # MAX_WORKFLOW_SIZE
    propagation: Propagation = "Background"  # WF_DEL_PROPAGATION_POLICY
    held_pods: Held = "uncollected"  # ARGO_POD_STATUS_CAPTURE_FINALIZER
    progress_tick_s: float = 60.0  # ARGO_PROGRESS_PATCH_TICK_DURATION
    progress_file_s: float = 3.0  # ARGO_PROGRESS_FILE_TICK_DURATION
    series_max: int = 1000  # TIPHYS_METRIC_SERIES_MAX
    loop_items: int = ITEMS_MAX  # TIPHYS_LOOP_ITEMS_MAX
    archive_period_s: float = 86400.0  # ARCHIVED_WORKFLOW_GC_PERIOD
    offload_always: bool = False  # ALWAYS_OFFLOAD_NODE_STATUS
    offload_keep_s: float = 300.0  # OFFLOAD_NODE_STATUS_TTL
    notices: tuple[str, ...] = ()


def environment(variables: Mapping[str, str]) -> Environment:
    """What these variables decide. Raises BadConfiguration."""
    problems: list[str] = []
    found = {name: value.strip() for name, value in variables.items() if value.strip()}

    def number(name: str, default: int) -> int:
        text = found.get(name, str(default))
        if text.isdecimal() and int(text) > 0:
            return int(text)
        problems.append(f"{name}: {text!r} is not a whole number above zero")
        return default

    def lasting(name: str, default_s: float) -> float:
        try:
            return parse_duration(found[name]) if name in found else default_s
        except ValueError as error:
            problems.append(f"{name}: {error}")
            return default_s

    decided = Environment(
        expressions=found.get("EXPRESSION_TEMPLATES", "true").lower() != "false",
        estimates=found.get("SKIP_WORKFLOW_DURATION_ESTIMATION", "false").lower() != "true",
        cache_gc_period_s=lasting("CACHE_GC_PERIOD", 0.0),
        cache_not_hit_s=lasting("CACHE_GC_AFTER_NOT_HIT_DURATION", 30.0),
        permitted_overrides=_allowed(found, problems),
        host_name_label=found.get("RETRY_HOST_NAME_LABEL_KEY", "kubernetes.io/hostname"),
        workflow_bytes=number("MAX_WORKFLOW_SIZE", 1 << 20),
        propagation=_propagation(found, problems),
        held_pods=_held(found, problems),
        progress_tick_s=lasting("ARGO_PROGRESS_PATCH_TICK_DURATION", 60.0),
        progress_file_s=lasting("ARGO_PROGRESS_FILE_TICK_DURATION", 3.0),
        series_max=number("TIPHYS_METRIC_SERIES_MAX", 1000),
        loop_items=number("TIPHYS_LOOP_ITEMS_MAX", ITEMS_MAX),
        archive_period_s=lasting("ARCHIVED_WORKFLOW_GC_PERIOD", 86400.0),
        offload_always=found.get("ALWAYS_OFFLOAD_NODE_STATUS", "false").lower() == "true",
        offload_keep_s=lasting("OFFLOAD_NODE_STATUS_TTL", 300.0),
        notices=tuple(f"{name} changes nothing: {why}" for name, why in NOT_NEEDED.items() if name in found),
    )
    if problems:
        raise BadConfiguration(problems)
    return decided


def _propagation(found: Mapping[str, str], problems: list[str]) -> Propagation:
    policy = found.get("WF_DEL_PROPAGATION_POLICY", "Background")
    if policy not in get_args(Propagation):
        problems.append(f"WF_DEL_PROPAGATION_POLICY: {policy!r} is none of {', '.join(get_args(Propagation))}")
    return cast("Propagation", policy)


def _held(found: Mapping[str, str], problems: list[str]) -> Held:
    text = found.get("ARGO_POD_STATUS_CAPTURE_FINALIZER", "").lower()
    policies: dict[str, Held] = {"": "uncollected", "true": "always", "false": "never"}
    if text not in policies:
        problems.append(f"ARGO_POD_STATUS_CAPTURE_FINALIZER: {text!r} is neither true nor false")
    return policies.get(text, "uncollected")


def _allowed(found: Mapping[str, str], problems: list[str]) -> frozenset[str]:
    names = [name.strip() for name in found.get("WORKFLOW_USER_OVERRIDE_ALLOWLIST", "").split(",") if name.strip()]
    problems += _unknown_fields(names)
    return frozenset(names)


def _unknown_fields(names: list[str]) -> Iterator[str]:
    if not names:
        return
    from crds.workflow import WorkflowSpec  # noqa: PLC0415  slow to import, and seldom asked

    for name in names:
        if name not in WorkflowSpec.model_fields:
            yield f'WORKFLOW_USER_OVERRIDE_ALLOWLIST: "{name}" is not a WorkflowSpec field name'

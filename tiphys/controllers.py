"""The rooms of a Tiphys controller, put together in one place: which minds there are and what they are told of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from actors.analysis.room import analysis_room
from actors.analysis.state import AnalysisSettings
from actors.archive.mind import ArchiveMind, ArchiveSettings, archive_address
from actors.cache.mind import CACHES, CacheMind, CacheSettings
from actors.census.mind import CENSUS, CensusMind
from actors.cron.room import cron_room
from actors.cron.state import CronSettings
from actors.database_messages import DATABASE
from actors.experiment.room import experiment_room
from actors.history.decide import Retention
from actors.history.mind import HistoryMind
from actors.history_messages import HISTORY, RetentionChanged
from actors.language.loops import ITEMS_MAX, limit_items
from actors.language.tags import use_expressions
from actors.lock.mind import LockMind
from actors.lock.state import LockSettings
from actors.lock_messages import LOCKS
from actors.messages import PLUGINS
from actors.names import ids, labels
from actors.node.manifest_request import PodSettings
from actors.node.mind import NodeMind
from actors.node.pod_maker import REGISTRY
from actors.node.task_set import TASK_SETS
from actors.oldnodes.mind import OldNodesMind, OldNodesSettings, old_nodes_address
from actors.orphan.mind import OrphanMind, orphan_address
from actors.plugin.mind import PluginMind
from actors.queue.mind import QueueMind, QueueSettings
from actors.rollout.balancer_query import SERVICE as BALANCER
from actors.rollout.plan import STEP_PLUGIN
from actors.rollout.room import rollout_rooms
from actors.rollout.state import RolloutSettings
from actors.turn_messages import QUEUE, LimitsChanged
from actors.upstream_metrics import PREFIX
from actors.workflow.mind import WorkflowMind
from actors.workflow.state import WORKFLOWS, Offloading, Restriction, WorkflowSettings
from actors.workflow.validation import validate
from runtime.actor import Room, Watch
from runtime.api import Propagation
from runtime.messages import Address
from runtime.objects import CONFIGMAPS, NAMESPACES, PODS, Object
from runtime.series import SeriesSettings
from tiphys.localzone import local_zone
from tiphys.observability.own import DECLARED
from tiphys.observability.tracing import tracing_room
from tiphys.persistence.service import Databases
from tiphys.persistence.settings import PersistenceSettings
from tiphys.persistence.sync_service import LockDatabase
from tiphys.persistence.sync_settings import SyncSettings
from tiphys.providers.elb import ask as ask_balancer
from tiphys.providers.measure import measure
from tiphys.providers.surroundings import analysis_settings
from tiphys.registry import Registry
from tiphys.step_plugins import ask, rollout_settings

Service: TypeAlias = Callable[[Any], Awaitable[Any]]

METRICS = DECLARED
"""Metrics that no prefix is added to: upstream's of Rollouts, and those read off around the actors."""


@dataclass(frozen=True, slots=True)
class ControllerSettings:
    """What an installation decides."""

    pods: PodSettings = field(default_factory=PodSettings)
    repository: dict[str, Any] | None = None  # for artifacts without a place of their own
    write_window_s: float = 0.2
    locks: LockSettings = field(default_factory=LockSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    series: SeriesSettings = field(default_factory=lambda: SeriesSettings(prefix=PREFIX))
    retention: Retention = field(default_factory=Retention)
    caches: CacheSettings = field(default_factory=CacheSettings)
    estimates: bool = True  # how long a workflow will take, from the last one like it
    expressions: bool = True  # {{= }} is one
    loop_items: int = ITEMS_MAX  # of one loop; more is an Error
    instance_id: str = ""  # only objects labelled so, and only those without such a label when it is empty
    sharded: bool = False  # other processes look after other namespaces: workflows and pods carry their bucket
    propagation: Propagation = "Background"  # of workflows that are deleted when their time has come
    traced: bool = False  # workflows are told as OpenTelemetry's spans, whose ids they and their pods carry
    workflow_bytes: int = 1 << 20  # of nodes in a finished workflow's status; larger ones are written compressed
    whole_cluster: bool = True  # limits of namespaces may stand in their labels
    plugin_namespace: str = ""  # whose executor plugins and named artifact repositories are for every namespace
    cache_namespace: str = ""  # where ConfigMaps of remembered results are; empty: in each workflow's own
    workflow_events: bool = True  # Kubernetes Events about workflows
    node_events: bool = True  # and about their nodes: two writes for each of them
    node_events_as_pod: bool = False  # those of a node that has a pod are about the pod
    workflow_defaults: dict[str, Any] = field(default_factory=dict)  # metadata and spec under every new workflow
    restriction: Restriction = ""  # only workflows made of templates
    permitted_overrides: frozenset[str] = frozenset()  # fields that such a workflow may set besides upstream's list
    analysis: AnalysisSettings = field(default_factory=analysis_settings)  # its instance id is that of above
    rollouts: RolloutSettings = field(default_factory=rollout_settings)  # instance id and scope are those of above
    initial_delay_s: float = 0.0  # how long a new workflow is left alone
    zone: str = ""  # of schedules that name none; empty: this machine's
    persistence: PersistenceSettings | None = None  # the database of the archive
    synchronization: SyncSettings | None = None  # the database that keeps locks
    archive_period_s: float = 86400.0  # between two looks for archived workflows that are too old
    offload_always: bool = False  # all nodes are kept in the database, where it keeps nodes at all
    offload_keep_s: float = 300.0  # how long it keeps versions of nodes that nobody needs
    namespace: str = ""  # of the workflows that are looked after; empty: all
    registry: Service | None = None  # who says how images start; None: the registries they come from


def rooms(
    settings: ControllerSettings | None = None,
    ask_database: Service | None = None,
    part: str = "",
    ask_registry: Service | None = None,
) -> list[Room]:
    """Every room: of workflows, analyses, experiments and rollouts; `ask_database` answers what they ask of it,
    `ask_registry` how images start. Several of one installation that ask the same database are told apart by `part`."""
    chosen = settings or ControllerSettings()
    services = {DATABASE: ask_database or Databases(chosen.persistence, locks=LockDatabase(chosen.synchronization)).ask}
    use_expressions(chosen.expressions)
    limit_items(chosen.loop_items)
    mine = labels.of_instance(chosen.instance_id)
    pods = f"{labels.WORKFLOW},{mine}"
    return [
        Room("workflow", WorkflowMind(_of_workflows(chosen)), _workflow_watches(mine, pods), services),
        Room("archive", ArchiveMind(_of_archive(chosen)), _archive_watches(mine), services),
        *_old_nodes(chosen, mine, services),
        _nodes(chosen, pods, {REGISTRY: chosen.registry or ask_registry or Registry(), **services}),
        Room("orphan", OrphanMind(), (Watch(PODS, orphan_address, pods, wakes=True),)),
        Room("lock", LockMind(_of_locks(chosen), part), _lock_watches(chosen, mine), services),
        Room("queue", QueueMind(chosen.queue), _queue_watches(chosen, mine)),
        Room("history", _history(chosen), (Watch(WORKFLOWS, history_address, mine, wakes=True),), services),
        Room("census", CensusMind(), _census_watches(mine, pods)),
        *([tracing_room(mine, services)] if chosen.traced else []),
        Room("cache", CacheMind(chosen.caches), _cache_watches(chosen)),
        cron_room(CronSettings(chosen.zone or local_zone(), validate), mine),
        *_plugins(chosen),
        *analysis_rooms(chosen),
        *rollout_rooms(_of_rollouts(chosen), {STEP_PLUGIN: ask, BALANCER: ask_balancer}),
    ]


def _workflow_watches(mine: str, pods: str) -> tuple[Watch, ...]:
    return Watch(WORKFLOWS, workflow_address, mine, wakes=True), Watch(PODS, pod_owner_address, pods)


def _nodes(chosen: ControllerSettings, pods: str, services: dict[str, Service]) -> Room:
    open_sets = f"{labels.COMPLETED}!=true"
    watches = (Watch(PODS, pod_address, pods), Watch(TASK_SETS, task_set_address, open_sets))
    return Room("node", NodeMind(_of_pods(chosen)), watches, services)


def _old_nodes(chosen: ControllerSettings, mine: str, services: dict[str, Service]) -> list[Room]:
    """Who offloads at the start looks after old versions; where that is configured later, from the next start on."""
    if chosen.persistence is None or not chosen.persistence.offload:
        return []
    watch = Watch(WORKFLOWS, old_nodes_address, mine, wakes=True)
    return [Room("oldnodes", OldNodesMind(_of_old_nodes(chosen)), (watch,), services)]


def _plugins(chosen: ControllerSettings) -> list[Room]:
    if not chosen.pods.executor_plugins:
        return []
    selected = f"{labels.CONFIGMAP_TYPE}={labels.CONFIGMAP_TYPE_EXECUTOR_PLUGIN}"
    watch = Watch(CONFIGMAPS, lambda _: PLUGINS, labels=selected, wakes=True)
    return [Room("plugin", PluginMind(chosen.plugin_namespace), (watch,))]


def _of_rollouts(chosen: ControllerSettings) -> RolloutSettings:
    return replace(chosen.rollouts, instance_id=chosen.instance_id, whole_cluster=chosen.whole_cluster)


def analysis_rooms(chosen: ControllerSettings) -> list[Room]:
    """The rooms of AnalysisRuns and Experiments."""
    analysis = replace(chosen.analysis, instance_id=chosen.instance_id)
    return [analysis_room(measure, analysis), experiment_room(chosen.instance_id)]


def renew(running: Sequence[Room], chosen: ControllerSettings) -> None:
    """Give rooms that run other settings; what they have begun goes on by those it began with.

    Which objects are looked at, how often caches are collected, and expressions stay as they were at the start."""
    for room in running:
        match room.mind:
            case WorkflowMind() as mind:
                mind.settings = _of_workflows(chosen)
            case NodeMind() as mind:
                mind.settings = _of_pods(chosen)
            case LockMind() as mind:
                mind.settings = _of_locks(chosen)
            case QueueMind() as mind:
                mind.settings = chosen.queue
            case ArchiveMind() as mind:
                mind.settings = _of_archive(chosen)
            case OldNodesMind() as mind:
                mind.settings = _of_old_nodes(chosen)
            case HistoryMind() as mind:
                mind.retention, mind.propagation = chosen.retention, chosen.propagation


CHANGED: tuple[tuple[Address, Any], ...] = ((QUEUE, LimitsChanged()), (HISTORY, RetentionChanged()))
"""Who is told what when settings have changed: they keep timers, or others wait for them."""


def _history(chosen: ControllerSettings) -> HistoryMind:
    return HistoryMind(chosen.retention, chosen.propagation)


def _of_pods(chosen: ControllerSettings) -> PodSettings:
    """A pod without this installation's label would not be seen again."""
    return replace(chosen.pods, instance_id=chosen.instance_id, traced=chosen.traced, sharded=chosen.sharded)


def _of_locks(chosen: ControllerSettings) -> LockSettings:
    return replace(chosen.locks, apart=chosen.sharded)


def _of_workflows(chosen: ControllerSettings) -> WorkflowSettings:
    return WorkflowSettings(
        repository=chosen.repository, shared_namespace=chosen.plugin_namespace,
        write_window_s=chosen.write_window_s, cache_namespace=chosen.cache_namespace,
        workflow_events=chosen.workflow_events, node_events=chosen.node_events,
        node_events_as_pod=chosen.node_events_as_pod, defaults=chosen.workflow_defaults,
        restriction=chosen.restriction, permitted_overrides=chosen.permitted_overrides,
        initial_delay_s=chosen.initial_delay_s, estimates=chosen.estimates,
        propagation=chosen.propagation, final_inline_bytes=chosen.workflow_bytes, traced=chosen.traced,
        sharded=chosen.sharded,
        archive=chosen.persistence.selector if chosen.persistence is not None and chosen.persistence.archive else None,
        offload=_offloading(chosen),
    )  # fmt: skip


def _offloading(chosen: ControllerSettings) -> Offloading:
    if chosen.persistence is None or not chosen.persistence.offload:
        return ""
    return "always" if chosen.offload_always else "large"


def _of_old_nodes(chosen: ControllerSettings) -> OldNodesSettings:
    """Where there are controllers of other instances or shards, a workflow that is not known here may be theirs."""
    offload, alone = bool(_offloading(chosen)), not chosen.instance_id and not chosen.sharded
    return OldNodesSettings(offload, chosen.offload_keep_s, strangers=alone, namespace=chosen.namespace)


def _of_archive(chosen: ControllerSettings) -> ArchiveSettings:
    kept = chosen.persistence
    if kept is None:
        return ArchiveSettings()
    return ArchiveSettings(kept.archive, kept.keep_s, chosen.archive_period_s)


def workflow_address(thing: Object) -> Address:
    """A workflow is the business of the actor of that very object."""
    meta = thing["metadata"]
    return Address("workflow", meta.get("namespace", ""), meta["name"], meta["uid"])


def pod_owner_address(thing: Object) -> Address | None:
    """A pod is also the business of the workflow that made it: some of them the record does not know yet."""
    node = pod_address(thing)
    return None if node is None else Address("workflow", node.namespace, node.name, node.uid)


def task_set_address(thing: Object) -> Address | None:
    """A task set is the business of its workflow's agent; upstream does not call the workflow its controller."""
    for owner in thing["metadata"].get("ownerReferences") or ():
        if owner.get("kind") == "Workflow":
            part = ids.node_id(owner["name"], "agent")
            return Address("node", thing["metadata"].get("namespace", ""), owner["name"], owner["uid"], part)
    return None


def lock_address(thing: Object) -> Address | None:
    """Every unfinished workflow may hold locks; one that has finished holds none."""
    finished = (thing["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true"
    return None if finished else LOCKS


def queue_address(thing: Object) -> Address | None:
    """Every unfinished workflow runs or waits for its turn."""
    finished = (thing["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true"
    return None if finished else QUEUE


def history_address(thing: Object) -> Address | None:
    """Every finished workflow is part of the past."""
    return HISTORY if queue_address(thing) is None else None


def _archive_watches(mine: str) -> tuple[Watch, ...]:
    return (Watch(WORKFLOWS, archive_address, mine, wakes=True),)


def _cache_watches(chosen: ControllerSettings) -> tuple[Watch, ...]:
    caches = f"{labels.CONFIGMAP_TYPE}={labels.CONFIGMAP_TYPE_CACHE}"
    return (Watch(CONFIGMAPS, lambda _: CACHES, labels=caches, wakes=True),) if chosen.caches.period_s else ()


def _lock_watches(chosen: ControllerSettings, mine: str) -> tuple[Watch, ...]:
    """What a former life has left in a database is put right also where nobody wants a lock: a namespace there is."""
    workflows = Watch(WORKFLOWS, lock_address, mine, wakes=True)
    shared = chosen.synchronization is not None or chosen.locks.database is not None
    if not shared or not chosen.whole_cluster:
        return (workflows,)
    return workflows, Watch(NAMESPACES, lambda _: LOCKS, wakes=True, optional=True)


def _queue_watches(chosen: ControllerSettings, mine: str) -> tuple[Watch, ...]:
    workflows = Watch(WORKFLOWS, queue_address, mine, wakes=True)
    namespaces = Watch(NAMESPACES, lambda _: QUEUE, labels=labels.PARALLELISM_LIMIT)
    return (workflows, namespaces) if chosen.whole_cluster else (workflows,)


def _census_watches(workflows: str, pods: str) -> tuple[Watch, ...]:
    return (Watch(WORKFLOWS, _to_census, workflows, wakes=True), Watch(PODS, _to_census, pods, wakes=True))


def _to_census(thing: Object) -> Address:
    del thing
    return CENSUS


def pod_address(thing: Object) -> Address | None:
    """A pod is the business of the node it was made for; None when no workflow made it."""
    meta = thing["metadata"]
    node_id = (meta.get("annotations") or {}).get(labels.NODE_ID)
    for owner in meta.get("ownerReferences") or ():
        if node_id and owner.get("controller") and owner.get("kind") == "Workflow":
            return Address("node", meta.get("namespace", ""), owner["name"], owner["uid"], node_id)
    return None

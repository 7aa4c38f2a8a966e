"""What a configuration means to the rooms: keys become settings, over those the program was started with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from actors.cache.mind import CacheSettings
from actors.history.decide import Retention
from actors.lock.state import LockSettings, Polling
from actors.node.manifest_request import PodSettings
from actors.pace import Pace
from actors.queue.mind import QueueSettings
from actors.upstream_metrics import PREFIX
from runtime.series import Modifier, SeriesSettings
from tiphys.configuration.environment import Environment
from tiphys.configuration.notices import EXECUTOR_OURS
from tiphys.configuration.problems import duration_s
from tiphys.controllers import ControllerSettings

if TYPE_CHECKING:  # a run without a configuration does not pay for pydantic
    from tiphys.configuration.keys import Configuration, Image
    from tiphys.persistence.sync_settings import SyncSettings

Entrypoint = tuple[Sequence[str], Sequence[str]]


class Entrypoints(Mapping[str, Entrypoint]):
    """What images run: as configured, else as was known before."""

    def __init__(self, configured: Mapping[str, Image], under: Mapping[str, Entrypoint]) -> None:
        self._configured = configured
        self._under = under

    def __getitem__(self, image: str) -> Entrypoint:
        found = self._configured.get(image)
        return self._under[image] if found is None else (found.entrypoint or [], found.cmd or [])

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._under), **dict.fromkeys(self._configured)})

    def __len__(self) -> int:
        return len(list(iter(self)))


def settings(read: Configuration | None, base: ControllerSettings, around: Environment) -> ControllerSettings:
    """The rooms' settings. `base` is what the command line says, which a key outranks; `around` is the environment."""
    base = replace(
        base,
        pods=replace(
            base.pods,
            host_name_label=around.host_name_label,
            held=around.held_pods,
            progress_tick_s=around.progress_tick_s,
            progress_file_s=around.progress_file_s,
        ),
        caches=CacheSettings(around.cache_gc_period_s, around.cache_not_hit_s),
        series=SeriesSettings(PREFIX, series_max=around.series_max),
        permitted_overrides=around.permitted_overrides,
        estimates=around.estimates,
        expressions=around.expressions,
        loop_items=around.loop_items,
        workflow_bytes=around.workflow_bytes,
        propagation=around.propagation,
        archive_period_s=around.archive_period_s,
        offload_always=around.offload_always,
        offload_keep_s=around.offload_keep_s,
    )
    return base if read is None else _configured(read, base, around)


def _configured(read: Configuration, base: ControllerSettings, around: Environment) -> ControllerSettings:
    defaults = {key: read.workflowDefaults[key] for key in ("metadata", "spec") if read.workflowDefaults.get(key)}
    from tiphys.configuration.databases import persistence, synchronization  # noqa: PLC0415  (pydantic is slow)

    kept = read.retentionPolicy
    instance_id = read.instanceID or base.instance_id
    shared = synchronization(read.synchronization) or base.synchronization
    return replace(
        base,
        persistence=persistence(read.persistence, instance_id) or base.persistence,
        synchronization=shared,
        pods=_pods(read, base.pods),
        repository=read.artifactRepository or base.repository,
        locks=_locks(read, base.locks, shared),
        queue=QueueSettings(read.parallelism, read.namespaceParallelism),
        retention=Retention() if kept is None else Retention(kept.completed, kept.failed, kept.errored),
        series=_series(read, around),
        instance_id=instance_id,
        workflow_events=read.workflowEvents.enabled,
        node_events=read.nodeEvents.enabled,
        node_events_as_pod=read.nodeEvents.sendAsPod,
        workflow_defaults=defaults,
        restriction=read.workflowRestrictions.templateReferencing,
        initial_delay_s=duration_s(read.initialDelay) if read.initialDelay else 0.0,
    )


def _pods(read: Configuration, base: PodSettings) -> PodSettings:
    helpers = {key: value for key, value in read.executor.items() if key not in {*EXECUTOR_OURS, "image"}}
    rate, delay = read.resourceRateLimit, read.podGCDeleteDelayDuration
    restarts = read.failedPodRestart if "failedPodRestart" in read.model_fields_set else None
    images: Mapping[str, Entrypoint] = base.image_entrypoints
    if read.images:
        images = Entrypoints(read.images, base.image_entrypoints)
    return replace(
        base,
        executor_image=str(read.executor.get("image") or base.executor_image),
        executor_container=helpers or base.executor_container,
        main_container=read.mainContainer or base.main_container,
        image_entrypoints=images,
        instance_id=read.instanceID or base.instance_id,
        pace=Pace(rate.limit, rate.burst) if rate is not None else None,
        deletion_delay_s=duration_s(delay) if delay else base.deletion_delay_s,
        deletion_grace_s=read.podGCGracePeriodSeconds,
        agent_pods=not read.disableAgentPodCreation,
        pod_restarts_max=base.pod_restarts_max if restarts is None else restarts.maxRestarts * restarts.enabled,
    )


def _locks(read: Configuration, base: LockSettings, shared: SyncSettings | None) -> LockSettings:
    said, believed = read.synchronization, read.semaphoreLimitCacheSeconds
    if believed is None and said is not None:
        believed = said.semaphoreLimitCacheSeconds
    locks = base if believed is None else replace(base, limit_cache_s=float(believed))
    if said is None or shared is None:
        return locks
    where = f"{shared.database.place}, {shared.tables.states}, {shared.controller}"
    alive_s = shared.inactive_s / 2  # more rarely than so, and the others would take us for dead
    polling = Polling(where, min(said.pollSeconds, alive_s), min(said.heartbeatSeconds, alive_s))
    return replace(locks, database=polling)


def _series(read: Configuration, around: Environment) -> SeriesSettings:
    config = read.metricsConfig
    modifiers = {
        name: Modifier(one.disabled, frozenset(one.disabledAttributes), tuple(one.histogramBuckets))
        for name, one in config.modifiers.items()
    }
    ttl_s = duration_s(config.metricsTTL) if config.metricsTTL else 0.0
    return SeriesSettings(PREFIX, ttl_s, around.series_max, modifiers)

"""How a template or workflow behaves beside its work: retries, locks, memory, metrics."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Annotated, Literal

from crds.artifacts import Empty
from crds.meta import NULL_IN_MANIFEST, IntOrString, KeySelector, LabelSelector, LocalObjectReference, Model


class Backoff(Model):
    """How long to wait between attempts."""

    duration: str | None = None  # the first wait: seconds, or with a unit
    factor: IntOrString | None = None  # each wait is this many times the one before
    maxDuration: str | None = None  # no attempt later than this after the first one's start
    cap: str | None = None  # no wait longer than this


class RetryAffinity(Model):
    """Where a further attempt runs."""

    nodeAntiAffinity: Empty | None = None  # not where an earlier one ran


class RetryStrategy(Model):
    """When a failed node is tried again."""

    limit: IntOrString | None = None  # how many times to try again; without end when absent
    retryPolicy: Literal["", "Always", "OnFailure", "OnError", "OnTransientError"] | None = None
    backoff: Backoff | None = None
    affinity: RetryAffinity | None = None
    expression: str | None = None  # over lastRetry.*; false ends the attempts


class SyncDatabaseKey(Model):
    """A limit in the controller's database."""

    key: str


class Semaphore(Model):
    """A lock that a limited number may hold."""

    configMapKeyRef: KeySelector | None = None  # the limit
    database: SyncDatabaseKey | None = None  # the limit
    namespace: str | None = None


class Mutex(Model):
    """A lock that one may hold."""

    name: str | None = None
    namespace: str | None = None
    database: bool | None = None


class Synchronization(Model):
    """Locks to hold while working; all or none."""

    semaphores: list[Semaphore] | None = None
    mutexes: list[Mutex] | None = None


class Cache(Model):
    """Where results are remembered."""

    configMap: Annotated[LocalObjectReference | None, NULL_IN_MANIFEST] = None


class Memoize(Model):
    """Results of earlier runs take the place of work."""

    key: str
    cache: Annotated[Cache | None, NULL_IN_MANIFEST] = None
    maxAge: str | None = None  # older entries do not count; a duration with unit


class MetricLabel(Model):
    """A label of a metric."""

    key: str
    value: str | None = None


class Gauge(Model):
    """A value that goes up and down."""

    value: str
    realtime: Annotated[bool | None, NULL_IN_MANIFEST] = None  # sampled while running
    operation: Literal["Set", "Add", "Sub"] | None = None


class Counter(Model):
    """A value that grows."""

    value: str


class Histogram(Model):
    """How values are spread."""

    value: str
    buckets: Annotated[list[float] | None, NULL_IN_MANIFEST] = None


class PrometheusMetric(Model):
    """One metric that a node or workflow emits."""

    name: str
    help: str | None = None
    labels: list[MetricLabel] | None = None
    when: str | None = None
    gauge: Gauge | None = None
    counter: Counter | None = None
    histogram: Histogram | None = None


class Metrics(Model):
    """Metrics that a node or workflow emits."""

    prometheus: Annotated[list[PrometheusMetric] | None, NULL_IN_MANIFEST] = None


class PodGC(Model):
    """When finished pods are deleted."""

    strategy: Literal["", "OnPodCompletion", "OnPodSuccess", "OnWorkflowCompletion", "OnWorkflowSuccess"] | None = None
    labelSelector: LabelSelector | None = None  # only these pods
    deleteDelayDuration: str | None = None


class TTLStrategy(Model):
    """When a finished workflow is deleted, in seconds after its end."""

    secondsAfterCompletion: int | None = None
    secondsAfterSuccess: int | None = None
    secondsAfterFailure: int | None = None


class VolumeClaimGC(Model):
    """When the workflow's claims are deleted."""

    strategy: Literal["", "OnWorkflowCompletion", "OnWorkflowSuccess"] | None = None

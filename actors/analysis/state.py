"""What the actor of one AnalysisRun remembers: its object, what is being measured, and what is not on record yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from actors.analysis.plan import RunPlan
from actors.analysis.query import SecretName, SecretTexts
from actors.analysis.record import Note
from actors.names.resources import ANALYSIS_RUN
from runtime.messages import Address
from runtime.objects import Object, Reference, Resource

RUNS = Resource(*ANALYSIS_RUN)


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """What an installation decides for all runs."""

    namespace: str = "argo-rollouts"  # the controller's own, where Secrets of providers are looked for
    job_namespace: str = ""  # where Jobs are made; empty: in each run's own namespace
    instance_id: str = ""  # only objects with this label are ours; empty: those without any


@dataclass
class Flight:
    """A measurement under way."""

    metric: str
    kind: Literal["begin", "resume", "find"]  # find: the Job of a measurement on record is looked for
    began: float
    unfinished: Mapping[str, Any] | None = None
    wants: set[SecretName] = field(default_factory=set)  # not read yet
    found: dict[SecretName, SecretTexts | None] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # Secret -> why it may not be read
    job: Object | None = None  # the Job that is being created
    failures: int = 0


@dataclass
class RunState:
    """One AnalysisRun."""

    address: Address
    object: Object | None = None  # as last seen or acknowledged
    settled: bool = False  # what was in the cache has been read
    plan: RunPlan | None = None
    planned: Mapping[str, Any] | None = None  # the spec that the plan was made from
    broken: str = ""  # why there is no plan
    notes: list[Note] = field(default_factory=list)
    sent: int | None = None  # how many notes are in the write under way
    sent_status: dict[str, Any] = field(default_factory=dict)
    pending: Object | None = None  # an event that came while a write was under way
    flights: dict[str, Flight] = field(default_factory=dict)  # by metric
    reading: set[SecretName] = field(default_factory=set)
    jobs: dict[str, Object] = field(default_factory=dict)  # by name
    pods: dict[str, Object] = field(default_factory=dict)  # by uid
    deleting: set[str] = field(default_factory=set)  # names of Jobs that are no longer wanted
    ending_since: float | None = None
    expiry_not_before: float = 0.0  # a deletion that failed is tried again then
    write_failures: int = 0

    @property
    def ref(self) -> Reference:
        """That very run."""
        return Reference(RUNS, self.address.namespace, self.address.name, self.address.uid)

    @property
    def run(self) -> Object:
        """Its object; only asked once it has been seen."""
        assert self.object is not None, "the object has not been seen"
        return self.object

    @property
    def busy(self) -> frozenset[str]:
        """Metrics that are being measured right now."""
        return frozenset(self.flights)

"""The state of a CronWorkflow's actor: what it knows of its object and runs, what is due, what is being done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from actors.cron.backlog import catch_up
from actors.cron.child import CRON_WORKFLOWS, Child
from actors.cron.record import Note, Record, record
from actors.cron.timetable import Timetable
from crds.problems import Problem
from runtime.messages import Address
from runtime.objects import Object, Reference


class Judge(Protocol):
    """Who knows whether a CronWorkflow can run: every reason why not. `lookup` finds the templates it refers to."""

    def __call__(self, thing: Mapping[str, Any], *, lookup: Callable[[Any], Object | None]) -> Sequence[Problem]:
        """The problems; errors among them mean that it cannot."""
        ...


def accept(thing: Mapping[str, Any], *, lookup: Callable[[Any], Object | None]) -> Sequence[Problem]:
    """Judge nothing: the Workflow that is created will be judged."""
    del thing, lookup
    return ()


@dataclass(frozen=True, slots=True)
class CronSettings:
    """What the installation decides for all CronWorkflows."""

    zone: str = "UTC"  # of those that name none
    judge: Judge = accept


@dataclass
class Attempt:
    """A run under way to its beginning; without a time, only the spec is being judged."""

    scheduled: float | None = None
    found: dict[Reference, Object | None] = field(default_factory=dict)  # the templates it refers to
    reading: set[Reference] = field(default_factory=set)
    terminating: set[str] = field(default_factory=set)  # uids of runs that make way
    failures: int = 0


@dataclass
class CronState:
    """One CronWorkflow."""

    address: Address
    object: Object | None = None  # as last seen or acknowledged
    children: dict[str, Child] = field(default_factory=dict)  # by uid
    settled: bool = False  # what was in the cache has been read
    table: Timetable | None = None  # None: its schedules cannot be read
    armed: float | None = None  # the moment that it is to be woken for
    due: list[float] = field(default_factory=list)  # oldest first
    decided: float = 0.0  # runs until then have been decided in this life
    unjudged: bool = True  # the spec is new
    fit: bool = False  # it has been judged, and can run
    blocked: bool = False  # what is due waits for something to change
    attempt: Attempt | None = None
    notes: list[Note] = field(default_factory=list)  # decided, not on record
    sent: tuple[Record, int] | None = None  # being written, and how many notes are in it
    pending: Object | None = None  # an event that came while a write was under way
    write_failures: int = 0
    deleting: set[str] = field(default_factory=set)  # uids of runs beyond the history limits
    prune_due: bool = False

    @property
    def ref(self) -> Reference:
        """That very CronWorkflow."""
        return Reference(CRON_WORKFLOWS, self.address.namespace, self.address.name, self.address.uid)

    @property
    def cron(self) -> Object:
        """Its object; only asked once it has been seen."""
        assert self.object is not None, "the object has not been seen"
        return self.object

    @property
    def catches_up(self) -> bool:
        """Whether missed runs are made up for beyond upstream's rule."""
        return catch_up(self.cron) > 0

    @property
    def active(self) -> list[Child]:
        """Its runs that have not ended, oldest first."""
        return sorted((child for child in self.children.values() if not child.ended), key=lambda child: child.created)

    def wanted(self, now: float) -> Record:
        """What its object is to say."""
        return record(self.cron, self.notes, self.children, now)

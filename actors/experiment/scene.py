"""What is known of an experiment at one moment, and what is decided about it: values in, values out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.analysis_templates import TemplateRef
from actors.experiment.model import Ex, Status
from actors.kube_events import Said
from runtime.messages import Command
from runtime.objects import Object

Templates = Mapping[TemplateRef, Object | None]


@dataclass(frozen=True, slots=True)
class Known:
    """The things of an experiment as they are, and what went wrong with the last attempts to change them."""

    ex: Ex
    replica_sets: Mapping[str, Object]  # by template
    services: Mapping[str, Object]  # by template
    runs: Mapping[str, Object | None]  # by name; None: it is not there
    made: Mapping[str, str]  # analysis -> the name of the run that was made for it
    templates: Templates  # analysis templates that have been read; None: not there
    refusals: Mapping[tuple[str, str], str]  # (what, which) -> why: ("set", template), ("scale", …), ("service", …)
    collisions: Mapping[tuple[str, str], int]  # names that were taken: ("set", template), ("run", analysis)


@dataclass
class Plan:
    """What is to be done, what the status is to be, and when to look again."""

    status: Status
    commands: list[Command] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    reads: list[TemplateRef] = field(default_factory=list)  # analysis templates that have to be known first

    @property
    def wake_at(self) -> float | None:
        """The soonest moment at which something changes by itself."""
        return min(self.times, default=None)


def transition(what: str, name: str, before: Any, after: Any, message: str) -> str:
    """How an Event tells of a change of status."""
    text = f"{what} '{name}' transitioned from {before or ''} -> {after}"
    return f"{text}: {message}" if message else text

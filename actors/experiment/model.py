"""What an Experiment asks for and where it stands, read from its object. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actors.analysis_checks import whole
from actors.analysis_templates import COMPLETED
from actors.names.durations import parse_duration
from actors.names.timestamps import seconds

Status = dict[str, Any]
Template = Mapping[str, Any]

PROGRESS_DEADLINE_S = 600
SCALE_DOWN_DELAY_S = 30
ENDED = frozenset({"Successful", "Failed", "Error"})
"""Statuses of a template that are final."""

_BADNESS = ("Successful", "Running", "Progressing", "Error", "Failed")


class Ex:
    """One Experiment."""

    def __init__(self, thing: Mapping[str, Any]) -> None:
        self.object = thing
        self.meta: Mapping[str, Any] = thing["metadata"]
        self.spec: Mapping[str, Any] = thing.get("spec") or {}
        self.status: Mapping[str, Any] = thing.get("status") or {}

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.meta["name"])

    @property
    def templates(self) -> Sequence[Template]:
        """Its sets of pods."""
        return self.spec.get("templates") or ()

    @property
    def analyses(self) -> Sequence[Mapping[str, Any]]:
        """Its analyses."""
        return self.spec.get("analyses") or ()

    @property
    def phase(self) -> str:
        """Its phase on record."""
        return str(self.status.get("phase") or "")

    @property
    def deadline_s(self) -> int:
        """How long a template may go without progress."""
        given = self.spec.get("progressDeadlineSeconds")
        return PROGRESS_DEADLINE_S if given is None else whole(given)

    @property
    def delay_s(self) -> int:
        """How long pods stay after they are no longer wanted."""
        given = self.spec.get("scaleDownDelaySeconds")
        return SCALE_DOWN_DELAY_S if given is None else whole(given)

    @property
    def ends_at(self) -> float | None:
        """When its duration is over; None: it has none, or not begun, or one that cannot be read."""
        available, duration = self.status.get("availableAt"), self.spec.get("duration")
        if not available or not duration:
            return None
        try:
            return seconds(available) + parse_duration(duration)
        except ValueError:
            return None

    def is_over(self, now: float) -> bool:
        """Whether its duration has passed."""
        return self.ends_at is not None and now >= self.ends_at

    def template_status(self, name: str) -> Status | None:
        """What is on record about a template."""
        return _named(self.status.get("templateStatuses"), name)

    def analysis_status(self, name: str) -> Status | None:
        """What is on record about an analysis."""
        return _named(self.status.get("analysisRuns"), name)

    @property
    def is_terminating(self) -> bool:
        """Whether it is coming to its end: told to, finished, gone wrong, or all that was required has succeeded."""
        if self.spec.get("terminate") or self.phase in COMPLETED:
            return True
        if any(each.get("status") in ("Failed", "Error") for each in self.status.get("templateStatuses") or ()):
            return True
        bad = ("Failed", "Error", "Inconclusive")
        if any(each.get("phase") in bad for each in self.status.get("analysisRuns") or ()):
            return True
        return required_succeeded(self, self.status)

    def wanted(self, template: Template) -> int:
        """How many pods a template is to have."""
        return replicas_of(template) if self.is_to_run(template["name"]) else 0

    def is_to_run(self, name: str) -> bool:
        """Whether neither the experiment nor this template of it has come to its end."""
        return not self.is_terminating and (self.template_status(name) or {}).get("status") not in ENDED


def replicas_of(template: Template) -> int:
    """How many pods a template asks for: 1 unless said otherwise."""
    given = template.get("replicas")
    return 1 if given is None else whole(given)


def required(ex: Ex) -> list[str]:
    """The names of analyses that the end depends on."""
    return [analysis["name"] for analysis in ex.analyses if analysis.get("requiredForCompletion")]


def required_succeeded(ex: Ex, status: Mapping[str, Any]) -> bool:
    """Whether there are required analyses and all have succeeded."""
    names = required(ex)
    phases = [(_named(status.get("analysisRuns"), name) or {}).get("phase") for name in names]
    return bool(names) and all(phase == "Successful" for phase in phases)


def is_worse_template(one: str, than: str) -> bool:
    """Whether a template's status is worse than another."""
    return _rank(one) > _rank(than)


def _rank(status: str) -> int:
    return _BADNESS.index(status) if status in _BADNESS else 0


def with_named(entries: Sequence[Status] | None, entry: Status) -> list[Status]:
    """A list of named entries with one of them in place of the one of its name, or behind the others."""
    found = list(entries or ())
    for index, each in enumerate(found):
        if each.get("name") == entry["name"]:
            found[index] = entry
            return found
    return [*found, entry]


def _named(entries: Sequence[Status] | None, name: str) -> Status | None:
    return next((dict(entry) for entry in entries or () if entry.get("name") == name), None)


def invalid(ex: Ex) -> str:
    """Why the spec cannot be carried out, in upstream's words; empty when it can."""
    names: set[str] = set()
    for index, template in enumerate(ex.templates):
        selector, name = template.get("selector"), template.get("name") or ""
        if selector is None:
            return f"Rollout has missing field '.Spec.Templates[{index}].Selector'"
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            return f"This experiment is selecting all pods at index {index}. A non-empty selector is required."
        if whole(template.get("minReadySeconds")) > ex.deadline_s:
            return f"MinReadySeconds cannot be longer than ProgressDeadlineSeconds. Check template index {index}"
        if not name:
            return f"Experiment {ex.name} has empty template name at index {index}"
        if name in names:
            return f"Experiment {ex.name} has repeated template name '{name}' in templates"
        names.add(name)
    return ""

"""What the actor of one Experiment remembers: its object, what it has made, and what went wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.analysis_templates import TemplateRef
from actors.experiment import makes
from actors.experiment.model import Ex
from actors.experiment.scene import Known
from runtime.messages import Address
from runtime.objects import Object, Reference, Resource

ROOM = "experiment"


@dataclass
class ExperimentState:
    """One Experiment."""

    address: Address
    object: Object | None = None  # as last seen or acknowledged
    settled: bool = False  # what was in the cache has been read
    sets: dict[str, Object] = field(default_factory=dict)  # ReplicaSets by uid
    services: dict[str, Object] = field(default_factory=dict)  # by uid
    runs: dict[str, Object | None] = field(default_factory=dict)  # by name; None: it is not there
    templates: dict[TemplateRef, Object | None] = field(default_factory=dict)
    is_fresh: bool = False  # the templates were read after the pods had become available
    made: dict[str, str] = field(default_factory=dict)  # analysis -> run, not on record yet
    refusals: dict[tuple[str, str], str] = field(default_factory=dict)
    collisions: dict[tuple[str, str], int] = field(default_factory=dict)
    outstanding: int = 0  # commands whose answers have to come before anything else is decided
    failures: int = 0  # in a row
    not_before: float = 0.0

    @property
    def ref(self) -> Reference:
        """That very experiment."""
        return Reference(makes.EXPERIMENTS, self.address.namespace, self.address.name, self.address.uid)

    @property
    def experiment(self) -> Object:
        """Its object; only asked once it has been seen."""
        assert self.object is not None, "the object has not been seen"
        return self.object

    def known(self) -> Known:
        """What there is to decide from."""
        ex = Ex(self.experiment)
        return Known(
            ex, _by_template(ex, self.sets), _by_template(ex, self.services), self.runs, self.made, self.templates,
            self.refusals, self.collisions,
        )  # fmt: skip

    def template_reference(self, ref: TemplateRef) -> Reference:
        """Where a template is."""
        return Reference(Resource(*ref.resource), "" if ref.cluster else self.address.namespace, ref.name)


def _by_template(ex: Ex, things: Mapping[str, Object]) -> dict[str, Object]:
    """Things of the experiment by their templates; of several the oldest, of those being deleted none."""
    found: dict[str, Object] = {}
    for thing in sorted(things.values(), key=lambda each: each["metadata"].get("creationTimestamp") or ""):
        template = makes.template_of(ex, thing)
        if template and not thing["metadata"].get("deletionTimestamp"):
            found.setdefault(template, thing)
    return found

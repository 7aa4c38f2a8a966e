"""Where templates are found: in the workflow itself, written inline, or in a WorkflowTemplate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from actors.workflow.validation.findings import Json, Place, entries, is_dynamic, mapping, text


class LibraryRef(NamedTuple):
    """A WorkflowTemplate, or with `cluster` a ClusterWorkflowTemplate."""

    name: str
    cluster: bool = False

    def __str__(self) -> str:
        return f"{'clusterworkflowtemplates' if self.cluster else 'workflowtemplates'}/{self.name}"


Lookup = Callable[[LibraryRef], Json | None]


@dataclass(frozen=True)
class Library:
    """The templates of one object, by name, and what lies under each of them."""

    ref: LibraryRef | None  # None: the workflow itself
    path: str  # of the templates
    templates: Mapping[str, tuple[int, Json]]
    defaults: Json
    retries: bool  # whether a template without a retry strategy has one all the same

    def place(self, name: str) -> Place:
        """Where a template of this library is."""
        prefix = f"{self.ref} " if self.ref else ""
        return Place(f"{prefix}templates.{name}", f"{prefix}{self.path}[{self.templates[name][0]}]")


class Found(NamedTuple):
    """A template, where it is, and the library in which its own calls are looked up."""

    template: Json
    place: Place
    library: Library


class Unknown(NamedTuple):
    """Why a call's template cannot be found; empty when only the run will know it."""

    reason: str


def library_of(spec: Json, path: str, ref: LibraryRef | None = None) -> Library:
    """The library that a workflow's spec is; of templates of one name the first counts."""
    templates: dict[str, tuple[int, Json]] = {}
    for index, template in enumerate(entries(spec, "templates")):
        templates.setdefault(text(template.get("name")), (index, template))
    defaults = mapping(spec.get("templateDefaults"))
    retries = any(holder.get("retryStrategy") is not None for holder in (spec, defaults))
    return Library(ref, f"{path}.templates", templates, defaults, retries)


class Shelf:
    """All libraries that a workflow uses; each is looked up once."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._libraries: dict[LibraryRef, Library | None] = {}

    def library(self, ref: LibraryRef) -> Library | None:
        """A WorkflowTemplate's templates; None when it does not exist."""
        if ref not in self._libraries:
            thing = self._lookup(ref)
            self._libraries[ref] = None if thing is None else library_of(mapping(thing.get("spec")), "spec", ref)
        return self._libraries[ref]

    def find(self, call: Json, library: Library) -> Found | Unknown:
        """The named template of a step, task or hook; inline ones are at hand and not looked for here."""
        name, ref = text(call.get("template")), mapping(call.get("templateRef"))
        if not ref:
            if is_dynamic(name):
                return Unknown("")
            if name not in library.templates:
                return Unknown(f"template name '{name}' undefined" if name else "failed to get a template")
            return Found(library.templates[name][1], library.place(name), library)
        if name:
            return Unknown("template name cannot be specified with templateRef")
        return self._find_elsewhere(ref)

    def _find_elsewhere(self, ref: Json) -> Found | Unknown:
        name, template = text(ref.get("name")), text(ref.get("template"))
        if not name or not template:
            return Unknown(f"{'template' if name else 'resource'} name is required")
        if is_dynamic(name) or is_dynamic(template):
            return Unknown("")
        other = self.library(LibraryRef(name, bool(ref.get("clusterScope"))))
        if other is None or template not in other.templates:
            return Unknown(f"template reference {name}.{template} not found")
        return Found(other.templates[template][1], other.place(template), other)

"""A `Kind` says all that the API server must know of one kind; the `Catalog` says which are served right now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from runtime.objects import Object, Resource
from tiphys.devcluster import errors
from tiphys.devcluster.errors import Cause

NameRule: TypeAlias = Literal["subdomain", "label", "service", "path"]
Default: TypeAlias = Callable[[Object], None]
"""Fill in, in place, what a new or changed object leaves open."""
Validate: TypeAlias = Callable[[Object, Object | None], list[Cause]]
"""What is wrong with an object that replaces another (None: is created)."""
Prune: TypeAlias = Callable[[Object], list[str]]
"""Drop, in place, what the kind does not know; returns the paths of what was dropped."""
Convert: TypeAlias = Callable[[Object], Object]
"""An object that was stored in another version, as this version shows it: a new one."""
Remarks: TypeAlias = Callable[[Object], Iterable[str]]
"""What whoever wrote an object should know of it: sentences, sent as warnings."""

ALL = ("all",)  # the category of what `kubectl get all` shows
COMMON_FIELDS = frozenset({"metadata.name", "metadata.namespace"})


class Column(NamedTuple):
    """One column that `kubectl get` shows: from a JSON path, or computed."""

    name: str
    path: str = ""
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""
    cell: Callable[[Object, float], object] | None = None  # of (object, now in seconds since the epoch)


class Scale(NamedTuple):
    """Where the scale subresource reads and writes: dotted paths below the object."""

    spec_path: str = "spec.replicas"
    status_path: str = "status.replicas"
    selector_path: str = ""  # of a selector's text in a custom resource; empty: spec.selector is an object


def _no_default(_: Object) -> None:
    return None


def _no_fault(_new: Object, _old: Object | None) -> list[Cause]:
    return []


def _no_prune(_: Object) -> list[str]:
    return []


def _no_remark(_: Object) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind in one version. Custom kinds differ from built-in ones by `custom`, as they do upstream."""

    resource: Resource
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    singular: str = ""
    list_kind: str = ""
    has_status: bool = False  # a status subresource: the main path keeps the stored status
    counts_generation: bool = False
    scale: Scale | None = None
    name_rule: NameRule = "subdomain"
    selectable: frozenset[str] = COMMON_FIELDS
    found_at: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # selectable path: (real one, when absent)
    columns: tuple[Column, ...] = ()
    default: Default = _no_default
    validate: Validate = _no_fault
    prune: Prune = _no_prune
    remarks: Remarks = _no_remark
    convert: Convert | None = None  # None: versions differ in nothing but their name
    custom: bool = False
    is_ending: bool = False  # its definition is being deleted: nothing is created any more
    schema: Object | None = None  # the structural schema of a custom kind
    subresources: tuple[str, ...] = field(default=())  # beyond status and scale

    @property
    def singular_name(self) -> str:
        """The name that `kubectl` shows for one object."""
        return self.singular or self.resource.kind.lower()

    @property
    def list_kind_name(self) -> str:
        """The kind of a list of these."""
        return self.list_kind or f"{self.resource.kind}List"

    def in_version(self, thing: Object) -> Object:
        """An object of any version, frozen, as this version shows it."""
        if thing.get("apiVersion") == self.resource.api_version:
            return thing
        named = {**thing, "apiVersion": self.resource.api_version}
        return named if self.convert is None else self.convert(named)


class Catalog:
    """The kinds that are served, by API version and plural; changes when CustomResourceDefinitions come and go."""

    def __init__(self, kinds: tuple[Kind, ...]) -> None:
        self._kinds: dict[tuple[str, str], Kind] = {}
        self.revision = 0  # counts changes: discovery documents are cached by it
        for kind in kinds:
            self.register(kind)

    def register(self, kind: Kind) -> None:
        """Serve this kind from now on, instead of an earlier one of the same version and plural."""
        self._kinds[kind.resource.api_version, kind.resource.plural] = kind
        self.revision += 1

    def unregister(self, kind: Kind) -> None:
        """Serve it no more."""
        if self._kinds.pop((kind.resource.api_version, kind.resource.plural), None) is not None:
            self.revision += 1

    def find(self, api_version: str, plural: str) -> Kind | None:
        """The kind at that path, if served."""
        return self._kinds.get((api_version, plural))

    def serving(self, group: str, plural: str, api_version: str) -> Kind | None:
        """The kind of what is stored there, in this version or, when that is served no more, in any other."""
        kinds = (kind for kind in self if (kind.resource.group, kind.resource.plural) == (group, plural))
        return self.find(api_version, plural) or next(kinds, None)

    def of(self, resource: Resource) -> Kind:
        """The kind of a resource. Raises Gone (404), as a request to a path that is not served does."""
        found = self._kinds.get((resource.api_version, resource.plural))
        if found is None:
            raise errors.no_such_path()
        return found

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._kinds.values()))

"""A CustomResourceDefinition is served from the commit that creates it, and with the schema of its newest state.

Upstream needs a moment between the two and says so in the condition Established; here it is true at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import orjson

from runtime.objects import CRDS, Object, Resource
from tiphys.devcluster import schema, validations, wiretypes
from tiphys.devcluster.columns import AGE
from tiphys.devcluster.errors import Cause
from tiphys.devcluster.kinds import COMMON_FIELDS, Catalog, Column, Kind, Scale
from tiphys.devcluster.metadata import stamp
from tiphys.devcluster.rest import Rest
from tiphys.devcluster.storage import Change


def kinds_of(definition: Object) -> list[Kind]:
    """The kinds, one for each served version, that a definition describes."""
    spec, is_ending = definition["spec"], "deletionTimestamp" in definition["metadata"]
    served = [version for version in spec.get("versions") or () if version.get("served")]
    return [_kind(spec, version, is_ending=is_ending) for version in served]


def _kind(spec: Object, version: Object, *, is_ending: bool) -> Kind:
    names = spec["names"]
    subresources = version.get("subresources") or {}
    structure: Object = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    selectable = {str(field["jsonPath"]).lstrip(".") for field in version.get("selectableFields") or ()}
    return Kind(
        Resource(f"{spec['group']}/{version['name']}", names["kind"], names["plural"], spec["scope"] == "Namespaced"),
        tuple(names.get("shortNames") or ()),
        tuple(names.get("categories") or ()),
        singular=names.get("singular") or names["kind"].lower(),
        list_kind=names.get("listKind") or f"{names['kind']}List",
        has_status="status" in subresources,
        counts_generation=True,
        scale=_scale(subresources.get("scale")),
        selectable=COMMON_FIELDS | selectable,
        columns=_columns(version.get("additionalPrinterColumns")),
        default=lambda thing: schema.fill(thing, structure),
        validate=partial(_faults, structure, cache(partial(validations.read, structure))),  # when first asked
        prune=partial(_pruned, structure),
        convert=partial(_converted, structure),
        custom=True,
        is_ending=is_ending,
        schema=structure,
    )


def _converted(structure: Object, thing: Object) -> Object:
    """An object of another version: the same, with this version's fields and defaults."""
    copy: Object = orjson.loads(orjson.dumps(thing))
    schema.prune(copy, structure)
    schema.fill(copy, structure)
    return copy


def _pruned(structure: Object, thing: Object) -> list[str]:
    """Drop what neither the schema nor metadata knows; the paths in the order in which they are reported."""
    return sorted(wiretypes.prune_metadata(thing, thing["apiVersion"], thing["kind"]) + schema.prune(thing, structure))


_BLOCKING = ("NotSupported", "Required", "TooLong", "TooMany", "TypeInvalid")
_UNCHECKED = Cause(
    "<nil>",
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation",
)


def _faults(
    structure: Object, rules_of: Callable[[], validations.Place | None], thing: Object, old: Object | None
) -> list[Cause]:
    judged, before = {**thing, "metadata": {}}, None if old is None else {**old, "metadata": {}}
    found = schema.validate(judged, structure, "", before)  # metadata is judged apart; a schema may only require it
    rules = rules_of()
    if rules is None:
        return found
    if any(cause.reason.endswith(_BLOCKING) for cause in found):
        return [*found, _UNCHECKED]
    return found + validations.faults(rules, validations.Judged(thing, old, ""))


def _scale(paths: Any) -> Scale | None:
    if not paths:
        return None
    return Scale(
        paths["specReplicasPath"].lstrip("."),
        paths["statusReplicasPath"].lstrip("."),
        (paths.get("labelSelectorPath") or "").lstrip("."),
    )


def _columns(columns: Any) -> tuple[Column, ...]:
    if not columns:
        return (AGE,)
    return tuple(
        Column(
            column["name"],
            column["jsonPath"],
            column["type"],
            int(column.get("priority") or 0),
            column.get("format") or "",
            column.get("description")
            or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
        )
        for column in columns
    )


class Definitions:
    """Keeps the catalog equal to the stored definitions."""

    def __init__(self, rest: Rest, catalog: Catalog) -> None:
        self._rest = rest
        self._catalog = catalog
        self._served: dict[str, list[Kind]] = {}  # by the definition's name

    def observe(self, change: Change) -> None:
        """Serve, change or withdraw the kinds of a definition that was just written."""
        definition = change.record.object
        name = definition["metadata"]["name"]
        for kind in self._served.pop(name, ()):
            self._catalog.unregister(kind)
        spec = definition["spec"]
        if change.type == "DELETED":
            self._rest.storage.drop(spec["group"], spec["names"]["plural"])
            return
        self._served[name] = kinds_of(definition)
        for kind in self._served[name]:
            self._catalog.register(kind)
        self._establish(name)

    def restore(self) -> None:
        """Serve what is stored already (after a restart)."""
        for record in self._rest.bucket(self._catalog.of(CRDS)).records.values():
            self.observe(Change("MODIFIED", record, None))

    def reload(self) -> None:
        """Serve what is stored, and nothing else (after changes were undone)."""
        for kinds in self._served.values():
            for kind in kinds:
                self._catalog.unregister(kind)
        self._served.clear()
        self.restore()

    def _establish(self, name: str) -> None:
        kind = self._catalog.of(CRDS)
        current = self._rest.read(kind, "", name)
        known = current.object.get("status") or {}
        spec, now = current.object["spec"], stamp(self._rest.source.now())
        conditions = [
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ]
        stored = [version["name"] for version in spec["versions"] if version.get("storage")]
        older = [version for version in known.get("storedVersions") or () if version not in stored]
        status = {
            "conditions": known.get("conditions")
            or [
                {"type": t, "status": "True", "lastTransitionTime": now, "reason": reason, "message": message}
                for t, reason, message in conditions
            ],
            "acceptedNames": spec["names"],
            "storedVersions": [*older, *stored],
        }
        if status != known:  # the spec, which is large, is one object with the former state's
            thing = {**current.object, "metadata": {**current.object["metadata"]}, "status": status}
            self._rest.store(kind, current, thing)

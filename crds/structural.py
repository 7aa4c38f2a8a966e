"""From shapes to CustomResourceDefinitions with structural schemas.

A structural schema has no references, so definitions are written out where they are used. `inline` (a template in a
template) is left open, as upstream leaves it: written out even once it would make the manifest three times as large,
more than client-side apply takes; `crds.check` judges it all the same. Open objects keep unknown fields; a field that
takes text or numbers alike has no type and keeps its value, since only whole numbers and text have a word
(`int-or-string`).
"""

from __future__ import annotations

from typing import Any

from crds.kinds import GROUP, KINDS, VERSION, Kind
from crds.shapes import Definition, Shape

PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
RULES = "x-kubernetes-validations"

Schema = dict[str, Any]


def definitions(shapes: dict[str, Definition], *, descriptions: bool) -> list[dict[str, Any]]:
    """The CustomResourceDefinition of each kind; equal parts of the schemas are one object in memory."""
    writer = _Writer(shapes, descriptions=descriptions)
    return [_definition(kind, writer) for kind in KINDS.values()]


def _definition(kind: Kind, writer: _Writer) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": writer.root(kind.name)},
    }
    if kind.columns:
        version["additionalPrinterColumns"] = [
            {"name": column.name, "type": column.type, "jsonPath": column.path, "description": column.description}
            | ({"format": "date-time"} if column.type == "date" else {})
            for column in kind.columns
        ]
    if kind.status_subresource:
        version["subresources"] = {"status": {}}
    if kind.scale is not None:
        version["subresources"]["scale"] = {
            "specReplicasPath": kind.scale.replicas,
            "statusReplicasPath": kind.scale.status,
            "labelSelectorPath": kind.scale.selector,
        }
    names: dict[str, Any] = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": kind.name.lower(),
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "versions": [version],
        },
    }


class _Writer:
    """Writes each definition once."""

    def __init__(self, shapes: dict[str, Definition], *, descriptions: bool) -> None:
        self._shapes = shapes
        self._descriptions = descriptions
        self._written: dict[str, Schema] = {}

    def root(self, kind: str) -> Schema:
        """The schema of a kind; the API server itself knows what metadata is."""
        schema = dict(self._object(kind))
        schema["properties"] = schema["properties"] | {"metadata": {"type": "object"}}
        schema["required"] = [name for name in schema["required"] if name not in ("apiVersion", "kind")]
        return schema

    def _object(self, name: str) -> Schema:
        if name in self._written:
            return self._written[name]
        definition = self._shapes[name]
        schema: Schema = {"type": "object"}
        if self._descriptions and definition["description"]:
            schema["description"] = definition["description"]
        schema["properties"] = {field: self._field(shape) for field, shape in definition["fields"].items()}
        if "required" in definition:
            schema["required"] = definition["required"]
        if definition.get("grows"):
            schema[PRESERVE] = True
        self._written[name] = schema
        return schema

    def _field(self, shape: Shape) -> Schema:
        schema: Schema = {"type": "object", PRESERVE: True} if shape.get("opened") else self._schema(shape)
        if shape.get("nullable"):
            schema = schema | {"nullable": True}
        if "default" in shape:
            schema = schema | {"default": shape["default"]}
        if "rules" in shape:
            schema = schema | {RULES: shape["rules"]}
        if self._descriptions and "description" in shape:
            return schema | {"description": shape["description"]}
        return schema

    def _schema(self, shape: Shape) -> Schema:
        match shape:
            case {"ref": name}:
                return self._object(name)
            case {"type": "array", "items": items}:
                return {"type": "array", "items": self._schema(items)}
            case {"type": "object", "values": values}:
                return {"type": "object", "additionalProperties": self._schema(values)}
            case {"type": "object"}:
                return {"type": "object", PRESERVE: True}
            case {"type": kind}:
                return {"type": kind} | ({"enum": shape["enum"]} if "enum" in shape else {})
            case {"scalar": ["integer", "string"]}:
                return {INT_OR_STRING: True}
            case _:
                return {PRESERVE: True}

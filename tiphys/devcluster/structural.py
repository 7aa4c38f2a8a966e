"""A CustomResourceDefinition names what it defines, and types every value of it: then pruning and defaulting are sure.

What is asked here is what people forget; a schema that passes is one that the other readers of it can rely on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from runtime.objects import Object
from tiphys.devcluster.errors import Cause, invalid_value, required
from tiphys.devcluster.rules import shown
from tiphys.devcluster.schema import is_pattern, validate

Level: TypeAlias = Literal["root", "field", "item"]
_WHERE: dict[Level, str] = {
    "root": "must not be empty at the root",
    "field": "must not be empty for specified object fields",
    "item": "must not be empty for specified array items",
}
_NAMES = {str: "string", list: "array", dict: "object", bool: "boolean", int: "integer", float: "number"}
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("type", "format", "pattern", "description", "title"), (str,)),
    **dict.fromkeys(("x-kubernetes-list-type", "x-kubernetes-map-type"), (str,)),
    **dict.fromkeys(("required", "enum", "allOf", "anyOf", "oneOf"), (list,)),
    **dict.fromkeys(("x-kubernetes-list-map-keys", "x-kubernetes-validations"), (list,)),
    **dict.fromkeys(("properties", "items", "not"), (dict,)),
    **dict.fromkeys(("nullable", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum"), (bool,)),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), (int,)),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), (int, float)),
    "additionalProperties": (dict, bool),
}
_UNTYPED = ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")


def definition_faults(spec: Object) -> list[Cause]:
    """What is wrong with the schemas of a CustomResourceDefinition's versions."""
    versions = spec.get("versions") or []
    schemas = [(version.get("schema") or {}).get("openAPIV3Schema") for version in versions]
    if schemas and all(schema == schemas[0] for schema in schemas):
        return list(_faults(schemas[0], "spec.validation.openAPIV3Schema", "root"))
    return [
        fault
        for index, schema in enumerate(schemas)
        for fault in _faults(schema, f"spec.versions[{index}].schema.openAPIV3Schema", "root")
    ]


def _object(*needed: str, **properties: Any) -> Object:
    return {"type": "object", "required": list(needed), "properties": properties}


def _list(items: Object) -> Object:
    return {"type": "array", "items": items}


_TEXT: Object = {"type": "string"}
_FLAG: Object = {"type": "boolean"}
_SCALE = _object(
    "specReplicasPath", "statusReplicasPath", specReplicasPath=_TEXT, statusReplicasPath=_TEXT, labelSelectorPath=_TEXT
)
_COLUMN = _object(
    "name", "type", "jsonPath", name=_TEXT, type=_TEXT, jsonPath=_TEXT, format=_TEXT, description=_TEXT,
    priority={"type": "integer"},
)  # fmt: skip
_SHAPE = _object(
    names=_object(
        plural=_TEXT, kind=_TEXT, singular=_TEXT, listKind=_TEXT, shortNames=_list(_TEXT), categories=_list(_TEXT)
    ),
    group=_TEXT,
    scope=_TEXT,
    versions=_list(
        _object(
            "name",
            name=_TEXT,
            served=_FLAG,
            storage=_FLAG,
            schema=_object(openAPIV3Schema={"type": "object"}),
            subresources=_object(status={"type": "object"}, scale=_SCALE),
            additionalPrinterColumns=_list(_COLUMN),
            selectableFields=_list(_object("jsonPath", jsonPath=_TEXT)),
        )
    ),
)


def crd(new: Object, old: Object | None) -> list[Cause]:
    """A definition names its group, its plural and exactly one version that is stored."""
    del old
    spec = new.get("spec") or {}
    odd = validate(spec, _SHAPE, "spec")
    if odd:
        return odd
    names = spec.get("names") or {}
    faults = [required(f"spec.{field}") for field in ("group", "scope") if not spec.get(field)]
    faults += [required(f"spec.names.{field}") for field in ("plural", "kind") if not names.get(field)]
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    name = new["metadata"].get("name", "")
    if name != wanted:
        faults.append(invalid_value("metadata.name", shown(name), 'must be spec.names.plural+"."+spec.group'))
    versions = spec.get("versions") or []
    if sum(1 for version in versions if version.get("storage")) != 1:
        why = "must have exactly one version marked as storage version"
        faults.append(invalid_value("spec.versions", shown([v.get("name") for v in versions]), why))
    for index, version in enumerate(versions):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            faults.append(required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required"))
    return faults + definition_faults(spec)


def _faults(schema: Any, path: str, level: Level) -> Iterator[Cause]:
    if level == "root" and not schema:
        return
    odd = list(_shape_faults(schema, path))
    if odd:
        yield from odd
        return
    kind = schema.get("type")
    if not kind and not any(schema.get(extension) for extension in _UNTYPED):
        yield required(f"{path}.type", _WHERE[level])
    if level == "root" and kind and kind != "object":
        yield invalid_value(f"{path}.type", shown(kind), "must be object at the root")
    if kind == "array":
        if not schema.get("items"):
            yield required(f"{path}.items", "must be specified")
        yield from _list_faults(schema, path)
    if schema.get("items") is not None:
        yield from _faults(schema["items"], f"{path}.items", "item")
    for name, sub in (schema.get("properties") or {}).items():
        if level == "root" and name == "metadata" and isinstance(sub, dict):
            continue
        yield from _faults({} if sub is None else sub, f"{path}.properties[{name}]", "field")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _faults(schema["additionalProperties"], f"{path}.additionalProperties", "field")


def _shape_faults(schema: Any, path: str) -> Iterator[Cause]:
    """Keywords whose values are of the wrong type: nothing else can be asked of such a schema."""
    if not isinstance(schema, dict):
        yield invalid_value(path, shown(schema), "must be an object")
        return
    for name, value in schema.items():
        known = _TYPES.get(name)
        if known is not None and value is not None and type(value) not in known:
            yield invalid_value(
                f"{path}.{name}", shown(value), f"must be of type {' or '.join(_NAMES[t] for t in known)}"
            )
        elif name in ("allOf", "anyOf", "oneOf") and value is not None:
            for index, sub in enumerate(value):
                yield from _shape_faults(sub, f"{path}.{name}[{index}]")
        elif name == "pattern" and value and not is_pattern(value):
            yield invalid_value(f"{path}.pattern", shown(value), "must be a valid regular expression, but isn't")
        elif name == "x-kubernetes-validations" and not all(_is_rule(rule) for rule in value or ()):
            yield invalid_value(f"{path}.{name}", shown(value), "must be a list of objects with a rule each")


def _is_rule(rule: Any) -> bool:
    return isinstance(rule, dict) and all(isinstance(rule.get(name, ""), str) for name in ("rule", "message", "reason"))


def _list_faults(schema: Object, path: str) -> Iterator[Cause]:
    """A list of keyed items: each has its keys."""
    if schema.get("x-kubernetes-list-type") != "map":
        return
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    if not keys:
        yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    items = schema.get("items") or {}
    known, must = items.get("properties") or {}, items.get("required") or ()
    for key in keys:
        if key not in known:
            why = "entries must all be names of item properties"
            yield invalid_value(f"{path}.x-kubernetes-list-map-keys", shown(list(keys)), why)
        elif key not in must and "default" not in known[key]:
            why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            yield required(f"{path}.items.properties[{key}].default", why)

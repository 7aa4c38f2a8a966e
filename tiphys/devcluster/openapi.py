"""OpenAPI documents: enough for kubectl to apply on the server, and to explain all kinds in full."""

from __future__ import annotations

from typing import Any

import orjson

from runtime.objects import Object
from tiphys.devcluster import fieldtexts, wiretypes
from tiphys.devcluster.discovery import VERSION
from tiphys.devcluster.kinds import Catalog, Kind

_QUERY = ("dryRun", "fieldManager", "fieldValidation")


def _name(kind: Kind) -> str:
    resource = kind.resource
    if kind.custom:
        return f"{'.'.join(reversed(resource.group.split('.')))}.{resource.version}.{resource.kind}"
    return f"io.k8s.api.{resource.group.partition('.')[0] or 'core'}.{resource.version}.{resource.kind}"


def _gvk(kind: Kind) -> Object:
    resource = kind.resource
    return {"group": resource.group, "kind": resource.kind, "version": resource.version}


def _schema(kind: Kind) -> Object:
    schema: Object = {**(kind.schema or {"type": "object"})}
    properties: Object = {
        "apiVersion": {"type": "string", "description": "The versioned schema of this representation of an object."},
        "kind": {"type": "string", "description": "The REST resource this object represents."},
        "metadata": _reference("meta.v1.ObjectMeta", "Standard object's metadata."),
    }
    message = wiretypes.message_name(kind.resource.api_version, kind.resource.kind)
    if message is not None:
        schema = _message(message)
    elif not kind.custom:
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        schema["properties"] = {"spec": anything, "status": anything}
    schema["properties"] = {**properties, **(schema.get("properties") or {})}
    schema["x-kubernetes-group-version-kind"] = [_gvk(kind)]
    return schema


_SCALARS: dict[str, Object] = {
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "number": {"type": "number"},
    "bytes": {"type": "string", "format": "byte"},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
    "intstr": {"type": "string", "format": "int-or-string"},
    "raw": {"type": "object"},
}


def _full(message: str) -> str:
    """A message's name as Kubernetes publishes it."""
    return f"io.k8s.{'apimachinery.pkg.apis' if message.startswith('meta.') else 'api'}.{message}"


def _reference(message: str, description: str = "") -> Object:
    made: Object = {"allOf": [{"$ref": f"#/components/schemas/{_full(message)}"}], "default": {}}
    return {**made, "description": description} if description else made


def _field(field: wiretypes.Field, description: str) -> Object:
    is_scalar = field.type in wiretypes.SCALARS
    one = dict(_SCALARS.get(field.type, {"type": "string"})) if is_scalar else _reference(field.type)
    if field.shape == "list":
        one = {"type": "array", "items": one}
    elif field.shape == "map":
        one = {"type": "object", "additionalProperties": one}
    return {**one, "description": description} if description else one


def _message(name: str) -> Object:
    said = fieldtexts.texts(name)
    fields = wiretypes.fields(name)
    made: Object = {
        "type": "object",
        "properties": {f: _field(fields[f], said.descriptions.get(f, "")) for f in fields},
    }
    required = [field for field in said.required if field in fields]
    return {**made, "required": required} if required else made


def _parts(kinds: list[Kind]) -> Object:
    """The schemas of all messages that the kinds' schemas refer to."""
    todo = ["meta.v1.ObjectMeta"]
    for kind in kinds:
        name = wiretypes.message_name(kind.resource.api_version, kind.resource.kind)
        todo += [name] if name else []
    found: Object = {}
    while todo:
        name = todo.pop()
        if _full(name) not in found:
            found[_full(name)] = _message(name)
            todo += [field.type for field in wiretypes.fields(name).values() if field.type not in wiretypes.SCALARS]
    return found


def _operation(kind: Kind, action: str) -> Object:
    return {
        "operationId": f"{action}{kind.resource.kind}",
        "parameters": [{"name": name, "in": "query", "schema": {"type": "string"}} for name in _QUERY],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(kind),
    }


def _paths(kind: Kind) -> Object:
    collection = kind.resource.path("{namespace}")
    return {
        collection: {"get": _operation(kind, "list"), "post": _operation(kind, "post")},
        f"{collection}/{{name}}": {
            "get": _operation(kind, "get"),
            "put": _operation(kind, "put"),
            "patch": _operation(kind, "patch"),
            "delete": _operation(kind, "delete"),
        },
    }


_INFO = {"title": "Kubernetes", "version": VERSION}


def v3_index(catalog: Catalog) -> Object:
    """/openapi/v3"""
    versions = dict.fromkeys(kind.resource.api_version for kind in catalog)
    paths = [f"apis/{v}" if "/" in v else f"api/{v}" for v in versions]
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={catalog.revision}"} for path in paths}}


def v3(catalog: Catalog, path: str) -> Object | None:
    """/openapi/v3/api/v1 and /openapi/v3/apis/GROUP/VERSION; None when nothing of it is served."""
    api_version = path.partition("/")[2]
    kinds = [kind for kind in catalog if kind.resource.api_version == api_version]
    if not kinds:
        return None
    paths: dict[str, Any] = {}
    for kind in kinds:
        paths |= _paths(kind)
    schemas = _parts(kinds) | {_name(kind): _schema(kind) for kind in kinds}
    return {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": schemas}}


def v2(catalog: Catalog) -> Object:
    """/openapi/v2: names only."""
    definitions = {_name(kind): {"type": "object", "x-kubernetes-group-version-kind": [_gvk(kind)]} for kind in catalog}
    return {"swagger": "2.0", "info": _INFO, "paths": {}, "definitions": definitions}


def v2_protobuf(catalog: Catalog) -> bytes:
    """The same as kubectl reads it before it sends a List. Numbers are those of gnostic's openapi.v2.Document."""
    definitions = b"".join(_part(1, _part(1, _name(kind)) + _part(2, _any_object(kind))) for kind in catalog)
    info = _part(1, _INFO["title"]) + _part(2, _INFO["version"])
    return _part(1, "2.0") + _part(2, info) + _part(8, b"") + _part(9, definitions)


def _any_object(kind: Kind) -> bytes:
    """A Schema of any object, with the kind's name in an extension."""
    lines = [f"{'-' if n == 0 else ' '} {field}: {orjson.dumps(v).decode()}\n" for n, (field, v) in _numbered(kind)]
    named = _part(1, "x-kubernetes-group-version-kind") + _part(2, _part(2, "".join(lines)))
    return _part(22, _part(1, "object")) + _part(31, named)


def _numbered(kind: Kind) -> list[tuple[int, tuple[str, str]]]:
    return list(enumerate(_gvk(kind).items()))


def _part(number: int, content: str | bytes) -> bytes:
    """A field of protobuf: its number, its length, its content."""
    raw = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _varint(number: int) -> bytes:
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes((*made, number))

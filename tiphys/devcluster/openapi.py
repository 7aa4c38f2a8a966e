"""OpenAPI documents: enough for kubectl to validate on the server, to apply, and to explain custom kinds in full."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster import known
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
        "metadata": {"type": "object", "description": "Standard object's metadata."},
    }
    if not kind.custom:
        fields = known.TOP.get(kind.resource.kind, known.SPEC_AND_STATUS)
        schema["properties"] = {
            name: {"type": "object", "x-kubernetes-preserve-unknown-fields": True} for name in fields
        }
    schema["properties"] = {**properties, **(schema.get("properties") or {})}
    schema["x-kubernetes-group-version-kind"] = [_gvk(kind)]
    return schema


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
    schemas = {_name(kind): _schema(kind) for kind in kinds}
    return {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": schemas}}


def v2(catalog: Catalog) -> Object:
    """/openapi/v2: names only."""
    definitions = {_name(kind): {"type": "object", "x-kubernetes-group-version-kind": [_gvk(kind)]} for kind in catalog}
    return {"swagger": "2.0", "info": _INFO, "paths": {}, "definitions": definitions}

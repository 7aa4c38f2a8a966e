"""Paths that are no objects: discovery, OpenAPI, health, metrics, reviews."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import orjson

from runtime.objects import Object
from tiphys.devcluster import discovery, openapi, reviews
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.tokens import User

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
REVIEWS = (
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    "/apis/authentication.k8s.io/v1/tokenreviews",
)
OPENAPI_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
HEALTH = ("/readyz", "/livez", "/healthz")


class Document(NamedTuple):
    """What to answer."""

    body: bytes
    content_type: str = JSON
    code: int = 200


def _json(thing: Object | None) -> Document | None:
    return None if thing is None else Document(orjson.dumps(thing))


def document(server: ApiServer, path: str, accept: str, body: Any, user: User) -> Document | None:
    """The document at a path; None when there is none."""
    catalog = server.catalog
    parts = path.strip("/").split("/")
    match parts:
        case ["api" | "apis" as root]:
            return _root(server, root, accept)
        case ["api", "v1"]:
            return _json(discovery.resource_list(catalog, "v1"))
        case ["apis", "authorization.k8s.io" | "authentication.k8s.io", "v1", plural]:
            return _review(server, plural, body, user)
        case ["apis", group]:
            return _json(discovery.group(catalog, group))
        case ["apis", group, version]:
            return _json(discovery.resource_list(catalog, f"{group}/{version}"))
        case ["version"]:
            return _json(discovery.version())
        case ["openapi", *rest]:
            return _openapi(server, rest, accept)
        case ["metrics"]:
            return Document(_metrics(server).encode(), "text/plain; version=0.0.4; charset=utf-8")
        case [""]:
            paths = [
                "/api",
                "/apis",
                "/healthz",
                "/livez",
                "/metrics",
                "/openapi/v2",
                "/openapi/v3",
                "/readyz",
                "/version",
            ]
            return _json({"paths": paths})
    return Document(b"ok", TEXT) if f"/{parts[0]}" in HEALTH and len(parts) == 1 else None


def _review(server: ApiServer, plural: str, body: Any, user: User) -> Document | None:
    match plural:
        case "selfsubjectaccessreviews":
            made = reviews.access(body)
        case "selfsubjectrulesreviews":
            made = reviews.rules(body)
        case "subjectaccessreviews":
            made = reviews.subject_access(body)
        case "selfsubjectreviews":
            made = reviews.whoami(body, user)
        case "tokenreviews":
            made = reviews.review(server, body)
        case _:
            return None
    return Document(orjson.dumps(made), code=201)


def _root(server: ApiServer, root: str, accept: str) -> Document | None:
    if "as=APIGroupDiscoveryList" in accept and "v=v2" in accept.replace("v2beta1", ""):
        made = discovery.aggregated(server.catalog, legacy=root == "api")
        return Document(orjson.dumps(made), discovery.AGGREGATED)
    return _json(discovery.api_versions("127.0.0.1") if root == "api" else discovery.group_list(server.catalog))


def _openapi(server: ApiServer, rest: list[str], accept: str) -> Document | None:
    if rest == ["v2"]:
        if OPENAPI_PROTOBUF in accept:
            answered = OPENAPI_PROTOBUF.replace("@", ".")  # what is asked for is no valid media type
            return Document(openapi.v2_protobuf(server.catalog), answered)
        return _json(openapi.v2(server.catalog))
    if rest == ["v3"]:
        return _json(openapi.v3_index(server.catalog))
    if rest[:1] == ["v3"]:
        return _json(openapi.v3(server.catalog, "/".join(rest[1:])))
    return None


def _metrics(server: ApiServer) -> str:
    lines = ["# TYPE apiserver_storage_objects gauge"]
    watchers = ["# TYPE apiserver_registered_watchers gauge"]
    for (group, plural), bucket in sorted(server.storage.buckets.items()):
        name = f"{plural}.{group}" if group else plural
        lines.append(f'apiserver_storage_objects{{resource="{name}"}} {len(bucket.records)}')
        watchers.append(f'apiserver_registered_watchers{{resource="{name}"}} {len(bucket.watchers)}')
    requests = ["# TYPE apiserver_request_total counter"]
    for (verb, resource, code), count in sorted(server.requests.items()):
        labels = f'verb="{verb}",resource="{resource}",code="{code}"'
        requests.append(f"apiserver_request_total{{{labels}}} {count}")
    version = ["# TYPE apiserver_storage_version counter", f"apiserver_storage_version {server.storage.version}"]
    cpu = ["# TYPE process_cpu_seconds_total counter", f"process_cpu_seconds_total {time.process_time():.3f}"]
    return "\n".join([*lines, *watchers, *requests, *version, *cpu]) + "\n"

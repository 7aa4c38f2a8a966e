"""Whatever a body has where something else belongs: the server refuses it or takes it, and never stumbles."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from runtime.api import ApiError
from runtime.objects import Object
from tests.contract.conftest import GIZMO
from tiphys.devcluster.answers import Call, answer
from tiphys.devcluster.routes import Target
from tiphys.devcluster.server import ApiServer

POD_SPEC: Object = {
    "containers": [
        {
            "name": "c",
            "image": "x",
            "ports": [{"containerPort": 1}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "resources": {"limits": {"cpu": "1"}},
            "volumeMounts": [{"name": "v", "mountPath": "/x"}],
            "livenessProbe": {"httpGet": {"port": 1}},
        }
    ],
    "initContainers": [{"name": "i", "image": "x"}],
    "volumes": [{"name": "v", "configMap": {"name": "x"}}],
    "tolerations": [{"key": "a"}],
}
OWNER = {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "u"}
META: Object = {"name": "one", "labels": {"a": "b"}, "finalizers": ["a/b"], "ownerReferences": [OWNER]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC}
SELECTED = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
ONCE = {"spec": {**POD_SPEC, "restartPolicy": "Never"}}
SCOPE = {"scopeName": "PriorityClass", "operator": "In", "values": ["x"]}
LIMIT = {"type": "Container", "max": {"cpu": "8"}, "default": {"cpu": "1"}}
BODIES: tuple[tuple[str, str, Object], ...] = (
    ("v1", "Pod", {"spec": POD_SPEC}),
    ("v1", "ConfigMap", {"data": {"a": "b"}}),
    ("v1", "Secret", {"stringData": {"a": "b"}, "data": {"x": "eA=="}}),
    ("v1", "Service", {"spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}),
    ("v1", "ResourceQuota", {"spec": {"hard": {"pods": "99"}, "scopeSelector": {"matchExpressions": [SCOPE]}}}),
    ("v1", "LimitRange", {"spec": {"limits": [LIMIT]}}),
    ("v1", "ReplicationController", {"spec": {"template": TEMPLATE}}),
    ("v1", "Endpoints", {"subsets": [{"addresses": [{"ip": "1.1.1.1"}], "ports": [{"port": 1}]}]}),
    ("v1", "Node", {"spec": {"taints": [{"key": "a"}]}, "status": {"conditions": [{"type": "Ready"}]}}),
    ("v1", "Event", {"involvedObject": {"kind": "Pod", "name": "x"}, "lastTimestamp": "2026-01-01T00:00:00Z"}),
    ("apps/v1", "Deployment", {"spec": {**SELECTED, "strategy": {"rollingUpdate": {"maxSurge": 1}}}}),
    ("apps/v1", "StatefulSet", {"spec": SELECTED}),
    ("batch/v1", "Job", {"spec": {"template": ONCE}}),
    ("batch/v1", "CronJob", {"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": ONCE}}}}),
    (
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        {"spec": {"scaleTargetRef": {"kind": "A", "name": "b"}, "maxReplicas": 1}},
    ),
    ("policy/v1", "PodDisruptionBudget", {"spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"a": "b"}}}}),
    ("networking.k8s.io/v1", "Ingress", {"spec": {"rules": [{"host": "h"}], "tls": [{"hosts": ["a"]}]}}),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", {"roleRef": {"kind": "Role", "name": "r", "apiGroup": "x"}}),
    ("lab.example.com/v1", "Gizmo", {"spec": {"size": 1, "free": {"a": 1}, "port": "x"}}),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", {"spec": GIZMO["spec"]}),
)
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, "", "x", "9" * 300),
    *([], {}, [None], {"a": None}, [[]], {"x": {"y": [1]}}, ["a"], {"matchLabels": None}),
)
JSON_PATCH, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a body."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in parts:
        yield from places(item, (*path, name))


def put(thing: Any, path: Path, value: Any) -> Any:
    """The body with another value at one place."""
    if not path:
        return value
    at = result = copy.deepcopy(thing)
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return result


def nested(path: Path, value: Any) -> Any:
    """A patch that sets one place."""
    for name in reversed(path):
        value = [value] if isinstance(name, int) else {name: value}
    return value


@pytest.mark.parametrize("seed", range(4))
def test_no_body_makes_the_server_stumble(seed: int) -> None:
    dice, server = Random(seed), ApiServer()
    server.start()
    definitions = server.catalog.find("apiextensions.k8s.io/v1", "customresourcedefinitions")
    assert definitions is not None
    server.rest.create(definitions, "", copy.deepcopy(GIZMO))
    for number in range(120):
        api_version, name, rest = dice.choice(BODIES)
        meta = {**META, "name": GIZMO["metadata"]["name"] if name == "CustomResourceDefinition" else META["name"]}
        body = {"apiVersion": api_version, "kind": name, "metadata": meta, **rest}
        kind = next(
            (k for k in server.catalog if (k.resource.api_version, k.resource.kind) == (api_version, name)), None
        )
        if kind is None:
            continue  # its definition has been changed
        where, odd = dice.choice(list(places(body))), dice.choice(ODD)
        thing = put(body, where, copy.deepcopy(odd))
        if isinstance(thing, dict) and isinstance(thing.get("metadata"), dict) and name != "CustomResourceDefinition":
            thing = put(thing, ("metadata", "name"), f"n-{number}")
        for call in requests(Target(kind, "default" if kind.resource.namespaced else None), body, thing, where, odd):
            with suppress(ApiError):
                answer(server, call)


def requests(target: Target, body: Object, thing: Any, where: Path, odd: Any) -> Iterator[Call]:
    """What can be asked with an odd body."""
    one, options = target._replace(name=body["metadata"]["name"]), {"fieldManager": "m", "force": "true"}
    yield Call("POST", target, {}, copy.deepcopy(thing))
    yield Call("POST", target, {}, copy.deepcopy(body))
    for media in (MERGE, STRATEGIC, APPLY):
        yield Call("PATCH", one, options, nested(where, copy.deepcopy(odd)), media)
    yield Call("PATCH", one, {}, [{"op": "replace", "path": "/" + "/".join(map(str, where)), "value": odd}], JSON_PATCH)
    yield Call("PUT", one, {}, copy.deepcopy(thing))
    for part in ("status", "scale"):
        yield Call("PATCH", one._replace(subresource=part), {}, nested(where, copy.deepcopy(odd)), MERGE)
    for part in target.kind.subresources:
        yield Call("POST", one._replace(subresource=part), {}, {"metadata": odd, "deleteOptions": odd, "spec": odd})
        yield Call("POST", one._replace(subresource=part), {}, {"metadata": {"name": one.name}, "target": odd})
    yield Call("GET", target, {}, accept=TABLE)
    yield Call("DELETE", one, {}, odd)

"""What is applied, written or patched in a wrong shape is refused with the place and in a real server's words."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.objects import CONFIGMAPS, Object
from tests.contract.conftest import GIZMOS
from tiphys.devcluster import applyshape, gotext, wiretypes
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.resources import built_in

SCHEMA: Object = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "count": {"type": "integer"},
                "on": {"type": "boolean"},
                "port": {"x-kubernetes-int-or-string": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "rows": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
                "keyed": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name", "protocol"],
                    "items": {
                        "type": "object",
                        "properties": {
                            "name": {"type": "string"},
                            "protocol": {"type": "string", "default": "TCP"},
                            "port": {"type": "integer"},
                        },
                    },
                },
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            },
        }
    },
}
THING = Kind(GIZMOS, custom=True, schema=SCHEMA)


def found(spec: Any, kind: Kind = THING) -> list[str]:
    meta = {"name": "x"}
    return applyshape.faults(
        kind, {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind, "metadata": meta, "spec": spec}
    )


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ("x", [".spec: expected map, got &{x}"]),
        ({"rows": {"some": "Hello, world!"}}, [".spec.rows: expected list, got &{map[some:Hello, world!]}"]),
        ({"rows": ["x"]}, [".spec.rows[0]: expected map, got &{x}"]),
        ({"rows": [{}, {"b": 1}]}, [".spec.rows[1].b: field not declared in schema"]),
        ({"name": 5}, [".spec.name: expected string, got &value.valueUnstructured{Value:5}"]),
        (
            {"name": {"a": ["b", 1.5]}},
            [
                ".spec.name: expected string, got &value.valueUnstructured{Value:map[string]interface {}"
                '{"a":[]interface {}{"b", 1.5}}}'
            ],
        ),
        ({"count": "5"}, [".spec.count: expected numeric (int or float), got string"]),
        ({"count": True}, [".spec.count: expected numeric (int or float), got bool"]),
        ({"on": "yes"}, [".spec.on: expected boolean, got &{yes}"]),
        ({"labels": {"a": True}}, [".spec.labels.a: expected string, got &value.valueUnstructured{Value:true}"]),
        ({"nope": 1, "count": "x", "zzz": 2}, [
            ".spec.count: expected numeric (int or float), got string",
            ".spec.nope: field not declared in schema",
        ]),
        ({"keyed": [{"name": "a"}, {"name": "a", "protocol": "TCP"}]}, [
            '.spec.keyed: duplicate entries for key [name="a",protocol="TCP"]'
        ]),
        ({"keyed": ["x"]}, [".spec.keyed: element 0: associative list with keys may not have non-map elements"]),
        ({"keyed": [{"name": "a", "port": "x"}]}, [
            '.spec.keyed[name="a",protocol="TCP"].port: expected numeric (int or float), got string'
        ]),
        ({"set": ["a", "b", "a"]}, ['.spec.set: duplicate entries for key [="a"]']),
        ({"set": [["a"]]}, [".spec.set: element 0: not supported: associative list with lists as elements"]),
        ({"port": {"a": 1}, "free": {"any": ["thing"]}, "labels": None, "rows": [], "count": 1.5}, []),
    ],
)  # fmt: skip
def test_a_value_of_another_shape_is_named_with_its_place(spec: Any, faults: list[str]) -> None:
    assert found(spec) == faults


def test_metadata_is_judged_like_the_rest() -> None:
    thing: Object = {"apiVersion": "lab.example.com/v1", "kind": "Gizmo", "metadata": {"lables": {}, "name": "x"}}
    assert applyshape.faults(THING, thing) == [".metadata.lables: field not declared in schema"]


@pytest.mark.parametrize(
    ("container", "fault"),
    [
        ({"name": "a", "foo": 1}, '.spec.containers[name="a"].foo: field not declared in schema'),
        ({"name": "a", "command": "x"}, '.spec.containers[name="a"].command: expected list, got &{x}'),
        (
            {"name": "a", "env": [{"name": "X", "value": 1}]},
            '.spec.containers[name="a"].env[name="X"].value: expected string, got &value.valueUnstructured{Value:1}',
        ),
        (
            {"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 80}]},
            '.spec.containers[name="a"].ports: duplicate entries for key [containerPort=80,protocol="TCP"]',
        ),
        (
            {"name": "a", "resources": {"limits": {"cpu": {}}}},
            '.spec.containers[name="a"].resources.limits.cpu: expected any scalar, got &{map[]}',
        ),
    ],
)
def test_built_in_kinds_are_judged_by_their_own_fields(container: Object, fault: str) -> None:
    pods = next(kind for kind in built_in() if kind.resource.kind == "Pod")
    assert found({"containers": [container]}, pods) == [fault]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_any_value_has_a_text_and_a_verdict(value: Any) -> None:
    assert isinstance(gotext.plain(value) + gotext.syntax(value) + gotext.type_name(value), str)
    assert isinstance(found(value), list)
    assert found({"free": {"x": value}}) == []


def test_keys_of_lists_are_those_that_kubernetes_publishes() -> None:
    assert wiretypes.lists("core.v1.Container")["ports"] == ("containerPort", "protocol")
    assert wiretypes.lists("meta.v1.ObjectMeta")["finalizers"] == ()
    assert "command" not in wiretypes.lists("core.v1.Container")


APPLY = {"Content-Type": "application/apply-patch+yaml"}


async def test_what_is_applied_in_a_wrong_shape_is_refused_before_anything_else(
    session: aiohttp.ClientSession,
) -> None:
    url = "/apis/lab.example.com/v1/namespaces/default/gizmos/x?fieldManager=me&fieldValidation=Strict"
    meta = {"name": "x", "namespace": "default"}
    body = {"apiVersion": "lab.example.com/v1", "kind": "Gizmo", "metadata": meta, "spec": {"size": ["x"], "y": 1}}
    async with session.patch(url, json=body, headers=APPLY) as response:
        status = await response.json()
    assert (response.status, status.get("reason")) == (500, None)
    assert status["message"] == (
        "failed to create typed patch object (default/x; lab.example.com/v1, Kind=Gizmo): errors:\n"
        "  .spec.size: expected numeric (int or float), got []interface {}\n"
        "  .spec.y: field not declared in schema"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "Other"}, "invalid object type: lab.example.com/v1, Kind=Other"),
        ({"kind": "", "apiVersion": ""}, "invalid object type: /, Kind="),
        ({"metadata": {"name": "y"}}, "the name of the object (y) does not match the name on the URL (x)"),
    ],
)
async def test_an_applied_object_says_what_it_is(session: aiohttp.ClientSession, change: Object, message: str) -> None:
    url = "/apis/lab.example.com/v1/namespaces/default/gizmos/x?fieldManager=me"
    body = {"apiVersion": "lab.example.com/v1", "kind": "Gizmo", "metadata": {"name": "x"}, "spec": {}, **change}
    async with session.patch(url, json=body, headers=APPLY) as response:
        assert (response.status, (await response.json())["message"]) == (400, message)


GIZMO_URL = "/apis/lab.example.com/v1/namespaces/default/gizmos"


async def test_unknown_fields_are_named_in_their_order_and_metadata_is_no_exception(
    session: aiohttp.ClientSession,
) -> None:
    body = {"metadata": {"name": "x", "lables": {}}, "spec": {"size": 1, "z": 1, "a": 1}}
    async with session.post(GIZMO_URL + "?fieldValidation=Strict", json=body) as response:
        assert response.status == 400
        assert (await response.json())["message"].endswith(
            'strict decoding error: unknown field "metadata.lables", unknown field "spec.a", unknown field "spec.z"'
        )
    async with session.post(GIZMO_URL, json=body) as response:
        assert response.status == 201
        assert "lables" not in (await response.json())["metadata"]
        assert response.headers.getall("Warning") == [
            f'299 - "unknown field \\"{path}\\""' for path in ("metadata.lables", "spec.a", "spec.z")
        ]


async def test_metadata_of_a_wrong_type_is_not_decoded(session: aiohttp.ClientSession) -> None:
    async with session.post(GIZMO_URL, json={"metadata": {"name": "x", "labels": {"a": 1}}}) as response:
        assert (response.status, (await response.json())["message"]) == (
            400,
            'Gizmo in version "v1" cannot be handled as a Gizmo: json: cannot unmarshal number into Go struct field '
            "ObjectMeta.labels of type string",
        )


@pytest.mark.parametrize(
    ("url", "body", "why"),
    [
        (
            "/api/v1/namespaces/default/pods",
            {"spec": {"containers": [{"name": "m", "command": "x"}]}},
            "json: cannot unmarshal string into Go struct field Container.spec.containers.command of type []string",
        ),
        (
            "/api/v1/namespaces/default/pods",
            {"spec": {"containers": [{"name": "m", "env": {}}]}},
            "json: cannot unmarshal object into Go struct field Container.spec.containers.env of type []v1.EnvVar",
        ),
        (
            "/apis/apps/v1/namespaces/default/deployments",
            {"spec": {"template": []}},
            "json: cannot unmarshal array into Go struct field DeploymentSpec.spec.template of type v1.PodTemplateSpec",
        ),
        (
            "/api/v1/namespaces/default/pods",
            {"spec": {"containers": [{"name": "m", "resources": {"limits": {"cpu": {}}}}]}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    ],
)
async def test_a_body_of_a_wrong_shape_is_refused_with_the_type_that_has_the_field(
    session: aiohttp.ClientSession, url: str, body: Object, why: str
) -> None:
    async with session.post(url, json={"metadata": {"name": "x"}, **body}) as response:
        assert response.status == 400
        assert (await response.json())["message"].endswith(f": {why}")


async def test_a_patch_is_blamed_for_what_it_makes_of_the_object(session: aiohttp.ClientSession) -> None:
    url = f"/api/v1/namespaces/default/{CONFIGMAPS.plural}"
    async with session.post(url, json={"metadata": {"name": "c"}, "data": {"a": "b"}}) as response:
        assert response.status == 201
    strategic = {"Content-Type": "application/strategic-merge-patch+json"}
    strict = f"{url}/c?fieldValidation=Strict"
    async with session.patch(strict, json={"foo": {"a": 1}}, headers=strategic) as response:
        status = await response.json()
    assert (status["code"], status["reason"]) == (422, "Invalid")
    why = 'strict decoding error: unknown field "foo"'
    assert status["message"] == f' "" is invalid: patch: Invalid value: "map[foo:map[a:1]]": {why}'
    merge = {"Content-Type": "application/merge-patch+json"}
    async with session.patch(f"{url}/c", json={"data": ["x"]}, headers=merge) as response:
        cause = (await response.json())["details"]["causes"][0]
    assert (response.status, cause["field"]) == (422, "patch")
    assert cause["message"].startswith('Invalid value: "{\\"apiVersion\\":\\"v1\\",\\"data\\":[\\"x\\"]')
    assert cause["message"].endswith("Go struct field ConfigMap.data of type map[string]string")


@pytest.mark.parametrize(
    ("owners", "why"),
    [
        (
            [{"name": "x", "kind": "Pod"}],
            '[metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty, '
            'metadata.ownerReferences.uid: Invalid value: "": must not be empty]',
        ),
        (
            [{"apiVersion": "v1", "kind": "Pod", "name": name, "uid": name, "controller": True} for name in "ab"],
            'Only one reference can have Controller set to true. Found "true" in references for Pod/a and Pod/b',
        ),
        (
            [{"apiVersion": "v1", "kind": "Event", "name": "e", "uid": "e"}],
            "/v1, Kind=Event is disallowed from being an owner",
        ),
    ],
)
async def test_owners_are_named_whole_and_one_is_the_controller(
    session: aiohttp.ClientSession, owners: list[Object], why: str
) -> None:
    body = {"metadata": {"name": "c", "ownerReferences": owners}}
    async with session.post("/api/v1/namespaces/default/configmaps", json=body) as response:
        assert (response.status, (await response.json())["message"].endswith(why)) == (422, True)


async def test_what_others_put_into_a_map_outlives_who_applied_it_empty(session: aiohttp.ClientSession) -> None:
    url = "/api/v1/namespaces/default/configmaps/c"
    head: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}

    async def applied(manager: str, **rest: Any) -> Object:
        async with session.patch(f"{url}?fieldManager={manager}", json={**head, **rest}, headers=APPLY) as response:
            assert response.status in (200, 201), await response.text()
            thing: Object = await response.json()
            return thing

    await applied("one", data={"a": "b"}, metadata={"name": "c", "annotations": {}})
    await applied("two", metadata={"name": "c", "annotations": {"kept": "yes"}})
    thing = await applied("one")
    assert "data" not in thing
    assert thing["metadata"]["annotations"] == {"kept": "yes"}


async def test_the_status_is_owned_through_its_own_path_only(session: aiohttp.ClientSession) -> None:
    url, head = f"{GIZMO_URL}/x", {"apiVersion": "lab.example.com/v1", "kind": "Gizmo", "metadata": {"name": "x"}}
    body = {**head, "spec": {"size": 1}, "status": {"n": 1}}
    async with session.patch(f"{url}?fieldManager=main", json=body, headers=APPLY) as response:
        entries = (await response.json())["metadata"]["managedFields"]
        assert [entry["fieldsV1"] for entry in entries] == [{"f:spec": {"f:size": {}}}]
    body = {**head, "spec": {"size": 2}, "status": {"n": 1}}
    async with session.patch(f"{url}/status?fieldManager=ctl", json=body, headers=APPLY) as response:
        thing = await response.json()
    owned = {entry["manager"]: entry["fieldsV1"] for entry in thing["metadata"]["managedFields"]}
    assert owned == {"main": {"f:spec": {"f:size": {}}}, "ctl": {"f:status": {"f:n": {}}}}
    assert (thing["spec"]["size"], thing["status"]) == (1, {"n": 1})


@pytest.mark.parametrize(
    ("query", "content_type", "why"),
    [
        ("", APPLY["Content-Type"], "fieldManager: Required value: is required for apply patch"),
        ("fieldManager=" + "x" * 129, APPLY["Content-Type"], "fieldManager: Too long: may not be more than 128 bytes"),
        ("force=true", "application/merge-patch+json", "force: Forbidden: may not be specified for non-apply patch"),
    ],
)
async def test_options_that_do_not_go_with_a_patch_are_refused(
    session: aiohttp.ClientSession, query: str, content_type: str, why: str
) -> None:
    url = f"/api/v1/namespaces/default/configmaps/kube-root-ca.crt?{query}"
    async with session.patch(url, json={}, headers={"Content-Type": content_type}) as response:
        message = (await response.json())["message"]
    assert (response.status, message) == (422, f'PatchOptions.meta.k8s.io "" is invalid: {why}')


async def test_several_conflicts_are_listed_by_owner_and_place(session: aiohttp.ClientSession) -> None:
    url = "/api/v1/namespaces/default/configmaps/c"
    head: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    async with session.patch(f"{url}?fieldManager=a", json={**head, "data": {"x": "1", "y": "1"}}, headers=APPLY):
        pass
    second = {**head, "data": {"x": "2", "y": "2"}}
    async with session.patch(f"{url}?fieldManager=b", json=second, headers=APPLY) as response:
        assert (await response.json())["message"] == (
            'Apply failed with 2 conflicts: conflicts with "a":\n- .data.x\n- .data.y'
        )

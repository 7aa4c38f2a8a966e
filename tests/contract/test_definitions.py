"""What a CustomResourceDefinition says holds for its objects: defaults, pruning, rules, versions, columns, scale."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import anyio
import pytest

from runtime.api import Api, Gone, Refused
from runtime.objects import CRDS, Reference, Resource, reference
from tests.contract.conftest import definition
from tests.contract.teapots import NUMBER, TEAPOTS, TEXT, define, spec_schema, teapot
from tiphys.devcluster.cluster import DevCluster, Serving, Settings

OLD_TEAPOTS = TEAPOTS._replace(api_version="lab.example.com/v1alpha1")


@pytest.fixture
async def cluster() -> AsyncIterator[DevCluster]:
    async with DevCluster(Settings(serving=Serving())) as running:
        yield running


@pytest.fixture
async def api(cluster: DevCluster) -> Api:
    return cluster.api


async def test_defaults_reach_into_lists_and_maps(api: Api) -> None:
    port = {"type": "object", "properties": {"n": NUMBER, "protocol": {"type": "string", "default": "TCP"}}}
    container = {"type": "object", "properties": {"ports": {"type": "array", "items": port}}}
    await define(
        api,
        spec_schema(
            containers={"type": "array", "items": container},
            named={"type": "object", "additionalProperties": port},
            absent={"type": "object", "properties": {"deep": {"type": "string", "default": "x"}}},
            made={"type": "object", "default": {}, "properties": {"deep": {"type": "string", "default": "x"}}},
        ),
    )
    made = await api.create(
        TEAPOTS, teapot(containers=[{"ports": [{"n": 1}, {"n": 2, "protocol": "UDP"}]}], named={"a": {}})
    )
    assert made["spec"] == {
        "containers": [{"ports": [{"n": 1, "protocol": "TCP"}, {"n": 2, "protocol": "UDP"}]}],
        "named": {"a": {"protocol": "TCP"}},
        "made": {"deep": "x"},
    }


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (
            {"type": "object", "properties": {"spec": {}}},
            "spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified",
        ),
        ({"properties": {}}, "spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root"),
        ({"type": "array", "items": TEXT}, 'type: Invalid value: "array": must be object at the root'),
        (spec_schema(a={"type": "array"}), "properties[spec].properties[a].items: Required value: must be specified"),
        (
            spec_schema(a={"type": "array", "items": {}}),
            "properties[a].items.type: Required value: must not be empty for specified array items",
        ),
        (
            spec_schema(
                a={
                    "type": "array",
                    "items": {"type": "object", "properties": {"n": TEXT}},
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["n"],
                }
            ),
            "items.properties[n].default: Required value: this property is in x-kubernetes-list-map-keys",
        ),
    ],
)
async def test_a_schema_that_is_not_structural_is_refused_with_the_place(api: Api, broken: Any, why: str) -> None:
    with pytest.raises(Refused) as refused:
        await define(api, broken)
    assert why in str(refused.value)


async def test_unknown_fields_are_kept_where_the_schema_says_so_and_nowhere_else(api: Api) -> None:
    keeps = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    strict_below = {**keeps, "properties": {"known": {"type": "object", "properties": {"a": TEXT}}}}
    embedded = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": keeps}}
    await define(api, spec_schema(free=keeps, mixed=strict_below, pod=embedded))
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "b"}}, "spec": {"x": [1]}}
    made = await api.create(
        TEAPOTS,
        teapot(free={"x": {"y": [1]}}, mixed={"other": {"z": 1}, "known": {"a": "b", "c": "d"}}, pod=pod, gone=1),
    )
    assert made["spec"] == {"free": {"x": {"y": [1]}}, "mixed": {"other": {"z": 1}, "known": {"a": "b"}}, "pod": pod}


async def test_every_served_version_shows_the_same_objects_in_its_own_shape(api: Api) -> None:
    made = definition("Teapot", "teapots", spec_schema(size=NUMBER, lid={"type": "string", "default": "on"}))
    older = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": NUMBER}}}}
    versions = made["spec"]["versions"]
    versions.append({"name": "v1alpha1", "served": True, "storage": False, "schema": {"openAPIV3Schema": older}})
    versions.append({"name": "v0", "served": False, "storage": False, "schema": {"openAPIV3Schema": older}})
    await api.create(CRDS, made)
    await api.create(OLD_TEAPOTS, {"metadata": {"name": "t", "namespace": "default"}, "spec": {"size": 2}})
    new = await api.get(Reference(TEAPOTS, "default", "t"))
    assert (new["apiVersion"], new["spec"]) == ("lab.example.com/v1", {"size": 2, "lid": "on"})
    changed = await api.patch(reference(TEAPOTS, new), {"spec": {"lid": "off"}})
    assert changed["spec"] == {"size": 2, "lid": "off"}
    old = await api.get(Reference(OLD_TEAPOTS, "default", "t"))
    assert (old["apiVersion"], old["spec"]) == ("lab.example.com/v1alpha1", {"size": 2})
    async with api.watch(OLD_TEAPOTS, resource_version="0") as events:
        seen = (await anext(events)).object
        assert (seen["apiVersion"], seen["spec"]) == ("lab.example.com/v1alpha1", {"size": 2})
    with pytest.raises(Gone):
        await api.list(TEAPOTS._replace(api_version="lab.example.com/v0"))
    stored = await api.get(Reference(CRDS, "", "teapots.lab.example.com"))
    assert stored["status"]["storedVersions"] == ["v1"]


async def test_a_new_storage_version_is_added_to_the_stored_ones(api: Api) -> None:
    made = definition("Teapot", "teapots", spec_schema(size=NUMBER))
    ref = reference(CRDS, await api.create(CRDS, made))
    first = made["spec"]["versions"][0]
    second = {**first, "name": "v2"}
    await api.patch(ref, {"spec": {"versions": [{**first, "storage": False}, second]}})
    assert (await api.get(ref))["status"]["storedVersions"] == ["v1", "v2"]


async def test_the_stable_version_is_the_preferred_one(session: aiohttp.ClientSession, api: Api) -> None:
    made = definition("Teapot", "teapots", spec_schema(size=NUMBER))
    first = made["spec"]["versions"][0]
    names = ["v1alpha1", "v1beta2", "v2", "v10", "odd"]
    made["spec"]["versions"] = [{**first, "name": name, "storage": name == "v1alpha1"} for name in names]
    await api.create(CRDS, made)
    async with session.get("/apis/lab.example.com") as response:
        group = await response.json()
    assert [version["version"] for version in group["versions"]] == ["v10", "v2", "v1beta2", "v1alpha1", "odd"]
    assert group["preferredVersion"]["version"] == "v10"


async def test_a_definition_stays_until_its_objects_are_gone(api: Api) -> None:
    await define(api, spec_schema(size=NUMBER))
    ref = reference(TEAPOTS, await api.create(TEAPOTS, teapot(size=1)))
    await api.patch(ref, {"metadata": {"finalizers": ["lab.example.com/hold"]}})
    definitions = Reference(CRDS, "", "teapots.lab.example.com")
    await api.delete(definitions)
    await until(api, TEAPOTS, lambda thing: "deletionTimestamp" in thing["metadata"])
    conditions = (await api.get(definitions))["status"]["conditions"]
    assert [c["type"] for c in conditions if c["status"] == "True"] == ["NamesAccepted", "Established", "Terminating"]
    late = {"metadata": {"name": "late", "namespace": "default"}}
    with pytest.raises(Refused, match="create not allowed while custom resource definition is terminating"):
        await api.create(TEAPOTS, late)
    async with api.watch(CRDS, resource_version="0") as events:
        await anext(events)
        await api.patch(ref, {"metadata": {"finalizers": None}})
        with anyio.fail_after(5):
            while (await anext(events)).type != "DELETED":
                pass
    with pytest.raises(Gone):
        await api.get(definitions)
    with pytest.raises(Gone):
        await api.list(TEAPOTS)


async def until(api: Api, resource: Resource, is_so: Callable[[dict[str, Any]], bool]) -> None:
    """Wait for an object that is so."""
    with anyio.fail_after(5):
        async with api.watch(resource, resource_version="0") as events:
            async for event in events:
                if is_so(event.object):
                    return


async def test_the_scale_of_a_custom_kind_reads_and_writes_where_the_definition_says(api: Api) -> None:
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = spec_schema(pods={"type": "object", "properties": {"count": NUMBER}})
    schema["properties"]["status"] = status
    paths = {
        "specReplicasPath": ".spec.pods.count",
        "statusReplicasPath": ".status.there",
        "labelSelectorPath": ".status.selector",
    }
    await define(api, schema, subresources={"status": {}, "scale": paths})
    ref = reference(TEAPOTS, await api.create(TEAPOTS, teapot(pods={"count": 2})))
    await api.patch(ref, {"status": {"there": 1, "selector": "app=tea"}}, subresource="status")
    scale = await api.patch(ref, {"spec": {"replicas": 5}}, subresource="scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 5}, {"replicas": 1, "selector": "app=tea"})
    assert (await api.get(ref))["spec"] == {"pods": {"count": 5}}


async def test_lists_are_applied_in_the_parts_that_the_schema_names(session: aiohttp.ClientSession, api: Api) -> None:
    item = {"type": "object", "properties": {"name": TEXT, "port": NUMBER, "v": TEXT}}
    keyed = {**item, "required": ["name", "port"]}
    keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "port"]}
    whole = {"type": "object", "additionalProperties": TEXT, "x-kubernetes-map-type": "atomic"}
    await define(
        api,
        spec_schema(
            containers={"type": "array", "items": item},
            listeners={"type": "array", "items": keyed, **keys},
            tags={"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
            whole=whole,
        ),
    )
    made = {
        "containers": [{"name": "a", "v": "1"}, {"name": "b"}],
        "listeners": [{"name": "a", "port": 1, "v": "1"}, {"name": "a", "port": 2}],
        "tags": ["x", "y"],
        "whole": {"a": "b"},
    }
    code, _ = await applied(session, made, "first")
    assert code == 201
    more = {"listeners": [{"name": "a", "port": 2, "v": "2"}], "tags": ["z"]}
    code, thing = await applied(session, more, "second")
    assert (code, thing["spec"]["tags"]) == (200, ["x", "y", "z"])
    assert thing["spec"]["listeners"] == [{"name": "a", "port": 1, "v": "1"}, {"name": "a", "port": 2, "v": "2"}]
    clash = {"containers": [{"name": "a"}], "whole": {"c": "d"}}
    code, refusal = await applied(session, clash, "third")
    assert code == 409
    assert [cause["field"] for cause in refusal["details"]["causes"]] == [".spec.containers", ".spec.whole"]
    code, thing = await applied(session, clash, "third", force="true")
    assert (thing["spec"]["containers"], thing["spec"]["whole"]) == ([{"name": "a"}], {"c": "d"})
    code, thing = await applied(session, {"tags": ["z"]}, "second")
    assert thing["spec"]["listeners"] == [{"name": "a", "port": 1, "v": "1"}, {"name": "a", "port": 2}]


async def applied(session: aiohttp.ClientSession, spec: dict[str, Any], manager: str, **query: str) -> tuple[int, Any]:
    """Apply a teapot."""
    body = {"apiVersion": "lab.example.com/v1", "kind": "Teapot", **teapot(**spec)}
    headers = {"Content-Type": "application/apply-patch+yaml"}
    path, asked = TEAPOTS.path("default", "t"), {"fieldManager": manager, **query}
    async with session.patch(path, params=asked, json=body, headers=headers) as response:
        return response.status, await response.json()


async def test_what_was_there_before_the_first_apply_has_an_owner(session: aiohttp.ClientSession, api: Api) -> None:
    await define(api, spec_schema(size=NUMBER, lid=TEXT))
    await api.create(TEAPOTS, teapot(size=1, lid="on"))
    code, refusal = await applied(session, {"size": 2}, "me")
    assert code == 409
    why = 'Apply failed with 1 conflict: conflict with "before-first-apply" using lab.example.com/v1: .spec.size'
    assert refusal["message"] == why
    code, thing = await applied(session, {"size": 1}, "me")
    assert [entry["manager"] for entry in thing["metadata"]["managedFields"]] == ["before-first-apply", "me"]
    code, thing = await applied(session, {"size": 2}, "me", force="true")
    assert (code, thing["spec"]) == (200, {"size": 2, "lid": "on"})
    forgotten = await api.patch(reference(TEAPOTS, thing), {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in forgotten["metadata"]


async def test_names_categories_and_columns_are_those_of_the_definition(
    session: aiohttp.ClientSession, api: Api
) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp", "priority": 1},
    ]
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": free, "status": free}}
    made = definition("Teapot", "teapots", schema, additionalPrinterColumns=columns)
    made["spec"]["names"] |= {"shortNames": ["tp"], "categories": ["all", "kitchen"]}
    await api.create(CRDS, made)
    ready = {"conditions": [{"type": "Old", "status": "False"}, {"type": "Ready", "status": "True"}]}
    await api.create(TEAPOTS, {**teapot(size=3), "status": ready})
    async with session.get("/apis/lab.example.com/v1") as response:
        listed = (await response.json())["resources"][0]
    assert (listed["shortNames"], listed["categories"]) == (["tp"], ["all", "kitchen"])
    headers = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with session.get(TEAPOTS.path("default"), headers=headers) as response:
        table = await response.json()
    assert [(c["name"], c["priority"]) for c in table["columnDefinitions"]] == [
        ("Name", 0),
        ("Size", 0),
        ("Ready", 0),
        ("Since", 1),
    ]
    assert table["rows"][0]["cells"][:3] == ["t", 3, "True"]

"""What a caller may rely on, whichever door it comes by."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from runtime.api import (
    AlreadyExists,
    Api,
    Conflict,
    Expired,
    Gone,
    LogOptions,
    Refused,
    Selection,
    WatchEvent,
)
from runtime.objects import CONFIGMAPS, NAMESPACES, PODS, SERVICE_ACCOUNTS, Reference, Resource, reference
from tests.contract.conftest import GIZMOS, WIDGETS

POD_SPEC = {"containers": [{"name": "main", "image": "busybox"}], "restartPolicy": "Never"}


def configmap(name: str = "a", **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", **meta}, "data": {"k": "v"}}


def pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {**POD_SPEC, **spec}}


async def events(api: Api, resource: Resource, since: str, count: int, **selection: str) -> list[WatchEvent]:
    """The first `count` events that are no bookmarks."""
    found: list[WatchEvent] = []
    chosen = Selection("default", **selection)
    with anyio.fail_after(5):
        async with api.watch(resource, chosen, resource_version=since, timeout_s=5) as stream:
            async for event in stream:
                if event.type != "BOOKMARK":
                    found.append(event)
                if len(found) == count:
                    break
    return found


async def test_what_is_created_is_read_back_with_identity_and_version(api: Api) -> None:
    made = await api.create(CONFIGMAPS, configmap())
    assert made["apiVersion"] == "v1"
    assert made["kind"] == "ConfigMap"
    assert made["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"].endswith("Z")
    assert await api.get(reference(CONFIGMAPS, made)) == made


async def test_objects_passed_are_not_kept_and_objects_returned_belong_to_the_caller(api: Api) -> None:
    thing = configmap()
    made = await api.create(CONFIGMAPS, thing)
    thing["data"]["k"] = made["data"]["k"] = "changed"
    assert (await api.get(reference(CONFIGMAPS, made)))["data"] == {"k": "v"}


async def test_a_second_object_of_a_name_already_exists(api: Api) -> None:
    await api.create(CONFIGMAPS, configmap())
    with pytest.raises(AlreadyExists, match='configmaps "a" already exists'):
        await api.create(CONFIGMAPS, configmap())


async def test_a_dry_run_leaves_nothing_behind(api: Api) -> None:
    made = await api.create(CONFIGMAPS, configmap(), dry_run=True)
    assert made["metadata"]["uid"]
    with pytest.raises(Gone):
        await api.get(Reference(CONFIGMAPS, "default", "a"))


async def test_a_generated_name_begins_as_asked_and_is_new(api: Api) -> None:
    thing = {"metadata": {"generateName": "gen-", "namespace": "default"}}
    names = {(await api.create(CONFIGMAPS, thing))["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("gen-") and len(name) == 9 for name in names)


async def test_a_successor_of_the_same_name_is_not_the_object_meant(api: Api) -> None:
    first = reference(CONFIGMAPS, await api.create(CONFIGMAPS, configmap()))
    await api.delete(first)
    await api.create(CONFIGMAPS, configmap())
    with pytest.raises(Gone):
        await api.get(first)
    with pytest.raises(Conflict):
        await api.patch(first, {"data": {"k": "w"}})
    with pytest.raises(Conflict):
        await api.delete(first)


async def test_an_update_from_an_old_version_conflicts(api: Api) -> None:
    old = await api.create(CONFIGMAPS, configmap())
    await api.patch(reference(CONFIGMAPS, old), {"data": {"k": "w"}})
    with pytest.raises(Conflict, match="the object has been modified"):
        await api.replace(CONFIGMAPS, old)
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "data": {"k": "x"}}
    with pytest.raises(Conflict):
        await api.patch(reference(CONFIGMAPS, old), stale)


async def test_a_write_that_changes_nothing_makes_no_new_version(api: Api) -> None:
    made = await api.create(CONFIGMAPS, configmap())
    again = await api.patch(reference(CONFIGMAPS, made), {"data": {"k": "v"}})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_the_main_path_keeps_the_status_where_that_is_a_subresource(api: Api) -> None:
    ref = reference(PODS, await api.create(PODS, pod()))
    assert (await api.patch(ref, {"status": {"phase": "Failed"}}))["status"]["phase"] == "Pending"
    assert (await api.patch(ref, {"status": {"phase": "Failed"}}, subresource="status"))["status"]["phase"] == "Failed"


async def test_a_custom_kind_without_a_status_subresource_takes_its_status_on_the_main_path(api: Api) -> None:
    thing = {"metadata": {"name": "w", "namespace": "default"}, "status": {"phase": "New"}}
    made = await api.create(WIDGETS, thing)
    assert made["status"] == {"phase": "New"}
    ref = reference(WIDGETS, made)
    assert (await api.patch(ref, {"status": {"phase": "Old"}}))["status"] == {"phase": "Old"}
    made = await api.get(ref)
    made["status"]["phase"] = "Put"
    assert (await api.replace(WIDGETS, made))["status"] == {"phase": "Put"}
    with pytest.raises(Gone):
        await api.patch(ref, {"status": {}}, subresource="status")


async def test_a_custom_object_is_defaulted_pruned_and_validated(api: Api) -> None:
    spec = {"size": 2, "free": {"any": [1]}, "port": "http", "extra": 1}
    made = await api.create(GIZMOS, {"metadata": {"name": "g", "namespace": "default"}, "spec": spec})
    assert made["spec"] == {"size": 2, "color": "blue", "free": {"any": [1]}, "port": "http"}
    with pytest.raises(Refused, match=r"spec.size: Invalid value: 0: spec.size in body should be greater than") as bad:
        await api.patch(reference(GIZMOS, made), {"spec": {"size": 0}})
    assert bad.value.status["details"]["causes"][0]["field"] == "spec.size"


async def test_the_generation_counts_changes_of_what_is_wished(api: Api) -> None:
    made = await api.create(GIZMOS, {"metadata": {"name": "g", "namespace": "default"}, "spec": {"size": 1}})
    ref = reference(GIZMOS, made)
    assert (await api.patch(ref, {"metadata": {"labels": {"a": "b"}}}))["metadata"]["generation"] == 1
    assert (await api.patch(ref, {"status": {"n": 1}}, subresource="status"))["metadata"]["generation"] == 1
    assert (await api.patch(ref, {"spec": {"size": 2}}))["metadata"]["generation"] == 2


async def test_patches_of_all_kinds_do_what_their_standards_say(api: Api) -> None:
    ref = reference(PODS, await api.create(PODS, pod()))
    await api.patch(ref, [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}], kind="json")
    patch = {"spec": {"containers": [{"name": "main", "image": "other"}]}}
    patched = await api.patch(ref, patch, kind="strategic")
    assert patched["spec"]["containers"][0]["image"] == "other"
    assert patched["spec"]["containers"][0]["terminationMessagePath"]
    assert patched["metadata"]["labels"] == {"a": "b"}
    with pytest.raises(Refused):
        await api.patch(ref, [{"op": "test", "path": "/metadata/name", "value": "x"}], kind="json")


async def test_an_applier_owns_what_it_applied_and_gives_it_up_by_leaving_it_out(api: Api) -> None:
    ref = Reference(CONFIGMAPS, "default", "ap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ap"}, "data": {"a": "1", "b": "2"}}
    await api.patch(ref, body, kind="apply", manager="one")
    await api.patch(ref, {"data": {"c": "3"}})
    applied = await api.patch(ref, {**body, "data": {"a": "1"}}, kind="apply", manager="one")
    assert applied["data"] == {"a": "1", "c": "3"}
    assert {entry["manager"] for entry in applied["metadata"]["managedFields"]} >= {"one"}


async def test_a_list_is_sorted_selected_and_paged(api: Api) -> None:
    for name in ("c", "a", "b"):
        await api.create(CONFIGMAPS, configmap(name, labels={"in": "yes" if name != "b" else "no"}))
    listed = await api.list(CONFIGMAPS, Selection("default"))
    assert [item["metadata"]["name"] for item in listed.items] == ["a", "b", "c"]
    assert all(item["kind"] == "ConfigMap" for item in listed.items)
    chosen = await api.list(CONFIGMAPS, Selection("default", labels="in in (yes)", fields="metadata.name!=a"))
    assert [item["metadata"]["name"] for item in chosen.items] == ["c"]
    first = await api.list(CONFIGMAPS, Selection("default"), limit=2)
    await api.create(CONFIGMAPS, configmap("bb"))
    rest = await api.list(CONFIGMAPS, Selection("default"), limit=2, continue_=first.continue_)
    assert [item["metadata"]["name"] for item in rest.items] == ["c"]
    assert rest.resource_version == first.resource_version
    assert rest.continue_ == ""


async def test_a_list_gives_what_is_known_already_as_it_is_there(api: Api) -> None:
    """What has another version or uid by now is made anew, and what nobody knows."""
    for name in "abcd":
        await api.create(CONFIGMAPS, configmap(name))
    known = {thing["metadata"]["name"]: thing for thing in (await api.list(CONFIGMAPS, Selection("default"))).items}
    await api.patch(Reference(CONFIGMAPS, "default", "b"), {"data": {"k": "w"}})
    del known["c"]

    def find(namespace: str, name: str) -> dict[str, Any] | None:
        return known.get(name) if namespace == "default" else None

    found = {thing["metadata"]["name"]: thing for thing in (await api.list(CONFIGMAPS, known=find)).items}
    assert [name for name in "abcd" if found[name] is known.get(name)] == ["a", "d"]
    assert (found["b"]["data"], found["c"]["data"]) == ({"k": "w"}, {"k": "v"})
    assert found == {thing["metadata"]["name"]: thing for thing in (await api.list(CONFIGMAPS)).items}


async def test_a_watch_tells_all_that_happened_since_a_version_in_order(api: Api) -> None:
    since = (await api.list(CONFIGMAPS)).resource_version
    ref = reference(CONFIGMAPS, await api.create(CONFIGMAPS, configmap()))
    await api.patch(ref, {"data": {"k": "w"}})
    await api.delete(ref)
    found = await events(api, CONFIGMAPS, since, 3)
    assert [event.type for event in found] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in found]
    assert versions == sorted(set(versions))


async def test_a_selection_is_entered_and_left(api: Api) -> None:
    since = (await api.list(CONFIGMAPS)).resource_version
    ref = reference(CONFIGMAPS, await api.create(CONFIGMAPS, configmap(labels={"w": "1"})))
    await api.patch(ref, {"metadata": {"labels": {"w": "2"}}})
    await api.patch(ref, {"metadata": {"labels": {"w": "1"}}})
    found = await events(api, CONFIGMAPS, since, 3, labels="w=1")
    assert [event.type for event in found] == ["ADDED", "DELETED", "ADDED"]
    assert found[1].object["metadata"]["labels"] == {"w": "1"}


async def test_a_watch_hears_what_happens_while_it_waits(api: Api) -> None:
    since = (await api.list(CONFIGMAPS)).resource_version
    async with anyio.create_task_group() as tasks, api.watch(CONFIGMAPS, resource_version=since) as stream:
        tasks.start_soon(api.create, CONFIGMAPS, configmap())
        with anyio.fail_after(5):
            event = await anext(stream)
    assert event.type == "ADDED"


async def test_a_watch_ends_in_time_with_a_bookmark(api: Api) -> None:
    since = (await api.list(CONFIGMAPS)).resource_version
    await api.create(PODS, pod())
    async with api.watch(CONFIGMAPS, resource_version=since, timeout_s=1) as stream:
        last = [event async for event in stream][-1]
    assert last.type == "BOOKMARK"
    assert int(last.object["metadata"]["resourceVersion"]) > int(since)


async def test_a_pod_on_a_node_goes_when_the_node_says_so(api: Api) -> None:
    ref = reference(PODS, await api.create(PODS, pod(nodeName="n", terminationGracePeriodSeconds=7)))
    await api.delete(ref)
    meta = (await api.get(ref))["metadata"]
    assert meta["deletionGracePeriodSeconds"] == 7
    await api.delete(ref, grace_s=0)
    with pytest.raises(Gone):
        await api.get(ref)


async def test_a_pod_without_a_node_goes_at_once(api: Api) -> None:
    ref = reference(PODS, await api.create(PODS, pod()))
    await api.delete(ref)
    with pytest.raises(Gone):
        await api.delete(ref)


@pytest.mark.parametrize(("resource", "told"), [(PODS, ["MODIFIED", "DELETED"]), (CONFIGMAPS, ["DELETED"])])
async def test_whoever_watches_sees_a_pod_marked_before_it_goes_and_others_never(
    api: Api, resource: Resource, told: list[str]
) -> None:
    made = await api.create(resource, pod() if resource is PODS else configmap())
    async with api.watch(resource, resource_version=made["metadata"]["resourceVersion"]) as stream:
        await api.delete(reference(resource, made))
        with anyio.fail_after(5):
            events = [await anext(stream) for _ in told]
    assert [event.type for event in events] == told
    assert ["deletionTimestamp" in event.object["metadata"] for event in events] == [resource is PODS] * len(told)
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in events]
    assert versions == sorted(set(versions))


async def test_a_finalizer_holds_an_object_until_it_is_removed(api: Api) -> None:
    ref = reference(
        PODS,
        await api.create(
            PODS, pod() | {"metadata": {"name": "p", "namespace": "default", "finalizers": ["lab.example.com/hold"]}}
        ),
    )
    await api.delete(ref, grace_s=0)
    assert (await api.get(ref))["metadata"]["deletionTimestamp"]
    with pytest.raises(Refused, match="no new finalizers can be added"):
        await api.patch(ref, {"metadata": {"finalizers": ["lab.example.com/hold", "lab.example.com/two"]}})
    await api.patch(ref, {"metadata": {"finalizers": None}})
    with pytest.raises(Gone):
        await api.get(ref)


async def test_hardly_anything_of_a_pod_may_change(api: Api) -> None:
    ref = reference(PODS, await api.create(PODS, pod()))
    assert (await api.patch(ref, {"spec": {"activeDeadlineSeconds": 9}}))["spec"]["activeDeadlineSeconds"] == 9
    assert (await api.patch(ref, {"spec": {"activeDeadlineSeconds": 1}}))["spec"]["activeDeadlineSeconds"] == 1
    with pytest.raises(Refused, match="pod updates may not change fields other than"):
        await api.patch(ref, {"spec": {"restartPolicy": "Always"}})


async def test_every_namespace_has_a_default_service_account_and_must_exist(api: Api) -> None:
    await api.create(NAMESPACES, {"metadata": {"name": "mine"}})
    assert (await api.get(Reference(SERVICE_ACCOUNTS, "mine", "default")))["metadata"]["uid"]
    with pytest.raises(Gone, match='namespaces "none" not found'):
        await api.create(CONFIGMAPS, {"metadata": {"name": "a", "namespace": "none"}})


async def test_bad_input_names_the_object_the_field_and_the_rule(api: Api) -> None:
    with pytest.raises(Refused, match=r'ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name"'):
        await api.create(CONFIGMAPS, configmap("Bad_Name"))
    with pytest.raises(Refused, match=r"spec.containers: Required value"):
        await api.create(PODS, {"metadata": {"name": "x", "namespace": "default"}, "spec": {}})
    container = {"name": "main", "image": "busybox", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    with pytest.raises(Refused, match=r"volumeMounts\[0\].name: Not found"):
        await api.create(PODS, pod(containers=[container]))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"spec": "text"}, "string into Go struct field Pod.spec of type v1.PodSpec"),
        (
            {"spec": {"containers": {"name": "m"}}},
            r"object into Go struct field PodSpec.spec.containers of type \[\]v1.Container",
        ),
        ({"spec": {"containers": ["m"]}}, "string into Go struct field PodSpec.spec.containers of type v1.Container"),
        ({"spec": {**POD_SPEC, "activeDeadlineSeconds": "soon"}}, "spec.activeDeadlineSeconds"),
        (
            {"spec": {"containers": [{"name": 7, "image": "i"}]}},
            "number into Go struct field Container.spec.containers.name of type string",
        ),
    ],
)
async def test_a_field_of_the_wrong_type_is_named(api: Api, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused, match=field):
        await api.create(PODS, {"metadata": {"name": "x", "namespace": "default"}, **wrong})


@pytest.mark.parametrize("meta", [{"labels": [1]}, {"labels": {"a": 1}}, {"ownerReferences": ["x"]}, {"finalizers": 3}])
async def test_metadata_of_the_wrong_type_is_named(api: Api, meta: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=next(iter(meta))):
        await api.create(WIDGETS, {"metadata": {"name": "x", "namespace": "default", **meta}})


async def test_a_posted_binding_puts_a_pod_on_a_node_once(api: Api) -> None:
    ref = reference(PODS, await api.create(PODS, pod()))
    binding = {"metadata": {"name": "p", "namespace": "default"}, "target": {"kind": "Node", "name": "n"}}
    bindings = Resource("v1", "Binding", "bindings")
    await api.create(bindings, binding)
    assert (await api.get(ref))["spec"]["nodeName"] == "n"
    with pytest.raises(Conflict, match='already assigned to node "n"'):
        await api.create(bindings, binding)


async def test_a_binding_that_was_meant_for_another_pod_of_that_name_is_refused(api: Api) -> None:
    ref = reference(PODS, await api.create(PODS, pod()))
    meant = {"name": "p", "namespace": "default", "uid": "00000000-0000-4000-8000-000000000000"}
    with pytest.raises(Conflict, match="UID in precondition"):
        await api.create(Resource("v1", "Binding", "bindings"), {"metadata": meant, "target": {"name": "n"}})
    assert "nodeName" not in (await api.get(ref))["spec"]


async def test_an_object_that_etcd_would_not_take_is_not_taken(api: Api) -> None:
    with pytest.raises(Refused, match="etcdserver: request is too large"):
        await api.create(WIDGETS, {"metadata": {"name": "w", "namespace": "default"}, "text": "x" * 1_600_000})
    assert (await api.list(WIDGETS)).items == []


async def test_large_objects_have_a_shorter_history(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiphys.devcluster.storage.HISTORY_BYTES_MAX", 10_000)
    since = (await api.list(CONFIGMAPS)).resource_version
    made = await api.create(CONFIGMAPS, configmap() | {"data": {"k": "v" * 6000}})
    await api.patch(reference(CONFIGMAPS, made), {"data": {"x": "y"}})
    with pytest.raises(Expired):
        await events(api, CONFIGMAPS, since, 1)


async def test_a_version_older_than_the_history_has_expired(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiphys.devcluster.storage.HISTORY_MAX", 2)
    since = (await api.list(CONFIGMAPS)).resource_version
    for number in range(4):
        await api.create(CONFIGMAPS, configmap(f"c{number}"))
    with pytest.raises(Expired):
        await events(api, CONFIGMAPS, since, 1)


async def test_a_log_needs_a_node_and_a_container_that_exists(api: Api) -> None:
    ref = reference(PODS, await api.create(PODS, pod()))
    with pytest.raises(Refused, match="does not have a host assigned"):
        async with api.log(ref) as chunks:
            [chunk async for chunk in chunks]
    with pytest.raises(Refused, match="container other is not valid for pod p"):
        async with api.log(ref, LogOptions("other")) as chunks:
            [chunk async for chunk in chunks]


async def test_a_number_where_a_text_belongs_is_refused_as_upstream_does(api: Api) -> None:
    with pytest.raises(Refused, match=r"cannot unmarshal number into Go struct field ConfigMap.data of type string"):
        await api.create(CONFIGMAPS, {"metadata": {"name": "c"}, "data": {"port": 8080}})

"""Installing takes nothing over, uninstalling leaves nothing that could not be deleted, and a check says what is so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

import crds
from runtime.api import Api, Gone
from runtime.objects import CONFIGMAPS, CRDS, LEASES, NAMESPACES, NODES, PODS, Object, Reference, Resource, reference
from tiphys.devcluster import apply as server_side
from tiphys.devcluster.cluster import DevCluster, Settings
from tiphys.devcluster.rest import WriteOptions
from tiphys.devcluster.testing import devcluster
from tiphys.installation import removal
from tiphys.installation.applying import apply
from tiphys.installation.checking import look
from tiphys.installation.choice import Choice
from tiphys.installation.manifests import definitions, manifests

WORKFLOWS = Resource("argoproj.io/v1alpha1", "Workflow", "workflows")
NOW = 1_800_000_000.0
CLUSTER = Choice()
STATUS = "workflows.argoproj.io/status"


@pytest.fixture
async def cluster() -> AsyncIterator[DevCluster]:
    async with devcluster() as made:
        yield made


async def install(api: Api, choice: Choice = CLUSTER) -> list[str]:
    return [str(applied) async for applied in apply(api, manifests(choice))]


async def uninstall(api: Api, choice: Choice = CLUSTER, **also: bool) -> list[str]:
    wanted = {"definitions": False, "namespace": False, **also}
    return [line async for line in removal.remove(api, choice, wall=lambda: NOW, **wanted)]


async def check(api: Api, choice: Choice = CLUSTER) -> dict[str, str]:
    """What was found, each text with its level."""
    return {found.text: found.level async for found in look(api, choice, "1.33", NOW, as_self=False)}


async def test_installing_twice_is_installing_once(cluster: DevCluster) -> None:
    first = await install(cluster.api)
    before = (await cluster.api.list(CRDS)).resource_version

    assert await install(cluster.api) == first
    assert (await cluster.api.list(CRDS)).resource_version == before


async def test_kubectl_applies_an_installation_to_a_dev_cluster_without_a_conflict() -> None:
    """Its definitions are there already, and have descriptions, which those of an installation have not."""
    async with DevCluster(Settings(definitions=crds.manifests(descriptions=True))) as cluster:
        kind = cluster.server.catalog.of(CRDS)
        for thing in definitions():
            key = ("", thing["metadata"]["name"])
            applied = server_side.apply(cluster.server.rest, kind, key, thing, WriteOptions(manager="kubectl"))
            assert "description" not in applied.record.object["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


async def test_definitions_of_somebody_else_stay_as_they_are(cluster: DevCluster) -> None:
    theirs = next(thing for thing in crds.manifests() if thing["spec"]["names"]["plural"] == "workflows")
    made = await cluster.api.create(CRDS, theirs)

    lines = await install(cluster.api)

    assert "CustomResourceDefinition workflows.argoproj.io kept: somebody else's, and good enough" in lines
    now = await cluster.api.get(Reference(CRDS, "", "workflows.argoproj.io"))
    assert now["spec"] == made["spec"]
    assert "CustomResourceDefinition workflows.argoproj.io deleted" not in await uninstall(
        cluster.api, definitions=True
    )


async def test_what_was_installed_goes_and_what_users_made_stays(cluster: DevCluster) -> None:
    choice = Choice(replicas=2, network_policy=True)
    applied = await install(cluster.api, choice)
    workflow = await cluster.api.create(WORKFLOWS, {"metadata": {"name": "w", "namespace": "default"}, "spec": {}})

    gone = await uninstall(cluster.api)

    own = {line.removesuffix(" applied") for line in applied if not line.startswith(("Custom", "Namespace"))}
    assert {line.removesuffix(" deleted") for line in gone} == own
    assert await cluster.api.get(reference(WORKFLOWS, workflow))
    assert await uninstall(cluster.api) == []


async def kept_pod(api: Api, name: str, finalizers: list[str]) -> Reference:
    labels = {"workflows.argoproj.io/workflow": "w"}
    meta = {"name": name, "namespace": "team", "labels": labels, "finalizers": finalizers}
    spec = {"containers": [{"name": "main", "image": "x"}]}
    return reference(PODS, await api.create(PODS, {"metadata": meta, "spec": spec}))


async def test_a_namespace_can_be_deleted_after_the_controller_is_gone(cluster: DevCluster) -> None:
    await install(cluster.api)
    await cluster.api.create(NAMESPACES, {"metadata": {"name": "team"}})
    pod = await kept_pod(cluster.api, "p", [STATUS])
    await cluster.api.delete(pod)
    meta = {"name": "w", "namespace": "team", "finalizers": ["workflows.argoproj.io/artifact-gc"]}
    await cluster.api.create(WORKFLOWS, {"metadata": meta, "spec": {}})

    await uninstall(cluster.api)
    await cluster.api.delete(Reference(NAMESPACES, "", "team"))

    with anyio.fail_after(10):
        while "team" in [one["metadata"]["name"] for one in (await cluster.api.list(NAMESPACES)).items]:  # noqa: ASYNC110
            await anyio.sleep(0.02)  # the namespace's end is the cluster's own work


async def test_finalizers_of_others_are_left_alone(cluster: DevCluster) -> None:
    await cluster.api.create(NAMESPACES, {"metadata": {"name": "team"}})
    pod = await kept_pod(cluster.api, "p", [STATUS, "example.com/mine"])

    assert [line async for line in removal.strip(cluster.api)] == ["Pod team/p may be deleted"]
    assert (await cluster.api.get(pod))["metadata"]["finalizers"] == ["example.com/mine"]
    assert [line async for line in removal.strip(cluster.api)] == []


async def lease(api: Api, holder: str, renewed: str) -> None:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": renewed}
    meta = {"name": "workflow-controller", "namespace": "argo"}
    await api.create(NAMESPACES, {"metadata": {"name": "argo"}})
    await api.create(LEASES, {"metadata": meta, "spec": spec})


@pytest.mark.parametrize(
    ("renewed", "left"), [("2027-01-15T07:59:55.000000Z", True), ("2027-01-15T07:00:00.0Z", False)]
)
async def test_finalizers_are_left_to_another_controller_that_leads(
    cluster: DevCluster, renewed: str, left: bool
) -> None:
    await install(cluster.api)
    await cluster.api.create(NAMESPACES, {"metadata": {"name": "team"}})
    pod = await kept_pod(cluster.api, "p", [STATUS])
    await lease(cluster.api, "theirs", renewed)

    lines = await uninstall(cluster.api)

    assert ("finalizers are left to theirs, which leads" in lines) is left
    assert ("finalizers" in (await cluster.api.get(pod))["metadata"]) is left


async def test_a_check_of_an_empty_cluster_names_what_is_missing(cluster: DevCluster) -> None:
    found = await check(cluster.api)

    assert found["workflows are not served"] == "wrong"
    assert found["there are no nodes: no pod will ever start"] == "wrong"
    assert found["Deployment tiphys/tiphys-controller is not there"] == "note"


async def test_a_check_after_the_installation_says_who_leads_and_what_cannot_be_read(cluster: DevCluster) -> None:
    await install(cluster.api)
    node: Object = {"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await cluster.api.create(NODES, node)
    meta = {"name": "workflow-controller-configmap", "namespace": "tiphys"}
    await cluster.api.create(CONFIGMAPS, {"metadata": meta, "data": {"parallelsim": "5"}})
    labels = {"workflows.argoproj.io/configmap-type": "ExecutorPlugin"}
    plugin = {"name": "hello", "namespace": "default", "labels": labels}
    await cluster.api.create(CONFIGMAPS, {"metadata": plugin, "data": {"sidecar.container": "name: [x"}})
    repositories = {"name": "artifact-repositories", "namespace": "default"}
    await cluster.api.create(CONFIGMAPS, {"metadata": repositories, "data": {"good": "s3: {bucket: b}", "bad": "x: 1"}})
    await lease(cluster.api, "theirs", "2027-01-15T07:59:55Z")

    found = await check(cluster.api)

    assert found["13 kinds of argoproj.io/v1alpha1 are served"] == "ok"
    assert found["Deployment tiphys/tiphys-controller: 0 of 1 replicas are available (tiphys:0.1.0)"] == "wrong"
    assert found["lease argo/workflow-controller: theirs leads, which is none of our pods"] == "note"
    wrong = [text for text, level in found.items() if level == "wrong"]
    assert any("workflow-controller-configmap: parallelsim" in text for text in wrong)
    assert "ConfigMap default/hello: sidecar.container is no container with a port" in wrong
    assert "ConfigMap default/artifact-repositories: bad names no driver" in wrong
    assert not any("good" in text for text in wrong)


async def test_pods_that_our_finalizer_keeps_for_too_long_are_named(cluster: DevCluster) -> None:
    await cluster.api.create(NAMESPACES, {"metadata": {"name": "team"}})
    pod = await kept_pod(cluster.api, "p", [STATUS])
    await cluster.api.delete(pod, grace_s=0)

    found = await check(cluster.api)

    assert found["Pod team/p was deleted and is kept by our finalizer"] == "wrong"


async def test_rights_that_are_missing_are_named_with_their_reason(cluster: DevCluster) -> None:
    class Strict:
        """Reviews say no to one verb."""

        def __getattr__(self, name: str) -> Any:
            return getattr(cluster.api, name)

        async def create(self, resource: Resource, thing: Object, **rest: Any) -> Object:
            if not resource.kind.endswith("SubjectAccessReview") and "AccessReview" not in resource.kind:
                return await cluster.api.create(resource, thing, **rest)
            asked = thing["spec"]["resourceAttributes"]
            return {"status": {"allowed": asked != {"group": "", "resource": "pods", "verb": "create"}}}

    await install(cluster.api)
    found = await check(Strict())  # type: ignore[arg-type]

    assert found["service account tiphys/tiphys may not create pods: one for a node"] == "wrong"


async def test_a_definition_without_our_version_is_wrong(cluster: DevCluster) -> None:
    (thing,) = [one for one in definitions() if one["spec"]["names"]["plural"] == "workflows"]
    old = {**thing, "spec": {**thing["spec"], "versions": [{**thing["spec"]["versions"][0], "name": "v1alpha0"}]}}
    await cluster.api.create(CRDS, old)

    assert (await check(cluster.api))["workflows are served as v1alpha0, not as v1alpha1"] == "wrong"


async def test_uninstalling_without_definitions_is_no_error(cluster: DevCluster) -> None:
    with pytest.raises(Gone):
        await cluster.api.list(WORKFLOWS)

    assert await uninstall(cluster.api) == []

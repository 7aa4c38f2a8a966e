"""A service account's token is for its audiences only, and ends with what it is bound to."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.api import ApiError
from runtime.objects import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, Object, Resource, reference, token_request
from tiphys.devcluster import reviews
from tiphys.devcluster.cluster import DevCluster
from tiphys.devcluster.tokens import ISSUER

POD: Object = {"containers": [{"name": "main", "image": "busybox"}]}
THINGS: dict[str, tuple[Resource, Object]] = {
    "Pod": (PODS, {"metadata": {"name": "x", "namespace": "default"}, "spec": POD}),
    "Secret": (SECRETS, {"metadata": {"name": "x", "namespace": "default"}}),
    "Node": (NODES, {"metadata": {"name": "x"}}),
}


async def ask(cluster: DevCluster, account: str = "default", **spec: Any) -> Object:
    """The answer to a TokenRequest."""
    request = {"metadata": {"name": account, "namespace": "default"}, "spec": spec}
    return await cluster.api.create(token_request(account), request)


@pytest.mark.parametrize("kind", THINGS)
async def test_a_bound_token_ends_with_the_object(cluster: DevCluster, kind: str) -> None:
    resource, thing = THINGS[kind]
    made = await cluster.api.create(resource, thing)
    answer = await ask(cluster, boundObjectRef={"apiVersion": "v1", "kind": kind, "name": "x"})
    assert answer["status"]["token"]
    assert cluster.server.user_of(answer["status"]["token"]) is not None
    await cluster.api.delete(reference(resource, made), grace_s=0)
    await cluster.api.create(resource, thing)
    assert cluster.server.user_of(answer["status"]["token"]) is None


async def test_a_pods_token_says_whose_pod_it_is(cluster: DevCluster) -> None:
    pod = await cluster.api.create(*THINGS["Pod"])
    answer = await ask(cluster, boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "x"})
    review = reviews.review(cluster.server, {"spec": {"token": answer["status"]["token"]}})
    assert review["status"]["user"]["extra"] == {
        "authentication.kubernetes.io/pod-name": ["x"],
        "authentication.kubernetes.io/pod-uid": [pod["metadata"]["uid"]],
    }


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "none"}}, 404, 'pods "none" not found'),
        (
            {"boundObjectRef": {"apiVersion": "v1", "kind": "Secret", "name": "x", "uid": "old"}},
            409,
            "have been deleted",
        ),
        (
            {"boundObjectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}},
            400,
            "object of type apps/v1, K",
        ),
        ({"boundObjectRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}}, 400, "type /v1, Kind=ConfigMap"),
        ({"expirationSeconds": 599}, 422, "may not specify a duration less than 10 minutes"),
    ],
)
async def test_a_token_is_bound_to_what_is_there_for_ten_minutes_at_least(
    cluster: DevCluster, spec: Object, code: int, words: str
) -> None:
    await cluster.api.create(*THINGS["Secret"])
    with pytest.raises(ApiError) as refusal:
        await ask(cluster, **spec)
    assert (refusal.value.code, words in refusal.value.message) == (code, True)


async def test_nobody_is_bound_to_a_pod_of_another_account(cluster: DevCluster) -> None:
    await cluster.api.create(*THINGS["Pod"])
    await cluster.api.create(SERVICE_ACCOUNTS, {"metadata": {"name": "other", "namespace": "default"}})
    with pytest.raises(ApiError, match="running with different serviceaccount name"):
        await ask(cluster, "other", boundObjectRef={"apiVersion": "v1", "kind": "Pod", "name": "x"})


async def test_a_token_for_others_is_none_for_the_api_server(cluster: DevCluster) -> None:
    token = (await ask(cluster, audiences=["vault", "harbour"]))["status"]["token"]
    assert cluster.server.user_of(token) is None
    asked = {"token": token, "audiences": ["harbour", "elsewhere"]}
    status = reviews.review(cluster.server, {"spec": asked})["status"]
    assert (status["authenticated"], status["audiences"]) == (True, ["harbour"])
    both = (await ask(cluster, audiences=["vault", ISSUER]))["status"]["token"]
    assert cluster.server.user_of(both) is not None

"""Whatever its type, a template acts as the service account that it names, and as nobody else.

Pods are made with the controller's rights, so each kind is looked at: whose it is, and which container has a token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from actors.contract import paths
from actors.contract.secrets import secret_volume
from actors.node.gc_plan import Batch, Doomed
from actors.node.manifest import PodRequest, PodSettings, pod_for
from actors.node.manifest_agent import agent_pod
from actors.node.manifest_collector import collector_pod
from runtime.messages import Address
from runtime.objects import Object
from tests.pure.pods.asked import request

KEYS = {"accessKeySecret": {"name": "bird", "key": "a"}, "secretKeySecret": {"name": "bird", "key": "s"}}
PLACE: dict[str, Any] = {"endpoint": "s3:9000", "bucket": "b", "key": "k", **KEYS}
MAIN: dict[str, Any] = {"image": "busybox", "command": ["true"]}
WORKFLOW = Address("workflow", "n", "w", "uid")
PLUGIN = {
    "metadata": {"name": "hello"},
    "spec": {
        "sidecar": {
            "container": {
                "name": "hello", "image": "i", "ports": [{"containerPort": 1}],
                "resources": {"limits": {"cpu": "1"}}, "securityContext": {"runAsNonRoot": True},
            }
        }
    },
}  # fmt: skip


def asked(template: dict[str, Any]) -> PodRequest:
    return request({"name": "t", "serviceAccountName": "small", **template}, {"serviceAccountName": "large"})


def of(template: dict[str, Any]) -> Callable[[], Object]:
    return lambda: pod_for(asked(template))


def agent() -> Object:
    return agent_pod(request({}, {"serviceAccountName": "large"}), WORKFLOW, "small", [PLUGIN])


def collector() -> Object:
    doomed = Doomed("node", {"name": "a", "s3": PLACE})
    batch = Batch("p", "small", {}, (doomed,), "OnWorkflowDeletion")
    return collector_pod(request({}, {"serviceAccountName": "large"}), WORKFLOW, batch, 60)


PODS: dict[str, tuple[Callable[[], Object], set[str]]] = {
    "resource": (of({"resource": {"action": "get", "manifest": "kind: Secret"}}), {"main"}),
    "data": (of({"data": {"source": {"artifactPaths": {"name": "a", "s3": PLACE}}}}), set()),
    "agent": (agent, {"main"}),
    "collector": (collector, set()),
    "artifacts": (
        of(
            {
                "container": MAIN,
                "inputs": {"artifacts": [{"name": "a", "path": "/a", "s3": PLACE}]},
                "outputs": {"artifacts": [{"name": "b", "path": "/b", "s3": PLACE}]},
            }
        ),
        set(),
    ),
    "script": (of({"script": {**MAIN, "source": "true"}}), set()),
    "set": (of({"containerSet": {"containers": [{"name": "main", **MAIN}]}}), set()),
}
"""A pod of each kind, and the containers to which we give a token of its account."""


def containers(pod: Object) -> list[Object]:
    return [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]


def mounts(container: Object) -> set[str]:
    return {str(entry["name"]) for entry in container.get("volumeMounts") or ()}


@pytest.mark.parametrize("kind", PODS)
def test_a_pod_is_the_named_accounts_and_only_our_program_that_needs_it_has_a_token(kind: str) -> None:
    make, holders = PODS[kind]
    pod = make()
    assert pod["spec"]["serviceAccountName"] == "small"
    assert {one["name"] for one in containers(pod) if paths.TOKEN_VOLUME in mounts(one)} == holders
    if kind not in ("artifacts", "script", "set"):  # of these the account was named for the user's own program
        assert pod["spec"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("kind", PODS)
def test_a_stores_secrets_are_mounted_where_it_is_spoken_to_and_nowhere_else(kind: str) -> None:
    pod = PODS[kind][0]()
    secretive = {one["name"] for one in containers(pod) if secret_volume("bird") in mounts(one)}
    expected = {"artifacts": {"init", "wait"}, "data": {"main"}, "collector": {"main"}}.get(kind, set())
    assert secretive == expected
    named = {volume["secret"]["secretName"] for volume in pod["spec"].get("volumes") or () if "secret" in volume}
    assert named == ({"bird"} if expected else set())


def test_an_installation_that_gives_no_tokens_gives_none_to_a_users_container() -> None:
    never = PodSettings(main_token="never")
    pod = pod_for(replace(asked({"container": MAIN, "automountServiceAccountToken": True}), settings=never))
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_without_any_account_named_a_users_container_has_no_token() -> None:
    assert pod_for(request({"container": MAIN}))["spec"]["automountServiceAccountToken"] is False

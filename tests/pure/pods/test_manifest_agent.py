"""The agent's pod: what it takes from its workflow, and what is its own."""

from __future__ import annotations

from typing import Any

import pytest

from actors.node.manifest_agent import RESOURCES, agent_pod
from runtime.messages import Address
from runtime.objects import Object
from tests.pure.pods.asked import container, request

PLUGIN: dict[str, Any] = {
    "metadata": {"name": "hello"},
    "spec": {"sidecar": {"container": {"name": "hello", "image": "i", "ports": [{"containerPort": 1}]}}},
}


def agent(spec: dict[str, Any], *plugins: dict[str, Any]) -> Object:
    return agent_pod(request({}, spec), Address("workflow", "ns", "wf", "uid-1"), "", plugins)


@pytest.mark.spec("AGENT-4", "POD-1")
@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"nodeSelector": {"a": "b"}}, {"nodeSelector": {"a": "b"}}),
        ({"tolerations": [{"key": "k"}]}, {"tolerations": [{"key": "k"}]}),
        ({"schedulerName": "s"}, {"schedulerName": "s"}),
        ({"podPriorityClassName": "p"}, {"priorityClassName": "p"}),
        ({"imagePullSecrets": [{"name": "s"}]}, {"imagePullSecrets": [{"name": "s"}]}),
        ({"dnsPolicy": "None"}, {"dnsPolicy": "None"}),
        ({"securityContext": {"runAsUser": 1}}, {"securityContext": {"runAsUser": 1}}),
        ({"podSpecPatch": "terminationGracePeriodSeconds: 1"}, {"terminationGracePeriodSeconds": 1}),
    ],
)
def test_it_is_placed_as_its_workflows_pods_are(given: dict[str, Any], taken: dict[str, Any]) -> None:
    spec = agent(given)["spec"]
    assert {field: spec.get(field) for field in taken} == taken


@pytest.mark.spec("AGENT-4")
@pytest.mark.parametrize(
    "given",
    [
        {"podResources": {"limits": {"memory": "64Mi"}}},
        {"resourceClaims": [{"name": "gpu", "resourceClaimName": "one"}]},
        {"hostNetwork": True},
        {"activeDeadlineSeconds": 5},
    ],
)
def test_its_size_and_its_network_are_its_own(given: dict[str, Any]) -> None:
    assert agent(given) == agent({})


@pytest.mark.spec("AGENT-4", "AGENT-6")
def test_every_container_of_ours_says_what_it_needs() -> None:
    pod = agent({}, PLUGIN)
    assert [container(pod, name)["resources"] for name in ("init", "main")] == [RESOURCES, RESOURCES]

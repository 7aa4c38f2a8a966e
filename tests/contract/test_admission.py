"""What may be created, and what it becomes: priorities, limits, quotas, and rules that a real API server has too."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from runtime.api import Api, Refused, Throttled
from runtime.objects import (
    CLAIMS,
    CONFIGMAPS,
    DISRUPTION_BUDGETS,
    PODS,
    Object,
    Reference,
    Resource,
    evictions,
    reference,
)
from tests.contract.test_verbs import configmap, pod

CLASSES = Resource("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", namespaced=False)
QUOTAS = Resource("v1", "ResourceQuota", "resourcequotas")
RANGES = Resource("v1", "LimitRange", "limitranges")
SCALERS = Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
OLD_SCALERS = SCALERS._replace(api_version="autoscaling/v1")
DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
CONTROLLERS = Resource("v1", "ReplicationController", "replicationcontrollers")
TEMPLATES = Resource("v1", "PodTemplate", "podtemplates")
MAIN: Object = {"name": "main", "image": "busybox"}


def named(name: str, **fields: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, **fields}


async def refused(api: Api, resource: Resource, thing: Object) -> str:
    """Why an object is not taken."""
    with pytest.raises(Refused) as why:
        await api.create(resource, thing)
    return str(why.value)


# ------------------------------------------------------------------------------------------------ containers

BELOW = "must be greater than or equal to 0"
FIELDS = (
    '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
    '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"'
)
UNFIT: list[tuple[Object, str]] = [
    (
        {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": 1}}},
        'resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ),
    (
        {"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "0.5"}}},
        'resources.requests: Invalid value: "1": must be less than or equal to cpu limit of 500m',
    ),
    (
        {"resources": {"requests": {"x.io/gpu": 1}, "limits": {"x.io/gpu": 2}}},
        'resources.requests: Invalid value: "1": must be equal to x.io/gpu limit of 2',
    ),
    ({"resources": {"requests": {"cpu": "-1"}}}, f'resources.requests[cpu]: Invalid value: "-1": {BELOW}'),
    (
        {"imagePullPolicy": "always"},
        'imagePullPolicy: Unsupported value: "always": supported values: "Always", "IfNotPresent", "Never"',
    ),
    (
        {"terminationMessagePolicy": "Log"},
        'terminationMessagePolicy: Unsupported value: "Log": supported values: "File", "FallbackToLogsOnError"',
    ),
    ({"readinessProbe": {"periodSeconds": 5}}, "readinessProbe: Required value: must specify a handler type"),
    ({"lifecycle": {"preStop": {}}}, "lifecycle.preStop: Required value: must specify a handler type"),
    (
        {"livenessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}},
        "livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
    ),
    (
        {"ports": [{"containerPort": 80, "name": "Web"}]},
        'ports[0].name: Invalid value: "Web": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
    ),
    (
        {"env": [{"name": "a=b", "value": "x"}]},
        'env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII '
        "characters other than '='",
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]},
        f'env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: {FIELDS}',
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.no"}}}]},
        'env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.no": error converting fieldPath: field label not '
        "supported: spec.no",
    ),
    (
        {"ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 8080}]},
        'ports[1].hostPort: Duplicate value: "TCP//8080"',
    ),
]


@pytest.mark.parametrize(("fields", "why"), UNFIT, ids=[why[:50] for _, why in UNFIT])
async def test_a_container_that_no_server_takes_is_refused_in_its_words(api: Api, fields: Object, why: str) -> None:
    found = await refused(api, PODS, pod("a", containers=[{**MAIN, **fields}]))
    assert found.endswith(f'Pod "a" is invalid: spec.containers[0].{why}')


async def test_a_pod_of_an_unknown_policy_is_refused(api: Api) -> None:
    found = await refused(api, PODS, pod("a", dnsPolicy="Host"))
    known = '"ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"'
    assert f'spec.dnsPolicy: Unsupported value: "Host": supported values: {known}' in found
    found = await refused(api, PODS, pod("a", tolerations=[{"key": "k", "operator": "In"}]))
    assert 'spec.tolerations[0].operator: Unsupported value: "In": supported values: "Equal", "Exists"' in found


async def test_what_a_server_takes_is_taken(api: Api) -> None:
    container = {
        **MAIN,
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": 0.5, "memory": "1024Mi"}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}, "postStart": None},
        "readinessProbe": {"grpc": {"port": 1}},
        "ports": [{"containerPort": 53, "hostPort": 53}, {"containerPort": 53, "hostPort": 53, "protocol": "UDP"}],
        "env": [
            {"name": "a.b-c d", "value": ""},
            {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a.b/c']"}}},
            {"name": "I", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
    }
    volumes = [{"name": "empty"}]
    await api.create(PODS, pod("a", containers=[container], tolerations=[{"operator": "Exists"}], volumes=volumes))


# ------------------------------------------------------------------------------------------------ priority


async def test_a_pod_has_the_priority_of_its_class(api: Api) -> None:
    await api.create(CLASSES, {"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"})
    spec = (await api.create(PODS, pod("a", priorityClassName="high")))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (1000, "Never")
    spec = (await api.create(PODS, pod("b", priorityClassName="system-node-critical")))["spec"]
    assert spec["priority"] == 2_000_001_000
    spec = (await api.create(PODS, pod("c")))["spec"]
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert "priorityClassName" not in spec
    why = await refused(api, PODS, pod("d", priorityClassName="none"))
    assert why == 'pods "d" is forbidden: no PriorityClass with name none was found'
    why = await refused(api, PODS, pod("d", priority=5))
    assert why.startswith('pods "d" is forbidden: the integer value of priority (5) must not be provided in pod spec')


async def test_a_global_default_is_the_class_of_pods_that_name_none(api: Api) -> None:
    await api.create(CLASSES, {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True})
    spec = (await api.create(PODS, pod()))["spec"]
    assert (spec["priority"], spec["priorityClassName"]) == (7, "usual")


async def test_a_priority_stays_and_the_systems_are_its_own(api: Api) -> None:
    ref = reference(CLASSES, await api.create(CLASSES, {"metadata": {"name": "high"}, "value": 1000}))
    with pytest.raises(Refused, match="value: Forbidden: may not be changed in an update"):
        await api.patch(ref, {"value": 1001})
    assert "maximum allowed value of a user defined" in await refused(
        api, CLASSES, {"metadata": {"name": "x"}, "value": 1_000_000_001}
    )
    assert "reserved for system use only" in await refused(api, CLASSES, {"metadata": {"name": "system-x"}, "value": 1})


# ------------------------------------------------------------------------------------------------ quotas


async def test_a_quota_refuses_what_is_too_much_and_tells_what_is_used(api: Api) -> None:
    hard = {"pods": "2", "count/configmaps": "3"}
    ref = reference(QUOTAS, await api.create(QUOTAS, named("q", spec={"hard": hard})))
    first = reference(PODS, await api.create(PODS, pod("a")))
    await api.create(PODS, pod("b"))
    why = await refused(api, PODS, pod("c"))
    assert why == 'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    await until_used(api, ref, {"pods": "2", "count/configmaps": "0"})
    await api.patch(first, {"status": {"phase": "Succeeded"}}, subresource="status")
    await api.create(PODS, pod("c"))
    await api.delete(first)
    assert "exceeded quota" in await refused(api, PODS, pod("d"))
    for name in "abc":
        await api.create(CONFIGMAPS, configmap(name))
    assert "count/configmaps=1, used: count/configmaps=3" in await refused(api, CONFIGMAPS, configmap("d"))
    await until_used(api, ref, {"pods": "2", "count/configmaps": "3"})
    await api.patch(ref, {"spec": {"hard": {"pods": "9"}}})
    await api.create(PODS, pod("d"))


async def until_used(api: Api, ref: Reference, used: dict[str, str]) -> None:
    with anyio.fail_after(5):
        while ((await api.get(ref)).get("status") or {}).get("used") != used:
            await anyio.lowlevel.checkpoint()


async def test_a_quota_of_cpu_counts_what_containers_ask_for(api: Api) -> None:
    ref = reference(
        QUOTAS, await api.create(QUOTAS, named("q", spec={"hard": {"requests.cpu": "1", "limits.memory": "1Gi"}}))
    )
    assert "failed quota: q: must specify limits.memory for: main; requests.cpu for: main" in await refused(
        api, PODS, pod()
    )
    container = {**MAIN, "resources": {"limits": {"cpu": "600m", "memory": "512Mi"}}}
    made = await api.create(PODS, pod("a", containers=[container]))
    assert made["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "600m", "memory": "512Mi"}
    await until_used(api, ref, {"requests.cpu": "600m", "limits.memory": "512Mi"})
    why = await refused(api, PODS, pod("b", containers=[container]))
    assert why.endswith(
        "exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1"
    )


async def test_a_quota_with_a_scope_is_about_its_pods_only(api: Api) -> None:
    selector = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}
    await api.create(CLASSES, {"metadata": {"name": "high"}, "value": 1000})
    await api.create(QUOTAS, named("high", spec={"hard": {"pods": "0"}, "scopeSelector": selector}))
    await api.create(QUOTAS, named("ends", spec={"hard": {"pods": "0"}, "scopes": ["Terminating"]}))
    await api.create(PODS, pod("a"))
    assert "exceeded quota: high" in await refused(api, PODS, pod("b", priorityClassName="high"))
    assert "exceeded quota: ends" in await refused(api, PODS, pod("b", activeDeadlineSeconds=5))


async def test_a_quota_counts_what_was_there_before_it(api: Api) -> None:
    await api.create(PODS, pod("a"))
    await api.create(QUOTAS, named("q", spec={"hard": {"pods": "1"}}))
    assert "used: pods=1" in await refused(api, PODS, pod("b"))


async def test_a_limit_range_says_what_containers_have_and_may_have(api: Api) -> None:
    item = {"type": "Container", "default": {"cpu": "500m"}, "max": {"cpu": "1"}, "min": {"cpu": "100m"}}
    await api.create(RANGES, named("r", spec={"limits": [item]}))
    made = await api.create(PODS, pod("a"))
    assert made["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "500m"}, "requests": {"cpu": "500m"}}
    large = {**MAIN, "resources": {"limits": {"cpu": "2"}}}
    assert "maximum cpu usage per Container is 1, but limit is 2" in await refused(
        api, PODS, pod("b", containers=[large])
    )
    small = {**MAIN, "resources": {"requests": {"cpu": "50m"}}}
    assert "minimum cpu usage per Container is 100m, but request is 50m" in await refused(
        api, PODS, pod("b", containers=[small])
    )


# ------------------------------------------------------------------------------------------------ pods and workloads


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"volumes": [{"name": "v"}, {"name": "v"}]}, 'spec.volumes[1].name: Duplicate value: "v"'),
        ({"volumes": [{"name": "V"}]}, 'spec.volumes[0].name: Invalid value: "V": a lowercase RFC 1123 label'),
        ({"volumes": [{}]}, "spec.volumes[0].name: Required value"),
        ({"containers": [MAIN, MAIN]}, 'spec.containers[1].name: Duplicate value: "main"'),
        ({"initContainers": [MAIN]}, 'spec.initContainers[0].name: Duplicate value: "main"'),
        (
            {"containers": [{**MAIN, "volumeMounts": [{"name": "x", "mountPath": "/x"}]}]},
            'spec.containers[0].volumeMounts[0].name: Not found: "x"',
        ),
        (
            {
                "volumes": [{"name": "v"}],
                "containers": [{**MAIN, "volumeMounts": [{"name": "v", "mountPath": "/x"}] * 2}],
            },
            'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/x": must be unique',
        ),
        (
            {"containers": [{**MAIN, "ports": [{"containerPort": 70000}]}]},
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        ),
        ({"containers": [{**MAIN, "ports": [{}]}]}, "spec.containers[0].ports[0].containerPort: Required value"),
        (
            {"containers": [{**MAIN, "ports": [{"containerPort": 1, "name": "a"}] * 2}]},
            'spec.containers[0].ports[1].name: Duplicate value: "a"',
        ),
        ({"containers": [{**MAIN, "env": [{"value": "x"}]}]}, "spec.containers[0].env[0].name: Required value"),
        (
            {"initContainers": [{"name": "i", "image": "x", "livenessProbe": {"exec": {"command": ["a"]}}}]},
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy",
        ),
    ],
)
async def test_a_pod_that_contradicts_itself_is_refused_by_field(api: Api, spec: Object, why: str) -> None:
    assert why in await refused(api, PODS, pod(**spec))


def deployment(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [MAIN]}}
    return named("d", spec={"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec})


def rolling(absent: Any, more: Any) -> Object:
    return {"strategy": {"rollingUpdate": {"maxUnavailable": absent, "maxSurge": more}}}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (rolling(0, 0), "maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"),
        (rolling("0%", 0), 'maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'),
        (rolling("101%", 0), 'maxUnavailable: Invalid value: "101%": must not be greater than 100%'),
        (rolling(-1, 1), "maxUnavailable: Invalid value: -1: must be greater than or equal to 0"),
        (rolling(1, "x%"), 'maxSurge: Invalid value: "x%": a valid percent string must be a numeric string'),
        ({"strategy": {"type": "Odd"}}, 'supported values: "Recreate", "RollingUpdate"'),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"progressDeadlineSeconds": 5, "minReadySeconds": 5}, "must be greater than minReadySeconds"),
    ],
)
async def test_a_deployment_that_could_not_make_a_step_is_refused(api: Api, spec: Object, why: str) -> None:
    assert why in await refused(api, DEPLOYMENTS, deployment(**spec))


async def test_pods_that_are_replaced_are_restarted_for_ever(api: Api) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [MAIN], "restartPolicy": "Never"}}
    why = await refused(api, DEPLOYMENTS, deployment(template=template))
    assert 'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"' in why


async def test_a_claim_says_how_it_is_used_and_how_large_it_is(api: Api) -> None:
    why = await refused(api, CLAIMS, named("c", spec={}))
    assert "spec.accessModes: Required value: at least 1 access mode is required" in why
    assert "spec.resources[storage]: Required value" in why


async def test_a_replication_controller_and_a_pod_template_are_kept_with_their_defaults(api: Api) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [MAIN]}}
    made = await api.create(CONTROLLERS, named("c", spec={"template": template}))
    assert (made["spec"]["selector"], made["spec"]["replicas"], made["metadata"]["labels"]) == (
        {"a": "b"},
        1,
        {"a": "b"},
    )
    scaled = await api.patch(reference(CONTROLLERS, made), {"spec": {"replicas": 3}}, subresource="scale")
    assert scaled["status"]["selector"] == "a=b"
    made = await api.create(TEMPLATES, named("t", template=template))
    assert made["template"]["spec"]["restartPolicy"] == "Always"


async def test_an_autoscaler_is_one_object_in_both_versions(api: Api) -> None:
    target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    old = named("h", spec={"scaleTargetRef": target, "maxReplicas": 3, "targetCPUUtilizationPercentage": 50})
    await api.create(OLD_SCALERS, old)
    new = await api.get(Reference(SCALERS, "default", "h"))
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    assert new["spec"]["metrics"] == [{"type": "Resource", "resource": cpu}]
    pods = {"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}}}
    metrics = [*new["spec"]["metrics"], pods]
    await api.patch(reference(SCALERS, new), {"spec": {"metrics": metrics, "behavior": {"scaleUp": {}}}})
    seen = await api.get(Reference(OLD_SCALERS, "default", "h"))
    assert seen["spec"]["targetCPUUtilizationPercentage"] == 50
    await api.patch(reference(OLD_SCALERS, seen), {"spec": {"minReplicas": 2}})
    again = await api.get(Reference(SCALERS, "default", "h"))
    assert (again["spec"]["metrics"], again["spec"]["minReplicas"]) == (metrics, 2)
    assert again["spec"]["behavior"] == {"scaleUp": {}}
    assert "annotations" not in again["metadata"]
    why = await refused(api, SCALERS, named("x", spec={"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 2}))
    assert "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`" in why


# ------------------------------------------------------------------------------------------------ eviction

READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


async def budget(api: Api, **status: Any) -> Reference:
    """A budget whose controller has said this."""
    made = await api.create(
        DISRUPTION_BUDGETS, named("b", spec={"minAvailable": 1, "selector": {"matchLabels": {"app": "x"}}})
    )
    ref = reference(DISRUPTION_BUDGETS, made)
    if status:
        await api.patch(ref, {"status": {"observedGeneration": 1, **status}}, subresource="status")
    return ref


async def running(api: Api, name: str, status: Object = READY) -> Reference:
    thing = pod(name)
    thing["metadata"]["labels"] = {"app": "x"}
    ref = reference(PODS, await api.create(PODS, thing))
    await api.patch(ref, {"status": status}, subresource="status")
    return ref


async def evict(api: Api, ref: Reference, **options: Any) -> None:
    body = {"metadata": {"name": ref.name, "namespace": "default"}, "deleteOptions": options}
    await api.create(evictions(ref.name), {"apiVersion": "policy/v1", "kind": "Eviction", **body})


async def test_an_eviction_takes_from_the_budget_and_says_why_when_nothing_is_left(api: Api) -> None:
    ref = await budget(api, disruptionsAllowed=1, desiredHealthy=1, currentHealthy=2)
    first, second = await running(api, "a"), await running(api, "b")
    await evict(api, first, dryRun=["All"])
    assert (await api.get(ref))["status"]["disruptionsAllowed"] == 1
    await evict(api, first)
    status = (await api.get(ref))["status"]
    assert (status["disruptionsAllowed"], list(status["disruptedPods"])) == (0, ["a"])
    await api.patch(ref, {"status": {"currentHealthy": 1}}, subresource="status")
    with pytest.raises(Throttled, match="Cannot evict pod as it would violate the pod's disruption budget") as refusal:
        await evict(api, second)
    cause = {
        "reason": "DisruptionBudget",
        "message": "The disruption budget b needs 1 healthy pods and has 1 currently",
    }
    assert refusal.value.status["details"] == {"causes": [cause]}


async def test_a_budget_that_nobody_has_counted_yet_allows_nothing(api: Api) -> None:
    await budget(api)
    with pytest.raises(Throttled) as refusal:
        await evict(api, await running(api, "a"))
    details = refusal.value.status["details"]
    assert details["retryAfterSeconds"] == 10
    assert details["causes"][0]["message"] == "The disruption budget b is still being processed by the server."


async def test_pods_that_do_not_count_are_evicted_whatever_the_budget_says(api: Api) -> None:
    await budget(api, disruptionsAllowed=0, desiredHealthy=1, currentHealthy=1)
    for name, status in (
        ("pending", {"phase": "Pending"}),
        ("ended", {"phase": "Succeeded"}),
        ("spare", {"phase": "Running"}),
    ):
        await evict(api, await running(api, name, status))


async def test_an_evicted_pod_that_runs_says_why_it_ends(api: Api) -> None:
    thing = pod("a", nodeName="n")
    ref = reference(PODS, await api.create(PODS, thing))
    await api.patch(ref, {"status": READY}, subresource="status")
    await evict(api, ref, gracePeriodSeconds=7)
    left = await api.get(ref)
    assert left["metadata"]["deletionGracePeriodSeconds"] == 7
    assert [c["reason"] for c in left["status"]["conditions"] if c["type"] == "DisruptionTarget"] == [
        "EvictionByEvictionAPI"
    ]

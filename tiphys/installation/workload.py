"""The controller as a cluster runs it: Deployment, Service, and what guards and watches them.

It is `restricted` by pod security's standard: not root, no privileges, a root file system that cannot be written. One
replica that is replaced and one that stands by are the same to it: the lease says who works, so updates roll.
"""

from __future__ import annotations

from typing import Any, Final

from runtime.objects import Object
from tiphys.installation.choice import CONTROLLER, NAME, PART_OF, PORT, Choice

SELECTOR: Final = {"app.kubernetes.io/name": NAME}
LABELS: Final = {**SELECTOR, **PART_OF}
NOBODY: Final = 65532
UNPRIVILEGED: Final[dict[str, Any]] = {
    "runAsNonRoot": True,
    "runAsUser": NOBODY,
    "runAsGroup": NOBODY,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
TMP: Final[dict[str, Any]] = {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}
TMP_MOUNT: Final = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  the pod's own
GRACE_S: Final = 30
"""Until it is killed: writes in flight are finished, then the lease is given back."""


def namespace(choice: Choice) -> Object:
    """The namespace, where only restricted pods are let in."""
    labels = {**PART_OF, "pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": choice.namespace, "labels": labels}}


def service_account(choice: Choice) -> Object:
    """Who the controller is."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(choice, NAME)}


def deployment(choice: Choice) -> Object:
    """The controller."""
    template = {
        "metadata": {
            "labels": dict(LABELS),
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT)},
        },
        "spec": _pod(choice),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(choice, CONTROLLER),
        "spec": {
            "replicas": choice.replicas,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": dict(SELECTOR)},
            "template": template,
        },
    }


def arguments(choice: Choice) -> list[str]:
    """The controller's command line."""
    found = ["controller"]
    if choice.scope != "cluster":
        found.append("--namespaced")
    if choice.scope == "managed":
        found.append(f"--managed-namespace={choice.managed}")
    found += [f"--only={part}" for part in choice.parts if len(choice.parts) == 1]
    if choice.instance_id:
        found.append(f"--instance-id={choice.instance_id}")
    if choice.executor_plugins:
        found.append("--executor-plugins")
    if choice.shards:
        found.append(f"--shards={choice.shards}")
    return found


def environment(choice: Choice) -> list[Object]:
    """What it is told beside its command line."""
    found: list[Object] = [
        # who stands for election: a restarted container takes its lease back at once
        {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "TIPHYS_EXECUTOR_IMAGE", "value": choice.image},
    ]
    return [*found, {"name": "CACHE_GC_PERIOD", "value": choice.cache_period}] if choice.cache_period else found


def _pod(choice: Choice) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": dict(UNPRIVILEGED),
        "containers": [_container(choice)],
        "volumes": [dict(TMP)],
    }
    if choice.highly_available:
        spread = {"topologyKey": "kubernetes.io/hostname", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}
        spec["topologySpreadConstraints"] = [{**spread, "labelSelector": {"matchLabels": dict(SELECTOR)}}]
    return spec


def _container(choice: Choice) -> dict[str, Any]:
    return {
        "name": "controller",
        "image": choice.image,
        "args": arguments(choice),
        "env": environment(choice),
        "ports": [{"name": "http", "containerPort": PORT}],
        "startupProbe": _probe("/livez", period=2, failures=30),
        "livenessProbe": _probe("/livez", period=10, failures=3),
        "readinessProbe": _probe("/readyz", period=5, failures=3),
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": dict(RESTRICTED),
        "volumeMounts": [dict(TMP_MOUNT)],
    }


def _probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": period, "failureThreshold": failures}


def service(choice: Choice) -> Object:
    """Where metrics and health are."""
    ports = [{"name": "http", "port": PORT, "targetPort": "http"}]
    spec = {"selector": dict(SELECTOR), "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(choice, CONTROLLER), "spec": spec}


def disruption_budget(choice: Choice) -> Object:
    """A node may be drained as long as somebody stands by. With one replica it would block every drain."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": dict(SELECTOR)}}
    meta = _meta(choice, CONTROLLER)
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}


def network_policy(choice: Choice) -> Object:
    """In: metrics and probes. Out: names, the API server and whatever else speaks HTTPS, Prometheus, traces.

    Whoever needs another way (a metric provider, a database) adds a policy: they add up."""
    spec = {
        "podSelector": {"matchLabels": dict(SELECTOR)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": "http", "protocol": "TCP"}]}],
        "egress": [
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"ports": [{"port": port, "protocol": "TCP"} for port in (443, 6443, 9090, 4318)]},
        ],
    }
    meta = _meta(choice, CONTROLLER)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


def service_monitor(choice: Choice) -> Object:
    """For Prometheus' operator."""
    endpoints = [{"port": "http", "path": "/metrics", "interval": "15s"}]
    spec = {"selector": {"matchLabels": dict(SELECTOR)}, "endpoints": endpoints}
    meta = _meta(choice, CONTROLLER)
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor", "metadata": meta, "spec": spec}


def _meta(choice: Choice, name: str) -> dict[str, Any]:
    return {"name": name, "namespace": choice.namespace, "labels": dict(LABELS)}

"""What takes events from outside, as a cluster runs it: an account, a Deployment and a Service of its own.

Whoever wants it reached from outside of the cluster puts an Ingress in front of the Service, which speaks HTTPS.
"""

from __future__ import annotations

from typing import Any, Final

from runtime.objects import Object
from tiphys.eventserver.settings import PORT
from tiphys.installation.choice import EVENT_SERVER, PART_OF, Choice
from tiphys.installation.workload import RESTRICTED, TMP, TMP_MOUNT, UNPRIVILEGED

SELECTOR: Final = {"app.kubernetes.io/name": EVENT_SERVER}
LABELS: Final = {**SELECTOR, **PART_OF}
CONTAINER: Final = "server"


def objects(choice: Choice) -> list[Object]:
    """All of it but its roles."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(choice)}
    found = [account, _service(choice), _deployment(choice)]
    return [*found, network_policy(choice)] if choice.network_policy else found


def network_policy(choice: Choice) -> Object:
    """In: events. Out: names and the API server."""
    spec = {
        "podSelector": {"matchLabels": dict(SELECTOR)},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": "https", "protocol": "TCP"}]}],
        "egress": [
            {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
            {"ports": [{"port": port, "protocol": "TCP"} for port in (443, 6443)]},
        ],
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": _meta(choice), "spec": spec}


def arguments(choice: Choice) -> list[str]:
    """Its command line."""
    return ["server", *([f"--instance-id={choice.instance_id}"] if choice.instance_id else [])]


def _service(choice: Choice) -> Object:
    spec = {"selector": dict(SELECTOR), "ports": [{"name": "https", "port": PORT, "targetPort": "https"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(choice), "spec": spec}


def _deployment(choice: Choice) -> Object:
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": dict(SELECTOR)},
        "template": {"metadata": {"labels": dict(LABELS)}, "spec": _pod(choice)},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _meta(choice), "spec": spec}


def _pod(choice: Choice) -> dict[str, Any]:
    container = {
        "name": CONTAINER,
        "image": choice.image,
        "args": arguments(choice),
        "ports": [{"name": "https", "containerPort": PORT}],
        "livenessProbe": _probe("/livez", period=10),
        "readinessProbe": _probe("/readyz", period=5),
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": dict(RESTRICTED),
        "volumeMounts": [dict(TMP_MOUNT)],
    }
    return {
        "serviceAccountName": EVENT_SERVER,
        "securityContext": dict(UNPRIVILEGED),
        "containers": [container],
        "volumes": [dict(TMP)],
    }


def _probe(path: str, *, period: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "https", "scheme": "HTTPS"}, "periodSeconds": period}


def _meta(choice: Choice) -> dict[str, Any]:
    return {"name": EVENT_SERVER, "namespace": choice.namespace, "labels": dict(LABELS)}

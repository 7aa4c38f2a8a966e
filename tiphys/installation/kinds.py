"""Where the kinds of our manifests are served."""

from __future__ import annotations

from typing import Final

from runtime.objects import (
    CRDS,
    DISRUPTION_BUDGETS,
    NAMESPACES,
    SERVICE_ACCOUNTS,
    SERVICES,
    Object,
    Reference,
    Resource,
)

RBAC: Final = "rbac.authorization.k8s.io/v1"
OPERATOR: Final = "monitoring.coreos.com/v1"
DEPLOYMENTS: Final = Resource("apps/v1", "Deployment", "deployments")
KINDS: Final = {
    resource.kind: resource
    for resource in (
        CRDS,
        NAMESPACES,
        SERVICE_ACCOUNTS,
        SERVICES,
        DISRUPTION_BUDGETS,
        DEPLOYMENTS,
        Resource(RBAC, "Role", "roles"),
        Resource(RBAC, "RoleBinding", "rolebindings"),
        Resource(RBAC, "ClusterRole", "clusterroles", namespaced=False),
        Resource(RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
        Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
        Resource(OPERATOR, "ServiceMonitor", "servicemonitors"),
        Resource(OPERATOR, "PrometheusRule", "prometheusrules"),
    )
}


def reference_of(thing: Object) -> Reference:
    """Which object a manifest is about."""
    meta = thing["metadata"]
    return Reference(KINDS[thing["kind"]], meta.get("namespace", ""), meta["name"])

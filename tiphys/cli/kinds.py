"""The kinds a file may hold, by name: what a document becomes on the API server.

Only the kinds that stand beside workflows are known here, so that a slip in `kind` is found before anything is created.
"""

from __future__ import annotations

import difflib
from typing import Final

from actors.names import resources
from runtime import objects
from runtime.objects import Resource

WORKFLOWS: Final = Resource(*resources.WORKFLOW)
WORKFLOW_TEMPLATES: Final = Resource(*resources.WORKFLOW_TEMPLATE)
CLUSTER_WORKFLOW_TEMPLATES: Final = Resource(*resources.CLUSTER_WORKFLOW_TEMPLATE)
CRON_WORKFLOWS: Final = Resource(*resources.CRON_WORKFLOW)

KNOWN: Final = {
    resource.kind: resource
    for resource in (
        WORKFLOWS,
        WORKFLOW_TEMPLATES,
        CLUSTER_WORKFLOW_TEMPLATES,
        CRON_WORKFLOWS,
        Resource(*resources.WORKFLOW_EVENT_BINDING),
        Resource(*resources.ROLLOUT),
        Resource(*resources.ANALYSIS_TEMPLATE),
        Resource(*resources.CLUSTER_ANALYSIS_TEMPLATE),
        Resource(*resources.ANALYSIS_RUN),
        Resource(*resources.EXPERIMENT),
        Resource("apps/v1", "Deployment", "deployments"),
        Resource("networking.k8s.io/v1", "Ingress", "ingresses"),
        Resource("networking.istio.io/v1alpha3", "VirtualService", "virtualservices"),
        Resource("networking.istio.io/v1alpha3", "DestinationRule", "destinationrules"),
        Resource("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
        Resource("gateway.networking.k8s.io/v1", "GRPCRoute", "grpcroutes"),
        Resource("gateway.networking.k8s.io/v1alpha2", "TLSRoute", "tlsroutes"),
        Resource("gateway.networking.k8s.io/v1alpha2", "TCPRoute", "tcproutes"),
        Resource("getambassador.io/v2", "Mapping", "mappings"),
        Resource("appmesh.k8s.aws/v1beta2", "VirtualRouter", "virtualrouters"),
        Resource("appmesh.k8s.aws/v1beta2", "VirtualNode", "virtualnodes"),
        Resource("traefik.io/v1alpha1", "TraefikService", "traefikservices"),
        Resource("apisix.apache.org/v2", "ApisixRoute", "apisixroutes"),
        Resource("split.smi-spec.io/v1alpha1", "TrafficSplit", "trafficsplits"),
        objects.CONFIGMAPS,
        objects.SECRETS,
        objects.SERVICES,
        objects.SERVICE_ACCOUNTS,
        objects.PODS,
        objects.NAMESPACES,
        objects.CLAIMS,
        Resource("rbac.authorization.k8s.io/v1", "Role", "roles"),
        Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
        Resource("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False),
        Resource("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    )
}

ROUTED: Final = frozenset(
    {
        "VirtualService", "DestinationRule", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "TraefikService",
        "ApisixRoute", "TrafficSplit", "Mapping", "VirtualRouter", "VirtualNode",
    }
)  # fmt: skip
"""Objects of traffic routers: any version of their group will do, since only a few fields of them are read."""

NAMESAKES: Final = {
    ("appmesh.k8s.aws", "VirtualService"): Resource("appmesh.k8s.aws/v1beta2", "VirtualService", "virtualservices")
}
"""Objects of traffic routers whose kind is also another router's: by group and kind."""


def resource_of(api_version: str, kind: str) -> Resource:
    """The resource of a document. Raises ValueError, with the nearest known spelling, for one that is not known."""
    group = api_version.rpartition("/")[0]
    known = NAMESAKES.get((group, kind)) or KNOWN.get(kind)
    if known is None:
        near = difflib.get_close_matches(kind, KNOWN, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"unknown kind {kind!r} in {api_version}{hint}")
    if kind in ROUTED and known.group == group:
        return known
    if known.api_version != api_version:
        raise ValueError(f"{kind} is served as apiVersion {known.api_version}, not {api_version!r}")
    return known

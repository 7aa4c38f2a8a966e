"""Kinds that are kept for whoever asks, and that nobody here acts on; some bind what others may be created with."""

from __future__ import annotations

from runtime.objects import Resource
from tiphys.devcluster import (
    amounts,
    columns,
    defaults,
    furthercolumns,
    networkcolumns,
    networkdefaults,
    rules,
    workloadcolumns,
    workloads,
)
from tiphys.devcluster.kinds import ALL, Kind, Scale

RBAC = "rbac.authorization.k8s.io/v1"
NETWORKING = "networking.k8s.io/v1"
PRIORITY_CLASSES = Resource("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", namespaced=False)
RESOURCE_QUOTAS = Resource("v1", "ResourceQuota", "resourcequotas")
LIMIT_RANGES = Resource("v1", "LimitRange", "limitranges")

KINDS: tuple[Kind, ...] = (
    Kind(
        Resource("v1", "ReplicationController", "replicationcontrollers"),
        ("rc",),
        ALL,
        has_status=True,
        counts_generation=True,
        scale=Scale(),
        columns=workloadcolumns.REPLICATION_CONTROLLER,
        default=defaults.replication_controller,
        validate=workloads.replication_controller,
    ),
    Kind(
        Resource("v1", "PodTemplate", "podtemplates"),
        counts_generation=True,
        columns=workloadcolumns.POD_TEMPLATE,
        default=defaults.pod_template,
        validate=workloads.pod_template,
    ),
    Kind(RESOURCE_QUOTAS, ("quota",), has_status=True, columns=furthercolumns.QUOTA, validate=amounts.quota),
    Kind(LIMIT_RANGES, ("limits",), columns=columns.CREATED_AT, default=defaults.limit_range),
    Kind(
        PRIORITY_CLASSES,
        ("pc",),
        counts_generation=True,
        columns=furthercolumns.PRIORITY_CLASS,
        default=defaults.priority_class,
        validate=rules.priority_class,
    ),
    Kind(
        Resource("v1", "PersistentVolume", "persistentvolumes", namespaced=False),
        ("pv",),
        has_status=True,
        columns=furthercolumns.VOLUME,
        default=defaults.volume,
    ),
    Kind(
        Resource("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False),
        ("sc",),
        columns=furthercolumns.STORAGE_CLASS,
        default=defaults.storage_class,
    ),
    Kind(
        Resource(NETWORKING, "NetworkPolicy", "networkpolicies"),
        ("netpol",),
        counts_generation=True,
        columns=networkcolumns.NETWORK_POLICY,
        default=networkdefaults.network_policy,
    ),
    Kind(
        Resource(NETWORKING, "IngressClass", "ingressclasses", namespaced=False),
        counts_generation=True,
        columns=networkcolumns.INGRESS_CLASS,
        default=networkdefaults.ingress_class,
    ),
    Kind(Resource(RBAC, "Role", "roles"), name_rule="path", columns=columns.CREATED_AT),
    Kind(Resource(RBAC, "RoleBinding", "rolebindings"), name_rule="path", columns=furthercolumns.BINDING),
    Kind(Resource(RBAC, "ClusterRole", "clusterroles", namespaced=False), name_rule="path", columns=columns.CREATED_AT),
    Kind(
        Resource(RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
        name_rule="path",
        columns=furthercolumns.BINDING,
    ),
)

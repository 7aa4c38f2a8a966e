"""The built-in kinds: what a cluster without add-ons serves, as far as workflows and rollouts meet it."""

from __future__ import annotations

from dataclasses import replace

from runtime.objects import Resource
from tiphys.devcluster import (
    autoscaling,
    columns,
    defaults,
    further,
    furthercolumns,
    podrules,
    rules,
    structural,
    validations,
    wiretypes,
    workloads,
)
from tiphys.devcluster.kinds import ALL, COMMON_FIELDS, Kind, Scale


def _fields(*paths: str) -> frozenset[str]:
    return COMMON_FIELDS | frozenset(paths)


POD_FIELDS = _fields(
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)
EVENT_FIELDS = _fields(
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)

_KINDS: tuple[Kind, ...] = (
    Kind(
        Resource("v1", "Pod", "pods"),
        ("po",),
        ALL,
        has_status=True,
        counts_generation=True,
        selectable=POD_FIELDS,
        found_at={"spec.hostNetwork": ("spec.hostNetwork", "false")},
        columns=columns.POD,
        default=defaults.pod,
        validate=podrules.pod,
        subresources=("log", "exec", "binding", "eviction"),
    ),
    Kind(Resource("v1", "ConfigMap", "configmaps"), ("cm",), columns=columns.CONFIGMAP, validate=rules.configmap),
    Kind(
        Resource("v1", "Secret", "secrets"),
        selectable=_fields("type"),
        columns=columns.SECRET,
        default=defaults.secret,
        validate=rules.secret,
    ),
    Kind(
        Resource("v1", "Service", "services"),
        ("svc",),
        ALL,
        has_status=True,
        name_rule="service",
        selectable=_fields("spec.clusterIP", "spec.type"),
        columns=columns.SERVICE,
        default=defaults.service,
        validate=rules.service,
    ),
    Kind(Resource("v1", "Endpoints", "endpoints"), ("ep",), columns=furthercolumns.ENDPOINTS),
    Kind(
        Resource("v1", "ServiceAccount", "serviceaccounts"),
        ("sa",),
        columns=columns.SERVICE_ACCOUNT,
        subresources=("token",),
    ),
    Kind(
        Resource("v1", "Namespace", "namespaces", namespaced=False),
        ("ns",),
        has_status=True,
        name_rule="label",
        selectable=_fields("status.phase"),
        columns=columns.NAMESPACE,
        default=defaults.namespace,
        subresources=("finalize",),
    ),
    Kind(
        Resource("v1", "Node", "nodes", namespaced=False),
        ("no",),
        has_status=True,
        selectable=_fields("spec.unschedulable"),
        found_at={"spec.unschedulable": ("spec.unschedulable", "false")},
        columns=columns.NODE,
    ),
    Kind(
        Resource("v1", "Event", "events"),
        ("ev",),
        selectable=EVENT_FIELDS,
        found_at={"source": ("source.component", "")},
        columns=columns.EVENT,
        default=defaults.event,
    ),
    Kind(
        Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
        ("pvc",),
        has_status=True,
        columns=columns.CLAIM,
        default=defaults.claim,
        validate=rules.claim,
    ),
    Kind(
        Resource("batch/v1", "Job", "jobs"),
        (),
        ALL,
        has_status=True,
        counts_generation=True,
        selectable=_fields("status.successful"),
        found_at={"status.successful": ("status.succeeded", "0")},
        columns=columns.JOB,
        default=defaults.job,
        validate=workloads.job,
    ),
    Kind(
        Resource("batch/v1", "CronJob", "cronjobs"),
        ("cj",),
        ALL,
        has_status=True,
        counts_generation=True,
        columns=columns.CRONJOB,
        default=defaults.cron_job,
        validate=workloads.cron_job,
    ),
    Kind(
        Resource("apps/v1", "ReplicaSet", "replicasets"),
        ("rs",),
        ALL,
        has_status=True,
        counts_generation=True,
        scale=Scale(),
        selectable=_fields("status.replicas"),
        found_at={"status.replicas": ("status.replicas", "0")},
        columns=columns.REPLICA_SET,
        default=defaults.replica_set,
        validate=workloads.selected_template,
    ),
    Kind(
        Resource("apps/v1", "Deployment", "deployments"),
        ("deploy",),
        ALL,
        has_status=True,
        counts_generation=True,
        scale=Scale(),
        columns=columns.DEPLOYMENT,
        default=defaults.deployment,
        validate=workloads.deployment,
    ),
    Kind(
        Resource("apps/v1", "StatefulSet", "statefulsets"),
        ("sts",),
        ALL,
        has_status=True,
        counts_generation=True,
        scale=Scale(),
        columns=columns.STATEFUL_SET,
        default=defaults.stateful_set,
        validate=workloads.selected_template,
    ),
    Kind(
        Resource("apps/v1", "DaemonSet", "daemonsets"),
        ("ds",),
        ALL,
        has_status=True,
        counts_generation=True,
        columns=furthercolumns.DAEMON_SET,
        default=defaults.daemon_set,
        validate=workloads.selected_template,
    ),
    Kind(
        Resource("apps/v1", "ControllerRevision", "controllerrevisions"),
        columns=furthercolumns.CONTROLLER_REVISION,
    ),
    Kind(Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"), columns=furthercolumns.ENDPOINT_SLICE),
    Kind(Resource("coordination.k8s.io/v1", "Lease", "leases"), columns=columns.LEASE),
    Kind(
        Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
        ("pdb",),
        has_status=True,
        counts_generation=True,
        columns=columns.BUDGET,
        validate=workloads.budget,
    ),
    Kind(
        Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        ("hpa",),
        ALL,
        has_status=True,
        columns=columns.AUTOSCALER,
        default=autoscaling.default_v2,
        validate=autoscaling.faults,
        convert=autoscaling.to_v2,
    ),
    Kind(
        Resource("autoscaling/v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        ("hpa",),
        ALL,
        has_status=True,
        columns=columns.AUTOSCALER,
        default=autoscaling.default_v1,
        validate=autoscaling.faults,
        convert=autoscaling.to_v1,
    ),
    Kind(
        Resource("networking.k8s.io/v1", "Ingress", "ingresses"),
        ("ing",),
        has_status=True,
        counts_generation=True,
        columns=columns.INGRESS,
    ),
    *further.KINDS,
    Kind(
        Resource("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False),
        ("crd", "crds"),
        ("api-extensions",),
        has_status=True,
        counts_generation=True,
        columns=columns.CRD,
        default=defaults.crd,
        validate=structural.crd,
        remarks=validations.unusable,
    ),
)


def built_in() -> tuple[Kind, ...]:
    """All kinds that are served from the start."""
    return tuple(
        replace(kind, prune=wiretypes.pruner(kind.resource.api_version, kind.resource.kind)) for kind in _KINDS
    )

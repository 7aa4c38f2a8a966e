"""The pod template of a Rollout: a whole pod, where a Workflow's template names parts of one.

The defaults that the API server fills in here enter the hash of the template, so they are upstream's and no others.
"""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Annotated

from crds.containers import (
    Container,
    ContainerPort,
    EnvVar,
    EnvVarSource,
    GRPCAction,
    Probe,
    Resources,
)
from crds.meta import Default, LabelSelector, LocalObjectReference, Metadata, Model, Quantity
from crds.pods import (
    Affinity,
    DNSConfig,
    HostAlias,
    PodResourceClaim,
    PodSecurityContext,
    Toleration,
    Volume,
)


class ServedPort(ContainerPort):
    """A port of a container that serves."""

    protocol: Annotated[str | None, Default("TCP")] = None  # UDP or SCTP; TCP unless said otherwise


class ServedGRPCAction(GRPCAction):
    """A gRPC health check."""

    service: Annotated[str | None, Default("")] = None


class ServedProbe(Probe):
    """How the kubelet asks a container whether it is well."""

    grpc: ServedGRPCAction | None = None


class FileKeySelector(Model):
    """A variable from a file of a volume."""

    volumeName: str
    path: str
    key: str
    optional: Annotated[bool | None, Default(False)] = None


class ServedEnvVarSource(EnvVarSource):
    """Where the value of an environment variable comes from."""

    fileKeyRef: FileKeySelector | None = None  # type: ignore[assignment]


class ServedEnvVar(EnvVar):
    """An environment variable."""

    valueFrom: ServedEnvVarSource | None = None


class ServedContainer(Container):
    """One container of a Rollout's pods."""

    env: list[ServedEnvVar] | None = None  # type: ignore[assignment]
    ports: list[ServedPort] | None = None  # type: ignore[assignment]
    livenessProbe: ServedProbe | None = None
    readinessProbe: ServedProbe | None = None
    startupProbe: ServedProbe | None = None


class EphemeralContainer(ServedContainer):
    """A container for looking into a pod; a template may carry one, and pods are never made with it."""

    targetContainerName: str | None = None


class ReadinessGate(Model):
    """A condition that must be true before the pod counts as ready."""

    conditionType: str


class TopologySpread(Model):
    """How pods are spread over nodes and zones."""

    maxSkew: int
    topologyKey: str
    whenUnsatisfiable: str
    labelSelector: LabelSelector | None = None
    minDomains: int | None = None
    nodeAffinityPolicy: str | None = None
    nodeTaintsPolicy: str | None = None
    matchLabelKeys: list[str] | None = None


class PodOS(Model):
    """The operating system that the pod is for."""

    name: str


class SchedulingGate(Model):
    """Something that holds the pod back from being scheduled."""

    name: str


class PodSpec(Model):
    """The pod."""

    containers: list[ServedContainer]
    initContainers: list[ServedContainer] | None = None
    ephemeralContainers: list[EphemeralContainer] | None = None
    volumes: list[Volume] | None = None
    restartPolicy: str | None = None
    terminationGracePeriodSeconds: int | None = None
    activeDeadlineSeconds: int | None = None
    dnsPolicy: str | None = None
    dnsConfig: DNSConfig | None = None
    nodeSelector: dict[str, str] | None = None
    nodeName: str | None = None
    serviceAccountName: str | None = None
    serviceAccount: str | None = None
    automountServiceAccountToken: bool | None = None
    hostNetwork: bool | None = None
    hostPID: bool | None = None
    hostIPC: bool | None = None
    hostUsers: bool | None = None
    hostname: str | None = None
    hostnameOverride: str | None = None
    subdomain: str | None = None
    setHostnameAsFQDN: bool | None = None
    shareProcessNamespace: bool | None = None
    securityContext: PodSecurityContext | None = None
    imagePullSecrets: list[LocalObjectReference] | None = None
    affinity: Affinity | None = None
    tolerations: list[Toleration] | None = None
    hostAliases: list[HostAlias] | None = None
    schedulerName: str | None = None
    schedulingGates: list[SchedulingGate] | None = None
    priorityClassName: str | None = None
    priority: int | None = None
    preemptionPolicy: str | None = None
    readinessGates: list[ReadinessGate] | None = None
    runtimeClassName: str | None = None
    enableServiceLinks: bool | None = None
    overhead: dict[str, Quantity] | None = None
    topologySpreadConstraints: list[TopologySpread] | None = None
    os: PodOS | None = None
    resourceClaims: list[PodResourceClaim] | None = None
    resources: Resources | None = None


class PodTemplate(Model):
    """What the pods are made of."""

    metadata: Metadata | None = None
    spec: PodSpec | None = None  # a Rollout that refers to a workload has none

"""The pod around the containers: where it runs, what it mounts, whose rights it has."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from crds.containers import FieldSelector, ResourceFieldSelector
from crds.meta import IntOrString, LabelSelector, Metadata, Model, NameValue, Open, Quantity


class Affinity(Model):
    """Nodes and neighbours that the pod likes, or does not."""

    nodeAffinity: Open | None = None
    podAffinity: Open | None = None
    podAntiAffinity: Open | None = None


class Toleration(Model):
    """A taint that the pod does not mind."""

    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None
    tolerationSeconds: int | None = None


class HostAlias(Model):
    """A line of the pod's hosts file."""

    ip: str
    hostnames: list[str] | None = None


class DNSConfig(Model):
    """How the pod resolves names."""

    nameservers: list[str] | None = None
    searches: list[str] | None = None
    options: list[NameValue] | None = None


class PodSecurityContext(Model):
    """With which rights all containers of a pod run."""

    appArmorProfile: Open | None = None
    fsGroup: int | None = None
    fsGroupChangePolicy: str | None = None
    runAsGroup: int | None = None
    runAsNonRoot: bool | None = None
    runAsUser: int | None = None
    seLinuxChangePolicy: str | None = None
    seLinuxOptions: Open | None = None
    seccompProfile: Open | None = None
    supplementalGroups: list[int] | None = None
    supplementalGroupsPolicy: str | None = None
    sysctls: list[NameValue] | None = None
    windowsOptions: Open | None = None


class PodResourceClaim(Model):
    """A device claim of the pod."""

    name: str
    resourceClaimName: str | None = None
    resourceClaimTemplateName: str | None = None


class DisruptionBudget(Model):
    """How many pods of the workflow a voluntary disruption must leave alone."""

    minAvailable: IntOrString | None = None
    maxUnavailable: IntOrString | None = None
    selector: LabelSelector | None = None
    unhealthyPodEvictionPolicy: str | None = None


class KeyToPath(Model):
    """A key, as a file."""

    key: str
    path: str
    mode: int | None = None


class ConfigMapVolume(Model):
    """Files from a ConfigMap."""

    name: str | None = None
    items: list[KeyToPath] | None = None
    defaultMode: int | None = None
    optional: bool | None = None


class SecretVolume(Model):
    """Files from a Secret."""

    secretName: str | None = None
    items: list[KeyToPath] | None = None
    defaultMode: int | None = None
    optional: bool | None = None


class DownwardAPIFile(Model):
    """A field of the pod, as a file."""

    path: str
    fieldRef: FieldSelector | None = None
    resourceFieldRef: ResourceFieldSelector | None = None
    mode: int | None = None


class DownwardAPIVolume(Model):
    """Files from the pod's own fields."""

    items: list[DownwardAPIFile] | None = None
    defaultMode: int | None = None


class ProjectedVolume(Model):
    """Several sources in one directory."""

    sources: list[Open] | None = None
    defaultMode: int | None = None


class EmptyDir(Model):
    """An empty directory that lives as long as the pod."""

    medium: str | None = None
    sizeLimit: Quantity | None = None


class HostPath(Model):
    """A path of the machine."""

    path: str
    type: str | None = None


class ClaimVolume(Model):
    """A PersistentVolumeClaim of the namespace."""

    claimName: str
    readOnly: bool | None = None


class NFSVolume(Model):
    """An NFS export."""

    server: str
    path: str
    readOnly: bool | None = None


class ImageVolume(Model):
    """The files of an image."""

    reference: str | None = None
    pullPolicy: str | None = None


class Volume(Model):
    """A volume that containers of the pod may mount; exactly one source."""

    name: str
    configMap: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    emptyDir: EmptyDir | None = None
    hostPath: HostPath | None = None
    persistentVolumeClaim: ClaimVolume | None = None
    projected: ProjectedVolume | None = None
    downwardAPI: DownwardAPIVolume | None = None
    nfs: NFSVolume | None = None
    image: ImageVolume | None = None
    csi: Open | None = None
    ephemeral: Open | None = None
    awsElasticBlockStore: Open | None = None
    azureDisk: Open | None = None
    azureFile: Open | None = None
    cephfs: Open | None = None
    cinder: Open | None = None
    fc: Open | None = None
    flexVolume: Open | None = None
    flocker: Open | None = None
    gcePersistentDisk: Open | None = None
    gitRepo: Open | None = None
    glusterfs: Open | None = None
    iscsi: Open | None = None
    photonPersistentDisk: Open | None = None
    portworxVolume: Open | None = None
    quobyte: Open | None = None
    rbd: Open | None = None
    scaleIO: Open | None = None
    storageos: Open | None = None
    vsphereVolume: Open | None = None


class VolumeResources(Model):
    """How much storage is asked for."""

    limits: dict[str, Quantity] | None = None
    requests: dict[str, Quantity] | None = None


class ClaimSpec(Model):
    """What a PersistentVolumeClaim asks for."""

    accessModes: list[str] | None = None
    resources: VolumeResources | None = None
    selector: LabelSelector | None = None
    storageClassName: str | None = None
    volumeAttributesClassName: str | None = None
    volumeMode: str | None = None
    volumeName: str | None = None
    dataSource: Open | None = None
    dataSourceRef: Open | None = None


class Claim(Model):
    """A PersistentVolumeClaim that lives as long as the workflow."""

    apiVersion: str | None = None
    kind: str | None = None
    metadata: Metadata | None = None
    spec: ClaimSpec | None = None
    status: Open | None = None


class ExecutorConfig(Model):
    """Whose rights the executor's own containers have."""

    serviceAccountName: str | None = None


class PodOptions(Model):
    """What a workflow and a template may both say about their pods."""

    nodeSelector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: list[Toleration] | None = None
    schedulerName: str | None = None
    hostAliases: list[HostAlias] | None = None
    securityContext: PodSecurityContext | None = None
    serviceAccountName: str | None = None
    automountServiceAccountToken: bool | None = None
    executor: ExecutorConfig | None = None
    volumes: list[Volume] | None = None
    podSpecPatch: str | None = None  # YAML or JSON text, merged over the finished pod spec
    resourceClaims: list[PodResourceClaim] | None = None

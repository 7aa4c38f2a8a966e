"""A container as authors write it: every field that is commonly mistyped has its type, the rest passes through."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from crds.meta import IntOrString, KeySelector, Model, NameValue, Open, Quantity


class FieldSelector(Model):
    """A field of the pod."""

    fieldPath: str
    apiVersion: str | None = None


class ResourceFieldSelector(Model):
    """A resource of a container."""

    resource: str
    containerName: str | None = None
    divisor: Quantity | None = None


class EnvVarSource(Model):
    """Where the value of an environment variable comes from."""

    configMapKeyRef: KeySelector | None = None
    secretKeyRef: KeySelector | None = None
    fieldRef: FieldSelector | None = None
    resourceFieldRef: ResourceFieldSelector | None = None
    fileKeyRef: Open | None = None


class EnvVar(Model):
    """An environment variable."""

    name: str
    value: str | None = None
    valueFrom: EnvVarSource | None = None


class EnvFromReference(Model):
    """A whole ConfigMap or Secret."""

    name: str | None = None
    optional: bool | None = None


class EnvFromSource(Model):
    """Environment variables from a whole ConfigMap or Secret."""

    prefix: str | None = None
    configMapRef: EnvFromReference | None = None
    secretRef: EnvFromReference | None = None


class ContainerPort(Model):
    """A port that the container listens on."""

    containerPort: int
    name: str | None = None
    hostIP: str | None = None
    hostPort: int | None = None
    protocol: str | None = None


class VolumeMount(Model):
    """A volume of the pod, at a path of the container."""

    name: str
    mountPath: str
    mountPropagation: str | None = None
    readOnly: bool | None = None
    recursiveReadOnly: str | None = None
    subPath: str | None = None
    subPathExpr: str | None = None


class VolumeDevice(Model):
    """A raw block device of the container."""

    name: str
    devicePath: str


class ResourceClaim(Model):
    """A claim of the pod that the container uses."""

    name: str
    request: str | None = None


class Resources(Model):
    """What is reserved for a container, and what it may not exceed."""

    limits: dict[str, Quantity] | None = None
    requests: dict[str, Quantity] | None = None
    claims: list[ResourceClaim] | None = None


class ResizePolicy(Model):
    """What a change of a resource does to the running container."""

    resourceName: str
    restartPolicy: str


class ExecAction(Model):
    """A command inside the container."""

    command: list[str] | None = None


class HTTPGetAction(Model):
    """A request to the container."""

    port: IntOrString
    path: str | None = None
    host: str | None = None
    scheme: str | None = None
    httpHeaders: list[NameValue] | None = None


class TCPSocketAction(Model):
    """A connection to the container."""

    port: IntOrString
    host: str | None = None


class GRPCAction(Model):
    """A gRPC health check."""

    port: int
    service: str | None = None


class Probe(Model):
    """How the kubelet asks a container whether it is well."""

    exec: ExecAction | None = None
    httpGet: HTTPGetAction | None = None
    tcpSocket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    initialDelaySeconds: int | None = None
    timeoutSeconds: int | None = None
    periodSeconds: int | None = None
    successThreshold: int | None = None
    failureThreshold: int | None = None
    terminationGracePeriodSeconds: int | None = None


class SleepAction(Model):
    """A pause."""

    seconds: int


class LifecycleHandler(Model):
    """What happens at one end of a container's life."""

    exec: ExecAction | None = None
    httpGet: HTTPGetAction | None = None
    tcpSocket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(Model):
    """What happens after a container's start and before its end."""

    postStart: LifecycleHandler | None = None
    preStop: LifecycleHandler | None = None
    stopSignal: str | None = None


class Capabilities(Model):
    """Capabilities added and dropped."""

    add: list[str] | None = None
    drop: list[str] | None = None


class SecurityContext(Model):
    """With which rights a container runs."""

    allowPrivilegeEscalation: bool | None = None
    appArmorProfile: Open | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    procMount: str | None = None
    readOnlyRootFilesystem: bool | None = None
    runAsGroup: int | None = None
    runAsNonRoot: bool | None = None
    runAsUser: int | None = None
    seLinuxOptions: Open | None = None
    seccompProfile: Open | None = None
    windowsOptions: Open | None = None


class Container(Model):
    """One container of a pod."""

    name: str | None = None
    image: str | None = None  # needed, unless the template defaults give one
    imagePullPolicy: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    workingDir: str | None = None
    env: list[EnvVar] | None = None
    envFrom: list[EnvFromSource] | None = None
    ports: list[ContainerPort] | None = None
    resources: Resources | None = None
    resizePolicy: list[ResizePolicy] | None = None
    restartPolicy: str | None = None
    restartPolicyRules: list[Open] | None = None
    volumeMounts: list[VolumeMount] | None = None
    volumeDevices: list[VolumeDevice] | None = None
    livenessProbe: Probe | None = None
    readinessProbe: Probe | None = None
    startupProbe: Probe | None = None
    lifecycle: Lifecycle | None = None
    securityContext: SecurityContext | None = None
    stdin: bool | None = None
    stdinOnce: bool | None = None
    tty: bool | None = None
    terminationMessagePath: str | None = None
    terminationMessagePolicy: str | None = None


class UserContainer(Container):
    """A sidecar or init container."""

    mirrorVolumeMounts: bool | None = None  # mounts what the main container mounts, artifacts included


class ScriptContainer(Container):
    """A container that runs a text."""

    source: str | None = None  # the text; its file is the last argument of the command


class ContainerNode(Container):
    """One container of a container set."""

    dependencies: list[str] | None = None  # containers that must have ended well before this one starts

"""A template: one of ten kinds of work, its inputs and outputs, and how it is run."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Annotated, Any

from crds.artifacts import Artifact, ArtifactLocation, ArtifactPaths
from crds.containers import (
    Container,
    ContainerNode,
    EnvVarSource,
    Resources,
    ScriptContainer,
    UserContainer,
    VolumeMount,
)
from crds.meta import NULL_IN_MANIFEST, OPEN_IN_MANIFEST, IntOrString, Model, Open, PodMetadata
from crds.parameters import Arguments, Outputs
from crds.pods import PodOptions
from crds.policies import Memoize, Metrics, RetryStrategy, Synchronization


class TemplateRef(Model):
    """A template of a WorkflowTemplate or ClusterWorkflowTemplate."""

    name: str | None = None  # of the WorkflowTemplate
    template: str | None = None  # of its template
    clusterScope: bool | None = None  # a ClusterWorkflowTemplate is meant


class LifecycleHook(Model):
    """A template that runs when something happens."""

    template: str | None = None
    templateRef: TemplateRef | None = None
    arguments: Arguments | None = None
    expression: str | None = None  # when it runs; needed for every hook but exit


class ContinueOn(Model):
    """Which bad ends do not stop the others."""

    error: bool | None = None
    failed: bool | None = None


class Sequence(Model):
    """Numbers to loop over: up to an end, or a count of them."""

    count: IntOrString | None = None
    start: IntOrString | None = None
    end: IntOrString | None = None
    format: str | None = None  # printf, such as item-%02d


class Call(Model):
    """What a step and a task share: which template, with what, how often, and whether at all."""

    name: str | None = None
    template: str | None = None
    templateRef: TemplateRef | None = None
    inline: Annotated[Template | None, OPEN_IN_MANIFEST] = None  # a template written down here
    arguments: Arguments | None = None
    withItems: list[Any] | None = None  # once for each
    withParam: str | None = None  # once for each of a JSON list
    withSequence: Sequence | None = None
    when: str | None = None  # false skips it
    continueOn: ContinueOn | None = None
    onExit: str | None = None  # the template that runs at its end; hooks.exit is the newer word
    hooks: dict[str, LifecycleHook] | None = None


class Step(Call):
    """One call of a steps template."""


class Task(Call):
    """One call of a dag template."""

    dependencies: list[str] | None = None  # tasks that must have ended well
    depends: str | None = None  # a condition over the ends of other tasks: A.Succeeded || B.Failed


class DAG(Model):
    """Calls that depend on each other."""

    tasks: list[Task]
    target: str | None = None  # only these and what they need; all when absent
    failFast: bool | None = None  # true unless said otherwise


class ContainerSetRetry(Model):
    """How often a command of the set is run again."""

    retries: IntOrString | None = None
    duration: str | None = None


class ContainerSet(Model):
    """Several containers of one pod, with an order."""

    containers: list[ContainerNode]
    volumeMounts: list[VolumeMount] | None = None  # of every container
    retryStrategy: ContainerSetRetry | None = None


class ManifestFrom(Model):
    """A manifest out of an artifact."""

    artifact: Annotated[Artifact | None, NULL_IN_MANIFEST] = None


class ResourceTemplate(Model):
    """One call to the Kubernetes API."""

    action: str  # get, create, apply, delete, replace or patch
    manifest: str | None = None
    manifestFrom: ManifestFrom | None = None
    mergeStrategy: str | None = None  # strategic, merge or json
    setOwnerReference: bool | None = None  # the workflow owns what is created
    successCondition: str | None = None
    failureCondition: str | None = None
    flags: list[str] | None = None


class SuspendTemplate(Model):
    """Waits to be resumed, or for a time."""

    duration: str | None = None  # seconds, or with a unit


class HTTPHeaderSource(EnvVarSource):
    """Where the value of a header comes from."""


class HTTPHeader(Model):
    """A header of the request."""

    name: str
    value: str | None = None
    valueFrom: HTTPHeaderSource | None = None


class HTTPBodySource(Model):
    """The body as bytes."""

    bytes: str | None = None  # base64


class HTTPTemplate(Model):
    """One HTTP request."""

    url: str
    method: str | None = None  # GET unless said otherwise
    headers: list[HTTPHeader] | None = None
    body: str | None = None
    bodyFrom: HTTPBodySource | None = None
    timeoutSeconds: int | None = None
    insecureSkipVerify: bool | None = None
    successCondition: str | None = None


class DataSource(Model):
    """Where the list begins."""

    artifactPaths: ArtifactPaths | None = None


class Transformation(Model):
    """One step of the list's way."""

    expression: str


class DataTemplate(Model):
    """A list of keys, transformed."""

    source: DataSource | None = None
    transformation: Annotated[list[Transformation] | None, NULL_IN_MANIFEST] = None


class Template(PodOptions):
    """One kind of work, and how it is run. Exactly one kind."""

    name: str | None = None
    inputs: Arguments | None = None
    outputs: Outputs | None = None
    container: Container | None = None  # runs a command in an image
    script: ScriptContainer | None = None  # runs a text in an image
    containerSet: ContainerSet | None = None  # runs several containers in one pod
    steps: list[list[Step]] | None = None  # lists of calls: one list after the other, each in parallel
    dag: DAG | None = None  # calls that depend on each other
    resource: ResourceTemplate | None = None  # creates, reads, changes or deletes a Kubernetes object
    suspend: SuspendTemplate | None = None  # waits
    data: DataTemplate | None = None  # lists and transforms
    http: HTTPTemplate | None = None  # asks a server
    plugin: Open | None = None  # whatever an executor plugin understands
    initContainers: list[UserContainer] | None = None
    sidecars: list[UserContainer] | None = None
    daemon: bool | None = None  # runs on while others use it
    metadata: PodMetadata | None = None
    annotations: dict[str, str] | None = None
    priorityClassName: str | None = None
    podResources: Resources | None = None
    archiveLocation: ArtifactLocation | None = None
    activeDeadlineSeconds: IntOrString | None = None
    timeout: str | None = None  # from the node's start, pending included; a duration with unit
    pendingTimeout: str | None = None
    retryStrategy: RetryStrategy | None = None
    parallelism: int | None = None  # how many children may be active at once
    failFast: bool | None = None
    synchronization: Synchronization | None = None
    memoize: Memoize | None = None
    metrics: Metrics | None = None

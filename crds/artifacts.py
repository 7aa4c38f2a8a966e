"""Artifacts: what is carried between nodes as files, and the ten kinds of places that keep them."""

# ruff: noqa: N815  the attribute is the JSON name

from __future__ import annotations

from typing import Literal

from pydantic import Field

from crds.meta import KeySelector, Model, NameValue, PodMetadata


class S3Encryption(Model):
    """How S3 encrypts at rest."""

    enableEncryption: bool | None = None
    kmsKeyId: str | None = None
    kmsEncryptionContext: str | None = None  # JSON text
    serverSideCustomerKeySecret: KeySelector | None = None


class S3BucketCreation(Model):
    """With which options a missing bucket is created."""

    objectLocking: bool | None = None


class S3Bucket(Model):
    """A bucket of an S3 service, and how to reach it."""

    endpoint: str | None = None
    bucket: str | None = None
    region: str | None = None
    insecure: bool | None = None  # HTTP instead of HTTPS
    accessKeySecret: KeySelector | None = None
    secretKeySecret: KeySelector | None = None
    sessionTokenSecret: KeySelector | None = None
    roleARN: str | None = None
    useSDKCreds: bool | None = None  # credentials of the environment
    createBucketIfNotPresent: S3BucketCreation | None = None
    encryptionOptions: S3Encryption | None = None
    caSecret: KeySelector | None = None
    addressingStyle: Literal["", "path", "virtual-hosted"] | None = None


class S3Artifact(S3Bucket):
    """An object or a prefix of an S3 bucket."""

    key: str | None = None


class GitArtifact(Model):
    """A checkout of a git repository."""

    repo: str
    revision: str | None = None  # branch, tag or commit
    branch: str | None = None
    depth: int | None = None
    fetch: list[str] | None = None
    singleBranch: bool | None = None
    disableSubmodules: bool | None = None
    usernameSecret: KeySelector | None = None
    passwordSecret: KeySelector | None = None
    sshPrivateKeySecret: KeySelector | None = None
    insecureIgnoreHostKey: bool | None = None
    insecureSkipTLS: bool | None = None


class BasicAuth(Model):
    """A name and a password."""

    usernameSecret: KeySelector | None = None
    passwordSecret: KeySelector | None = None


class ClientCert(Model):
    """A client certificate and its key."""

    clientCertSecret: KeySelector | None = None
    clientKeySecret: KeySelector | None = None


class OAuth2Parameter(Model):
    """A further parameter of the token request."""

    key: str
    value: str | None = None


class OAuth2(Model):
    """Client credentials that are exchanged for a token."""

    clientIDSecret: KeySelector | None = None
    clientSecretSecret: KeySelector | None = None
    tokenURLSecret: KeySelector | None = None
    scopes: list[str] | None = None
    endpointParams: list[OAuth2Parameter] | None = None


class HTTPAuth(Model):
    """How the client names itself."""

    basicAuth: BasicAuth | None = None
    clientCert: ClientCert | None = None
    oauth2: OAuth2 | None = None


class HTTPArtifact(Model):
    """A URL: fetched by GET, saved by PUT."""

    url: str
    headers: list[NameValue] | None = None
    auth: HTTPAuth | None = None
    saveStreamViaFile: bool | None = None


class ArtifactoryArtifact(BasicAuth):
    """A file of an Artifactory repository."""

    url: str


class HDFSArtifact(Model):
    """A file or directory of HDFS."""

    addresses: list[str] | None = None
    path: str | None = None
    hdfsUser: str | None = None
    force: bool | None = None  # overwrite
    dataTransferProtection: str | None = None
    krbCCacheSecret: KeySelector | None = None
    krbKeytabSecret: KeySelector | None = None
    krbConfigConfigMap: KeySelector | None = None
    krbUsername: str | None = None
    krbRealm: str | None = None
    krbServicePrincipalName: str | None = None


class RawArtifact(Model):
    """The content itself, in the manifest."""

    data: str


class OSSLifecycleRule(Model):
    """When Alibaba OSS moves or deletes objects."""

    markInfrequentAccessAfterDays: int | None = None
    markDeletionAfterDays: int | None = None


class OSSArtifact(Model):
    """An object or a prefix of an Alibaba OSS bucket."""

    endpoint: str | None = None
    bucket: str | None = None
    key: str | None = None
    accessKeySecret: KeySelector | None = None
    secretKeySecret: KeySelector | None = None
    securityToken: str | None = None
    createBucketIfNotPresent: bool | None = None
    lifecycleRule: OSSLifecycleRule | None = None
    useSDKCreds: bool | None = None


class GCSArtifact(Model):
    """An object or a prefix of a Google Cloud Storage bucket."""

    bucket: str | None = None
    key: str | None = None
    serviceAccountKeySecret: KeySelector | None = None


class AzureArtifact(Model):
    """A blob of an Azure container."""

    endpoint: str | None = None
    container: str | None = None
    blob: str | None = None
    accountKeySecret: KeySelector | None = None
    useSDKCreds: bool | None = None


class PluginArtifact(Model):
    """An artifact that a driver plugin keeps."""

    name: str | None = None
    key: str | None = None
    configuration: str | None = None  # text that only the plugin understands
    connectionTimeoutSeconds: int | None = None


class ArtifactLocation(Model):
    """Where an artifact is kept: one driver; one that gives only a key inherits the rest from the repository."""

    archiveLogs: bool | None = None
    s3: S3Artifact | None = None
    git: GitArtifact | None = None
    http: HTTPArtifact | None = None
    artifactory: ArtifactoryArtifact | None = None
    hdfs: HDFSArtifact | None = None
    raw: RawArtifact | None = None
    oss: OSSArtifact | None = None
    gcs: GCSArtifact | None = None
    azure: AzureArtifact | None = None
    plugin: PluginArtifact | None = None


class Empty(Model):
    """Nothing to say: being there is the meaning."""


class TarStrategy(Model):
    """A gzip-compressed tar."""

    compressionLevel: int | None = None  # 0 stores, 1 to 9, -1 the default


class ArchiveStrategy(Model):
    """How files are packed before they are saved; a gzip-compressed tar unless said otherwise."""

    tar: TarStrategy | None = None
    zip: Empty | None = None
    none: Empty | None = None


GCStrategy = Literal["", "OnWorkflowCompletion", "OnWorkflowDeletion", "Never"]


class ArtifactGC(Model):
    """When the saved artifact is deleted, and by whom."""

    strategy: GCStrategy | None = None
    podMetadata: PodMetadata | None = None
    serviceAccountName: str | None = None


class WorkflowArtifactGC(ArtifactGC):
    """The default for all artifacts of the workflow."""

    forceFinalizerRemoval: bool | None = None  # a failed deletion does not keep the workflow
    podSpecPatch: str | None = None


class Artifact(ArtifactLocation):
    """Files that are carried into or out of a node."""

    name: str
    path: str | None = None  # where the files are in the container
    from_: str | None = Field(None, alias="from")  # a reference to an artifact: {{steps.a.outputs.artifacts.b}}
    fromExpression: str | None = None  # an expression that gives an artifact
    subPath: str | None = None
    optional: bool | None = None  # its absence is no error
    mode: int | None = None  # permission bits, decimal or octal
    recurseMode: bool | None = None
    archive: ArchiveStrategy | None = None
    artifactGC: ArtifactGC | None = None
    globalName: str | None = None  # known to the whole workflow as workflow.outputs.artifacts.<globalName>
    deleted: bool | None = None


class ArtifactPaths(Artifact):
    """The keys below a prefix."""

    name: str | None = None  # type: ignore[assignment]  # a listing needs no name

"""A Kubernetes object is JSON; a `Resource` says where its kind lives, a `Reference` which one is meant.

Nothing here knows any kind beyond Kubernetes' own: rooms define theirs as further `Resource` values.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

Object: TypeAlias = dict[str, Any]
"""A Kubernetes object as its API server writes it: `apiVersion`, `kind`, `metadata`, …"""


class Resource(NamedTuple):
    """One kind and the path it is served under."""

    api_version: str  # "v1", "batch/v1"
    kind: str  # "Pod"
    plural: str  # "pods"
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group; empty for the legacy one."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version inside the group."""
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The URL path of a collection (no name), an object, or one of its subresources."""
        parts = ["/apis" if self.group else "/api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        if name:
            parts.append(name)
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


class Reference(NamedTuple):
    """One object by name; with a uid, that very object and no successor of the same name."""

    resource: Resource
    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.resource.kind} {where}{self.name}"


PODS = Resource("v1", "Pod", "pods")
CONFIGMAPS = Resource("v1", "ConfigMap", "configmaps")
SECRETS = Resource("v1", "Secret", "secrets")
SERVICES = Resource("v1", "Service", "services")
SERVICE_ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
EVENTS = Resource("v1", "Event", "events")
NODES = Resource("v1", "Node", "nodes", namespaced=False)
NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
CLAIMS = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
DISRUPTION_BUDGETS = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
EVICTION_PATH = "/eviction"
TOKEN_PATH = "/token"  # noqa: S105  of a service account
CRDS = Resource("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)


def evictions(pod: str) -> Resource:
    """Where an Eviction of a pod is posted: a Create there deletes the pod, unless a disruption budget forbids it."""
    return Resource("v1", "Eviction", f"pods/{pod}{EVICTION_PATH}")


def token_request(account: str) -> Resource:
    """Where a TokenRequest (authentication.k8s.io/v1) is posted: the answer's status.token is a new token."""
    return Resource("v1", "TokenRequest", f"serviceaccounts/{account}{TOKEN_PATH}")


def reference(resource: Resource, thing: Object) -> Reference:
    """The reference of an object that exists: with its uid."""
    meta = thing["metadata"]
    return Reference(resource, meta.get("namespace", ""), meta["name"], meta.get("uid", ""))


def identity(thing: Object) -> tuple[str | None, str | None]:
    """The uid and the version: a server restored from a backup may come to the same version by another way."""
    meta = thing["metadata"]
    return meta.get("uid"), meta.get("resourceVersion")


def is_older(version: str, other: str) -> bool:
    """Whether a resourceVersion is older than another one.

    Versions were opaque, and nothing is said of such; since they came to be promised comparable they are decimal."""
    return version.isdecimal() and other.isdecimal() and int(version) < int(other)


def owner_uid(thing: Object) -> str:
    """The uid of the controller that owns the object; empty when nobody does."""
    for owner in thing["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            uid: str = owner["uid"]
            return uid
    return ""

"""What is served, in the two forms that clients ask for: one document per group version, and all at once."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable

from runtime.objects import Object
from tiphys.devcluster.kinds import Catalog, Kind

VERSION = "v1.36.2"  # of the Kubernetes whose behaviour is served
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
CUSTOM_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
SUB_VERBS = ["get", "patch", "update"]
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
# what pods have besides: (kind, group, version, verbs)
_SUBRESOURCES: dict[str, tuple[str, str, str, list[str]]] = {
    "log": ("Pod", "", "", ["get"]),
    "exec": ("PodExecOptions", "", "", ["create", "get"]),
    "binding": ("Binding", "", "", ["create"]),
    "eviction": ("Eviction", "policy", "v1", ["create"]),
    "token": ("TokenRequest", "authentication.k8s.io", "v1", ["create"]),
    "finalize": ("Namespace", "", "", ["update"]),
}


def version() -> Object:
    """/version"""
    major, minor, _ = VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "minCompatibilityMajor": major,
        "minCompatibilityMinor": str(int(minor) - 1),
        "gitVersion": VERSION,
        "gitCommit": "tiphys",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "python",
        "platform": "linux/amd64",
    }


def api_versions(address: str) -> Object:
    """/api"""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def _storage_hash(kind: Kind) -> str:
    resource = kind.resource
    name = (
        f"{resource.group}/{resource.version}/{resource.kind}".lstrip("/")
        if resource.group
        else (f"/{resource.version}/{resource.kind}")
    )
    return base64.b64encode(hashlib.sha256(name.encode()).digest()[:8]).decode()


def _entries(kind: Kind) -> Iterable[Object]:
    resource = kind.resource
    entry: Object = {
        "name": resource.plural,
        "singularName": kind.singular_name,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": CUSTOM_VERBS if kind.custom else VERBS,
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    entry["storageVersionHash"] = _storage_hash(kind)
    yield entry
    base = {"singularName": "", "namespaced": resource.namespaced}
    if kind.has_status:
        yield {"name": f"{resource.plural}/status", **base, "kind": resource.kind, "verbs": SUB_VERBS}
    if kind.scale is not None:
        scale = {"group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": SUB_VERBS}
        yield {"name": f"{resource.plural}/scale", **base, **scale}
    for name in kind.subresources:
        noun, group, version_, verbs = _SUBRESOURCES[name]
        extra = {"group": group, "version": version_} if group else {}
        yield {"name": f"{resource.plural}/{name}", **base, **extra, "kind": noun, "verbs": verbs}


REVIEWS = {  # answered, never stored: API version -> (plural, kind)
    "authorization.k8s.io/v1": (
        ("selfsubjectaccessreviews", "SelfSubjectAccessReview"),
        ("selfsubjectrulesreviews", "SelfSubjectRulesReview"),
        ("subjectaccessreviews", "SubjectAccessReview"),
    ),
    "authentication.k8s.io/v1": (("selfsubjectreviews", "SelfSubjectReview"), ("tokenreviews", "TokenReview")),
}


def _reviews(api_version: str) -> list[Object]:
    return [
        {"name": name, "singularName": kind.lower(), "namespaced": False, "kind": kind, "verbs": ["create"]}
        for name, kind in REVIEWS[api_version]
    ]


def resource_list(catalog: Catalog, api_version: str) -> Object | None:
    """/api/v1 and /apis/GROUP/VERSION; None when nothing of that version is served."""
    if api_version in REVIEWS:
        resources = _reviews(api_version)
    else:
        kinds = sorted((k for k in catalog if k.resource.api_version == api_version), key=lambda k: k.resource.plural)
        resources = [entry for kind in kinds for entry in _entries(kind)]
    if not resources:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources}


_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def _rank(version: str) -> tuple[int, int, int, str]:
    """Stable versions before beta, alpha and others; among them the newer first."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return 3, 0, 0, version
    stability = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return stability, -int(found[1]), -int(found[3] or 0), version


def _versions(catalog: Catalog) -> dict[str, list[str]]:
    """The versions of every group but the legacy one, the preferred one first."""
    groups: dict[str, list[str]] = {}
    for kind in catalog:
        resource = kind.resource
        if resource.group and resource.version not in groups.setdefault(resource.group, []):
            groups[resource.group].append(resource.version)
    groups = {name: sorted(versions, key=_rank) for name, versions in groups.items()}
    groups |= {api_version.rpartition("/")[0]: [api_version.rpartition("/")[2]] for api_version in REVIEWS}
    return groups


def _group(name: str, versions: list[str]) -> Object:
    shown = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": shown, "preferredVersion": shown[0]}


def group_list(catalog: Catalog) -> Object:
    """/apis"""
    groups = [_group(name, versions) for name, versions in _versions(catalog).items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalog: Catalog, name: str) -> Object | None:
    """/apis/GROUP; None when not served."""
    versions = _versions(catalog).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def _aggregated_version(catalog: Catalog, api_version: str) -> Object:
    listed = resource_list(catalog, api_version)
    resources: dict[str, Object] = {}
    for entry in listed["resources"] if listed else ():
        name, _, sub = entry["name"].partition("/")
        served = {
            "group": entry.get("group", api_version.rpartition("/")[0]),
            "version": entry.get("version", api_version.rpartition("/")[2]),
            "kind": entry["kind"],
        }
        if sub:
            resources[name].setdefault("subresources", []).append(
                {"subresource": sub, "responseKind": served, "verbs": entry["verbs"]}
            )
            continue
        resources[name] = {
            "resource": name,
            "responseKind": served,
            "scope": "Namespaced" if entry["namespaced"] else "Cluster",
            "singularResource": entry["singularName"],
            "verbs": entry["verbs"],
            **{field: entry[field] for field in ("shortNames", "categories") if field in entry},
        }
    version_ = api_version.rpartition("/")[2]
    return {"version": version_, "resources": list(resources.values()), "freshness": "Current"}


def aggregated(catalog: Catalog, *, legacy: bool) -> Object:
    """/api or /apis as one document."""
    groups = {"": ["v1"]} if legacy else _versions(catalog)
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None},
            "versions": [_aggregated_version(catalog, f"{name}/{v}".lstrip("/")) for v in versions],
        }
        for name, versions in groups.items()
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}

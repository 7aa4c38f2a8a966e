"""What an artifact's driver cannot do here is refused before there is a pod, with the field and the remedy.

Who may name any directory of the node would read its files through our pods: a `file://` repository must lie below the
one that the installation allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.contract import repository
from actors.node.manifest_request import BadTemplate, PodRequest

DRIVERS = frozenset({"artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin", "raw", "s3"})
READ_ONLY = frozenset({"git", "raw"})
LISTED = frozenset({"azure", "gcs", "hdfs", "oss", "plugin", "s3"})
_NEEDED = {
    "azure": ("endpoint", "container", "blob"),
    "gcs": ("bucket", "key"),
    "git": ("repo",),
    "hdfs": ("addresses", "path"),
    "oss": ("endpoint", "bucket", "key"),
    "plugin": ("name", "key"),
    "http": ("url",),
    "artifactory": ("url",),
    "s3": ("endpoint", "bucket", "key"),
}
_KEYS = frozenset({"key", "blob"})
_REFUSED = {
    "s3.roleARN": "give the pod's service account the role, or keys",
    "s3.encryptionOptions.kmsEncryptionContext": "name a key, or leave the choice to the bucket",
    "s3.createBucketIfNotPresent.objectLocking": "create the bucket",
    "oss.lifecycleRule": "set the rule on the bucket",
    "hdfs.krbCCacheSecret": "name a gateway that asks for no ticket",
    "hdfs.krbKeytabSecret": "name a gateway that asks for no ticket",
    "hdfs.dataTransferProtection": "the gateway decides about that: give its address as https://",
}
"""What a driver has no use for here, and what to do instead."""


def check_driver(request: PodRequest, name: str, location: Mapping[str, Any], use: str) -> None:
    """Raise BadTemplate unless artifact `name` can be used that way: `use` is "load", "save" or "list"."""
    driver, section = next(iter(location.items()))
    if driver not in DRIVERS:
        raise _refusal(name, f"the {driver} driver is not supported here (supported: {', '.join(sorted(DRIVERS))})")
    if use == "save" and driver in READ_ONLY:
        raise _refusal(name, f"the {driver} driver can only load: save the output elsewhere, for example in s3")
    if use == "list" and driver not in LISTED:
        raise _refusal(name, f"the {driver} driver cannot list what it keeps (these can: {', '.join(sorted(LISTED))})")
    for field in _NEEDED.get(driver, ()):
        if not section.get(field) and not (use == "list" and field in _KEYS):
            raise _refusal(name, f"{driver}.{field} is not set")
    for path, remedy in _REFUSED.items():
        of, *fields = path.split(".")
        if of == driver and _at(section, fields):
            raise _refusal(name, f"{path} is not supported here: {remedy}")
    if driver == "s3":
        _check_s3(request, name, location, section)
    if driver == "git" and section.get("singleBranch") and not section.get("branch"):
        raise _refusal(name, "git.singleBranch needs git.branch")


def _check_s3(request: PodRequest, name: str, location: Mapping[str, Any], section: Mapping[str, Any]) -> None:
    directory = repository.host_directory(location)
    if directory:
        root = request.settings.repository_root.rstrip("/")
        if not root or not f"{directory.rstrip('/')}/".startswith(f"{root}/") or ".." in directory.split("/"):
            raise _refusal(name, f"{directory} is not a repository that this installation allows")
        return
    encryption = section.get("encryptionOptions") or {}
    if encryption.get("kmsKeyId") and encryption.get("serverSideCustomerKeySecret"):
        raise _refusal(name, "s3.encryptionOptions: kmsKeyId and serverSideCustomerKeySecret exclude each other")


def _at(section: Mapping[str, Any], fields: list[str]) -> Any:
    found: Any = section
    for field in fields:
        found = found.get(field) if isinstance(found, Mapping) else None
    return found


def _refusal(name: str, why: str) -> BadTemplate:
    return BadTemplate(f"artifact {name!r}: {why}")

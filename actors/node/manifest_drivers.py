"""What an artifact's driver cannot do here is refused before there is a pod, with the field and the remedy.

Who may name any directory of the node would read its files through our pods: a `file://` repository must lie below the
one that the installation allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.contract import repository
from actors.node.manifest_request import BadTemplate, PodRequest

DRIVERS = frozenset({"artifactory", "azure", "gcs", "git", "http", "raw", "s3"})
READ_ONLY = frozenset({"git", "raw"})
LISTED = frozenset({"azure", "gcs", "s3"})
_NEEDED = {
    "azure": ("endpoint", "container", "blob"),
    "gcs": ("bucket", "key"),
    "git": ("repo",),
    "http": ("url",),
    "artifactory": ("url",),
    "s3": ("endpoint", "bucket", "key"),
}
_KEYS = frozenset({"key", "blob"})


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
    if section.get("roleARN"):
        raise _refusal(name, "s3.roleARN is not supported here: give the pod's service account the role, or keys")
    if encryption.get("kmsEncryptionContext"):
        raise _refusal(name, "s3.encryptionOptions.kmsEncryptionContext is not supported here")
    if encryption.get("kmsKeyId") and encryption.get("serverSideCustomerKeySecret"):
        raise _refusal(name, "s3.encryptionOptions: kmsKeyId and serverSideCustomerKeySecret exclude each other")
    if (section.get("createBucketIfNotPresent") or {}).get("objectLocking"):
        raise _refusal(name, "s3.createBucketIfNotPresent.objectLocking is not supported here: create the bucket")


def _refusal(name: str, why: str) -> BadTemplate:
    return BadTemplate(f"artifact {name!r}: {why}")

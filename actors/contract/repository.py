"""Where an artifact is kept is one driver's section: explicit, inherited, or made from the repository's key format.

Pure: the result is what the executor is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

DRIVERS = ("artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin", "raw", "s3")
KEYED = {
    "s3": "key",
    "gcs": "key",
    "oss": "key",
    "azure": "blob",
    "plugin": "key",
    "hdfs": "path",
    "artifactory": "url",
    "http": "url",
}
_PLACES = {
    "s3": ("bucket", "endpoint"),
    "oss": ("bucket", "endpoint"),
    "gcs": ("bucket",),
    "azure": ("container", "endpoint"),
    "plugin": ("name",),
    "hdfs": ("addresses",),
}
"""What says where a key is; who does not say all of it says nothing."""
_FORMATS = ("keyFormat", "pathFormat", "blobNameFormat")  # as the drivers call it
_REPOSITORY_ONLY = frozenset({*_FORMATS, "repoURL", "keyPrefix"})
DEFAULT_FORMAT = "{{workflow.name}}/{{pod.name}}"


class BadLocation(ValueError):
    """An artifact that cannot be loaded or saved anywhere; the message says what to add."""


def driver_of(thing: Mapping[str, Any]) -> str:
    """The driver whose section an artifact, archive location or repository has; empty when none."""
    return next((driver for driver in DRIVERS if thing.get(driver) is not None), "")


def archive_form(artifact: Mapping[str, Any]) -> str:
    """How an output is packed: tar, zip or none (ARCH-1..4)."""
    archive = artifact.get("archive") or {}
    return next((form for form in ("none", "zip", "tar") if archive.get(form) is not None), "tar")


def located(artifact: Mapping[str, Any], base: Mapping[str, Any] | None) -> dict[str, Any]:
    """The artifact's own location, completed (REPO-5): {driver: section}, or {} when it names none.

    One that does not say its whole place is where `base` (a repository or location) is, whichever driver that has,
    and only its key counts."""
    driver = driver_of(artifact)
    if not driver:
        return {}
    section = dict(artifact[driver])
    lacking = _lacking(driver, section)
    if not lacking:
        return {driver: section}
    there = driver_of(base or {})
    if base is None or there not in KEYED:
        raise BadLocation(
            f"artifact {artifact.get('name')!r}: {driver}.{lacking} is not set and no artifact repository "
            f"is configured: set {driver}.{lacking}, or spec.artifactRepositoryRef"
        )
    key = str(section.get(KEYED[driver]) or "")
    if KEYED[there] == "url":
        key = _on_server(str(base[there].get("url") or base[there].get("repoURL") or ""), key)
    return {there: {**_shared(base[there]), KEYED[there]: key}}


def says_place(artifact: Mapping[str, Any]) -> bool:
    """Whether an artifact names its own place, not its key alone."""
    driver = driver_of(artifact)
    return bool(driver) and not _lacking(driver, artifact[driver])


def base_location(
    archive_location: Mapping[str, Any] | None, repository: Mapping[str, Any] | None, key_prefix: str = ""
) -> dict[str, Any]:
    """Where artifacts are that name no whole place (ART-15): the template's archiveLocation if that is one, else the
    repository, with `key_prefix` (its substituted key format) as the key; {} when there is neither."""
    driver = driver_of(archive_location or {})
    if archive_location and _is_whole(driver, archive_location[driver] if driver else {}):
        return {driver: dict(archive_location[driver])}
    driver = driver_of(repository or {})
    if repository is None or driver not in KEYED or driver == "http":
        return {}
    key = key_prefix
    if driver == "artifactory":
        key = f"{str(repository[driver].get('repoURL') or '').rstrip('/')}/{key_prefix}"
    return {driver: {**_shared(repository[driver]), KEYED[driver]: key}}


def save_location(
    artifact: Mapping[str, Any],
    archive_location: Mapping[str, Any] | None,
    repository: Mapping[str, Any] | None,
    key_prefix: str,
) -> dict[str, Any]:
    """Where an output artifact is saved: at its own key, else at the default one (ART-16)."""
    base = base_location(archive_location, repository, key_prefix)
    driver = driver_of(artifact)
    if driver and artifact[driver].get(KEYED.get(driver, "url")):
        return located(artifact, base)
    if not base:
        raise BadLocation(
            f"artifact {artifact.get('name')!r} has no location and no artifact repository is configured: "
            "give it one, or set spec.artifactRepositoryRef"
        )
    return with_sub_path(base, default_file_name(artifact))


def key_format(repository: Mapping[str, Any]) -> str | None:
    """How a repository wants its keys to begin, tags and all; None: `<workflow>/<pod>` (REPO-4)."""
    section = repository.get(driver_of(repository)) or {}
    written = next((str(section[name]) for name in _FORMATS if section.get(name)), None)
    if written is None and section.get("keyPrefix"):
        return f"{str(section['keyPrefix']).rstrip('/')}/{DEFAULT_FORMAT}"
    return written


def default_file_name(artifact: Mapping[str, Any]) -> str:
    """`<name>.tgz`, `<name>.zip`, or the base name of the path when nothing is packed."""
    form = archive_form(artifact)
    name = str(artifact.get("name", ""))
    if form == "none":
        return str(artifact.get("path", "")).rstrip("/").rpartition("/")[2] or name
    return f"{name}.{'zip' if form == 'zip' else 'tgz'}"


def with_sub_path(location: Mapping[str, Any], sub_path: str) -> dict[str, Any]:
    """The location of what lies at `sub_path` below it (ART-9)."""
    driver, section = next(iter(location.items()))
    field = KEYED.get(driver)
    if field is None:
        raise BadLocation(f"subPath {sub_path!r}: artifacts of driver {driver} have no key to join it to")
    key = str(section.get(field) or "")
    return {driver: {**section, field: f"{key.rstrip('/')}/{sub_path.strip('/')}" if key else sub_path.strip("/")}}


def host_directory(location: Mapping[str, Any]) -> str:
    """The directory of a repository whose endpoint is `file://…` (a dev machine's); empty for any other."""
    endpoint = str((location.get("s3") or {}).get("endpoint", ""))
    return endpoint.removeprefix("file://") if endpoint.startswith("file:///") else ""


def _lacking(driver: str, section: Mapping[str, Any]) -> str:
    """The first field that its place lacks; empty when it is said."""
    return next((field for field in _PLACES.get(driver, ()) if not section.get(field)), "")


def _is_whole(driver: str, section: Mapping[str, Any]) -> bool:
    """Whether a section says all of a location that can be written to."""
    keyed = driver == "hdfs" or bool(section.get(KEYED.get(driver, "")))  # a path is no part of HDFS's
    return driver in KEYED and keyed and not _lacking(driver, section)


def _on_server(url: str, path: str) -> str:
    """The address of `path` on the server of `url`."""
    return urlsplit(url)._replace(path=f"/{path.lstrip('/')}").geturl()


def _shared(section: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key not in _REPOSITORY_ONLY}

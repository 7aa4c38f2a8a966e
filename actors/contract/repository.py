"""Where an artifact is kept is one driver's section: explicit, inherited, or made from the repository's key format.

Pure: the result is what the executor is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DRIVERS = ("artifactory", "azure", "gcs", "git", "hdfs", "http", "oss", "plugin", "raw", "s3")
KEYED = {
    "s3": "key",
    "gcs": "key",
    "oss": "key",
    "azure": "blob",
    "plugin": "key",
    "hdfs": "path",
    "artifactory": "url",
}
_ROOTS = {"s3": "bucket", "gcs": "bucket", "oss": "bucket", "azure": "container", "plugin": "name", "hdfs": "addresses"}
_REPOSITORY_ONLY = frozenset({"keyFormat", "blobNameFormat", "pathFormat", "repoURL", "keyPrefix"})


class BadLocation(ValueError):
    """An artifact that cannot be loaded or saved anywhere; the message says what to add."""


def driver_of(thing: Mapping[str, Any]) -> str:
    """The driver whose section an artifact, archive location or repository has; empty when none."""
    return next((driver for driver in DRIVERS if thing.get(driver) is not None), "")


def archive_form(artifact: Mapping[str, Any]) -> str:
    """How an output is packed: tar, zip or none (ARCH-1..4)."""
    archive = artifact.get("archive") or {}
    return next((form for form in ("none", "zip", "tar") if archive.get(form) is not None), "tar")


def located(artifact: Mapping[str, Any], repository: Mapping[str, Any] | None) -> dict[str, Any]:
    """The artifact's own location, completed (REPO-5): {driver: section}, or {} when it names none.

    An artifact whose section has only its key inherits the rest from the repository of the same driver."""
    driver = driver_of(artifact)
    if not driver:
        return {}
    section = dict(artifact[driver])
    root = _ROOTS.get(driver)
    if root and not section.get(root):
        inherited = _shared(repository, driver)
        if not inherited:
            raise BadLocation(
                f"artifact {artifact.get('name')!r}: {driver}.{root} is not set and no {driver} artifact repository "
                f"is configured: set {driver}.{root}, or spec.artifactRepositoryRef"
            )
        section = {**inherited, **section}
    return {driver: section}


def default_location(
    artifact: Mapping[str, Any], repository: Mapping[str, Any] | None, key_prefix: str, file_name: str = ""
) -> dict[str, Any]:
    """Where an output without a location goes (ART-16): `key_prefix` is the substituted key format."""
    driver = driver_of(repository or {})
    if not driver or repository is None:
        raise BadLocation(
            f"artifact {artifact.get('name')!r} has no location and no artifact repository is configured: "
            "give it one, or set spec.artifactRepositoryRef"
        )
    if driver not in KEYED:
        raise BadLocation(f"artifact {artifact.get('name')!r}: an artifact repository cannot be of driver {driver}")
    key = f"{key_prefix.rstrip('/')}/{file_name or default_file_name(artifact)}"
    section = _shared(repository, driver)
    if driver == "artifactory":
        key = f"{str(repository[driver].get('repoURL', '')).rstrip('/')}/{key}"
    return {driver: {**section, KEYED[driver]: key}}


def save_location(
    artifact: Mapping[str, Any],
    archive_location: Mapping[str, Any] | None,
    repository: Mapping[str, Any] | None,
    key_prefix: str,
) -> dict[str, Any]:
    """Where an output artifact is saved: its own place, else the template's archiveLocation, else the repository."""
    own = located(artifact, repository)
    if own:
        driver, section = next(iter(own.items()))
        if section.get(KEYED.get(driver, "url")):
            return own
    place = located(archive_location or {}, repository) if driver_of(archive_location or {}) else {}
    if not place:
        return default_location(artifact, repository, key_prefix)
    driver, section = next(iter(place.items()))
    prefix = section.get(KEYED.get(driver, ""), "") or key_prefix
    return default_location(artifact, {driver: {k: v for k, v in section.items() if k != KEYED.get(driver)}}, prefix)


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
    if field is None or not section.get(field):
        raise BadLocation(f"subPath {sub_path!r}: artifacts of driver {driver} have no key to join it to")
    return {driver: {**section, field: f"{str(section[field]).rstrip('/')}/{sub_path.strip('/')}"}}


def host_directory(location: Mapping[str, Any]) -> str:
    """The directory of a repository whose endpoint is `file://…` (a dev machine's); empty for any other."""
    endpoint = str((location.get("s3") or {}).get("endpoint", ""))
    return endpoint.removeprefix("file://") if endpoint.startswith("file:///") else ""


def _shared(repository: Mapping[str, Any] | None, driver: str) -> dict[str, Any]:
    section = (repository or {}).get(driver) or {}
    return {key: value for key, value in section.items() if key not in _REPOSITORY_ONLY}

"""Which ConfigMap's entry is a workflow's artifact repository: of its own namespace, or of the one that all share.

Who names a repository may mean one that the controller's namespace has for everybody; who names none gets what its own
namespace has marked as its default, and nothing of others. (REPO-1, REPO-2)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from runtime.objects import CONFIGMAPS, Object, Reference

REPOSITORIES = "artifact-repositories"  # the ConfigMap that is looked at when nothing else is named
DEFAULT_KEY = "workflows.argoproj.io/default-artifact-repository"
FIELDS = ("archiveLogs", "s3", "artifactory", "hdfs", "oss", "gcs", "azure", "plugin")
"""Of a repository: whatever else a ConfigMap of a namespace that is not the user's own says is not shown to him."""
UNRESOLVED = "failed to resolve artifact repository"


class NoRepository(ValueError):
    """The artifact repository that the workflow is to have is not there, or is none; the text is its message."""


def config_map(spec: Mapping[str, Any], workflow: Object, namespace: str = "") -> Reference:
    """The ConfigMap that may name the artifact repository."""
    named = spec.get("artifactRepositoryRef") or {}
    where = namespace or workflow["metadata"].get("namespace", "")
    return Reference(CONFIGMAPS, where, str(named.get("configMap") or REPOSITORIES))


def config_maps(
    spec: Mapping[str, Any], workflow: Object, found: Mapping[Reference, Object | None], shared_namespace: str
) -> list[Reference]:
    """The ConfigMaps to look into, as far as those that are read make it necessary."""
    refs = [config_map(spec, workflow)]
    named = spec.get("artifactRepositoryRef")
    if named is not None and shared_namespace and refs[0] in found and _entry(named, found[refs[0]]) is None:
        refs.append(config_map(spec, workflow, shared_namespace))
    return list(dict.fromkeys(refs))


def resolved(
    spec: Mapping[str, Any], workflow: Object, found: Mapping[Reference, Object | None], shared_namespace: str
) -> dict[str, Any] | None:
    """`status.artifactRepositoryRef` as a ConfigMap has it; None for a workflow that names none where none is marked.

    Raises NoRepository."""
    named = spec.get("artifactRepositoryRef")
    refs = config_maps(spec, workflow, found, shared_namespace)
    for ref in refs:
        entry = _entry(named or {}, found.get(ref))
        if entry is not None:
            key, text = entry
            section = _section(text, f"{ref.namespace}/{ref.name}#{key}", key)
            return {"configMap": ref.name, "key": key, "namespace": ref.namespace, "artifactRepository": section}
    if named is None:
        return None
    written = f"{named.get('configMap') or ''}#{named.get('key') or ''}"
    tried = " and ".join(f"{ref.namespace}/{ref.name}" for ref in refs)
    raise NoRepository(
        f'{UNRESOLVED}: failed to find any artifact repository for artifact repository ref "{written}": '
        f"no such key in ConfigMap {tried}"
    )


def _entry(named: Mapping[str, Any], thing: Object | None) -> tuple[str, str] | None:
    """The key that is meant and what the ConfigMap has there."""
    key = named.get("key") or ((thing or {}).get("metadata", {}).get("annotations") or {}).get(DEFAULT_KEY)
    text = ((thing or {}).get("data") or {}).get(key) if key else None
    return None if text is None else (str(key), str(text))


def _section(text: str, ref: str, key: str) -> dict[str, Any]:
    where = f'{UNRESOLVED}: error getting config map for artifact repository ref "{ref}": '
    where += f'failed to unmarshall config map key "{key}"'
    try:
        section = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise NoRepository(f"{where}: {' '.join(str(error).split())}") from error
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise NoRepository(f"{where}: it is no mapping")
    kept = {field: section[field] for field in FIELDS if section.get(field) is not None}
    for field, value in kept.items():
        if not isinstance(value, bool if field == "archiveLogs" else dict):
            raise NoRepository(f"{where}: {field} is not what it should be")
    return kept

"""A ConfigMap is read as upstream reads it: one entry `config` with everything, or an entry for each key.

What is wrong is named with its key, its value and the remedy; nothing unknown is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from actors.contract.repository import driver_of
from crds.check import check
from tiphys.configuration.keys import Configuration
from tiphys.configuration.problems import BadConfiguration, duration_s

DURATIONS = ("initialDelay", "podGCDeleteDelayDuration")


def configuration(data: Mapping[str, str]) -> Configuration:
    """The configuration in a ConfigMap's data. Raises BadConfiguration."""
    if "config" in data:
        if len(data) > 1:
            others = ", ".join(sorted(key for key in data if key != "config"))
            raise BadConfiguration([f"beside the entry config there must be no other: move {others} into it"])
        return parsed(_yaml("config", data["config"]) or {})
    return parsed({key: _yaml(key, text) for key, text in data.items()})


def from_file(path: Path) -> Configuration:
    """The configuration in a file: a ConfigMap, or the keys themselves. Raises BadConfiguration, OSError."""
    found = _yaml(path.name, path.read_text(encoding="utf-8")) or {}
    if isinstance(found, dict) and found.get("kind") == "ConfigMap":
        return configuration({key: str(value) for key, value in (found.get("data") or {}).items()})
    return parsed(found)


def parsed(values: Any) -> Configuration:
    """The configuration of these keys. Raises BadConfiguration."""
    if not isinstance(values, dict):
        raise BadConfiguration([f"it must be a map of keys and values, not {type(values).__name__}"])
    given = {key: value for key, value in values.items() if value is not None}
    try:
        read = Configuration.model_validate(given)
    except ValidationError as error:
        raise BadConfiguration([_sentence(entry) for entry in error.errors()]) from error
    wrong = [*_bad_durations(read), *_bad_defaults(read.workflowDefaults), *_bad_repository(read.artifactRepository)]
    if wrong:
        raise BadConfiguration(wrong)
    return read


def _yaml(key: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadConfiguration([f"{key}: it is no YAML: {' '.join(str(error).split())}"]) from error


def _sentence(entry: Any) -> str:
    where = ".".join(str(part) for part in entry["loc"])
    if entry["type"] == "extra_forbidden":
        return f"{where}: there is no such key: check its spelling"
    return f"{where}: {entry['msg'][:1].lower()}{entry['msg'][1:]}, not {entry['input']!r}"


def _bad_durations(read: Configuration) -> list[str]:
    texts = {key: getattr(read, key) for key in DURATIONS}
    texts["metricsConfig.metricsTTL"] = read.metricsConfig.metricsTTL
    wrong = []
    for key, text in texts.items():
        try:
            if text:
                duration_s(text)
        except ValueError as error:
            wrong.append(f"{key}: {error}")
    return wrong


def _bad_defaults(defaults: Mapping[str, Any]) -> list[str]:
    """What is wrong with the workflow that lies under every other; it may lack whatever a whole one needs."""
    unknown = sorted(set(defaults) - {"metadata", "spec", "apiVersion", "kind", "status"})
    wrong = [f"workflowDefaults.{key}: there is no such key: check its spelling" for key in unknown]
    whole = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "defaults", **(defaults.get("metadata") or {})},
        "spec": defaults.get("spec") or {},
    }
    found = [problem for problem in check(whole) if problem.severity == "error"]
    return [*wrong, *(f"workflowDefaults.{problem.path}: {problem.message}" for problem in found)]


def _bad_repository(repository: Mapping[str, Any]) -> list[str]:
    if not repository or driver_of(repository) or set(repository) <= {"archiveLogs"}:
        return []
    return ["artifactRepository: it names no driver: write one of s3, gcs, azure, … with its settings"]

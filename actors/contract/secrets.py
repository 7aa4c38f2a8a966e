"""An artifact's credentials are files: each Secret it names is a volume of the containers that load and save, only.

The name of a Secret gives its volume, so manifest and executor agree without saying so; only the keys that are named
are mounted. Nothing else in the pod sees them, and the controller never reads one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from actors.contract.paths import SECRETS_MOUNT


class SecretKey(NamedTuple):
    """One key of a Secret of the workflow's namespace."""

    name: str
    key: str
    optional: bool = False


def secret_keys(section: Mapping[str, Any]) -> Iterator[SecretKey]:
    """The keys that a driver's section refers to, however deep: every `…Secret` that names one."""
    for field, value in section.items():
        if not isinstance(value, dict):
            continue
        if field.endswith("Secret") and value.get("name") and value.get("key"):
            yield SecretKey(str(value["name"]), str(value["key"]), bool(value.get("optional")))
        else:
            yield from secret_keys(value)


def secret_volume(name: str) -> str:
    """The volume of a Secret: its own name may be no volume's."""
    return f"tiphys-secret-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def secret_mount(name: str) -> str:
    """Where its keys are files."""
    return f"{SECRETS_MOUNT}/{secret_volume(name)}"


def secret_volumes(keys: Iterable[SecretKey]) -> dict[str, dict[str, Any]]:
    """The volumes for these keys, by volume name. A Secret may be absent when all that is wanted of it is optional."""
    by_secret: dict[str, list[SecretKey]] = {}
    for key in sorted(set(keys)):
        by_secret.setdefault(key.name, []).append(key)
    volumes: dict[str, dict[str, Any]] = {}
    for name, wanted in by_secret.items():
        source: dict[str, Any] = {
            "secretName": name,
            "items": [{"key": key, "path": key} for key in sorted({entry.key for entry in wanted})],
        }
        if all(entry.optional for entry in wanted):
            source["optional"] = True
        volumes[secret_volume(name)] = {"name": secret_volume(name), "secret": source}
    return volumes

"""The keys of Secrets that a store needs are files beside the executor; what is missing is said by name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from actors.contract.paths import mount_env
from actors.contract.secrets import secret_mount, secret_volume
from tiphys.executor.artifacts import StoreError
from tiphys.executor.redaction import keep_secret


def secret_file(section: Mapping[str, Any], field: str) -> Path | None:
    """The file of the key that `field` of a driver's section refers to; None when it refers to none, or to an
    optional one that is not there. Raises StoreError for one that must be there."""
    reference = section.get(field)
    if not reference or not reference.get("name") or not reference.get("key"):
        return None
    name, key = str(reference["name"]), str(reference["key"])
    path = Path(os.environ.get(mount_env(secret_volume(name)), secret_mount(name)), key)
    if path.is_file():
        return path
    if reference.get("optional"):
        return None
    raise StoreError(f"{field}: secret {name!r} has no key {key!r} in the workflow's namespace")


def secret_text(section: Mapping[str, Any], field: str) -> str:
    """The text of that key, without the newline that editors leave; empty when there is none. It will not be shown."""
    path = secret_file(section, field)
    return keep_secret(path.read_text(encoding="utf-8").rstrip("\r\n")) if path else ""

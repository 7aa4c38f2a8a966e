"""Secrets as the pod's volumes show them to the executor."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.contract.paths import mount_env
from actors.contract.secrets import secret_volume


def given(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, **keys: str) -> dict[str, dict[str, str]]:
    """Mount a Secret; references to its keys, by key."""
    mount = folder / secret_volume(name)
    mount.mkdir(parents=True, exist_ok=True)
    for key, value in keys.items():
        (mount / key).write_text(value)
    monkeypatch.setenv(mount_env(secret_volume(name)), str(mount))
    return {key: {"name": name, "key": key} for key in keys}

"""A log whose pod is gone may have been archived: it is loaded from where the workflow's status says it was saved.

With the credentials of whoever asks: Secrets that the store needs are read as that person, into files that go at once.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread

from actors.contract.paths import mount_env
from actors.contract.repository import driver_of
from actors.contract.secrets import SecretKey, secret_keys, secret_volume
from runtime.api import Api, ApiError
from runtime.objects import SECRETS, Reference


class Unarchived(Exception):
    """There is no such log, or it cannot be had; the text says why."""


def location_of(node: Mapping[str, Any], container: str) -> dict[str, Any]:
    """Where a container's log is kept: {driver: section}; empty when it was not archived."""
    outputs = node.get("outputs")
    artifacts = outputs.get("artifacts") if isinstance(outputs, Mapping) else None
    for artifact in artifacts if isinstance(artifacts, list) else []:
        if isinstance(artifact, Mapping) and artifact.get("name") == f"{container}-logs":
            driver = driver_of(artifact)
            return {driver: dict(artifact[driver])} if driver and not artifact.get("deleted") else {}
    return {}


@asynccontextmanager
async def archived_log(api: Api, namespace: str, location: Mapping[str, Any]) -> AsyncIterator[Path]:
    """The log as a file, while the block lasts. Raises Unarchived."""
    from tiphys.executor import artifacts  # noqa: PLC0415  (only who needs a store pays for its client)

    folder = Path(tempfile.mkdtemp(prefix="tiphys-logs-"))
    try:
        keys = sorted(set(secret_keys(location)))
        secrets = [await _secret(api, namespace, key) for key in keys]
        target = folder / "log"

        def load() -> None:
            with _mounted(folder, zip(keys, secrets, strict=True)):
                artifacts.load(location, target, root="", mount="")

        await anyio.to_thread.run_sync(load)
        yield target
    except (artifacts.NotFound, artifacts.StoreError, OSError) as error:
        raise Unarchived(f"the archived log cannot be loaded: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _secret(api: Api, namespace: str, key: SecretKey) -> bytes | None:
    try:
        secret = await api.get(Reference(SECRETS, namespace, key.name))
    except ApiError as error:
        raise Unarchived(f"secret {key.name!r} of the store cannot be read: {error.message}") from error
    value = (secret.get("data") or {}).get(key.key)
    return None if value is None else base64.b64decode(value)


@contextmanager
def _mounted(folder: Path, secrets: Iterator[tuple[SecretKey, bytes | None]]) -> Iterator[None]:
    """The Secrets as files where drivers look for them, as in a pod."""
    before = dict(os.environ)
    try:
        for key, value in secrets:
            place = folder / secret_volume(key.name)
            place.mkdir(mode=0o700, exist_ok=True)
            if value is not None:
                (place / key.key).write_bytes(value)
            os.environ[mount_env(secret_volume(key.name))] = str(place)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

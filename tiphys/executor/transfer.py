"""Artifacts between the pod and their stores: loaded and unpacked before main, packed and saved after it.

What a store cannot do right now is tried again with growing, scattered pauses (ART-17).
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from actors.contract import paths
from actors.contract.documents import Transfer
from tiphys.executor import artifacts, pack
from tiphys.executor.redaction import redacted

PAUSE_S, PAUSE_FACTOR, TRIES, JITTER = 1.0, 1.6, 5, 0.5
T = TypeVar("T")


class TransferError(Exception):
    """An artifact was not loaded or saved; the text names it and says why, without what is secret."""

    def __init__(self, text: str) -> None:
        super().__init__(redacted(text))


def load_input(transfer: Transfer, root: str) -> None:
    """Bring an input artifact to its place (ART-1, ART-5..8). Raises TransferError."""
    name, place = transfer["name"], real_place(transfer["place"])
    place.parent.mkdir(parents=True, exist_ok=True)
    early = place.with_name(f".tiphys-{place.name}")
    try:
        with_retries(lambda: artifacts.load(transfer["location"], early, root=root, mount=repository_mount()))
        if early.is_dir():
            pack.unpack(early, place, "none")
        else:
            pack.unpack(early, place, transfer.get("archive", "auto"))
        if "mode" in transfer:
            pack.set_mode(place, transfer["mode"], recurse=transfer.get("recurse", False))
    except artifacts.NotFound as error:
        if not transfer.get("optional"):
            raise TransferError(f"input artifact {name!r} was not found: {error}") from error
    except (artifacts.StoreError, pack.BadArchive, OSError) as error:
        raise TransferError(f"input artifact {name!r} could not be loaded to {transfer['path']}: {error}") from error
    finally:
        if early.is_file():
            early.unlink()


def save_output(transfer: Transfer, root: str, directory: str) -> bool:
    """Save an output artifact; False when it is optional and not there (ART-10). Raises TransferError."""
    name = transfer["name"]
    try:
        source = _packed(transfer, directory)
        if source is None:
            if transfer.get("optional"):
                return False
            raise TransferError(f"output artifact {name!r}: there is no file at {transfer['path']}")
        with_retries(lambda: artifacts.save(transfer["location"], source, root=root, mount=repository_mount()))
        _discard(source)
    except (artifacts.StoreError, pack.BadArchive, OSError) as error:
        raise TransferError(f"output artifact {name!r} ({transfer['path']}) could not be saved: {error}") from error
    return True


def save_log(transfer: Transfer, root: str, directory: str) -> bool:
    """Save a container's archived log; False when it never wrote one (ART-14). Raises TransferError."""
    source = Path(directory, paths.log_file(transfer["name"]))
    if not source.exists():
        return False
    try:
        with_retries(lambda: artifacts.save(transfer["location"], source, root=root, mount=repository_mount()))
    except (artifacts.StoreError, OSError) as error:
        raise TransferError(f"the log of container {transfer['name']!r} could not be saved: {error}") from error
    return True


def with_retries(work: Callable[[], T]) -> T:
    """Do it, again while the store is unavailable."""
    pause = PAUSE_S
    for _ in range(TRIES - 1):
        try:
            return work()
        except artifacts.StoreUnavailable:
            time.sleep(pause * (1 + random.random() * JITTER))  # noqa: S311  (scatter, not secrecy)
            pause *= PAUSE_FACTOR
    return work()


def repository_mount() -> str:
    """Where the node's repository directory is in this container."""
    return os.environ.get(paths.mount_env(paths.REPOSITORY_VOLUME), paths.REPOSITORY_MOUNT)


def real_place(place: str) -> Path:
    """Where a place is: on a node without mounts, the shim volume is elsewhere."""
    mount = os.environ.get(paths.mount_env(paths.SHIM_VOLUME), paths.SHIM_MOUNT)
    below = place.removeprefix(paths.SHIM_MOUNT + "/")
    return Path(mount, below) if below != place else Path(place)


def _packed(transfer: Transfer, directory: str) -> Path | None:
    """What is to be saved: packed by the shim already, or packed here from one of the user's volumes."""
    staged = Path(directory, paths.staged_artifact(transfer["number"]))
    trouble = staged.with_name(staged.name + ".error")
    if trouble.exists():
        raise pack.BadArchive(trouble.read_text())
    tar = staged.with_name(staged.name + ".tar")
    if tar.exists():
        pack.zip_of_tar(tar, staged)
    if "place" in transfer:
        source = Path(transfer["place"])
        if not source.exists():
            return None
        if source.is_relative_to(paths.MAIN_ROOT) and not source.resolve().is_relative_to(paths.MAIN_ROOT):
            raise pack.BadArchive("it is a link out of its volume, which leads elsewhere where artifacts are saved")
        pack.pack(source, staged, transfer["archive"], transfer["level"])
    return staged if staged.exists() else None


def _discard(staged: Path) -> None:
    if staged.is_dir():
        shutil.rmtree(staged, ignore_errors=True)
    else:
        staged.unlink(missing_ok=True)

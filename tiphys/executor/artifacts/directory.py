"""A directory of the node keeps artifacts the way a bucket does: `<endpoint>/<bucket>/<key>` is a file, or a tree."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath

from tiphys.executor.artifacts import NotFound, Place, StoreError


def load(place: Place, target: Path) -> None:
    """Copy the file, or everything below the key."""
    kept = _path(place)
    if kept.is_dir():
        shutil.copytree(kept, target, symlinks=True, dirs_exist_ok=True)
    elif kept.is_file():
        shutil.copyfile(kept, target)
    else:
        raise NotFound(f"nothing is kept at {place.section.get('bucket')}/{place.section.get('key')}")


def save(place: Place, source: Path) -> None:
    """Copy a file, or a tree; a reader sees the old file or the new one, never half of it."""
    kept = _path(place)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        early = kept.with_name(f".{kept.name}.{os.getpid()}")
        if source.is_dir():
            shutil.copytree(source, kept, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, early)
            early.replace(kept)
    except (OSError, shutil.Error) as error:
        raise StoreError(f"cannot write {kept}: {error}") from error


def list_keys(place: Place) -> list[str]:
    """The keys that begin with the place's, in order, as a bucket would list them."""
    key = str(place.section.get("key") or "")
    bucket = _path(place, PurePosixPath())
    kept = [path for path in bucket.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return sorted(found for path in kept if (found := path.relative_to(bucket).as_posix()).startswith(key))


def delete(place: Place, *, tree: bool) -> None:
    """Delete the file, or with `tree` the directory; what is not there is deleted already."""
    key = str(place.section.get("key") or "")
    kept = _path(place)
    if not key.strip("/"):
        raise StoreError("no key, and a whole bucket is not deleted")
    try:
        if kept.is_dir() and not kept.is_symlink():
            if tree or key.endswith("/"):
                shutil.rmtree(kept)
        else:
            kept.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot delete {kept}: {error}") from error


def _path(place: Place, key: PurePosixPath | None = None) -> Path:
    """Where the key is in this container. The repository is mounted; the endpoint is the node's own path to it."""
    endpoint = Path(str(place.section["endpoint"]).removeprefix("file://"))
    bucket = str(place.section.get("bucket") or "")
    if key is None:
        key = PurePosixPath(str(place.section.get("key") or "/"))
    if key.is_absolute() or ".." in key.parts or bucket in ("", ".", "..") or "/" in bucket:
        raise StoreError(f"bucket {bucket!r} with key {str(key)!r} names no place in a directory repository")
    root = Path(place.repository_root or endpoint)
    if not endpoint.is_relative_to(root) or ".." in endpoint.parts:
        raise StoreError(f"{endpoint} is not inside the repository that is mounted, {root}")
    return Path(place.repository_mount or root) / endpoint.relative_to(root) / bucket / key

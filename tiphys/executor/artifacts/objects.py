"""A bucket keeps objects by key: a file is one, a directory is one for each of its files.

The client sends a failed request again, with pauses that grow; a download that breaks off is begun again by the caller.
Memory stays flat: parts are streamed both ways. (ART-17, DRV-1, DRV-8, DRV-9)
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import obstore
from obstore.exceptions import BaseError

from tiphys.executor.artifacts import NotFound, StoreError, StoreUnavailable
from tiphys.executor.redaction import redacted

if TYPE_CHECKING:
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

PART_BYTES = 8 << 20
PARTS_MAX = 9_000  # stores take 10,000 parts of one object
PARTS_AT_ONCE = 4
FILES_AT_ONCE = 4
DELETED_AT_ONCE = 1000
PAUSE_FIRST_S, PAUSE_FACTOR, PAUSE_LAST_S, RETRIES = 1.0, 1.6, 7.0, 4
CONNECT_S, SILENCE_S, TRANSFER_S = 10, 60, 24 * 3600


class Bucket(NamedTuple):
    """An open store and the key in it."""

    store: S3Store | GCSStore | AzureStore
    key: str
    name: str  # as messages call it


def load(bucket: Bucket, target: Path) -> None:
    """Bring the object at the key, or all below it as a directory. Raises NotFound, StoreError."""
    try:
        _download(bucket, bucket.key, target)
    except NotFound:
        below = bucket._replace(key=bucket.key.rstrip("/") + "/")
        keys = list_keys(below)
        if not keys:
            raise
        _download_all(below, keys, target)


def save(bucket: Bucket, source: Path) -> None:
    """Keep a file at the key, or a directory's files below it. Raises StoreError."""
    if not source.is_dir():
        _upload(bucket, bucket.key, source)
        return
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    if outside := next((path for path in files if not path.resolve().is_relative_to(source.resolve())), None):
        raise StoreError(f"{outside.relative_to(source)} is a link out of the artifact: save it as a tar archive")
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        jobs = [
            pool.submit(_upload, bucket, f"{bucket.key.rstrip('/')}/{path.relative_to(source)}", path) for path in files
        ]
        for job in jobs:
            job.result()


def list_keys(bucket: Bucket) -> list[str]:
    """The keys that begin with the bucket's, in order; an empty key lists everything. Raises StoreError."""
    folder = bucket.key.rpartition("/")[0]  # the client lists whole folders
    with _translated(bucket, f"list {bucket.key!r}"):
        found = [entry["path"] for batch in obstore.list(bucket.store, folder or None) for entry in batch]
    return sorted(key for key in found if key.startswith(bucket.key))


def delete(bucket: Bucket, *, tree: bool) -> None:
    """Delete the object at the key; with `tree`, or when the key ends with a slash, those below it.

    Raises StoreError."""
    if not bucket.key:
        raise StoreError(f"{bucket.name}: no key, and a whole bucket is not deleted")
    below = bucket._replace(key=bucket.key.rstrip("/") + "/")
    keys = [] if bucket.key.endswith("/") else [bucket.key]
    if tree or not keys:
        keys += list_keys(below)
    for first in range(0, len(keys), DELETED_AT_ONCE):
        with _translated(bucket, f"delete {bucket.key!r}"), suppress(FileNotFoundError):
            obstore.delete(bucket.store, keys[first : first + DELETED_AT_ONCE])


def client_options(*, insecure: bool = False, root_certificate: str = "") -> ClientConfig:
    """How a client talks: without TLS only when asked to, and never cut off while bytes come."""
    options: ClientConfig = {
        "allow_http": insecure,
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "read_timeout": timedelta(seconds=SILENCE_S),
        "timeout": timedelta(seconds=TRANSFER_S),
    }
    if root_certificate:
        options["root_certificate"] = root_certificate
    return options


def retry_options() -> RetryConfig:
    """How often and with which pauses a client sends a failed request again."""
    return {
        "max_retries": RETRIES,
        "backoff": {
            "init_backoff": timedelta(seconds=PAUSE_FIRST_S),
            "max_backoff": timedelta(seconds=PAUSE_LAST_S),
            "base": PAUSE_FACTOR,
        },
        "retry_timeout": timedelta(seconds=TRANSFER_S),
    }


@contextmanager
def opening(name: str) -> Iterator[None]:
    """What the client says of its settings, such as a key that is none, as a StoreError."""
    try:
        yield
    except (BaseError, ValueError) as error:
        raise StoreError(f"{name} cannot be opened: {_first_line(error)}") from error


# ------------------------------------------------------------------------------------------------ one object


def _download(bucket: Bucket, key: str, target: Path) -> None:
    with _translated(bucket, f"load {key!r}"):
        answer = obstore.get(bucket.store, key)
    with target.open("wb") as file:
        try:
            for chunk in answer.stream(min_chunk_size=1 << 20):
                file.write(chunk)
        except BaseError as error:
            raise StoreUnavailable(f"{bucket.name}: loading {key!r} broke off: {_first_line(error)}") from error


def _download_all(bucket: Bucket, keys: list[str], target: Path) -> None:
    target.mkdir(exist_ok=True)
    jobs = []
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        for key in keys:
            below = PurePosixPath(key.removeprefix(bucket.key).strip("/"))
            if not below.parts or ".." in below.parts:
                continue  # the directory's own marker; nothing is written elsewhere
            place = target / below
            place.parent.mkdir(parents=True, exist_ok=True)
            jobs.append(pool.submit(_download, bucket, key, place))
        for job in jobs:
            job.result()


def _upload(bucket: Bucket, key: str, source: Path) -> None:
    size = source.stat().st_size
    part = max(PART_BYTES, -(-size // PARTS_MAX))
    with source.open("rb") as file, _translated(bucket, f"save {key!r}"):
        obstore.put(bucket.store, key, file, chunk_size=part, max_concurrency=PARTS_AT_ONCE)


@contextmanager
def _translated(bucket: Bucket, deed: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        text = f"{bucket.name}: cannot {deed}: {_first_line(error)}"
        raise (StoreError(text) if _no_bucket(error) else NotFound(text)) from error
    except (BaseError, PermissionError, ValueError) as error:
        raise StoreError(f"{bucket.name}: cannot {deed}: {_first_line(error)}") from error


def _no_bucket(error: Any) -> bool:
    return any(f"<Code>{code}</Code>" in str(error) for code in ("NoSuchBucket", "ContainerNotFound"))


def _first_line(error: Any) -> str:
    """The client's sentence, without the internals that follow it; half a secret would not be known for one."""
    return redacted(" ".join(str(error).partition("\n\nDebug source")[0].split()))[:600]

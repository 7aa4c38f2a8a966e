"""Hadoop's file system, over its HTTP gateway (WebHDFS): no Java, no library, streamed both ways (DRV-5).

`addresses` are name nodes: `http://HOST:PORT` or `https://…` as they are, and `HOST:PORT` of the native protocol as
port 9870 of the same host. The first one that is in charge is used.
"""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, urlencode

from tiphys.executor.artifacts import NotFound, Place, StoreError, StoreUnavailable

PORT = 9870
TIMEOUT_S = 60.0  # without a byte
T = TypeVar("T")


class _Standby(Exception):
    """This name node is not the one in charge."""


def load(place: Place, target: Path) -> None:
    """Bring a file, or everything below a directory."""
    path = _path(place)
    status = _asked(place, "GET", path, "GETFILESTATUS")["FileStatus"]
    if status["type"] != "DIRECTORY":
        _download(place, path, target)
        return
    target.mkdir(exist_ok=True)
    for below in _files(place, path):
        found = target / PurePosixPath(below).relative_to(path)
        found.parent.mkdir(parents=True, exist_ok=True)
        _download(place, below, found)


def save(place: Place, source: Path) -> None:
    """Keep a file, or a directory's files below the path; what is there is replaced only with `force`."""
    if not source.is_dir():
        _upload(place, _path(place), source)
        return
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        _upload(place, f"{_path(place).rstrip('/')}/{file.relative_to(source).as_posix()}", file)


def list_keys(place: Place) -> list[str]:
    """The paths of all files at or below the artifact's."""
    return sorted(_files(place, _path(place)))


def delete(place: Place, *, tree: bool) -> None:
    """Delete the file; a directory only with `tree`."""
    try:
        _asked(place, "DELETE", _path(place), "DELETE", recursive=str(tree).lower())
    except NotFound:
        return


# ------------------------------------------------------------------------------------------------ inside


def _path(place: Place) -> str:
    path = f"/{str(place.section.get('path') or '').lstrip('/')}"  # a repository's keys have no slash before them
    if path == "/" or ".." in path.split("/"):
        raise StoreError(f"hdfs.path: {path!r} is no place for an artifact")
    return path


def _files(place: Place, path: str) -> Iterator[str]:
    for entry in _asked(place, "GET", path, "LISTSTATUS")["FileStatuses"]["FileStatus"]:
        below = f"{path.rstrip('/')}/{entry['pathSuffix']}" if entry["pathSuffix"] else path
        if entry["type"] == "DIRECTORY":
            yield from _files(place, below)
        else:
            yield below


def _download(place: Place, path: str, target: Path) -> None:
    def act(base: str) -> None:
        with _opened(_request(place, base, "GET", path, "OPEN")) as answer, target.open("wb") as file:
            shutil.copyfileobj(answer, file)

    _on_one_in_charge(place, f"load {path}", act)


def _upload(place: Place, path: str, source: Path) -> None:
    """CREATE answers with the data node that takes the bytes."""
    overwrite = str(bool(place.section.get("force"))).lower()

    def act(base: str) -> None:
        asked = _request(place, base, "PUT", path, "CREATE", overwrite=overwrite, noredirect="true")
        with _opened(asked) as answer:
            location = answer.headers.get("Location") or json.load(answer)["Location"]
        with source.open("rb") as file:
            request = urllib.request.Request(location, data=file, method="PUT")  # noqa: S310  (as the name node says)
            request.add_header("Content-Length", str(source.stat().st_size))
            request.add_header("Content-Type", "application/octet-stream")
            _opened(request).close()

    _on_one_in_charge(place, f"save {path}", act)


def _asked(place: Place, method: str, path: str, operation: str, **query: str) -> dict[str, Any]:
    def act(base: str) -> dict[str, Any]:
        with _opened(_request(place, base, method, path, operation, **query)) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    return _on_one_in_charge(place, f"{operation} {path}", act)


def _on_one_in_charge(place: Place, deed: str, act: Callable[[str], T]) -> T:
    """Try the name nodes in order; what the last one says is the error."""
    trouble: Exception = StoreError("hdfs.addresses is empty")
    for address in place.section.get("addresses") or ():
        try:
            return act(base_url(str(address)))
        except _Standby as error:
            trouble = StoreUnavailable(f"hdfs {address}: cannot {deed}: {error}")
        except (OSError, HTTPException) as error:
            trouble = StoreUnavailable(f"hdfs {address}: cannot {deed}: {error}")
    raise trouble


def base_url(address: str) -> str:
    """Where a name node's gateway listens."""
    if address.startswith(("http://", "https://")):
        return address.rstrip("/")
    host = address.rpartition(":")[0] or address
    return f"http://{host}:{PORT}"


def _request(place: Place, base: str, method: str, path: str, operation: str, **query: str) -> urllib.request.Request:
    told = {"op": operation, **query}
    if place.section.get("hdfsUser"):
        told["user.name"] = str(place.section["hdfsUser"])
    return urllib.request.Request(f"{base}/webhdfs/v1{quote(path)}?{urlencode(told)}", method=method)  # noqa: S310  (see base_url)


def _opened(request: urllib.request.Request) -> Any:
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310  (as above)
    except urllib.error.HTTPError as error:
        _refused(request, error)


def _refused(request: urllib.request.Request, error: urllib.error.HTTPError) -> NoReturn:
    with error:
        try:
            told = json.load(error)["RemoteException"]
        except (ValueError, KeyError):
            told = {}
    said = f"{error.code} {told.get('message') or error.reason}"
    if told.get("exception") == "StandbyException":
        raise _Standby(said) from error
    if error.code == 404:
        raise NotFound(f"hdfs: {said}") from error
    text = f"hdfs {request.host}: {said}"
    raise (StoreUnavailable(text) if error.code >= 500 else StoreError(text)) from error

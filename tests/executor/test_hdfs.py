"""HDFS over its gateway: the answers here are those that Hadoop's documentation shows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

from tiphys.executor import artifacts
from tiphys.executor.artifacts import NotFound, StoreError, StoreUnavailable, hdfs


class NameNode(ThreadingHTTPServer):
    """A name node that is its own data node."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Gateway)
        self.files: dict[str, bytes] = {}
        self.users: set[str] = set()
        self.standby = False


class Gateway(BaseHTTPRequestHandler):
    server: NameNode

    def log_message(self, *words: object) -> None:
        del words

    def do_GET(self) -> None:
        path, query = self.asked()
        match query["op"]:
            case _ if self.server.standby:
                self.refuse(403, "StandbyException", "Operation category READ is not supported in state standby")
            case "GETFILESTATUS" | "LISTSTATUS" if not self.there(path):
                self.refuse(404, "FileNotFoundException", f"File does not exist: {path}")
            case "GETFILESTATUS":
                self.answer({"FileStatus": {"pathSuffix": "", "type": self.kind(path)}})
            case "LISTSTATUS":
                self.answer({"FileStatuses": {"FileStatus": self.listed(path)}})
            case "OPEN":
                self.answer(self.server.files[path])

    def do_PUT(self) -> None:
        path, query = self.asked()
        if self.server.standby:
            self.refuse(403, "StandbyException", "Operation category WRITE is not supported in state standby")
        elif query["op"] == "CREATE":
            if path in self.server.files and query["overwrite"] != "true":
                self.refuse(403, "FileAlreadyExistsException", f"{path} for client already exists")
            else:
                self.answer({"Location": f"http://127.0.0.1:{self.server.server_port}/webhdfs/v1{quote(path)}?op=DATA"})
        else:
            self.server.files[path] = self.rfile.read(int(self.headers["Content-Length"]))
            self.answer({}, 201)

    def do_DELETE(self) -> None:
        path, query = self.asked()
        below = [name for name in self.server.files if name.startswith(f"{path}/")]
        if below and query["recursive"] != "true":
            self.refuse(403, "PathIsNotEmptyDirectoryException", f"{path} is non empty")
            return
        gone = [self.server.files.pop(name) for name in [path, *below] if name in self.server.files]
        self.answer({"boolean": bool(gone)})

    def asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.server.users.add(query.get("user.name", ""))
        return unquote(parts.path).removeprefix("/webhdfs/v1"), query

    def there(self, path: str) -> bool:
        return any(name == path or name.startswith(f"{path}/") for name in self.server.files)

    def kind(self, path: str) -> str:
        return "FILE" if path in self.server.files else "DIRECTORY"

    def listed(self, path: str) -> list[dict[str, str]]:
        if path in self.server.files:
            return [{"pathSuffix": "", "type": "FILE"}]
        names = {name.removeprefix(f"{path}/").split("/")[0] for name in self.server.files if name.startswith(path)}
        return [{"pathSuffix": name, "type": self.kind(f"{path}/{name}")} for name in sorted(names)]

    def refuse(self, code: int, exception: str, message: str) -> None:
        self.answer({"RemoteException": {"exception": exception, "message": message}}, code)

    def answer(self, body: Any, code: int = 200) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@pytest.fixture
def nodes() -> Iterator[list[NameNode]]:
    made = [NameNode(), NameNode()]
    threads = [threading.Thread(target=node.serve_forever, kwargs={"poll_interval": 0.01}) for node in made]
    for thread in threads:
        thread.start()
    yield made
    for node, thread in zip(made, threads, strict=True):
        node.shutdown()
        thread.join()
        node.server_close()


def at(nodes: list[NameNode], path: str, **more: Any) -> dict[str, Any]:
    addresses = [f"http://127.0.0.1:{node.server_port}" for node in nodes]
    return {"hdfs": {"addresses": addresses, "path": path, "hdfsUser": "root", **more}}


def save(location: dict[str, Any], source: Path) -> None:
    artifacts.save(location, source, root="", mount="")


def load(location: dict[str, Any], target: Path) -> None:
    artifacts.load(location, target, root="", mount="")


@pytest.mark.spec("DRV-5")
def test_a_file_and_a_directory_come_back(nodes: list[NameNode], tmp_path: Path) -> None:
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub" / "x y").write_text("inner")
    (tmp_path / "out" / "empty").write_text("")
    save(at(nodes, "/tmp/dir"), tmp_path / "out")
    load(at(nodes, "/tmp/dir"), tmp_path / "in")
    assert (tmp_path / "in" / "sub" / "x y").read_text() == "inner"
    load(at(nodes, "/tmp/dir/sub/x y"), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "inner"
    assert artifacts.list_keys(at(nodes, "/tmp"), root="", mount="") == ["/tmp/dir/empty", "/tmp/dir/sub/x y"]
    assert nodes[0].users - {""} == {"root"}


@pytest.mark.spec("DRV-5")
def test_only_force_replaces_what_is_there(nodes: list[NameNode], tmp_path: Path) -> None:
    (tmp_path / "x").write_text("new")
    nodes[0].files["/x"] = b"old"
    with pytest.raises(StoreError, match="already exists"):
        save(at(nodes, "/x"), tmp_path / "x")
    save(at(nodes, "/x", force=True), tmp_path / "x")
    assert nodes[0].files["/x"] == b"new"


@pytest.mark.spec("DRV-5")
def test_the_name_node_in_charge_is_found(nodes: list[NameNode], tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    nodes[0].standby = True
    save(at(nodes, "/x"), tmp_path / "x")
    assert nodes[1].files == {"/x": b"x"}
    nodes[1].standby = True
    with pytest.raises(StoreUnavailable, match="standby"):
        load(at(nodes, "/x"), tmp_path / "in")


@pytest.mark.spec("DRV-5", "ART-5")
def test_what_is_not_there_is_told_apart(nodes: list[NameNode], tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load(at(nodes, "/nothing"), tmp_path / "in")


@pytest.mark.spec("DRV-5", "AGC-3")
def test_files_and_trees_are_deleted(nodes: list[NameNode]) -> None:
    nodes[0].files |= {"/a": b"", "/d/x": b"", "/d/y": b""}
    artifacts.delete(at(nodes, "/a"), tree=False, root="", mount="")
    artifacts.delete(at(nodes, "/a"), tree=False, root="", mount="")
    with pytest.raises(StoreError, match="non empty"):
        artifacts.delete(at(nodes, "/d"), tree=False, root="", mount="")
    artifacts.delete(at(nodes, "/d"), tree=True, root="", mount="")
    assert nodes[0].files == {}


@pytest.mark.spec("DRV-5")
@pytest.mark.parametrize(
    ("address", "base"),
    [("nn:8020", "http://nn:9870"), ("nn", "http://nn:9870"), ("https://nn:1/", "https://nn:1")],
)
def test_an_address_of_the_native_protocol_means_the_gateway_beside_it(address: str, base: str) -> None:
    assert hdfs.base_url(address) == base

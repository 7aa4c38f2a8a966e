"""Buckets keep what they are given, against servers that nobody here wrote."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.executor.credentials import given
from tests.executor.pod import ROOT
from tests.executor.servers import azure_server, s3_server
from tiphys.executor import artifacts
from tiphys.executor.artifacts import NotFound, Place, StoreError, objects, oss

AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
LARGE_BYTES = int(os.environ.get("TIPHYS_TEST_ARTIFACT_BYTES") or 96 << 20)


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    with s3_server() as address:
        if address is None:
            pytest.skip("no S3 server: uv cannot start moto here")
        yield address


@pytest.fixture(scope="module")
def azure_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with azure_server(tmp_path_factory.mktemp("azurite")) as address:
        if address is None:
            pytest.skip("no azurite-blob on this machine, and npm cannot bring it")
        yield address


@pytest.fixture
def s3(s3_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A section of an artifact in a bucket that does not exist yet."""
    keys = given(monkeypatch, tmp_path / "secrets", "minio.creds", access="AKIA", secret="s3cr3t\n")
    return {
        "endpoint": s3_address,
        "insecure": True,
        "bucket": f"b-{tmp_path.name}".lower().replace("_", "-")[:60],
        "accessKeySecret": keys["access"],
        "secretKeySecret": keys["secret"],
        "createBucketIfNotPresent": {},
    }


class Interpreter(BaseHTTPRequestHandler):
    """Passes Google's requests on to an S3 server: their XML dialects differ in how one says who asks."""

    address: ClassVar[str] = ""
    protocol_version = "HTTP/1.1"

    def act(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("authorization", "host")}
        headers["Authorization"] = "AWS AKIA:nobody-looks-at-it"
        upstream = http.client.HTTPConnection(self.address, timeout=30)
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        raw = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("connection", "transfer-encoding", "content-length", "server", "date"):
                self.send_header(key, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(raw))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(raw)
        upstream.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = act  # noqa: N815  (as the server calls them)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def gcs(s3_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A section of an artifact in a bucket that exists: what the client speaks is Google's XML dialect, S3's twin."""
    name = f"b{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]}"
    with urllib.request.urlopen(urllib.request.Request(f"http://{s3_address}/{name}", method="PUT"), timeout=30):
        pass
    Interpreter.address = s3_address
    server = ThreadingHTTPServer(("127.0.0.1", 0), Interpreter)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    key = {"gcs_base_url": url, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
    keys = given(monkeypatch, tmp_path / "secrets", "gcs", key=json.dumps(key))
    yield {"bucket": name, "serviceAccountKeySecret": keys["key"]}
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def azure(azure_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A section of an artifact in a container of the emulator's account."""
    name = f"c{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:20]}"
    create_container(azure_address, name)
    keys = given(monkeypatch, tmp_path / "secrets", "azure", key=AZURITE_KEY)
    endpoint = f"http://{azure_address}/devstoreaccount1"
    return {"endpoint": endpoint, "container": name, "accountKeySecret": keys["key"]}


def create_container(address: str, name: str) -> None:
    """The client has no call for it: one request, signed with the account's key."""
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-08-06"}
    lines = [f"{key}:{value}" for key, value in headers.items()]
    account = "devstoreaccount1"
    text = "\n".join(["PUT", *[""] * 11, *lines, f"/{account}/{account}/{name}", "restype:container"])
    signature = base64.b64encode(hmac.digest(base64.b64decode(AZURITE_KEY), text.encode(), "sha256")).decode()
    url = f"http://{address}/{account}/{name}?restype=container"
    request = urllib.request.Request(url, method="PUT", headers=headers)
    request.add_header("Authorization", f"SharedKey {account}:{signature}")
    with urllib.request.urlopen(request, timeout=30):
        return


def save(location: dict[str, Any], source: Path) -> None:
    artifacts.save(location, source, root="", mount="")


def load(location: dict[str, Any], target: Path) -> None:
    artifacts.load(location, target, root="", mount="")


def at(section: dict[str, Any], key: str) -> dict[str, Any]:
    return {"s3": {**section, "key": key}}


@pytest.mark.spec("DRV-1")
def test_a_file_and_a_directory_come_back(s3: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub" / "x y#1 😀").write_text("inner")
    (tmp_path / "out" / "empty").write_text("")
    save(at(s3, "/wf/dir"), tmp_path / "out")
    save(at(s3, "wf/dir.txt"), tmp_path / "out" / "sub" / "x y#1 😀")
    load(at(s3, "wf/dir/"), tmp_path / "in")
    assert (tmp_path / "in" / "sub" / "x y#1 😀").read_text() == "inner"
    assert (tmp_path / "in" / "empty").read_text() == ""
    load(at(s3, "wf/dir.txt"), tmp_path / "file")
    assert (tmp_path / "file").read_text() == "inner"
    assert artifacts.list_keys(at(s3, "wf/d"), root="", mount="") == [
        "wf/dir.txt",
        "wf/dir/empty",
        "wf/dir/sub/x y#1 😀",
    ]
    assert len(artifacts.list_keys(at(s3, ""), root="", mount="")) == 3


def test_a_link_out_of_a_directory_is_not_followed(s3: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "leak").symlink_to(tmp_path / "secret")
    with pytest.raises(StoreError, match="link out of the artifact"):
        save(at(s3, "dir"), tmp_path / "out")


def delete(location: dict[str, Any], *, tree: bool = False) -> None:
    artifacts.delete(location, tree=tree, root="", mount="")


def keys_in(section: dict[str, Any]) -> list[str]:
    return artifacts.list_keys(at(section, ""), root="", mount="")


@pytest.mark.spec("AGC-3")
def test_what_is_deleted_is_gone_and_its_neighbours_stay(s3: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("x", "y"):
        (tmp_path / "out" / name).write_text(name)
    for key in ("dir", "dir2", "other/"):
        save(at(s3, key), tmp_path / "out")
    save(at(s3, "dir.txt"), tmp_path / "out" / "x")
    delete(at(s3, "dir.txt"))
    delete(at(s3, "dir.txt"))
    delete(at(s3, "dir"))
    assert keys_in(s3) == ["dir/x", "dir/y", "dir2/x", "dir2/y", "other/x", "other/y"]
    delete(at(s3, "dir"), tree=True)
    delete(at(s3, "other/"))
    assert keys_in(s3) == ["dir2/x", "dir2/y"]
    with pytest.raises(StoreError, match="whole bucket"):
        delete(at(s3, ""), tree=True)


@pytest.mark.spec("DRV-7")
def test_oss_is_spoken_to_like_s3(s3: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("x")
    shared = {name: s3[name] for name in ("bucket", "accessKeySecret", "secretKeySecret", "createBucketIfNotPresent")}
    section = {**shared, "endpoint": f"http://{s3['endpoint']}", "securityToken": "t", "key": "wf/dir"}
    save({"oss": section}, tmp_path / "out")
    load({"oss": section}, tmp_path / "in")
    assert (tmp_path / "in" / "x").read_text() == "x"
    assert artifacts.list_keys({"oss": section}, root="", mount="") == ["wf/dir/x"]
    delete({"oss": section}, tree=True)
    assert artifacts.list_keys({"oss": section}, root="", mount="") == []


@pytest.mark.spec("DRV-7")
def test_a_bucket_of_alibabas_own_is_part_of_the_hosts_name() -> None:
    section = {"endpoint": "https://oss-cn-hangzhou-internal.aliyuncs.com", "bucket": "b", "key": "k"}
    told = oss.in_words_of_s3(Place(section)).section
    assert (told["addressingStyle"], told["region"], told["insecure"]) == ("virtual", "oss-cn-hangzhou", False)


@pytest.mark.spec("DRV-9")
def test_blobs_of_azure_come_back(azure: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub" / "x").write_text("inner")
    save({"azure": {**azure, "blob": "wf/dir"}}, tmp_path / "out")
    load({"azure": {**azure, "blob": "wf/dir"}}, tmp_path / "in")
    assert (tmp_path / "in" / "sub" / "x").read_text() == "inner"
    load({"azure": {**azure, "blob": "wf/dir/sub/x"}}, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "inner"
    assert artifacts.list_keys({"azure": azure}, root="", mount="") == ["wf/dir/sub/x"]
    with pytest.raises(NotFound):
        load({"azure": {**azure, "blob": "nothing"}}, tmp_path / "nothing")
    delete({"azure": {**azure, "blob": "wf/dir"}}, tree=True)
    delete({"azure": {**azure, "blob": "wf/dir"}}, tree=True)
    assert artifacts.list_keys({"azure": azure}, root="", mount="") == []
    with pytest.raises(StoreError, match="ContainerNotFound"):
        load({"azure": {**azure, "container": "elsewhere", "blob": "x"}}, tmp_path / "nothing")


@pytest.mark.spec("DRV-8")
def test_objects_of_google_come_back(gcs: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub" / "x").write_text("inner")
    save({"gcs": {**gcs, "key": "wf/dir"}}, tmp_path / "out")
    load({"gcs": {**gcs, "key": "wf/dir"}}, tmp_path / "in")
    assert (tmp_path / "in" / "sub" / "x").read_text() == "inner"
    load({"gcs": {**gcs, "key": "wf/dir/sub/x"}}, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "inner"
    assert artifacts.list_keys({"gcs": gcs}, root="", mount="") == ["wf/dir/sub/x"]
    with pytest.raises(NotFound):
        load({"gcs": {**gcs, "key": "nothing"}}, tmp_path / "nothing")
    delete({"gcs": {**gcs, "key": "wf/dir"}}, tree=True)
    delete({"gcs": {**gcs, "key": "wf/dir"}}, tree=True)
    assert artifacts.list_keys({"gcs": gcs}, root="", mount="") == []


@pytest.mark.spec("DRV-1", "ART-5", "ART-6")
def test_what_is_not_there_and_what_is_refused_are_told_apart(s3: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    with pytest.raises(StoreError, match="NoSuchBucket"):
        load(at(s3, "k"), tmp_path / "in")
    save(at(s3, "k"), tmp_path / "x")
    save(at(s3, "k"), tmp_path / "x")  # the bucket is there by now
    with pytest.raises(NotFound, match="404"):
        load(at(s3, "kk"), tmp_path / "in")
    lost = {**s3, "accessKeySecret": {"name": "nobody", "key": "k"}}
    with pytest.raises(StoreError, match="secret 'nobody' has no key 'k'"):
        load(at(lost, "k"), tmp_path / "in")


@pytest.mark.spec("DRV-1")
def test_a_bucket_of_another_region_is_found(s3: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    save(at({**s3, "region": "eu-west-1"}, "k"), tmp_path / "x")
    load(at(s3, "k"), tmp_path / "in")
    assert (tmp_path / "in").read_text() == "x"


@pytest.mark.spec("DRV-1")
@pytest.mark.parametrize("encryption", [{"enableEncryption": True}, {"enableEncryption": True, "kmsKeyId": "k"}])
def test_objects_are_encrypted_as_told(s3: dict[str, Any], tmp_path: Path, encryption: dict[str, Any]) -> None:
    (tmp_path / "x").write_text("x")
    section = {**s3, "encryptionOptions": encryption}
    save(at(section, "k"), tmp_path / "x")
    load(at(section, "k"), tmp_path / "in")
    assert (tmp_path / "in").read_text() == "x"


@pytest.mark.spec("ART-17")
def test_memory_stays_flat_while_a_large_artifact_moves(s3: dict[str, Any], tmp_path: Path) -> None:
    """In a process of its own: the peak is what the system says it was."""
    with (tmp_path / "big").open("wb") as file:
        file.truncate(LARGE_BYTES)
    program = (
        "import json, resource, sys\nfrom pathlib import Path\nfrom tiphys.executor import artifacts\n"
        "place, source, target = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])\n"
        "source.with_name('x').write_text('x')\n"
        "artifacts.save(place, source.with_name('x'), root='', mount='')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "artifacts.save(place, source, root='', mount='')\nartifacts.load(place, target, root='', mount='')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    words = [sys.executable, "-c", program, json.dumps(at(s3, "big")), str(tmp_path / "big"), str(tmp_path / "back")]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "back").stat().st_size == LARGE_BYTES
    grown_kb = int(ended.stdout)
    assert grown_kb < 64 << 10, f"{grown_kb} kB more than before"


class Moody(BaseHTTPRequestHandler):
    """Answers 503 twice, then gives in."""

    left: ClassVar[int] = 2
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        moody = type(self).left > 0
        type(self).left -= 1
        body = b"<Error/>" if moody else b"at last"
        self.send_response(503 if moody else 200)
        for name, value in (("ETag", '"1"'), ("Last-Modified", "Sat, 01 Jan 2022 00:00:00 GMT")):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.mark.spec("ART-17")
def test_a_store_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(objects, "PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr(objects, "PAUSE_LAST_S", 0.02)
    keys = given(monkeypatch, tmp_path / "secrets", "creds", k="x")
    server = HTTPServer(("127.0.0.1", 0), Moody)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    section = {"endpoint": f"127.0.0.1:{server.server_port}", "insecure": True, "bucket": "b", "region": "r"}
    section |= {"accessKeySecret": keys["k"], "secretKeySecret": keys["k"]}
    try:
        load(at(section, "k"), tmp_path / "in")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (tmp_path / "in").read_text() == "at last"
    assert Moody.left == -1


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ({"gcs": {"bucket": "b", "key": "k", "serviceAccountKeySecret": {"name": "bad", "key": "key"}}}, "not JSON"),
        ({"azure": {"endpoint": "blob", "container": "c", "blob": "k"}}, "no URL"),
        ({"ftp": {"path": "x"}}, "not supported"),
        ({"hdfs": {"path": "/.."}}, "no place for an artifact"),
    ],
)
def test_a_location_that_makes_no_sense_is_said_in_words(
    location: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch, tmp_path, "bad", key="no json")
    with pytest.raises(StoreError, match=words):
        load(location, tmp_path / "in")

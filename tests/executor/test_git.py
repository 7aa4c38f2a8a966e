"""A git artifact is the repository as it was at the revision, over a path and over HTTP."""

from __future__ import annotations

import os
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.executor.credentials import given
from tiphys.executor.artifacts import Place, StoreError, StoreUnavailable, git

IDENTITY = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]


def run(folder: Path, *words: str) -> str:
    command = ["git", *IDENTITY, "-c", "protocol.file.allow=always", "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, text: str) -> str:
    (folder / "file").write_text(text)
    run(folder, "add", ".")
    run(folder, "commit", "--quiet", "-m", text)
    return run(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits on main, a tag on the first, a branch `side`, and a ref that no clone brings along."""
    folder = tmp_path / "served" / "repo"
    folder.mkdir(parents=True)
    run(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "one")
    run(folder, "tag", "v1")
    run(folder, "checkout", "--quiet", "-b", "side")
    commit(folder, "side")
    run(folder, "checkout", "--quiet", "-b", "hidden", "v1")
    run(folder, "update-ref", "refs/changes/7", commit(folder, "change"))
    run(folder, "checkout", "--quiet", "main")
    run(folder, "branch", "--quiet", "-D", "hidden")
    commit(folder, "two")
    return folder


def loaded(section: dict[str, Any], target: Path) -> str:
    git.load(Place(section), target)
    return (target / "file").read_text()


@pytest.mark.spec("DRV-2")
@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "two"),
        ({"revision": "v1"}, "one"),
        ({"revision": "side"}, "side"),
        ({"revision": "refs/changes/7", "fetch": ["refs/changes/7"]}, "change"),
        ({"singleBranch": True, "branch": "side"}, "side"),
        ({"depth": 1, "revision": "side"}, "side"),
    ],
)
def test_a_revision_is_checked_out(repository: Path, tmp_path: Path, more: dict[str, Any], text: str) -> None:
    assert loaded({"repo": f"file://{repository}", **more}, tmp_path / "in") == text


def test_a_commit_is_checked_out_by_its_hash_and_a_plain_path_is_a_repository(repository: Path, tmp_path: Path) -> None:
    first = run(repository, "rev-parse", "v1")
    assert loaded({"repo": str(repository), "revision": first}, tmp_path / "in") == "one"
    assert run(tmp_path / "in", "rev-parse", "HEAD") == first


def test_depth_and_single_branch_bring_no_more_than_asked(repository: Path, tmp_path: Path) -> None:
    section = {"repo": f"file://{repository}", "depth": 1, "singleBranch": True, "branch": "main"}
    loaded(section, tmp_path / "in")
    assert run(tmp_path / "in", "rev-list", "--count", "HEAD") == "1"
    assert run(tmp_path / "in", "branch", "--remotes", "--list", "origin/side") == ""


@pytest.mark.parametrize("more", [{}, {"revision": "main"}, {"fetch": ["refs/heads/main"]}])
def test_an_empty_repository_is_one(tmp_path: Path, more: dict[str, Any]) -> None:
    (tmp_path / "empty").mkdir()
    run(tmp_path / "empty", "init", "--quiet", "--bare")
    git.load(Place({"repo": f"file://{tmp_path}/empty", **more}), tmp_path / "in")
    assert run(tmp_path / "in", "remote") == "origin"


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"repo": "file:///nowhere/at/all"}, "git clone"),
        ({"repo": "ext::sh -c 'touch evil'"}, "not allowed"),
        ({"repo": "--upload-pack=touch evil"}, "git clone"),
        ({"revision": "nothing"}, "no branch, tag or commit"),
        ({"revision": "--force"}, "is no revision"),
        ({"fetch": ["--upload-pack=touch evil"]}, "git fetch"),
    ],
)
def test_what_cannot_be_is_said_in_words(
    repository: Path, tmp_path: Path, section: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=words):
        git.load(Place({"repo": f"file://{repository}", **section}), tmp_path / "in")
    assert not (tmp_path / "evil").exists()


def test_a_store_that_does_not_answer_may_be_asked_again(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        git.load(Place({"repo": "http://127.0.0.1:1/repo"}), tmp_path / "in")


# ------------------------------------------------------------------------------------------------ over HTTP


class Backend(BaseHTTPRequestHandler):
    """`git http-backend` behind basic auth."""

    root: ClassVar[str] = ""
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        header = self.headers.get("Authorization", "")
        self.seen.append(header)
        if header != f"Basic {b64encode(b'me:p$w').decode()}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": self.root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "CONTENT_LENGTH": str(length),
        }
        words = ["git", "http-backend"]
        answer = subprocess.run(words, env=env, input=self.rfile.read(length), capture_output=True, check=False).stdout
        head, _, body = answer.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def site(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Backend, "root", str(repository.parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/repo/.git"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_repository_behind_a_password(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = given(monkeypatch, tmp_path / "secrets", "git", user="me\n", word="p$w", wrong="x")
    section = {"repo": site, "usernameSecret": keys["user"], "passwordSecret": keys["word"], "revision": "v1"}
    assert loaded(section, tmp_path / "in") == "one"
    assert "p$w" not in "".join(path.read_text("latin-1") for path in (tmp_path / "in").rglob("*") if path.is_file())
    with pytest.raises(StoreError, match="Authentication failed"):
        git.load(Place({**section, "passwordSecret": keys["wrong"]}), tmp_path / "other")

"""`dev.py` finds its way on a bare machine, and says what to do when it cannot."""

from __future__ import annotations

import ast
import hashlib
import http.server
import importlib.util
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHEEL = b"not really a wheel"
SHA = hashlib.sha256(WHEEL).hexdigest()


@pytest.fixture
def dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev_script", ROOT / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Serve = Callable[[dict[str, tuple[str, bytes]]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A package index: path to (content type, body); gives its URL."""
    servers = []

    def start(pages: dict[str, tuple[str, bytes]]) -> str:
        class Index(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = pages.get(self.path, ("", b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        server = http.server.HTTPServer(("127.0.0.1", 0), Index)
        servers.append((server, threading.Thread(target=server.serve_forever)))
        servers[-1][1].start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def listing(*files: dict[str, object]) -> bytes:
    return json.dumps({"files": files}).encode()


def entry(name: str, **more: object) -> dict[str, object]:
    return {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": SHA}, **more}


def test_the_newest_usable_pip_is_taken_from_a_json_index(
    dev: ModuleType, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        entry("pip-24.0-py3-none-any.whl"),
        entry("pip-25.1-py3-none-any.whl", **{"requires-python": ">=3.9"}),
        entry("pip-26.0-py3-none-any.whl", **{"requires-python": ">=3.99"}),
        entry("pip-27.0-py3-none-any.whl", yanked="broken"),
        entry("pip-28.0b1-py3-none-any.whl"),
        entry("pip-29.0.tar.gz"),
    ]
    pages = {"/simple/pip/": ("application/vnd.pypi.simple.v1+json", listing(*files))}
    pages["/files/pip-25.1-py3-none-any.whl"] = ("application/octet-stream", WHEEL)
    monkeypatch.setenv("PIP_INDEX_URL", serve(pages) + "/simple")
    assert dev.download_pip(tmp_path) == tmp_path / "pip-25.1-py3-none-any.whl" / "pip"
    assert (tmp_path / "pip-25.1-py3-none-any.whl").read_bytes() == WHEEL


def test_an_index_in_html_serves_as_well(
    dev: ModuleType, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = f'<a href="pip-25.1-py3-none-any.whl#sha256={SHA}" data-requires-python="&gt;=3.9">pip</a>'
    url = serve({"/pip/": ("text/html", page.encode()), "/pip/pip-25.1-py3-none-any.whl": ("x/y", WHEEL)})
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv("UV_DEFAULT_INDEX", url)
    assert dev.download_pip(tmp_path).parent.read_bytes() == WHEEL


def test_a_wheel_that_is_not_what_the_index_promised_is_refused(
    dev: ModuleType, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {"/pip/": ("application/json", listing({**entry("pip-25.1-py3-none-any.whl"), "url": "/w"}))}
    monkeypatch.setenv("PIP_INDEX_URL", serve({**pages, "/w": ("x/y", WHEEL + b"!")}))
    with pytest.raises(dev.SetupError, match="differs from the sha256 in the index"):
        dev.download_pip(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_said_with_the_remedies(dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(
        dev.SetupError, match=r"(?s)Cannot read http://127.0.0.1:9/simple/pip/.*PIP_INDEX_URL.*https_proxy"
    ):
        dev.download_pip(tmp_path)


def test_a_python_that_is_too_old_is_said_with_the_remedy(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "OLDEST", (9, 99))
    monkeypatch.setattr(dev.shutil, "which", lambda _: None)
    with pytest.raises(dev.SetupError, match=r"is too old: 3\.11 or newer is needed"):
        dev.use_new_enough_python()


def test_an_old_python_could_read_the_file(dev: ModuleType) -> None:
    """Whoever has only an old Python must get the message above, not a syntax error."""
    ast.parse((ROOT / "dev.py").read_text(), feature_version=(3, 7))


def environment(place: Path, dev: ModuleType, groups: list[str]) -> Path:
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").symlink_to(sys.executable)
    (place / dev.STAMP).write_text(json.dumps({**dev.wanted(), "groups": groups}))
    return place


def test_an_environment_that_fits_is_used_as_it_is(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = environment(tmp_path / "venv", dev, ["test"])
    monkeypatch.setenv("TIPHYS_VENV", str(place))
    monkeypatch.setattr(dev, "make", lambda *_: pytest.fail("made again"))
    assert dev.environment({"test"}) == place
    assert dev.environment(set()) == place


@pytest.mark.parametrize("change", ["project", "python", "tree"])
def test_an_environment_for_something_else_does_not_fit(dev: ModuleType, tmp_path: Path, change: str) -> None:
    place = environment(tmp_path / "venv", dev, [])
    assert dev.installed(place, dev.wanted()) == set()
    assert dev.installed(place, {**dev.wanted(), change: "other"}) is None


def test_an_environment_that_this_user_cannot_run_does_not_fit(dev: ModuleType, tmp_path: Path) -> None:
    place = environment(tmp_path / "venv", dev, [])
    (place / "bin" / "python").unlink()
    (place / "bin" / "python").symlink_to("/nonexistent/python")
    assert dev.installed(place, dev.wanted()) is None


def test_a_tree_of_somebody_else_gets_its_environment_in_the_users_cache(
    dev: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TIPHYS_VENV", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(dev, "writable", lambda path: not str(path).startswith(str(ROOT)))
    monkeypatch.setattr(dev, "make", lambda place, *_: place)
    assert dev.environment({"no such group"}).parent == tmp_path / "tiphys"
    assert set(dev.caches().values()) == {
        str(tmp_path / "tiphys" / name)
        for name in ("pytest_cache", "hypothesis", "mypy_cache", "ruff_cache", "import_linter_cache")
    }


def test_groups_bring_the_groups_they_include(dev: ModuleType) -> None:
    assert set(dev.requirements({"dev"})) == set(dev.requirements({"test"})) | set(dev.requirements({"lint"}))
    assert any(wish.startswith("pytest") for wish in dev.requirements({"dev"}))


def test_an_unknown_command_shows_what_there_is(dev: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(["demmo"]) == 2
    assert "There is no command 'demmo'" in capsys.readouterr().err

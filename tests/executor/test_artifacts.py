"""Artifacts arrive as they left: through archives and stores, and never outside their place."""

from __future__ import annotations

import io
import os
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.executor.pod import Ended, Volume
from tiphys.executor import pack
from tiphys.executor.artifacts import NotFound, Place, StoreError, directory, web


def location(volume: Volume, key: str) -> dict[str, Any]:
    return {"s3": {"endpoint": f"file://{volume.repository}", "bucket": "artifacts", "key": key}}


def saved(volume: Volume, path: Path, form: str = "tar", *, level: int = -1, **more: Any) -> Ended:
    """Main writes nothing; its shim packs `path`, wait saves it."""
    staged = [{"name": "a", "path": str(path), "number": 0, "form": form, "level": level}]
    assert volume.run(["true"], staged=staged).code == 0
    transfer = {**staged[0], "archive": form, "location": location(volume, "wf/pod/a"), **more}
    told = {"container": "wait", "mains": ["main"], "outputs": [transfer], "repository_root": str(volume.repository)}
    return volume.executor(["wait"], told)


def loaded(volume: Volume, place: Path, archive: str = "auto", **more: Any) -> Ended:
    transfer = {"name": "a", "path": str(place), "place": str(place), "archive": archive} | more
    transfer.setdefault("location", location(volume, "wf/pod/a"))
    told = {"container": "init", "inputs": [transfer], "repository_root": str(volume.repository)}
    return volume.executor(["init"], told)


@pytest.mark.spec("ART-7", "ART-10", "ARCH-1", "ARCH-2", "ARCH-3", "ARCH-4")
@pytest.mark.parametrize(("form", "back"), [("tar", "auto"), ("tar", "tar"), ("zip", "zip"), ("none", "auto")])
def test_a_file_goes_through_every_archive(volume: Volume, tmp_path: Path, form: str, back: str) -> None:
    (tmp_path / "out.txt").write_text("hello 😀\n")
    ended = saved(volume, tmp_path / "out.txt", form)
    assert ended.content == {"artifacts": [{"name": "a", **location(volume, "wf/pod/a")}]}
    assert loaded(volume, tmp_path / "in" / "elsewhere.txt", back).code == 0
    assert (tmp_path / "in" / "elsewhere.txt").read_text() == "hello 😀\n"


@pytest.mark.parametrize(("form", "back"), [("tar", "auto"), ("zip", "zip"), ("none", "auto")])
def test_a_directory_goes_through_every_archive(volume: Volume, tmp_path: Path, form: str, back: str) -> None:
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / "sub" / "x").write_text("x")
    (tmp_path / "out" / "run").write_text("#!/bin/sh\n")
    (tmp_path / "out" / "run").chmod(0o755)
    assert saved(volume, tmp_path / "out", form).code == 0
    assert loaded(volume, tmp_path / "in", back).code == 0
    assert sorted(p.relative_to(tmp_path / "in").as_posix() for p in (tmp_path / "in").rglob("*")) == [
        "run",
        "sub",
        "sub/x",
    ]
    assert os.access(tmp_path / "in" / "run", os.X_OK) or form == "none"


@pytest.mark.parametrize("level", [-2, -1, 0, 1, 9])
def test_every_compression_level_is_readable(volume: Volume, tmp_path: Path, level: int) -> None:
    (tmp_path / "out").write_text("hello " * 1000)
    assert saved(volume, tmp_path / "out", level=level).code == 0
    kept = volume.repository / "artifacts/wf/pod/a"
    assert (kept.stat().st_size > 6000) == (level == 0)
    assert loaded(volume, tmp_path / "in").code == 0
    assert (tmp_path / "in").read_text() == "hello " * 1000


def test_an_artifact_that_is_a_link_is_what_it_points_to_and_links_inside_stay_links(
    volume: Volume, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "inner").symlink_to("/usr/bin/python3")
    (tmp_path / "real" / "x").write_text("x")
    (tmp_path / "out").symlink_to(tmp_path / "real")
    assert saved(volume, tmp_path / "out").code == 0
    assert loaded(volume, tmp_path / "in").code == 0
    assert (tmp_path / "in" / "inner").readlink() == Path("/usr/bin/python3")


def test_a_zip_never_reads_through_a_link_out_of_the_artifact(tmp_path: Path) -> None:
    """It is packed where credentials are mounted; tar keeps the link itself."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "inside").write_text("x")
    (tmp_path / "out" / "link").symlink_to(tmp_path / "out" / "inside")
    pack.pack(tmp_path / "out", tmp_path / "good.zip", "zip", -1)
    (tmp_path / "secret").write_text("s")
    (tmp_path / "out" / "leak").symlink_to(tmp_path / "secret")
    with pytest.raises(pack.BadArchive, match="link out"):
        pack.pack(tmp_path / "out", tmp_path / "bad.zip", "zip", -1)


@pytest.mark.spec("ART-10")
def test_a_missing_output_names_the_artifact_unless_optional(volume: Volume, tmp_path: Path) -> None:
    ended = saved(volume, tmp_path / "nothing")
    assert ended.code == 64
    assert "'a'" in ended.content["error"]
    assert str(tmp_path / "nothing") in ended.content["error"]
    ended = saved(volume, tmp_path / "nothing", optional=True)
    assert (ended.code, ended.content) == (0, {"artifacts": []})


@pytest.mark.spec("ART-13")
def test_outputs_of_a_failed_command_are_saved(volume: Volume, tmp_path: Path) -> None:
    staged = [{"name": "a", "path": str(tmp_path / "out"), "number": 0, "form": "none", "level": -1}]
    assert volume.run(["sh", "-c", f"echo x > {tmp_path}/out; exit 3"], staged=staged).code == 3
    transfer = {**staged[0], "archive": "none", "location": location(volume, "k")}
    ended = volume.executor(["wait"], {"container": "wait", "mains": ["main"], "outputs": [transfer]})
    assert ended.code == 0
    assert (volume.repository / "artifacts" / "k").read_text() == "x\n"


@pytest.mark.spec("ART-14")
def test_logs_are_saved_as_artifacts(volume: Volume) -> None:
    volume.run(["echo", "said"], keep_log=True)
    told = {
        "container": "wait",
        "mains": ["main"],
        "logs": [{"name": "main", "location": location(volume, "main.log")}],
    }
    assert volume.executor(["wait"], told).content["artifacts"][0]["name"] == "main-logs"
    assert (volume.repository / "artifacts" / "main.log").read_text() == "said\n"


@pytest.mark.spec("ART-5", "ART-6")
def test_a_missing_input_is_an_error_unless_optional(volume: Volume, tmp_path: Path) -> None:
    ended = loaded(volume, tmp_path / "in")
    assert ended.code == 64
    assert "'a' was not found" in ended.termination
    assert loaded(volume, tmp_path / "in", optional=True).code == 0
    assert not (tmp_path / "in").exists()


@pytest.mark.spec("ART-8", "DRV-6")
def test_a_raw_input_is_verbatim_with_its_mode(volume: Volume, tmp_path: Path) -> None:
    raw = {"raw": {"data": "#!/bin/sh\necho {{x}} $HOME 😀\n"}}
    assert loaded(volume, tmp_path / "in", location=raw, mode=0o755).code == 0
    assert (tmp_path / "in").read_text() == raw["raw"]["data"]
    assert (tmp_path / "in").stat().st_mode & 0o777 == 0o755


def test_a_mode_reaches_children_when_told(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").write_text("")
    pack.set_mode(tmp_path / "d", 0o700, recurse=True)
    assert (tmp_path / "d" / "x").stat().st_mode & 0o777 == 0o700


@pytest.mark.spec("ART-7")
def test_gzip_that_is_no_tar_is_left_alone(tmp_path: Path) -> None:
    import gzip  # noqa: PLC0415

    (tmp_path / "x").write_bytes(gzip.compress(b"hello" * 500))
    before = (tmp_path / "x").read_bytes()
    pack.unpack(tmp_path / "x", tmp_path / "place", "auto")
    assert (tmp_path / "place").read_bytes() == before


def test_what_must_be_an_archive_and_is_none_is_an_error(tmp_path: Path) -> None:
    for form in ("tar", "zip"):
        (tmp_path / "x").write_text("no archive")
        with pytest.raises(pack.BadArchive, match="archive"):
            pack.unpack(tmp_path / "x", tmp_path / "place", form)


def evil(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


@pytest.mark.parametrize(
    "members",
    [
        [evil("../out")],
        [evil("/tmp/tiphys-evil-out")],
        [evil("a/../../out")],
        [evil("link", tarfile.SYMTYPE, ".."), evil("link/out")],
        [evil("link", tarfile.SYMTYPE, "/"), evil("hard", tarfile.LNKTYPE, "link")],
        [evil("hard", tarfile.LNKTYPE, "../out")],
        [evil("pipe", tarfile.FIFOTYPE)],
    ],
    ids=["parent", "absolute", "dots", "through a link", "hard link to a link", "hard link outside", "pipe"],
)
def test_no_archive_reaches_outside_its_place(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    (tmp_path / "box").mkdir()
    with tarfile.open(tmp_path / "box" / "x", "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b""))
    with pytest.raises(pack.BadArchive, match="archive entry"):
        pack.unpack(tmp_path / "box" / "x", tmp_path / "box" / "place", "auto")
    assert [p.name for p in tmp_path.iterdir()] == ["box"]
    assert not (tmp_path / "box" / "place").exists()


def test_no_zip_reaches_outside_its_place(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        archive.writestr("../out", "")
    with pytest.raises(pack.BadArchive):
        pack.unpack(tmp_path / "x", tmp_path / "place", "zip")


@pytest.mark.parametrize("key", ["", "../x", "a/../../x", "/etc/passwd"])
def test_no_key_reaches_outside_the_repository(tmp_path: Path, key: str) -> None:
    section = {"endpoint": f"file://{tmp_path}", "bucket": "b", "key": key}
    with pytest.raises(StoreError):
        directory.load(Place(section, str(tmp_path), str(tmp_path)), tmp_path / "x")


def test_a_prefix_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "b" / "k" / "d").mkdir(parents=True)
    (tmp_path / "b" / "k" / "d" / "x").write_text("x")
    section = {"endpoint": f"file://{tmp_path}", "bucket": "b", "key": "k"}
    directory.load(Place(section), tmp_path / "out")
    assert (tmp_path / "out" / "d" / "x").read_text() == "x"


def test_memory_stays_flat_while_a_large_artifact_is_packed(tmp_path: Path) -> None:
    import tracemalloc  # noqa: PLC0415

    with (tmp_path / "big").open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    pack.pack(tmp_path / "big", tmp_path / "big.tgz", "tar", 1)
    pack.unpack(tmp_path / "big.tgz", tmp_path / "back", "auto")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "back").stat().st_size == 64 << 20
    assert peak < 8 << 20


# ------------------------------------------------------------------------------------------------ http


class Site(BaseHTTPRequestHandler):
    kept: ClassVar[dict[str, bytes]] = {}
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        body = self.kept.get(self.path)
        self.seen.append(self.headers.get("X-Token", ""))
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/moved":
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/x")  # type: ignore[attr-defined]
        else:
            self.kept[self.path] = body
            self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def site() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.spec("DRV-3")
def test_http_saves_follows_a_redirect_and_loads_with_headers(site: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("hello")
    web.save(Place({"url": f"{site}/moved"}), tmp_path / "out")
    web.load(Place({"url": f"{site}/x", "headers": [{"name": "X-Token", "value": "t"}]}), tmp_path / "in")
    assert (tmp_path / "in").read_text() == "hello"
    assert Site.seen[-1] == "t"
    with pytest.raises(NotFound, match="404"):
        web.load(Place({"url": f"{site}/nothing"}), tmp_path / "in")
    with pytest.raises(StoreError, match="neither"):
        web.load(Place({"url": "file:///etc/passwd"}), tmp_path / "in")


def test_the_executor_says_how_it_is_used(volume: Volume) -> None:
    ended = volume.executor(["dance"], {"container": "x"})
    assert ended.code == 64
    assert "usage" in ended.stderr
    assert sys.executable

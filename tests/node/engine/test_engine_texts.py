"""What is read and written at the edges of an engine: sockets, logins, streams, scripts that name our interpreter."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import struct
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.devcluster.node import launch
from tiphys.devcluster.node.engine import helpers
from tiphys.devcluster.node.engine.api import split_tag, version_of
from tiphys.devcluster.node.engine.credentials import logins
from tiphys.devcluster.node.engine.frames import ERRORS, OUTPUT, Frames
from tiphys.devcluster.node.engine.interpreter import (
    HERE,
    bring,
    command_line,
    is_loader,
    loaded_files,
    names_of,
    options_of,
    source_of,
)
from tiphys.devcluster.node.engine.runtime import container_name
from tiphys.devcluster.node.engine.session import LOCK, Session, is_over
from tiphys.devcluster.node.engine.sockets import candidates, nobody_answers


def test_docker_host_decides_alone_where_it_names_a_socket() -> None:
    found = candidates({"DOCKER_HOST": "unix:///my/engine.sock", "XDG_RUNTIME_DIR": "/run/user/7"})
    assert [place.socket for place in found] == [Path("/my/engine.sock")]


def test_without_it_the_places_of_docker_and_podman_are_tried_the_users_own_among_them() -> None:
    found = [str(place.socket) for place in candidates({"XDG_RUNTIME_DIR": "/run/user/7"})]
    assert found == [
        "/var/run/docker.sock",
        "/run/user/7/docker.sock",
        "/run/user/7/podman/podman.sock",
        "/run/podman/podman.sock",
    ]


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2375", "ssh://me@there"])
def test_an_engine_elsewhere_is_not_used_and_it_is_said_why(host: str) -> None:
    (place,) = candidates({"DOCKER_HOST": host})
    assert place.socket is None
    assert host in nobody_answers([(place.place, place.why_not)])
    assert "only unix://" in nobody_answers([(place.place, place.why_not)])


def test_a_machine_without_an_engine_says_so_in_one_sentence_with_all_that_was_tried() -> None:
    told = nobody_answers([("/a.sock", "No such file or directory"), ("/b.sock", "Permission denied")])
    assert "/a.sock: No such file or directory; /b.sock: Permission denied" in told
    assert "\n" not in told
    assert ". " not in told


# ------------------------------------------------------------------------------------------------ streams


@given(
    st.lists(st.tuples(st.sampled_from([OUTPUT, ERRORS]), st.binary(max_size=40)), max_size=8),
    st.lists(st.integers(1, 17), min_size=1, max_size=60),
)
def test_however_a_stream_is_cut_every_byte_arrives_in_order_and_where_it_belongs(
    written: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    wire = b"".join(struct.pack(">BxxxL", which, len(text)) + text for which, text in written)
    frames, read = Frames(), {OUTPUT: b"", ERRORS: b""}
    at = 0
    for number in range(len(wire)):
        size = cuts[number % len(cuts)]
        for which, piece in frames.feed(wire[at : at + size]):
            read[which] += piece
        at += size
    assert read == {w: b"".join(text for which, text in written if which == w) for w in (OUTPUT, ERRORS)}


def test_a_container_with_a_terminal_has_one_stream_without_frames() -> None:
    assert list(Frames(framed=False).feed(b"\x01\x00plain")) == [(OUTPUT, b"\x01\x00plain")]


# ------------------------------------------------------------------------------------------------ images


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("busybox", ("busybox", "latest")),
        ("localhost:5000/x", ("localhost:5000/x", "latest")),
        ("localhost:5000/x:2", ("localhost:5000/x", "2")),
        ("a@sha256:1f", ("a@sha256:1f", "")),
    ],
)
def test_a_pull_names_one_tag_never_all_of_them(reference: str, parts: tuple[str, str]) -> None:
    assert split_tag(reference) == parts


def secret(auths: dict[str, Any]) -> dict[str, Any]:
    return {"data": {".dockerconfigjson": base64.b64encode(json.dumps({"auths": auths}).encode()).decode()}}


def told(headers: list[str]) -> list[dict[str, str]]:
    return [json.loads(base64.urlsafe_b64decode(header)) for header in headers]


def test_the_login_that_fits_best_is_tried_first_and_others_registries_get_none() -> None:
    found = secret(
        {
            "quay.io": {"username": "wide", "password": "1"},
            "quay.io/team": {"auth": base64.b64encode(b"close:2:3").decode()},
            "quay.io/teams": {"username": "stranger", "password": "4"},
            "ghcr.io": {"username": "other", "password": "5"},
        }
    )
    assert told(logins("quay.io/team/app:1", [found])) == [
        {"username": "close", "password": "2:3", "serveraddress": "quay.io"},
        {"username": "wide", "password": "1", "serveraddress": "quay.io"},
    ]


def test_dockers_own_registry_has_many_names() -> None:
    found = secret({"https://index.docker.io/v1/": {"identitytoken": "t"}})
    assert told(logins("busybox", [found])) == [{"serveraddress": "https://index.docker.io/v1/", "identitytoken": "t"}]


@pytest.mark.parametrize("broken", [{}, {"data": {".dockerconfigjson": "!"}}, secret({"quay.io": {"auth": "!"}})])
def test_a_secret_that_cannot_be_read_is_no_login(broken: dict[str, Any]) -> None:
    assert logins("quay.io/x", [broken]) == []


@pytest.mark.parametrize(("offered", "spoken"), [("1.41", "1.41"), ("1.99", "1.47"), ("1.24", "1.24")])
def test_the_newest_version_that_both_know_is_spoken(offered: str, spoken: str) -> None:
    assert version_of(offered) == spoken


@given(st.text("abc-0", min_size=1, max_size=253), st.text("abc-0", min_size=1, max_size=63))
def test_names_of_containers_are_as_engines_take_them(pod: str, container: str) -> None:
    thing = {"metadata": {"namespace": "default", "name": pod, "uid": "0123456789"}}
    name = container_name(thing, container, 3, "abcd")
    assert len(name) < 255
    assert name.endswith(".3.01234567.abcd")


# ------------------------------------------------------------------------------------------------ the interpreter

NAMES = ("/opt/my python/bin/python3.11", "/usr/bin/python3.11")


@pytest.mark.parametrize(
    ("head", "options"),
    [
        (b"#!/usr/bin/python3.11 -SEs\nimport sys", ["-SEs"]),
        (b"#!/usr/bin/python3.11\n", []),
        (b"#!/bin/sh\n''':'\nexec '/opt/my python/bin/python3.11' -SEs \"$0\" \"$@\"\n'''\n", ["-SEs"]),
        (b"#!/usr/bin/python3.110 -S\n", None),
        (b"#!/bin/sh\necho\n", None),
        (b"\x7fELF", None),
        (b"", None),
    ],
)
def test_only_a_script_that_names_our_interpreter_is_started_by_it(head: bytes, options: list[str] | None) -> None:
    assert options_of(head, NAMES) == options


def test_the_loader_is_started_with_its_libraries_and_the_script() -> None:
    line = command_line(["-SEs"], ["/v/shim", "--", "ls"])
    assert line[0] == "/.tiphys/python/ld"
    assert line[-4:] == ["-SEs", "/v/shim", "--", "ls"]


def test_a_program_is_looked_for_in_the_innermost_mount_that_shows_it() -> None:
    binds = [{"source": "/a", "target": "/v"}, {"source": "/b", "target": "/v/in"}, {"source": "/c", "target": "/vv"}]
    assert source_of("/v/in/shim", binds) == Path("/b/shim")
    assert source_of("/v/in/../shim", binds) == Path("/a/shim")
    assert source_of("/elsewhere/shim", binds) is None
    assert source_of("shim", binds) is None


def test_libraries_are_told_from_other_files_in_memory() -> None:
    maps = (
        "7f 0 0 0 0 /usr/lib/libc.so.6\n7f 0 0 0 0 /usr/lib/libc.so.6\n7f 0 0 0 0 [heap]\n7f 0 0 0 0 \n"
        "7f 0 0 0 0 /py/lib/python3.11/lib-dynload/zlib.so\n7f 0 0 0 0 /lib/ld-linux-x86-64.so.2\n"
        "7f 0 0 0 0 /py/bin/p\n"
    )
    found = loaded_files(maps, Path("/py/bin/p"), Path("/py/lib/python3.11"))
    assert [file.name for file in found] == ["ld-linux-x86-64.so.2", "libc.so.6"]
    assert [file.name for file in found if is_loader(file.name)] == ["ld-linux-x86-64.so.2"]


def test_a_library_goes_by_all_names_by_which_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "libz.so.1.2.13").touch()
    (tmp_path / "libz.so.1").symlink_to("libz.so.1.2.13")
    (tmp_path / "libzstd.so.1").symlink_to("libzstd.so.1.5")
    assert names_of(tmp_path / "libz.so.1.2.13") == ["libz.so.1", "libz.so.1.2.13"]


@pytest.mark.skipif(sys.platform != "linux", reason="a memory map of Linux")
def test_what_was_brought_starts_with_no_library_of_the_machine(tmp_path: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    bring(tmp_path, Path(getattr(sys, "_base_executable", sys.executable)).resolve(), library)
    (tmp_path / "lib" / library.name).rmdir()
    (tmp_path / "lib" / library.name).symlink_to(library)  # where containers have it bound
    line = command_line(["-SEs"], ["-c", "import zlib, hashlib, tarfile; print(open('/proc/self/maps').read())"])
    here = [part.replace(HERE, str(tmp_path)) for part in line]
    done = subprocess.run(here, env={}, capture_output=True, text=True, check=True)
    used = loaded_files(done.stdout, Path(here[3]), library)
    assert used
    assert [file for file in used if not file.is_relative_to(tmp_path)] == []


def test_the_image_of_our_own_program_has_the_machines_links_and_shows_its_system_read_only() -> None:
    machine = launch.System(binds=["/usr", "/etc"], links={"/bin": "usr/bin"}, own=["/opt/ours"])
    with tarfile.open(fileobj=io.BytesIO(helpers.archive(machine))) as tar:
        assert tar.getmember("bin").linkname == "usr/bin"
        assert tar.getmember("tmp").mode == 0o1777
    shown = helpers.binds(machine)
    assert {"/usr", "/opt/ours"} <= {bind["target"] for bind in shown}
    assert "/etc" not in {bind["target"] for bind in shown}  # the engine puts files of its own there
    assert all(bind["read_only"] for bind in shown)
    assert "/opt/ours" not in {bind["target"] for bind in helpers.binds(machine, own=False)}


# ------------------------------------------------------------------------------------------------ sessions


def test_a_session_is_over_when_its_file_is_there_and_nobody_holds_it(tmp_path: Path) -> None:
    session = Session("one", tmp_path)
    assert not is_over(session.labels, "running")
    left = os.open(session.labels[LOCK], os.O_RDWR)
    session.close()
    os.close(left)
    (tmp_path / "engine.lock").touch()  # as a node that was killed leaves it
    assert is_over(session.labels, "running")


def test_of_a_session_that_cannot_be_seen_nothing_that_runs_is_removed(tmp_path: Path) -> None:
    labels = {LOCK: str(tmp_path / "of-another-machine")}
    assert not is_over(labels, "running")
    assert is_over(labels, "exited")


def test_two_nodes_cannot_have_one_folder(tmp_path: Path) -> None:
    session = Session("one", tmp_path)
    with pytest.raises(BlockingIOError):
        Session("two", tmp_path)
    session.close()
    with (tmp_path / "free").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

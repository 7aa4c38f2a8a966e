"""One staged shim a session, one shared volume a test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executor.pod import ROOT, Volume


@pytest.fixture(scope="session", params=["python", "native"])
def staged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim as the init container leaves it: both programs keep one contract, so the same tests are for both."""
    if request.param == "native":
        return build(tmp_path_factory.mktemp("native"))
    volume = Volume(tmp_path_factory.mktemp("staged"), tmp_path_factory.mktemp("repository"))
    ended = volume.executor(["init"], {"container": "init", "shims": ["main"]})
    assert ended.code == 0, ended.stderr
    return volume.directory


def build(folder: Path) -> Path:
    """The folder with the program in C, made by this machine's compiler; skips where that cannot be."""
    make, compiler = shutil.which("make"), shutil.which("cc") or shutil.which("gcc")
    if make is None or compiler is None:
        pytest.skip("no C compiler or no make on this machine: the program in C is not tested")
    words = [make, "-s", "-C", str(ROOT / "deploy" / "shim"), f"CC={compiler}", f"OUT={folder / 'shim'}"]
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    if "cannot find -l" in made.stderr or "zlib.h" in made.stderr:
        pytest.skip("no static C library or zlib here (Debian: libc6-dev zlib1g-dev): the program in C is not tested")
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def volume(staged: Path, tmp_path: Path) -> Iterator[Volume]:
    directory, repository = tmp_path / "volume", tmp_path / "repository"
    directory.mkdir()
    repository.mkdir()
    for entry in ("shim", "lib"):
        if (staged / entry).exists():
            (directory / entry).symlink_to(staged / entry)
    pod = Volume(directory, repository)
    yield pod
    for program in pod.programs:
        if program.poll() is None:
            program.kill()
        program.wait()
        for pipe in (program.stdout, program.stderr):
            if pipe is not None:
                pipe.close()

"""One staged shim a session, one shared volume a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executor.pod import Volume


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim as the init container leaves it."""
    volume = Volume(tmp_path_factory.mktemp("staged"), tmp_path_factory.mktemp("repository"))
    ended = volume.executor(["init"], {"container": "init", "shims": ["main"]})
    assert ended.code == 0, ended.stderr
    return volume.directory


@pytest.fixture
def volume(staged: Path, tmp_path: Path) -> Iterator[Volume]:
    directory, repository = tmp_path / "volume", tmp_path / "repository"
    directory.mkdir()
    repository.mkdir()
    for entry in ("shim", "lib"):
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

"""Every engine that answers on this machine, with an image of a few commands; a skip with the reason where none does.

`TIPHYS_TEST_ENGINES` names further sockets, separated by colons.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.node.cluster import Cluster, cluster
from tiphys.devcluster.node import Endpoint
from tiphys.devcluster.node.engine.api import EngineApi, connected
from tiphys.devcluster.node.engine.errors import EngineAway
from tiphys.devcluster.node.engine.sockets import Candidate, candidates, nobody_answers

NAMED = [Path(place) for place in os.environ.get("TIPHYS_TEST_ENGINES", "").split(":") if place]
FOUND = [place.socket for place in candidates(os.environ) if place.socket is not None]
SOCKETS = list(dict.fromkeys(path.resolve() for path in [*NAMED, *FOUND] if path.is_socket()))
NONE_HERE = nobody_answers([(place.place, "no socket") for place in candidates(os.environ)])


class Engine(NamedTuple):
    """One engine, and an image with BusyBox in it that is in no registry."""

    api: EngineApi
    places: tuple[Candidate, ...]
    image: str
    entrypoint_image: str  # the same with ENTRYPOINT, CMD and USER


@pytest.fixture(scope="module", params=SOCKETS or [None], ids=lambda path: str(path and path.name))
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    if request.param is None:
        pytest.skip(NONE_HERE)
    async with AsyncExitStack() as stack:
        try:
            api = await stack.enter_async_context(connected(request.param))
        except EngineAway as error:
            pytest.skip(f"the engine at {request.param} does not answer: {error.message}")
        word, root = secrets.token_hex(4), _busybox()
        names = [f"tiphys-test-{word}", f"tiphys-test-start-{word}"]
        changes = [[], ['ENTRYPOINT ["echo", "from"]', 'CMD ["the", "image"]', "USER 1234"]]
        for name, change in zip(names, changes, strict=True):
            await api.import_image(name, "latest", root, change)
        yield Engine(api, (Candidate("of the test", request.param),), *names)
        for name in names:
            await api.remove_image(name)


@pytest.fixture(scope="module")
async def made(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    root = tmp_path_factory.mktemp("engine") / "node"
    endpoint = Endpoint("127.0.0.1", 6443, "the CA")
    async with cluster(root, "docker", engines=engine.places, endpoint=endpoint) as built:
        yield built


def _busybox() -> bytes:
    """The root of an image: one static program under many names."""
    program = os.environ.get("TIPHYS_TEST_BUSYBOX") or shutil.which("busybox")
    if program is None or b"dynamically" in _said(["file", "-L", program]):
        pytest.skip(
            "no static BusyBox here to make an image of (Debian: busybox-static; TIPHYS_TEST_BUSYBOX names one)"
        )
    names = _said([program, "--list"]).decode().split()
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        tar.add(program, "bin/busybox", filter=_by_root)
        for name in sorted({*names} - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
    return written.getvalue()


def _by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.mode = 0o755
    return entry


def _said(words: list[str]) -> bytes:
    with suppress(OSError):
        return subprocess.run(words, capture_output=True, check=False).stdout
    return b""

"""The same promises for an ordinary user, and for a machine that grants no namespaces: told by tests run as such."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

AS_USER = Path(__file__).with_name("as_user.py")
UID = 65533
REPOSITORY = AS_USER.parents[2]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user or refuse itself namespaces"
)


def has_user(uid: int) -> bool:
    """The user namespace that these tests run in knows that user."""
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(int(first) <= uid < int(first) + int(count) for first, _, count in ranges)


def run_as(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(AS_USER), *arguments]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)


def run_tests_as(*arguments: str, chosen: str) -> str:
    folder = tempfile.mkdtemp()
    os.chown(folder, UID, UID)
    tests = [f"tests/node/{name}.py" for name in ("test_isolation", "test_processes", "test_volumes", "test_plain")]
    options = ["-p", "no:cacheprovider", f"--basetemp={folder}/tests", "-q", "-rs", "-k", chosen]
    done = run_as(*arguments, "-m", "pytest", *options, *tests)
    shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    return done.stdout


def test_an_ordinary_user_runs_pods_in_a_user_namespace() -> None:
    if not has_user(UID):
        pytest.skip(f"the user namespace of these tests has no user {UID}")
    chosen = "hello or home_and_root or machines_directories or own_processes or killed_node or config_maps or sub_path"
    told = run_tests_as(str(UID), chosen=chosen)
    if "skipped" in told:
        pytest.skip("this machine grants ordinary users no namespaces")
    assert " passed" in told


def test_where_namespaces_are_refused_the_node_is_plain_and_says_why() -> None:
    script = (
        "import sys, anyio, pathlib, tempfile; sys.path.insert(0, '.')\n"
        "from tests.node.cluster import cluster, pod\n"
        "async def main():\n"
        "    async with cluster(pathlib.Path(tempfile.mkdtemp()) / 'node', 'auto') as made:\n"
        "        print(made.node.mode, made.node.mode_reason, await made.output(pod('a', 'echo', 'hello')))\n"
        "anyio.run(main)\n"
    )
    done = run_as("--refused", "-c", script)
    assert done.stdout.startswith("plain namespaces are refused here: unshare: "), done.stdout + done.stderr
    assert done.stdout.endswith("hello\n\n")


def test_mode_process_fails_clearly_where_namespaces_are_refused() -> None:
    script = (
        "import sys, anyio, pathlib, tempfile; sys.path.insert(0, '.')\n"
        "from tests.node.cluster import cluster\n"
        "async def main():\n"
        "    async with cluster(pathlib.Path(tempfile.mkdtemp()) / 'node', 'process'):\n"
        "        pass\n"
        "anyio.run(main)\n"
    )
    done = run_as("--refused", "-c", script)
    assert done.returncode != 0
    assert "namespaces are refused here" in done.stderr
    assert "use --runtime plain or auto" in done.stderr

"""What a pod cannot do: write outside its scratch, see others, outlive its node."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.node.cluster import Cluster, cluster, command_lines, eventually, isolated_cluster, no_process, running, shell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux'")

HOME = Path.home()
VICTIM = Path(__file__).with_name("victim.py")


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    root = tmp_path_factory.mktemp("isolation") / "node"
    async with isolated_cluster(root) as built:
        yield built


async def test_home_and_root_are_the_containers_own(made: Cluster, tmp_path: Path) -> None:
    mark = HOME / ".tiphys-isolation-test"
    script = f"touch ~/x {mark.name} && mkdir -p {mark.parent} && touch {mark}; ls -A {tmp_path.parent} 2>&1; ls ~"
    text = await made.output(shell("home", script))
    assert "No such file" in text
    assert not mark.exists()
    assert not (HOME / "x").exists()


async def test_this_programs_own_files_are_in_no_other_image(made: Cluster) -> None:
    """They may lie below /tmp or a home, and would be in the way of whoever keeps all that is in his own."""
    (package,) = importlib.util.find_spec("tiphys").submodule_search_locations  # type: ignore[union-attr, misc]
    places = sorted(place for place in (package, sys.prefix) if not place.startswith(("/usr", "/etc")))
    look = f"ls -d {' '.join(places)} 2>/dev/null; true"
    assert await made.output(shell("plain", look)) == ""
    assert (await made.output(shell("ours", look, image="tiphys:1"))).split() == places


async def test_the_machines_directories_cannot_be_written_nor_made_writable(made: Cluster) -> None:
    script = """
    for place in /usr /etc /usr/local/bin /bin; do touch $place/x 2>/dev/null && echo wrote $place; done
    mount -o remount,rw,bind /usr 2>/dev/null && echo remounted
    mknod /tmp/disk b 8 0 2>/dev/null && echo made a device
    echo 1 2>/dev/null > /proc/sys/kernel/sysrq && echo changed the kernel
    true"""
    assert await made.output(shell("write", script)) == ""


async def test_the_first_process_can_do_no_more_than_the_container_and_is_open_to_it(made: Cluster) -> None:
    """People look for a container's files at /proc/1/root, and its run directory is where images have it."""
    script = """
    touch /run/seen && cd /proc/1/root && ls run/seen /var/run/seen
    [ "$(grep CapPrm /proc/1/status)" = "$(grep CapPrm /proc/self/status)" ] && echo the same"""
    seen = await made.output(shell("first", script))
    assert seen.splitlines() == ["/var/run/seen", "run/seen", "the same"]


async def test_a_pod_sees_only_its_own_processes_and_is_not_the_machine(made: Cluster) -> None:
    await made.create(shell("other", "sleep 3131"))
    await made.until("other", running)
    script = "ls -d /proc/[0-9]* | wc -l; grep -l 313[1] /proc/[0-9]*/cmdline; hostname; kill -9 -1 2>/dev/null; true"
    count, *rest = (await made.output(shell("alone", script))).split()
    assert int(count) <= 4
    assert rest == ["alone"]
    assert any("sleep\x003131" in line for line in command_lines())
    await made.delete("other", grace_s=0)


async def test_a_pod_sees_no_volume_of_another(made: Cluster) -> None:
    spec = {"volumes": [{"name": "v", "emptyDir": {}}]}
    script = "echo secret-of-one > /v/secret; sleep 60"
    await made.create(shell("one", script, spec=spec, volumeMounts=[{"name": "v", "mountPath": "/v"}]))
    await made.until("one", running)
    root = made.node.settings.root
    await eventually(lambda: any(root.glob("pods/*/volumes/v/secret")))
    script = (
        f"ls -A {root} {root}/pods 2>/dev/null; find / -xdev -name secret -size -2 2>/dev/null; ls /v 2>/dev/null; true"
    )
    assert await made.output(shell("two", script)) == ""
    await made.delete("one", grace_s=0)


async def test_scratch_is_removed_when_a_pod_has_ended(made: Cluster) -> None:
    spec = {"volumes": [{"name": "v", "emptyDir": {}}]}
    script = "mkdir -p /v/a/b && touch /v/a/b/c && chmod 0500 /v/a /v/a/b; touch /tmp/x"
    await made.output(shell("scratch", script, spec=spec, volumeMounts=[{"name": "v", "mountPath": "/v"}]))
    root = made.node.settings.root
    await eventually(lambda: not any((root / "pods").glob("*")) and not any(root.glob("trial")))


@pytest.mark.parametrize("mode", ["auto", "plain"])
async def test_ending_the_node_ends_every_process_and_leaves_no_file(tmp_path: Path, mode: str) -> None:
    root = tmp_path / "node"
    async with cluster(root, mode) as made:
        script = "trap '' TERM HUP; (setsid sleep 5151 &) ; setsid sleep 5151 & sleep 5151; sleep 5151"
        await made.create(shell("a", script))
        await made.until("a", running)
        await eventually(lambda: sum("sleep\x005151\x00" in line for line in command_lines()) >= 3)
    await no_process("sleep\x005151\x00")
    assert not root.exists()


@pytest.mark.parametrize("mode", ["auto", "plain"])
async def test_a_killed_node_leaves_no_process(tmp_path: Path, mode: str) -> None:
    """kill -9 of the whole dev process: nobody is left who could clean up."""
    mark = str(6000 + os.getpid() % 1000) + mode[0].replace("a", "1").replace("p", "2")
    with subprocess.Popen(  # noqa: ASYNC220 - it is the test's victim, not its work
        [sys.executable, str(VICTIM), str(tmp_path / "node"), mode, mark], stdout=subprocess.PIPE, cwd=VICTIM.parents[2]
    ) as victim:
        assert victim.stdout is not None
        line = await anyio.to_thread.run_sync(victim.stdout.readline)
        assert line == b"running\n"
        assert any(f"sleep\x00{mark}\x00" in text for text in command_lines())
        victim.send_signal(signal.SIGKILL)
    await no_process(f"sleep\x00{mark}\x00")
    await no_process(str(tmp_path))

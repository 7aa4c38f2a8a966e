"""A server that is killed under write load, and what must be there afterwards.

Run: python -m tests.contract.killed 20. Each round starts a process with the same data, writes to it from many clients,
kills it with SIGKILL in the middle, and looks whether every acknowledged write is there, whole, after the restart.
"""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import anyio
from anyio.abc import Process

from runtime.api import ApiError, Gone
from runtime.client import HttpApi
from runtime.objects import CONFIGMAPS, Reference

WRITERS = 8
READY_MAX_S = 2.0
SERVER = """
import sys, time, anyio
from pathlib import Path
from tiphys.devcluster.cluster import DevCluster, Serving, Settings

async def main(folder):
    serving = Serving(kubeconfig=folder / "config")
    async with DevCluster(Settings(store=folder / "objects.db", serving=serving)):
        print("ready", time.process_time(), flush=True)
        await anyio.sleep_forever()

anyio.run(main, Path(sys.argv[1]))
"""


class Ledger:
    """What was acknowledged: the last answered value of each object, and what may also be there."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, int | None] = {}  # None: its deletion was answered
        self.under_way: dict[str, int | None] = {}

    def allows(self, name: str, value: int | None) -> bool:
        """True for the last acknowledged value, and for that of a write that was never answered."""
        if value == self.acknowledged.get(name):
            return True
        return name in self.under_way and value == self.under_way[name]


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Process, float]]:
    """A server process, and how many seconds of work it took to be ready: other work of the machine does not count."""
    process = await anyio.open_process([sys.executable, "-c", SERVER, str(folder)], stderr=None)
    try:
        assert process.stdout is not None
        said = b""
        while not said.endswith(b"\n"):
            said += await process.stdout.receive()
        yield process, float(said.split()[1])
    finally:
        if process.returncode is None:
            process.kill()
        await process.aclose()


async def write(api: HttpApi, ledger: Ledger, writer: int, dice: Random) -> None:
    """Create, change and delete objects of this writer's own until the server is gone."""
    number = 0
    while True:
        number += 1
        name = f"w{writer}-{dice.randrange(40)}"
        ref = Reference(CONFIGMAPS, "default", name)
        was = ledger.acknowledged.get(name)
        new = None if was is not None and dice.random() < 0.2 else number
        ledger.under_way[name] = new
        body = {"metadata": {"name": name, "namespace": "default"}, "data": {"n": str(new), "again": str(new)}}
        try:
            if new is None:
                await api.delete(ref)
            elif was is None:
                await api.create(CONFIGMAPS, body)
            else:
                await api.patch(ref, {"data": body["data"]})
        except ApiError:
            return
        ledger.acknowledged[name] = ledger.under_way.pop(name)


async def load(folder: Path, process: Process, ledger: Ledger, dice: Random) -> None:
    """Write from many clients, and kill the server while they do."""
    async with HttpApi.from_kubeconfig(str(folder / "config")) as api, anyio.create_task_group() as tasks:
        for writer in range(WRITERS):
            tasks.start_soon(write, api, ledger, writer, Random(dice.random()))
        await anyio.sleep(0.1 + dice.random() * 0.3)
        process.send_signal(signal.SIGKILL)


async def check(folder: Path, ledger: Ledger) -> float:
    """Restart and compare; returns how long the server took to be ready."""
    async with served(folder) as (process, ready_s), HttpApi.from_kubeconfig(str(folder / "config")) as api:
        there = {}
        for thing in (await api.list(CONFIGMAPS)).items:
            assert thing["data"]["n"] == thing["data"]["again"], f"half an object: {thing}"
            there[thing["metadata"]["name"]] = int(thing["data"]["n"])
        for name in {*ledger.acknowledged, *ledger.under_way, *there}:
            assert ledger.allows(name, there.get(name)), (name, there.get(name), ledger.acknowledged.get(name))
        ledger.acknowledged = dict.fromkeys(ledger.acknowledged) | there
        ledger.under_way.clear()
        try:
            await api.get(Reference(CONFIGMAPS, "default", "never"))
        except Gone:
            process.terminate()
    return ready_s


async def rounds(folder: Path, count: int, seed: int = 0) -> tuple[int, float]:
    """Kill and check some times; how many writes were acknowledged, and the longest time to be ready."""
    dice, ledger, slowest, written = Random(seed), Ledger(), 0.0, 0
    for _ in range(count):
        async with served(folder) as (process, ready_s):
            await load(folder, process, ledger, dice)
        written += len(ledger.acknowledged)
        slowest = max(slowest, ready_s, await check(folder, ledger))
    return written, slowest


def main() -> None:
    """So many rounds as the command line says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        written, slowest = anyio.run(rounds, Path(folder), count)
    sys.stdout.write(f"{count} kills, {written} objects checked, nothing lost; ready after {slowest:.2f} s of work\n")


if __name__ == "__main__":
    main()

"""Runs a node with one sleeping pod until it is killed: python victim.py ROOT MODE SECONDS."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.node.cluster import cluster, running, shell


async def main(root: str, mode: str, seconds: str) -> None:
    async with cluster(Path(root), mode) as made:
        await made.create(shell("victim", f"trap '' TERM HUP; (setsid sleep {seconds} &); sleep {seconds}; true"))
        await made.until("victim", running)
        await anyio.sleep(0.1)
        sys.stdout.write("running\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


anyio.run(main, *sys.argv[1:])

"""When a process looks for cyclic garbage, and among how many objects."""

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from runtime.collection import CHEAP_S, QUIET_WITHIN_S, TRIM_S, WHOLE_S, YOUNG, Collection

pytestmark = pytest.mark.virtual_time


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def test_young_objects_are_looked_at_a_few_at_a_time_and_all_of_them_never_by_chance():
    usual = gc.get_threshold()
    async with anyio.create_task_group() as tasks:
        await tasks.start(Collection(lambda: True).run)
        assert gc.get_threshold()[0] == YOUNG
        assert min(gc.get_threshold()[1:]) > 1_000_000
        tasks.cancel_scope.cancel()
    assert gc.get_threshold() == usual


class Slow:
    """A clock by which every look takes so many seconds."""

    def __init__(self, took: float) -> None:
        self.took, self.now = took, 0.0

    def __call__(self) -> float:
        self.now += self.took
        return self.now


async def test_everything_is_looked_at_in_a_quiet_moment_or_in_the_end_all_the_same_and_seldom_when_it_takes_long():
    quiet = True
    collection = Collection(lambda: quiet, clock=Slow(2 * CHEAP_S))
    async with anyio.create_task_group() as tasks:
        await tasks.start(collection.run)
        await anyio.sleep(TRIM_S + 1)
        assert collection.looks == 1
        await anyio.sleep(WHOLE_S - 2)
        assert collection.looks == 1
        await anyio.sleep(2)
        assert collection.looks == 2
        quiet = False
        await anyio.sleep(WHOLE_S + 1)
        assert collection.looks == 2
        await anyio.sleep(QUIET_WITHIN_S)
        assert collection.looks == 3
        tasks.cancel_scope.cancel()


async def test_everything_is_looked_at_every_minute_as_long_as_that_is_cheap():
    clock = Slow(CHEAP_S / 2)
    collection = Collection(lambda: True, clock=clock)
    async with anyio.create_task_group() as tasks:
        await tasks.start(collection.run)
        await anyio.sleep(5 * TRIM_S + 1)
        assert collection.looks == 5
        clock.took = 2 * CHEAP_S
        await anyio.sleep(5 * TRIM_S)
        assert collection.looks == 6
        tasks.cancel_scope.cancel()


async def test_freed_memory_is_given_back_once_a_minute_however_busy_it_is():
    given = 0

    def give() -> None:
        nonlocal given
        given += 1

    async with anyio.create_task_group() as tasks:
        await tasks.start(Collection(lambda: False, give, Slow(1)).run)
        await anyio.sleep(3 * TRIM_S + QUIET_WITHIN_S + 1)
        tasks.cancel_scope.cancel()
    assert given == 3


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only this C library keeps what was freed")
async def test_what_lies_between_living_objects_goes_back_to_the_system():
    living = [bytes(50_000) for _ in range(2_000)]
    del living[::2]
    before = resident_mib()
    async with anyio.create_task_group() as tasks:
        await tasks.start(Collection(lambda: True).run)
        await anyio.sleep(TRIM_S + 1)
        tasks.cancel_scope.cancel()
    assert resident_mib() < before - 20
    assert len(living) == 1_000


LARGE_AND_SMALL = """
import anyio
from runtime.collection import LARGE, Collection
from tests.kernel.test_collection import resident_mib

async def main():
    async with anyio.create_task_group() as tasks:
        await tasks.start(Collection(lambda: True).run)
        learnt = b"x" * (16 * LARGE)
        del learnt  # that such sizes come again
        buffers, between = [], []
        for _ in range(200):
            buffers.append(b"x" * (2 * LARGE))
            between.append(bytes(2_000))
        before = resident_mib()
        buffers.clear()
        print(before - resident_mib())
        tasks.cancel_scope.cancel()

anyio.run(main)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only this C library learns to keep what is large")
def test_what_is_large_goes_back_to_the_system_when_it_is_freed():
    """In a process of its own: in this one there may be room for it between what other tests have left."""
    command, here = [sys.executable, "-c", LARGE_AND_SMALL], Path(__file__).parents[2]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=here)
    assert float(said.stdout) > 45, "of fifty MiB"

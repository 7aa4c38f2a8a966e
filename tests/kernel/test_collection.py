"""When a process looks for cyclic garbage, and among how many objects."""

from __future__ import annotations

import gc

import anyio
import pytest

from runtime.collection import QUIET_WITHIN_S, WHOLE_S, YOUNG, Collection

pytestmark = pytest.mark.virtual_time


async def test_young_objects_are_looked_at_a_few_at_a_time_and_all_of_them_never_by_chance():
    usual = gc.get_threshold()
    async with anyio.create_task_group() as tasks:
        await tasks.start(Collection(lambda: True).run)
        assert gc.get_threshold()[0] == YOUNG
        assert min(gc.get_threshold()[1:]) > 1_000_000
        tasks.cancel_scope.cancel()
    assert gc.get_threshold() == usual


async def test_everything_is_looked_at_seldom_and_in_a_quiet_moment_or_in_the_end_all_the_same():
    quiet = True
    collection = Collection(lambda: quiet)
    async with anyio.create_task_group() as tasks:
        await tasks.start(collection.run)
        await anyio.sleep(WHOLE_S - 1)
        assert collection.looks == 0
        await anyio.sleep(2)
        assert collection.looks == 1
        quiet = False
        await anyio.sleep(WHOLE_S + 1)
        assert collection.looks == 1
        await anyio.sleep(QUIET_WITHIN_S)
        assert collection.looks == 2
        tasks.cancel_scope.cancel()

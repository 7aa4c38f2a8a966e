"""Virtual time jumps, and only when nothing real is pending."""

from __future__ import annotations

import asyncio
import socket
import time

import anyio
import anyio.to_thread
import pytest

from tests.virtual_time import WALL_START, NothingWillHappenError, VirtualClock, VirtualLoop, WorkOutsideError

pytestmark = pytest.mark.virtual_time


async def test_a_week_passes_in_no_time(virtual_clock: VirtualClock):
    before = time.monotonic()
    await anyio.sleep(7 * 86_400)
    assert virtual_clock.wall() == WALL_START + 7 * 86_400
    assert virtual_clock.monotonic() == 7 * 86_400
    assert time.monotonic() - before < 5


async def test_timers_come_in_their_order():
    order = []

    async def after(delay: float) -> None:
        await anyio.sleep(delay)
        order.append((delay, asyncio.get_running_loop().time()))

    async with anyio.create_task_group() as tasks:
        for delay in (30.0, 0.1, 3600.0, 0.2):
            tasks.start_soon(after, delay)
    assert [delay for delay, _ in order] == [0.1, 0.2, 30.0, 3600.0]
    assert all(at == pytest.approx(delay) for delay, at in order)


def run(main) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_a_thread_at_work_is_not_jumped_over():
    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, time.sleep, 0.05)
            await anyio.sleep(3600)

    with pytest.raises(WorkOutsideError, match="thread AnyIO worker thread"):
        run(main)


def test_an_executors_call_is_not_jumped_over():
    async def main() -> None:
        call = asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.05)
        await anyio.sleep(3600)
        await call

    with pytest.raises(WorkOutsideError, match="1 calls in an executor"):
        run(main)


def test_a_subprocess_is_seen_until_it_has_ended():
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        process = await asyncio.create_subprocess_exec("sleep", "10", stdout=asyncio.subprocess.DEVNULL)
        seen.append(bool(loop.outside()))
        process.kill()
        while loop.outside():  # noqa: ASYNC110  # its end comes from outside: real time has to pass
            await asyncio.sleep(0)
        await process.wait()

    seen: list[bool] = []
    run(main)
    assert seen == [True]


def test_a_socket_is_not_jumped_over():
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            loop = asyncio.get_running_loop()
            loop.add_reader(ours, lambda: None)
            try:
                await anyio.sleep(3600)
            finally:
                loop.remove_reader(ours)

    with pytest.raises(WorkOutsideError, match="1 sockets"):
        run(main)


def test_a_program_that_hangs_is_told_so():
    async def main() -> None:
        await anyio.Event().wait()

    with pytest.raises(NothingWillHappenError):
        run(main)

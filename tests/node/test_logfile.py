"""A container's log: what goes in comes out, whatever the pieces; bounded, followable, cut as asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.api import LogOptions
from tiphys.devcluster.node.logfile import LogFile

NOW = 1_700_000_000.25
STAMP = "2023-11-14T22:13:20.250000000Z"
pieces = st.lists(st.text("ab\n", max_size=5).map(str.encode), max_size=8)
reuse = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


async def read(log: LogFile, **options: object) -> bytes:
    return b"".join([chunk async for chunk in log.stream(LogOptions(**options))])  # type: ignore[arg-type]


@contextmanager
def filled(folder: Path, *outputs: bytes, segment_bytes: int = 1 << 20) -> Iterator[LogFile]:
    log = LogFile(folder / "log", lambda: NOW, segment_bytes=segment_bytes)
    for output in outputs:
        log.append(output)
    yield log
    log.remove()
    assert not files(folder)


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@given(outputs=pieces)
@reuse
async def test_what_was_printed_is_read_whatever_the_pieces(tmp_path: Path, outputs: list[bytes]) -> None:
    with filled(tmp_path, *outputs) as log:
        assert await read(log) == b"".join(outputs)


@given(outputs=pieces, count=st.integers(0, 5))
@reuse
async def test_the_tail_is_the_last_lines(tmp_path: Path, outputs: list[bytes], count: int) -> None:
    lines = b"".join(outputs).splitlines(keepends=True)
    with filled(tmp_path, *outputs) as log:
        assert await read(log, tail_lines=count) == b"".join(lines[-count:] if count else [])


async def test_each_line_has_one_time_even_when_it_came_in_parts(tmp_path: Path) -> None:
    with filled(tmp_path, b"a", b"b\nc", b"\n") as log:
        assert (await read(log, timestamps=True)).decode() == f"{STAMP} ab\n{STAMP} c\n"


async def test_old_lines_are_left_out_and_bytes_are_limited(tmp_path: Path) -> None:
    times = iter([NOW - 100, NOW, NOW])
    log = LogFile(tmp_path / "log", lambda: next(times, NOW))
    log.append(b"old\n")
    log.append(b"new\n")
    assert await read(log, since_s=10) == b"new\n"
    assert await read(log, limit_bytes=6) == b"old\nne"
    log.close()


async def test_rotation_keeps_the_last_two_segments(tmp_path: Path) -> None:
    with filled(tmp_path, *[b"%04d\n" % n for n in range(1000)], segment_bytes=100) as log:
        kept = (await read(log)).decode().split()
        assert len(files(tmp_path)) == 2
    assert kept == [f"{n:04}" for n in range(1000 - len(kept), 1000)]
    assert 20 < len(kept) <= 40


async def test_a_follower_sees_everything_through_rotations_and_ends_with_the_log(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "log", lambda: NOW, segment_bytes=50)
    seen: list[bytes] = []

    async def follow() -> None:
        seen.append(await read(log, follow=True))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow)
        for n in range(100):
            log.append(b"%d\n" % n)
            await anyio.lowlevel.checkpoint()
        log.close()
    assert seen == [b"".join(b"%d\n" % n for n in range(100))]


async def test_a_log_without_output_is_empty_and_makes_no_file(tmp_path: Path) -> None:
    with filled(tmp_path) as log:
        assert await read(log) == b""
        log.close()
        assert await read(log, follow=True) == b""
        assert not files(tmp_path)

"""A container's output on disk: every line with its time, bounded by rotation, readable while it grows.

A line is stored as `<RFC 3339 time with nanoseconds> <F or P> <bytes>`: P is a part of a line whose rest came later.
Two segments are kept, each of `SEGMENT_BYTES` of output, so a container that prints without end costs no memory and
bounded disk (our prefix of 33 bytes per line comes on top).
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.lowlevel

from runtime.api import LogOptions
from tiphys.devcluster.node.settings import Clock

SEGMENT_BYTES = 10 * 1024 * 1024  # of output; the kubelet's containerLogMaxSize
CHUNK_BYTES = 64 * 1024
_STAMP_LENGTH = len("2026-01-01T00:00:00.000000000Z")
_PREFIX_LENGTH = _STAMP_LENGTH + 3


class LogFile:
    """One attempt's log. The files are made at the first output; `remove` deletes them."""

    def __init__(self, stem: Path, clock: Clock, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._stem = stem
        self._clock = clock
        self._segment_bytes = segment_bytes
        self._segment = -1
        self._size = 0
        self._out: BinaryIO | None = None
        self._changed: anyio.Event | None = None
        self.closed = False

    # -------------------------------------------------------------------------------------------- writing

    def append(self, output: bytes) -> None:
        """Store output as it came; partial lines are fine."""
        if not output:
            return
        stamp = stamp_of(self._clock())
        lines = output.split(b"\n")
        tail = lines.pop()
        if lines:
            separator = b"\n" + stamp + b" F "
            first = stamp + b" F "
            self._write(first + separator.join(lines) + b"\n")
        if tail:
            self._write(stamp + b" P " + tail + b"\n")
        self._size += len(output)
        self._wake()

    def close(self) -> None:
        """No more output will come: followers end."""
        self.closed = True
        if self._out is not None:
            self._out.close()
            self._out = None
        self._wake()

    def remove(self) -> None:
        """Close and delete the files."""
        self.close()
        for number in (self._segment - 1, self._segment):
            if number >= 0:
                self._path(number).unlink(missing_ok=True)

    def _write(self, stored: bytes) -> None:
        if self.closed:
            return
        if self._out is None or self._size >= self._segment_bytes:
            self._rotate()
        assert self._out is not None
        self._out.write(stored)

    def _rotate(self) -> None:
        if self._out is not None:
            self._out.close()
        self._segment += 1
        self._size = 0
        path = self._path(self._segment)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._out = path.open("wb", buffering=0)
        if self._segment >= 2:
            self._path(self._segment - 2).unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self._stem.with_name(f"{self._stem.name}.{number}.log")

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    # -------------------------------------------------------------------------------------------- reading

    async def stream(self, options: LogOptions) -> AsyncIterator[bytes]:
        """The log as `options` ask for it, in chunks of whole records; with `follow` until the container's end."""
        left = options.limit_bytes
        async for chunk in self._selected(options):
            if left is not None and len(chunk) >= left:
                yield chunk[:left]
                return
            if left is not None:
                left -= len(chunk)
            yield chunk

    async def _selected(self, options: LogOptions) -> AsyncIterator[bytes]:
        since = stamp_of(self._clock() - options.since_s) if options.since_s is not None else b""
        reader, form = _Reader(self), _Form(since, stamps=options.timestamps)
        if options.tail_lines is not None and (tail := form.render(_last_lines(reader.records(), options.tail_lines))):
            yield tail
        while True:
            changed = self._next_change() if options.follow else None
            for batch in _batches(reader.records()):
                if text := form.render(batch):
                    yield text
                await anyio.lowlevel.checkpoint()
            if changed is None or (self.closed and not changed.is_set()):
                return
            if not self.closed:
                await changed.wait()

    def _next_change(self) -> anyio.Event:
        if self._changed is None:
            self._changed = anyio.Event()
        return self._changed

    @property
    def newest_segment(self) -> int:
        """The number of the segment being written; -1 before any output."""
        return self._segment

    def open_segment(self, number: int) -> BinaryIO | None:
        """A segment for reading; None when it was rotated away."""
        try:
            return self._path(number).open("rb")
        except FileNotFoundError:
            return None

    def tail_message(self, limit_bytes: int, limit_lines: int) -> str:
        """The end of the log, at most that many bytes and lines (for a termination message)."""
        records = _last_lines(_Reader(self).records(), limit_lines)
        return _Form(b"", stamps=False).render(records)[-limit_bytes:].decode("utf-8", "replace")


class _Reader:
    """A place in a log: yields complete records from there on, segment after segment."""

    def __init__(self, log: LogFile) -> None:
        self._log = log
        self._number = max(log.newest_segment - 1, 0)
        self._file: BinaryIO | None = None

    def records(self) -> Iterator[bytes]:
        while self._log.newest_segment >= 0:
            if self._file is None:
                self._file = self._log.open_segment(self._number)
            if self._file is not None:
                yield from self._rest(self._file)
            if self._number >= self._log.newest_segment:
                return
            if self._file is not None:
                yield from self._rest(self._file)  # what was written between the last read and the rotation
                self._file.close()
                self._file = None
            self._number += 1

    @staticmethod
    def _rest(file: BinaryIO) -> Iterator[bytes]:
        while True:
            place = file.tell()
            record = file.readline()
            if not record.endswith(b"\n"):
                file.seek(place)
                return
            yield record

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()


def stamp_of(at: float) -> bytes:
    """A time as log lines carry it."""
    whole = datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{int((at % 1) * 1e6):06d}000Z".encode()


def _last_lines(records: Iterator[bytes], count: int) -> list[bytes]:
    """The records of the last `count` lines (a line may have several parts)."""
    kept: deque[list[bytes]] = deque(maxlen=max(count, 1))
    open_line = False
    for record in records:
        if open_line:
            kept[-1].append(record)
        else:
            kept.append([record])
        open_line = record[_STAMP_LENGTH + 1 : _STAMP_LENGTH + 2] == b"P"
    return [record for line in kept for record in line] if count else []


def _batches(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Records in lists of about `CHUNK_BYTES`."""
    batch: list[bytes] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record)
        if size >= CHUNK_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Form:
    """Records as the reader wants them: without our prefix, or with the time of each line; none older than `since`."""

    def __init__(self, since: bytes, *, stamps: bool) -> None:
        self._since = since
        self._stamps = stamps
        self._inside_line = False

    def render(self, records: list[bytes]) -> bytes:
        """The text of further records."""
        parts: list[bytes] = []
        for record in records:
            if self._since and record[:_STAMP_LENGTH] < self._since:
                continue
            if self._stamps and not self._inside_line:
                parts.append(record[:_STAMP_LENGTH] + b" ")
            self._inside_line = record[_STAMP_LENGTH + 1 : _STAMP_LENGTH + 2] == b"P"
            parts.append(record[_PREFIX_LENGTH:-1] if self._inside_line else record[_PREFIX_LENGTH:])
        return b"".join(parts)

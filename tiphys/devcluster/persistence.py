"""With a disk a write is answered after its COMMIT, so whatever anybody was told survives a kill -9.

One SQLite file, one row per object, and the version counter in the same transaction. Changes wait in memory, unseen,
until their transaction is committed: all that came in one turn of the loop share one (group commit). A transaction that
fails is undone in memory too, so memory is never ahead of the disk.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import anyio
import anyio.abc
import anyio.to_thread
import orjson

from runtime.api import ApiError
from tiphys.devcluster import errors
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Bucket, Change

LAYOUT = 1  # of the file; another number is another program's file
WAL_PAGES = 4000  # of 4 KiB: at this size the write-ahead log is carried over into the file
_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    grp TEXT NOT NULL, plural TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (grp, plural, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (version INTEGER NOT NULL);
"""
_PUT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)"
_DROP = "DELETE FROM objects WHERE grp=? AND plural=? AND namespace=? AND name=?"


class UnreadableStore(OSError):
    """The file is not a store of this program, or another process has it. The message names file and remedy."""


class Row(NamedTuple):
    """What one change writes."""

    statement: str
    values: tuple[str | bytes, ...]


class Batch:
    """The changes of one transaction, and who waits for it."""

    def __init__(self) -> None:
        self.changes: list[tuple[Bucket, Change]] = []
        self.rows: list[Row] = []
        self.done = anyio.Event()
        self.error: ApiError | None = None


class Disk:
    """Restores a server from a file when entered, and keeps the file equal to the store until left.

    `run` must be running meanwhile. With `durable` every answer outlives a power cut too, not only a killed process."""

    def __init__(self, path: Path, server: ApiServer, *, durable: bool = False) -> None:
        self._path = path
        self._server = server
        self._durable = durable
        self._file: sqlite3.Connection | None = None
        self._waiting = Batch()
        self._flying: Batch | None = None
        self._wake = anyio.Event()
        self._is_running = False

    def __enter__(self) -> Disk:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = sqlite3.connect(self._path, isolation_level=None, timeout=0.5, check_same_thread=False)
        except (OSError, sqlite3.Error) as e:
            raise self._unreadable(e) from e
        try:
            self._open(file)
        except (OSError, sqlite3.Error) as e:
            file.close()
            raise e if isinstance(e, UnreadableStore) else self._unreadable(e) from e
        except BaseException:
            file.close()
            raise
        self._file = file
        self._server.storage.keeper = self
        self._server.settled = self.settled
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        self._flush()
        self._server.storage.keeper = self._server.settled = None
        self._file.close()
        self._file = None

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Commit what comes until cancelled; started once what was held before is on the disk."""
        self._flush()
        self._is_running = True
        task_status.started()
        try:
            while True:
                if not self._waiting.rows:
                    self._wake = anyio.Event()
                    await self._wake.wait()
                if self._durable:  # waiting for the disk takes milliseconds, and others may go on meanwhile
                    with anyio.CancelScope(shield=True):
                        await self._commit_in_thread()
                else:
                    self._flush()
        finally:  # others may still have a last word
            self._is_running = False
            self._flush()

    async def _commit_in_thread(self) -> None:
        batch, self._waiting = self._waiting, Batch()
        self._flying = batch
        failure = await anyio.to_thread.run_sync(self._attempt, batch)
        self._flying = None
        self._finish(batch, failure)

    def _flush(self) -> None:
        if self._waiting.rows:
            batch, self._waiting = self._waiting, Batch()
            self._finish(batch, self._attempt(batch))

    def hold(self, bucket: Bucket, change: Change) -> None:
        """Take in a change for the next transaction."""
        where = (bucket.group, bucket.plural, *change.record.key)
        is_gone = change.type == "DELETED"
        self._waiting.changes.append((bucket, change))
        self._waiting.rows.append(Row(_DROP, where) if is_gone else Row(_PUT, (*where, change.record.json)))
        self._wake.set()

    async def settled(self) -> None:
        """Wait until all that is in memory is on the disk. Raises Unavailable (500) when it could not be written."""
        batch = self._waiting if self._waiting.rows else self._flying
        if batch is None:
            return
        if not self._is_running:
            self._flush()
        await batch.done.wait()
        if batch.error is not None:
            raise batch.error

    # -------------------------------------------------------------------------------------------- transactions

    def _attempt(self, batch: Batch) -> sqlite3.Error | None:
        """One transaction, all or nothing: what went wrong, if anything."""
        file = self._file
        assert file is not None
        try:
            file.execute("BEGIN IMMEDIATE")
            for row in batch.rows:
                file.execute(row.statement, row.values)
            file.execute("UPDATE state SET version=?", (batch.changes[-1][1].record.version,))
            file.execute("COMMIT")
        except sqlite3.Error as e:
            if file.in_transaction:
                file.execute("ROLLBACK")
            return e
        return None

    def _finish(self, batch: Batch, failure: sqlite3.Error | None) -> None:
        storage = self._server.storage
        if failure is None:
            for bucket, change in batch.changes:
                storage.release(bucket, change)
            batch.done.set()
            return
        later, self._waiting = self._waiting, Batch()
        storage.rewind([*batch.changes, *later.changes])
        message = f"nothing was changed: {self._path} cannot be written ({failure}); free space or mend the disk"
        for lost in (batch, later):
            lost.error = errors.internal(message)
            lost.done.set()

    # -------------------------------------------------------------------------------------------- opening

    def _unreadable(self, cause: Exception) -> UnreadableStore:
        why = "it is no store of a dev cluster, or it cannot be written"
        if "locked" in str(cause):
            why = "another dev cluster is using it: stop that one"
        return UnreadableStore(f"{self._path} cannot be opened ({cause}): {why}, or choose another --data")

    def _open(self, file: sqlite3.Connection) -> None:
        self._path.chmod(0o600)  # secrets are in it
        layout = file.execute("PRAGMA user_version").fetchone()[0]
        if layout not in (0, LAYOUT):
            raise UnreadableStore(
                f"{self._path} has the layout {layout}, this program reads {LAYOUT}; choose another --data"
            )
        file.execute("PRAGMA locking_mode=EXCLUSIVE")
        file.execute("PRAGMA journal_mode=WAL")
        file.execute(f"PRAGMA synchronous={'FULL' if self._durable else 'NORMAL'}")  # NORMAL: fsync at checkpoints only
        file.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
        file.executescript(_TABLES)
        file.execute(f"PRAGMA user_version={LAYOUT}")
        self._restore(file)

    def _restore(self, file: sqlite3.Connection) -> None:
        storage = self._server.storage
        for group, plural, body in file.execute("SELECT grp, plural, body FROM objects"):
            storage.restore(storage.bucket(group, plural), orjson.loads(body))
        state = file.execute("SELECT version FROM state").fetchone()
        if state is None:
            file.execute("INSERT INTO state VALUES (?)", (storage.version,))
        storage.resume(max(storage.version, state[0] if state else 0))
        self._server.definitions.restore()

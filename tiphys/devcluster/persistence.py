"""With a disk a write is answered after its COMMIT, so whatever anybody was told survives a kill -9.

One SQLite file, one row per object. The clerk is the store's observer: it runs inside the write, before the answer.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType

import orjson

from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Bucket, Change

LAYOUT = 1  # of the file; another number is another program's file
_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    grp TEXT NOT NULL, plural TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (grp, plural, namespace, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (version INTEGER NOT NULL);
"""


class UnreadableStore(Exception):
    """The file is not a store of this program, or another process has it. The message names file and remedy."""


class Disk:
    """Restores a server from a file when entered, and keeps the file equal to the store until left."""

    def __init__(self, path: Path, server: ApiServer) -> None:
        self._path = path
        self._server = server
        self._file: sqlite3.Connection | None = None

    def __enter__(self) -> Disk:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(self._path, isolation_level=None, timeout=0.5)
        try:
            self._open(file)
        except sqlite3.Error as e:
            file.close()
            raise UnreadableStore(
                f"{self._path} cannot be opened ({e}): another dev cluster may be using it, or it is no store of one; "
                "choose another --data"
            ) from e
        except BaseException:
            file.close()
            raise
        self._file = file
        self._server.storage.observers.insert(0, self._write)  # before those that write again in answer to a write
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._server.storage.observers.remove(self._write)
            self._file.close()
            self._file = None

    def _open(self, file: sqlite3.Connection) -> None:
        self._path.chmod(0o600)  # secrets are in it
        layout = file.execute("PRAGMA user_version").fetchone()[0]
        if layout not in (0, LAYOUT):
            raise UnreadableStore(
                f"{self._path} has the layout {layout}, this program reads {LAYOUT}; choose another --data"
            )
        file.execute("PRAGMA locking_mode=EXCLUSIVE")
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("PRAGMA synchronous=NORMAL")  # a killed process loses nothing; a power cut perhaps the last writes
        file.executescript(_TABLES)
        file.execute(f"PRAGMA user_version={LAYOUT}")
        storage = self._server.storage
        for group, plural, body in file.execute("SELECT grp, plural, body FROM objects"):
            storage.restore(storage.bucket(group, plural), orjson.loads(body))
        state = file.execute("SELECT version FROM state").fetchone()
        if state is None:
            file.execute("INSERT INTO state VALUES (?)", (storage.version,))
        storage.resume(max(storage.version, state[0] if state else 0))
        self._server.definitions.restore()

    def _write(self, bucket: Bucket, change: Change) -> None:
        assert self._file is not None
        namespace, name = change.record.key
        where = (bucket.group, bucket.plural, namespace, name)
        self._file.execute("BEGIN IMMEDIATE")
        if change.type == "DELETED":
            self._file.execute("DELETE FROM objects WHERE grp=? AND plural=? AND namespace=? AND name=?", where)
        else:
            self._file.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", (*where, change.record.json))
        self._file.execute("UPDATE state SET version=?", (change.record.version,))
        self._file.execute("COMMIT")

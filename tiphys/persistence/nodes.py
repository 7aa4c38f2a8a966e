"""Nodes that are too large for a status: every version of them under the workflow's uid, until nobody refers to it.

A version is named by its content, as upstream names it (`fnv:<number>`). Saving the same one again keeps it young: what
was saved and is about to be written into a status is never swept away. (OFF-1, OFF-2)
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.database_messages import ForgetNodes
from runtime.api import Gone
from tiphys.persistence.engine import Store
from tiphys.persistence.nul import read_json
from tiphys.persistence.tables import Tables

AT_ONCE = 50  # versions that are deleted in one transaction: each may be large
_FNV_OFFSET, _FNV_PRIME = 2166136261, 16777619


class Version(NamedTuple):
    """One version of one workflow's nodes."""

    uid: str
    version: str


def version_of(nodes: bytes) -> str:
    """The name of a version: 32 bits of FNV-1, as upstream writes them, here over the SHA-256 of the text.

    Over the text itself, byte for byte, FNV would keep an interpreter busy for a second at ten megabytes."""
    number = _FNV_OFFSET
    for byte in hashlib.sha256(nodes).digest():
        number = (number * _FNV_PRIME & 0xFFFFFFFF) ^ byte
    return f"fnv:{number}"


class OffloadedNodes:
    """The offloaded nodes of one cluster."""

    def __init__(self, store: Store, tables: Tables, cluster: str = "default") -> None:
        self._store = store
        self._table = tables.nodes
        self._rows = tables.nodes.c
        self._cluster = cluster

    async def save(self, uid: str, namespace: str, nodes: bytes) -> str:
        """Keep the JSON of a workflow's nodes; the name of that version. Raises Unavailable, Refused."""
        version = version_of(nodes)
        async with self._store.writing() as connection:
            text = _as_json(connection, nodes.decode())
            fresh = {"nodes": text, "updatedat": _now()}
            key = {"clustername": self._cluster, "uid": uid, "version": version}
            insert: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            row = insert(self._table).values(**key, namespace=namespace, **fresh)
            await connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=fresh))
        return version

    async def load(self, uid: str, version: str) -> dict[str, Any]:
        """The nodes of a version. Raises Gone, Unavailable, Refused."""
        this = (self._rows.clustername == self._cluster, self._rows.uid == uid, self._rows.version == version)
        async with self._store.reading() as connection:
            found = (await connection.execute(sa.select(sa.cast(self._rows.nodes, sa.Text)).where(*this))).scalar()
        if found is None:
            raise Gone(f"the database has no nodes {version} of the workflow {uid}", code=404, reason="NotFound")
        nodes: dict[str, Any] = read_json(found)
        return nodes

    async def forget(self, query: ForgetNodes) -> int:
        """Forget the versions that nobody needs, as the question says; how many. Raises Unavailable, Refused."""
        rows = self._rows
        scope = [rows.clustername == self._cluster] + [rows.namespace == query.namespace] * bool(query.namespace)
        old = [*scope, rows.updatedat < _now() - timedelta(seconds=query.older_s)]
        async with self._store.reading() as connection:
            found = (await connection.execute(sa.select(rows.uid, rows.version, rows.updatedat).where(*old))).all()
            named = [Version(uid, query.known[uid]) for uid in {row.uid for row in found} if query.known.get(uid)]
            saved = {this.uid: await self._saved_at(connection, this) for this in named}
        doomed = [Version(row.uid, row.version) for row in found if _unneeded(row, query, saved.get(row.uid))]
        gone = 0
        for portion in (doomed[at : at + AT_ONCE] for at in range(0, len(doomed), AT_ONCE)):
            async with self._store.writing() as connection:
                for this in portion:  # unless it has been saved again meanwhile
                    one = sa.delete(self._table).where(*old, rows.uid == this.uid, rows.version == this.version)
                    gone += (await connection.execute(one)).rowcount
        return gone

    async def _saved_at(self, connection: AsyncConnection, this: Version) -> datetime | None:
        rows = self._rows
        one = (rows.clustername == self._cluster, rows.uid == this.uid, rows.version == this.version)
        return (await connection.execute(sa.select(rows.updatedat).where(*one))).scalar()


def _unneeded(row: Any, query: ForgetNodes, named_at: datetime | None) -> bool:
    """Whether an old version is not to be kept; `named_at` says when that was saved which its workflow names."""
    version = query.known.get(row.uid)
    if version is None:
        return query.strangers or row.uid in query.gone
    return bool(version) and row.version != version and named_at is not None and row.updatedat < named_at


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _as_json(connection: AsyncConnection, text: str) -> Any:
    """A JSON text as the column takes it, without being read on the way."""
    plain = sa.literal(text, sa.Text)
    return sa.cast(plain, postgresql.JSON) if connection.dialect.name == "postgresql" else plain

"""How a database goes about the questions that a block of code asks: they are sent again, to be explained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import event

from tests.persistence import postgres
from tiphys.persistence.engine import Store

Asked = list[tuple[str, Any]]


@contextmanager
def asked(store: Store) -> Iterator[Asked]:
    """The questions that are asked within, with their parameters."""
    found: Asked = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        del connection, cursor, rest
        if statement.startswith("SELECT"):
            found.append((statement, parameters))

    engine = store._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def plan(store: Store, question: tuple[str, Any]) -> str:
    """The database's plan of a question."""
    explain = "EXPLAIN QUERY PLAN " if store.database.driver == "sqlite" else "EXPLAIN "
    async with store.reading() as connection:
        rows = (await connection.exec_driver_sql(explain + question[0], question[1])).all()
    return "\n".join(str(row[-1]) for row in rows)


async def vacuumed(store: Store) -> None:
    """PostgreSQL knows what it has, as it does after a while by itself."""
    where = {"host": "127.0.0.1", "port": store.database.port, "database": store.database.name}
    connection = await asyncpg.connect(user=postgres.USER, password=postgres.PASSWORD, **where)
    await connection.execute("vacuum analyze")
    await connection.close()

"""How many may hold a semaphore of a database: a row that people make, change and take away. (CLI-20)"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from runtime.api import AlreadyExists, Gone
from tiphys.persistence.engine import Store
from tiphys.persistence.sync_tables import Tables


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a database, by `<namespace>/<key>`."""

    store: Store
    tables: Tables

    async def get(self, name: str) -> int:
        """A limit. Raises Gone."""
        limits = self.tables.limits
        async with self.store.reading() as connection:
            wanted = sa.select(limits.c.sizelimit).where(limits.c.name == name)
            found = (await connection.execute(wanted)).first()
        if found is None:
            raise _absent(name)
        return int(found.sizelimit or 0)

    async def create(self, name: str, limit: int) -> None:
        """Make a limit. Raises AlreadyExists when there is one."""
        limits = self.tables.limits
        async with self.store.writing() as connection:
            if (await connection.execute(sa.select(limits.c.name).where(limits.c.name == name))).first() is not None:
                raise AlreadyExists(f"the database has a limit {name} already")
            await connection.execute(limits.insert().values(name=name, sizelimit=limit))

    async def update(self, name: str, limit: int) -> None:
        """Change a limit. Raises Gone."""
        limits = self.tables.limits
        async with self.store.writing() as connection:
            done = await connection.execute(sa.update(limits).where(limits.c.name == name).values(sizelimit=limit))
            if done.rowcount == 0:
                raise _absent(name)

    async def delete(self, name: str) -> None:
        """Take a limit away; one that is not there is fine."""
        limits = self.tables.limits
        async with self.store.writing() as connection:
            await connection.execute(sa.delete(limits).where(limits.c.name == name))


def _absent(name: str) -> Gone:
    return Gone(f"the database has no limit {name}")

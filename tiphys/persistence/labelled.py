"""Rows that bear a label are picked from the label's index while they are few, and looked at one by one when many do.

A page ends after some hundred rows. Where most rows bear the label, asking each row costs less than a list of all
bearers would; where few do, the list is short, and most rows would be asked in vain. PostgreSQL knows from its
statistics which of the two it is and plans both alike; SQLite has none and does what it is told.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.api import Refused
from tiphys.devcluster.selectors import Requirement
from tiphys.persistence.tables import Tables

MANY: Final = 20_000
"""Bearers of a label that SQLite makes a list of: 5 ms. From there on it asks row by row."""

_DIGITS: Final = "0123456789"
_WHOLE: Final = sa.BigInteger().with_variant(sa.Numeric(), "postgresql")  # whose integers raise what they cannot hold
_LARGEST: Final = 2**63 - 1


async def labelled(connection: AsyncConnection, tables: Tables, cluster: str, part: Requirement) -> Any:
    """The condition that an archived row meets a requirement. Raises Refused for a bound that is no number."""
    labels, rows = tables.labels.c, tables.archived.c
    borne = sa.and_(labels.clustername == cluster, labels.name == part.key, *_valued(labels.value, part))
    this = sa.select(labels.uid).where(borne, labels.uid == rows.uid).correlate(tables.archived).exists()
    if part.operator in ("!", "!=", "notin"):
        return ~this
    bearers = sa.select(labels.uid).where(borne)
    if connection.dialect.name == "sqlite":
        some = sa.select(sa.func.count()).select_from(bearers.limit(MANY + 1).subquery())
        if (await connection.execute(some)).scalar_one() > MANY:
            return this
    return rows.uid.in_(bearers)


def _valued(value: Any, part: Requirement) -> list[Any]:
    """What the label's value has to be; nothing where any will do."""
    if part.operator in ("exists", "!"):
        return []
    if part.operator in (">", "<"):
        bound, number = _bound(part), sa.cast(value, _WHOLE)
        compared = number > bound if part.operator == ">" else number < bound
        numeric = (sa.func.ltrim(value, _DIGITS) == "") & (value != "")
        return [sa.case((numeric, compared), else_=sa.false())]
    return [value.in_(sorted(part.values))]


def _bound(part: Requirement) -> int:
    said = next(iter(part.values))
    try:
        bound = int(said)
    except ValueError as error:
        raise Refused(f"label selector: {part.key} {part.operator} {said!r}: the bound has to be an integer") from error
    return max(-_LARGEST, min(bound, _LARGEST))

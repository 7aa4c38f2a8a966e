"""Which rows a page has is decided in an index that holds all it takes, so 100,000 rows are never read to find ten."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.persistence.plans import asked, plan, vacuumed
from tests.persistence.workflows import archived, finished
from tiphys.persistence import labelled
from tiphys.persistence.archive import Archive, Place, Query
from tiphys.persistence.engine import Store
from tiphys.persistence.summary import summary_of
from tiphys.persistence.tables import ALL_INDEX, LABELLED_INDEX, NAME_INDEX, NAMESPACE_INDEX, archive_tables

ROWS = {"sqlite": 60, "postgresql": 1500}  # PostgreSQL looks at what there is before it finds an index worth its while
WIDE = 1500  # bytes of a row
TABLES = archive_tables()
KEY = "argo_archived_workflows_pkey|sqlite_autoindex_argo_archived_workflows_1"

BY_COLUMNS = [
    (Query(), ALL_INDEX),
    (Query(phases=("Error",)), ALL_INDEX),
    (Query(phases=("Error", "Failed")), ALL_INDEX),
    (Query(name="w1", name_is="prefix"), ALL_INDEX),
    (Query(name="w1", name_is="contains"), ALL_INDEX),
    (Query(name="w1", name_is="contains", phases=("Error",)), ALL_INDEX),
    (Query(started_before=2e6, finished_before=1e9), ALL_INDEX),
    (Query(namespace="space-1"), NAMESPACE_INDEX),
    (Query(namespace="space-1", phases=("Error",)), NAMESPACE_INDEX),
    (Query(namespace="space-1", name="w1", name_is="prefix", finished_before=1e9), NAMESPACE_INDEX),
]


async def filled(store: Store) -> Archive:
    """An archive of many workflows, and a database that knows of them."""
    archive = await archived(store)
    numbers = range(ROWS[store.database.driver])
    async with store.writing() as connection:
        await connection.execute(TABLES.archived.insert(), [row(number) for number in numbers])
        await connection.execute(TABLES.labels.insert(), [label for number in numbers for label in labels(number)])
    if store.database.driver == "postgresql":
        await vacuumed(store)
    return archive


def row(number: int) -> dict[str, Any]:
    at = datetime.fromtimestamp(1e6 + 10 * number, UTC).replace(tzinfo=None)
    thing = {**finished(f"w{number}"), "filling": "x" * WIDE}
    return {
        "clustername": "default", "instanceid": "", "uid": f"u{number}", "name": f"w{number}",
        "namespace": f"space-{number % 3}", "phase": "Succeeded", "startedat": at, "finishedat": at,
        "creationtimestamp": at, "summary": summary_of(thing), "workflow": thing,
    }  # fmt: skip


def labels(number: int) -> list[dict[str, Any]]:
    borne = {"all": "yes", "team": f"t{number % 300}"}
    return [
        {"clustername": "default", "uid": f"u{number}", "name": name, "value": value} for name, value in borne.items()
    ]


async def plan_of(store: Store, archive: Archive, query: Query, after: Place | None = None) -> str:
    """How the page itself is found, however much is asked before."""
    with asked(store) as questions:
        await archive.page(query, 20, after)
    return await plan(store, questions[-1])


async def test_what_is_asked_about_columns_is_decided_in_an_index_that_has_them_all(store: Store) -> None:
    archive = await filled(store)
    for query, index in BY_COLUMNS:
        found = await plan_of(store, archive, query)
        same = "|".join((ALL_INDEX, NAMESPACE_INDEX, NAME_INDEX))  # by its statistics, PostgreSQL may prefer another
        assert re.search(f"COVERING INDEX {index}|Index Only Scan using ({same})", found), (query, found)
        assert re.search(KEY, found), (query, found)
        assert "Seq Scan" not in found, (query, found)


async def test_a_later_page_is_found_by_its_place(store: Store) -> None:
    archive = await filled(store)
    last = (await archive.page(Query(), 20)).after

    found = await plan_of(store, archive, Query(), last)

    assert re.search(rf"COVERING INDEX {ALL_INDEX} \(clustername=\? AND instanceid=\? AND startedat<\?\)", found) or (
        f"Index Only Scan using {ALL_INDEX}" in found and re.search("Index Cond: .*startedat <= ", found)
    ), found


async def test_a_name_leads_to_its_rows_at_once(store: Store) -> None:
    archive = await filled(store)

    found = await plan_of(store, archive, Query(name="w17"))

    exactly = rf"COVERING INDEX {NAME_INDEX} \(clustername=\? AND instanceid=\? AND name=\?\)"
    assert re.search(exactly, found) or re.search(r"Index Cond: .*name\)?(::text)? = 'w17'", found), found


async def test_a_label_that_few_bear_is_looked_up_in_the_index_of_labels(store: Store) -> None:
    archive = await filled(store)
    for selector in ("team=t7", "team in (t7, t8)", "team=nobodys"):
        found = await plan_of(store, archive, Query(labels=selector))
        assert re.search(f"(COVERING INDEX|Index Only Scan.* using) {LABELLED_INDEX}", found), found
        assert "Seq Scan" not in found, found


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_label_that_many_bear_is_asked_row_by_row(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = await filled(store)
    assert "CORRELATED" not in await plan_of(store, archive, Query(labels="all"))

    monkeypatch.setattr(labelled, "MANY", 59)

    for selector in ("all", "all=yes", "team!=t7", "!team"):
        found = await plan_of(store, archive, Query(labels=selector))
        assert re.search(r"CORRELATED.*\n.*SEARCH .*labels.* \(clustername=\? AND .*uid=\?", found), found


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
async def test_a_question_that_is_asked_often_is_planned_for_what_it_asks(store: Store) -> None:
    """From the sixth time on PostgreSQL would take a plan for any value: 2 s for a label that most of 100,000 bear."""
    archive = await filled(store)
    for _ in range(8):
        await archive.page(Query(labels="all=yes"), 20)

    async with store.reading() as connection:
        found = await connection.exec_driver_sql(
            "select sum(custom_plans) as custom, sum(generic_plans) as generic from pg_prepared_statements "
            "where statement like 'SELECT %LIMIT%'"
        )
        plans = found.mappings().one()
    assert plans["custom"] >= 8
    assert plans["generic"] == 0


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
async def test_no_label_makes_postgresql_read_all_labels_for_each_row(store: Store) -> None:
    archive = await filled(store)
    for selector in ("all", "all=yes", "all!=yes", "team!=t7", "!team"):
        found = await plan_of(store, archive, Query(labels=selector))
        assert "SubPlan" not in found, found

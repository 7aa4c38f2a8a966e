"""Tables are made step by step, whoever dies or migrates at the same time, and every step leads back."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import anyio
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.api import Refused
from tests.persistence.workflows import archived, finished
from tiphys.persistence.archive import Archive, Query
from tiphys.persistence.engine import Store
from tiphys.persistence.migrations import Plan, Step, Taken, archive_plan, migrate, standing
from tiphys.persistence.summary import summary_of
from tiphys.persistence.tables import archive_tables

TABLES = archive_tables()
PLAN = archive_plan(TABLES)


async def names(store: Store) -> set[str]:
    async with store.reading() as connection:
        return set(await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names()))


@pytest.mark.spec("ARCHV-3")
async def test_the_tables_have_upstreams_names_and_say_upstreams_version(store: Store) -> None:
    assert await standing(store, PLAN) == Taken(0, False)

    done = await migrate(store, PLAN)

    assert len(done) == len(PLAN.steps)
    assert await standing(store, PLAN) == Taken(len(PLAN.steps), True)
    assert await names(store) >= {
        "argo_archived_workflows", "argo_archived_workflows_labels", "argo_workflows", "schema_history",
    }  # fmt: skip
    async with store.reading() as connection:
        assert (await connection.execute(sa.text("select schema_version from schema_history"))).scalar() == 68
    assert await migrate(store, PLAN) == []


async def test_every_step_leads_back_and_forward_again_with_what_was_archived(store: Store) -> None:
    archive = await archived(store)
    await archive.save(finished("w", uid="u1", labels={"a": "b"}))

    for version in range(len(PLAN.steps) - 1, 0, -1):
        assert len(await migrate(store, PLAN, version)) == 1
    assert await standing(store, PLAN) == Taken(1, True)
    await migrate(store, PLAN)

    (item,) = (await archive.page(Query(labels="a=b"), 10)).items
    assert item["metadata"]["name"] == "w"

    await migrate(store, PLAN, 0)
    assert await names(store) <= {"tiphys_schema"}


async def test_the_way_back_gives_the_indexes_that_there_were(store: Store) -> None:
    await migrate(store, PLAN)
    newest = await indexes(store)
    assert {f"argo_archived_workflows_t{number}" for number in (3, 4, 5)} <= newest

    await migrate(store, PLAN, 4)
    before = await indexes(store)
    assert newest - before == {f"argo_archived_workflows_t{number}" for number in (3, 4, 5)}
    assert before - newest == {f"argo_archived_workflows_t{number}" for number in (1, 2)}

    await migrate(store, PLAN, 3)
    upstreams = {f"argo_archived_workflows_i{number}" for number in range(1, 6)}
    assert {name for name in await indexes(store) if re.search("_[it][0-9]$", name)} == upstreams

    await migrate(store, PLAN)
    assert await indexes(store) == newest


async def indexes(store: Store) -> set[str]:
    """Those of the archive's table."""
    async with store.reading() as connection:
        found = await connection.run_sync(lambda sync: sa.inspect(sync).get_indexes(TABLES.archived.name))
    return {str(index["name"]) for index in found}


async def test_who_goes_back_is_left_there(store: Store) -> None:
    await migrate(store, PLAN)
    await migrate(store, PLAN, 1)

    with pytest.raises(Refused, match="no version 9"):
        await migrate(store, PLAN, 9)
    assert (await standing(store, PLAN)).version == 1


async def test_a_step_that_fails_leaves_nothing_and_is_taken_again(store: Store) -> None:
    async def breaks(connection: AsyncConnection) -> None:
        await PLAN.steps[1].up(connection)
        raise Refused("struck")

    broken = Plan(PLAN.component, (PLAN.steps[0], replace(PLAN.steps[1], up=breaks), *PLAN.steps[2:]))
    with pytest.raises(Refused, match="struck"):
        await migrate(store, broken)
    assert await standing(store, PLAN) == Taken(1, True)

    await migrate(store, PLAN)

    assert (await standing(store, PLAN)).version == len(PLAN.steps)


async def test_a_backfill_that_was_cut_short_goes_on(store: Store) -> None:
    await migrate(store, PLAN, 2)
    async with store.writing() as connection:
        await connection.execute(
            TABLES.archived.insert(),
            [_row(number) for number in range(5)],
        )
    calls = 0
    fill = PLAN.steps[2].fill
    assert fill is not None

    async def short(connection: AsyncConnection) -> bool:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise Refused("struck")
        assert await fill(connection) is False
        return True

    with pytest.raises(Refused):
        await migrate(store, Plan(PLAN.component, (*PLAN.steps[:2], replace(PLAN.steps[2], fill=short))))
    await migrate(store, PLAN)

    async with store.reading() as connection:
        found = (await connection.execute(sa.select(TABLES.archived.c.summary))).scalars().all()
    assert all(summary == summary_of(finished("w")) for summary in found)


def _row(number: int) -> dict[str, Any]:
    return {
        "clustername": "default", "instanceid": "", "uid": f"u{number}", "name": "w", "namespace": "default",
        "phase": "Succeeded", "workflow": finished("w"), "summary": sa.null(),
    }  # fmt: skip


async def test_several_that_migrate_at_once_take_every_step_once(store: Store) -> None:
    done: list[str] = []

    async def one() -> None:
        done.extend(await migrate(store, PLAN))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(one)

    assert sorted(done) == sorted(f"{PLAN.component}: {step.what}" for step in PLAN.steps)


@pytest.mark.spec("ARCHV-3")
async def test_upstreams_own_tables_are_used_as_they_are_and_left_behind(store: Store) -> None:
    """A row that upstream's controller writes later has no summary; it is listed all the same."""
    await _upstream(store, version=68)
    await migrate(store, PLAN)
    row = _row(1)
    del row["summary"]
    async with store.writing() as connection:
        await connection.execute(TABLES.archived.insert(), row)

    (item,) = (await Archive(store, TABLES).page(Query(), 10)).items
    assert item["metadata"]["uid"] == "u1"
    assert item["metadata"]["labels"]["workflows.argoproj.io/workflow-archiving-status"] == "Persisted"

    await migrate(store, PLAN, 0)
    assert "argo_archived_workflows" in await names(store)


@pytest.mark.spec("ARCHV-3")
async def test_tables_of_an_older_argo_are_refused_with_the_remedy(store: Store) -> None:
    await _upstream(store, version=50)

    with pytest.raises(
        Refused, match=r"older argo \(schema 50, needed is 68\): let the controller of argo-workflows 4.1"
    ):
        await migrate(store, PLAN)


async def _upstream(store: Store, version: int) -> None:
    """The tables as upstream's controller leaves them: without our column."""
    async with store.writing() as connection:
        await connection.run_sync(TABLES.metadata.create_all)
        await connection.execute(sa.text("alter table argo_archived_workflows drop column summary"))
        await connection.execute(sa.text("create table schema_history (schema_version int not null primary key)"))
        await connection.execute(sa.text(f"insert into schema_history values ({version})"))


def test_every_step_is_named_in_words() -> None:
    assert all(isinstance(step, Step) and step.what for step in PLAN.steps)

"""Locks of a database: one round after the other, on SQLite and PostgreSQL, beside upstream's controller too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
import sqlalchemy as sa

from actors.lock_round import LockAnswer, LockRound, Standing, Wanted
from runtime.api import Refused, Unavailable
from tests.persistence.conftest import opened
from tiphys.persistence.engine import Store
from tiphys.persistence.migrations import migrate
from tiphys.persistence.sync_rounds import Rounds
from tiphys.persistence.sync_settings import SyncSettings
from tiphys.persistence.sync_tables import sync_plan, sync_tables

NOW = 1_700_000_000.0
SEM, MUTEX = "sem/ns/k", "mtx/ns/m"


@pytest.fixture
async def a(store: Store) -> Rounds:
    """Controller a of a database whose semaphore lets two in."""
    made = Rounds(store, SyncSettings(store.database, "a"))
    tables = sync_tables(made.settings.tables)
    await migrate(store, sync_plan(tables))
    async with store.writing() as connection:
        await connection.execute(tables.limits.insert().values(name="ns/k", sizelimit=2))
    return made


def named(rounds: Rounds, controller: str) -> Rounds:
    return replace(rounds, settings=replace(rounds.settings, controller=controller))


async def ask(rounds: Rounds, life: int = 0, now: float = NOW, **what: Any) -> LockAnswer:
    return await rounds.carry_out(LockRound(now, life, **what))


def wants(*holders: str, names: tuple[str, ...] = (SEM,), **more: Any) -> tuple[Wanted, ...]:
    return tuple(Wanted(holder, names, created=NOW + index, **more) for index, holder in enumerate(holders))


async def rows(rounds: Rounds) -> set[tuple[str, str, str, bool]]:
    table = sync_tables(rounds.settings.tables).states
    async with rounds.store.reading() as connection:
        found = await connection.execute(sa.select(table.c.name, table.c.workflowkey, table.c.controller, table.c.held))
        return {tuple(row) for row in found}


async def insert(rounds: Rounds, table: str, **values: Any) -> None:
    async with rounds.store.writing() as connection:
        await connection.execute(getattr(sync_tables(rounds.settings.tables), table).insert().values(**values))


@pytest.mark.spec("SYNC-11")
async def test_what_is_granted_is_written_down_and_what_is_not_stands_in_the_queue(a: Rounds) -> None:
    answer = await ask(a, wanted=wants("ns/u", "ns/v", "ns/w"))

    assert answer.granted == ("ns/u", "ns/v")
    assert answer.obstacles == {"ns/w": (SEM,)}
    assert answer.locks == {SEM: Standing(2, ("ns/u", "ns/v"))}
    assert await rows(a) == {(SEM, "ns/u", "a", True), (SEM, "ns/v", "a", True), (SEM, "ns/w", "a", False)}


@pytest.mark.spec("SYNC-11")
async def test_a_round_that_is_repeated_changes_nothing(a: Rounds) -> None:
    first = await ask(a, wanted=wants("ns/u", "ns/v", "ns/w"))
    before = await rows(a)

    again = await ask(a, first.life, wanted=wants("ns/u", "ns/v", "ns/w"))

    assert again == first
    assert await rows(a) == before


@pytest.mark.spec("SYNC-11")
async def test_what_is_returned_goes_to_the_next_of_another_controller(a: Rounds) -> None:
    b = named(a, "b")
    mine = await ask(a, wanted=wants("ns/u", names=(MUTEX,)))
    theirs = await ask(b, wanted=wants("ns/v", names=(MUTEX,)))
    assert theirs.granted == ()
    assert theirs.locks[MUTEX] == Standing(1, ("ns/u",))

    await ask(a, mine.life, now=NOW + 10)

    assert (await ask(b, theirs.life, wanted=wants("ns/v", names=(MUTEX,)))).granted == ("ns/v",)
    assert await rows(a) == {(MUTEX, "ns/v", "b", True)}


@pytest.mark.spec("SYNC-11")
async def test_all_that_is_wanted_is_had_together_or_not_at_all(a: Rounds) -> None:
    b = named(a, "b")
    held = await ask(b, wanted=wants("ns/v", names=(MUTEX,)))
    wanted = wants("ns/u", names=(SEM, MUTEX))
    mine = await ask(a, wanted=wanted)
    assert (mine.granted, mine.obstacles) == ((), {"ns/u": (MUTEX,)})

    await ask(b, held.life)

    assert (await ask(a, mine.life, wanted=wanted)).granted == ("ns/u",)


@pytest.mark.spec("SYNC-11")
async def test_a_controller_that_has_died_keeps_what_it_holds_and_loses_its_place(a: Rounds) -> None:
    b = named(a, "b")
    await ask(b, wanted=(Wanted("ns/old", (MUTEX,)), Wanted("ns/first", (MUTEX,), created=NOW)))
    late = NOW + 301
    mine = await ask(a, now=late, wanted=wants("ns/u", names=(MUTEX,)))
    assert mine.granted == ()
    assert mine.locks[MUTEX].holders == ("ns/old",)
    async with a.store.writing() as connection:  # as a person would
        states = sync_tables(a.settings.tables).states
        await connection.execute(sa.delete(states).where(states.c.held.is_(True)))

    assert (await ask(a, mine.life, now=late, wanted=wants("ns/u", names=(MUTEX,)))).granted == ("ns/u",)


@pytest.mark.spec("SYNC-11")
async def test_one_that_lives_is_waited_for_in_its_turn(a: Rounds) -> None:
    b = named(a, "b")
    await ask(b, wanted=wants("ns/old", "ns/first", names=(MUTEX,)))
    await ask(b, 1, wanted=(Wanted("ns/first", (MUTEX,), created=NOW),))
    mine = await ask(a, wanted=(Wanted("ns/u", (MUTEX,), created=NOW + 5),))

    assert mine.granted == ()
    assert (await ask(a, mine.life, wanted=(Wanted("ns/u", (MUTEX,), priority=1),))).granted == ()
    assert (await ask(b, 1)).granted == ()
    assert (await ask(a, mine.life, wanted=(Wanted("ns/u", (MUTEX,), created=NOW + 5),))).granted == ("ns/u",)


@pytest.mark.spec("SYNC-11")
async def test_a_limit_that_changes_counts_with_the_next_round(a: Rounds) -> None:
    first = await ask(a, wanted=wants("ns/u", "ns/v", "ns/w"))
    held = (("ns/u", (SEM,)), ("ns/v", (SEM,)))
    limits = sync_tables(a.settings.tables).limits
    for limit, granted in ((1, ()), (3, ("ns/w",))):
        async with a.store.writing() as connection:
            await connection.execute(sa.update(limits).values(sizelimit=limit))
        answer = await ask(a, first.life, held=held, wanted=wants("ns/w"))
        assert (answer.granted, answer.locks[SEM].limit) == (granted, limit)


@pytest.mark.spec("SYNC-11")
async def test_a_semaphore_without_a_limit_says_so_unless_one_is_remembered(a: Rounds) -> None:
    wanted = wants("ns/u", names=("sem/ns/other",))
    first = await ask(a, wanted=wanted)
    assert (first.granted, first.locks["sem/ns/other"].limit) == ((), None)

    assert (await ask(a, first.life, wanted=wanted, known={"sem/ns/other": 1})).granted == ("ns/u",)


@pytest.mark.spec("SYNC-11")
async def test_holders_on_record_are_held_whatever_the_database_says(a: Rounds) -> None:
    first = await ask(a, held=(("ns/u", (MUTEX,)),), wanted=wants("ns/v", names=(MUTEX,)))

    assert first.granted == ()
    assert await rows(a) == {(MUTEX, "ns/u", "a", True), (MUTEX, "ns/v", "a", False)}


@pytest.mark.spec("SYNC-11")
async def test_what_an_earlier_life_was_given_and_did_not_put_on_record_is_free_again(a: Rounds) -> None:
    await ask(a, wanted=wants("ns/u", names=(MUTEX,)))

    answer = await ask(a, wanted=wants("ns/other", names=(MUTEX,)))

    assert answer.granted == ("ns/other",)
    assert await rows(a) == {(MUTEX, "ns/other", "a", True)}


@pytest.mark.spec("SYNC-11")
async def test_a_process_that_was_thought_dead_takes_nothing_back(a: Rounds) -> None:
    old = await ask(a, wanted=wants("ns/u", names=(MUTEX,)))
    new = await ask(a, held=(("ns/u", (MUTEX,)),), wanted=wants("ns/v"))
    before = await rows(a)

    with pytest.raises(Refused, match="another process has begun to act as controller 'a'"):
        await ask(a, old.life, wanted=wants("ns/w"))

    assert await rows(a) == before
    assert (await ask(a, new.life, held=(("ns/u", (MUTEX,)), ("ns/v", (SEM,))))).life == new.life


@pytest.mark.spec("SYNC-11")
async def test_parts_of_an_installation_are_controllers_of_their_own(a: Rounds) -> None:
    one = await ask(a, part="shard-0-of-2", wanted=wants("ns/u", names=(MUTEX,)))
    two = await ask(a, part="shard-1-of-2", wanted=wants("ns/v", names=(MUTEX,)))

    assert (one.granted, two.granted) == (("ns/u",), ())
    assert {row[2] for row in await rows(a)} == {"a-shard-0-of-2", "a-shard-1-of-2"}


@pytest.mark.spec("SYNC-11")
async def test_a_lock_that_upstreams_controller_is_deciding_about_is_left_to_it(a: Rounds) -> None:
    await insert(a, "controllers", controller="argo", time=sa.func.current_timestamp())
    await insert(a, "locks", name=MUTEX, controller="argo")
    async with a.store.writing() as connection:
        await connection.execute(sa.update(sync_tables(a.settings.tables).controllers).values(time=at(NOW)))
    both = (*wants("ns/u", names=(MUTEX,)), *wants("ns/v"))

    answer = await ask(a, wanted=both)

    assert (answer.granted, answer.obstacles) == (("ns/v",), {"ns/u": (MUTEX,)})
    late = await ask(a, answer.life, NOW + 301, wanted=wants("ns/u", names=(MUTEX,)))
    assert late.granted == ("ns/u",), "a dead controller decides nothing"


def at(seconds: float) -> Any:
    from tiphys.persistence.sync_rounds import _time  # noqa: PLC0415  the tests' own row

    return _time(seconds)


@pytest.mark.spec("SYNC-11")
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_two_controllers_do_at_once_a_limit_is_never_passed(a: Rounds, seed: int) -> None:
    """Each goes its own way, holds what it was given for a while, and is now and then reborn without its memory."""
    dice, most = Random(seed), [0]
    begun: dict[str, set[tuple[str, str]]] = {SEM: set(), MUTEX: set()}  # who works, as a person would count

    async def controller(name: str) -> None:
        rounds, life = named(a, name), 0
        recorded: dict[str, tuple[str, ...]] = {}
        for step in range(25):
            for holder in [one for one in recorded if dice.random() < 0.4]:
                for lock in recorded.pop(holder):
                    begun[lock].discard((name, holder))
            wanted = [
                Wanted(f"ns/{dice.choice('uvw')}", dice.choice(((SEM,), (MUTEX,), (SEM, MUTEX))), created=NOW + step)
                for _ in range(2)
            ]
            wanted = [one for one in {one.holder: one for one in wanted}.values() if one.holder not in recorded]
            answer = await ask(rounds, life, NOW + step, held=tuple(recorded.items()), wanted=tuple(wanted))
            life = answer.life
            if dice.random() < 0.2:
                life = 0  # it dies before it has put on record what it was given
                continue
            for one in wanted:
                if one.holder in answer.granted:
                    recorded[one.holder] = one.names
                    for lock in one.names:
                        begun[lock].add((name, one.holder))
            assert len(begun[SEM]) <= 2
            assert len(begun[MUTEX]) <= 1
            most[0] = max(most[0], len(begun[SEM]))

    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(controller, name)
    assert most[0] == 2


@pytest.mark.spec("SYNC-11")
async def test_tables_that_upstream_has_made_are_taken_as_they_are(a: Rounds) -> None:
    await ask(a, wanted=wants("ns/u"))
    plan = sync_plan(sync_tables(a.settings.tables))
    assert await migrate(a.store, plan) == []
    assert await migrate(a.store, plan, 1) != []
    assert await migrate(a.store, plan) != []
    assert await rows(a) == {(SEM, "ns/u", "a", True)}


@pytest.mark.spec("SYNC-11")
async def test_without_the_table_of_lives_the_database_says_what_is_missing(tmp_path: Path) -> None:
    request: Any = type("Param", (), {"param": "sqlite"})
    async with opened(request, tmp_path) as store:
        with pytest.raises(Exception, match="no such table: sync_controller"):
            await ask(Rounds(store, SyncSettings(store.database, "a", migrate=False)))


@pytest.mark.spec("SYNC-11")
@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
@pytest.mark.parametrize("written", [False, True], ids=["before it writes", "before it commits"])
async def test_upstreams_controller_that_decides_at_the_same_time_does_not_get_the_lock_too(
    a: Rounds, written: bool
) -> None:
    """It has looked who holds, in a serializable transaction, and its entry in `sync_lock` is gone already."""
    states = sync_tables(a.settings.tables).states
    await insert(a, "states", name=MUTEX, workflowkey="ns/x", controller="argo", held=False, priority=0, time=at(NOW))
    holders = sa.select(states.c.workflowkey).where(states.c.held.is_(True)).where(states.c.name == MUTEX)
    mine = (states.c.workflowkey == "ns/x") & (states.c.controller == "argo")
    take = sa.update(states).where(mine).values(held=True)

    async def decides() -> None:
        async with a.store.writing(serializable=True) as argo:
            assert (await argo.execute(holders)).all() == []
            if written:
                await argo.execute(take)
            assert (await ask(a, wanted=wants("ns/u", names=(MUTEX,)))).granted == ("ns/u",)
            if not written:
                await argo.execute(take)

    with pytest.raises(Unavailable, match="could not serialize"):
        await decides()
    assert [row for row in await rows(a) if row[3]] == [(MUTEX, "ns/u", "a", True)]

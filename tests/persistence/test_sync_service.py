"""The database of locks is opened when it is asked, opened anew after it was away, and exchanged without a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.lock_round import LockRound, Wanted
from runtime.api import Refused, Unavailable
from tiphys.persistence.service import Databases
from tiphys.persistence.settings import Database
from tiphys.persistence.sync_service import LockDatabase
from tiphys.persistence.sync_settings import SyncSettings

WANTED = (Wanted("ns/w", ("mtx/ns/m",)),)


def kept_in(file: Path) -> SyncSettings:
    return SyncSettings(Database("sqlite", str(file)), "me")


@pytest.mark.spec("SYNC-4")
async def test_rounds_go_to_the_database_of_locks_and_go_on_where_it_is_opened_anew(tmp_path: Path) -> None:
    settings = kept_in(tmp_path / "locks.db")
    async with (databases := Databases(locks=LockDatabase(settings))):
        first = await databases.ask(LockRound(100.0, wanted=WANTED))
        assert (first.life, first.granted) == (1, ("ns/w",))
    async with (databases := Databases(locks=LockDatabase(settings))):
        again = await databases.ask(LockRound(100.0, first.life, held=(("ns/w", ("mtx/ns/m",)),)))
        assert again.life == 1


@pytest.mark.spec("SYNC-11")
async def test_another_configuration_counts_with_the_next_round(tmp_path: Path) -> None:
    databases = Databases(locks=LockDatabase(kept_in(tmp_path / "a.db")))
    async with databases:
        await databases.ask(LockRound(100.0, wanted=WANTED))
        databases.use(None, kept_in(tmp_path / "b.db"))
        assert (await databases.ask(LockRound(100.0))).life == 1
        databases.use(None, None)
        with pytest.raises(Refused, match="`synchronization` in the controller's ConfigMap names one"):
            await databases.ask(LockRound(100.0))


@pytest.mark.spec("SYNC-13")
async def test_a_server_that_is_not_there_is_away_and_is_asked_again_from_the_beginning(tmp_path: Path) -> None:
    locks = LockDatabase(SyncSettings(Database("postgresql", "argo", "127.0.0.1", 1), "me"))
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"PostgreSQL 127\.0\.0\.1:1/argo does not answer"):
            await locks.ask(LockRound(100.0, wanted=WANTED))
    locks.use(kept_in(tmp_path / "a.db"))
    assert (await locks.ask(LockRound(100.0, wanted=WANTED))).granted == ("ns/w",)
    await locks.close()

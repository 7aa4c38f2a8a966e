"""The simulator with nodes in a database that fails now and then: everything else is as in `trial`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from runtime.objects import Object, Reference
from tests.world import judge, lives, teller, trial, users
from tests.world.databases import MemoryDatabase
from tests.world.shrunk import Case
from tests.world.trial import Report
from tiphys.controllers import ControllerSettings, rooms
from tiphys.persistence.settings import Database, PersistenceSettings

KEPT = PersistenceSettings(Database("sqlite", "unused"), offload=True)
SETTINGS = ControllerSettings(node_events=False, persistence=KEPT, offload_always=True)
FAILURES = 0.1  # of questions, before they were heard or after


class Whole:
    """What users see of the cluster: workflows with their nodes, which they write back in the object."""

    def __init__(self, api: Any, database: MemoryDatabase) -> None:
        self._api = api
        self._database = database

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    async def get(self, ref: Reference) -> Object:
        thing: Object = await self._api.get(ref)
        if thing["kind"] != "Workflow" or "offloadNodeStatusVersion" not in (thing.get("status") or {}):
            return thing
        whole = self._database.whole(thing)
        del whole["status"]["offloadNodeStatusVersion"]
        return whole


@contextmanager
def offloading(seed: int) -> Iterator[MemoryDatabase]:
    """Inside, every workflow of the simulator has its nodes in this database."""
    dice, database = Random(f"{seed}/database"), MemoryDatabase()

    def struck(moment: str, query: Any) -> bool:
        del moment, query
        strikes = dice.random() < FAILURES / 2
        database.failures += strikes
        return strikes

    database.struck = struck
    plain: Callable[[Object], dict[str, Object]] = judge.nodes_in

    def nodes_in(workflow: Object) -> dict[str, Object]:
        status = workflow.get("status") or {}
        key = (workflow.get("metadata") or {}).get("uid", ""), status.get("offloadNodeStatusVersion", "")
        if key in database.nodes:
            workflow = database.whole(workflow)
        return plain(workflow)

    def with_database(settings: ControllerSettings) -> Any:
        return rooms(settings, database.ask)

    def users_of(api: Any, *more: Any) -> users.Users:
        return users.Users(Whole(api, database), *more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lives, "SETTINGS", SETTINGS)
        patched.setattr(lives, "ROOMS", lives.ROOMS | {"oldnodes"})
        patched.setattr(lives, "rooms", with_database)
        patched.setattr(trial, "Users", users_of)
        for module in (judge, users, teller, trial):
            patched.setattr(module, "nodes_in", nodes_in)
        yield database


def run(case: Case) -> tuple[Report, int]:
    """One seed of the simulator so, and how often nodes were saved."""
    with offloading(case.seed) as database:
        return trial.run(case), database.asked.count("SaveNodes")

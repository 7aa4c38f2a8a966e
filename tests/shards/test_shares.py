"""What is ours is known whichever of two selections shows it, and nothing is said to be gone that is not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import anyio
import pytest

from actors.names import buckets, labels
from actors.workflow.state import WORKFLOWS
from runtime.api import Selection, WatchEvent
from runtime.informer import Informer, Scope
from runtime.messages import Address, Gone
from runtime.objects import CONFIGMAPS, NAMESPACES, Object, Reference, reference
from runtime.shares import Division, Share, sources
from runtime.store import Change, Store
from tests.kernel.coat import Coat
from tests.kernel.test_election import server
from tests.shards.members import divided, namespaces, workflow
from tests.virtual_time import VirtualClock
from tests.world.world import Outcome
from tiphys.controller.sharding import division

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]

HERE = Address("a", "", "", "")


class Lagging(Coat):
    """Every stream is late by a time of its own."""

    dice = Random(0)

    def watch(self, resource: Any, *args: Any, **options: Any) -> Any:
        @asynccontextmanager
        async def late() -> AsyncIterator[AsyncIterator[WatchEvent]]:
            async with self.api.watch(resource, *args, **options) as events:
                yield each(events)

        async def each(events: AsyncIterator[WatchEvent]) -> AsyncIterator[WatchEvent]:
            async for event in events:
                await anyio.sleep(self.dice.choice([0.0, 0.05, 0.5, 3.0]) * self.dice.random())
                yield event

        return late()


def halves() -> Division:
    """Ours are those labelled so, and those without a label whose name says so."""
    return Division(
        lambda resource, thing: thing["metadata"]["name"].startswith("ours"),
        lambda resource, selector: ("bucket in (0)", "bucket notin (0, 1)"),
    )


@pytest.mark.parametrize("seed", range(12))
async def test_two_selections_that_are_late_in_any_way_come_to_what_the_server_has(seed: int):
    dice = Random(seed)
    api = server()
    late = Lagging(api)
    late.dice = dice
    store = Store(CONFIGMAPS, lambda thing: (HERE,))
    there: set[str] = set()
    wrong: list[str] = []

    def tell(changes: list[Change]) -> None:
        gone = [change.message.ref for change in changes if isinstance(change.message, Gone)]
        wrong.extend(f"{ref} is said to be gone" for ref in gone if ref.uid in there)

    selected, doubts = sources(late, (CONFIGMAPS, ""), store, halves(), tell)
    assert doubts is not None
    async with anyio.create_task_group() as tasks:
        await tasks.start(doubts.run)
        for selector, share in selected:
            scope = Scope(CONFIGMAPS, Selection("default", selector))
            tasks.start_soon(Informer(late, scope, share, tell, VirtualClock(), dice).run)
        for _ in range(40):
            await anyio.sleep(dice.choice([0.0, 0.1, 1.0]) * dice.random())
            await change(api, dice, there)
        await anyio.sleep(60)
        tasks.cancel_scope.cancel()
    assert not wrong, wrong
    on_server = {thing["metadata"]["uid"]: thing for thing in (await api.list(CONFIGMAPS)).items}
    ours = {uid: thing for uid, thing in on_server.items() if thing["metadata"]["name"].startswith("ours")}
    found = {thing["metadata"]["uid"]: thing["metadata"]["resourceVersion"] for thing in store.objects()}
    assert found == {uid: thing["metadata"]["resourceVersion"] for uid, thing in ours.items()}


async def change(api: Any, dice: Random, there: set[str]) -> None:
    """Make, label, write or delete one of a few objects."""
    name = dice.choice(["ours-a", "ours-b", "theirs"])
    ref = Reference(CONFIGMAPS, "default", name)
    found = {thing["metadata"]["name"]: thing for thing in (await api.list(CONFIGMAPS)).items}
    thing = found.get(name)
    if thing is None:
        made = await api.create(CONFIGMAPS, {"metadata": {"name": name, "namespace": "default"}, "data": {}})
        there.add(made["metadata"]["uid"])
    elif "bucket" not in (thing["metadata"].get("labels") or {}) and dice.random() < 0.6:
        bucket = "0" if name.startswith("ours") else "1"
        await api.patch(ref, {"metadata": {"labels": {"bucket": bucket}}})
    elif dice.random() < 0.5:
        await api.patch(ref, {"data": {"x": str(dice.random())}})
    else:
        there.discard(thing["metadata"]["uid"])
        await api.delete(ref)


def test_the_end_of_an_object_in_a_selection_is_also_that_of_the_one_before_it():
    store = Store(CONFIGMAPS, lambda thing: (HERE,))
    share = Share(CONFIGMAPS, store, halves())
    first, second = (
        {"metadata": {"namespace": "default", "name": "ours", "uid": uid, "resourceVersion": version}}
        for uid, version in (("one", "9"), ("two", "10"))
    )
    share.put(first)
    (change,) = share.drop(second)

    assert change.message == Gone(reference(CONFIGMAPS, first), first)
    assert len(share) == len(store) == 0


def test_a_label_of_ours_on_what_is_not_ours_is_told_of_and_the_object_not_kept():
    told: list[Object] = []
    store = Store(WORKFLOWS, lambda thing: (HERE,))
    part = division(0, 2, "", lambda resource, thing: told.append(thing))
    (_, share), _ = sources(None, (WORKFLOWS, ""), store, part, lambda changes: None).selections  # type: ignore[arg-type]
    assert isinstance(share, Share)
    (foreign,) = [name for name in namespaces(2) if buckets.group(name, 2) == 1]
    thing = {"metadata": {"name": "w", "namespace": foreign, "uid": "u", "resourceVersion": "1"}}
    assert share.put(thing) == []
    assert told == [thing]
    assert not store.objects()


@pytest.mark.parametrize("label", ["wrong", "77", "other"])
async def test_a_workflow_with_a_label_that_was_copied_from_elsewhere_runs_all_the_same(label: str):
    async with divided(lambda name, pod: Outcome(), 2) as here:
        await here.join("a")
        api = here.here.api
        for name in namespaces(2):
            await api.create(NAMESPACES, {"metadata": {"name": name}})
            thing = workflow(name, f"w-{name}")
            text = str(buckets.bucket(name) ^ 1) if label == "other" else label
            thing["metadata"]["labels"] = {labels.BUCKET: text}
            ref = reference(WORKFLOWS, await api.create(WORKFLOWS, thing))
            found = await here.here.end_of(ref, 60)
            assert found["status"]["phase"] == "Succeeded"
            assert found["metadata"]["labels"][labels.BUCKET] == str(buckets.bucket(name))


async def test_a_lock_of_another_namespace_is_refused_with_the_remedy_and_its_own_is_given():
    async with divided(lambda name, pod: Outcome(), 2) as here:
        await here.join("a")
        api, (own, other) = here.here.api, namespaces(2)
        await api.create(NAMESPACES, {"metadata": {"name": own}})
        for name, lock, phase in (
            ("w1", {"name": "m"}, "Succeeded"),
            ("w2", {"name": "m", "namespace": other}, "Failed"),
        ):
            thing = workflow(own, name)
            thing["spec"]["synchronization"] = {"mutexes": [lock]}
            found = await here.here.end_of(reference(WORKFLOWS, await api.create(WORKFLOWS, thing)), 60)
            assert found["status"]["phase"] == phase, found["status"]
        assert "is a lock of another namespace" in found["status"]["message"]
        assert "without --shards" in found["status"]["message"]

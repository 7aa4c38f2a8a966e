"""An API that fails does so as its dice say: not carried out, or carried out and not told, and it keeps count."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import anyio
import pytest

from runtime.api import ApiError, Expired, Selection, Unavailable
from runtime.objects import CONFIGMAPS, Object, Reference
from tiphys.bench import faulty
from tiphys.bench.faulty import Faulty
from tiphys.devcluster.cluster import DevCluster, Settings

pytestmark = pytest.mark.virtual_time
CALLS = 400


def config(number: int) -> Object:
    return {"metadata": {"name": f"c{number}", "namespace": "default"}, "data": {}}


async def test_without_a_share_nothing_fails() -> None:
    async with DevCluster(Settings()) as cluster:
        api = Faulty(cluster.api, 0.0, Random(1))
        for number in range(CALLS):
            await api.create(CONFIGMAPS, config(number))
        assert not api.counts
        assert len((await api.list(CONFIGMAPS, Selection("default"))).items) >= CALLS


async def test_what_was_refused_was_not_done_and_what_was_lost_was() -> None:
    async with DevCluster(Settings()) as cluster:
        api = Faulty(cluster.api, 0.5, Random(1))
        refused: list[str] = []
        for number in range(CALLS):
            try:
                await api.create(CONFIGMAPS, config(number))
            except ApiError:
                refused.append(f"c{number}")
        kept = {thing["metadata"]["name"] for thing in (await cluster.api.list(CONFIGMAPS, Selection("default"))).items}
        done = [name for name in refused if name in kept]
    assert len(done) == api.counts["lost answer"] > 0
    assert len(refused) - len(done) == api.counts["throttled"] + api.counts["server error"] > 0
    assert api.counts["late answer"] > 0


async def test_the_same_dice_fail_alike() -> None:
    async def course() -> list[str]:
        async with DevCluster(Settings()) as cluster:
            api, seen = Faulty(cluster.api, 0.3, Random(7)), []
            for number in range(CALLS):
                try:
                    await api.delete(Reference(CONFIGMAPS, "default", f"c{number}"))
                except ApiError as error:
                    seen.append(error.message)
            return seen

    assert await course() == await course()


async def test_a_stream_breaks_after_some_time_or_is_told_that_it_is_too_old() -> None:
    ends: set[type[ApiError]] = set()
    async with DevCluster(Settings()) as cluster:
        api = Faulty(cluster.api, 0.5, Random(3))
        made = await cluster.api.create(CONFIGMAPS, config(0))
        for _ in range(30):
            version = made["metadata"]["resourceVersion"]
            try:
                async with api.watch(CONFIGMAPS, Selection("default"), resource_version=version) as events:
                    while True:
                        await anyio.sleep(faulty.STREAM_S / 2)
                        body = {"data": {"at": str(anyio.current_time())}}
                        made = await cluster.api.patch(Reference(CONFIGMAPS, "default", "c0"), body)
                        await anext(events)
            except (Unavailable, Expired) as error:
                ends.add(type(error))
    assert ends == {Unavailable, Expired}
    assert api.counts["broken stream"] + api.counts["expired"] == 30


async def test_in_rough_weather_streams_break_much_sooner() -> None:
    async with DevCluster(Settings()) as cluster:
        api = Faulty(cluster.api, 0.5, Random(3))
        await cluster.api.create(CONFIGMAPS, config(0))

        async def events_until_it_breaks() -> int:
            heard = 0
            with suppress(Unavailable, Expired):
                version = (await cluster.api.list(CONFIGMAPS)).resource_version
                async with api.watch(CONFIGMAPS, Selection("default"), resource_version=version) as events:
                    while True:
                        await anyio.sleep(faulty.ROUGH_STREAM_S)
                        body = {"data": {"at": str(anyio.current_time())}}
                        await cluster.api.patch(Reference(CONFIGMAPS, "default", "c0"), body)
                        await anext(events)
                        heard += 1
            return heard

        gentle = sum([await events_until_it_breaks() for _ in range(30)])
        api.rough = True
        rough = sum([await events_until_it_breaks() for _ in range(30)])
    assert 4 * rough < gentle

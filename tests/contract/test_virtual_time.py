"""The API in process costs no time: days of an idle watch pass at once."""

from __future__ import annotations

import anyio
import pytest

from runtime.objects import CONFIGMAPS
from tiphys.devcluster.cluster import DevCluster

pytestmark = pytest.mark.virtual_time


async def test_a_day_of_idle_watches_passes_at_once() -> None:
    async with DevCluster() as cluster:
        version = (await cluster.api.list(CONFIGMAPS)).resource_version
        began = anyio.current_time()
        while anyio.current_time() < began + 86_400:
            async with cluster.api.watch(CONFIGMAPS, resource_version=version) as stream:
                told = [event async for event in stream]
            assert {event.type for event in told} == {"BOOKMARK"}
            version = told[-1].object["metadata"]["resourceVersion"]

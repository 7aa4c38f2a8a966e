"""What a real API server's watches told, these tell too."""

from __future__ import annotations

import json
import ssl
from random import Random
from typing import Any

import aiohttp
import anyio
import pytest
from yarl import URL

from tests.contract.disguise import Disguise
from tests.contract.test_transcripts import NAMESPACE, answer, normal
from tiphys.devcluster.cluster import DevCluster, Serving, Settings

STREAMS = {"bookmarks", "initial-events", "plain", "rv-zero", "selector", "too-old"}


@pytest.mark.parametrize("seed", [None, 1, 2])
async def test_recorded_watches_tell_the_same_in_their_own_and_in_other_words(
    seed: int | None, transcripts: Any
) -> None:
    assert set(transcripts["watches"]["streams"]) == STREAMS
    async with anyio.create_task_group() as tasks:  # side by side: each takes the second it asks for
        for name in STREAMS:
            tasks.start_soon(replay, name, transcripts["watches"], seed)


async def replay(name: str, recorded: Any, seed: int | None) -> None:
    changes = recorded["changes"] if name not in ("rv-zero", "initial-events") else []
    requests = recorded["before"] + changes
    every = [{"request": request} for request in recorded["before"] + recorded["changes"]]
    disguise = Disguise.none(NAMESPACE) if seed is None else Disguise.of(Random(seed), every)
    async with DevCluster(Settings(serving=Serving())) as cluster:
        tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
        async with aiohttp.ClientSession(
            cluster.url, connector=aiohttp.TCPConnector(ssl=tls), headers={"Authorization": f"Bearer {cluster.token}"}
        ) as client:
            await client.post("/api/v1/namespaces", json={"metadata": {"name": disguise.namespace}})
            before = str(cluster.server.storage.version)
            for request in requests:
                said = {"path": disguise.path(request["path"]), "body": disguise.value(request.get("body"))}
                await answer(client, {**request, **said})
            path = disguise.path(recorded["streams"][name]["path"])
            path = path.replace("<rv before 'before'>", before).replace("timeoutSeconds=6", "timeoutSeconds=1")
            async with client.get(URL(path, encoded=True)) as response:
                told = [json.loads(line) for line in (await response.text()).splitlines()]
    if name == "initial-events":
        assert told[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    expected = [normal(disguise.value(event)) for event in recorded["streams"][name]["events"]]
    assert [normal(event) for event in told] == expected

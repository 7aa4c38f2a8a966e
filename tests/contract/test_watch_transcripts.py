"""What a real API server's watches told, these tell too."""

from __future__ import annotations

import json
import ssl
from typing import Any

import aiohttp
import anyio
from yarl import URL

from tests.contract.test_transcripts import NAMESPACE, answer, normal
from tiphys.devcluster.cluster import DevCluster, Serving, Settings


async def test_recorded_watches_tell_the_same(transcripts: Any) -> None:
    async with anyio.create_task_group() as tasks:  # side by side: each takes the second it asks for
        for name in transcripts["watches"]["streams"]:
            tasks.start_soon(replay, name, transcripts)


async def replay(name: str, transcripts: Any) -> None:
    recorded = transcripts["watches"]
    async with DevCluster(Settings(serving=Serving())) as cluster:
        tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
        async with aiohttp.ClientSession(
            cluster.url, connector=aiohttp.TCPConnector(ssl=tls), headers={"Authorization": f"Bearer {cluster.token}"}
        ) as client:
            await client.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}})
            before = str(cluster.server.storage.version)
            changes = list(recorded["changes"])
            for request in recorded["before"] + (changes if name not in ("rv-zero", "initial-events") else []):
                await answer(client, request)
            path = recorded["streams"][name]["path"].replace("{ns}", NAMESPACE)
            path = path.replace("<rv before 'before'>", before).replace("timeoutSeconds=6", "timeoutSeconds=1")
            async with client.get(URL(path, encoded=True)) as response:
                told = [json.loads(line) for line in (await response.text()).splitlines()]
    if name == "initial-events":
        assert told[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert [normal(event) for event in told] == [normal(event) for event in recorded["streams"][name]["events"]]

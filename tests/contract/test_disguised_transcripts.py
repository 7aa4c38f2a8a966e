"""What holds for the recorded names holds for others: the conversations again, in an order and in words of a seed.

Nothing of a recording can be answered by heart: all scenarios share one server, each in a namespace of its own, and the
custom kind is a second one with another group, kind and plural.
"""

from __future__ import annotations

import json
import ssl
from random import Random
from typing import Any

import aiohttp
import pytest

from tests.contract.disguise import Disguise, definition
from tests.contract.test_transcripts import KNOWN_DIFFERENCES, answer, normal
from tiphys.devcluster.cluster import DevCluster, Serving, Settings


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_recorded_conversation_goes_the_same_way_in_other_words(seed: int, transcripts: Any) -> None:
    dice = Random(seed)
    names = sorted(transcripts["scenarios"])
    dice.shuffle(names)
    wrong: list[str] = []
    async with DevCluster(Settings(definitions=[transcripts["crd"]], serving=Serving())) as cluster:
        tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
        headers = {"Authorization": f"Bearer {cluster.token}"}
        connector = aiohttp.TCPConnector(ssl=tls)
        async with aiohttp.ClientSession(cluster.url, connector=connector, headers=headers) as client:
            for name in names:
                wrong += await differences(client, name, transcripts, dice)
    assert not wrong, "\n".join(wrong)


async def differences(client: aiohttp.ClientSession, name: str, transcripts: Any, dice: Random) -> list[str]:
    """Replay one scenario in other words."""
    steps = transcripts["scenarios"][name]
    disguise = Disguise.of(dice, steps)
    async with client.post("/api/v1/namespaces", json={"metadata": {"name": disguise.namespace}}) as response:
        assert response.status == 201
    crd = definition(disguise, transcripts["crd"])
    async with client.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=crd) as response:
        assert response.status == 201
    wrong = []
    for number, step in enumerate(steps):
        asked = step["request"]
        request = {**asked, "path": disguise.path(asked["path"]), "body": disguise.value(asked.get("body"))}
        code, body = await answer(client, request)
        want = normal(disguise.value(step["response"]))
        if (code, normal(body)) != (step["status"], want) and (name, number) not in KNOWN_DIFFERENCES:
            wrong.append(
                f"{name} {number} {request['method']} {request['path']}\n"
                f"  got  {code} {json.dumps(normal(body), sort_keys=True)}\n"
                f"  want {step['status']} {json.dumps(want, sort_keys=True)}"
            )
    return wrong


async def test_the_disguise_hides_every_recorded_word(transcripts: Any) -> None:
    """So that the test above cannot pass by changing nothing."""
    for name, steps in transcripts["scenarios"].items():
        disguise = Disguise.of(Random(7), steps)
        for step in steps:
            body = step["request"].get("body")
            said = json.dumps([disguise.path(step["request"]["path"]), disguise.value(body)])
            assert "{ns}" not in said
            assert "izmo" not in said
            meta = (body.get("metadata") or {}) if isinstance(body, dict) else {}
            if meta.get("name") and name != "bad-input":
                assert disguise.value(body)["metadata"]["name"] != meta["name"]
            if meta.get("labels") and name != "bad-input":
                assert not set(disguise.value(body)["metadata"]["labels"].items()) & set(meta["labels"].items())


async def test_every_seed_has_its_own_order(transcripts: Any) -> None:
    orders = set()
    for seed in (1, 2, 3):
        names = sorted(transcripts["scenarios"])
        Random(seed).shuffle(names)
        orders.add(tuple(names))
    assert len(orders) == 3
    assert sum(len(steps) for steps in transcripts["scenarios"].values()) == 159

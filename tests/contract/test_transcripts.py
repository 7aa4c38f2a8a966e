"""What a real API server answered, this one answers too: recorded requests are replayed over HTTPS.

`KNOWN_DIFFERENCES` is the table of steps that differ, each with its reason. A step that begins to agree fails the test
until it is taken off the table.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.contract.conftest import conformance
from tiphys.devcluster.cluster import DevCluster, Serving, Settings

NAMESPACE = "lab"
KNOWN_DIFFERENCES: dict[tuple[str, int], str] = {}


def scenarios() -> list[str]:
    try:
        return sorted(json.loads(conformance("apiserver/transcripts.json").read_text())["scenarios"])
    except pytest.skip.Exception:
        return []


@pytest.fixture
async def session(transcripts: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with DevCluster(Settings(definitions=[transcripts["crd"]], serving=Serving())) as cluster:
        tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
        async with aiohttp.ClientSession(
            cluster.url,
            connector=aiohttp.TCPConnector(ssl=tls),
            headers={"Authorization": f"Bearer {cluster.token}"},
        ) as client:
            await client.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}})
            yield client


UNTOLD = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "storageVersionHash", "continue"}
UNTOLD |= {
    "gitCommit",
    "buildDate",
    "goVersion",
    "compiler",
    "serverAddress",
    "managedFields",
    "acquireTime",
    "renewTime",
}


def normal(value: Any) -> Any:
    """An answer without what is never the same twice."""
    if isinstance(value, dict):
        return {
            k: ("<any>" if k in UNTOLD and v not in ("", None) else normal(v))
            for k, v in value.items()
            if k != "managedFields"
        }
    if isinstance(value, list):
        return [normal(item) for item in value]
    if isinstance(value, str):
        value = value.replace("{ns}", NAMESPACE)
        value = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|<uid>", "<any>", value)
        value = re.sub(r"in record \(\d+\)|current: \d+", "<version>", value)
        value = re.sub(r"gen-(<.*>|[a-z0-9]{5})$", "gen-<any>", value)
        return re.sub(r"\n@@ .*", "", value, flags=re.S)  # the diff inside a message
    return value


async def answer(client: aiohttp.ClientSession, request: dict[str, Any]) -> tuple[int, Any]:
    headers = {"Content-Type": request["contentType"]} if "contentType" in request else {}
    if "accept" in request:
        headers["Accept"] = request["accept"]
    body = json.dumps(request["body"]).replace("{ns}", NAMESPACE) if request.get("body") is not None else None
    path = request["path"].replace("{ns}", NAMESPACE)
    async with client.request(request["method"], URL(path, encoded=True), data=body, headers=headers) as response:
        raw = await response.text()
        try:
            return response.status, json.loads(raw)
        except ValueError:
            return response.status, raw


@pytest.mark.parametrize("name", scenarios())
async def test_a_recorded_conversation_goes_the_same_way(
    name: str, session: aiohttp.ClientSession, transcripts: Any
) -> None:
    wrong: list[str] = []
    for number, step in enumerate(transcripts["scenarios"][name]):
        code, body = await answer(session, step["request"])
        same = code == step["status"] and normal(body) == normal(step["response"])
        if same == ((name, number) in KNOWN_DIFFERENCES):
            asked = f"{step['request']['method']} {step['request']['path']}"
            wrong.append(
                f"{number} {asked}\n  got  {code} {json.dumps(normal(body), sort_keys=True)}\n"
                f"  want {step['status']} {json.dumps(normal(step['response']), sort_keys=True)}"
            )
    assert not wrong, "\n".join(wrong)

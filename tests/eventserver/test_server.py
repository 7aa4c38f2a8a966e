"""Events that are sent over HTTP submit workflows, with their senders' rights, on a served cluster."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import anyio.lowlevel
import pytest

import crds
from actors.eventbinding.webhooks import CLIENTS
from actors.names import labels
from runtime.api import Api, Selection, Unavailable
from runtime.credentials import Access, bearer
from runtime.objects import EVENTS, SECRETS, SERVICE_ACCOUNTS, Object, Reference
from tiphys.devcluster.cluster import DevCluster, Serving, Settings
from tiphys.devcluster.secretrules import ACCOUNT_NAME, ACCOUNT_TOKEN
from tiphys.eventserver.dispatching import BINDINGS, REASON, TEMPLATES, WORKFLOWS
from tiphys.eventserver.process import BadCertificate, Credentials, serve
from tiphys.eventserver.settings import EventSettings

HERE = EventSettings(host="127.0.0.1", port=0, secure=False)
TEMPLATE: Object = {
    "metadata": {"name": "t", "namespace": "default"},
    "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]},
}


def binding(name: str, selector: str, **submit: Any) -> Object:
    spec = {"event": {"selector": selector}, "submit": {"workflowTemplateRef": {"name": "t"}, **submit}}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


ECHO = binding(
    "echo", 'discriminator == "echo"', arguments={"parameters": [{"name": "m", "valueFrom": {"event": "payload.m"}}]}
)


@pytest.fixture
async def cluster() -> AsyncIterator[DevCluster]:
    async with DevCluster(Settings(definitions=crds.manifests(), serving=Serving())) as running:
        await running.api.create(TEMPLATES, TEMPLATE)
        await running.api.create(BINDINGS, ECHO)
        yield running


def credentials(cluster: DevCluster) -> Credentials:
    tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
    own = Access(cluster.url, tls, bearer(lambda: cluster.token))
    return Credentials(own, own._replace(headers=bearer(lambda: "")))


class Sender:
    """Sends events to a server; answers with the status and the body."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def send(
        self, body: bytes | Any, to: str = "default/echo", token: str = "", headers: Mapping[str, str] = {}
    ) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        who = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self._url}/api/v1/events/{to}"
        async with self._session.post(url, data=io.BytesIO(content), headers={**headers, **who}, ssl=False) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def serving(cluster: DevCluster, settings: EventSettings = HERE) -> AsyncIterator[Sender]:
    urls: list[str] = []
    async with aiohttp.ClientSession() as session, anyio.create_task_group() as tasks:
        await tasks.start(serve, settings, credentials(cluster), urls.append)
        yield Sender(session, urls[0])
        tasks.cancel_scope.cancel()


async def workflows(api: Api) -> list[Object]:
    return (await api.list(WORKFLOWS, Selection("default"))).items


@pytest.mark.spec("EVT-1")
@pytest.mark.spec("EVT-3")
async def test_an_event_submits_what_its_binding_says(cluster: DevCluster) -> None:
    async with serving(cluster) as sender:
        assert await sender.send({"m": "hello"}, token=cluster.token) == (200, {})

    (made,) = await workflows(cluster.api)
    assert made["spec"] == {
        "workflowTemplateRef": {"name": "t"},
        "arguments": {"parameters": [{"name": "m", "value": "hello"}]},
    }
    assert made["metadata"]["labels"][labels.WORKFLOW_EVENT_BINDING] == "echo"


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize("to", ["default/other", "default/"])
async def test_an_event_that_no_binding_means_is_taken_and_nothing_happens(cluster: DevCluster, to: str) -> None:
    async with serving(cluster) as sender:
        assert await sender.send({}, to, token=cluster.token) == (200, {})

    assert await workflows(cluster.api) == []


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize(("body", "token", "status", "code"), [(b"{", "", 400, 3), (b"{}", "wrong", 401, 16)])
async def test_what_is_refused_says_why(cluster: DevCluster, body: bytes, token: str, status: int, code: int) -> None:
    async with serving(cluster) as sender:
        answered, said = await sender.send(body, token=token or cluster.token)

    assert (answered, said["code"]) == (status, code)
    assert said["message"]
    assert await workflows(cluster.api) == []


@pytest.mark.spec("EVT-3")
async def test_what_is_wrong_with_one_binding_is_told_and_the_others_submit(cluster: DevCluster) -> None:
    await cluster.api.create(BINDINGS, binding("absent", "true", workflowTemplateRef={"name": "no"}))
    await cluster.api.create(BINDINGS, binding("broken", "foo("))
    async with serving(cluster) as sender:
        status, said = await sender.send({"m": 1}, token=cluster.token)

    assert (status, said["code"]) == (500, 13)
    assert said["message"].startswith("failed to dispatch event: [failed to get workflow template: ")
    assert len(await workflows(cluster.api)) == 1
    told = {event["involvedObject"]["name"]: event for event in (await cluster.api.list(EVENTS)).items}
    assert sorted(told) == ["absent", "broken"]
    assert {event["reason"] for event in told.values()} == {REASON}
    assert told["broken"]["message"].startswith(
        "failed to dispatch event: failed to evaluate workflow template expression: "
    )


@pytest.mark.spec("EVT-1")
async def test_only_bindings_of_its_instance_are_looked_at(cluster: DevCluster) -> None:
    async with serving(cluster, EventSettings("127.0.0.1", 0, secure=False, instance_id="mine")) as sender:
        assert await sender.send({"m": "hello"}, token=cluster.token) == (200, {})

    assert await workflows(cluster.api) == []


@pytest.mark.spec("EVT-1")
async def test_what_was_answered_at_once_is_submitted_before_the_server_ends(cluster: DevCluster) -> None:
    settings = EventSettings("127.0.0.1", 0, secure=False, asynchronous=True)
    async with serving(cluster, settings) as sender:
        for number in range(3):
            assert await sender.send({"m": number}, token=cluster.token) == (200, {})

    made = [one["spec"]["arguments"]["parameters"][0]["value"] for one in await workflows(cluster.api)]
    assert sorted(made) == ["0", "1", "2"]


@pytest.mark.spec("EVT-1")
async def test_the_connection_is_encrypted_unless_it_is_told_not_to_be(cluster: DevCluster) -> None:
    async with serving(cluster, EventSettings("127.0.0.1", 0)) as sender:
        assert await sender.send({"m": "hello"}, token=cluster.token) == (200, {})


@pytest.mark.spec("EVT-1")
async def test_a_certificate_that_is_none_is_said_with_what_the_secret_should_hold(cluster: DevCluster) -> None:
    meta = {"name": "cert", "namespace": "default"}
    await cluster.api.create(SECRETS, {"metadata": meta, "stringData": {"tls.crt": "no", "tls.key": "no"}})
    with pytest.raises(BadCertificate, match=r"Secret default/cert should hold tls\.crt and tls\.key"):
        await serve(EventSettings("127.0.0.1", 0, certificate="cert"), credentials(cluster), print)


# ------------------------------------------------------------------------------------------------ webhooks


BODY = b'{"m": "pushed"}'
SIGNED = {
    "X-GitHub-Event": "push",
    "X-Hub-Signature-256": "sha256=" + hmac.new(b"shh!", BODY, hashlib.sha256).hexdigest(),
}


async def with_client(api: Api, *, token: bool = True) -> None:
    """A webhook client whose account has a token, or has none."""
    await api.create(SERVICE_ACCOUNTS, {"metadata": {"name": "hub", "namespace": "default"}})
    meta = {"name": CLIENTS, "namespace": "default"}
    await api.create(SECRETS, {"metadata": meta, "stringData": {"hub": "type: github\nsecret: shh!\n"}})
    if not token:
        return
    name = "hub.service-account-token"
    held = {"name": name, "namespace": "default", "annotations": {ACCOUNT_NAME: "hub"}}
    await api.create(SECRETS, {"metadata": held, "type": ACCOUNT_TOKEN})
    with anyio.fail_after(5):
        while not ((await api.get(Reference(SECRETS, "default", name))).get("data") or {}).get("token"):
            await anyio.lowlevel.checkpoint()


@pytest.mark.spec("EVT-4")
async def test_a_webhook_acts_as_the_service_account_that_its_secret_stands_for(cluster: DevCluster) -> None:
    await with_client(cluster.api)
    async with serving(cluster) as sender:
        assert await sender.send(BODY, headers=SIGNED) == (200, {})

    (made,) = await workflows(cluster.api)
    assert made["metadata"]["labels"][labels.CREATOR] == "system-serviceaccount-default-hub"


def with_spaces(size: int) -> tuple[bytes, dict[str, str]]:
    """A body of so many bytes, and its signature."""
    body = b" " * (size - len(BODY)) + BODY
    return body, SIGNED | {"X-Hub-Signature-256": "sha256=" + hmac.new(b"shh!", body, hashlib.sha256).hexdigest()}


@pytest.mark.spec("EVT-4")
@pytest.mark.parametrize(("size", "status"), [(2_097_152, 200), (2_097_153, 403)])
async def test_a_webhook_has_two_mebibytes_at_most(cluster: DevCluster, size: int, status: int) -> None:
    await with_client(cluster.api)
    body, headers = with_spaces(size)
    async with serving(cluster) as sender:
        answered, _ = await sender.send(body, headers=headers)

    assert answered == status
    assert len(await workflows(cluster.api)) == (1 if status == 200 else 0)


@pytest.mark.spec("EVT-4")
async def test_a_webhook_whose_signature_is_wrong_is_nobodys(cluster: DevCluster) -> None:
    await with_client(cluster.api)
    async with serving(cluster) as sender:
        status, said = await sender.send(BODY + b" ", headers=SIGNED)

    assert (status, said["code"]) == (401, 16)
    assert await workflows(cluster.api) == []


@pytest.mark.spec("EVT-4")
@pytest.mark.parametrize("why", ["no clients", "no token"])
async def test_why_a_webhook_is_not_let_in_is_not_told_to_its_sender(cluster: DevCluster, why: str) -> None:
    if why != "no clients":
        await with_client(cluster.api, token=why != "no token")
    async with serving(cluster) as sender:
        answer = await sender.send(BODY, headers=SIGNED)

    assert answer == (403, {"message": "failed to process webhook request"})
    assert await workflows(cluster.api) == []


@pytest.mark.spec("EVT-4")
async def test_who_brings_a_token_is_not_taken_for_a_webhook(cluster: DevCluster) -> None:
    await with_client(cluster.api)
    async with serving(cluster) as sender:
        status, _ = await sender.send(BODY, token="wrong", headers=SIGNED)

    assert status == 401


async def test_its_own_credentials_are_not_those_of_its_callers(cluster: DevCluster) -> None:
    async with credentials(cluster).as_bearer("wrong") as api:
        with pytest.raises(Unavailable, match="Unauthorized"):
            await api.list(WORKFLOWS)

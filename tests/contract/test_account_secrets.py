"""A secret of a service account's token: filled in, kept whole, good as a login, and gone with its account."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import orjson
import pytest

from runtime.api import Api, Gone, Refused
from runtime.objects import SECRETS, SERVICE_ACCOUNTS, Object, Reference, reference
from tiphys.devcluster.accountsecrets import ACCOUNT_UID, missing
from tiphys.devcluster.cluster import DevCluster, Serving, Settings
from tiphys.devcluster.secretrules import ACCOUNT_NAME, ACCOUNT_TOKEN


def token_secret(name: str = "bot-token", account: str = "bot", **annotations: str) -> Object:
    meta = {"name": name, "namespace": "default", "annotations": {ACCOUNT_NAME: account, **annotations}}
    return {"metadata": meta, "type": ACCOUNT_TOKEN}


async def bot(api: Api) -> Object:
    return await api.create(SERVICE_ACCOUNTS, {"metadata": {"name": "bot", "namespace": "default"}})


async def until_filled(api: Api, name: str = "bot-token") -> dict[str, str]:
    """The secret's content, once it has a token."""
    with anyio.fail_after(5):
        while True:
            held = (await api.get(Reference(SECRETS, "default", name))).get("data") or {}
            if held.get("token") and held.get("namespace"):
                return {key: base64.b64decode(value).decode() for key, value in held.items()}


async def until_gone(api: Api, name: str = "bot-token") -> None:
    with anyio.fail_after(5):
        while True:
            try:
                await api.get(Reference(SECRETS, "default", name))
            except Gone:
                return


async def status_of(session: aiohttp.ClientSession, token: str) -> int:
    async with session.get("/api/v1/pods", headers={"Authorization": f"Bearer {token}"}) as response:
        return response.status


async def test_the_secret_is_filled_in_and_its_token_is_a_login_until_it_is_deleted(
    session: aiohttp.ClientSession, cluster: DevCluster
) -> None:
    api = cluster.api
    account = await bot(api)
    assert "data" not in await api.create(SECRETS, token_secret())
    held = await until_filled(api)
    assert (held["namespace"], held["ca.crt"]) == ("default", cluster.ca_pem.decode())
    made = await api.get(Reference(SECRETS, "default", "bot-token"))
    assert made["metadata"]["annotations"][ACCOUNT_UID] == account["metadata"]["uid"]
    bearer = {"Authorization": f"Bearer {held['token']}"}
    async with session.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json={}, headers=bearer) as response:
        user = (await response.json())["status"]["userInfo"]
    assert (user["username"], user["uid"]) == ("system:serviceaccount:default:bot", account["metadata"]["uid"])
    assert await status_of(session, held["token"]) == 200
    await api.delete(reference(SECRETS, made))
    assert await status_of(session, held["token"]) == 401


async def test_the_token_says_what_tokens_of_secrets_say_and_never_expires(cluster: DevCluster) -> None:
    account = await bot(cluster.api)
    await cluster.api.create(SECRETS, token_secret())
    part = (await until_filled(cluster.api))["token"].split(".")[1]
    assert orjson.loads(base64.urlsafe_b64decode(part + "===")) == {
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": "default",
        "kubernetes.io/serviceaccount/secret.name": "bot-token",
        "kubernetes.io/serviceaccount/service-account.name": "bot",
        "kubernetes.io/serviceaccount/service-account.uid": account["metadata"]["uid"],
        "sub": "system:serviceaccount:default:bot",
    }


async def test_what_is_taken_out_comes_back_and_what_else_is_there_stays(cluster: DevCluster) -> None:
    api = cluster.api
    await bot(api)
    await api.create(SECRETS, {**token_secret(), "stringData": {"note": "mine"}})
    first = await until_filled(api)
    ref = Reference(SECRETS, "default", "bot-token")
    await api.patch(ref, {"data": {"token": None, "namespace": None}})
    assert await until_filled(api) == first
    assert first["note"] == "mine"


async def test_a_token_that_is_not_the_secrets_own_is_refused(
    session: aiohttp.ClientSession, cluster: DevCluster
) -> None:
    api = cluster.api
    await bot(api)
    await api.create(SECRETS, token_secret())
    token = (await until_filled(api))["token"]
    ref = Reference(SECRETS, "default", "bot-token")
    await api.patch(ref, {"metadata": {"labels": {"kubernetes.io/legacy-token-invalid-since": "2026-11-22"}}})
    assert await status_of(session, token) == 401
    await api.patch(ref, {"metadata": {"labels": None}, "data": {"token": "eHg="}})
    assert await status_of(session, token) == 401


async def test_it_goes_with_its_account_and_never_serves_a_successor(
    session: aiohttp.ClientSession, cluster: DevCluster
) -> None:
    api = cluster.api
    account = await bot(api)
    await api.create(SECRETS, token_secret())
    token = (await until_filled(api))["token"]
    await api.delete(reference(SERVICE_ACCOUNTS, account))
    await bot(api)
    assert await status_of(session, token) == 401
    await until_gone(api)


@pytest.mark.parametrize("annotations", [{}, {ACCOUNT_UID: "another"}])
async def test_without_that_very_account_the_secret_is_deleted(cluster: DevCluster, annotations: Any) -> None:
    """As in any cluster: whoever wants a token makes the account first."""
    if annotations:
        await bot(cluster.api)
    await cluster.api.create(SECRETS, token_secret(**annotations))
    await until_gone(cluster.api)


async def test_it_works_after_a_restart(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "objects.db", serving=Serving())
    async with DevCluster(settings) as first:
        await bot(first.api)
        await first.api.create(SECRETS, token_secret())
        held = await until_filled(first.api)
    async with DevCluster(settings) as second:
        user = second.server.user_of(held["token"])
        assert user is not None
        assert user.name == "system:serviceaccount:default:bot"


def test_only_what_is_missing_is_written() -> None:
    whole = {"metadata": {"namespace": "ns"}, "data": {"ca.crt": "cGVt", "namespace": "bnM=", "token": "eA=="}}
    assert missing(whole, "pem") == {}
    assert missing(whole, "") == {}
    assert missing(whole, "new") == {"ca.crt": "bmV3"}
    assert missing({"metadata": {"namespace": "ns"}}, "") == {"namespace": "bnM="}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            {"type": ACCOUNT_TOKEN},
            f'Secret "s" is invalid: metadata.annotations[{ACCOUNT_NAME}]: Required value',
        ),
        (
            {"type": "kubernetes.io/tls"},
            'Secret "s" is invalid: [data[tls.crt]: Required value, data[tls.key]: Required value]',
        ),
        (
            {"type": "kubernetes.io/basic-auth"},
            'Secret "s" is invalid: [data[username]: Required value, data[password]: Required value]',
        ),
        ({"type": "kubernetes.io/ssh-auth"}, 'Secret "s" is invalid: data[ssh-privatekey]: Required value'),
        (
            {"type": "kubernetes.io/dockerconfigjson"},
            'Secret "s" is invalid: data[.dockerconfigjson]: Required value',
        ),
        (
            {"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": "x"}},
            'Secret "s" is invalid: data[.dockercfg]: Invalid value: "<secret contents redacted>": ',
        ),
    ],
)
async def test_a_secret_of_a_known_type_has_what_the_type_says(cluster: DevCluster, content: Object, why: str) -> None:
    with pytest.raises(Refused) as refusal:
        await cluster.api.create(SECRETS, {"metadata": {"name": "s", "namespace": "default"}, **content})
    assert refusal.value.code == 422
    assert refusal.value.message.startswith(why)


async def test_a_deleted_account_is_the_answer_to_its_deletion(
    session: aiohttp.ClientSession, cluster: DevCluster
) -> None:
    await bot(cluster.api)
    async with session.delete("/api/v1/namespaces/default/serviceaccounts/bot") as response:
        assert (await response.json())["kind"] == "ServiceAccount"

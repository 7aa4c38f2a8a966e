"""The HTTPS door: whom it lets in, and what goes through it besides objects."""

from __future__ import annotations

import ssl
import stat
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import anyio
import pytest

from runtime.api import Gone, LogOptions, Unavailable
from runtime.client import HttpApi
from runtime.credentials import Access, BadKubeconfig, bearer, from_kubeconfig
from runtime.objects import CONFIGMAPS, PODS, SERVICE_ACCOUNTS, Reference, reference
from tests.contract.conftest import GIZMO, GIZMOS, http_api
from tiphys.devcluster import tokens
from tiphys.devcluster.cluster import DevCluster, Serving, Settings
from tiphys.devcluster.http import HttpsFront, PortInUse


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Origin": "https://example.com"}, 403),
        ({"Host": "example.com:6443"}, 403),
        ({"Host": "example.com"}, 403),
        ({"Host": "localhost"}, 200),
        ({}, 200),
    ],
)
async def test_only_who_has_the_token_and_is_no_web_page_gets_in(
    session: aiohttp.ClientSession, headers: dict[str, str], code: int
) -> None:
    async with session.get("/api/v1/namespaces", headers=headers) as response:
        assert response.status == code
        assert (await response.json())["kind"] == ("NamespaceList" if code == 200 else "Status")


async def test_it_listens_on_loopback_only(cluster: DevCluster) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        HttpsFront(cluster.server, "0.0.0.0")


async def test_a_port_in_use_is_said_with_the_remedy(cluster: DevCluster) -> None:
    port = int(cluster.url.rpartition(":")[2])
    with pytest.raises(PortInUse, match=rf"port {port} is in use.*--port"):
        async with DevCluster(Settings(serving=Serving(port=port))):
            pass


async def test_a_kubeconfig_of_its_own_lets_a_client_in_and_nobody_else_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config"
    async with DevCluster(Settings(serving=Serving(kubeconfig=path))):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with HttpApi.from_kubeconfig(str(path)) as client:
            assert client.namespace == "default"
            assert (await client.list(CONFIGMAPS)).items == []


async def test_unknown_fields_are_warned_of_or_refused_as_asked(session: aiohttp.ClientSession) -> None:
    path = f"{GIZMOS.path('default')}"
    body = {"metadata": {"name": "g"}, "spec": {"size": 1, "sizee": 2}}
    async with session.post(path, params={"fieldValidation": "Strict"}, json=body) as response:
        assert response.status == 400
        assert (await response.json())["message"] == (
            'Gizmo in version "v1" cannot be handled as a Gizmo: strict decoding error: unknown field "spec.sizee"'
        )
    async with session.post(path, params={"fieldValidation": "Warn"}, json=body) as response:
        assert response.status == 201
        assert response.headers["Warning"] == '299 - "unknown field \\"spec.sizee\\""'


async def test_a_definition_is_served_as_soon_as_it_is_created_and_no_longer_than_it_is_there(
    session: aiohttp.ClientSession, cluster: DevCluster
) -> None:
    other = {
        **GIZMO,
        "metadata": {"name": "gadgets.lab.example.com"},
        "spec": {**GIZMO["spec"], "names": {"kind": "Gadget", "plural": "gadgets"}},
    }
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    async with session.post(definitions, json=other) as response:
        assert response.status == 201
    async with session.get(f"{definitions}/gadgets.lab.example.com") as response:
        conditions = (await response.json())["status"]["conditions"]
    assert {c["type"]: c["status"] for c in conditions} == {"NamesAccepted": "True", "Established": "True"}
    path = "/apis/lab.example.com/v1/namespaces/default/gadgets"
    async with session.post(path, json={"metadata": {"name": "g"}, "spec": {"size": 1}}) as response:
        assert response.status == 201
    async with session.delete(f"{definitions}/gadgets.lab.example.com") as response:
        assert response.status == 200
    async with session.get(path) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "accept", ["application/json", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"]
)
async def test_discovery_names_what_is_served(session: aiohttp.ClientSession, accept: str) -> None:
    async with session.get("/apis", headers={"Accept": accept}) as response:
        text = await response.text()
    assert "lab.example.com" in text
    assert "apps" in text
    for path in ("/api", "/version", "/openapi/v2", "/openapi/v3", "/openapi/v3/apis/lab.example.com/v1", "/metrics"):
        async with session.get(path) as response:
            assert response.status == 200, path


async def test_reviews_say_yes_and_service_account_tokens_work(
    session: aiohttp.ClientSession, cluster: DevCluster
) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    async with session.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", json=review) as response:
        assert (await response.json())["status"]["allowed"] is True
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    async with session.post(path, json={"spec": {"expirationSeconds": 600}}) as response:
        token = (await response.json())["status"]["token"]
    async with session.get("/api/v1/pods", headers={"Authorization": f"Bearer {token}"}) as response:
        assert response.status == 200
    async with session.get("/api/v1/pods", headers={"Authorization": "Bearer other"}) as response:
        assert response.status == 401


async def test_a_service_accounts_token_says_whose_it_is_and_ends_with_its_account(
    session: aiohttp.ClientSession, cluster: DevCluster
) -> None:
    account = await cluster.api.create(SERVICE_ACCOUNTS, {"metadata": {"name": "bot", "namespace": "default"}})
    async with session.post("/api/v1/namespaces/default/serviceaccounts/bot/token", json={}) as response:
        token = (await response.json())["status"]["token"]
    bearer_of = {"Authorization": f"Bearer {token}"}
    reviews = "/apis/authentication.k8s.io/v1"
    async with session.post(f"{reviews}/selfsubjectreviews", json={}, headers=bearer_of) as response:
        user = (await response.json())["status"]["userInfo"]
    assert (user["username"], user["uid"]) == ("system:serviceaccount:default:bot", account["metadata"]["uid"])
    async with session.post(f"{reviews}/tokenreviews", json={"spec": {"token": token}}) as response:
        assert (await response.json())["status"]["user"] == user
    async with session.post(f"{reviews}/tokenreviews", json={"spec": {"token": token[:-3] + "abc"}}) as response:
        assert "authenticated" not in (await response.json())["status"]
    await cluster.api.delete(reference(SERVICE_ACCOUNTS, account))
    await cluster.api.create(SERVICE_ACCOUNTS, {"metadata": {"name": "bot", "namespace": "default"}})
    async with session.get("/api/v1/pods", headers=bearer_of) as response:
        assert response.status == 401


async def test_a_token_of_a_pod_ends_with_the_pod_and_every_token_with_its_time(cluster: DevCluster) -> None:
    spec = {"containers": [{"name": "main", "image": "busybox"}]}
    pod = await cluster.api.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    server, account = cluster.server, await cluster.api.get(Reference(SERVICE_ACCOUNTS, "default", "default"))
    bound = {"kind": "Pod", "name": "p", "uid": pod["metadata"]["uid"]}
    now = server.now()
    pods = tokens.issue(server.signing_key, account, {"boundObjectRef": bound}, now, now + 60)
    short = tokens.issue(server.signing_key, account, {}, now - 60, now - 1)
    assert server.user_of(pods) is not None
    assert server.user_of(short) is None
    assert server.user_of("") is None
    assert server.user_of("a.b.c") is None
    await cluster.api.delete(reference(PODS, pod), grace_s=0)
    assert server.user_of(pods) is None


async def test_applied_yaml_keeps_times_and_switches_as_they_are_written(session: aiohttp.ClientSession) -> None:
    text = "apiVersion: lab.example.com/v1\nkind: Gizmo\nspec: {size: 1, free: {at: 2026-01-01T00:00:00Z, is: true}}\n"
    headers = {"Content-Type": "application/apply-patch+yaml"}
    path = GIZMOS.path("default", "y")
    async with session.patch(path, params={"fieldManager": "m"}, data=text, headers=headers) as response:
        assert response.status == 201
        assert (await response.json())["spec"]["free"] == {"at": "2026-01-01T00:00:00Z", "is": True}
    async with session.patch(path, params={"fieldManager": "m"}, data="a: [", headers=headers) as response:
        assert response.status == 400
        assert "error decoding YAML" in (await response.json())["message"]


class Tape:
    """A log source that plays three lines and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[LogOptions] = []

    async def stream(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        self.asked.append(options)
        for number in range(3):
            yield f"{namespace}/{pod} {number}\n".encode()


async def test_a_log_is_streamed_from_the_node_with_its_options(cluster: DevCluster) -> None:
    tape = Tape()
    cluster.server.logs = tape
    spec = {"containers": [{"name": "main", "image": "busybox"}], "nodeName": "n"}
    ref = reference(
        PODS, await cluster.api.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    )
    options = LogOptions("main", follow=True, previous=True, tail_lines=3, limit_bytes=9, since_s=5, timestamps=True)
    async with http_api(cluster) as client:
        async with client.log(ref, options) as chunks:
            text = b"".join([chunk async for chunk in chunks])
        async with client.log(ref) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == text
    assert text == b"default/p 0\ndefault/p 1\ndefault/p 2\n"
    assert tape.asked == [options, LogOptions("main")]


async def test_a_logs_lines_may_be_asked_for_from_a_time_on(
    cluster: DevCluster, session: aiohttp.ClientSession
) -> None:
    """As `kubectl logs --since-time` does."""
    tape = Tape()
    cluster.server.logs = tape
    spec = {"containers": [{"name": "main", "image": "busybox"}], "nodeName": "n"}
    await cluster.api.create(PODS, {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    url = "/api/v1/namespaces/default/pods/p/log"
    since = datetime.fromtimestamp(cluster.server.now() - 100, UTC).isoformat().replace("+00:00", "Z")
    async with session.get(url, params={"sinceTime": since}) as response:
        assert response.status == 200
    assert tape.asked[0].since_s == pytest.approx(100, abs=5)
    async with session.get(url, params={"sinceTime": since, "sinceSeconds": "3"}) as response:
        assert (response.status, "at most one of" in await response.text()) == (422, True)
    async with session.get(url, params={"sinceTime": "yesterday"}) as response:
        assert (response.status, "RFC 3339" in await response.text()) == (400, True)


async def test_who_leaves_a_watch_leaves_nothing_behind(cluster: DevCluster) -> None:
    bucket = cluster.server.storage.bucket("", "configmaps")
    async with http_api(cluster) as client:
        async with client.watch(CONFIGMAPS, resource_version="0"):
            assert len(bucket.watchers) == 1
        with anyio.fail_after(5):
            while bucket.watchers:
                await anyio.lowlevel.checkpoint()


async def test_a_cluster_ends_while_it_is_watched() -> None:
    with anyio.fail_after(10):
        async with AsyncExitStack() as later:
            async with DevCluster(Settings(serving=Serving())) as cluster:
                client = await later.enter_async_context(http_api(cluster))
                stream = await later.enter_async_context(client.watch(CONFIGMAPS, resource_version="0"))
            with pytest.raises(Unavailable):
                [event async for event in stream]


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with HttpApi(Access("http://127.0.0.1:1", None, bearer(lambda: ""))) as client:
        with pytest.raises(Unavailable, match="GET /api/v1/namespaces/default/configmaps/a"):
            await client.get(Reference(CONFIGMAPS, "default", "a"))


async def test_an_untrusted_certificate_is_not_talked_to(cluster: DevCluster) -> None:
    async with HttpApi(Access(cluster.url, ssl.create_default_context(), bearer(lambda: cluster.token))) as client:
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await client.list(CONFIGMAPS)


async def test_a_wrong_token_is_refused_and_a_rotated_one_taken(cluster: DevCluster) -> None:
    given = ["wrong", "wrong", "old", cluster.token]
    tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
    async with HttpApi(Access(cluster.url, tls, bearer(lambda: given.pop(0)))) as client:
        with pytest.raises(Unavailable, match="the credentials are refused: Unauthorized"):
            await client.list(CONFIGMAPS)
        assert (await client.list(CONFIGMAPS)).items == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "cannot be read"),
        ("just text", "not a kubeconfig"),
        ("{}", "no current-context"),
        ("current-context: x", "contexts has no 'x'"),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: y}}]", "clusters has no 'y'"),
    ],
)
def test_a_bad_kubeconfig_is_named_with_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(BadKubeconfig, match=problem) as bad:
        from_kubeconfig(str(path))
    assert str(path) in str(bad.value)


@pytest.mark.parametrize(
    "user", ["{token: mine}", "{username: me, password: mine}", "{client-certificate: /nowhere, client-key: /nowhere}"]
)
async def test_an_anonymous_access_says_nothing_of_the_user(tmp_path: Path, user: str) -> None:
    path = tmp_path / "config"
    path.write_text(
        f"current-context: x\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\n"
        f"clusters: [{{name: c, cluster: {{server: 'https://there:1'}}}}]\nusers: [{{name: u, user: {user}}}]\n"
    )
    access = from_kubeconfig(str(path), anonymous=True)

    assert access.url == "https://there:1"
    assert await access.headers() == {}
    if "nowhere" in user:
        with pytest.raises(BadKubeconfig, match="/nowhere cannot be read"):
            from_kubeconfig(str(path))
    else:
        assert await from_kubeconfig(str(path)).headers() != {}


async def test_what_was_answered_is_there_after_a_restart(tmp_path: Path) -> None:
    settings = Settings(definitions=[GIZMO], store=tmp_path / "data" / "objects.db")
    async with DevCluster(settings) as first:
        made = await first.api.create(GIZMOS, {"metadata": {"name": "g", "namespace": "default"}, "spec": {"size": 1}})
        gone = reference(CONFIGMAPS, await first.api.create(CONFIGMAPS, {"metadata": {"name": "c"}}))
        await first.api.delete(gone)
        before = (await first.api.list(CONFIGMAPS)).resource_version
    async with DevCluster(settings) as second:
        assert await second.api.get(reference(GIZMOS, made)) == made
        with pytest.raises(Gone):
            await second.api.get(gone)
        after = (await second.api.list(CONFIGMAPS)).resource_version
        assert int(after) >= int(before)
        late = await second.api.create(CONFIGMAPS, {"metadata": {"name": "c"}})
        assert int(late["metadata"]["resourceVersion"]) > int(before)


async def test_a_served_cluster_is_ready_in_well_under_a_second(tmp_path: Path) -> None:
    began = time.perf_counter()
    async with DevCluster(Settings(definitions=[GIZMO], serving=Serving(kubeconfig=tmp_path / "config"))) as cluster:
        ready_s = time.perf_counter() - began
        async with http_api(cluster) as client:
            with anyio.fail_after(5):
                await client.list(CONFIGMAPS)
    assert ready_s < 1.0


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip", "gzip"), ("identity", None)])
async def test_a_long_answer_is_compressed_for_who_takes_it(
    session: aiohttp.ClientSession, accepted: str, encoding: str | None
) -> None:
    long = {"metadata": {"name": "long"}, "data": {"k": "x" * 200_000}}
    async with session.post(CONFIGMAPS.path("default"), json=long, headers={"Accept-Encoding": "identity"}) as response:
        assert response.status == 201
    async with session.get(CONFIGMAPS.path("default"), headers={"Accept-Encoding": accepted}) as response:
        assert response.headers.get("Content-Encoding") == encoding
        assert len((await response.json())["items"][0]["data"]["k"]) == 200_000


async def test_a_list_can_be_of_a_version_of_before(session: aiohttp.ClientSession, cluster: DevCluster) -> None:
    first = await cluster.api.create(CONFIGMAPS, {"metadata": {"name": "a"}})
    await cluster.api.create(CONFIGMAPS, {"metadata": {"name": "b"}})
    await cluster.api.delete(reference(CONFIGMAPS, first))
    path, version = CONFIGMAPS.path("default"), first["metadata"]["resourceVersion"]
    asked = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
    async with session.get(path, params=asked) as response:
        then = await response.json()
    assert [item["metadata"]["name"] for item in then["items"]] == ["a"]
    assert then["metadata"]["resourceVersion"] == version
    async with session.get(path, params={**asked, "resourceVersionMatch": "NotOlderThan"}) as response:
        assert [item["metadata"]["name"] for item in (await response.json())["items"]] == ["b"]
    for wrong in ({"resourceVersion": ""}, {"resourceVersion": "0"}, {"resourceVersionMatch": "Odd"}):
        async with session.get(path, params={**asked, **wrong}) as response:
            assert response.status == 422
            assert (await response.json())["message"].startswith(
                'ListOptions.meta.k8s.io "" is invalid: resourceVersion'
            )


async def test_metrics_tell_what_is_stored_and_what_was_asked(session: aiohttp.ClientSession) -> None:
    async with session.get(CONFIGMAPS.path("default")) as response:
        assert response.status == 200
    async with session.get("/metrics") as response:
        text = await response.text()
    assert 'apiserver_storage_objects{resource="namespaces"} 4' in text
    assert 'apiserver_request_total{verb="GET",resource="configmaps",code="200"} 1' in text
    assert "process_cpu_seconds_total" in text

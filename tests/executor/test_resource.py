"""A resource template does to the API server what kubectl would, waits, and reports what it was asked for."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import redirect_stdout
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

from actors.contract import frame
from runtime.api import Gone, Refused
from runtime.objects import CONFIGMAPS, PODS, Reference
from tests.executor.pod import NONCE, Volume
from tiphys.devcluster import discovery
from tiphys.devcluster.cluster import DevCluster, Serving, Settings
from tiphys.executor.resource import Log, run
from tiphys.executor.resource_flags import BadFlag, parse_flags
from tiphys.executor.resource_kinds import Kinds, UnknownKind
from tiphys.executor.resource_outcome import Unsatisfied, output_values
from tiphys.executor.resource_verbs import BadManifest, Order


def config_map(name: str = "", **more: Any) -> str:
    meta = {"name": name} if name else {"generateName": "made-"}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta | more.pop("meta", {}), **more})


@pytest.fixture
async def cluster() -> AsyncIterator[DevCluster]:
    async with DevCluster() as running:
        yield running


def kinds(cluster: DevCluster) -> Kinds:
    catalog = cluster.server.catalog

    def fetch(path: str) -> dict[str, Any]:
        return (
            discovery.group_list(catalog)
            if path == "/apis"
            else discovery.resource_list(catalog, path.split("/", 2)[2])
        )

    return Kinds(fetch)


async def act(
    cluster: DevCluster, action: str, manifest: str = "", *flags: str, **more: Any
) -> tuple[dict[str, Any], str]:
    """Run one action; what it reported and what it printed."""
    own = {key: more.pop(key) for key in ("merge_strategy", "owner") if key in more}
    order = Order(action, "default", manifest, parse_flags(flags), **own)
    told: Any = {"container": "main", "parameters": more.pop("parameters", []), "resource": more}
    with redirect_stdout(io.StringIO()) as printed:
        content = await run(cluster.api, kinds(cluster), order, told, Log())
    return dict(content), printed.getvalue()


def ref(name: str) -> Reference:
    return Reference(CONFIGMAPS, "default", name)


@pytest.mark.spec("RES-1", "RES-5", "RES-7", "RES-9")
async def test_an_object_is_created_under_a_generated_name_with_its_owner(cluster: DevCluster) -> None:
    wanted = [{"name": "n", "jsonPath": "{.metadata.name}"}, {"name": "d", "jsonPath": "{.data.k}"}]
    await act(cluster, "create", config_map("owner"))
    uid = (await cluster.api.get(ref("owner")))["metadata"]["uid"]
    own = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}  # one that the collector finds
    content, printed = await act(cluster, "create", config_map(data={"k": "😀"}), owner=own, parameters=wanted)
    name = content["parameters"]["n"]
    assert content == {"code": 0, "parameters": {"n": name, "d": "😀"}}
    assert name.startswith("made-")
    assert f"configmaps/{name} created" in printed
    (owner,) = (await cluster.api.get(ref(name)))["metadata"]["ownerReferences"]
    assert owner == own | {"controller": True, "blockOwnerDeletion": True}


@pytest.mark.spec("RES-1", "RES-3")
async def test_every_action_does_what_it_says(cluster: DevCluster) -> None:
    await act(cluster, "create", config_map("a", data={"k": "1", "old": "x"}))
    await act(cluster, "replace", config_map("a", data={"k": "2", "old": "x"}))
    await act(cluster, "patch", config_map("a", data={"k": "3"}), merge_strategy="merge")
    assert (await cluster.api.get(ref("a")))["data"] == {"k": "3", "old": "x"}
    await act(cluster, "patch", config_map("a", data={"k": "4"}))
    patch = "- {op: remove, path: /data/old}"
    await act(cluster, "patch", patch, "configmap", "a", merge_strategy="json")
    assert (await cluster.api.get(ref("a")))["data"] == {"k": "4"}
    await act(cluster, "patch", "data: {k: '5'}", "configmap", "a", merge_strategy="merge")
    assert (await cluster.api.get(ref("a")))["data"] == {"k": "5"}
    await act(cluster, "apply", config_map("b", data={"k": "1"}))
    await act(cluster, "apply", config_map("b", data={"k": "2"}))
    assert (await cluster.api.get(ref("b")))["data"] == {"k": "2"}
    _, printed = await act(cluster, "get", config_map("b"))
    assert json.loads(printed)["data"] == {"k": "2"}
    await act(cluster, "delete", config_map("a"))
    await act(cluster, "delete", config_map("a"))
    with pytest.raises(Gone):
        await cluster.api.get(ref("a"))


@pytest.mark.spec("RES-4")
async def test_flags_name_or_select_what_is_meant(cluster: DevCluster) -> None:
    for name in ("a", "b", "c"):
        await act(cluster, "create", config_map(name, meta={"labels": {"clean": str(name != "c").lower()}}))
    await act(cluster, "delete", "", "configmap", "--selector", "clean=true")
    left = await cluster.api.list(CONFIGMAPS)
    assert [item["metadata"]["name"] for item in left.items if item["metadata"]["name"] in "abc"] == ["c"]
    content, _ = await act(cluster, "get", "", "cm/c", parameters=[{"name": "n", "jsonPath": "{.metadata.name}"}])
    assert content["parameters"] == {"n": "c"}
    content, _ = await act(
        cluster,
        "get",
        "",
        "cm",
        "nothing",
        "--ignore-not-found",
        parameters=[{"name": "n", "jsonPath": "{.a}", "default": "d"}],
    )
    assert content["parameters"] == {"n": "d"}


@pytest.mark.spec("RES-6")
async def test_conditions_are_followed_until_one_decides(cluster: DevCluster) -> None:
    await act(cluster, "create", config_map("a", data={"n": "1"}))
    watched = {"successCondition": "data.n > 2", "failureCondition": "data.state == bad"}

    async def later(*states: dict[str, str]) -> None:
        for state in states:
            await asyncio.sleep(0)
            await cluster.api.patch(ref("a"), {"data": state})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(later, {"n": "2"}, {"n": "3"})
        content, _ = await act(
            cluster, "get", config_map("a"), parameters=[{"name": "n", "jsonPath": "{.data.n}"}], **watched
        )
    assert content["parameters"] == {"n": "3"}
    await cluster.api.patch(ref("a"), {"data": {"state": "bad"}})
    with pytest.raises(Unsatisfied, match=r"failure condition 'data\.state == bad' evaluated true"):
        await act(cluster, "get", config_map("a"), **watched)


@pytest.mark.spec("RES-8")
async def test_a_watched_object_that_is_deleted_is_an_error(cluster: DevCluster) -> None:
    await act(cluster, "create", config_map("a"))

    async def delete() -> None:
        await asyncio.sleep(0.05)
        await cluster.api.delete(ref("a"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(delete)
        said = (
            "The resource has been deleted while its status was still being checked. "
            'Will not be retried: configmaps "a" not found'
        )
        with pytest.raises(Unsatisfied, match=f"^{re.escape(said)}$"):
            await act(cluster, "get", config_map("a"), successCondition="data.x == y")


@pytest.mark.spec("RES-6")
@pytest.mark.parametrize(("field", "word"), [("successCondition", "success"), ("failureCondition", "fail")])
async def test_a_condition_that_cannot_be_read_is_told_when_the_action_is_done(
    cluster: DevCluster, field: str, word: str
) -> None:
    with pytest.raises(Unsatisfied, match=f"^{word} condition 'a = = b' failed to parse: "):
        await act(cluster, "create", config_map("a"), **{field: "a = = b"})
    assert (await cluster.api.get(ref("a")))["metadata"]["name"] == "a"


@pytest.mark.spec("RES-4", "RES-9")
async def test_outputs_of_an_absent_object_are_empty_or_their_defaults(cluster: DevCluster) -> None:
    wanted = [{"name": "a", "jqFilter": "no filter"}, {"name": "b", "jsonPath": "{.x[0]}", "default": "d"}]
    content, _ = await act(cluster, "get", config_map("a"), "--ignore-not-found", parameters=wanted)
    assert content == {"code": 0, "parameters": {"a": "", "b": "d"}}


@pytest.mark.parametrize(
    ("action", "manifest", "flags", "error"),
    [
        ("create", "a: [", (), BadManifest),
        ("create", "just text", (), BadManifest),
        ("create", "{apiVersion: v1, kind: Nothing, metadata: {name: x}}", (), UnknownKind),
        ("get", "{apiVersion: v1, kind: ConfigMap, metadata: {}}", (), BadManifest),
        ("get", "{apiVersion: v1, kind: ConfigMap, metadata: {name: absent}}", (), Gone),
        ("create", "{apiVersion: v1, kind: ConfigMap, metadata: {name: Bad_Name}}", (), Refused),
        ("delete", "", ("gadget", "x"), UnknownKind),
        ("delete", "", ("pod",), BadManifest),
        ("delete", "", (), BadManifest),
        ("create", "", ("--dance",), BadFlag),
        ("create", "", ("--grace-period", "soon"), BadFlag),
        ("create", "", ("pod", "a/b"), BadFlag),
    ],
)
async def test_what_cannot_be_done_says_why(
    cluster: DevCluster, action: str, manifest: str, flags: tuple[str, ...], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        await act(cluster, action, manifest, *flags)
    assert str(caught.value)


@pytest.mark.spec("RES-10")
@pytest.mark.parametrize(
    ("action", "more", "words"),
    [
        ("delete", {"successCondition": "a"}, "successCondition, failureCondition and outputs are not supported for"),
        ("delete", {"failureCondition": "a"}, "successCondition, failureCondition and outputs are not supported for"),
        ("delete", {"parameters": [{"name": "n", "jsonPath": "{.a}"}]}, "outputs are not supported for delete action"),
        ("patch", {"merge_strategy": "y"}, '--type must be one of .json merge strategic., not "y"'),
    ],
)
async def test_what_goes_not_together_is_refused_before_anything_is_done(
    cluster: DevCluster, action: str, more: dict[str, Any], words: str
) -> None:
    await act(cluster, "create", config_map("a"))
    with pytest.raises(BadManifest, match=words):
        await act(cluster, action, config_map("a"), **more)
    assert await cluster.api.get(ref("a"))
    with pytest.raises(BadManifest, match="Must provide at least one of flags or manifest"):
        await act(cluster, "get")


async def test_several_objects_are_created_in_order_but_cannot_be_waited_for(cluster: DevCluster) -> None:
    both = config_map("a") + "\n---\n" + config_map("b")
    content, printed = await act(cluster, "create", both)
    assert content == {"code": 0, "parameters": {}}
    assert printed.splitlines() == ["configmaps/a created", "configmaps/b created"]
    with pytest.raises(BadManifest, match="one object"):
        await act(cluster, "get", both, successCondition="a")


def test_flags_are_kubectls() -> None:
    flags = parse_flags(
        ["pod", "a", "b", "-l=x=y", "--validate=false", "-o", "json", "-n", "ns", "--wait=false", "--grace-period=0"]
    )
    assert flags.targets == [("pod", "a"), ("pod", "b")]
    assert (flags.selector, flags.namespace, flags.wait, flags.grace_s) == ("x=y", "ns", False, 0)


@pytest.mark.spec("RES-9")
@pytest.mark.skipif(sys.platform == "win32", reason="the package jq is not made for it")
def test_jq_filters_print_texts_as_they_are_and_values_as_go_does() -> None:
    thing = {"a": ["x", 1, {"b": None, "a": "<"}]}
    wanted: Any = [
        {"name": str(i), "jqFilter": text} for i, text in enumerate([".a[0]", ".a[1]", ".a[2]", ".a[0:2][]"])
    ]
    assert output_values(thing, wanted) == ({"0": "x", "1": "1", "2": '{"a":"\\u003c","b":null}', "3": "x\n1"}, "")


def test_an_output_that_is_not_there_is_empty_its_default_or_an_error() -> None:
    wanted: Any = [{"name": "p", "jsonPath": "{.x"}, {"name": "d", "jsonPath": "{.x", "default": "v"}]
    values, error = output_values({}, wanted)
    assert values == {"d": "v"}
    assert "'p'" in error


# ------------------------------------------------------------------------------------------------ as a program


async def program(volume: Volume, cluster: DevCluster, action: str, told: dict[str, Any]) -> tuple[int, str, Any]:
    token = volume.directory / "token-volume"
    token.mkdir(exist_ok=True)
    (token / "token").write_text(cluster.token)
    (token / "ca.crt").write_bytes(cluster.ca_pem)
    (token / "namespace").write_text("default")
    address = urlsplit(cluster.url)
    env = volume.env({"container": "main", "nonce": NONCE, "budget": 1500, **told}) | {
        "TIPHYS_MOUNT_TIPHYS_TOKEN": str(token),
        "KUBERNETES_SERVICE_HOST": str(address.hostname),
        "KUBERNETES_SERVICE_PORT": str(address.port),
    }
    ran = await anyio.run_process([sys.executable, "-m", "tiphys.executor", "resource", action], env=env, check=False)
    text = (volume.directory / "termination-main").read_text()
    return ran.returncode, ran.stdout.decode() + ran.stderr.decode(), frame.decode(text, NONCE)


@pytest.mark.spec("RES-1", "RES-2", "RES-11")
async def test_the_program_talks_https_with_its_own_token(volume: Volume) -> None:
    async with DevCluster(Settings(serving=Serving())) as cluster:
        (volume.directory / "manifest.yaml").write_text(config_map("a", data={"k": "v"}))
        section = {
            "action": "create",
            "namespace": "default",
            "manifestFile": "manifest.yaml",
            "successCondition": "data.k == v",
        }
        told = {"resource": section, "parameters": [{"name": "k", "jsonPath": "{.data.k}"}]}
        code, printed, content = await program(volume, cluster, "create", told)
        assert (code, content) == (0, {"code": 0, "parameters": {"k": "v"}}), printed
        code, printed, content = await program(volume, cluster, "create", told)
        assert code == 64
        assert "already exists" in content["message"]
        assert "already exists" in printed
        pods = await cluster.api.list(PODS)
        assert pods.items == []

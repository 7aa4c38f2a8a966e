"""Logs of pods, chosen as a person says which, and of pods that are gone where their logs were archived."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from runtime.objects import PODS, SECRETS, Object, Reference
from tests.executor.test_driver_plugins import DRIVER
from tiphys.cli import logs, selection
from tiphys.cli.problems import InputError
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer


@pytest.fixture
async def api() -> InProcessApi:
    server = ApiServer()
    server.start()
    return InProcessApi(server)


def node(name: str, **more: Any) -> Object:
    entry = {"id": name, "name": name, "displayName": name.rpartition(".")[2], "type": "Pod", "phase": "Succeeded"}
    return {**entry, **more}


def workflow(*nodes: Object) -> Object:
    meta = {"name": "w", "namespace": "default"}
    return {"metadata": meta, "status": {"phase": "Succeeded", "nodes": {entry["id"]: entry for entry in nodes}}}


def archived(location: Object, name: str = "main-logs") -> Object:
    return {"artifacts": [{"name": name, **location}]}


async def texts(api: InProcessApi, thing: Object, **wishes: Any) -> list[str]:
    return [line.text for line in await logs.present(api, thing, logs.Wishes(**wishes))]


@pytest.mark.spec("CLI-4")
async def test_the_archived_log_of_a_pod_that_is_gone_is_shown(api: InProcessApi, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "main.log").write_text("first\nsecond\n")
    location = {"s3": {"endpoint": f"file://{tmp_path}", "bucket": "b", "key": "main.log"}}
    gone = workflow(node("w", outputs=archived(location)))

    assert await texts(api, gone) == ["first", "second"]
    assert await texts(api, gone, grep="^f") == ["first"]
    assert await texts(api, gone, tail=1) == ["second"]
    assert await texts(api, gone, container="wait") == ["(no log: the pod is gone, and its log was not archived)"]


@pytest.mark.spec("CLI-4")
async def test_the_stores_secrets_are_read_as_whoever_asks(
    api: InProcessApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "kept-1.dist-info").mkdir(parents=True)
    source = DRIVER.replace("target.write_bytes(_kept(place).read_bytes())", "target.write_text(_secret(place))")
    source = source.replace("if not _kept(place).exists():", "if False:")
    source += (
        "\ndef _secret(place):\n    from tiphys.executor.artifacts.credentials import secret_text\n"
        "    return 'with ' + secret_text(place.section, 'tokenSecret')\n"
    )
    (site / "kept_driver.py").write_text(source)
    (site / "kept-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: kept\nVersion: 1\n")
    (site / "kept-1.dist-info" / "entry_points.txt").write_text("[tiphys.artifact_drivers]\nkept = kept_driver\n")
    monkeypatch.syspath_prepend(str(site))
    section = {"name": "kept", "key": "k", "configuration": "", "tokenSecret": {"name": "s", "key": "t"}}
    gone = workflow(node("w", outputs=archived({"plugin": section})))

    assert "secret 's' of the store cannot be read" in (await texts(api, gone))[0]
    meta = {"name": "s", "namespace": "default"}
    data = {"t": base64.b64encode(b"canary").decode()}
    await api.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})
    assert await texts(api, gone) == ["with canary"]


@pytest.mark.spec("CLI-4")
async def test_a_store_that_does_not_answer_is_a_sentence(api: InProcessApi, tmp_path: Path) -> None:
    location = {"s3": {"endpoint": f"file://{tmp_path}", "bucket": "b", "key": "nothing"}}
    (line,) = await texts(api, workflow(node("w", outputs=archived(location))))
    assert line.startswith("(no log: the pod is gone; the archived log cannot be loaded")


@pytest.mark.spec("CLI-4")
async def test_a_node_is_meant_by_its_pod_its_id_or_its_name(api: InProcessApi) -> None:
    thing = workflow(node("w[0].a", id="w-1", templateName="t"), node("w[0].b", id="w-2", templateName="t"))
    (first, _) = logs.sources(thing)
    for wish in (first.pod, "w-1", "w[0].a", "a"):
        lines = await logs.present(api, thing, logs.Wishes(pod=wish))
        assert {line.pod for line in lines} == {first.pod}
    assert await texts(api, thing, pod="c") == []


@pytest.mark.spec("CLI-4")
def test_of_a_container_set_every_container_is_read_unless_one_is_asked_for() -> None:
    below = [node(f"w.{name}", type="Container", boundaryID="w") for name in ("a", "b.c")]
    thing = workflow(node("w", children=["w.a"]), *below)
    assert [source.container for source in logs.sources(thing)] == ["a", "b.c"]
    assert [source.container for source in logs.sources(thing, "wait")] == ["wait"]
    assert [source.container for source in logs.sources(workflow(node("w")))] == ["main"]


@pytest.mark.spec("CLI-4")
async def test_pods_are_chosen_by_their_labels(api: InProcessApi) -> None:
    thing = workflow(node("w", id="w", templateName="t"), node("v", id="v", templateName="t"))
    chosen = logs.sources(thing)[0].pod
    meta = {"name": chosen, "namespace": "default", "labels": {"tier": "one"}}
    spec = {"containers": [{"name": "main", "image": "x"}]}
    await api.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    lines = await logs.present(api, thing, logs.Wishes(labels="tier=one"))
    assert {line.pod for line in lines} == {chosen}
    assert await api.get(Reference(PODS, "default", chosen))


@pytest.mark.spec("CLI-4")
def test_looking_back_is_a_length_or_a_moment() -> None:
    assert selection.since("", "", 100.0) is None
    assert selection.since("2m", "", 100.0) == 120
    assert selection.since("", "1970-01-01T00:01:00Z", 100.0) == 40
    with pytest.raises(InputError, match="exclude"):
        selection.since("1m", "1970-01-01T00:01:00Z", 100.0)
    with pytest.raises(InputError, match="--since-time 'yesterday'"):
        selection.since("", "yesterday", 100.0)

"""Commands see nodes that a database keeps, write them there, and say in a sentence what they lack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from actors.packing import VERSION
from runtime.api import Api
from runtime.objects import CONFIGMAPS, Object, Reference, reference
from tests.cli.test_rerun import NOW, PLAIN, cluster, failed
from tests.persistence.workflows import archived
from tiphys.cli import control, explain, logs, rerun, verbs
from tiphys.cli.connect import Connection
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.offloaded import NodesApi, plain
from tiphys.cli.problems import InputError
from tiphys.cli.rerun import Again
from tiphys.cli.verbs import After
from tiphys.persistence.engine import Store
from tiphys.persistence.nodes import OffloadedNodes
from tiphys.persistence.settings import Database
from tiphys.persistence.tables import archive_tables


@asynccontextmanager
async def kept(folder: Path, workflow: Object, *, named: bool = True) -> AsyncIterator[tuple[Connection, Reference]]:
    """A cluster with one workflow, whose nodes are in a database that the ConfigMap names."""
    path = str(folder / "nodes.db")
    store = Store(Database("sqlite", path))
    await archived(store)
    async with cluster() as at:
        if named:
            config = {"persistence": f"{{nodeStatusOffLoad: true, sqlite: {{path: {path}}}}}"}
            meta = {"name": "workflow-controller-configmap", "namespace": "default"}
            await at.api.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": config})
        thing = await at.api.create(WORKFLOWS, workflow)
        uid, status = thing["metadata"]["uid"], dict(thing["status"])
        version = await OffloadedNodes(store, archive_tables()).save(uid, "default", orjson.dumps(status.pop("nodes")))
        await store.close()
        thing = await at.api.replace(WORKFLOWS, {**thing, "status": {**status, VERSION: version}})
        whole = NodesApi(at.api, "default")
        try:
            yield at._replace(api=whole), reference(WORKFLOWS, thing)
        finally:
            await whole.close()


def waiting() -> Object:
    thing = failed("Running")
    thing["metadata"]["labels"] = {}
    gate = {"id": "g", "name": "w.gate", "displayName": "gate", "type": "Suspend", "phase": "Running"}
    thing["status"] = {"phase": "Running", "startedAt": thing["status"]["startedAt"], "nodes": {"g": gate}}
    return thing


async def raw(api: Api, ref: Reference) -> dict[str, Any]:
    status: dict[str, Any] = (await plain(api).get(ref))["status"]
    return status


@pytest.mark.spec("OFF-3")
async def test_get_logs_and_explain_show_nodes_that_a_database_keeps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with kept(tmp_path, failed()) as (at, ref):
        await verbs.get(at, ref, "", PLAIN)
        assert "main" in capsys.readouterr().out.split("STEP", 1)[1]
        await verbs.show_logs(at, ref, logs.Wishes(), follow=False)
        assert "the pod is gone" in capsys.readouterr().out
        assert "w is Failed: no message" in "\n".join(await explain.sentences(at.api, "default", "w", NOW))


@pytest.mark.spec("OFF-3")
@pytest.mark.spec("CLI-7")
async def test_a_retry_writes_its_nodes_to_the_database_first(tmp_path: Path) -> None:
    async with kept(tmp_path, failed()) as (at, ref):
        before = await raw(at.api, ref)
        assert await rerun.rerun(at, [ref], rerun.retrying(Again()), After(output="name"), PLAIN) == 0
        after = await raw(at.api, ref)
        assert "nodes" not in after
        assert after[VERSION] != before[VERSION]
        assert (await at.api.get(ref))["status"]["nodes"].get("w", {}).get("phase") != "Failed"


@pytest.mark.spec("OFF-3")
@pytest.mark.spec("CLI-8")
async def test_a_resubmit_takes_nodes_from_the_database(tmp_path: Path) -> None:
    async with kept(tmp_path, failed("Succeeded")) as (at, ref):
        wish = rerun.resubmitting(Again(memoized=True))
        with pytest.raises(Exception, match="must be"):  # it has succeeded: that much is known
            await wish(at.api, ref)
    async with kept(tmp_path, failed()) as (at, ref):
        made = await rerun.resubmitting(Again())(at.api, ref)
        assert VERSION not in (made.get("status") or {})


@pytest.mark.spec("OFF-3")
async def test_a_suspended_node_is_resumed_in_the_database(tmp_path: Path) -> None:
    async with kept(tmp_path, waiting()) as (at, ref):
        await control.change(at.api, ref, lambda thing: control.resumed(thing, [], NOW))
        assert "nodes" not in await raw(at.api, ref)
        assert (await at.api.get(ref))["status"]["nodes"]["g"]["phase"] == "Succeeded"


@pytest.mark.spec("OFF-3")
async def test_what_needs_no_nodes_needs_no_database_and_the_rest_says_what_is_missing(tmp_path: Path) -> None:
    async with kept(tmp_path, waiting(), named=False) as (at, ref):
        before = await raw(at.api, ref)
        stopping = verbs.stopping([], "")
        assert await verbs.steer(at._replace(api=plain(at.api)), [ref], stopping, "stopped", {}) == 0
        assert await raw(at.api, ref) == before
        missing = (
            "the nodes of workflow w are kept in a database, and no ConfigMap workflow-controller-configmap in argo or "
            "default that you may read names one under `persistence`"
        )
        with pytest.raises(InputError, match=missing):
            await at.api.get(ref)
        told = await explain.sentences(at.api, "default", "w", NOW)
        assert f"  {missing}" in told
    async with kept(tmp_path, waiting()) as (at, ref):
        (tmp_path / "nodes.db").unlink()
        with pytest.raises(InputError, match="cannot be read: the database has no nodes fnv:"):
            await at.api.get(ref)

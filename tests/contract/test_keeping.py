"""`--data`: what was answered stays, through kills, full disks and restarts, and nobody is told what might not stay."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from random import Random

import anyio
import pytest

from runtime.api import Expired, Gone, Unavailable
from runtime.client import HttpApi
from runtime.objects import CONFIGMAPS, SERVICE_ACCOUNTS, Object, Reference, reference
from tests.contract import killed
from tests.contract.conftest import GIZMO, GIZMOS
from tiphys.devcluster import tokens
from tiphys.devcluster.cluster import DevCluster, Serving, Settings
from tiphys.devcluster.persistence import Disk, UnreadableStore
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Bucket, Change, Storage


def config(name: str, size: int = 1) -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, "data": {"k": "x" * size}}


async def test_kill_9_under_load_loses_no_acknowledged_write(tmp_path: Path) -> None:
    """Twice here; `python -m tests.contract.killed 20` does it twenty times."""
    written, slowest = await killed.rounds(tmp_path, 2)
    assert written > 10
    assert slowest < killed.READY_MAX_S


async def test_a_kubeconfig_outlives_a_restart(tmp_path: Path) -> None:
    config_path = tmp_path / "config"
    settings = Settings(store=tmp_path / "data" / "objects.db", serving=Serving(kubeconfig=config_path))
    async with DevCluster(settings) as first:
        url = first.url
    async with DevCluster(Settings(store=settings.store, serving=Serving())) as second:
        assert second.url == url
        async with HttpApi.from_kubeconfig(str(config_path)) as client:
            assert (await client.list(CONFIGMAPS)).items == []
    for file in (tmp_path / "data").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


async def test_a_service_accounts_token_outlives_a_restart(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "objects.db", serving=Serving())
    async with DevCluster(settings) as first:
        account = await first.api.get(Reference(SERVICE_ACCOUNTS, "default", "default"))
        now = first.server.now()
        token = tokens.issue(first.server.signing_key, account, {}, now, now + 60)
    async with DevCluster(settings) as second:
        user = second.server.user_of(token)
        assert user is not None
        assert user.name == "system:serviceaccount:default:default"
    async with DevCluster(Settings(serving=Serving())) as another:
        assert another.server.user_of(token) is None


async def test_a_version_of_before_the_restart_is_answered_with_410(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "objects.db")
    async with DevCluster(settings) as first:
        old = (await first.api.create(CONFIGMAPS, config("a")))["metadata"]["resourceVersion"]
        await first.api.create(CONFIGMAPS, config("b"))
    async with DevCluster(settings) as second:
        with pytest.raises(Expired):
            async with second.api.watch(CONFIGMAPS, resource_version=old) as events:
                await anext(events)


async def test_a_second_cluster_on_the_same_data_is_refused_with_a_sentence(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "objects.db")
    async with DevCluster(settings):
        with pytest.raises(UnreadableStore, match=r"objects\.db.*another dev cluster is using it.*another --data"):
            async with DevCluster(settings):
                pass


async def test_what_is_no_store_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "objects.db"
    path.write_text("something else that somebody needs" * 100)
    with pytest.raises(UnreadableStore, match="no store of a dev cluster"):
        async with DevCluster(Settings(store=path)):
            pass
    with pytest.raises(UnreadableStore, match="cannot be opened"):
        async with DevCluster(Settings(store=Path("/proc/nothing/objects.db"))):
            pass


@pytest.mark.parametrize("durable", [False, True])
async def test_a_full_disk_refuses_writes_and_memory_never_runs_ahead(tmp_path: Path, durable: bool) -> None:
    settings = Settings(definitions=[GIZMO], store=tmp_path / "objects.db", durable=durable)
    async with DevCluster(settings) as cluster:
        api = cluster.api
        kept = await api.create(CONFIGMAPS, config("kept"))
        version = (await api.list(CONFIGMAPS)).resource_version
        async with api.watch(CONFIGMAPS, resource_version=version) as events:
            fill(cluster)
            with pytest.raises(Unavailable, match=r"nothing was changed: .*objects\.db.*full"):
                await api.create(CONFIGMAPS, config("lost", 300_000))
            with pytest.raises(Gone):
                await api.get(Reference(CONFIGMAPS, "default", "lost"))
            fill(cluster, pages=100_000)
            after = await api.create(CONFIGMAPS, config("after"))
            with anyio.fail_after(5):
                assert (await anext(events)).object["metadata"]["name"] == "after"
        assert int(after["metadata"]["resourceVersion"]) == int(version) + 1
        assert await api.create(GIZMOS, {"metadata": {"name": "g"}, "spec": {"size": 1}})
    async with DevCluster(settings) as again:
        assert await again.api.get(reference(CONFIGMAPS, kept)) == kept
        assert {c["metadata"]["name"] for c in (await again.api.list(CONFIGMAPS)).items} == {"kept", "after"}


def fill(cluster: DevCluster, pages: int = 1) -> None:
    """Let the file grow to so many pages and no further, as on a disk that is full."""
    keeper = cluster.server.storage.keeper
    assert isinstance(keeper, Disk)
    assert keeper._file is not None
    keeper._file.execute(f"PRAGMA max_page_count={pages}")


async def test_many_writes_at_once_share_a_transaction(tmp_path: Path) -> None:
    async with DevCluster(Settings(store=tmp_path / "objects.db")) as cluster:
        keeper = cluster.server.storage.keeper
        assert isinstance(keeper, Disk)
        assert keeper._file is not None
        statements: list[str] = []
        keeper._file.set_trace_callback(statements.append)
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(cluster.api.create, CONFIGMAPS, config(f"c{number}"))
        keeper._file.set_trace_callback(None)
        assert sum("COMMIT" in statement for statement in statements) <= 2
    with sqlite3.connect(tmp_path / "objects.db") as file:
        assert file.execute("SELECT count(*) FROM objects WHERE plural='configmaps'").fetchone() == (50,)
    file.close()


class Holding:
    """A keeper that decides nothing by itself."""

    def __init__(self, storage: Storage) -> None:
        self.held: list[tuple[Bucket, Change]] = []
        storage.keeper = self

    def hold(self, bucket: Bucket, change: Change) -> None:
        self.held.append((bucket, change))


def seen(storage: Storage) -> list[str]:
    """All that is stored, in order."""
    return [
        record.json.decode()
        for bucket in sorted(storage.buckets.values(), key=lambda b: b.plural)
        for record in bucket.in_order(None)
    ]


def test_what_could_not_be_kept_has_never_been() -> None:
    """Random walks: after undoing, the store and what watchers hear are as if the last changes had not come."""
    for seed in range(40):
        dice, storage = Random(seed), Storage()
        keeper = Holding(storage)
        bucket = storage.bucket("", "things")
        watcher = storage.watch(bucket, None, None, None)
        for _ in range(20):
            before, version = seen(storage), storage.version
            for _ in range(dice.randrange(6)):
                name = dice.choice("abcdef")
                record = bucket.records.get(("n", name))
                if record is not None and dice.random() < 0.4:
                    storage.remove(bucket, record)
                else:
                    storage.put(bucket, {"metadata": {"namespace": "n", "name": name}, "v": storage.version})
            held, keeper.held = keeper.held, []
            assert storage.settled == version
            assert watcher.take_ready() is None
            if dice.random() < 0.5:
                storage.rewind(held)
                assert (seen(storage), storage.version) == (before, version)
                continue
            for where, change in held:
                storage.release(where, change)
                event = watcher.take_ready()
                assert event is not None
                assert event.record is change.record
        assert storage.settled == storage.version


def test_a_definition_that_could_not_be_kept_is_not_served() -> None:
    server = ApiServer()
    server.start()
    keeper = Holding(server.storage)
    kind = server.catalog.find("apiextensions.k8s.io/v1", "customresourcedefinitions")
    assert kind is not None
    server.rest.create(kind, "", {**GIZMO, "metadata": {**GIZMO["metadata"]}})
    assert server.catalog.find("lab.example.com/v1", "gizmos") is not None
    server.storage.rewind(keeper.held)
    assert server.catalog.find("lab.example.com/v1", "gizmos") is None

"""How long a page of the archive takes to read, by the clock on the wall: 100,000 workflows, each kind of question.

    python bench/archive.py [--rows 100000] [--page 500] [--postgresql]

The database is filled once, a thousand rows a transaction; then every question is asked several times over one open
connection, as a controller or `tiphys archive list` does. The median must stay below LIMIT_MS; else it ends with 1.
"""

# ruff: noqa: T201  a program prints

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors.names.timestamps import rfc3339
from runtime.objects import Object
from tests.persistence import postgres
from tiphys.persistence.archive import Archive, Place, Query
from tiphys.persistence.engine import Credentials, Store
from tiphys.persistence.migrations import archive_plan, migrate
from tiphys.persistence.settings import Database
from tiphys.persistence.summary import moment, summary_of
from tiphys.persistence.tables import Tables, archive_tables

LIMIT_MS = 100.0
TIMES = 9  # each question
CHUNK = 1000  # rows in a transaction
BEGAN = 1_760_000_000.0  # the oldest one; another every ten seconds
APART_S = 10.0
NODES = 20  # of each workflow
PHASE_LABEL, COMPLETED_LABEL = "workflows.argoproj.io/phase", "workflows.argoproj.io/completed"


def workflow(number: int) -> Object:
    """One of them: ten namespaces, a hundred teams, one in ten has failed, one in ten thousand ended as an Error."""
    name, at = f"batch-{number % 997}-{number}", BEGAN + APART_S * number
    phase = "Error" if number % 10_000 == 5 else "Failed" if number % 10 == 0 else "Succeeded"
    node = {"name": name, "type": "Pod", "phase": phase, "startedAt": rfc3339(at), "finishedAt": rfc3339(at + 60)}
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {
            "name": name, "namespace": f"space-{number % 10}", "uid": f"{number:08x}-0000-4000-8000-000000000000",
            "creationTimestamp": rfc3339(at),
            "labels": {"team": f"t{number % 100}", PHASE_LABEL: phase, COMPLETED_LABEL: "true"},
        },
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "busybox"}}]},
        "status": {
            "phase": phase, "startedAt": rfc3339(at), "finishedAt": rfc3339(at + 60), "progress": "1/1",
            "nodes": {f"{name}-{one}": node for one in range(NODES)},
        },
    }  # fmt: skip


def row(thing: Object) -> dict[str, Any]:
    """As the archive writes it."""
    meta, status = thing["metadata"], thing["status"]
    return {
        "clustername": "default", "instanceid": "", "uid": meta["uid"], "name": meta["name"],
        "namespace": meta["namespace"], "phase": status["phase"], "startedat": moment(status["startedAt"]),
        "finishedat": moment(status["finishedAt"]), "creationtimestamp": moment(meta["creationTimestamp"]),
        "summary": summary_of(thing), "workflow": thing,
    }  # fmt: skip


async def fill(store: Store, tables: Tables, rows: int) -> None:
    """Write them all."""
    for first in range(0, rows, CHUNK):
        things = [workflow(number) for number in range(first, min(first + CHUNK, rows))]
        labels = [
            {"clustername": "default", "uid": thing["metadata"]["uid"], "name": name, "value": value}
            for thing in things
            for name, value in thing["metadata"]["labels"].items()
        ]
        async with store.writing() as connection:
            await connection.execute(tables.archived.insert(), [row(thing) for thing in things])
            await connection.execute(tables.labels.insert(), labels)


def questions(rows: int) -> dict[str, tuple[Query, Place | None]]:
    """What is asked, and where the page begins."""
    middle = BEGAN + APART_S * (rows // 2)
    asked = {
        "the newest": Query(),
        "a namespace": Query(namespace="space-3"),
        "a namespace of nobody": Query(namespace="nowhere"),
        "a phase": Query(phases=("Failed",)),
        "a phase that few have": Query(phases=("Error",)),
        "a phase that none has": Query(phases=("Running",)),
        "that in a namespace": Query(namespace="space-3", phases=("Running",)),
        "a label": Query(labels="team=t7"),
        "a label that none bears": Query(labels="team=nobody"),
        "a label that most bear": Query(labels=f"{PHASE_LABEL}=Succeeded"),
        "a label and a namespace": Query(namespace="space-7", labels="team=t7"),
        "labels that exclude": Query(labels=f"{COMPLETED_LABEL},{PHASE_LABEL}=Failed,team=t7"),
        "without a label": Query(labels="team!=t7"),
        "without what most bear": Query(labels=f"{PHASE_LABEL}!=Succeeded"),
        "without what all bear": Query(labels=f"!{COMPLETED_LABEL}"),
        "a time": Query(started_after=middle - 50_000, started_before=middle),
        "ended long ago": Query(finished_before=BEGAN + APART_S * (rows // 100)),
        "a name": Query(name=f"batch-1-{997 * (rows // 1994) + 1}"),
        "a name's beginning": Query(name="batch-12", name_is="prefix"),
        "a beginning of all": Query(name="batch-", name_is="prefix"),
        "a beginning of none": Query(name="nothing", name_is="prefix"),
        "a part of a name": Query(name="h-12-", name_is="contains"),
        "a part of all": Query(name="batch", name_is="contains"),
        "a part that none has": Query(name="nothing", name_is="contains"),
    }
    return {name: (query, None) for name, query in asked.items()} | {"deep inside": (Query(), Place(middle, "f"))}


class Took(NamedTuple):
    """Milliseconds of one question, asked several times, and how many workflows came."""

    median_ms: float
    most_ms: float
    cpu_ms: float
    items: int


async def took(archive: Archive, query: Query, page: int, after: Place | None) -> Took:
    """Ask it."""
    walls, cpus, items = [], [], 0
    for _ in range(TIMES):
        wall, cpu = time.perf_counter(), time.process_time()
        items = len((await archive.page(query, page, after)).items)
        walls.append(1000 * (time.perf_counter() - wall))
        cpus.append(1000 * (time.process_time() - cpu))
    return Took(median(walls), max(walls), median(cpus), items)


async def measure(database: Database, credentials: Credentials, rows: int, page: int) -> bool:
    """Fill it and ask; whether every median is below the limit."""
    store, tables = Store(database, credentials), archive_tables()
    try:
        await migrate(store, archive_plan(tables))
        began = time.perf_counter()
        await fill(store, tables, rows)
        print(f"{database.driver}: {rows} workflows of {NODES} nodes in {time.perf_counter() - began:.0f} s")
        archive, good = Archive(store, tables), True
        print(f"{'pages of ' + str(page):26} {'median ms':>10} {'most ms':>10} {'CPU ms':>10} {'found':>7}")
        for name, (query, after) in questions(rows).items():
            told = await took(archive, query, page, after)
            good = good and told.median_ms < LIMIT_MS
            print(f"{name:26} {told.median_ms:10.1f} {told.most_ms:10.1f} {told.cpu_ms:10.1f} {told.items:7}")
        return good
    finally:
        await store.close()


@contextmanager
def place(*, server: bool) -> Iterator[tuple[Database, Credentials]]:
    """An empty database. Raises SystemExit where there is no server."""
    with tempfile.TemporaryDirectory(prefix="tiphys-archive-") as folder:
        if not server:
            yield Database("sqlite", str(Path(folder) / "archive.db")), Credentials()
            return
        with postgres.server() as port:
            if port is None:
                raise SystemExit("no PostgreSQL on this machine")
            yield (
                Database("postgresql", "postgres", "127.0.0.1", port),
                Credentials(postgres.USER, postgres.PASSWORD),
            )


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--page", type=int, default=500)
    parser.add_argument("--postgresql", action="store_true", help="a server of its own instead of a file")
    told = parser.parse_args(words)
    with place(server=told.postgresql) as (database, credentials):
        good = asyncio.run(measure(database, credentials, told.rows, told.page))
    if not good:
        print(f"a page took longer than {LIMIT_MS:g} ms")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""`tiphys archive`: what upstream's client prints, from a file or from a cluster's database."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from actors.names import labels
from actors.workflow.state import WORKFLOWS
from runtime.api import Api
from runtime.objects import Object, Reference, reference
from tests.persistence.workflows import archived, finished
from tiphys.cli import archive_verbs as verbs
from tiphys.cli.app import run_app
from tiphys.cli.archive_place import Asked
from tiphys.cli.connect import Connection
from tiphys.cli.rerun import Again
from tiphys.cli.session import SessionSettings, opened
from tiphys.persistence.archive import Archive
from tiphys.persistence.engine import Store
from tiphys.persistence.settings import Database
from tiphys.persistence.tables import archive_tables

ONE, TWO = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a22"


@pytest.fixture
def file(tmp_path: Path) -> str:
    """An archive with three workflows, two of them of one name."""
    path = str(tmp_path / "archive.db")

    async def fill() -> None:
        store = Store(Database("sqlite", path))
        archive = await archived(store)
        await archive.save(finished("one", uid=ONE, phase="Failed", labels={"team": "x"}))
        await archive.save(finished("two", uid=TWO, started=2000.0, labels={"team": "y"}))
        await archive.save(finished("two", "other", uid="u3", started=3000.0))
        await archive.save(finished("one", "other", uid="u4", started=500.0))
        await archive.save(finished("one", "other", uid="u5", started=600.0))
        await store.close()

    anyio.run(fill)
    return path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run_app(["archive", *words])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.spec("CLI-19")
def test_the_list_shows_namespaces_and_uids_newest_first(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "list", "--archive", file, "--chunk-size", "1")

    head, *rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert head[0] == "NAMESPACE"
    assert head[-1] == "UID"
    assert [row[-1] for row in rows] == ["u3", TWO, ONE, "u5", "u4"]

    _, out, _ = said(capsys, "list", "--archive", file, "-l", "team=x", "-o", "name")
    assert out == "one\n"
    _, out, _ = said(capsys, "list", "--archive", file, "-n", "nowhere")
    assert "No workflows found" in out


@pytest.mark.spec("CLI-19")
def test_get_takes_a_uid_or_a_name_and_prints_the_facts(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "get", ONE, "--archive", file)
    assert code == 0
    assert "Name:                one\n" in out
    assert "Status:              Failed\n" in out
    assert "ServiceAccount:      unset (will run with the default ServiceAccount)\n" in out

    _, out, _ = said(capsys, "get", "two", "-n", "default", "--archive", file, "-o", "json")
    assert f'"uid": "{TWO}"' in out
    assert '"workflows.argoproj.io/workflow-archiving-status": "Persisted"' in out


@pytest.mark.spec("CLI-19")
def test_a_name_that_several_have_is_answered_with_their_uids(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "get", "one", "-n", "other", "--archive", file)

    assert code == 2
    assert "Multiple archived workflows found with name 'one':" in err
    assert "  u4 (Created: " in err
    assert ", Finished: " in err
    assert err.endswith("Please specify the UID.\n")


@pytest.mark.spec("CLI-19")
def test_delete_says_what_it_did_and_refuses_what_is_not_there(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "delete", ONE, "--archive", file)
    assert (code, out) == (0, f"Archived workflow '{ONE}' deleted\n")

    code, _, err = said(capsys, "delete", ONE, "--archive", file)
    assert (code, err) == (2, f"error: archived workflow '{ONE}' not found\n")
    code, _, err = said(capsys, "get", "nobody", "--archive", file)
    assert (code, err) == (2, "error: archived workflow 'nobody' not found\n")


@pytest.mark.spec("CLI-19")
def test_labels_are_listed_with_their_values(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "list-label-keys", "--archive", file)[1] == f"team\n{labels.ARCHIVING_STATUS}\n"
    assert said(capsys, "list-label-values", "-l", "team", "--archive", file)[1] == "x\ny\n"


def test_what_cannot_be_asked_is_refused(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "exclude each other" in said(capsys, "get", "x", "--name", "--uid", "--archive", file)[2]
    assert "there is no such file" in said(capsys, "list", "--archive", f"{file}.not")[2]
    assert "which workflows?" in said(capsys, "retry", "--archive", file)[2]
    needs = "--restart-successful needs --node-field-selector"
    assert needs in said(capsys, "retry", ONE, "--restart-successful", "--archive", file)[2]


async def _archived(api: Api, ref: Reference) -> None:
    """Wait until its label says so."""
    found = await api.list(WORKFLOWS)
    async with api.watch(WORKFLOWS, resource_version=found.resource_version) as events:
        if _is_archived(await api.get(ref)):
            return
        async for event in events:
            if _is_archived(event.object):
                return


def _is_archived(thing: Object) -> bool:
    return (thing["metadata"].get("labels") or {}).get(labels.ARCHIVING_STATUS) == "Archived"


UNFIT = {
    "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w", "namespace": "default"},
    "spec": {"entrypoint": "nowhere", "templates": [{"name": "main", "suspend": {}}]},
}  # fmt: skip


@pytest.mark.spec("ARCHV-1")
@pytest.mark.spec("ARCHV-2")
@pytest.mark.spec("CLI-19")
async def test_a_workflow_of_a_local_cluster_is_archived_retried_and_resubmitted(tmp_path: Path) -> None:
    path = tmp_path / "archive.db"
    settings = SessionSettings(mode="simulated", serving=False, archive=path)
    async with opened(settings) as session:
        api = session.api
        ref = reference(WORKFLOWS, await api.create(WORKFLOWS, UNFIT))
        with anyio.fail_after(60):
            await _archived(api, ref)
        store = Store(Database("sqlite", str(path)))
        archive = Archive(store, archive_tables())
        try:
            kept = await archive.get(ref.uid)
            assert kept["status"]["phase"] in {"Failed", "Error"}
            asked = Asked(archive, "default", Connection(api, "default"))
            assert await verbs.uid_of(asked, "w", "") == ref.uid

            again = verbs.retrying(archive, Again())
            with pytest.raises(Exception, match="is in the cluster still: tiphys retry w"):
                await again(api, ref)
            await api.delete(ref)
            anew = await again(api, ref)
            assert anew["metadata"]["uid"] != ref.uid
            assert labels.ARCHIVING_STATUS not in anew["metadata"].get("labels", {})

            made = await verbs.resubmitting(archive, Again())(api, ref)
            assert made["metadata"]["labels"][labels.RESUBMITTED_FROM] == "w"
        finally:
            await store.close()

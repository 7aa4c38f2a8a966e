"""Artifacts are copied from where the workflow's status says they are, and never outside of the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.objects import Object
from tests.cli.test_rerun import cluster
from tiphys.cli import copying
from tiphys.cli.copying import Wanted
from tiphys.cli.problems import InputError


def workflow(store: Path) -> Object:
    """Two nodes: one artifact is kept with its whole location, the other with its key alone; a third was deleted."""
    whole = {"endpoint": f"file://{store}", "bucket": "b"}

    def node(name: str, template: str, *artifacts: dict[str, Any]) -> dict[str, Any]:
        return {"id": name, "name": name, "templateName": template, "outputs": {"artifacts": list(artifacts)}}

    nodes = [
        node("w-1", "make", {"name": "report", "s3": {**whole, "key": "w/w-1/report.tgz"}}),
        node(
            "w-2", "other", {"name": "tree", "s3": {"key": "w/w-2/tree"}},
            {"name": "gone", "s3": {"key": "w/w-2/gone"}, "deleted": True},
        ),
    ]  # fmt: skip
    return {
        "metadata": {"name": "w", "namespace": "default"},
        "spec": {},
        "status": {
            "nodes": {entry["id"]: entry for entry in nodes},
            "artifactRepositoryRef": {"artifactRepository": {"s3": whole}},
        },
    }


@pytest.fixture
def store(tmp_path: Path) -> Path:
    kept = tmp_path / "store"
    (kept / "b" / "w" / "w-2" / "tree" / "below").mkdir(parents=True)
    (kept / "b" / "w" / "w-1").mkdir()
    (kept / "b" / "w" / "w-1" / "report.tgz").write_text("packed")
    (kept / "b" / "w" / "w-2" / "tree" / "below" / "leaf").write_text("green")
    return kept


@pytest.mark.spec("CLI-14")
async def test_all_artifacts_are_copied_each_below_its_node(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "to"
    async with cluster() as at:
        await copying.copy(at, workflow(store), to, Wanted())

    made = {path.relative_to(to).as_posix(): path.read_text() for path in to.rglob("*") if path.is_file()}
    assert made == {
        "default/w/w-1/outputs/report/report.tgz": "packed",
        "default/w/w-2/outputs/tree/tree/below/leaf": "green",
    }
    assert capsys.readouterr().out == 'Created "report.tgz"\nCreated "tree"\n'


@pytest.mark.parametrize(
    ("wanted", "made"),
    [
        (Wanted(node_id="w-1"), ["make/report.tgz"]),
        (Wanted(template="other"), ["other/tree"]),
        (Wanted(artifact="tree"), ["other/tree"]),
        (Wanted(node_id="w-1", artifact="tree"), []),
    ],
)
async def test_only_what_is_wanted_is_copied_where_the_pattern_says(
    wanted: Wanted, made: list[str], store: Path, tmp_path: Path
) -> None:
    to = tmp_path / "to"
    async with cluster() as at:
        await copying.copy(at, workflow(store), to, wanted, "{templateName}")

    assert [path.relative_to(to).as_posix() for path in sorted(to.glob("*/*"))] == made


async def test_what_is_not_there_is_said_by_name(store: Path, tmp_path: Path) -> None:
    (store / "b" / "w" / "w-1" / "report.tgz").unlink()
    async with cluster() as at:
        with pytest.raises(InputError, match=r"artifact 'report' of node w-1: nothing is kept at b/w/w-1/report\.tgz"):
            await copying.copy(at, workflow(store), tmp_path / "to", Wanted())


async def test_nothing_is_put_outside_of_the_folder(store: Path, tmp_path: Path) -> None:
    async with cluster() as at:
        with pytest.raises(InputError, match="outside of"):
            await copying.copy(at, workflow(store), tmp_path / "to", Wanted(), "../{nodeId}")

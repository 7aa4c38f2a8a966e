"""Limits of semaphores in a database: written where the controllers look."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.objects import CONFIGMAPS
from tests.cli.test_rerun import cluster
from tiphys.cli import database_limits as limits
from tiphys.cli.database_limits import Row
from tiphys.cli.problems import InputError

SHOWN = "Key: workers\nType: database\nNamespace: default\nLimit: {}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(f"synchronization: {{controllerName: me, sqlite: {{path: {tmp_path / 'locks.db'}}}}}\n")
    return file


def text_of(file: Path) -> str:
    return file.read_text()


@pytest.mark.spec("CLI-20")
async def test_a_limit_is_made_changed_shown_and_taken_away(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = Row("workers", config)
    async with cluster() as at:
        await limits.create(at, row, 3)
        assert capsys.readouterr().out == "Sync limit created\n" + SHOWN.format(3)
        with pytest.raises(InputError, match="'workers' is there already in 'default'"):
            await limits.create(at, row, 4)
        await limits.update(at, row, 5)
        assert capsys.readouterr().out == "Sync limit updated\n" + SHOWN.format(5)
        await limits.get(at, row)
        assert capsys.readouterr().out == SHOWN.format(5)
        for _ in range(2):
            assert await limits.delete(at, row) == 0
        assert capsys.readouterr().out == "Sync limit deleted\n" * 2
        for act in (limits.get(at, row), limits.update(at, row, 1)):
            with pytest.raises(InputError, match="there is no database sync limit 'workers' in 'default': create it"):
                await act


@pytest.mark.spec("CLI-20")
async def test_the_controllers_config_map_says_which_database(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        with pytest.raises(InputError, match="no ConfigMap workflow-controller-configmap in argo or default names one"):
            await limits.get(at, Row("workers"))
        meta = {"name": "workflow-controller-configmap", "namespace": "default"}
        thing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"config": text_of(config)}}
        await at.api.create(CONFIGMAPS, thing)

        await limits.create(at, Row("workers"), 2)
        capsys.readouterr()

        await limits.get(at, Row("workers", config))
        assert capsys.readouterr().out == SHOWN.format(2)


async def test_a_configuration_without_a_database_of_locks_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("parallelism: 3\n")
    async with cluster() as at:
        with pytest.raises(InputError, match=r"config\.yaml does not name one under `synchronization`"):
            await limits.get(at, Row("workers", file))

"""The server as a library for other people's tests: the example of the documentation runs, the fixture works."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runtime.objects import CONFIGMAPS, Object
from tests.contract.conftest import GIZMO, GIZMOS, ROOT
from tiphys.devcluster import pytest_plugin
from tiphys.devcluster.cluster import DevCluster
from tiphys.devcluster.testing import devcluster as served

devcluster = pytest_plugin.devcluster


async def test_the_example_of_the_documentation_runs() -> None:
    text = (ROOT / "docs" / "devcluster.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.S)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    await names["test_every_config_map_is_labelled"]()


@pytest.fixture
def devcluster_definitions() -> Sequence[Object | Path]:
    return [GIZMO]


async def test_the_fixture_serves_the_definitions_that_were_asked_for(devcluster: DevCluster) -> None:
    made = await devcluster.api.create(GIZMOS, {"metadata": {"name": "g"}, "spec": {"size": 1}})
    assert made["spec"]["color"] == "blue"


async def test_two_clusters_share_nothing_and_definitions_come_from_files(tmp_path: Path) -> None:
    file = tmp_path / "crds.yaml"
    file.write_text("# nothing\n---\n" + str(GIZMO).replace("'", '"').replace("True", "true").replace("False", "false"))
    async with served(file) as one, served() as other:
        await one.api.create(CONFIGMAPS, {"metadata": {"name": "c"}})
        assert (await other.api.list(CONFIGMAPS)).items == []
        assert (await one.api.list(GIZMOS)).items == []
        assert one.kubeconfig is not None
        kept = one.kubeconfig
    assert not kept.exists()


def test_the_library_is_imported_quickly_and_takes_no_client_along() -> None:
    heavy = "print([m for m in ('kubernetes_asyncio', 'pydantic', 'cryptography') if m in sys.modules])"
    script = f"import sys, tiphys.devcluster.testing; {heavy}"
    assert subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout == b"[]\n"

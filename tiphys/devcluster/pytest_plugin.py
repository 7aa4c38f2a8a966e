"""The pytest fixture `devcluster`: a fresh Kubernetes API for every test that asks for it.

Ask for it with `pytest_plugins = ["tiphys.devcluster.pytest_plugin"]` in the top conftest.py. It is no automatic
plugin: whoever only has Tiphys installed should not pay for its imports. Definitions are taken from the fixture
`devcluster_definitions`, which is there to be overridden. Async fixtures run by anyio's plugin, which comes with anyio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from runtime.objects import Object
from tiphys.devcluster.cluster import DevCluster
from tiphys.devcluster.testing import devcluster as served


@pytest.fixture
def devcluster_definitions() -> Sequence[Object | Path]:
    """The CustomResourceDefinitions of the cluster: none, unless overridden."""
    return ()


@pytest.fixture
async def devcluster(devcluster_definitions: Sequence[Object | Path]) -> AsyncIterator[DevCluster]:
    """A served API; its file `.kubeconfig` lets any client in."""
    async with served(*devcluster_definitions) as cluster:
        yield cluster

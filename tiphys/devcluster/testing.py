"""A Kubernetes API for tests of any controller: `async with devcluster() as cluster`, ready in a fraction of a second.

No cluster, no Docker and no Go are needed. Every `devcluster()` is a new one and shares nothing with others, so tests
can run side by side.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.objects import Object
from tiphys.devcluster.cluster import DevCluster, NodeFactory, Serving, Settings


@asynccontextmanager
async def devcluster(
    *definitions: Object | Path, nodes: NodeFactory | None = None, store: Path | None = None
) -> AsyncIterator[DevCluster]:
    """A served API with these CustomResourceDefinitions (manifests, or YAML files that hold some).

    Inside, `.kubeconfig` is a file for any client, `.url`, `.token` and `.ca_pem` are its parts, and `.api` is the same
    API without a socket. With `nodes`, pods run; with `store`, objects outlive it. Must be run by anyio or asyncio."""
    with tempfile.TemporaryDirectory(prefix="tiphys-devcluster-") as folder:
        settings = Settings(
            definitions=_manifests(definitions),
            node_factory=nodes,
            serving=Serving(kubeconfig=Path(folder, "kubeconfig")),
            store=store,
        )
        async with DevCluster(settings) as cluster:
            yield cluster


def _manifests(definitions: Sequence[Object | Path]) -> list[Object]:
    found: list[Object] = []
    for definition in definitions:
        if isinstance(definition, Path):
            import yaml  # noqa: PLC0415 - manifests that are no files need none

            documents = yaml.safe_load_all(definition.read_text())
            found += [d for d in documents if d and d.get("kind") == "CustomResourceDefinition"]
        else:
            found.append(definition)
    return found

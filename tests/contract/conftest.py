"""The same promises are asked of the API in process and of the one behind HTTPS."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from runtime.api import Api
from runtime.client import HttpApi
from runtime.credentials import Access, bearer
from runtime.objects import Resource
from tiphys.devcluster.cluster import DevCluster, Serving, Settings

ROOT = Path(__file__).resolve().parents[2]
GIZMOS = Resource("lab.example.com/v1", "Gizmo", "gizmos")
WIDGETS = Resource("lab.example.com/v1", "Widget", "widgets")


def conformance(name: str) -> Path:
    """A file of the conformance data; skips where it is absent."""
    folder = Path(os.environ.get("TIPHYS_CONFORMANCE") or ROOT.parent / "shared" / "conformance")
    path = folder / name
    if not path.exists():
        pytest.skip(f"no conformance data at {path}: set TIPHYS_CONFORMANCE")
    return path


def definition(kind: str, plural: str, schema: dict[str, Any], **version: Any) -> dict[str, Any]:
    """A CustomResourceDefinition manifest of the group lab.example.com."""
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    served = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **version}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.lab.example.com"},
        "spec": {"group": "lab.example.com", "names": names, "scope": "Namespaced", "versions": [served]},
    }


GIZMO = definition(
    "Gizmo",
    "gizmos",
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "color": {"type": "string", "default": "blue", "enum": ["blue", "red"]},
                    "replicas": {"type": "integer"},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "port": {"x-kubernetes-int-or-string": True},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    },
    subresources={"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.n"}},
    additionalPrinterColumns=[{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
)
WIDGET = definition(  # without a status subresource, as Workflow is
    "Widget", "widgets", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
)


@pytest.fixture
async def cluster() -> AsyncIterator[DevCluster]:
    """A dev cluster without a node, in process and served."""
    async with DevCluster(Settings(definitions=[GIZMO, WIDGET], serving=Serving())) as running:
        yield running


def http_api(cluster: DevCluster) -> HttpApi:
    """A client of the served cluster."""
    tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
    return HttpApi(Access(cluster.url, tls, bearer(lambda: cluster.token)))


@pytest.fixture(params=["in-process", "https"])
async def api(request: pytest.FixtureRequest, cluster: DevCluster) -> AsyncIterator[Api]:
    """The API by both doors."""
    if request.param == "in-process":
        yield cluster.api
        return
    async with http_api(cluster) as client:
        yield client


@pytest.fixture
async def session(cluster: DevCluster) -> AsyncIterator[aiohttp.ClientSession]:
    """Bare HTTP to the served cluster, with its token."""
    tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
    headers = {"Authorization": f"Bearer {cluster.token}"}
    async with aiohttp.ClientSession(cluster.url, connector=aiohttp.TCPConnector(ssl=tls), headers=headers) as client:
        yield client


@pytest.fixture
def transcripts() -> Any:
    """What a real API server answered."""
    return json.loads(conformance("apiserver/transcripts.json").read_text())

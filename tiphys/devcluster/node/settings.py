"""What a node is told before it starts: where it may write, how it runs containers, which API its pods see.

Nothing here reads the environment: who starts the node decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from tiphys.devcluster.node.engine.sockets import Candidate

Mode: TypeAlias = Literal["process", "plain", "docker", "simulated"]
Clock: TypeAlias = Callable[[], float]
"""Seconds since the epoch, UTC."""

ImageTable: TypeAlias = Mapping[str, Mapping[str, str]]
"""Pattern of image references ("shop:*-bad", as in a shell) -> simulation annotation without prefix -> value."""


class Endpoint(NamedTuple):
    """The API server as pods with a service account token reach it."""

    host: str
    port: int
    ca: str  # PEM; what ca.crt of the token volume holds


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """How one node runs.

    `mode` "auto" tries namespaces and falls back to plain; "docker" asks a Docker or Podman engine for containers.
    `Node.mode` and `Node.mode_reason` tell the outcome."""

    root: Path  # all scratch is below; removed with its pods
    name: str = "tiphys"
    mode: Mode | Literal["auto"] = "auto"
    executor_image: str = "tiphys"  # this image (any tag) is the running interpreter and package
    endpoint: Endpoint | None = None  # without one no token is mounted that a pod does not ask for
    make_accounts: bool = False  # service accounts that pods name and nobody made
    host_paths: tuple[Path, ...] = ()  # hostPath volumes are allowed at or below these
    claims: Path | None = None  # a folder per PersistentVolumeClaim; below root when None
    packages: tuple[str, ...] = ("tiphys", "runtime", "actors", "crds")  # importable in containers of that image
    engines: tuple[Candidate, ...] = ()  # mode "docker": where an engine may answer; empty: the well-known places
    simulated_delay_s: float = 0.0  # how long a simulated container runs unless annotated
    simulated_images: ImageTable = field(default_factory=dict)  # how containers of an image behave (`behaviour`)
    heartbeat_s: float | None = None  # between two signs of life, 0 for none; None: 10, none where pods are simulated
    only_warnings: bool | None = None  # no Events about what goes well; None: where pods are simulated
    labels: dict[str, str] = field(default_factory=dict)  # further labels of the Node object

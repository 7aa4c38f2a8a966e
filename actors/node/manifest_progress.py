"""Where a template speaks of its progress, its pod has a sidecar that tells it while the pod runs (PROG-2).

A pod has no token to say it with, and its termination message is read when it has ended. The sidecar is the program
that is in front of the commands anyway; it looks at their file and prints what has changed, and the controller reads
the last line of that small log. Nobody has to be let into the user's container for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from actors.contract import paths
from actors.names import labels
from actors.node import manifest_containers as containers
from actors.node.manifest_request import PodRequest

_PROGRESS = paths.PROGRESS_ENV.encode()


def speaks_of_progress(request: PodRequest, users: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    """Whether the programs may write how far they are: one of them is told where to, or the template's annotation
    gives a first value. A program that reads the variable by itself is asked for by that annotation."""
    annotations = (request.template.get("metadata") or {}).get("annotations") or {}
    return bool(users) and (
        labels.PROGRESS in annotations or any(_PROGRESS in msgspec.json.encode(container) for _, container in users)
    )


def teller(request: PodRequest) -> dict[str, Any]:
    """The sidecar: a native one, so that it neither keeps the pod nor fails it."""
    command = [containers.shim_path(), "progress", f"{request.settings.progress_file_s:g}"]
    built = containers.unprivileged(request, paths.TELLER, command)
    built.pop("args", None)
    built["restartPolicy"] = "Always"
    containers.mount(built, paths.SHIM_VOLUME, paths.SHIM_MOUNT, read_only=True)
    return built

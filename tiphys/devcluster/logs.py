"""Where a pod's log comes from: the API server only asks, the node that runs the pod answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from runtime.api import LogOptions
from runtime.objects import Object


class LogSource(Protocol):
    """Whoever holds the logs of running and ended containers."""

    def stream(self, namespace: str, pod: str, options: LogOptions) -> AsyncIterator[bytes]:
        """The log of `options.container` (never empty here) in chunks.

        With `follow`, goes on until the container ends; `previous` means the run before the last restart. Options that
        select lines (tail, since, limit, timestamps) are applied by the source. Raises runtime.api errors."""
        ...


def container_of(pod: Object, wished: str) -> str:
    """The container whose log is meant. Raises Refused (400) as Kubernetes words it."""
    from tiphys.devcluster import errors  # noqa: PLC0415 - the node imports the protocol alone

    spec = pod.get("spec") or {}
    name = pod["metadata"]["name"]
    inits = [container["name"] for container in spec.get("initContainers") or ()]
    mains = [container["name"] for container in spec.get("containers") or ()]
    if wished:
        if wished in mains or wished in inits:
            return wished
        raise errors.bad_request(f"container {wished} is not valid for pod {name}")
    annotated = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container", "")
    if annotated in mains:
        return str(annotated)
    if len(mains) == 1:
        return str(mains[0])
    choices = f"choose one of: [{' '.join(mains)}]"
    if inits:
        choices += f" or one of the init containers: [{' '.join(inits)}]"
    raise errors.bad_request(f"a container name must be specified for pod {name}, {choices}")

"""What a pod costs the API server, over its workflow's whole life: every request of the controllers is counted.

    python bench/pod.py [SHAPE…] [--pods 1000] [--gc STRATEGY] [--deleted] [--held WHICH]

Shapes: `bare` (nothing is captured), `shim` (a result), `full` (an artifact, hence init and wait). The workflow is one
loop, 50 pods at a time, in virtual time; its life ends with its deletion where --deleted asks for it. Pods are played
as a kubelet would, and what it writes is not counted; Events are, and the writes of the workflow's status, and what
garbage collection by podGC deletes. --held: which pods our finalizer is on (ARGO_POD_STATUS_CAPTURE_FINALIZER). The
limits that must hold are in LIMITS; exceeding one ends with 1.
"""

# ruff: noqa: T201  a program prints

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple, get_args

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from actors.node.manifest_request import Held, PodSettings
from actors.workflow.state import WORKFLOWS
from runtime.api import Api
from runtime.objects import EVENTS, PODS, Object, Reference, Resource, reference
from tests.virtual_time import VirtualLoop
from tests.world.world import Outcome, world
from tiphys.controllers import ControllerSettings

AT_ONCE = 50
KEPT: dict[str, float] = {"pod creates": 1.0, "pod patches": 1.0, "pod deletes": 0.0, "status writes": 0.3}
DELETED: dict[str, float] = {"pod creates": 1.0, "pod patches": 0.0, "pod deletes": 1.0, "status writes": 0.3}
LIMITS = {"bare": (KEPT, DELETED), "shim": (KEPT, DELETED), "full": (KEPT, DELETED)}
"""Requests per node: of pods that stay, and of those that podGC deletes."""


class Counting:
    """The API, with every request that goes through it counted by verb and kind."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.requests: Counter[tuple[str, str, str]] = Counter()

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._api, name)
        if name not in ("create", "replace", "patch", "delete", "get", "list", "watch", "log"):
            return act

        def counted(about: Reference | Resource, *arguments: Any, **options: Any) -> Any:
            resource = about.resource if isinstance(about, Reference) else about
            self.requests[name, resource.plural, str(options.get("subresource", ""))] += 1
            return act(about, *arguments, **options)

        return counted


class Cost(NamedTuple):
    """Requests per node, and the whole count."""

    per_node: dict[str, float]
    requests: Counter[tuple[str, str, str]]


def flow(shape: str, pods: int, gc: str) -> Object:
    """One loop of so many pods of that shape."""
    leaf: dict[str, Any] = {"name": "leaf", "container": {"image": "busybox", "command": ["true"]}}
    if shape == "full":
        place = {"endpoint": "s3:9000", "bucket": "b", "key": "k"}
        leaf["outputs"] = {"artifacts": [{"name": "a", "path": "/made/a", "s3": place}]}
    steps: list[Any] = [[{"name": "s", "template": "leaf", "withSequence": {"count": str(pods)}}]]
    if shape == "shim":
        leaf["outputs"] = {"parameters": [{"name": "p", "valueFrom": {"path": "/made/p"}}]}
    spec: dict[str, Any] = {
        "entrypoint": "main",
        "parallelism": AT_ONCE,
        "templates": [{"name": "main", "steps": steps}, leaf],
    }
    if gc:
        spec["podGC"] = {"strategy": gc, "deleteDelayDuration": "0s"}
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "w", "namespace": "default"}, "spec": spec,
    }  # fmt: skip


async def measured(shape: str, pods: int, gc: str, *, deleted: bool = False, held: Held = "uncollected") -> Cost:
    """Run it to its end, and count. Raises RuntimeError when the workflow does not succeed."""
    coats: list[Counting] = []

    def coat(api: Api) -> Api:
        coats.append(Counting(api))
        return coats[0]  # type: ignore[return-value]  # it answers whatever the API does

    outcome = Outcome(delay_s=5.0, parameters={"p": "v"} if shape == "shim" else {})
    settings = ControllerSettings(pods=PodSettings(executor_image="tiphys", held=held))
    async with world(lambda _, __: outcome, coat=coat, settings=settings) as here:
        ref = reference(WORKFLOWS, await here.api.create(WORKFLOWS, flow(shape, pods, gc)))
        done = await here.end_of(ref)
        if done["status"]["phase"] != "Succeeded":
            raise RuntimeError(f"{shape}: {done['status'].get('message')}")
        await here.after(120)
        if deleted:
            await here.api.delete(ref, propagation="Background")
            await here.after(120)
    requests = coats[0].requests
    return Cost({name: count / pods for name, count in _summed(requests).items()}, requests)


def _summed(requests: Counter[tuple[str, str, str]]) -> dict[str, int]:
    def of(verb: str, resource: Resource) -> int:
        return sum(count for (name, plural, _), count in requests.items() if (name, plural) == (verb, resource.plural))

    writes = sum(count for (verb, _, _), count in requests.items() if verb in ("create", "replace", "patch", "delete"))
    return {
        "pod creates": of("create", PODS),
        "pod patches": of("patch", PODS) + of("replace", PODS),
        "pod deletes": of("delete", PODS),
        "status writes": of("patch", WORKFLOWS) + of("replace", WORKFLOWS),
        "events": of("create", EVENTS) + of("patch", EVENTS),
        "reads": sum(count for (verb, _, _), count in requests.items() if verb in ("get", "list", "log")),
        "all writes": writes,
    }


def exceeded(shape: str, gc: str, cost: Cost) -> list[str]:
    """Which limits were not kept."""
    return [
        f"{shape}: {cost.per_node[name]:.3f} {name} per node, and {limit:g} are allowed"
        for name, limit in LIMITS[shape][1 if gc else 0].items()
        if cost.per_node[name] > limit + 0.002  # the workflow's own few, over all of its nodes
    ]


def main(words: list[str]) -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shapes", nargs="*", default=[*LIMITS], metavar="SHAPE")
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--gc", default="", help="podGC.strategy, such as OnPodCompletion")
    parser.add_argument("--deleted", action="store_true", help="delete the workflow at the end")
    parser.add_argument("--held", choices=get_args(Held), default="uncollected", help="pods that have our finalizer")
    told = parser.parse_args(words)
    broken: list[str] = []
    for shape in told.shapes:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            cost = runner.run(measured(shape, told.pods, told.gc, deleted=told.deleted, held=told.held))
        shown = "  ".join(f"{name} {value:.3f}" for name, value in cost.per_node.items())
        print(f"{shape:5} {told.pods} pods: {shown}")
        for (verb, plural, sub), count in sorted(cost.requests.items()):
            print(f"      {count:6} {verb} {plural}{f'/{sub}' if sub else ''}")
        broken += exceeded(shape, told.gc, cost)
    for line in broken:
        print(line)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

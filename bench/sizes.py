"""What large workflows cost: processor time and memory for each node, on simulated pods in this process.

    python bench/sizes.py [NAME…]        all shapes, or those named; --profile prints where the time goes

Linear is the rule: twice the nodes must cost twice the time, so every shape is run at two sizes and the ratio of the
costs per node is printed beside the numbers.
"""

# ruff: noqa: T201  a program prints

from __future__ import annotations

import argparse
import cProfile
import gc
import pstats
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from runtime.objects import Object, reference
from tiphys.cli.kinds import WORKFLOWS
from tiphys.cli.session import SessionSettings, opened

LEAF = {
    "name": "leaf",
    "inputs": {"parameters": [{"name": "m", "default": "x"}]},
    "container": {"image": "busybox", "command": ["true"]},
}


def workflow(*templates: Any, **spec: Any) -> Object:
    """A workflow of these templates, the first of which begins."""
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"generateName": "size-", "namespace": "default"},
        "spec": {"entrypoint": templates[0]["name"], "templates": [*templates, LEAF], **spec},
    }  # fmt: skip


def sequence(count: int) -> Object:
    """One step that is a loop."""
    step = {"name": "s", "template": "leaf", "withSequence": {"count": str(count)}}
    step["arguments"] = {"parameters": [{"name": "m", "value": "{{item}}"}]}
    return workflow({"name": "main", "steps": [[step]]})


def wide_dag(count: int) -> Object:
    """Tasks side by side."""
    tasks = [{"name": f"t{number}", "template": "leaf"} for number in range(count)]
    return workflow({"name": "main", "dag": {"tasks": tasks}})


def layered_dag(count: int) -> Object:
    """Layers of fifty, each task after two of the layer before, with arguments of theirs."""
    tasks: list[dict[str, Any]] = []
    for number in range(count):
        task: dict[str, Any] = {"name": f"t{number}", "template": "leaf"}
        if number >= 50:
            before = [f"t{number - 50}", f"t{number - 50 - number % 50 + (number + 1) % 50}"]
            task["depends"] = " && ".join(before)
            task["arguments"] = {"parameters": [{"name": "m", "value": f"{{{{tasks.{before[0]}.status}}}}"}]}
        tasks.append(task)
    return workflow({"name": "main", "dag": {"tasks": tasks}})


def chain(count: int) -> Object:
    """Steps one after the other."""
    steps = [[{"name": f"s{number}", "template": "leaf"}] for number in range(count)]
    return workflow({"name": "main", "steps": steps})


def nested(count: int) -> Object:
    """Loops of a hundred inside a loop."""
    inner = {"name": "i", "template": "leaf", "withSequence": {"count": "100"}}
    outer = {"name": "o", "template": "inner", "withSequence": {"count": str(count // 100)}}
    return workflow({"name": "main", "steps": [[outer]]}, {"name": "inner", "steps": [[inner]]})


def large_parameters(count: int) -> Object:
    """A hundred parameters of 10 KB, handed to each step of a loop."""
    names = [f"p{number}" for number in range(100)]
    inputs = {"parameters": [{"name": name} for name in names]}
    given = [{"name": name, "value": f"{{{{workflow.parameters.{name}}}}}"} for name in names]
    step = {"name": "s", "template": "main2", "withSequence": {"count": str(count)}, "arguments": {"parameters": given}}
    body = {"name": "main2", "inputs": inputs, "suspend": {"duration": "0"}}
    values = {"parameters": [{"name": name, "value": "v" * 10_000} for name in names]}
    return workflow({"name": "main", "steps": [[step]]}, body, arguments=values)


SHAPES: dict[str, tuple[Callable[[int], Object], int]] = {
    "sequence": (sequence, 5000),
    "wide-dag": (wide_dag, 5000),
    "layered-dag": (layered_dag, 5000),
    "chain": (chain, 2000),
    "nested": (nested, 10_000),
    "large-parameters": (large_parameters, 20),
}


async def run(thing: Object) -> Object:
    """Run a workflow to its end on simulated pods."""
    async with opened(SessionSettings(mode="simulated", serving=False)) as session:
        created = await session.api.create(WORKFLOWS, thing)
        ref = reference(WORKFLOWS, created)
        with anyio.fail_after(1800):
            while not ((await session.api.get(ref)).get("status") or {}).get("finishedAt"):  # noqa: ASYNC110
                await anyio.sleep(1)  # a watch of a large object would cost what is to be measured
        return await session.api.get(ref)


def measured(name: str, count: int, *, profile: bool) -> tuple[float, int]:
    """Processor seconds, and nodes."""
    make, _ = SHAPES[name]
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    profiler = cProfile.Profile() if profile else None
    began, wall = time.process_time(), time.perf_counter()
    if profiler is not None:
        profiler.enable()
    thing = anyio.run(run, make(count))
    if profiler is not None:
        profiler.disable()
    took, waited = time.process_time() - began, time.perf_counter() - wall
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    status = thing["status"]
    nodes = max(1, int(status["progress"].partition("/")[2]))
    print(
        f"{name:18} {count:6} {status['phase']:10} {took:7.2f} s cpu {waited:7.2f} s  {1000 * took / nodes:7.3f} ms/pod"
        f"  +{grown / 1024:6.1f} MB", flush=True,
    )  # fmt: skip
    if profiler is not None:
        pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(35)
    return took, nodes


def main() -> None:
    """Run the shapes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(SHAPES))
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--scale", type=float, default=1.0)
    asked = parser.parse_args()
    for name in asked.names or SHAPES:
        _, size = SHAPES[name]
        full = max(4, int(size * asked.scale))
        half_s, half = measured(name, full // 4, profile=False)
        full_s, whole = measured(name, full, profile=asked.profile)
        print(f"{name:18} a node of the whole costs {full_s / whole / (half_s / half):.2f} times that of a quarter\n")


if __name__ == "__main__":
    main()

"""A steady load for minutes or hours: does memory grow, does the event loop stall? Numbers, and a plot as PNG.

    python bench/soak.py --minutes 60 [--rate 3] [--png soak.png] [--json soak.json]

The controllers run in this process as `tiphys controller` runs them, against a dev cluster in another one whose pods
are simulated. Workflows are submitted at a steady rate and deleted some time after their end, so what is alive stays
the same and memory should, too (the cluster's does not: it keeps its history and the Events of all). The first
fifth of the run is warm-up. Stalls are how late a timer of ten milliseconds comes, all the time; on a busy machine most
of that is the doing of others, so what the loop itself can have caused (the CPU time it used) is told apart.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import anyio

from actors.workflow.state import WORKFLOWS
from runtime.api import Api, ApiError
from runtime.client import HttpApi
from runtime.log import configure
from runtime.objects import Reference
from runtime.system import Settings, System
from tiphys.controller.shapes import shapes
from tiphys.controllers import ControllerSettings, rooms

TICK_S = 0.01
SAMPLE_S = 1.0
KEPT_S = 20.0  # a workflow is deleted so long after its submission
WARM_UP = 0.2
PAGE = 4096

SPEC = {
    "entrypoint": "main",
    "templates": [
        {
            "name": "main",
            "steps": [[{"name": "a", "template": "leaf", "withItems": [1, 2]}], [{"name": "b", "template": "leaf"}]],
        },
        {"name": "leaf", "retryStrategy": {"limit": "1"}, "container": {"image": "alpine", "command": ["true"]}},
    ],
}


@dataclass
class Course:
    """What was measured."""

    begun: float = field(default_factory=time.monotonic)
    at_s: list[float] = field(default_factory=list)
    resident_mb: list[float] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    stalls_ms: array[float] = field(default_factory=lambda: array("f"))  # all ticks after warm-up
    own_ms: array[float] = field(default_factory=lambda: array("f"))  # of them, what the loop's own work can explain
    worst_ms: list[float] = field(default_factory=list)  # of each sample
    submitted: int = 0
    failed: int = 0


def resident_mb() -> float:
    """What the process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


async def tick(course: Course, warm_s: float) -> None:
    """Note how late each of many short timers comes."""
    loop_time = time.monotonic
    worst, sampled = 0.0, loop_time()
    while True:
        due, used = loop_time() + TICK_S, time.thread_time()
        await anyio.sleep(TICK_S)
        late_ms = max(0.0, (loop_time() - due) * 1000)
        own_ms = min(late_ms, (time.thread_time() - used) * 1000)
        worst = max(worst, own_ms)
        now = loop_time()
        if now - course.begun > warm_s:
            course.stalls_ms.append(late_ms)
            course.own_ms.append(own_ms)
        if now - sampled >= SAMPLE_S:
            course.at_s.append(now - course.begun)
            course.resident_mb.append(resident_mb())
            course.worst_ms.append(worst)
            worst, sampled = 0.0, now


async def submit(api: Api, course: Course, rate: float) -> None:
    """Submit at a steady rate, each to be deleted later."""
    async with anyio.create_task_group() as tasks:
        for number in count():
            await anyio.sleep(max(0.0, course.begun + number / rate - time.monotonic()))
            tasks.start_soon(one, api, course, f"soak-{number}")


async def one(api: Api, course: Course, name: str) -> None:
    """The life of one workflow."""
    ref = Reference(WORKFLOWS, "default", name)
    try:
        thing = {"metadata": {"name": name, "namespace": "default"}, "spec": SPEC}
        await api.create(WORKFLOWS, thing)
        course.submitted += 1
        await anyio.sleep(KEPT_S)
        phase = (await api.get(ref)).get("status", {}).get("phase")
        course.failed += phase != "Succeeded"
        await api.delete(ref, propagation="Background")
    except ApiError:
        course.failed += 1


def slope_per_hour(at_s: list[float], values: list[float]) -> float:
    """The least-squares slope, in percent of the mean an hour."""
    mean_x, mean_y = sum(at_s) / len(at_s), sum(values) / len(values)
    over = sum((x - mean_x) * (y - mean_y) for x, y in zip(at_s, values, strict=True))
    under = sum((x - mean_x) ** 2 for x in at_s)
    return over / under * 3600 / mean_y * 100 if under else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all stays below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def summary(course: Course, warm_s: float) -> dict[str, Any]:
    """The numbers."""
    kept = [(at, mb) for at, mb in zip(course.at_s, course.resident_mb, strict=True) if at > warm_s]
    at_s, values = [at for at, _ in kept], [mb for _, mb in kept]
    return {
        "minutes": round(course.at_s[-1] / 60, 1),
        "workflows": course.submitted,
        "not succeeded in time": course.failed,
        "resident MB": round(sum(values) / len(values), 1),
        "resident slope, % per hour": round(slope_per_hour(at_s, values), 2),
        "late p99.9, ms": round(percentile(course.stalls_ms, 0.999), 1),
        "stall p50, ms": round(percentile(course.own_ms, 0.5), 2),
        "stall p99.9, ms": round(percentile(course.own_ms, 0.999), 1),
        "stall worst, ms": round(max(course.own_ms, default=0.0), 1),
        "cpu seconds per workflow": round(time.process_time() / max(1, course.submitted), 4),
    }


def plot(course: Course, found: dict[str, Any], path: Path) -> None:
    """Memory and stalls over time."""
    import matplotlib as mpl  # noqa: PLC0415  # of the bench group

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (memory, stalls) = pyplot.subplots(2, 1, sharex=True, figsize=(10, 6))
    minutes = [at / 60 for at in course.at_s]
    memory.plot(minutes, course.resident_mb)
    memory.set_ylabel("resident MB")
    memory.set_ylim(bottom=0)
    memory.set_title(f"{found['workflows']} workflows, resident {found['resident slope, % per hour']} % per hour")
    stalls.plot(minutes, course.worst_ms, linewidth=0.7)
    stalls.axhline(50, color="red", linewidth=0.7)
    stalls.set_ylabel("worst stall of each second, ms")
    stalls.set_xlabel("minutes")
    stalls.set_title(f"99.9 % of stalls below {found['stall p99.9, ms']} ms")
    figure.tight_layout()
    figure.savefig(path)


async def soak(minutes: float, rate: float, warm_up: float) -> Course:
    """Run the load for so long."""
    with tempfile.TemporaryDirectory(prefix="tiphys-soak-") as folder:
        kubeconfig = f"{folder}/kubeconfig"
        async with cluster(kubeconfig), HttpApi.from_kubeconfig(kubeconfig) as api:
            api.shapes = shapes()
            decided = ControllerSettings()
            system = System(
                api, rooms(decided), settings=Settings(manager="tiphys", collect=True, series=decided.series)
            )
            course = Course()
            async with anyio.create_task_group() as tasks:
                await tasks.start(system.run)
                with anyio.move_on_after(minutes * 60):
                    async with anyio.create_task_group() as load:
                        course.begun = time.monotonic()
                        load.start_soon(tick, course, minutes * 60 * warm_up)
                        load.start_soon(submit, api, course, rate)
                tasks.cancel_scope.cancel()
            return course


@asynccontextmanager
async def cluster(kubeconfig: str) -> AsyncIterator[None]:
    """A dev cluster without controllers, in a process of its own."""
    command = [sys.executable, "-m", "tiphys.cli", "dev", "--no-controllers", "--runtime", "simulated"]
    async with await anyio.open_process([*command, "--kubeconfig", kubeconfig], stderr=None) as process:
        assert process.stdout is not None
        said = b""
        while not said.startswith(b"ready"):
            said = await process.stdout.receive()
        yield
        process.terminate()


def main() -> None:
    """Run, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=3.0, help="workflows per second")
    parser.add_argument("--warm-up", type=float, default=WARM_UP, help="the part of the run that does not count")
    parser.add_argument("--png", type=Path, default=Path("soak.png"))
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    configure(level="error")
    course = anyio.run(soak, options.minutes, options.rate, options.warm_up, backend_options={"use_uvloop": True})
    found = summary(course, options.minutes * 60 * options.warm_up)
    for name, value in found.items():
        sys.stdout.write(f"{name:30} {value}\n")
    plot(course, found, options.png)
    if options.json:
        options.json.write_text(json.dumps({**found, "at_s": course.at_s, "resident_mb": course.resident_mb}) + "\n")


if __name__ == "__main__":
    main()

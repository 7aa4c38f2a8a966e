"""A steady load for minutes or hours, with faults: is anything lost or doubled, does memory grow, does the loop stall?

    python bench/soak.py --minutes 60                 at 70 % of the peak, which is measured first
    python bench/soak.py --minutes 60 --rate 30       at thirty workflows a second

An API server in memory, a node that simulates pods, and the controllers are a process each; this one submits, watches,
and keeps a ledger of every workflow and every pod. One call of the controllers in a hundred goes wrong (refused, or
carried out and the answer lost, or late), streams break every other minute, and in the first half of the warm-up the
controllers are killed (SIGKILL) and started again. Memory and stalls count after the warm-up, a fifth of the run: of an
hour, seven minutes after the last start, by when the caches of names are full and every namespace has had its turn. For
half as long as the warm-up streams break every ten seconds from each start on, and a fifth of them is listed anew: what
that needs at once, memory has had before it counts. The end is 1 when something was lost or doubled.

The whole is written as PNG, and as JSON beside it. A stall is how late a timer of ten milliseconds comes: `late` as the
clock has it, on a busy machine mostly the doing of others; `own` what the loop's own work explains.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import anyio
import anyio.to_thread

from tiphys.bench.lateness import percentile_ms
from tiphys.bench.ledger import Ledger
from tiphys.bench.report import circumstances
from tiphys.bench.rig import Rig, RigSettings, rigged
from tiphys.bench.steady import Load
from tiphys.bench.steady import summary as sums

PEAK_IN_FLIGHT = 100
DRAIN_S = 180.0  # nothing ended for so long: what is left will not
READY_S = 600.0  # an hour's run is not given up because a busy machine starts a process slowly


@dataclass
class Course:
    """What was done, and what it came to."""

    options: argparse.Namespace
    begun: float = 0.0
    rate: float = 0.0
    peak: float | None = None
    kills: list[float] = field(default_factory=list)  # seconds since the beginning
    samples: list[dict[str, Any]] = field(default_factory=list)  # of the controllers, one a second
    result: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long the load lasts."""
        return float(self.options.minutes) * 60

    @property
    def warm_s(self) -> float:
        """What of it does not count for memory and stalls."""
        return self.seconds * float(self.options.warm_up)

    def counted(self) -> list[dict[str, Any]]:
        """The samples after the warm-up, while the load lasted, of the controllers that were not killed."""
        last = self.samples[-1]["pid"] if self.samples else 0
        lasting = [one for one in self.samples if one["pid"] == last]
        return [one for one in lasting if self.warm_s < one["at"] - self.begun <= self.seconds]


# ------------------------------------------------------------------------------------------------------ the run


async def soak(options: argparse.Namespace) -> tuple[Course, Ledger]:
    """Run the load."""
    course, ledger = Course(options), Ledger()
    with tempfile.TemporaryDirectory(prefix="tiphys-soak-") as folder:
        samples = Path(folder, "samples.jsonl")
        script = Path(__file__).with_name("soaked.py")
        chances = f"--faults {options.faults} --rough {course.warm_s / 2} --seed {options.seed}"
        command = f"{sys.executable} {script} {{kubeconfig}} {samples} {chances}"
        async with rigged(RigSettings(Path(folder), controller=command)) as rig:
            assert rig.controller is not None
            await anyio.to_thread.run_sync(rig.controller.await_line, "ready", READY_S)
            load = Load(rig.api, ledger)
            async with load.running():
                await _loaded(rig, load, course)
            course.samples = list(_read(samples))
            course.result |= sums(load) | _costs(rig, ledger)
    return course, ledger


async def _loaded(rig: Rig, load: Load, course: Course) -> None:
    """The peak, if it is to be measured; the load; and the end of all that was submitted."""
    options = course.options
    course.rate = options.rate
    if not options.rate:
        course.peak = await load.closed(options.peak_seconds, PEAK_IN_FLIGHT)
        course.rate = course.peak * options.share
        _say(f"peak {course.peak:.1f} workflows a second: the load is {course.rate:.1f}")
    course.begun = time.monotonic()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_kill, rig, course)
        tasks.start_soon(_progress, rig, load, course)
        await load.steady(course.seconds, course.rate, options.in_flight)
        tasks.cancel_scope.cancel()
    await load.drained(DRAIN_S)


async def _kill(rig: Rig, course: Course) -> None:
    """Kill and start the controllers, in the first half of the warm-up."""
    number = course.options.kills
    for at in range(number):
        due = course.begun + course.warm_s / 2 * (at + 1) / (number + 1)
        await anyio.sleep(max(0.0, due - time.monotonic()))
        assert rig.controller is not None
        await anyio.to_thread.run_sync(rig.controller.kill)
        course.kills.append(time.monotonic() - course.begun)
        await anyio.to_thread.run_sync(rig.restart_controller().await_line, "ready", READY_S)


async def _progress(rig: Rig, load: Load, course: Course) -> None:
    """Where the run is: a bar for people, a line a minute for files."""
    with _bar(course.seconds) as tell:
        while True:
            past = time.monotonic() - course.begun
            mib = rig.controller.cost().mib if rig.controller is not None else 0.0
            wrong = sum(load.ledger.faults.values())
            await tell(past, f"{load.ledger.ended:,} ended, {load.alive} alive, {mib:.0f} MiB, {wrong} wrong")


@contextmanager
def _bar(total: float) -> Iterator[Callable[[float, str], Awaitable[None]]]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)

        async def tell(past: float, words: str) -> None:
            progress.update(task, completed=past, description=words)
            if not console.is_terminal:
                _say(f"{past / 60:6.1f} min: {words}")
            await anyio.sleep(1 if console.is_terminal else 60)

        yield tell


def _costs(rig: Rig, ledger: Ledger) -> dict[str, Any]:
    ended = max(ledger.ended, 1)
    found = rig.costs().items()
    cpu = {name: round(cost.cpu_s / ended * 1000, 2) for name, cost in found}
    return {"ms of CPU a workflow": cpu, "peak MiB": {name: round(cost.peak_mib) for name, cost in found}}


def _read(samples: Path) -> Iterator[dict[str, Any]]:
    """Every whole line: a killed process may have left half of one."""
    for line in samples.read_text().splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        for counts in ("late", "own"):
            found[counts] = {int(grains): number for grains, number in found[counts].items()}
        yield found


# -------------------------------------------------------------------------------------------------- the verdict


def slope(at_s: list[float], values: list[float]) -> float:
    """The least-squares slope, in percent of the mean an hour; 0 of fewer than two."""
    if len(at_s) < 2:
        return 0.0
    mean_x, mean_y = sum(at_s) / len(at_s), sum(values) / len(values)
    over = sum((x - mean_x) * (y - mean_y) for x, y in zip(at_s, values, strict=True))
    return over / sum((x - mean_x) ** 2 for x in at_s) * 3600 / mean_y * 100


def verdict(course: Course, ledger: Ledger) -> dict[str, Any]:
    """All numbers of the run."""
    counted = course.counted()
    late: Counter[int] = sum((Counter(one["late"]) for one in counted), Counter())
    own: Counter[int] = sum((Counter(one["own"]) for one in counted), Counter())
    resident = [one["mib"] for one in counted]
    faults: Counter[str] = Counter()
    for newest in {one["pid"]: one["faults"] for one in course.samples}.values():
        faults.update(newest)
    return {
        "minutes of load": course.options.minutes,
        "peak a second": "not measured" if course.peak is None else round(course.peak, 1),
        "workflows a second": round(course.rate, 1),
        **course.result,
        "examples": ledger.examples,
        "faults injected": dict(faults),
        "kills": len(course.kills),
        "resident MiB, mean": round(sum(resident) / len(resident), 1) if resident else "not measured",
        "resident % per hour": round(slope([one["at"] for one in counted], resident), 2),
        "own ms p50": percentile_ms(own, 0.5),
        "own ms p99.9": percentile_ms(own, 0.999),
        "own ms worst": percentile_ms(own, 1.0),
        "late ms p99.9": percentile_ms(late, 0.999),
        "late ms worst": percentile_ms(late, 1.0),
    }


def plot(course: Course, found: dict[str, Any], path: Path) -> None:
    """Memory and actors, and the worst stall of each second, over time."""
    import matplotlib as mpl  # noqa: PLC0415  # of the bench group

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (memory, stalls) = pyplot.subplots(2, 1, sharex=True, figsize=(11, 7), layout="constrained")
    minutes = [(one["at"] - course.begun) / 60 for one in course.samples]
    memory.plot(minutes, [one["mib"] for one in course.samples], label="resident MiB")
    memory.plot(minutes, [one["actors"] / 100 for one in course.samples], linewidth=0.6, label="actors, in hundreds")
    memory.set_ylim(bottom=0)
    wrong = sum(found["wrong"].values())
    memory.set_title(
        f"{found['workflows']:,} workflows, {found['pods']:,} pods, {wrong} wrong, "
        f"{sum(found['faults injected'].values()):,} faults, {found['kills']} kills; "
        f"resident {found['resident % per hour']} % per hour"
    )
    stalls.plot(minutes, [max(one["own"], default=0) / 10 for one in course.samples], linewidth=0.6)
    stalls.axhline(50, color="red", linewidth=0.7)
    stalls.set_ylabel("worst own stall of each second, ms")
    stalls.set_xlabel("minutes of load")
    stalls.set_title(
        f"99.9 % of own stalls up to {found['own ms p99.9']} ms, of delays up to {found['late ms p99.9']} ms"
    )
    for axes in (memory, stalls):
        axes.axvspan(min(minutes, default=0.0), course.warm_s / 60, color="grey", alpha=0.15, label="warm-up")
        for at in course.kills:
            axes.axvline(at / 60, color="black", linewidth=0.7, linestyle=":")
    memory.legend()
    figure.savefig(path, dpi=110)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="how long the load lasts (60)")
    parser.add_argument("--rate", type=float, default=0.0, help="workflows a second; 0: by the peak (0)")
    parser.add_argument("--share", type=float, default=0.7, help="of the peak, when there is no rate (0.7)")
    parser.add_argument("--peak-seconds", type=float, default=60.0, help="how long the peak is measured (60)")
    parser.add_argument("--in-flight", type=int, default=1000, help="more workflows are never alive at a time (1000)")
    parser.add_argument("--faults", type=float, default=0.01, help="the share of calls that go wrong (0.01)")
    parser.add_argument("--kills", type=int, default=3, help="SIGKILLs in the first half of the warm-up (3)")
    parser.add_argument("--warm-up", type=float, default=0.2, help="the part of the run that does not count (0.2)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults' dice (1)")
    parser.add_argument("--png", type=Path, default=Path("soak.png"), help="the picture; JSON beside it (soak.png)")
    return parser.parse_args()


def main() -> None:
    """Run, print, draw."""
    options = arguments()
    course, ledger = anyio.run(soak, options, backend_options={"use_uvloop": True})
    found = verdict(course, ledger)
    for name, value in found.items():
        sys.stdout.write(f"{name:24} {json.dumps(value, ensure_ascii=False)}\n")
    options.png.parent.mkdir(parents=True, exist_ok=True)
    plot(course, found, options.png)
    body = {"circumstances": circumstances(sys.argv), "verdict": found}
    options.png.with_suffix(".json").write_text(json.dumps(body, indent=2) + "\n")
    sys.exit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()

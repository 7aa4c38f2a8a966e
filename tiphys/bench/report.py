"""Results as people read them (a table), as programs read them (JSON), and as pictures (PNG, with matplotlib)."""

from __future__ import annotations

import json
import platform
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tiphys.bench.measure import Result

NOT_MEASURED = "not measured"
STALLS = "tiphys_loop_stalls_total"
HEAD = (
    "scenario", "size", "workflows", "pods", "wall s", "/min", "start p50/p99 ms", "hop p50/p99 ms", "end p50/p99 ms",
    "controller ms/wf", "ms/pod", "api ms/wf", "writes/wf", "peak MiB", "stalls", "failed", "dup",
)  # fmt: skip


def rows(results: Sequence[Result]) -> list[Sequence[str]]:
    """The table: a head and a row for each result."""
    return [HEAD, *(_row(result) for result in results)]


def _row(result: Result) -> Sequence[str]:
    size = next(iter(result.parameters.values()), "")
    return (
        result.scenario,
        str(size),
        str(result.workflows),
        str(result.nodes),
        f"{result.wall_s:.1f}",
        f"{result.workflows / result.wall_s * 60:.0f}" if result.wall_s else "",
        *(_pair(result, name) for name in ("submit_to_pod", "hop", "pod_to_end")),
        _number(result.per_workflow_ms("controller")),
        _number(result.per_node_ms("controller")),
        _number(result.per_workflow_ms("api")),
        _number(result.writes / result.workflows if result.workflows and result.requests else None),
        f"{result.peak_mib['controller']:.0f}" if "controller" in result.peak_mib else NOT_MEASURED,
        _stalls(result),
        str(result.failed),
        str(result.duplicates),
    )


def _stalls(result: Result) -> str:
    """How often our controller's loop was late by 100 ms or more; nobody else's tells."""
    found = (result.more.get("controller_metrics") or {}).get(STALLS)
    return NOT_MEASURED if found is None else f"{found:.0f}"


def _pair(result: Result, name: str) -> str:
    found = result.latencies.get(name, {})
    low, high = found.get("p50"), found.get("p99")
    return f"{low * 1000:.1f}/{high * 1000:.0f}" if low is not None and high is not None else "-"


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.2f}"


def ratios(first: Sequence[Result], second: Sequence[Result]) -> dict[str, float]:
    """Medians of the second runs over those of the first, for what can be compared."""
    found: dict[str, float] = {}
    for name, value in _comparable(first).items():
        other = _comparable(second).get(name)
        if value and other is not None:
            found[name] = other / value
    return found


def _comparable(results: Sequence[Result]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for result in results:
        plain = result.as_json()
        for name in ("wall_s", "per_minute", "writes_per_workflow", "controller_ms_per_workflow"):
            if plain[name] is not None:
                found.setdefault(name, []).append(plain[name])
        for name, shares in result.latencies.items():
            if shares.get("p50") is not None:
                found.setdefault(f"{name} p50", []).append(shares["p50"] or 0.0)
    return {name: statistics.median(values) for name, values in found.items()}


# ------------------------------------------------------------------------------------------------ files


def circumstances(command: Sequence[str]) -> dict[str, Any]:
    """Machine, date, versions and command: what a number is worth nothing without."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": list(command),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": _cores(),
        "tiphys": _version(),
    }


def write(folder: Path, results: Sequence[Result], command: Sequence[str]) -> list[Path]:
    """One JSON file, and a picture for each result that has something to show. The paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    about = circumstances(command)
    body = {"circumstances": about, "results": [result.as_json() for result in results]}
    path.write_text(json.dumps(body, indent=2) + "\n")
    return [path, _page(folder, results, about), *_pictures(folder, results)]


def _page(folder: Path, results: Sequence[Result], about: dict[str, Any]) -> Path:
    """The table with its circumstances, for people."""
    head, *body = ([cell.replace("|", "/") for cell in row] for row in rows(results))
    lines = [f"- {name}: {' '.join(value) if isinstance(value, list) else value}" for name, value in about.items()]
    lines += ["", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(row)} |" for row in body]
    lines += ["", *(f"{result.scenario}: {result.more['error']}" for result in results if "error" in result.more)]
    path = folder / "README.md"
    path.write_text(f"# Results\n\n{chr(10).join(lines)}\n")
    return path


def _pictures(folder: Path, results: Sequence[Result]) -> list[Path]:
    try:
        from tiphys.bench import plot  # noqa: PLC0415  matplotlib is a slow import, and may not be there
    except ImportError:
        sys.stderr.write("no pictures: pip install 'tiphys[bench]' brings matplotlib\n")
        return []
    made: list[Path] = []
    for at, result in enumerate(results):
        if result.series.get("ended"):
            made.append(folder / f"{at:02}-{result.scenario.replace(' ', '-')}.png")
            plot.run(result, made[-1])
    return made


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _cores() -> int:
    import os  # noqa: PLC0415

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version() -> str:
    try:
        return version("tiphys")
    except PackageNotFoundError:
        return "source"

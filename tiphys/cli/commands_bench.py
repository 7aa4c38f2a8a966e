"""`tiphys bench`: measure a controller, ours or another one, on a cluster of its own or on any."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from tiphys.bench.campaign import Run, Wish


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(bench)


def bench(
    scenarios: Annotated[list[str], typer.Argument(metavar="SCENARIO…", help="S1 to S8, or all.")],
    full: Annotated[bool, typer.Option("--full", help="The sizes that numbers are published of; long.")] = False,
    size: Annotated[list[int], typer.Option("--size", min=1, help="This size; may be repeated.")] = [],  # noqa: B006
    controller: Annotated[
        list[str],
        typer.Option(
            help="tiphys; none: one runs already; or a command line with {kubeconfig}. Given twice: both take turns."
        ),
    ] = ["tiphys"],  # noqa: B006
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured; the median counts.")] = 1,
    kubeconfig: Annotated[
        str, typer.Option(help="A cluster with nodes. Default: a dev cluster of its own, with a simulated node.")
    ] = "",
    delay: Annotated[float, typer.Option(min=0.0, help="Seconds a pod of the simulated node runs.")] = 0.0,
    report: Annotated[Path | None, typer.Option(help="Write JSON and pictures into this folder.")] = None,
) -> None:
    """Measure a controller: throughput, latencies, CPU, memory and API requests, as the API shows them."""
    import anyio  # noqa: PLC0415

    from tiphys.bench.campaign import Wish  # noqa: PLC0415
    from tiphys.bench.scenarios import SCENARIOS  # noqa: PLC0415

    named = list(SCENARIOS) if "all" in scenarios else scenarios
    if unknown := [name for name in named if name not in SCENARIOS]:
        known = "\n".join(f"  {name}: {one.claim} (size: {one.size})" for name, one in SCENARIOS.items())
        raise InputError(f"unknown scenario {unknown[0]!r}; there are\n{known}\n  all: every one")
    wish = Wish(named, full, size, controller, rounds, kubeconfig, delay)
    failed = anyio.run(_bench, wish, report, backend_options={"use_uvloop": sys.platform != "win32"})
    raise typer.Exit(1 if failed else 0)


async def _bench(wish: Wish, folder: Path | None) -> bool:
    """Run and print; whether something ended otherwise than it should have."""
    from rich.console import Console  # noqa: PLC0415

    from tiphys.bench import report  # noqa: PLC0415
    from tiphys.bench.campaign import campaign  # noqa: PLC0415
    from tiphys.cli.table import aligned  # noqa: PLC0415

    with Console(stderr=True).status("starting") as status:
        runs = [run async for run in campaign(wish, lambda what, ended: status.update(f"{what}: {ended} ended"))]
    results = [run.result for run in runs]
    print("\n".join(aligned(report.rows(results))))
    for line in _comparison(wish, runs):
        print(line)
    if folder is not None:
        for path in report.write(folder, results, sys.argv):
            print(path, file=sys.stderr)
    return any(result.failed or result.duplicates for result in results)


def _comparison(wish: Wish, runs: list[Run]) -> list[str]:
    """Ratios of the second controller to the first, by scenario and size."""
    from tiphys.bench import report  # noqa: PLC0415

    if len(wish.controllers) < 2:
        return []
    lines = []
    for what in dict.fromkeys((run.result.scenario, str(run.result.parameters)) for run in runs):
        mine = [run for run in runs if (run.result.scenario, str(run.result.parameters)) == what]
        first, second = ([r.result for r in mine if r.controller == one] for one in wish.controllers[:2])
        found = ", ".join(f"{name} {ratio:.2f}" for name, ratio in report.ratios(first, second).items())
        lines.append(f"{what[0]} {what[1]}: {wish.controllers[1]} / {wish.controllers[0]}: {found}")
    return lines

"""`tiphys bench`: measure a controller, ours or another one, on a cluster of its own or on any."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli.problems import InputError

OURS = "tiphys"

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
    shards: Annotated[
        int, typer.Option(min=0, max=64, help="So many of our controllers, which share the work; 0: one, undivided.")
    ] = 0,
    delay: Annotated[float, typer.Option(min=0.0, help="Seconds a pod of the simulated node runs.")] = 0.0,
    report: Annotated[
        Path | None,
        typer.Option(help="Write JSON, a table and pictures into this folder; with `all`: bench/results/DATE."),
    ] = None,
    flame: Annotated[
        bool | None,
        typer.Option(help="With a report: a flame graph of ours by py-spy; default: with `all`, where it is."),
    ] = None,
) -> None:
    """Measure a controller: throughput, latencies, CPU, memory and API requests, as the API shows them."""
    import anyio  # noqa: PLC0415

    from tiphys.bench.campaign import Wish  # noqa: PLC0415
    from tiphys.bench.scenarios import SCENARIOS  # noqa: PLC0415

    named = list(SCENARIOS) if "all" in scenarios else scenarios
    if unknown := [name for name in named if name not in SCENARIOS]:
        known = "\n".join(f"  {name}: {one.claim} (size: {one.size})" for name, one in SCENARIOS.items())
        raise InputError(f"unknown scenario {unknown[0]!r}; there are\n{known}\n  all: every one")
    if shards and (undivided := [name for name in named if not SCENARIOS[name].divisible]):
        divisible = ", ".join(name for name, one in SCENARIOS.items() if one.divisible)
        raise InputError(f"--shards: {undivided[0]} is about one namespace or one controller; with shards: {divisible}")
    if shards and controller != [OURS]:
        raise InputError("--shards is about our controllers: leave --controller out")
    wish = Wish(named, full, size, controller, rounds, kubeconfig, delay, shards)
    whole = "all" in scenarios
    folder = report or (Path("bench", "results", datetime.now(UTC).date().isoformat()) if whole else None)
    drawn = OURS in controller and (whole if flame is None else flame)
    failed = anyio.run(_bench, wish, folder, drawn, backend_options={"use_uvloop": sys.platform != "win32"})
    raise typer.Exit(1 if failed else 0)


async def _bench(wish: Wish, folder: Path | None, drawn: bool) -> bool:
    """Run and print; whether something ended otherwise than it should have. What is done is kept, should the rest not
    come to be."""
    from tiphys.bench import report  # noqa: PLC0415
    from tiphys.bench.campaign import campaign, settings_of, turns  # noqa: PLC0415
    from tiphys.bench.flame import flame, spy  # noqa: PLC0415
    from tiphys.cli.table import aligned  # noqa: PLC0415

    runs: list[Run] = []
    written: list[Path] = []
    with _bar(len(turns(wish)) + (1 if drawn and folder else 0)) as (tell, step):
        async for run in campaign(wish, tell):
            runs.append(run)
            step()
            if folder is not None:
                written = report.write(folder, [one.result for one in runs], sys.argv)
        if drawn and folder is not None:
            svg = await flame(folder, settings_of(wish, OURS), tell, spy())
            written += [svg] if svg is not None else []
    results = [run.result for run in runs]
    print("\n".join(aligned(report.rows(results))))
    for line in (*_errors(runs), *_each(runs), *_comparison(wish, runs)):
        print(line)
    for path in written:
        print(path, file=sys.stderr)
    return any(result.failed or result.duplicates for result in results)


@contextmanager
def _bar(number: int) -> Iterator[tuple[Callable[[str, int], None], Callable[[], None]]]:
    """A progress bar on standard error over so many runs: what says what runs, and what counts one as done."""
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=number)
        yield (
            lambda what, ended: progress.update(task, description=f"{what}: {ended} ended"),
            lambda: progress.advance(task),
        )


def _errors(runs: list[Run]) -> list[str]:
    return [f"{run.result.scenario}: {run.result.more['error']}" for run in runs if "error" in run.result.more]


def _each(runs: list[Run]) -> list[str]:
    """What a scenario has to say besides the table, and what each of several controllers has used."""
    lines = [f"{run.result.scenario}: {run.result.more['said']}" for run in runs if "said" in run.result.more]
    for run in runs:
        used = {name: cpu_s for name, cpu_s in run.result.cpu_s.items() if name.partition(" ")[0] == "controller"}
        if len(used) > 1:
            said = ", ".join(f"{name} {cpu_s:.2f} s" for name, cpu_s in used.items())
            lines.append(f"{run.result.scenario}: CPU of {said}; {run.result.wall_s:.1f} s in all")
    return lines


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

"""`tiphys simulate FILE…`: see an update of a Rollout happen, without a cluster and without waiting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tiphys.cli import options


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(simulate)


def simulate(
    files: options.Files,
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="CONTAINER=IMAGE", help="The update; image=… means every container."),
    ] = [],  # noqa: B006
    metrics: Annotated[
        str, typer.Option(help="What metrics measure: a file, or a sentence for all: 'fail at 3m'.")
    ] = "",
    until: Annotated[str, typer.Option(help="Stop after this much simulated time: 90, 10m, 2h.")] = "24h",
    promote_after: Annotated[
        str, typer.Option("--promote-after", help="A person promotes what waits, after: 30s, 10m.")
    ] = "",
    ready_after: Annotated[float, typer.Option(min=0.0, help="Seconds until a pod is ready.")] = 2.0,
    never_ready: Annotated[bool, typer.Option("--never-ready", help="The new version's pods never are.")] = False,
    crash_after: Annotated[str, typer.Option(help="The new version's containers fail after: 5s, 2m.")] = "",
    name: Annotated[str, typer.Option(help="The Rollout, when the files hold several.")] = "",
    plot: Annotated[Path | None, typer.Option(help="Write a picture: out.svg or out.png.")] = None,
) -> None:
    """Play an update of the Rollout in FILE…: a timeline of steps, weights, pods and verdicts, in a moment.

    The real controllers run on an embedded cluster in virtual time. Exit code 0: the update ends Healthy.
    """
    from tiphys.cli import selection  # noqa: PLC0415
    from tiphys.cli.simulate import Options  # noqa: PLC0415
    from tiphys.cli.simulate import simulate as play  # noqa: PLC0415

    new_pods = {"ready-after": "never"} if never_ready else {}
    if crash_after:
        new_pods["fail-after"] = str(selection.seconds(crash_after, "--crash-after"))
    chosen = Options(
        files, name, set_, metrics, selection.seconds(until, "--until") or 86_400.0,
        selection.seconds(promote_after, "--promote-after"), ready_after, new_pods, plot,
    )  # fmt: skip
    raise typer.Exit(play(chosen))

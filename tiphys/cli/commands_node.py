"""`tiphys node`: a node of ours joins any cluster, as a process of its own; `tiphys node set` speaks of workflows'."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tiphys.cli import options
from tiphys.cli.commands_local import Runtime
from tiphys.cli.commands_rerun import set_


def register(app: typer.Typer) -> None:
    """Add this command and those below it to the application."""
    group = typer.Typer(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
    group.callback()(node)
    group.command("set")(set_)
    app.add_typer(group, name="node")


def node(
    asked: typer.Context,
    runtime: Annotated[
        Runtime, typer.Option("--runtime", help="simulated: pods without processes, for benchmarks; others as for run.")
    ] = Runtime.simulated,
    name: Annotated[str, typer.Option(help="The name of the node.")] = "tiphys",
    delay: Annotated[float, typer.Option(min=0.0, help="Seconds that a simulated pod runs unless annotated.")] = 0.0,
    scheduler: Annotated[
        bool, typer.Option("--scheduler", help="Bind pods too: for a cluster without a scheduler of its own.")
    ] = False,
    image: Annotated[
        str, typer.Option(help="The image of the controller and of the helpers in pods, which is this program.")
    ] = "tiphys",
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Join a cluster as a node until Ctrl-C (prints `ready` when it is registered); or set a workflow's nodes."""
    if asked.invoked_subcommand:
        return
    import anyio  # noqa: PLC0415

    from tiphys.cli import node as joining  # noqa: PLC0415
    from tiphys.cli.connect import Target  # noqa: PLC0415

    settings = joining.NodeWish(runtime.value, name, delay, scheduler, image)
    use_uvloop = sys.platform != "win32"
    anyio.run(joining.join, Target(kubeconfig, context), settings, backend_options={"use_uvloop": use_uvloop})

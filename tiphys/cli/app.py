"""All commands under one name, and the one place where a problem becomes a message and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import typer

from runtime.api import ApiError
from tiphys.cli import (
    commands_archive,
    commands_bench,
    commands_cluster,
    commands_controller,
    commands_cron,
    commands_insight,
    commands_install,
    commands_local,
    commands_node,
    commands_rerun,
    commands_server,
    commands_simulate,
    commands_steer,
    commands_sync,
    commands_template,
    commands_tools,
)
from tiphys.cli.panels import arrange
from tiphys.cli.problems import EXIT_BAD_INPUT, InputError
from tiphys.cli.rollouts import commands as commands_rollouts
from tiphys.configuration.problems import BadConfiguration

SWITCHES: Final = ("watch", "wait", "log", "strict", "controllers", "secure")
"""Flags that may be written with =true or =false."""

app = typer.Typer(
    name="tiphys",
    help="Run Argo Workflows and Argo Rollouts: on this machine without a cluster, or in one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
commands_local.register(app)
commands_controller.register(app)
commands_insight.register(app)
commands_node.register(app)
commands_server.register(app)
commands_bench.register(app)
commands_install.register(app)
commands_cluster.register(app)
commands_steer.register(app)
commands_rerun.register(app)
commands_template.register(app)
commands_sync.register(app)
commands_archive.register(app)
commands_tools.register(app)
commands_cron.register(app)
commands_rollouts.register(app)
commands_simulate.register(app)
arrange(app)


def _version(wanted: bool) -> None:
    if wanted:
        commands_local.version(short=True)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="The version.")] = False,
) -> None:
    """Run Argo Workflows and Argo Rollouts: on this machine without a cluster, or in one."""
    del version  # its callback has done the work


def run_app(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code. Problems of the input are printed to standard error, one line each."""
    try:
        app(args=spelled_out(sys.argv[1:] if arguments is None else arguments), prog_name="tiphys")
    except SystemExit as e:
        return e.code if isinstance(e.code, int) else 0 if e.code is None else 1
    except (InputError, ApiError, BadConfiguration, BaseExceptionGroup) as e:
        found = list(_problems(e))
        if any(problem is None for problem in found):
            raise
        for problem in found:
            print(f"error: {problem}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """Flags as upstream's command line has them, `--watch=false`, become those of this one, `--no-watch`."""
    options = list(arguments)
    end = options.index("--") if "--" in options else len(options)
    for at, option in enumerate(options[:end]):
        flag, equals, value = option.removeprefix("--").partition("=")
        if option.startswith("--") and equals and flag in SWITCHES and value in ("true", "false"):
            options[at] = f"--{flag}" if value == "true" else f"--no-{flag}"
    return options


def _problems(error: BaseException) -> Iterator[str | None]:
    """The texts of what input and server refused in a tree of exceptions; None for anything else, which is a bug."""
    if isinstance(error, ApiError):
        yield error.message
    elif isinstance(error, InputError):
        yield from map(str, error.problems)
    elif isinstance(error, BadConfiguration):  # an environment variable: what a file says is named where it is read
        yield from (f"configuration: {problem}" for problem in error.problems)
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _problems(inner)
    else:
        yield None

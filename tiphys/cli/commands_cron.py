"""The commands on CronWorkflows: create, update, get, list, delete, lint, suspend, resume, backfill."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli import options
from tiphys.cli.clustered import Act, clustered
from tiphys.cli.commands_local import LintForm, lint
from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from tiphys.cli.cron_verbs import Wishes
    from tiphys.cli.documents import Document

Names = Annotated[list[str], typer.Argument(metavar="CRON_WORKFLOW…", help="CronWorkflows, by name.")]
ParameterFile = Annotated[
    str, typer.Option("--parameter-file", "-f", metavar="FILE", help="A YAML or JSON file of parameters.")
]
Schedule = Annotated[str, typer.Option(help="When it runs, instead of what the file says.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application, below `cron`."""
    group = typer.Typer(
        help="Manage CronWorkflows: workflows that run on a schedule.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for command in (create, update, get, delete, suspend, resume, backfill):
        group.command()(command)
    group.command("list")(list_)
    group.command("lint")(lint_)
    app.add_typer(group, name="cron")


@clustered
def create(
    files: options.Files,
    schedule: Schedule = "",
    parameter: options.Parameters = [],  # noqa: B006  typer makes a new one each time
    parameter_file: ParameterFile = "",
    entrypoint: options.Entrypoint = "",
    name: options.Name = "",
    generate_name: options.GenerateName = "",
    service_account: options.ServiceAccount = "",
    labels: options.SetLabels = [],  # noqa: B006
    output: options.Output = None,
    strict: options.Strict = True,
) -> Act:
    """Create the CronWorkflows in FILE…."""
    from tiphys.cli import cron_verbs, overrides  # noqa: PLC0415  only when the command runs: the same below

    wished = overrides.Overrides(
        name=name,
        generate_name=generate_name,
        entrypoint=entrypoint,
        service_account=service_account,
        parameters=overrides.parameters(parameter, parameter_file),
        labels=overrides.labels(labels),
    )
    found = _checked(files, cron_verbs.Wishes(wished, schedule), strict=strict)
    return lambda at: cron_verbs.create(at, found, options.form(output))


@clustered
def update(
    files: options.Files,
    parameter: options.Parameters = [],  # noqa: B006
    parameter_file: ParameterFile = "",
    entrypoint: options.Entrypoint = "",
    service_account: options.ServiceAccount = "",
    labels: options.SetLabels = [],  # noqa: B006
    output: options.Output = None,
    strict: options.Strict = True,
) -> Act:
    """Replace CronWorkflows by what FILE… say; what they have done so far is kept."""
    from tiphys.cli import cron_verbs, overrides  # noqa: PLC0415

    wished = overrides.Overrides(
        entrypoint=entrypoint,
        service_account=service_account,
        parameters=overrides.parameters(parameter, parameter_file),
        labels=overrides.labels(labels),
    )
    found = _checked(files, cron_verbs.Wishes(wished), strict=strict)
    return lambda at: cron_verbs.update(at, found, options.form(output))


@clustered
def get(
    names: Names,
    output: options.Output = None,
) -> Act:
    """Show CronWorkflows: what they are, when they run next, and what runs."""
    from tiphys.cli import cron_verbs  # noqa: PLC0415

    return lambda at: cron_verbs.get(at, names, options.form(output))


@clustered
def list_(
    all_namespaces: options.Everywhere = False,
    selector: options.Selector = "",
    output: options.Output = None,
) -> Act:
    """List CronWorkflows."""
    from tiphys.cli import cron_verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    async def act(at: Connection) -> int:
        return await cron_verbs.list_(at, selector, options.form(output), everywhere=all_namespaces)

    return act


@clustered
def delete(
    names: Annotated[list[str], typer.Argument(metavar="[CRON_WORKFLOW…]", help="CronWorkflows, by name.")] = [],  # noqa: B006
    all_: Annotated[bool, typer.Option("--all", help="All of the namespace.")] = False,
) -> Act:
    """Delete CronWorkflows, with the workflows that they have started."""
    from tiphys.cli import cron_verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    if not names and not all_:
        raise InputError("which CronWorkflows? Give names, or --all")

    async def act(at: Connection) -> int:
        return await cron_verbs.delete(at, names, everything=all_)

    return act


def lint_(
    files: options.Files,
    output: Annotated[
        LintForm, typer.Option("--output", "-o", help="pretty, or simple: one line a problem.")
    ] = LintForm.pretty,
    strict: options.Strict = True,
    no_color: options.NoColour = False,
    no_utf8: options.NoUtf8 = False,
) -> None:
    """Find the problems of the CronWorkflows in FILE…; exit code 1 when there are errors."""
    lint(files, kinds="cronworkflows", output=output, strict=strict, no_color=no_color, no_utf8=no_utf8)


@clustered
def suspend(names: Names) -> Act:
    """Let CronWorkflows start nothing until they are resumed."""
    return _suspend(names, suspended=True)


@clustered
def resume(names: Names) -> Act:
    """Let CronWorkflows run on their schedules again."""
    return _suspend(names, suspended=False)


@clustered
def backfill(
    name_of_cron: Annotated[str, typer.Argument(metavar="CRON_WORKFLOW", help="The CronWorkflow, by name.")],
    start: Annotated[str, typer.Option(help="The beginning of the period, in the layout of --format.")] = "",
    end: Annotated[str, typer.Option(help="Its end; by default now.")] = "",
    name: Annotated[str, typer.Option(help="The name of the backfill; by default five letters.")] = "",
    argname: Annotated[
        str, typer.Option(help="The workflow parameter that gets the hour of a run.")
    ] = "cronScheduleTime",
    format_: Annotated[
        str, typer.Option("--format", help="The layout of --start and --end, in Go's reference time.")
    ] = "Mon, 02 Jan 2006 15:04:05 MST",
    parallel: Annotated[bool, typer.Option("--parallel", help="All runs at once, not one after the other.")] = False,
    maxworkflowcount: Annotated[int, typer.Option(help="Runs that one workflow makes at most.")] = 1000,
) -> Act:
    """Make the runs that a CronWorkflow would have made between two moments in the past."""
    from random import SystemRandom  # noqa: PLC0415

    from actors.names.suffixes import suffix  # noqa: PLC0415
    from tiphys.cli import cron_backfill, cron_verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    chosen = name or suffix(SystemRandom())
    wish = cron_backfill.Backfill(chosen, start, end, argname, format_, parallel, maxworkflowcount)

    async def act(at: Connection) -> int:
        return await cron_verbs.backfill(at, name_of_cron, wish, time.time())

    return act


def _suspend(names: Sequence[str], *, suspended: bool) -> Act:
    from tiphys.cli import cron_verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    async def act(at: Connection) -> int:
        return await cron_verbs.suspend(at, names, suspended=suspended)

    return act


def _checked(files: Sequence[str], wishes: Wishes, *, strict: bool) -> list[Document]:
    """The CronWorkflows of files, as wished and fit to run. Raises InputError."""
    from tiphys.cli import cron_verbs, documents, lint  # noqa: PLC0415

    found = cron_verbs.chosen(documents.read(files), wishes)
    for warning in lint.check_or_raise(found, lint.SUBMITTING._replace(strict=strict)):
        print(f"warning: {warning}", file=sys.stderr)
    return found

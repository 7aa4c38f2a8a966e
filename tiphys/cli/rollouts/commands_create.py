"""The command line that makes objects of Rollouts: from files, and AnalysisRuns from templates."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from tiphys.cli.clustered import Act, clustered
from tiphys.cli.problems import InputError

Files = Annotated[list[str], typer.Option("--filename", "-f", metavar="FILE", help="A file; may be repeated.")]
Arguments = Annotated[
    list[str], typer.Option("--argument", "-a", metavar="NAME=VALUE", help="An argument of the template.")
]
NOTHING = "create what? Files with -f FILE, or an AnalysisRun: create analysisrun --from TEMPLATE"


def register(group: typer.Typer, settings: dict[str, Any]) -> None:
    """Add `create`, and `create analysisrun` below it."""
    making = typer.Typer(context_settings=settings)
    making.callback(invoke_without_command=True)(_create())
    making.command("analysisrun")(analysis_run)
    making.command("ar", hidden=True)(analysis_run)
    group.add_typer(making, name="create")


@clustered
def from_files(files: Files = []) -> Act:  # noqa: B006  never changed
    """Create Rollouts, Experiments, AnalysisTemplates and AnalysisRuns from files."""
    from tiphys.cli.rollouts import creating  # noqa: PLC0415  only when the command runs: the same below

    if not files:
        raise InputError(NOTHING)
    return lambda at: creating.create(at, files)


def _create() -> Any:
    """`create` by itself, which stands back for the commands below it."""

    def create(ctx: typer.Context, **named: Any) -> None:
        if ctx.invoked_subcommand is None:
            from_files(**named)

    signature = inspect.signature(from_files)
    first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    create.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[first, *signature.parameters.values()]
    )
    create.__annotations__ = {"ctx": typer.Context, **from_files.__annotations__}
    create.__doc__ = from_files.__doc__
    return create


@clustered
def analysis_run(
    source: Annotated[str, typer.Option("--from", help="A template in the cluster.")] = "",
    file: Annotated[str, typer.Option("--from-file", help="A file with a template.")] = "",
    is_clusters: Annotated[bool, typer.Option("--global", help="A ClusterAnalysisTemplate is meant.")] = False,
    argument: Arguments = [],  # noqa: B006  never changed
    name: Annotated[str, typer.Option(help="The name of the run.")] = "",
    generate_name: Annotated[str, typer.Option(help="The beginning of its name; else the template's.")] = "",
    instance_id: Annotated[str, typer.Option(help="For the controller of this instance id.")] = "",
) -> Act:
    """Measure once: an AnalysisRun of a template, outside of any Rollout."""
    from tiphys.cli.rollouts import creating  # noqa: PLC0415

    if bool(source) == bool(file):
        raise InputError("one of --from or --from-file must be specified")
    given = creating.arguments(argument)
    wish = creating.RunWish(source, file, is_clusters, given, name, generate_name, instance_id)
    return lambda at: creating.analysis_run(at, wish)

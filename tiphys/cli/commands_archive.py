"""The commands about archived workflows: archive list, get, delete, retry, resubmit, list-label-keys and -values."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli import options
from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from tiphys.cli.archive_place import Act, Asked
    from tiphys.cli.archive_verbs import NamedBy

File = Annotated[
    Path | None,
    typer.Option(
        "--archive", envvar="TIPHYS_ARCHIVE", help="The SQLite file of `tiphys dev --archive`, instead of a cluster's."
    ),
]
ByName = Annotated[bool, typer.Option("--name", help="The argument is a name.")]
ByUid = Annotated[bool, typer.Option("--uid", help="The argument is a uid.")]
Name = Annotated[str, typer.Argument(metavar="WORKFLOW", help="A name, or a uid.")]
Names = Annotated[list[str], typer.Argument(metavar="WORKFLOW…", help="Names, or uids.")]
SomeNames = Annotated[list[str], typer.Argument(metavar="[WORKFLOW…]", help="Names, or uids.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group = typer.Typer(name="archive", help="Workflows that a database keeps.", no_args_is_help=True)
    for command in (get, delete, retry, resubmit):
        group.command()(command)
    group.command("list")(list_)
    group.command("list-label-keys")(list_label_keys)
    group.command("list-label-values")(list_label_values)
    app.add_typer(group)


def list_(
    selector: options.Selector = "",
    output: options.Output = None,
    chunk_size: Annotated[int, typer.Option(min=0, help="How many are read at a time.")] = 0,
    archive: File = None,
    namespace: options.Namespace = "",
    everywhere: options.Everywhere = False,
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """List archived workflows, the newest first."""
    from tiphys.cli import archive_verbs as verbs  # noqa: PLC0415

    form = options.form(output)

    async def act(asked: Asked) -> int:
        whole = asked._replace(namespace="") if everywhere else asked
        return await verbs.list_(whole, selector, form, chunk_size)

    _run((kubeconfig, context, namespace), archive, act)


def get(
    name: Name,
    output: options.Output = None,
    by_name: ByName = False,
    by_uid: ByUid = False,
    archive: File = None,
    namespace: options.Namespace = "",
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Show an archived workflow."""
    from tiphys.cli import archive_verbs as verbs  # noqa: PLC0415

    how = _named_by(by_name, by_uid)
    _run((kubeconfig, context, namespace), archive, lambda at: verbs.get(at, name, how, options.form(output)))


def delete(
    names: Names,
    by_name: ByName = False,
    by_uid: ByUid = False,
    archive: File = None,
    namespace: options.Namespace = "",
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Forget archived workflows."""
    from tiphys.cli import archive_verbs as verbs  # noqa: PLC0415

    how = _named_by(by_name, by_uid)
    _run((kubeconfig, context, namespace), archive, lambda at: verbs.delete(at, names, how))


def list_label_keys(
    archive: File = None,
    namespace: options.Namespace = "",
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """List the labels that archived workflows bear."""
    from tiphys.cli import archive_verbs as verbs  # noqa: PLC0415

    _run((kubeconfig, context, namespace), archive, verbs.label_keys)


def list_label_values(
    selector: Annotated[str, typer.Option("--selector", "-l", help="The label.")],
    archive: File = None,
    namespace: options.Namespace = "",
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """List the values of a label."""
    from tiphys.cli import archive_verbs as verbs  # noqa: PLC0415

    _run((kubeconfig, context, namespace), archive, lambda at: verbs.label_values(at, selector))


def retry(
    names: SomeNames = [],  # noqa: B006  typer makes a new one each time
    restart_successful: options.RestartSuccessful = False,
    node_field_selector: options.NodeSelector = "",
    parameter: options.Parameters = [],  # noqa: B006
    selector: options.Selector = "",
    by_name: ByName = False,
    by_uid: ByUid = False,
    wait: options.Wait = False,
    watch: options.Watch = False,
    log: options.Log = False,
    output: options.Output = None,
    archive: File = None,
    namespace: options.Namespace = "",
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Make archived workflows that failed anew in the cluster, where they begin where they failed."""
    from tiphys.cli import archive_verbs, rerun, verbs  # noqa: PLC0415
    from tiphys.cli.screen import screen_of  # noqa: PLC0415

    which = _which(names, by_name, by_uid, selector)
    wish = rerun.retry_wish(parameter, restart_successful, node_field_selector)
    after = verbs.After(options.form(output), wait, watch, log)
    screen = screen_of(sys.stdout)
    _run(
        (kubeconfig, context, namespace),
        archive,
        lambda at: archive_verbs.begun_again(at, which, archive_verbs.retrying(at.archive, wish), after, screen),
        cluster=True,
    )


def resubmit(
    names: SomeNames = [],  # noqa: B006
    memoized: options.Memoized = False,
    priority: options.Priority = None,
    parameter: options.Parameters = [],  # noqa: B006
    selector: options.Selector = "",
    by_name: ByName = False,
    by_uid: ByUid = False,
    wait: options.Wait = False,
    watch: options.Watch = False,
    log: options.Log = False,
    output: options.Output = None,
    archive: File = None,
    namespace: options.Namespace = "",
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Submit archived workflows once more, under new names."""
    from tiphys.cli import archive_verbs, overrides, rerun, verbs  # noqa: PLC0415
    from tiphys.cli.screen import screen_of  # noqa: PLC0415

    which = _which(names, by_name, by_uid, selector)
    wish = rerun.Again(overrides.parameters(parameter), memoized=memoized, priority=priority)
    after = verbs.After(options.form(output), wait, watch, log)
    screen = screen_of(sys.stdout)
    _run(
        (kubeconfig, context, namespace),
        archive,
        lambda at: archive_verbs.begun_again(at, which, archive_verbs.resubmitting(at.archive, wish), after, screen),
        cluster=True,
    )


def _which(names: list[str], by_name: bool, by_uid: bool, selector: str) -> tuple[list[str], NamedBy, str]:
    if not names and not selector:
        raise InputError("which workflows? Give names, uids or --selector")
    return names, _named_by(by_name, by_uid), selector


def _named_by(by_name: bool, by_uid: bool) -> NamedBy:
    if by_name and by_uid:
        raise InputError("--name and --uid exclude each other")
    return "name" if by_name else "uid" if by_uid else ""


def _run(where: tuple[str, str, str], archive: Path | None, act: Act, *, cluster: bool = False) -> None:
    from tiphys.cli.archive_place import on_archive  # noqa: PLC0415
    from tiphys.cli.connect import Target  # noqa: PLC0415

    raise typer.Exit(on_archive(Target(*where), archive, act, cluster=cluster))

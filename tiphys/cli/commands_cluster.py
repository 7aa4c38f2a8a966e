"""The commands that read and fill a cluster: submit, get, list, watch, logs, wait, delete."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from tiphys.cli import options
from tiphys.cli.clustered import Act, clustered
from tiphys.cli.problems import InputError

Names = Annotated[list[str], typer.Argument(metavar="NAME…", help="Workflows; @latest is the newest.")]
OneName = Annotated[str, typer.Argument(metavar="NAME", help="A workflow; @latest is the newest.")]
Running = Annotated[bool, typer.Option("--running", help="Those that have not ended.")]
Completed = Annotated[bool, typer.Option("--completed", help="Those that have ended.")]
Resubmitted = Annotated[bool, typer.Option("--resubmitted", help="Those made from another one.")]
Prefix = Annotated[str, typer.Option(help="Those whose names begin so.")]
Older = Annotated[str, typer.Option(help="Those that ended longer ago than: 10m, 2h, 7d.")]
Phases = Annotated[list[str], typer.Option("--status", help="Those in one of these phases, separated by commas.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (submit, get, watch, logs, wait, delete, explain):
        app.command()(command)
    app.command("list")(list_)


def submit(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE…", help="Files, folders, URLs; - is standard input.")
    ] = [],  # noqa: B006
    from_: Annotated[str, typer.Option("--from", metavar="KIND/NAME", help="A template in the cluster to run.")] = "",
    parameter: options.Parameters = [],  # noqa: B006
    parameter_file: Annotated[
        str, typer.Option("--parameter-file", "-f", metavar="FILE", help="A YAML or JSON file of parameters.")
    ] = "",
    entrypoint: options.Entrypoint = "",
    name: options.Name = "",
    generate_name: options.GenerateName = "",
    service_account: options.ServiceAccount = "",
    labels: options.SetLabels = [],  # noqa: B006
    priority: Annotated[int | None, typer.Option(help="The priority of the workflow.")] = None,
    scheduled_time: Annotated[
        str, typer.Option(metavar="TIME", help="With --from: the time that the run stands for (RFC 3339).")
    ] = "",
    output: options.Output = None,
    wait: options.Wait = False,
    watch: options.Watch = False,
    log: options.Log = False,
    status: options.OnlyPhase = "",
    node_field_selector: options.OnlyNodes = "",
    server_dry_run: Annotated[
        bool, typer.Option("--server-dry-run", help="Let the server judge, create nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent; of files no server is asked.")
    ] = False,
    strict: options.Strict = True,
    no_color: options.NoColour = False,
    no_utf8: options.NoUtf8 = False,
    namespace: options.Namespace = "",
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Submit the Workflows in FILE…, or one of a template that is in the cluster."""
    from tiphys.cli import documents, lint, overrides, selected, submission, verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection, Target, on_cluster  # noqa: PLC0415
    from tiphys.cli.creation import Creation  # noqa: PLC0415
    from tiphys.cli.screen import screen_of  # noqa: PLC0415

    if bool(files) == bool(from_):
        raise typer.BadParameter("give either FILE… or --from KIND/NAME")
    if dry_run and server_dry_run:
        raise typer.BadParameter("--dry-run cannot be combined with --server-dry-run")
    if scheduled_time and not from_:
        raise typer.BadParameter("--scheduled-time is of a run --from KIND/NAME")
    wishes = overrides.Overrides(
        name=name,
        generate_name=generate_name,
        entrypoint=entrypoint,
        service_account=service_account,
        priority=priority,
        parameters=overrides.parameters(parameter, parameter_file),
        labels=overrides.labels(labels),
        scheduled=submission.moment(scheduled_time),
    )
    read = documents.read(files)
    wished = [one._replace(object=overrides.applied(one.object, wishes)) if one.is_workflow else one for one in read]
    for warning in lint.check_or_raise(wished, lint.SUBMITTING._replace(strict=strict)):
        print(f"warning: {warning}", file=sys.stderr)
    if dry_run and read:
        raise typer.Exit(verbs.would_submit(read, Creation(namespace, wishes), options.form(output)))
    after = verbs.After(options.form(output), wait, watch, log, selected.terms_of(status, node_field_selector))
    screen = screen_of(sys.stdout, no_colour=no_color, no_utf8=no_utf8)

    async def act(at: Connection) -> int:
        chosen = read or [await submission.from_template(at.api, at.namespace, from_)]
        if dry_run:
            return verbs.would_submit(chosen, Creation(at.namespace, wishes), options.form(output))
        creation = Creation(at.namespace, wishes, dry_run=server_dry_run)
        return await verbs.submit(at, chosen, creation, after, screen)

    raise typer.Exit(on_cluster(Target(kubeconfig, context, namespace), act))


@clustered
def get(
    names: Names,
    output: options.Output = None,
    status: options.OnlyPhase = "",
    node_field_selector: options.OnlyNodes = "",
    no_color: options.NoColour = False,
    no_utf8: options.NoUtf8 = False,
) -> Act:
    """Show workflows: their facts and their trees."""
    from tiphys.cli import selected, selection, verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415
    from tiphys.cli.screen import screen_of  # noqa: PLC0415

    screen = screen_of(sys.stdout, no_colour=no_color, no_utf8=no_utf8)
    terms = selected.terms_of(status, node_field_selector)

    async def act(at: Connection) -> int:
        for ref in await selection.named(at.api, at.namespace, names):
            await verbs.get(at, ref, options.form(output), screen, terms)
        return 0

    return act


@clustered
def explain(
    name: OneName,
) -> Act:
    """Say what a workflow waits for, since when, until when and what would end it, or why it failed.

    Also of cron/NAME, rollout/NAME, analysisrun/NAME and experiment/NAME.
    """
    from tiphys.cli import explain as explaining  # noqa: PLC0415
    from tiphys.cli import unheld  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    async def act(at: Connection) -> int:
        found = await explaining.sentences(at.api, at.namespace, name, time.time())
        print("\n".join([*found, *await unheld.sentences(at.api, at.namespace, time.time())]))
        return 0

    return act


@clustered
def list_(
    all_namespaces: options.Everywhere = False,
    running: Running = False,
    completed: Completed = False,
    resubmitted: Resubmitted = False,
    prefix: Prefix = "",
    since: Annotated[str, typer.Option(help="Those created within: 10m, 2h, 7d.")] = "",
    older: Older = "",
    status: Phases = [],  # noqa: B006
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    output: options.Output = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="Only the rows.")] = False,
    chunk_size: options.ChunkSize = 0,
) -> Act:
    """List workflows."""
    from tiphys.cli import selection, verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    wanted = selection.Filter(
        running=running,
        completed=completed,
        resubmitted=resubmitted,
        prefix=prefix,
        phases=selection.phases(status),
        since_s=selection.seconds(since, "--since"),
        older_s=selection.seconds(older, "--older"),
        labels=selector,
        fields=field_selector,
    )

    async def act(at: Connection) -> int:
        form = options.form(output)
        return await verbs.list_(at, wanted, form, everywhere=all_namespaces, head=not no_headers)

    return act


@clustered
def watch(
    name: OneName,
    status: options.OnlyPhase = "",
    node_field_selector: options.OnlyNodes = "",
    no_color: options.NoColour = False,
    no_utf8: options.NoUtf8 = False,
) -> Act:
    """Show a workflow's tree until it has ended."""
    from tiphys.cli import selected, selection, verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415
    from tiphys.cli.screen import screen_of  # noqa: PLC0415

    screen = screen_of(sys.stdout, no_colour=no_color, no_utf8=no_utf8)
    terms = selected.terms_of(status, node_field_selector)

    async def act(at: Connection) -> int:
        return await verbs.watch(at, await selection.named(at.api, at.namespace, [name]), screen, terms)

    return act


@clustered
def logs(
    name: OneName,
    pod: Annotated[str, typer.Argument(metavar="[POD]", help="Only this pod, or the node of this id or name.")] = "",
    container: Annotated[str, typer.Option("--container", "-c", help="The container; main, or all of a set.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the workflow has ended.")] = False,
    previous: Annotated[bool, typer.Option("--previous", "-p", help="Of the container's earlier life.")] = False,
    since: Annotated[str, typer.Option(help="Only lines younger than: 90, 10m, 2h.")] = "",
    since_time: Annotated[str, typer.Option(help="Only lines after this time (RFC 3339).")] = "",
    tail: Annotated[int | None, typer.Option(min=0, help="Only the last lines of each pod.")] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Begin each line with its time.")] = False,
    grep: Annotated[str, typer.Option(help="Only lines that this regular expression finds something in.")] = "",
    selector: options.Selector = "",
    no_color: options.NoColour = False,
) -> Act:
    """Print the logs of a workflow's pods, each line with its pod."""
    from tiphys.cli import logs as reading  # noqa: PLC0415
    from tiphys.cli import selection, verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    since_s = selection.since(since, since_time, time.time())
    wishes = reading.Wishes(container, pod, tail, since_s, previous, grep, timestamps, selector)

    async def act(at: Connection) -> int:
        (ref,) = await selection.named(at.api, at.namespace, [name])
        return await verbs.show_logs(at, ref, wishes, follow=follow)

    return act


@clustered
def wait(
    names: Names,
    ignore_not_found: Annotated[bool, typer.Option("--ignore-not-found", help="A missing one is no failure.")] = False,
) -> Act:
    """Wait until workflows have ended; exit code 1 when one did not succeed."""
    from tiphys.cli import selection, verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    async def act(at: Connection) -> int:
        refs = await selection.named(at.api, at.namespace, names)
        return await verbs.wait(at, refs, ignore_missing=ignore_not_found)

    return act


@clustered
def delete(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Workflows; @latest is the newest.")] = [],  # noqa: B006
    all_: Annotated[bool, typer.Option("--all", help="All of the namespace.")] = False,
    all_namespaces: options.Everywhere = False,
    completed: Completed = False,
    resubmitted: Resubmitted = False,
    prefix: Prefix = "",
    older: Older = "",
    status: Phases = [],  # noqa: B006
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    dry_run: options.DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Remove finalizers first.")] = False,
    query_chunk_size: options.ChunkSize = 0,
) -> Act:
    """Delete workflows, with their pods and whatever else they own."""
    from runtime.objects import reference  # noqa: PLC0415
    from tiphys.cli import selection, verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415
    from tiphys.cli.kinds import WORKFLOWS  # noqa: PLC0415

    wanted = selection.Filter(
        completed=completed,
        resubmitted=resubmitted,
        prefix=prefix,
        phases=selection.phases(status),
        older_s=selection.seconds(older, "--older"),
        labels=selector,
        fields=field_selector,
    )
    if not names and not all_ and wanted == selection.Filter():
        raise InputError("which workflows? Give names, --all, or --completed, --older, --prefix, --status, -l")

    async def act(at: Connection) -> int:
        refs = await selection.named(at.api, at.namespace, names)
        if all_ or wanted != selection.Filter():
            space = None if all_namespaces else at.namespace
            found = await selection.listed(at.api, space, wanted, time.time())
            others = [reference(WORKFLOWS, workflow) for workflow in found]
            refs += [ref for ref in others if ref._replace(uid="") not in refs]
        return await verbs.delete(at, refs, dry_run=dry_run, force=force)

    return act

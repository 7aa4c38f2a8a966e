"""The commands that change a workflow's course: stop, terminate, suspend, resume."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli import options
from tiphys.cli.clustered import Act, clustered

if TYPE_CHECKING:
    from tiphys.cli.control import Change

Names = Annotated[list[str], typer.Argument(metavar="NAME…", help="Workflows; @latest is the newest.")]
SomeNames = Annotated[list[str], typer.Argument(metavar="[NAME…]", help="Workflows; @latest is the newest.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (stop, terminate, suspend, resume):
        app.command()(command)


@clustered
def stop(
    names: SomeNames = [],  # noqa: B006
    message: Annotated[str, typer.Option(help="Why, for the nodes that are failed by --node-field-selector.")] = "",
    node_field_selector: options.NodeSelector = "",
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    dry_run: options.DryRun = False,
) -> Act:
    """Stop workflows; their exit handlers still run. With a node selector: fail the suspended nodes it picks."""
    from tiphys.cli import nodeselector, verbs  # noqa: PLC0415

    terms = nodeselector.parse(node_field_selector)
    decide = verbs.stopping(terms, message)
    chosen = _Chosen(names, selector, field_selector)
    return _steer(chosen, decide, "stopped", dry_run=dry_run, nodes=bool(terms))


@clustered
def terminate(
    names: SomeNames = [],  # noqa: B006
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    dry_run: options.DryRun = False,
) -> Act:
    """Terminate workflows at once; no exit handlers."""
    from tiphys.cli import control  # noqa: PLC0415

    chosen = _Chosen(names, selector, field_selector)
    return _steer(chosen, lambda workflow: control.shut_down(workflow, "Terminate"), "terminated", dry_run=dry_run)


@clustered
def suspend(names: Names) -> Act:
    """Let workflows start nothing new; what runs goes on."""
    from tiphys.cli import control  # noqa: PLC0415

    return _steer(_Chosen(names, as_asked=True), control.suspended, "suspended")


@clustered
def resume(
    names: Names,
    node_field_selector: options.NodeSelector = "",
) -> Act:
    """Let workflows go on, and the nodes that wait for a person; with a node selector: only the nodes it picks."""
    from tiphys.cli import control, nodeselector  # noqa: PLC0415

    terms = nodeselector.parse(node_field_selector)
    decide: Change = lambda workflow: control.resumed(workflow, terms, time.time())  # noqa: E731  as the others
    return _steer(_Chosen(names, as_asked=True), decide, "resumed", nodes=True)


class _Chosen:
    """Which workflows: by name, or by selectors."""

    def __init__(self, names: Sequence[str], labels: str = "", fields: str = "", *, as_asked: bool = False) -> None:
        if not names and not labels and not fields:
            raise typer.BadParameter("which workflows? Give names, --selector or --field-selector")
        self.names = names
        self.labels = labels
        self.fields = fields
        self.as_asked = as_asked  # they are told by the names that were given: @latest, as upstream's client has it


def _steer(chosen: _Chosen, decide: Change, done: str, *, dry_run: bool = False, nodes: bool = False) -> Act:
    """`nodes`: the decision is about nodes, wherever they are kept; without, no database is asked for them."""
    from tiphys.cli import selection, verbs  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415
    from tiphys.cli.offloaded import plain  # noqa: PLC0415

    async def act(at: Connection) -> int:
        at = at if nodes else at._replace(api=plain(at.api))
        wanted = selection.Filter(running=True, labels=chosen.labels, fields=chosen.fields)
        found = await selection.meant(at.api, at.namespace, chosen.names, wanted, time.time())
        if dry_run:
            return verbs.would_steer(found.values(), done)
        called = found if chosen.as_asked else {}
        return await verbs.steer(at, [*found], decide, done, called)

    return act

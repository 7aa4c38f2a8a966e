"""The commands that run a workflow again, or set what one waits for: retry, resubmit, and the `set` of `node`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli import options
from tiphys.cli.clustered import Act, clustered
from tiphys.cli.commands_steer import SomeNames
from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from tiphys.cli.rerun import Rerun
    from tiphys.cli.selection import Filter
    from tiphys.cli.verbs import After


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(retry)
    app.command()(resubmit)


@clustered
def retry(
    names: SomeNames = [],  # noqa: B006  typer makes a new one each time
    restart_successful: options.RestartSuccessful = False,
    node_field_selector: options.NodeSelector = "",
    parameter: options.Parameters = [],  # noqa: B006
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    wait: options.Wait = False,
    watch: options.Watch = False,
    log: options.Log = False,
    output: options.Output = None,
    no_color: options.NoColour = False,
    no_utf8: options.NoUtf8 = False,
) -> Act:
    """Run workflows that failed again from where they failed; what succeeded is kept."""
    from tiphys.cli import rerun, selection, verbs  # noqa: PLC0415

    again = rerun.retrying(rerun.retry_wish(parameter, restart_successful, node_field_selector))
    chosen = selection.Filter(completed=True, labels=selector, fields=field_selector)
    after = verbs.After(options.form(output), wait, watch, log)
    return _rerun((names, chosen), again, after, (no_color, no_utf8))


@clustered
def resubmit(
    names: SomeNames = [],  # noqa: B006
    memoized: options.Memoized = False,
    priority: options.Priority = None,
    parameter: options.Parameters = [],  # noqa: B006
    selector: options.Selector = "",
    field_selector: options.FieldSelector = "",
    wait: options.Wait = False,
    watch: options.Watch = False,
    log: options.Log = False,
    output: options.Output = None,
    no_color: options.NoColour = False,
    no_utf8: options.NoUtf8 = False,
) -> Act:
    """Submit workflows once more, under new names."""
    from tiphys.cli import overrides, rerun, selection, verbs  # noqa: PLC0415

    again = rerun.resubmitting(rerun.Again(overrides.parameters(parameter), memoized=memoized, priority=priority))
    chosen = selection.Filter(labels=selector, fields=field_selector)
    after = verbs.After(options.form(output), wait, watch, log)
    return _rerun((names, chosen), again, after, (no_color, no_utf8))


@clustered
def set_(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A workflow; @latest is the newest.")],
    node_field_selector: options.NodeSelector = "",
    phase: Annotated[str, typer.Option(help="Succeeded, Failed or Error.")] = "",
    message: Annotated[str, typer.Option("--message", "-m", help="The message of the node.")] = "",
    output_parameter: Annotated[
        list[str],
        typer.Option("--output-parameter", "-p", metavar="NAME=VALUE", help="A value that the node waits for."),
    ] = [],  # noqa: B006
) -> Act:
    """Set phase, message or outputs of the suspended nodes that --node-field-selector picks."""
    from tiphys.cli import nodeselector, overrides, rerun, selection  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    terms = nodeselector.parse(node_field_selector)
    if not terms:
        raise InputError("which nodes? Give --node-field-selector, for example displayName=approve")
    given = overrides.named_values(output_parameter, "output parameter")
    outputs = {each: overrides.unquoted(value) for each, value in given.items()}
    change = rerun.setting(terms, phase, message, outputs)

    async def act(at: Connection) -> int:
        (ref,) = await selection.named(at.api, at.namespace, [name])
        return await rerun.set_values(at, ref, change)

    return act


def _rerun(which: tuple[Sequence[str], Filter], again: Rerun, after: After, screen: tuple[bool, bool]) -> Act:
    from tiphys.cli import rerun, selection  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415
    from tiphys.cli.screen import screen_of  # noqa: PLC0415

    names, chosen = which
    if not names and not chosen.labels and not chosen.fields:
        raise InputError("which workflows? Give names, --selector or --field-selector")
    shown = screen_of(sys.stdout, no_colour=screen[0], no_utf8=screen[1])

    async def act(at: Connection) -> int:
        found = await selection.meant(at.api, at.namespace, names, chosen, time.time())
        return await rerun.rerun(at, [*found], again, after, shown)

    return act

"""A command on a cluster says only what it does there: which cluster is asked for and reached in one place.

Such a command is a plain function of its own options that answers with what to do on a connection. Decorated, it has
the options that name a cluster as well, and ends with the exit code of what it did.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias

import typer

from tiphys.cli import options

if TYPE_CHECKING:
    from tiphys.cli.connect import Connection

P = ParamSpec("P")

Act: TypeAlias = "Callable[[Connection], Awaitable[int]]"
"""What a command does on a cluster; the exit code."""

WHICH = {"namespace": options.Namespace, "kubeconfig": options.Kubeconfig, "context": options.Context}
"""The options that every such command has."""


def clustered(command: Callable[P, Act]) -> Callable[..., None]:
    """The command with the options of `WHICH`, run on the cluster they name. Raises typer.Exit with its exit code."""

    @wraps(command)
    def run(*own: Any, namespace: str = "", kubeconfig: str = "", context: str = "", **named: Any) -> None:
        from tiphys.cli.connect import Target, on_cluster  # noqa: PLC0415  only when the command runs

        raise typer.Exit(on_cluster(Target(kubeconfig, context, namespace), command(*own, **named)))

    signature = inspect.signature(command, eval_str=True)
    which = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default="", annotation=option)
        for name, option in WHICH.items()
    ]
    offered = signature.replace(parameters=[*signature.parameters.values(), *which], return_annotation=None)
    run.__signature__ = offered  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in offered.parameters.items()}
    return run

"""Small tools around workflows: auth token, executor-plugin build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tiphys.cli import options
from tiphys.cli.problems import InputError


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    auth = typer.Typer(name="auth", help="Who you are to the cluster.", no_args_is_help=True)
    auth.callback()(_auth)
    auth.command()(token)
    plugin = typer.Typer(name="executor-plugin", help="Executor plugins.", no_args_is_help=True)
    plugin.callback()(_plugin)
    plugin.command()(build)
    app.add_typer(auth)
    app.add_typer(plugin)


def _auth() -> None:
    """Who you are to the cluster."""


def _plugin() -> None:
    """Executor plugins."""


def token(kubeconfig: options.Kubeconfig = "", context: options.Context = "") -> None:
    """Print what the Authorization header says in requests to the cluster: `Bearer …` or `Basic …`."""
    import anyio  # noqa: PLC0415

    from runtime.credentials import from_kubeconfig  # noqa: PLC0415
    from tiphys.cli import places  # noqa: PLC0415

    access = from_kubeconfig(str(places.kubeconfig(kubeconfig)), context or None)
    found = anyio.run(access.headers).get("Authorization")
    if not found:
        raise InputError("the kubeconfig has no token: its user is known by a certificate")
    print(found)


def build(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder with plugin.yaml and perhaps server.*")],
) -> None:
    """Write the ConfigMap that installs an executor plugin, and a page that says how."""
    from tiphys.cli.plugin_build import build as build_plugin  # noqa: PLC0415

    for path in build_plugin(folder):
        print(f"{path} created")

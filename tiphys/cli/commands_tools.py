"""Small tools around workflows: cp, auth token, executor-plugin build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tiphys.cli import options
from tiphys.cli.clustered import Act, clustered
from tiphys.cli.problems import InputError


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    auth = typer.Typer(name="auth", help="Who you are to the cluster.", no_args_is_help=True)
    auth.callback()(_auth)
    auth.command()(token)
    plugin = typer.Typer(name="executor-plugin", help="Executor plugins.", no_args_is_help=True)
    plugin.callback()(_plugin)
    plugin.command()(build)
    app.command()(cp)
    app.add_typer(auth)
    app.add_typer(plugin)


def _auth() -> None:
    """Who you are to the cluster."""


def _plugin() -> None:
    """Executor plugins."""


@clustered
def cp(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A workflow; @latest is the newest.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put them.")],
    node_id: Annotated[str, typer.Option(help="Only those of this node.")] = "",
    template_name: Annotated[str, typer.Option(help="Only those of nodes of this template.")] = "",
    artifact_name: Annotated[str, typer.Option(help="Only those of this name.")] = "",
    path: Annotated[
        str, typer.Option(help="Where below DIR, with {workflowName}, {nodeId}, {templateName}, … filled in.")
    ] = "{namespace}/{workflowName}/{nodeId}/outputs/{artifactName}",
) -> Act:
    """Copy the artifacts that a workflow has made to a folder of this machine."""
    from tiphys.cli import copying, selection  # noqa: PLC0415
    from tiphys.cli.connect import Connection  # noqa: PLC0415

    async def act(at: Connection) -> int:
        (ref,) = await selection.named(at.api, at.namespace, [name])
        wanted = copying.Wanted(node_id, template_name, artifact_name)
        return await copying.copy(at, await at.api.get(ref), folder, wanted, path)

    return act


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

"""The commands about limits of semaphores: sync create, get, update, delete."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli.clustered import Act, clustered
from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from tiphys.cli.database_limits import Row
    from tiphys.cli.limits import Place

Key = Annotated[str, typer.Argument(metavar="KEY", help="The name of the limit.")]
Type = Annotated[str, typer.Option("--type", help="configmap or database: where the limit is kept.")]
ConfigMap = Annotated[str, typer.Option("--cm-name", help="The ConfigMap that keeps the limit.")]
Config = Annotated[
    Path | None,
    typer.Option(help="The controller's configuration, which names the database, when it is no ConfigMap."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many may hold the semaphore at once.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group = typer.Typer(name="sync", help="Limits of semaphores.", no_args_is_help=True)
    for command in (create, get, update, delete):
        group.command()(command)
    app.add_typer(group)


@clustered
def create(key: Key, limit: Limit, type_: Type = "configmap", cm_name: ConfigMap = "", config: Config = None) -> Act:
    """Create a limit."""
    place = _place(key, type_, cm_name, config)
    from tiphys.cli import database_limits, limits  # noqa: PLC0415

    if isinstance(place, database_limits.Row):
        return lambda at: database_limits.create(at, place, limit)
    return lambda at: limits.create(at, place, limit)


@clustered
def get(key: Key, type_: Type = "configmap", cm_name: ConfigMap = "", config: Config = None) -> Act:
    """Show a limit."""
    place = _place(key, type_, cm_name, config)
    from tiphys.cli import database_limits, limits  # noqa: PLC0415

    if isinstance(place, database_limits.Row):
        return lambda at: database_limits.get(at, place)
    return lambda at: limits.get(at, place)


@clustered
def update(key: Key, limit: Limit, type_: Type = "configmap", cm_name: ConfigMap = "", config: Config = None) -> Act:
    """Change a limit."""
    place = _place(key, type_, cm_name, config)
    from tiphys.cli import database_limits, limits  # noqa: PLC0415

    if isinstance(place, database_limits.Row):
        return lambda at: database_limits.update(at, place, limit)
    return lambda at: limits.update(at, place, limit)


@clustered
def delete(key: Key, type_: Type = "configmap", cm_name: ConfigMap = "", config: Config = None) -> Act:
    """Delete a limit."""
    place = _place(key, type_, cm_name, config)
    from tiphys.cli import database_limits, limits  # noqa: PLC0415

    if isinstance(place, database_limits.Row):
        return lambda at: database_limits.delete(at, place)
    return lambda at: limits.delete(at, place)


def _place(key: str, type_: str, config_map: str, config: Path | None) -> Place | Row:
    from tiphys.cli.database_limits import Row  # noqa: PLC0415
    from tiphys.cli.limits import Place  # noqa: PLC0415

    if type_.lower() == "database":
        return Row(key, config)
    if type_.lower() != "configmap":
        raise InputError("--type must be either 'database' or 'configmap'")
    if not config_map:
        raise InputError("--cm-name is required when type is configmap")
    return Place(config_map, key)

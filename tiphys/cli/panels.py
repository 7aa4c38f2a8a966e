"""The help page shows commands by what a person wants to do, those of the first minute first."""

from __future__ import annotations

from typing import Final

import typer
from typer.models import CommandInfo, TyperInfo

PANELS: Final[dict[str, tuple[str, ...]]] = {
    "Here, without a cluster": ("run", "simulate", "lint", "convert", "dev"),
    "Workflows in a cluster": (
        "submit", "list", "get", "watch", "logs", "wait", "explain", "cp",
        "suspend", "resume", "stop", "terminate", "retry", "resubmit", "delete", "archive",
    ),
    "The controller and its cluster": (
        "install", "check", "uninstall", "controller", "server", "node", "actors", "replay", "bench", "executor-plugin",
        "auth",
    ),
    "This program": ("version", "completion"),
    "Rollouts, schedules, templates": ("rollouts", "cron", "template", "cluster-template", "sync"),
}  # fmt: skip
"""Headings of the help page, in order, with their commands in order. Groups are shown behind single commands."""

_PLACES: Final = {name: (panel, at) for panel, names in PANELS.items() for at, name in enumerate(names)}
_ORDER: Final = list(PANELS)


def arrange(app: typer.Typer) -> None:
    """Put every registered command and group under its heading; one without a place comes last, with no heading."""
    entries: list[CommandInfo | TyperInfo] = [*app.registered_commands, *app.registered_groups]
    for entry in entries:
        if _name(entry) in _PLACES:
            entry.rich_help_panel = _PLACES[_name(entry)][0]
    app.registered_commands.sort(key=_place)
    app.registered_groups.sort(key=_place)


def _place(entry: CommandInfo | TyperInfo) -> tuple[int, int]:
    panel, at = _PLACES.get(_name(entry), (_ORDER[-1], len(_PLACES)))
    return _ORDER.index(panel), at


def _name(entry: CommandInfo | TyperInfo) -> str:
    if entry.name:
        return entry.name
    if isinstance(entry, TyperInfo):
        return entry.typer_instance.info.name or "" if entry.typer_instance else ""
    return entry.callback.__name__.replace("_", "-") if entry.callback else ""

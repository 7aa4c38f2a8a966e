"""The first page that a person sees: every command stands under a heading, and nothing else does."""

from __future__ import annotations

from typer.main import get_command

from tiphys.cli.app import app
from tiphys.cli.panels import PANELS


def test_every_command_stands_under_one_heading_of_the_help_page() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    shown = {name: command.rich_help_panel for name, command in commands.items() if not command.hidden}
    for name, panel in shown.items():
        assert panel in PANELS, f"tiphys/cli/panels.py gives `{name}` no place"
        assert name in PANELS[panel]


def test_no_command_has_two_places() -> None:
    names = [name for names in PANELS.values() for name in names]
    assert len(names) == len(set(names))


def test_commands_of_the_first_minute_come_first() -> None:
    commands = list(get_command(app).commands)  # type: ignore[attr-defined]
    assert commands[0] == "run"

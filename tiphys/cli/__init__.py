"""The command line. Importing it costs nothing: what a command needs is imported when that command runs."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; by default the one of the command line. Returns the exit code."""
    from tiphys.cli.app import run_app  # noqa: PLC0415  typer's import takes longer than `tiphys` may take to import

    return run_app(arguments)

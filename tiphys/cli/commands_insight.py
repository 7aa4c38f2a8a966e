"""The commands that look inside a controller: `actors` draws its tree, `replay` runs a flight recording again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

EXIT_DIFFERS = 1


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(actors)
    app.command()(replay)


def actors(
    address: Annotated[
        str, typer.Option(help="URL of a controller's --http-address; default: that of the running `tiphys dev`.")
    ] = "",
    room: Annotated[str, typer.Option(help="Only the actors of this room.")] = "",
    kubeconfig: Annotated[str, typer.Option(help="The dev cluster that is meant.")] = "",
) -> None:
    """Draw the tree of a running controller: who is there, and what each waits for."""
    import json  # noqa: PLC0415

    from tiphys.cli import actors_tree, controller_door  # noqa: PLC0415

    door = controller_door.door(address, kubeconfig)
    query = f"?room={room}" if room else ""
    print("\n".join(actors_tree.lines(json.loads(controller_door.read(door, f"/debug/actors{query}")))))


def replay(
    file: Annotated[Path, typer.Argument(help="A recording: of /debug/recording, or one of tests/golden.")],
) -> None:
    """Run a flight recording again: exit 0 when every decision is the same, 1 with the first that differs."""
    from runtime.recording import Unreadable  # noqa: PLC0415
    from runtime.replay import header  # noqa: PLC0415
    from runtime.replay import replay as run  # noqa: PLC0415
    from tiphys.cli.problems import InputError  # noqa: PLC0415
    from tiphys.controller.recordings import changing, rooms_of  # noqa: PLC0415

    lines = _lines(file)
    try:
        about = header(lines[0] if lines else "")
        rooms = rooms_of(about["about"])
        found = run(lines[1:], rooms, changing(rooms))
    except Unreadable as e:
        raise InputError(f"{file}: {e}") from e
    if about["dropped"]:
        print(f"{about['dropped']} older entries were not kept: lives that began in them are left out", file=sys.stderr)
    if found.left_out:
        print(f"{found.left_out} messages of actors that cannot be followed were left out", file=sys.stderr)
    if found.difference is not None:
        print(found.difference)
        raise typer.Exit(EXIT_DIFFERS)
    print(f"{found.compared} decisions, all the same")


def _lines(file: Path) -> list[str]:
    import gzip  # noqa: PLC0415

    from tiphys.cli.problems import InputError  # noqa: PLC0415

    try:
        raw = file.read_bytes()
        return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode().splitlines()
    except (OSError, EOFError, UnicodeDecodeError) as e:
        raise InputError(f"{file}: {e}") from e

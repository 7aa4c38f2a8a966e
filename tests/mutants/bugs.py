"""The named bugs: each an exact replacement in the tree, and what must find it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent / "named"


@dataclass(frozen=True)
class Edit:
    """`find` stands in `file` exactly once and becomes `replace`."""

    file: str
    find: str
    replace: str


@dataclass(frozen=True)
class Bug:
    """A bug on purpose. `suite`: the tests that find it where the simulator has no such fault; else a soak does.

    `faults`: those among which it shows soonest; it is looked for among all of them too."""

    name: str
    what: str
    edits: tuple[Edit, ...]
    faults: str = ""
    suite: str = ""


def bugs() -> list[Bug]:
    """All of them, by name."""
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
        edits = tuple(Edit(**edit) for edit in text.pop("edits"))
        found.append(Bug(path.stem, edits=edits, **text))
    return found


def unfit(bug: Bug, root: Path = ROOT) -> list[str]:
    """Which edits no longer fit the tree, and why."""
    wrong = []
    for edit in bug.edits:
        times = (root / edit.file).read_text(encoding="utf-8").count(edit.find)
        if times != 1:
            wrong.append(f"{bug.name}: {edit.file} has {times} times, not once: {edit.find.strip()[:80]}")
    return wrong


def apply(bug: Bug, root: Path) -> None:
    """Put the bug into a tree. Raises ValueError when it does not fit."""
    wrong = unfit(bug, root)
    if wrong:
        raise ValueError("; ".join(wrong))
    for edit in bug.edits:
        path = root / edit.file
        path.write_text(path.read_text(encoding="utf-8").replace(edit.find, edit.replace), encoding="utf-8")

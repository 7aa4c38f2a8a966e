"""The conformance examples as read from the disk, and their twins: the same documents with one command broken.

The data lies beside the repository (or where TIPHYS_CONFORMANCE says); nothing of it is part of the project.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from runtime.objects import Object

ROOT: Final = Path(__file__).resolve().parents[2]
BROKEN: Final = "exit 3"
"""What a twin executes instead of one command of its original."""
UNSERVED: Final = {"action": "create", "manifest": "apiVersion: v1\nkind: Fleece\nmetadata: {name: golden}\n"}
"""What a twin does instead of a resource template, which has no command: no cluster serves this kind."""

Place: TypeAlias = tuple[str, str, str]
"""Where a twin is broken: a file of the examples, the name of an object in it (may be empty), a JSON pointer."""


def folder() -> Path:
    """The folder of the conformance data, there or not."""
    return Path(os.environ.get("TIPHYS_CONFORMANCE") or ROOT.parent / "shared" / "conformance")


def absent() -> str:
    """Why there is nothing to run; empty when the data is there."""
    where = folder() / "workflows" / "expected.json"
    return (
        "" if where.is_file() else f"no conformance data: {where} is not there (set TIPHYS_CONFORMANCE to its folder)"
    )


OFFLINE: Final = ("yes", "stub", "k8s")
"""How the corpus begins to say that an example needs no internet, or no more than a cluster."""
SERVED: Final = "local server"
"""How it ends where a server of this machine can stand in for the internet."""


def _listed() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((folder() / "workflows" / "expected.json").read_text())
    return found


def _is_offline(entry: dict[str, str]) -> bool:
    return entry["offline"].startswith(OFFLINE) or entry["offline"].endswith(SERVED)


def offline_examples() -> dict[str, str]:
    """Every example that runs without the internet or with a cluster alone, with the words that say how it ends."""
    return {e["file"]: e["expected"] for e in _listed() if _is_offline(e)}


def other_examples() -> dict[str, str]:
    """The rest, each with the corpus' words for what it needs."""
    return {e["file"]: e["offline"] for e in _listed() if not _is_offline(e)}


def documents(file: str) -> list[Object]:
    """The objects that an example's file holds."""
    text = (folder() / "workflows" / "examples" / file).read_text()
    return [document for document in yaml.safe_load_all(text) if document]


def broken(things: list[Object], name: str, pointer: str) -> list[Object]:
    """The objects with one executed command replaced: what `pointer` names, a container or a script, exits with 3;
    a resource makes something of a kind that nobody serves.

    Raises KeyError when the pointer names nothing that is executed."""
    changed = copy.deepcopy(things)
    chosen = [thing for thing in changed if not name or thing["metadata"].get("name") == name]
    if len(chosen) != 1:
        raise KeyError(f"{len(chosen)} objects are named {name!r}; a twin breaks exactly one")
    executed = _at(chosen[0], pointer)
    if "source" in executed:
        executed |= {"command": ["sh"], "source": BROKEN}
    elif "image" in executed:
        executed |= {"command": ["sh", "-c"], "args": [BROKEN]}
    elif "action" in executed:
        executed.clear()
        executed |= UNSERVED
    else:
        raise KeyError(f"{pointer} is neither a container nor a script nor a resource")
    return changed


def _at(thing: Any, pointer: str) -> dict[str, Any]:
    found = thing
    for part in pointer.strip("/").split("/"):
        found = found[int(part)] if isinstance(found, list) else found[part]
    if not isinstance(found, dict):
        raise KeyError(pointer)
    return found

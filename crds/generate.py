"""`python -m crds.generate` writes `shapes.json` and the manifests from the models; `--check` only compares.

The manifests are YAML for people and `kubectl apply`, without descriptions: client-side apply keeps a copy of the
object in an annotation, which may hold 262,144 bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
import yaml

from crds.reflect import shapes
from crds.shapes import FILE, Definition
from crds.structural import definitions

FOLDER = Path(__file__).with_name("manifests")


class _Dumper(yaml.CSafeDumper):
    """Writes equal parts out instead of pointing at the first of them: an anchor is no part of a manifest."""

    def ignore_aliases(self, data: Any) -> bool:
        """Whether a value is written out; always."""
        return True


def files() -> dict[Path, bytes]:
    """Every generated file and what is in it."""
    found: dict[str, Definition] = shapes()
    content = {FILE: orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)}
    for manifest in definitions(found, descriptions=False):
        text = yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120)
        content[FOLDER / f"{manifest['spec']['names']['plural']}.yaml"] = text.encode()
    return content


def stale() -> list[Path]:
    """The files that differ from what the models say, and those that nothing generates."""
    content = files()
    different = [path for path, text in content.items() if not path.exists() or path.read_bytes() != text]
    return different + [path for path in sorted(FOLDER.glob("*")) if path not in content]


def write() -> None:
    """Write every generated file."""
    FOLDER.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_bytes(text)


def main(arguments: list[str]) -> int:
    """The exit code: 1 when `--check` finds a file that is out of date."""
    if arguments == ["--check"]:
        out_of_date = stale()
        for path in out_of_date:
            sys.stderr.write(f"{path} is out of date: run python -m crds.generate\n")
        return 1 if out_of_date else 0
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

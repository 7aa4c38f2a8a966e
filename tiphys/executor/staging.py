"""The shim is staged on the shared volume: a static program, or a tree that any Python of the same version can run.

An image of ours has the static program, since the user's need not have Python; a node that runs this very package has.
In the tree, `shim` is the program; beside it lie its few modules, already compiled, so that a container's start pays
for no compiler. The interpreter is named by its real path: the user's container sees the node's files, not our
environment.
"""

from __future__ import annotations

import py_compile
import shutil
import sys
from pathlib import Path

import actors.contract
import tiphys.executor
from actors.contract import paths

_CONTRACT = ("frame", "instructions", "paths", "progress")
_EXECUTOR = ("pack", "shim", "shim_pause", "shim_process", "shim_progress")
_SHEBANG_MAX = 250  # Linux cuts longer first lines
_LAUNCH = """import sys
sys.path.insert(0, sys.path[0] + "/lib")
from tiphys.executor.shim import main
raise SystemExit(main())
"""


NATIVE = Path(tiphys.executor.__file__).parent / "native" / paths.SHIM_FILE
"""The static program, where the image has one: `deploy/shim` makes it. It runs in images without Python."""


def stage_shim(directory: Path) -> None:
    """Put the program into `directory`: the static one, or the Python one with its modules."""
    if NATIVE.exists():
        early = directory / f".{paths.SHIM_FILE}"
        shutil.copyfile(NATIVE, early)
        early.chmod(0o755)
        early.replace(directory / paths.SHIM_FILE)
        return
    packages = {"actors/contract": (actors.contract, _CONTRACT), "tiphys/executor": (tiphys.executor, _EXECUTOR)}
    for folder, (package, names) in packages.items():
        target = directory / "lib" / folder
        target.mkdir(parents=True, exist_ok=True)
        for part in (target.parent, target):
            _stage_module(part / "__init__.py", "")
        source = Path(str(package.__file__)).parent
        for name in names:
            _stage_module(target / f"{name}.py", (source / f"{name}.py").read_text(encoding="utf-8"))
    early = directory / f".{paths.SHIM_FILE}"
    early.write_text(launcher(_interpreter()), encoding="utf-8")
    early.chmod(0o755)
    early.replace(directory / paths.SHIM_FILE)


def launcher(interpreter: str) -> str:
    """The program's text: run by `interpreter`, without site packages, environment variables or user directory."""
    line = f"#!{interpreter} -SEs"
    if len(line) <= _SHEBANG_MAX and not any(character.isspace() for character in interpreter):
        return f"{line}\n{_LAUNCH}"
    quoted = interpreter.replace("'", "'\\''")
    return f"#!/bin/sh\n''':'\nexec '{quoted}' -SEs \"$0\" \"$@\"\n'''\n{_LAUNCH}"


def _interpreter() -> str:
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def _stage_module(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    py_compile.compile(str(path), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)

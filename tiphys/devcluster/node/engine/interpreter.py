"""A machine's Python that starts in any image: its program, its loader and its libraries, brought along.

A helper container leaves scripts on a shared volume whose first line names the interpreter of this machine; a user's
image has no such file, nor its C library. The loader is started by name with the libraries beside it, so it does not
matter which library the image has, or whether it has any.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

HERE = "/.tiphys/python"  # where containers see it
HEAD_BYTES = 512
_LOADER, _LIBRARIES = "ld", "so"
_PROGRAM = f"bin/python{sys.version_info.major}.{sys.version_info.minor}"
LOADED = (
    "import contextlib, importlib\n"
    "for name in ('zlib', 'bz2', 'lzma', 'hashlib', 'ssl', 'ctypes', 'fcntl', 'select', 'tarfile', 'zipfile'):\n"
    "    with contextlib.suppress(ImportError): importlib.import_module(name)\n"
    "print(open('/proc/self/maps').read())\n"
)
"""Prints which files the interpreter and the extensions of its standard library load."""


class Brought(NamedTuple):
    """How a command line starts with an interpreter that is brought along, and what the container must see for it."""

    argv: list[str]
    binds: list[dict[str, Any]]


class Bringer:
    """Lays the interpreter out in `folder` when the first container needs it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._executable = Path(getattr(sys, "_base_executable", sys.executable))
        self._names = tuple(dict.fromkeys((str(self._executable.resolve()), str(self._executable))))
        self._library = Path(sysconfig.get_path("stdlib"))
        self._making = anyio.Lock()

    async def started(self, argv: Sequence[str], script: Path | None) -> Brought | None:
        """How `argv` starts when `script`, its program on this machine, names the interpreter in its head; None when it
        does not. Raises OSError when the interpreter cannot be laid out."""
        options = None if script is None else options_of(head_of(script), self._names)
        if options is None:
            return None
        async with self._making:
            if not (self._folder / _LOADER).exists():
                await anyio.to_thread.run_sync(bring, self._folder, self._executable.resolve(), self._library)
        library = PurePosixPath(HERE, "lib", self._library.name)
        binds = [
            {"source": str(self._folder), "target": HERE, "read_only": True},
            {"source": str(self._library), "target": str(library), "read_only": True},
        ]
        return Brought(command_line(options, argv), binds)

    def again(self, argv: list[str], script: Path | None) -> list[str]:
        """A further command line in a container that sees the interpreter, or needs none."""
        options = None if script is None else options_of(head_of(script), self._names)
        return argv if options is None else command_line(options, argv)


def command_line(options: Sequence[str], argv: Sequence[str]) -> list[str]:
    """`argv`, a script and its arguments, as the loader is to start it."""
    loader, libraries = f"{HERE}/{_LOADER}", f"{HERE}/{_LIBRARIES}"
    return [loader, "--library-path", libraries, f"{HERE}/{_PROGRAM}", *options, *argv]


def options_of(head: bytes, names: Sequence[str]) -> list[str] | None:
    """The options that a script's head gives to one of the interpreters `names`; None when it names none of them."""
    if not head.startswith(b"#!"):
        return None
    text = head.decode("utf-8", "replace")
    first = text.splitlines()[0][2:].strip()
    for name in names:
        if first == name or first.startswith(f"{name} "):
            return first[len(name) :].split()
        quoted = f"exec '{name}' "  # the form for paths that a first line cannot hold
        if quoted in text:
            words = text.partition(quoted)[2].split()
            return words[: next((n for n, word in enumerate(words) if not word.startswith("-")), 0)]
    return None


def head_of(path: Path) -> bytes:
    """The beginning of a file; empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def source_of(program: str, binds: Sequence[Mapping[str, Any]]) -> Path | None:
    """The file of this machine that a container sees at `program`, if a bind shows it; the innermost bind counts."""
    if not program.startswith("/"):
        return None
    wanted = PurePosixPath(os.path.normpath(program))
    holding = [bind for bind in binds if wanted.is_relative_to(bind["target"])]
    if not holding:
        return None
    innermost = max(holding, key=lambda bind: len(PurePosixPath(bind["target"]).parts))
    return Path(innermost["source"]) / wanted.relative_to(innermost["target"])


# ------------------------------------------------------------------------------------------------ making one


def bring(folder: Path, executable: Path, library: Path) -> None:
    """Lay an interpreter out in `folder`, its loader last: what has one is complete. Raises OSError."""
    try:
        shown = subprocess.run(  # noqa: S603 - our own interpreter
            [str(executable), "-SEs", "-c", LOADED], capture_output=True, text=True, check=True
        )
    except subprocess.CalledProcessError as error:
        raise OSError(f"{executable} does not start: {error.stderr[-500:]}") from error
    files = loaded_files(shown.stdout, executable, library)
    loader = next((file for file in files if is_loader(file.name)), None)
    if loader is None:
        raise OSError(f"{executable} is loaded by no known loader ({', '.join(f.name for f in files) or 'no library'})")
    for part in (folder / "lib" / library.name, folder / "bin", folder / _LIBRARIES):
        part.mkdir(parents=True, exist_ok=True)  # the first is where the standard library is bound
    shutil.copyfile(executable, folder / _PROGRAM)
    (folder / _PROGRAM).chmod(0o755)
    for file in files:
        for name in names_of(file):
            shutil.copyfile(file, folder / _LIBRARIES / name)
    early = folder / f".{_LOADER}"
    shutil.copyfile(loader, early)
    early.chmod(0o755)
    early.replace(folder / _LOADER)


def loaded_files(maps: str, program: Path, library: Path) -> list[Path]:
    """The shared libraries in a process' memory map, without the program and its standard library's own."""
    paths = {line.split(maxsplit=5)[5] for line in maps.splitlines() if len(line.split(maxsplit=5)) == 6}
    files = [Path(path) for path in sorted(paths) if path.startswith("/")]
    return [f for f in files if ".so" in f.name and f != program and not f.is_relative_to(library)]


def names_of(file: Path) -> list[str]:
    """The names by which programs ask for a library: its own, and those of links to it in its folder."""
    stem = file.name.partition(".so")[0].partition("-")[0]
    links = (entry for entry in os.scandir(file.parent) if entry.name.startswith(stem) and entry.is_symlink())
    return sorted({file.name, *(link.name for link in links if Path(link.path).resolve() == file)})


def is_loader(name: str) -> bool:
    """Whether a library is the program that loads all others: of glibc or of musl."""
    return name.startswith(("ld-linux", "ld-musl", "ld-2", "ld64"))

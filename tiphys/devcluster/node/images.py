"""Images are not pulled: the machine's own commands serve, and small stand-ins for those that examples love.

`command_of` says what a container runs; `install_stand_ins` puts the stand-ins into a folder that is bound into every
container at `STAND_INS` and, where the machine has that folder, over /usr/local/bin.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runtime.objects import Object
from tiphys.devcluster.node.containers import CannotRun
from tiphys.devcluster.node.environment import expand

STAND_INS = "/.tiphys/bin"
LOCAL_BIN = "/usr/local/bin"
LOCAL_BIN_MOVED = "/.tiphys/usr-local-bin"  # the machine's own, reachable through links
PATH = f"/usr/local/sbin:{LOCAL_BIN}:/usr/sbin:/usr/bin:/sbin:/bin:{STAND_INS}"
_SCRIPTS = Path(__file__).with_name("standins")
_PYTHON = ("nc", "nginx")  # stand-ins that are no shell scripts


class Image(NamedTuple):
    """What an image says of itself: how it starts, and where a command lives outside the search path."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()  # (path, name of a stand-in)


_KNOWN = {
    "busybox": Image(command=("sh",)),
    "alpine": Image(command=("/bin/sh",)),
    "debian": Image(command=("bash",)),
    "ubuntu": Image(command=("/bin/bash",)),
    "python": Image(command=("python3",)),
    "argosay": Image(entrypoint=("/argosay",), links=(("/argosay", "argosay"),)),
    "nginx": Image(entrypoint=("nginx",), command=("-g", "daemon off;")),
}

_FIRST_ARGOSAY = re.compile(r"(^|/)argosay:v1($|[.@])")  # another image than those after it: cowsay, and no entrypoint


def has_local_bin() -> bool:
    """Whether the machine has a /usr/local/bin of its own that stand-ins can be put over."""
    return Path(LOCAL_BIN).is_dir() and Path(LOCAL_BIN).resolve() == Path(LOCAL_BIN)


def repository(image: str) -> str:
    """The last part of an image's name: without registry, folders, tag and digest."""
    return image.strip().partition("@")[0].rpartition("/")[2].partition(":")[0]


def same_image(image: str, other: str) -> bool:
    """Whether two references name the same repository, whatever their tags."""

    def name(reference: str) -> str:
        head, slash, last = reference.partition("@")[0].rpartition("/")
        return head + slash + last.partition(":")[0]

    return name(image) == name(other)


def image_of(reference: str, executor_image: str) -> Image:
    """What is known of an image; an unknown one has no command of its own."""
    if same_image(reference, executor_image):
        return Image(entrypoint=(sys.executable, "-m", "tiphys.cli"), command=("controller",))
    if _FIRST_ARGOSAY.search(reference):
        return Image(command=("cowsay",))
    return _KNOWN.get(repository(reference), Image())


def command_of(container: Object, image: Image, env: Mapping[str, str]) -> list[str]:
    """The command line. Raises CannotRun when neither the container nor the image names one."""
    command, args = container.get("command"), container.get("args")
    line = [*command, *(args or ())] if command else [*image.entrypoint, *(args or image.command)]
    if not line:
        raise CannotRun(
            f"no command specified: image {container.get('image')!r} is not pulled here, so its own command is not "
            "known; set command"
        )
    return [expand(part, env) for part in line]


def remedy(why: str, command: str, image: str) -> str:
    """What to do about a command that cannot be started: most are not there."""
    if why == os.strerror(errno.E2BIG):
        return (
            "one variable or argument may have 128 KiB, all of them together about 2 MiB: pass what is larger as an "
            "artifact, or as a script's source"
        )
    return (
        f"images are not pulled here, the machine's own commands serve: install {Path(command).name!r} on this "
        f"machine, or run this on a cluster that can pull {image!r}"
    )


def install_stand_ins(folder: Path, local_bin: Path) -> None:
    """Write the stand-ins into `folder`, and into `local_bin` with links to the machine's own /usr/local/bin."""
    interpreter = Path(sys.executable).resolve()  # as in an image: without the packages of a virtual environment
    python = shlex.quote(str(interpreter))
    scripts = {path.name: path.read_text() for path in sorted(_SCRIPTS.iterdir()) if path.is_file()}
    for name in _PYTHON:
        scripts[name] = f'#!/bin/sh\nexec {python} -I -S -c {shlex.quote(scripts[name])} "$@"\n'
    pythons = ("python", "python3", f"python3.{sys.version_info.minor}")
    for place in (folder, local_bin):
        place.mkdir(parents=True, exist_ok=True)
        for name, text in scripts.items():
            (place / name).write_text(text)
            (place / name).chmod(0o755)
        for name in pythons:
            (place / name).symlink_to(interpreter)
    if has_local_bin():
        for entry in os.scandir(LOCAL_BIN):
            if entry.name not in scripts and entry.name not in pythons:
                (local_bin / entry.name).symlink_to(f"{LOCAL_BIN_MOVED}/{entry.name}")

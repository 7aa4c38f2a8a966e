"""The image of our own program: an empty one, over which a container sees the machine's system and this very package.

It is in no registry, and need not be: what init, wait and the agent run is what runs here. So helper containers work
beside users' containers in any image, with the same volumes, users and limits, also where the machine grants its own
processes no namespaces.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

from tiphys.devcluster.node import launch

NAME = "tiphys-helpers"
OF_ETC = (
    *("alternatives", "ca-certificates", "crypto-policies", "group", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("localtime", "mime.types", "nsswitch.conf", "passwd", "pki", "ssl", "gitconfig", "ssh"),
)
"""What programs of the machine read of its /etc. Not all of it: the engine puts files of its own there."""


def archive(machine: launch.System) -> bytes:
    """The image's root: links as on the machine, a folder to write to, a home through which everybody may reach us."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, target in sorted(machine.links.items()):
            link = tarfile.TarInfo(name.lstrip("/"))
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        for name, mode in (("tmp", 0o1777), ("root", 0o755), ("etc", 0o755)):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, mode
            tar.addfile(folder)
    return written.getvalue()


def binds(machine: launch.System, *, own: bool = True) -> list[dict[str, Any]]:
    """The machine's system, and this program where `own`, in the order in which mount points nest."""
    folders = [place for place in machine.binds if place != "/etc"]
    files = [f"/etc/{name}" for name in OF_ETC if Path("/etc", name).exists()]
    places = sorted({*folders, *files, *(machine.own if own else ())})
    return [{"source": place, "target": place, "read_only": True} for place in places]

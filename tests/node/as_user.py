"""Runs Python as somebody else, from root: python as_user.py UID ARGUMENT… or python as_user.py --refused ARGUMENT…

The interpreter may live in root's home: in a mount namespace of its own, that home is replaced by one that shows the
interpreter alone. With --refused it stays root, in a user namespace that may have no other namespaces.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x10000000, 4096, 16384, 1 << 18


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), options.encode())
    if libc.mount(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"mount {source} {target}")


def show_interpreter() -> None:
    """Make the interpreter reachable for everybody, in this mount namespace alone."""
    prefix = Path(sys.base_prefix)
    closed = next((p for p in reversed(prefix.parents) if not p.stat().st_mode & 0o001), None)
    if closed is None:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    aside = tempfile.mkdtemp()
    mount(str(prefix), aside, flags=MS_BIND | MS_REC)
    mount("tmpfs", str(closed), "tmpfs", options="mode=755")
    prefix.mkdir(parents=True)
    mount(aside, str(prefix), flags=MS_BIND | MS_REC)


def refuse_namespaces() -> None:
    """Allow no user or mount namespace from here on; a machine that refuses them already is as wished."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) < 0:
        return
    Path("/proc/self/uid_map").write_text("0 0 1")
    for kind in ("user", "mnt"):
        Path(f"/proc/sys/user/max_{kind}_namespaces").write_text("0")


def become(uid: int) -> None:
    """An ordinary user that can reach the interpreter."""
    show_interpreter()
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def main(who: str, arguments: list[str]) -> None:
    if who == "--refused":
        refuse_namespaces()
    else:
        become(int(who))
    os.environ["HOME"] = tempfile.mkdtemp()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

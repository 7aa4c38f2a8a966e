"""Where a node keeps what: every path below its root has its name here."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

_MADE = ("base", "bin", "local-bin", "logs", "pods", "program", "trial", "claims")


class Layout:
    """The folders of one node."""

    def __init__(self, root: Path, claims: Path | None = None) -> None:
        self.root = root
        self.base = root / "base"  # mount points of the system directories, inside the sandbox's namespace
        self.stand_ins = root / "bin"
        self.local_bin = root / "local-bin"
        self.logs = root / "logs"
        self.program = root / "program"  # our interpreter, laid out for images that have none
        self._claims = claims or root / "claims"

    def clear(self) -> None:
        """Remove everything that a node makes below its root, and the root when nothing else is in it."""
        for folder in self.made():
            remove_tree(folder)
        with contextlib.suppress(OSError):
            self.root.rmdir()

    def made(self) -> list[Path]:
        """The folders that a node makes below its root, as far as they exist."""
        return [self.root / name for name in _MADE if (self.root / name).exists()]

    def pod(self, uid: str) -> Path:
        """A pod's scratch: removed when nothing of it runs."""
        return self.root / "pods" / uid

    def volume(self, uid: str, name: str) -> Path:
        """A volume that lives as long as its pod."""
        return self.pod(uid) / "volumes" / name

    def attempt(self, uid: str, container: str, number: int) -> Path:
        """The scratch of one attempt of a container: removed when it has ended."""
        return self.pod(uid) / f"{container}.{number}"

    def claim(self, namespace: str, name: str) -> Path:
        """The folder of a PersistentVolumeClaim."""
        return self._claims / namespace / name


def remove_tree(path: Path) -> None:
    """Remove a folder and everything in it, also what its owner may not write."""
    if not path.exists():
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)  # noqa: PTH101 - a folder that a pod made read-only
        shutil.rmtree(path, ignore_errors=True)

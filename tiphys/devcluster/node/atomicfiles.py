"""Files that change all at once: whoever reads a volume sees the old ones or the new ones, never some of each.

As the kubelet does it: the files are in a hidden folder, `..data` is a link to it, each name is a link through that,
and a change is one rename of `..data`:

    ..x7f3/config.yaml    ..data -> ..x7f3    config.yaml -> ..data/config.yaml
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from tiphys.devcluster.node.projections import Files

DATA = "..data"


def write_files(folder: Path, files: Files) -> None:
    """Make the folder hold these files and no others. Nothing is touched when they are there already."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / DATA).is_dir() and _is_there(folder / DATA, files):
        return
    before = [entry for entry in folder.iterdir() if entry.name.startswith("..") and not entry.is_symlink()]
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    fresh.chmod(0o755)
    for path, file in files.items():
        place = fresh / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.content)
        place.chmod(file.mode)
    link = folder / f"{DATA}_new"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.replace(folder / DATA)
    _link_names(folder, {PurePosixPath(path).parts[0] for path in files})
    for old in before:
        shutil.rmtree(old, ignore_errors=True)


def _link_names(folder: Path, names: set[str]) -> None:
    for entry in list(folder.iterdir()):
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
    for name in names:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")


def _is_there(data: Path, files: Files) -> bool:
    """Whether exactly these files are below the folder, with these contents and modes."""
    found = {
        os.path.relpath(Path(parent) / name, data): Path(parent) / name
        for parent, _, names in os.walk(data)
        for name in names
    }
    return found.keys() == files.keys() and all(
        place.read_bytes() == files[path].content and place.stat().st_mode & 0o7777 == files[path].mode
        for path, place in found.items()
    )

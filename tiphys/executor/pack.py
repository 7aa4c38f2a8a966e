"""Artifacts are packed and unpacked as streams, and no archive writes outside the place it is unpacked to.

Packing follows a link that *is* the artifact and keeps links inside it. Unpacking never writes through a link, so it
does not matter where one points. (ART-7, ART-10, ARCH-1..4)
"""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

TYPE_CHECKING = False
if TYPE_CHECKING:  # part of what is staged beside the shim
    from typing import IO

    from actors.contract.documents import Staged

GZIP_MAGIC = b"\x1f\x8b"
COPY_BYTES = 1 << 20


class BadArchive(Exception):
    """An artifact that cannot be packed or unpacked; the text says which part of it and why."""


class GzipSink:
    """A writable stream that compresses into another. Level -1 is the default, -2 Huffman coding alone (ARCH-2)."""

    def __init__(self, target: IO[bytes], level: int) -> None:
        strategy = zlib.Z_HUFFMAN_ONLY if level == -2 else zlib.Z_DEFAULT_STRATEGY
        self._packer = zlib.compressobj(level if -1 <= level <= 9 else -1, zlib.DEFLATED, 31, 9, strategy)
        self._target = target

    def write(self, chunk: bytes) -> int:
        """Compress a chunk."""
        self._target.write(self._packer.compress(chunk))
        return len(chunk)

    def finish(self) -> None:
        """Write what is left."""
        self._target.write(self._packer.flush())


def stage(artifact: Staged, directory: str) -> None:
    """Pack an output of the main container onto the shared volume; what goes wrong is written beside it for `wait`."""
    from actors.contract.paths import staged_artifact  # noqa: PLC0415  (this module is also used without the shim)

    target = Path(directory, staged_artifact(artifact["number"]))
    source = Path(artifact["path"])
    try:
        if source.exists():
            pack(source, target, artifact["form"], artifact["level"])
    except (OSError, BadArchive) as error:
        target.with_name(target.name + ".error").write_text(str(error))


def pack(source: Path, target: Path, form: str, level: int) -> None:
    """Write file or directory `source` to `target` as "tar" (gzipped), "zip" or "none" (a copy)."""
    if form == "tar":
        _pack_tar(source, target, level)
    elif form == "zip":
        _pack_zip(source, target)
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    if target.is_file():
        target.chmod(target.stat().st_mode | 0o444)  # wait may run as somebody else


def zip_of_tar(archive: Path, target: Path) -> None:
    """Make the zip of an artifact that came as a plain tar; `archive` is used up. Raises BadArchive."""
    folder = archive.with_name(archive.name + ".d")
    folder.mkdir()
    try:
        _unpack_tar(archive, folder)
        archive.unlink()
        for entry in folder.iterdir():
            _pack_zip(entry, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unpack(archive: Path, place: Path, form: str) -> None:
    """Turn a downloaded file into what lies at `place`; `archive` is used up.

    "auto" unpacks a gzipped tar and leaves everything else alone; "tar" and "zip" must be that; "none" never unpacks.
    One entry becomes `place` itself, several become a directory (ART-7). Raises BadArchive."""
    if form == "none" or (form == "auto" and not is_gzipped_tar(archive)):
        _settle(archive, place)
        return
    folder = archive.with_name(archive.name + ".d")
    folder.mkdir()
    try:
        if form == "zip":
            _unpack_zip(archive, folder)
        else:
            _unpack_tar(archive, folder)
        archive.unlink()
        entries = list(folder.iterdir())
        _settle(entries[0] if len(entries) == 1 else folder, place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_gzipped_tar(path: Path) -> bool:
    """Whether a file is a tar inside gzip, by its content."""
    with path.open("rb") as file:
        if file.read(2) != GZIP_MAGIC:
            return False
    try:
        with tarfile.open(path, "r:gz") as archive:
            return archive.next() is not None or _is_empty_tar(path)
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        return False


def set_mode(place: Path, mode: int, *, recurse: bool) -> None:
    """Change the mode of a file or directory, and of all below it when `recurse` (ART-8). Links are left alone."""
    place.chmod(mode)
    if recurse and place.is_dir():
        for below in place.rglob("*"):
            if not below.is_symlink():
                below.chmod(mode)


# ------------------------------------------------------------------------------------------------ packing


def _pack_tar(source: Path, target: Path, level: int) -> None:
    with target.open("wb") as file:
        sink = GzipSink(file, level)
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]  # (a sink only needs write)
            archive.add(source.resolve(), arcname=source.name or "root")
        sink.finish()


def _pack_zip(source: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                if not path.resolve().is_relative_to(source.resolve()):  # it would be read where *we* run
                    raise BadArchive(f"{path} is a link out of the artifact: zip keeps no links, tar does")
                archive.write(path, PurePosixPath(source.name, path.relative_to(source).as_posix()))
        else:
            archive.write(source, source.name)


# ------------------------------------------------------------------------------------------------ unpacking


def _unpack_tar(path: Path, folder: Path) -> None:
    try:
        with tarfile.open(path, "r:*") as archive:
            archive.extraction_filter = _as_checked  # each member is judged below, in all Python versions alike
            for member in archive:
                _refuse_escape(member, folder)
                member.mode &= 0o777
                archive.extract(member, folder, set_attrs=not member.issym())
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BadArchive(f"not a readable tar archive: {error}") from error


def _as_checked(member: tarfile.TarInfo, _folder: str) -> tarfile.TarInfo:
    return member.replace(uid=os.getuid(), gid=os.getgid(), uname="", gname="", deep=False)


def _refuse_escape(member: tarfile.TarInfo, folder: Path) -> None:
    _refuse_path(member.name, folder)
    if member.islnk():
        _refuse_path(member.linkname, folder)
        if (folder / member.linkname).is_symlink():
            raise BadArchive(f"archive entry {member.name!r} links to the link {member.linkname!r}")
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise BadArchive(f"archive entry {member.name!r} is neither file, directory nor link")


def _refuse_path(name: str, folder: Path) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BadArchive(f"archive entry {name!r} lies outside the archive")
    for parent in list(path.parents)[:-1]:
        if (folder / parent).is_symlink():
            raise BadArchive(f"archive entry {name!r} lies behind the link {str(parent)!r}")


def _unpack_zip(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                _refuse_path(entry.filename, folder)
                written = Path(archive.extract(entry, folder))
                mode = (entry.external_attr >> 16) & 0o777
                if mode:
                    written.chmod(mode)
    except (zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise BadArchive(f"not a readable zip archive: {error}") from error


def _settle(what: Path, place: Path) -> None:
    """Move to `place`; into a directory that is there already (a mount), a directory's entries are moved one by one."""
    if place.is_dir() and not place.is_symlink():
        if not what.is_dir():
            raise BadArchive(f"{place} is a directory, and the artifact is a file")
        for entry in what.iterdir():
            shutil.move(entry, place / entry.name)
        what.rmdir()
    else:
        shutil.move(what, place)


def _is_empty_tar(path: Path) -> bool:
    import gzip  # noqa: PLC0415  (one rare case)

    with gzip.open(path) as file:
        start = file.read(1024)
    return len(start) == 1024 and not any(start)

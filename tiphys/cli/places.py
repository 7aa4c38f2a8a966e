"""Where things are on this machine: the kubeconfig of a running dev cluster, and which cluster a command means."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tiphys.cli.problems import InputError


def dev_kubeconfig() -> Path:
    """The file that `tiphys dev` writes when it is not told where: private to the user and gone with the session."""
    run = os.environ.get("XDG_RUNTIME_DIR")
    if run and Path(run).is_dir():
        return Path(run) / "tiphys" / "kubeconfig"
    cache = os.environ.get("XDG_CACHE_HOME") or (f"{os.environ['HOME']}/.cache" if os.environ.get("HOME") else "")
    if cache:
        return Path(cache) / "tiphys" / "kubeconfig"
    return Path(tempfile.gettempdir()) / f"tiphys-{os.getuid()}" / "kubeconfig"


def kubeconfig(chosen: str = "") -> Path:
    """The kubeconfig that a command means: the option, $KUBECONFIG, a running dev cluster's, ~/.kube/config.

    Raises InputError when the chosen one is not there, or when there is none at all."""
    if chosen:
        return _there(Path(chosen).expanduser(), "--kubeconfig")
    from_environment = [name for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    for name in from_environment:
        if Path(name).is_file():
            return Path(name)
    if from_environment:
        return _there(Path(from_environment[0]), "$KUBECONFIG")
    for path in (dev_kubeconfig(), Path("~/.kube/config").expanduser()):
        if path.is_file() and path.stat().st_uid == os.getuid():  # a guessable place may hold somebody else's file
            return path
    raise InputError(
        "no cluster: there is no running `tiphys dev`, no $KUBECONFIG and no ~/.kube/config.\n"
        "Start one with `tiphys dev`, or run a file without one: `tiphys run FILE`"
    )


def _there(path: Path, origin: str) -> Path:
    if not path.is_file():
        raise InputError(f"{origin}: there is no file {path}")
    return path

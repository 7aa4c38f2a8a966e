"""What this machine grants, asked of the machine and not of what is tested: a product that falls back
must not be able to skip its own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import NoReturn

import pytest

UNSHARE = shutil.which("unshare")
ROOT_OF_ITS_OWN = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"]

HAS_NAMESPACES = UNSHARE is not None and (
    subprocess.run([UNSHARE, *ROOT_OF_ITS_OWN, "true"], capture_output=True, check=False).returncode == 0
)
"""Whether a process may have a root, mounts and process numbers of its own."""

needs_namespaces = pytest.mark.skipif(
    not HAS_NAMESPACES, reason="pods run plain here, and this one finds or leaves things at a fixed path"
)


def skip_where_plain(reason: str) -> NoReturn:
    """Skip what needs pods with a root of their own; a failure where the machine would have granted it."""
    if HAS_NAMESPACES:
        pytest.fail(f"this machine grants namespaces, and yet: {reason}")
    pytest.skip(reason)


def prometheus_program(name: str) -> str | None:
    """The path of `prometheus` or `promtool`: in the folder that TIPHYS_PROMETHEUS names, or else on the PATH."""
    return shutil.which(name, path=os.environ.get("TIPHYS_PROMETHEUS")) or shutil.which(name)

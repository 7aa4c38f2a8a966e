"""`init` prepares a pod: the shim, a script too large for an annotation, arguments too long, and the input artifacts.

Its error is its termination message, in plain words.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from actors.contract import paths
from actors.contract.documents import Instructions
from actors.contract.instructions import from_env
from tiphys.executor.shim import termination_path

FAILED = 64


def main() -> int:
    """Run as the init container; the exit code."""
    told = from_env(os.environ)
    directory = Path(os.environ.get(paths.mount_env(paths.SHIM_VOLUME), paths.SHIM_MOUNT))
    try:
        prepare(told, directory)
    except Exception as error:  # noqa: BLE001  (whatever it is, the user must read it on the node)
        from tiphys.executor.redaction import redacted  # noqa: PLC0415  (only bad news needs it)

        text = redacted(str(error) or type(error).__name__)
        sys.stderr.write(f"{text}\n")
        _explain(Path(termination_path(told["container"], str(directory))), text)
        return FAILED
    return 0


def prepare(told: Instructions, directory: Path) -> None:
    """Stage and load everything that `told` asks for."""
    if told.get("shims"):
        from tiphys.executor.staging import stage_shim  # noqa: PLC0415  (not every pod needs it)

        stage_shim(directory)
    if "source" in told:
        script = directory / paths.SOURCE_FILE
        script.write_text(told["source"], encoding="utf-8")
        script.chmod(0o755)
    for name, text in told.get("arguments", {}).items():
        (directory / name).write_text(text, encoding="utf-8")
        (directory / name).chmod(0o644)  # whoever the command runs as
    if told.get("inputs"):
        from tiphys.executor.transfer import load_input  # noqa: PLC0415  (nor its libraries)

        for transfer in told["inputs"]:
            load_input(transfer, told.get("repository_root", ""))


def _explain(path: Path, text: str) -> None:
    try:
        path.write_text(text[:4000], encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"cannot write the termination message: {error}\n")

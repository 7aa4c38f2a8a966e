"""Where a controller's time goes: a flame graph by py-spy, of a run whose numbers do not count.

Sampling costs some of what it measures, so it has a run of its own.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread

from tiphys.bench.campaign import run_one
from tiphys.bench.processes import started
from tiphys.bench.rig import Rig, RigSettings
from tiphys.bench.scenarios import SCENARIOS

SCENARIO: Final = "S1"
SECONDS: Final = 15
RATE: Final = 200  # samples a second
END_S: Final = 30.0


def spy() -> str:
    """The program; empty where there is none."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy") or ""


async def flame(
    folder: Path, settings: RigSettings, report: Callable[[str, int], None], program: str = ""
) -> Path | None:
    """Write `flame.svg` into `folder`; None where py-spy is missing, is not let, or the controller is no process of
    ours. `program` is py-spy's. Raises what the scenario raises."""
    path = folder / "flame.svg"
    if not program:
        return None

    async def watched(rig: Rig) -> None:
        assert rig.controller is not None
        command = [program, "record", "--pid", str(rig.controller.pid), "--rate", str(RATE), "--output", str(path)]
        with tempfile.TemporaryDirectory() as place, started("py-spy", command, Path(place)) as spying:
            try:
                await anyio.sleep_forever()
            finally:
                spying.popen.send_signal(signal.SIGINT)  # it writes what it has seen
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(_ended, spying.popen)

    await run_one(SCENARIOS[SCENARIO], SECONDS, replace(settings), report, beside=watched)
    return path if path.exists() else None


def _ended(popen: subprocess.Popen[bytes]) -> None:
    try:
        popen.wait(END_S)
    except subprocess.TimeoutExpired:
        popen.kill()

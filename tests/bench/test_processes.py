"""What a process has cost is not forgotten when it is killed and another takes its place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tiphys.bench.processes import NotReady, started

BUSY = "import signal, time\nwhile time.process_time() < 0.2: pass\nprint('ready', flush=True)\nsignal.pause()"


def test_a_killed_process_keeps_what_it_has_used(tmp_path: Path) -> None:
    with started("busy", [sys.executable, "-c", BUSY], tmp_path) as process:
        process.await_line("ready")
        process.kill()
        assert process.cost().cpu_s >= 0.19


def test_a_process_counts_those_that_it_took_the_place_of(tmp_path: Path) -> None:
    with started("busy", [sys.executable, "-c", BUSY], tmp_path) as process:
        process.inherited_s = 5.0
        process.await_line("ready")
        assert process.cost().cpu_s >= 5.19


def test_a_process_that_ends_before_it_is_ready_is_told_with_what_it_printed(tmp_path: Path) -> None:
    short = [sys.executable, "-c", "print('no port')"]
    with started("short", short, tmp_path) as process, pytest.raises(NotReady, match="no port"):
        process.await_line("ready")

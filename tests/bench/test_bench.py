"""`tiphys bench` as its user runs it: processes of its own, numbers from the API, nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_short_run_measures_our_controller_and_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tiphys.cli", "bench", "S8", "--size", "20", "--report", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (crash,) = json.loads((tmp_path / "results.json").read_text())["results"]
    assert (crash["workflows"], crash["nodes"], crash["failed"], crash["duplicates"]) == (21, 41, 0, 0)
    assert crash["cpu_s"]["controller"] > 0
    assert crash["requests"]["POST workflows"] == 21
    assert crash["latencies"]["submit_to_pod"]["p50"] > 0
    assert crash["more"]["first_dispatch_s"] > 0


def test_an_unknown_scenario_is_refused_with_those_that_there_are() -> None:
    command = [sys.executable, "-m", "tiphys.cli", "bench", "S99"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "unknown scenario 'S99'" in done.stderr
    assert "S3: chains of 100 steps" in done.stderr

"""Artifacts arrive whatever fails on their way: pods, the server that keeps them, or the controller.

The long run is `python -m tests.artifact_chaos --workflows 500`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.artifact_chaos.campaign import GRACE_S, LIMIT_S, Severity, judge, run
from tests.machine import needs_namespaces


@needs_namespaces
@pytest.mark.spec("ART-17")
async def test_nothing_is_lost_and_nothing_hangs_while_everything_fails(tmp_path: Path) -> None:
    severity = Severity(controller_life_s=1.5, pod_life_s=0.4, hang_s=1.0, kills_most=2)
    report = await run(4, severity, 2, tmp_path, lambda line: None)
    assert report.problems == []
    assert report.deeds["serve"] >= 9
    assert report.pod_kills + report.controller_kills >= 1


def ended(phase: str, second: int) -> dict[str, Any]:
    begun, at = "2026-01-01T00:00:00Z", f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
    return {"metadata": {"creationTimestamp": begun}, "status": {"phase": phase, "finishedAt": at}}


KEPT = {"/chaos-0/last": b"chaos-0 made kept\n"}
LATE = LIMIT_S + GRACE_S + 1


@pytest.mark.parametrize(
    ("finished", "kept", "found"),
    [
        ({"chaos-0": ended("Succeeded", 9)}, KEPT, []),
        ({"chaos-0": ended("Succeeded", 9)}, {}, ["chaos-0 has lost its artifact: None"]),
        ({"chaos-0": ended("Failed", 9)}, KEPT, ["chaos-0 is Failed: "]),
        ({"chaos-0": ended("Succeeded", LATE)}, KEPT, [f"chaos-0 took {LATE} s, and {LIMIT_S} are its limit"]),
        ({}, KEPT, [f"chaos-0 hangs: it has not ended within {LIMIT_S + GRACE_S} s"]),
    ],
)
def test_the_judge_tells_what_was_lost_late_failed_or_hangs(
    finished: dict[str, Any], kept: dict[str, bytes], found: list[str]
) -> None:
    assert judge(1, finished, kept) == found

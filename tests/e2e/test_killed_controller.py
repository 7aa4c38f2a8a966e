"""A controller that is killed in the middle of its work, now and then just after a write, loses and doubles nothing.

The long run is `python -m tests.killed_controller --kills 50 --workflows 200`.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.killed_controller.campaign import run
from tests.killed_controller.workloads import judge, workloads


async def test_no_container_runs_twice_and_none_is_left_out_whenever_the_controller_is_killed(tmp_path: Path) -> None:
    report = await run(3, 5, 4, tmp_path, lambda line: None)
    assert report.problems == []
    assert 1 <= report.kills <= 3, "on a fast machine the workflows end before the last kills"


WORKLOAD = workloads(1, Random(1))[0]
TOGETHER = ["enter m0 a p", "enter m0 b q", "leave m0 a p", "leave m0 b q"]
RAN = [f"ran - {node} pod-{number}" for number, node in enumerate(WORKLOAD.nodes())]


@pytest.mark.parametrize(
    ("ledger", "found"),
    [
        (RAN, []),
        (RAN[1:], [f"lost: {WORKLOAD.nodes()[0]} never ran"]),
        ([*RAN, f"ran - {WORKLOAD.nodes()[0]} other"], [f"doubled: {WORKLOAD.nodes()[0]} ran in ['pod-0', 'other']"]),
        ([*RAN, "ran - w0.other p"], ["invented: w0.other should not have run"]),
        ([*RAN, *TOGETHER], ["m0 held by 2 at once, the last of them b"]),
        ([*RAN, "enter m0 a p"], ["m0 was never left"]),
    ],
)  # fmt: skip
def test_the_ledger_tells_what_was_lost_doubled_invented_or_held_together(ledger: list[str], found: list[str]) -> None:
    assert judge([WORKLOAD], ledger) == found

"""Random workflows with their nodes in a database that fails now and then: as the simulator judges all others."""

from __future__ import annotations

import pytest

from tests.world.offloaded import run
from tests.world.trial import case_of


@pytest.mark.spec("OFF-2")
@pytest.mark.spec("OFF-3")
@pytest.mark.parametrize(
    ("kind", "seed"), [("bad", 100), ("mixed", 117), ("mixed", 104), ("deadly", 520), ("deadly", 532)]
)
def test_a_random_workflow_ends_as_the_oracle_says(kind: str, seed: int) -> None:
    report, saved = run(case_of(seed, kind))

    assert report.wrong == []
    assert saved > 0

"""How late a loop was is counted as it was, and percentiles are read off the counts."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.bench import lateness

pytestmark = pytest.mark.virtual_time


@given(st.dictionaries(st.integers(0, 10_000), st.integers(1, 50), min_size=1), st.floats(0.001, 1.0))
def test_a_percentile_of_counts_has_its_share_at_or_below_it(counts: dict[int, int], share: float) -> None:
    found = lateness.percentile_ms(counts, share) * lateness.GRAIN
    below = sum(number for grains, number in counts.items() if grains <= found + 0.5)
    assert below >= share * sum(counts.values()) - 1e-6


def test_there_is_no_delay_of_nothing() -> None:
    assert lateness.percentile_ms({}, 0.5) == 0.0


async def test_a_loop_that_is_never_late_counts_all_its_timers_as_such() -> None:
    told: list[dict[str, Any]] = []

    async def tell(sample: dict[str, Any]) -> None:
        told.append(sample)
        scope.cancel()

    with anyio.CancelScope() as scope:
        await lateness.sample(tell, anyio.current_time)
    late = told[0]["late"]
    assert late == told[0]["own"] == {0: late[0]}
    assert late[0] * lateness.TICK_S == pytest.approx(lateness.SAMPLE_S, abs=2 * lateness.TICK_S)

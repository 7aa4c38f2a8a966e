"""How late a loop is, all the time, in the memory of one second: a short timer's delays, counted by tenths of a ms.

On a busy machine most of a delay is the doing of others, so what the loop itself can have caused (the CPU time that its
thread used meanwhile) is counted apart.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio

TICK_S: Final = 0.01
SAMPLE_S: Final = 1.0
GRAIN: Final = 10  # counts for each millisecond


async def sample(
    tell: Callable[[dict[str, Any]], Awaitable[None]], monotonic: Callable[[], float] = time.monotonic
) -> None:
    """Tell once a second, until cancelled: `at` (monotonic), `cpu_s` of the process, and the counts `late` and `own`
    (tenths of a millisecond -> how many timers)."""
    used_by_thread = time.thread_time
    while True:
        end = monotonic() + SAMPLE_S
        late: Counter[int] = Counter()
        own: Counter[int] = Counter()
        while (began := monotonic()) < end:
            used = used_by_thread()
            await anyio.sleep(TICK_S)
            late_s = max(0.0, monotonic() - began - TICK_S)
            late[_grains(late_s)] += 1
            own[_grains(min(late_s, used_by_thread() - used))] += 1
        await tell({"at": monotonic(), "cpu_s": time.process_time(), "late": late, "own": own})


def percentile_ms(counts: Mapping[int, int], share: float) -> float:
    """The delay that this share (0 to 1) of all timers stays at or below, in milliseconds; 0 of none."""
    left = sum(counts.values()) * share
    for grains in sorted(counts):
        left -= counts[grains]
        if left <= 0:
            return grains / GRAIN
    return 0.0


def _grains(seconds: float) -> int:
    return int(seconds * 1000 * GRAIN)

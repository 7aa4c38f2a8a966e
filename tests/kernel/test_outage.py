"""A server that is away is asked by one call at a time, and all goes on when it is back."""

from __future__ import annotations

import anyio
import pytest

from runtime.api import Conflict, Unavailable
from runtime.messages import Done, Failed, Patch
from runtime.outage import AWAY_AFTER, LONGEST_S, Outage
from tests.kernel.test_perform import at, bench

pytestmark = pytest.mark.virtual_time


def test_a_few_failures_are_weather_and_many_at_once_are_one():
    outage = Outage()
    for _ in range(AWAY_AFTER - 1):
        assert outage.failed(100.0) == 0.0
    assert outage.failed(100.0) == 0.0, "all at the same moment"
    assert outage.permits(60, 100.0)
    assert outage.failed(103.0) > 0.0
    assert not outage.permits(0, 103.1)
    assert outage.answered()
    assert outage.permits(60, 103.1)
    assert not outage.answered()


def test_the_longer_it_is_away_the_less_it_is_asked():
    outage = Outage()
    now, asked = 0.0, 0
    while now < 3600:
        wait_s = outage.failed(now)
        asked += 1
        now += wait_s or 0.3
    assert outage.is_on
    assert asked < 3600 / LONGEST_S + 20


async def test_what_is_asked_of_a_server_that_is_away_waits_and_is_done_when_it_is_back():
    async with bench(concurrency=16) as b:
        away = True
        b.api.fault = lambda verb, subject: Unavailable("away") if away else None
        b.submit(*(Patch(at(f"c{number}"), {"data": {}}, tag=str(number)) for number in range(200)))
        await anyio.sleep(600)
        first = len(b.api.calls)
        assert first < 100 + 600 / LONGEST_S + 20
        failed = [message for message in b.heard() if isinstance(message, Failed)]
        assert len(failed) == first, "who has asked and got no answer has been told"
        away = False
        b.api.fault = lambda verb, subject: Conflict("an answer", code=409)
        await anyio.sleep(LONGEST_S + 30)
        assert len(b.api.calls) == 200
        assert not [message for message in b.heard() if isinstance(message, Done)]

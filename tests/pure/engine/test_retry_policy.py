"""Whether another attempt follows, question by question in upstream's order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import NodeStatus
from actors.names.spoken import in_words
from actors.node.retry_policy import (
    BACKOFF_TOO_LONG,
    EXPRESSION_FALSE,
    LONGEST_S,
    MAX_DURATION,
    NO_MORE,
    Again,
    Attempts,
    GiveUp,
    Wait,
    decide,
    last_retry,
    maximum_end,
    wait_s,
)

START = 1_000.0


def attempts(count: int = 1, phase: str = "Failed", ended: float = START + 10, **fields: Any) -> Attempts:
    return Attempts(count, NodeStatus(phase=phase, **fields), START, ended, START)


@pytest.mark.spec("RTY-2")
@given(limit=st.integers(0, 5), count=st.integers(1, 8))
def test_a_limit_counts_the_attempts_after_the_first(limit: int, count: int) -> None:
    following = decide({"limit": str(limit)}, attempts(count), {}, START + 20)

    assert following == (Again() if count <= limit else GiveUp(NO_MORE))


@pytest.mark.spec("RTY-2")
def test_no_limit_means_for_ever() -> None:
    assert decide({}, attempts(1000), {}, START + 20) == Again()


@pytest.mark.spec("RTY-3")
@pytest.mark.parametrize(
    ("strategy", "phase", "again"),
    [
        ({}, "Failed", True), ({}, "Error", False),
        ({"retryPolicy": "OnError"}, "Error", True), ({"retryPolicy": "OnError"}, "Failed", False),
        ({"retryPolicy": "Always"}, "Error", True), ({"expression": "true"}, "Error", True),
        ({"retryPolicy": "OnTransientError"}, "Failed", False),
    ],
)  # fmt: skip
def test_the_policy_says_which_ends_are_tried_again(strategy: dict[str, Any], phase: str, again: bool) -> None:
    following = decide({"limit": 3, **strategy}, attempts(1, phase), {}, START + 20)

    assert isinstance(following, Again) is again


@pytest.mark.spec("RTY-3")
@pytest.mark.parametrize(
    ("message", "again"),
    [
        ("Post https://x: net/http: TLS handshake timeout", True),
        ("dial tcp 10.0.0.1:443: connect: connection refused", True),
        ("etcdserver: request timed out", True),
        ("client rate limiter Wait returned an error: context deadline exceeded", True),
        ("main: Error (exit code 1): connection refused by the referee", False),
        ("dial tcp: lookup x: no such host", False),
        ("429 Too Many Requests", False),
    ],
)
def test_transient_texts_are_tried_again(message: str, again: bool) -> None:
    failed = attempts(1, "Error", message=message)

    expected = Again() if again else GiveUp(message)
    assert decide({"limit": 3, "retryPolicy": "OnTransientError"}, failed, {}, START + 20) == expected


@pytest.mark.spec("RTY-4")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("asInt(lastRetry.exitCode) > 1", Again()),
        ("lastRetry.exitCode == '1'", GiveUp(EXPRESSION_FALSE)),
        ("lastRetry.status == 'Failed' && lastRetry.duration == '10'", Again()),
    ],
)
def test_an_expression_decides_on_the_last_attempt(expression: str, expected: Any) -> None:
    failed = attempts(1, outputs={"exitCode": "2"})

    assert decide({"limit": 3, "expression": expression}, failed, {}, START + 20) == expected


@pytest.mark.spec("RTY-4")
def test_an_expression_knows_as_text_how_often_it_was_tried_again() -> None:
    strategy = {"expression": "retries == '1' ? false : asInt(retries) < 2"}

    said = [decide(strategy, attempts(count), {}, START + 20) for count in (1, 2, 3)]
    assert said == [Again(), GiveUp(EXPRESSION_FALSE), GiveUp(EXPRESSION_FALSE)]


@pytest.mark.spec("RTY-6")
@given(count=st.integers(1, 6))
def test_the_wait_grows_by_the_factor_up_to_the_cap(count: int) -> None:
    backoff = {"duration": "2", "factor": "3", "cap": "1m"}

    assert wait_s(backoff, count) == min(2 * 3 ** (count - 1), 60)


@pytest.mark.spec("RTY-6")
@given(count=st.integers(1, 10_000), factor=st.integers(-(10**12), 10**12), base=st.integers(0, 10**9))
def test_no_wait_is_longer_than_upstreams_longest_or_shorter_than_the_one_before(
    count: int, factor: int, base: int
) -> None:
    backoff = {"duration": str(base), "factor": factor}
    wait = wait_s(backoff, count)

    assert wait <= LONGEST_S
    assert wait_s(backoff, 1) == base
    assert wait <= wait_s(backoff, count + 1)
    if factor <= 1:
        assert wait == base


@pytest.mark.spec("RTY-6")
def test_a_wait_of_centuries_is_waited_for_unless_a_cap_or_the_longest_duration_forbids_it() -> None:
    backoff = {"duration": "1h", "factor": "10"}
    late = attempts(30)

    following = decide({"limit": 99, "backoff": backoff}, late, {}, START + 11)
    assert following == Wait(late.last_finished + LONGEST_S, "Backoff for a long while 23 hours")
    capped = decide({"limit": 99, "backoff": {**backoff, "cap": "2h"}}, late, {}, START + 11)
    assert capped == Wait(late.last_finished + 7200, "Backoff for 2 hours 0 minutes")
    longest = {**backoff, "maxDuration": "1000h"}
    assert decide({"limit": 99, "backoff": longest}, late, {}, START + 11) == GiveUp(BACKOFF_TOO_LONG)


@pytest.mark.spec("RTY-6")
@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"), (1, "1 second"), (59.9, "59 seconds"), (61, "1 minute 1 seconds"),
        (3660, "1 hour 1 minutes"), (7199, "1 hour 59 minutes"), (25 * 3600, "1 day 1 hours"),
        (6 * 86400, "6 days 0 hours"), (7 * 86400, "1 week 0 hours"), (29 * 86400 + 7200, "4 weeks 2 hours"),
        (30 * 86400, "1 month 0 hours"), (359 * 86400, "11 months 0 hours"), (360 * 86400, "1 year 0 hours"),
        (540 * 86400, "2 years 0 hours"), (1080 * 86400, "3 years 0 hours"), (37 * 360 * 86400, "a long while 0 hours"),
    ],
)  # fmt: skip
def test_a_wait_is_told_in_its_largest_unit_and_a_plural(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


@pytest.mark.spec("RTY-6")
def test_waiting_needs_a_limit() -> None:
    backoff = {"backoff": {"duration": "1m"}}

    wait = Wait(START + 70, "Backoff for 1 minute 0 seconds")
    assert decide({"limit": 3, **backoff}, attempts(), {}, START + 11) == wait
    assert decide(backoff, attempts(), {}, START + 11) == Again()
    assert decide({"limit": 3, **backoff}, attempts(), {}, START + 71) == Again()


@pytest.mark.spec("RTY-6")
def test_the_last_attempt_that_the_limit_allows_is_waited_for_and_one_more_is_not() -> None:
    strategy = {"limit": 3, "backoff": {"duration": "1m"}}

    assert decide(strategy, attempts(3), {}, START + 69) == Wait(START + 70, "Backoff for 1 minute 0 seconds")
    assert decide(strategy, attempts(3), {}, START + 70) == Again()
    assert decide(strategy, attempts(4), {}, START + 11) == GiveUp(NO_MORE)


@pytest.mark.spec("RTY-5")
def test_a_wait_that_ends_with_the_longest_duration_or_before_is_waited_for() -> None:
    strategy = {"limit": 3, "backoff": {"duration": "1m", "maxDuration": "70s"}}

    assert isinstance(decide(strategy, attempts(), {}, START + 11), Wait)
    assert isinstance(decide(strategy, attempts(ended=START + 5), {}, START + 11), Wait)
    assert decide(strategy, attempts(ended=START + 11), {}, START + 12) == GiveUp(BACKOFF_TOO_LONG)
    assert decide(strategy, attempts(), {}, START + 70) == Again()
    assert decide(strategy, attempts(), {}, START + 71) == GiveUp(MAX_DURATION)


@pytest.mark.spec("RTY-5")
def test_max_duration_ends_it_before_and_after_the_wait() -> None:
    strategy = {"limit": 3, "backoff": {"duration": "1m", "maxDuration": "30s"}}

    assert decide(strategy, attempts(), {}, START + 11) == GiveUp(BACKOFF_TOO_LONG)
    assert decide(strategy, attempts(), {}, START + 31) == GiveUp(MAX_DURATION)


@pytest.mark.spec("RTY-6")
@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        ({"limit": "many"}, "^value 'many' cannot be resolved to an int$"),
        ({"backoff": {"duration": 1, "factor": "1.5"}}, "^value '1.5' cannot be resolved to an int$"),
        ({"backoff": {"factor": 2}, "limit": 1}, "no base duration"),
        ({"retryPolicy": "Sometimes"}, "^Sometimes is not a valid RetryPolicy$"),
        ({"expression": "asInt("}, "^unexpected token EOF"), ({"expression": "nobody > 1"}, "^unknown name nobody"),
        ({"expression": "1"}, "^unable to cast expression result"),
    ],
)  # fmt: skip
def test_a_strategy_that_cannot_be_read_is_told_in_upstreams_words(strategy: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decide(strategy, attempts(), {}, START + 20)


@pytest.mark.spec("RTY-7")
def test_the_longest_duration_counts_from_the_first_attempt() -> None:
    assert maximum_end({"backoff": {"duration": "1", "maxDuration": "70s"}}, START) == START + 70
    assert maximum_end({"backoff": {"duration": "1"}}, START) is None
    assert maximum_end({}, START) is None


@pytest.mark.spec("RTY-9")
def test_before_any_attempt_the_variables_have_their_defaults() -> None:
    assert last_retry(None, unknown_exit_code="0")["lastRetry.exitCode"] == "0"
    assert last_retry(attempts(), unknown_exit_code="-1")["lastRetry.exitCode"] == "-1"

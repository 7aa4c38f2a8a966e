"""The outcomes of sequences of measurements, one test a row of the specification's table of vectors."""

from __future__ import annotations

from typing import Any

import pytest

from actors.analysis_checks import cannot_fail
from tests.pure.analysis.walks import Walk, metric, run_of


def outcome(ends: str, **settings: Any) -> tuple[str, int]:
    """The run's phase after these measurements, and how many of them were taken."""
    walk = Walk(run_of(metric(**settings)))
    phase = walk.play(ends)
    return phase, walk.taken


@pytest.mark.spec("RO-3.6-vectors")
def test_one_success_is_enough():
    assert outcome("S") == ("Successful", 1)


@pytest.mark.spec("RO-3.6-vectors")
def test_one_failure_is_enough():
    assert outcome("F") == ("Failed", 1)


@pytest.mark.spec("RO-3.6-vectors")
def test_four_errors_in_a_row_are_tried_again_every_ten_seconds():
    walk = Walk(run_of(metric()))
    began = walk.now

    assert walk.play("EEEES") == "Successful"
    assert walk.taken == 5
    assert walk.now - began == 40


@pytest.mark.spec("RO-3.6-vectors", "RO-7-16")
def test_the_fifth_error_in_a_row_is_the_end():
    assert outcome("EEEEE") == ("Error", 5)


COUNT_3 = {"count": 3, "interval": "5s"}
FIVE = {"count": 5, "interval": "5s", "consecutiveSuccessLimit": 3}


@pytest.mark.spec("RO-3.6-vectors")
def test_a_failure_within_the_limit_is_forgiven():
    assert outcome("SFS", **COUNT_3, failureLimit=1) == ("Successful", 3)


@pytest.mark.spec("RO-3.6-vectors")
def test_a_failure_beyond_the_limit_ends_at_once():
    assert outcome("FF", **COUNT_3, failureLimit=1) == ("Failed", 2)


@pytest.mark.spec("RO-3.6-vectors")
def test_a_limit_as_high_as_the_count_can_never_fail():
    assert outcome("F", count=1, failureLimit=1) == ("Successful", 1)


@pytest.mark.spec("RO-3.6-vectors")
def test_one_inconclusive_measurement_is_too_many():
    assert outcome("SI", **COUNT_3) == ("Inconclusive", 2)


@pytest.mark.spec("RO-3.6-vectors")
def test_an_inconclusive_measurement_within_the_limit_is_forgiven():
    assert outcome("ISS", **COUNT_3, inconclusiveLimit=1) == ("Successful", 3)


@pytest.mark.spec("RO-3.6-vectors")
def test_an_inconclusive_measurement_beyond_the_limit_ends():
    assert outcome("ISI", **COUNT_3, inconclusiveLimit=1) == ("Inconclusive", 3)


@pytest.mark.spec("RO-3.6-vectors")
def test_successes_in_a_row_end_early():
    assert outcome("FSSS", **FIVE, failureLimit=-1) == ("Successful", 4)


@pytest.mark.spec("RO-3.6-vectors")
def test_successes_that_were_asked_for_and_did_not_come_are_a_failure():
    assert outcome("FSFSS", **FIVE, failureLimit=-1) == ("Failed", 5)


@pytest.mark.spec("RO-3.6-vectors")
def test_with_a_failure_limit_too_it_is_inconclusive():
    assert outcome("SFSFS", **FIVE, failureLimit=2) == ("Inconclusive", 5)


@pytest.mark.spec("RO-3.6-vectors")
def test_an_interval_alone_never_ends():
    assert outcome("SSSS", interval="5s") == ("Running", 4)


@pytest.mark.spec("RO-3.6-vectors")
def test_an_endless_metric_ends_well_when_it_is_told_to():
    walk = Walk(run_of(metric(interval="5s")))
    walk.play("SSSS")

    assert walk.terminate() == "Successful"
    assert walk.status["message"] == "Run Terminated"


@pytest.mark.spec("RO-3.6-vectors")
def test_successes_in_a_row_end_an_endless_metric():
    settings = {"interval": "5s", "consecutiveSuccessLimit": 2, "failureLimit": 1}

    assert outcome("SFSS", **settings) == ("Successful", 4)


@pytest.mark.spec("RO-3.6-vectors")
def test_errors_that_are_not_in_a_row_change_nothing():
    assert outcome("SESEE", interval="5s") == ("Running", 5)


# --------------------------------------------------------------------------------------------- what else


@pytest.mark.spec("RO-7-16")
def test_an_error_is_no_measurement_and_is_retried_after_ten_seconds_whatever_the_interval():
    walk = Walk(run_of(metric(count=2, interval="1h")))
    began = walk.now

    assert walk.play("ESS") == "Successful"
    assert walk.now - began == 10 + 3600
    assert walk.result()["count"] == 2
    assert walk.result()["error"] == 1


@pytest.mark.spec("RO-7-16")
def test_errors_weigh_more_than_inconclusive_measurements_and_these_more_than_failures():
    walk = Walk(run_of(metric(interval="5s", failureLimit=0, consecutiveErrorLimit=0)))
    walk.measure({"m": "E"})
    assert walk.status["phase"] == "Error"

    both = Walk(run_of(metric(interval="5s", failureLimit=0, inconclusiveLimit=0)))
    both.status["metricResults"] = [{"name": "m", "phase": "Running", "failed": 1, "count": 1}]
    both.measure({"m": "I"})
    assert both.status["phase"] == "Inconclusive"


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ("F", 'Metric "m" assessed Failed due to failed (1) > failureLimit (0)'),
        ("I", 'Metric "m" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)'),
        (
            "EEEEE",
            'Metric "m" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4): '
            '"Error Message: it broke"',
        ),
    ],
)
def test_the_message_says_which_limit_was_passed(ends, message):
    walk = Walk(run_of(metric()))
    walk.play(ends)

    assert walk.status["message"] == message


def test_a_run_is_as_bad_as_its_worst_metric():
    walk = Walk(run_of(metric("a"), metric("b"), metric("c")))
    walk.measure({"a": "S", "b": "F", "c": "I"})

    assert walk.status["phase"] == "Failed"
    assert walk.status["runSummary"] == {"count": 3, "successful": 1, "failed": 1, "inconclusive": 1}


def test_a_metric_that_fails_stops_its_siblings():
    walk = Walk(run_of(metric("bad"), metric("good", interval="5s")))
    walk.measure({"bad": "F", "good": "S"})
    assert walk.status["phase"] == "Running"

    walk._look()
    assert walk.status["phase"] == "Failed"
    assert walk.result("good")["phase"] == "Successful"


def test_a_metric_that_fails_ends_the_run_before_another_has_begun():
    walk = Walk(run_of(metric("bad"), metric("late", initialDelay="10000s")))
    assert walk.due() == ["bad"]
    walk.measure({"bad": "F"})
    walk._look()

    assert walk.status["phase"] == "Failed"


def test_a_dry_run_metric_is_counted_apart_and_changes_nothing():
    walk = Walk(run_of(metric("a"), metric("b"), dryRun=[{"metricName": "b"}]))
    walk.measure({"a": "S", "b": "F"})

    assert walk.status["phase"] == "Successful"
    assert walk.status["runSummary"] == {"count": 1, "successful": 1}
    assert walk.status["dryRunSummary"] == {"count": 1, "failed": 1}
    assert walk.result("b")["message"] == "Metric assessed Failed due to failed (1) > failureLimit (0)"
    assert walk.result("b")["dryRun"] is True


def test_a_run_of_dry_run_metrics_alone_succeeds():
    walk = Walk(run_of(metric(), dryRun=[{"metricName": ".*"}]))

    assert walk.play("F") == "Successful"


def test_ten_measurements_are_kept_or_as_many_as_a_rule_says():
    walk = Walk(run_of(metric("a", interval="5s"), metric("b", interval="5s"),
                       measurementRetention=[{"metricName": "b", "limit": 2}]))  # fmt: skip
    for _ in range(13):
        walk.measure({"a": "S", "b": "S"})

    assert len(walk.result("a")["measurements"]) == 10
    assert len(walk.result("b")["measurements"]) == 2
    assert walk.result("b")["count"] == 13


def test_a_delayed_metric_begins_when_its_delay_is_over():
    walk = Walk(run_of(metric(initialDelay="30s")))
    began = walk.now
    assert walk.due() == []

    walk.wait()
    assert walk.now - began == 30
    assert walk.due() == ["m"]


def test_a_run_that_is_told_to_end_before_it_measured_is_a_success():
    walk = Walk(run_of(metric(initialDelay="30s")))

    assert walk.terminate() == "Successful"
    assert walk.status["completedAt"]


def test_a_verdict_stays():
    walk = Walk(run_of(metric()))
    walk.play("F")
    before = walk.status
    assert walk.terminate() == "Failed"
    assert walk.status == before


@pytest.mark.parametrize(("settings", "never"), [
    ({"count": 1, "failureLimit": 1, "successCondition": "result > 0"}, True),
    ({"count": 2, "interval": "5s", "failureLimit": 1, "successCondition": "result > 0"}, False),
    ({"interval": "5s", "failureLimit": 100, "failureCondition": "result > 0"}, False),
    ({"interval": "5s"}, True),
    ({"provider": {"job": {"spec": {}}}}, False),
])  # fmt: skip
def test_a_metric_that_can_never_fail_is_known(settings, never):
    assert cannot_fail(metric(**settings)) is never


def test_a_run_is_not_over_before_every_metric_has_been_measured():
    walk = Walk(run_of(metric("now"), metric("later", initialDelay="30s")))
    walk.measure({"now": "S"})
    assert walk.status["phase"] == "Running"
    assert "completedAt" not in walk.status

    walk.wait()
    walk.measure({"later": "S"})
    assert walk.status["phase"] == "Successful"

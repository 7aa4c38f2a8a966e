"""Series say what metrics measure at every moment; what cannot be read is told with how it is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.servers import query
from tiphys.simulate.metrics import ALL, PLAYED, BadSeries, Series, answer, assumption, measured, read


@given(st.floats(0, 1000))
def test_a_sentence_is_successful_before_its_moment_and_a_verdict_from_then_on(at_s: float) -> None:
    points = read("fail at 3m")[ALL]
    assert answer(points, at_s).phase == ("Failed" if at_s >= 180 else "Successful")


@pytest.mark.parametrize(("word", "phase"), [("fail", "Failed"), ("error", "Error"), ("inconclusive", "Inconclusive")])
def test_every_verdict_has_its_word(word: str, phase: str) -> None:
    assert answer(read({"m": f"{word} at 10s"})["m"], 10.0).phase == phase


def test_values_hold_from_their_moment_on() -> None:
    points = read({"m": [{"from": "3m", "value": 0.8}, {"from": "0s", "value": 0.99}]})["m"]
    assert [answer(points, at).value for at in (0.0, 179.0, 180.0, 1e6)] == [0.99, 0.99, 0.8, 0.8]
    assert answer(points, 200.0).text == "0.8"


def test_a_number_is_always_that_and_an_unknown_metric_is_successful() -> None:
    series = Series(read({"m": 0.2}))
    assert answer(series.of("m"), 5.0).value == 0.2
    assert answer(series.of("other"), 5.0).phase == "Successful"


def test_a_metric_of_its_own_wins_over_the_sentence_for_all() -> None:
    series = Series({**read("fail at 0s"), **read({"m": 1})})
    assert answer(series.of("m"), 5.0).value == 1
    assert answer(series.of("other"), 5.0).phase == "Failed"


@pytest.mark.parametrize(
    "wrong", ["break at 3m", {"m": "fail at soon"}, {"m": ["x"]}, {"m": [{"from": "0s"}]}, {"m": {}}, 7, ["m"]]
)
def test_what_cannot_be_read_is_told_with_an_example(wrong: Any) -> None:
    with pytest.raises(BadSeries, match=r"fail at|3m"):
        read(wrong)


async def test_a_metric_of_which_nothing_is_said_is_noted_once() -> None:
    series = Series(read({"known": 0.2}))
    for name in ("known", "other", "other", "third"):
        await series.measure(query({"web": {}}, metric={"name": name}))
    assert list(series.assumed) == ["other", "third"]


def test_what_is_assumed_is_a_sentence() -> None:
    assert assumption(["a"]) == "metric a is taken as good each time: --metrics would say what it measures"
    assert assumption(["a", "b"]).startswith("metrics a, b are taken as good each time")


def test_jobs_are_measured_as_other_metrics_are_and_nothing_else_changes() -> None:
    job, web = {"name": "a", "provider": {"job": {"spec": {}}}}, {"name": "b", "provider": {"web": {}}}
    template = {"kind": "AnalysisTemplate", "spec": {"args": [], "metrics": [job, web]}}
    assert measured(template)["spec"] == {"args": [], "metrics": [{"name": "a", "provider": PLAYED}, web]}
    assert template["spec"]["metrics"] == [job, web]
    for other in ({"kind": "Service"}, {"spec": {"metrics": [web]}}, {"spec": {"metrics": [{"type": "Resource"}]}}):
        assert measured(other) is other

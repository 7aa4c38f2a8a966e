"""Conditions judge as upstream's do, in their odd corners too."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.analysis.conditions import NO_VALUE, time_of, verdict
from actors.language.expression import ExpressionError

NOW = 1_767_225_600.0


def judged(value: Any, success: str = "", failure: str = "") -> tuple[str, str]:
    return verdict({"successCondition": success, "failureCondition": failure}, value, NOW)


@pytest.mark.spec("RO-AN-14")
@pytest.mark.parametrize(("value", "success", "failure", "phase"), [
    (1.0, "", "", "Successful"),
    (None, "", "", "Successful"),
    (1.0, "result > 0", "", "Successful"),
    (-1.0, "result > 0", "", "Failed"),
    (1.0, "", "result > 0", "Failed"),
    (-1.0, "", "result > 0", "Successful"),
    (1.0, "result > 0", "result > 0", "Failed"),
    (2.0, "result > 1", "result < 0", "Successful"),
    (0.5, "result > 1", "result < 0", "Inconclusive"),
])  # fmt: skip
def test_failure_wins_and_neither_is_inconclusive(value, success, failure, phase):
    assert judged(value, success, failure) == (phase, "")


@pytest.mark.parametrize(("value", "condition", "phase"), [
    ("3", "asInt(result) == 3", "Successful"),
    (3.9, "asInt(result) == 3", "Successful"),
    ("0.25", "asFloat(result) < 0.5", "Successful"),
    ([0.25, 0.5], "all(result, # < 1) && len(result) == 2", "Successful"),
    ([{"value": 1.0}], "result[0].value == 1", "Successful"),
    ({"a": {"b": "x"}}, "result.a.b startsWith 'x'", "Successful"),
    ({"a": None}, "result.a?.b == nil", "Successful"),
    ({}, "(result.a ?? 1) == 1", "Successful"),
    (math.nan, "isNaN(result)", "Successful"),
    (-math.inf, "isInf(result)", "Successful"),
    (math.nan, "result < 1", "Failed"),
    ([3.0, 1.0], "max(result) == 3 and mean(result) == 2", "Successful"),
    ("ok", "result in ['ok', 'fine']", "Successful"),
    (1.0, "now() > date('2025-01-01')", "Successful"),
])  # fmt: skip
def test_the_language_is_whole(value, condition, phase):
    assert judged(value, condition) == (phase, "")


@pytest.mark.spec("RO-7-17")
@pytest.mark.parametrize(("value", "condition", "phase"), [
    (None, "default(result, 0) == 0", "Successful"),
    (None, "default(result.x, 0) == 0", "Error"),
    ({"x": None}, "default(result.x, 0) == 0", "Failed"),
    ({"x": None}, "default(result.x, 0).x == nil", "Successful"),
    ({"x": None}, "isNil(result.x)", "Failed"),
    (None, "isNil(1)", "Successful"),
    ([], "isNil(result)", "Failed"),
])  # fmt: skip
def test_default_and_is_nil_ask_about_the_whole_result(value, condition, phase):
    assert judged(value, condition)[0] == phase


@pytest.mark.parametrize("value", [None, []])
def test_no_value_says_so(value):
    assert judged(value, "result[0] < 1") == (
        "Error",
        f'could not evaluate successCondition "result[0] < 1": {NO_VALUE}',
    )


@pytest.mark.parametrize(("condition", "why"), [
    ("result", "expected bool, but got float64"),
    ("result ==", "unexpected token EOF"),
    ("nope > 1", "unknown name nope"),
    ("result.a.b", "cannot fetch a from float64"),
    ("asInt('x') == 1", "invalid operation: int(x)"),
    ("sprig.upper('a') == 'A'", "unknown name sprig"),
])  # fmt: skip
def test_what_cannot_be_evaluated_says_which_condition_and_why(condition, why):
    assert judged(1.0, failure=condition) == ("Error", f'could not evaluate failureCondition "{condition}": {why}')


def test_no_condition_hangs_the_controller():
    phase, message = judged(1.0, "all(1..100000000, # > 0)")

    assert phase == "Error"
    assert "budget" in message or "steps" in message


@given(st.text(max_size=30), st.none() | st.floats() | st.text() | st.lists(st.floats(), max_size=3))
def test_whatever_is_written_and_measured_there_is_a_verdict(condition, value):
    assert judged(value, condition)[0] in ("Successful", "Failed", "Error")


def test_times_are_expressions():
    assert time_of('now() - duration("1h30m")', NOW) == NOW - 5400
    with pytest.raises(ExpressionError, match="expected time"):
        time_of("'yesterday'", NOW)

"""What lies at the edges: equal values, chains of one operator, one argument, the last character, every name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from string import ascii_letters
from typing import Any

import pytest

from actors.language import gjson
from actors.language.expression import ExpressionError, evaluate
from actors.language.go_time import format_time, parse_time
from actors.language.jsonpath import query
from actors.language.tags import results_referenced
from actors.language.when import WhenError, evaluate_when

LEAST = -(2**63)


@pytest.mark.spec("EXPR-2")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10 - 4 - 3", 3),
        ("100 / 10 / 5", 2.0),
        ("2 ** 3 ** 2", 512.0),
        ("7 % 4 % 2", 1),
        ("1 - 2 + 3", 2),
        ("2 * 3 - 4 / 2", 4.0),
        ("10 - 2 * 3", 4),
        ("false && false || true", True),
        ("true || true && false", True),
        ("not false && false", False),
        ("nil ?? 1 ?? 2", 1),
        ("true ? 1 : false ? 2 : 3", 1),
    ],
)
def test_chains_are_read_from_the_left_except_powers_and_choices(text: str, value: object) -> None:
    assert evaluate(text, {}) == value


@pytest.mark.spec("EXPR-2")
@pytest.mark.parametrize("pair", [(1, 2), (1.5, 2), ("a", "b"), ("a", "ab"), (-1, 0)], ids=str)
def test_comparisons_tell_less_equal_and_more_apart(pair: tuple[Any, Any]) -> None:
    less, more = pair
    for a, b, verdicts in ((less, more, "TTFF"), (more, less, "FFTT"), (less, less, "FTFT"), (more, more, "FTFT")):
        found = [evaluate(f"a {symbol} b", {"a": a, "b": b}) for symbol in ("<", "<=", ">", ">=")]
        assert found == [letter == "T" for letter in verdicts]


@pytest.mark.spec("EXPR-3")
def test_one_argument_and_the_least_number_are_arguments_like_others() -> None:
    assert evaluate("max('a')", {}) == "a"
    assert evaluate("min(3)", {}) == 3
    assert evaluate("max([2], 1)", {}) == 2
    assert evaluate("abs(n)", {"n": LEAST}) == LEAST, "which has no opposite in 64 bits"
    assert evaluate("abs(n)", {"n": -1.5}) == 1.5


@pytest.mark.spec("EXPR-3")
@pytest.mark.parametrize("text", ["concat(1)", "abs('x')", "asFloat()", "len(1)", "min('a', 1)"])
def test_an_error_names_the_function(text: str) -> None:
    with pytest.raises(ExpressionError, match=text.partition("(")[0]):
        evaluate(text, {})


@pytest.mark.spec("EXPR-4")
def test_what_is_no_version_is_told_so() -> None:
    with pytest.raises(ExpressionError, match="Invalid Semantic Version"):
        evaluate("sprig.semverCompare('^1', 'x')", {})


@pytest.mark.parametrize("letter", [*ascii_letters, "_", "$env1", "é"])
def test_every_letter_may_be_a_name(letter: str) -> None:
    assert evaluate(f"{letter} + 1", {letter: 1}) == 2


def test_an_expression_that_is_too_long_is_told_so() -> None:
    with pytest.raises(ExpressionError, match=r"an expression of \d+ characters is longer than"):
        evaluate("1" + "+1" * 200_000, {})


@pytest.mark.spec("COND-1")
def test_a_condition_may_not_end_in_a_backslash() -> None:
    with pytest.raises(WhenError, match="Nothing follows the backslash at the end"):
        evaluate_when("a == b\\")


@pytest.mark.spec("RES-6")
@pytest.mark.parametrize(
    ("operator", "found"), [("<", [1]), ("<=", [1, 5]), (">", [9]), (">=", [5, 9]), ("==", [5]), ("!=", [1, 9])]
)
def test_elements_are_chosen_by_number(operator: str, found: list[int]) -> None:
    things = {"list": [{"n": 1}, {"n": 5}, {"n": 9}]}
    assert gjson.lookup(things, f"list.#(n{operator}5)#.n") == found


@pytest.mark.spec("EXPR-7")
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$..['a']", [[1, [2]]]),
        ("$.a[1][0]", 2),
        (r"$['it\'s']['x]']", 3),
        ("$['b,c']", 4),
        ("$.d[?(@.name == 'x)')].n", [5]),
    ],
)
def test_brackets_and_quotes_inside_names_are_part_of_them(path: str, found: object) -> None:
    thing = {"a": [1, [2]], "it's": {"x]": 3}, "b,c": 4, "d": [{"name": "x)", "n": 5}, {"name": "x", "n": 6}]}
    assert query(thing, path) == found


@pytest.mark.spec("SCR-3")
@pytest.mark.parametrize(("kind", "found"), [("steps", {"b"}), ("dag", {"a"}), ("container", {"a", "b"})])
def test_results_are_those_of_the_templates_own_calls(kind: str, found: set[str]) -> None:
    tree = {kind: {}, "text": "{{tasks.a.outputs.result}} {{steps.b.outputs.result}}"}
    assert results_referenced(tree) == found


def test_every_day_and_month_is_written_and_read_by_its_name() -> None:
    for number in range(366):
        day = datetime(2024, 1, 1, 13, 5, tzinfo=UTC) + timedelta(days=number)
        assert format_time(day, "Monday Mon January Jan 2") == day.strftime("%A %a %B %b ") + str(day.day)
        written = format_time(day, "Mon, 02 Jan 2006 15:04:05 MST")
        assert parse_time("Mon, 02 Jan 2006 15:04:05 MST", written) == day

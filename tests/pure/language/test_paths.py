"""Paths into JSON: Argo's jsonpath(), kubectl's templates, and conditions on resources."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.language import conditions
from actors.language.conditions import ConditionError
from actors.language.expression import ExpressionError, evaluate
from actors.language.jsonpath import PathError, query
from actors.language.kubectl_path import render_template

STAFF = {
    "employees": [
        {"name": "Baris", "age": 43, "friends": ["Mo", "Jai"]},
        {"name": "Mo", "age": 42},
        {"name": "Jai", "age": 44, "lead": True},
    ],
    "on.sale": "Mo",
    "max": 43,
}


@pytest.mark.spec("EXPR-7")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", STAFF),
        ("$.max", 43),
        ("$['on.sale']", "Mo"),
        ("$.employees[0].friends", ["Mo", "Jai"]),
        ("$.employees[-1].name", "Jai"),
        ("$.employees[*].name", ["Baris", "Mo", "Jai"]),
        ("$.employees[0:2].name", ["Baris", "Mo"]),
        ("$.employees[0,2].name", ["Baris", "Jai"]),
        ("$..name", ["Baris", "Mo", "Jai"]),
        ('$.employees[?(@.name=="Baris")].age', [43]),
        ("$.employees[?(@.age>42 && @.age<44)].age", [43]),
        ("$.employees[?(@.age<43 || @.lead)].name", ["Mo", "Jai"]),
        ("$.employees[?(!(@.age<43))].name", ["Baris", "Jai"]),
        ("$.employees[?(@.friends)].name", ["Baris"]),
        ("$.employees[?(@.age >= $.max)].name", ["Baris", "Jai"]),
        ("$.employees[?(@.name =~ /^J/)].age", [44]),
        ("$.employees[?(@.nope > 1)]", []),
        ("$.employees.length", 3),
        ("$.*.*.age", [43, 42, 44]),
    ],
)
def test_a_path_finds_what_it_names(path, expected):
    assert query(STAFF, path) == expected


@pytest.mark.parametrize("path", ["$.nope", "$.employees[9]", "$.max.x", "$.employees[0].friends[5]"])
def test_a_definite_path_that_leads_nowhere_is_an_error(path):
    with pytest.raises(PathError, match="not found"):
        query(STAFF, path)


@pytest.mark.parametrize(
    "path", ["$.", "$[", "$.a[?(", "$.a[?(@.b ==)]", "$.a[1:2:0]", "$x", "$.a[b c]", "$.a[?(1 1)]"]
)
def test_a_path_that_cannot_be_read_is_an_error(path):
    with pytest.raises(PathError):
        query({"a": []}, path)


def test_invalid_json_is_an_error_of_the_expression():
    with pytest.raises(ExpressionError, match="jsonpath: invalid character"):
        evaluate("jsonpath('nojson', '$.a')", {})
    assert evaluate("jsonpath('{\"a\": [1, {\"b\": 2}]}', '$.a[1].b')", {}) == 2.0


@given(st.text(alphabet="$.[]*?(@)'\":,0a=!&|<"))
def test_any_path_is_read_or_refused(path):
    with contextlib.suppress(PathError):
        query(STAFF, path)


@pytest.mark.spec("RES-9")
def test_templates_write_text_and_values():
    pod = {"metadata": {"name": "p", "labels": {"a.b/c": "v"}}, "status": {"phase": "Running", "n": 3}}
    assert render_template("{.metadata.name}", pod) == "p"
    assert render_template("{.status.n}", pod) == "3"
    assert render_template(r"{.metadata.labels.a\.b/c}-{.status.phase}", pod) == "v-Running"
    assert render_template("{.status.nope}", pod) == ""
    assert render_template("{.status}", pod) == '{"n":3,"phase":"Running"}'
    with pytest.raises(PathError):
        render_template("{.status", pod)


@pytest.mark.spec("RES-6")
@pytest.mark.spec("COND-7")
def test_a_failure_condition_fails_on_its_first_match():
    thing = {"status": {"failed": 3, "phase": "Failed"}}
    met = conditions.failing("status.failed > 5, status.phase == Failed", thing)
    assert str(met) == "status.phase==Failed"
    assert conditions.failing("status.failed > 5", thing) is None
    assert not conditions.matches("status.failed > 5, status.phase == Failed", thing)
    assert conditions.matches("", thing)


@pytest.mark.spec("RES-6")
@pytest.mark.parametrize("text", ["a ==b c", "a in b", "a >", "a > x", "= x", "a in (b", "(", "!", "a ! b", "a,b c"])
def test_what_is_no_selector_is_refused_with_the_condition_in_the_message(text):
    with pytest.raises(ConditionError, match=r"^unable to parse condition '"):
        conditions.matches(text, {})


@given(st.text(alphabet="ab.,=!<>()in #0"))
def test_any_condition_is_read_or_refused(text):
    with contextlib.suppress(ConditionError):
        conditions.matches(text, {"a": {"b": 1}, "i": ["n"]})


@pytest.mark.spec("EXPR-7")
@pytest.mark.parametrize("cut", ["0:2:0", "0:2:1:1", "a:b"])
def test_a_slice_of_four_numbers_or_no_step_is_none(cut):
    with pytest.raises(PathError, match="is not a slice"):
        query(STAFF, f"$.employees[{cut}]")
    assert query(STAFF, "$.employees[0:2:1].age") == [43, 42]

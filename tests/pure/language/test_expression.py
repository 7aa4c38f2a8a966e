"""Expressions end, whatever they are; they see only what they are given."""

import os
import random
import re
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from actors.language import jsontext
from actors.language.expression import (
    Budget,
    BudgetExceeded,
    ExpressionError,
    compile_expression,
    environment,
    evaluate,
    evaluate_bool,
    nest,
)
from actors.language.functions import Functions
from actors.language.render import render
from actors.language.sprig_table import NOT_OFFERED
from actors.language.tags import tags_in
from actors.names.timestamps import creation_variables


@pytest.mark.parametrize(
    "text",
    [
        "reduce(1..100, concat(#acc, #acc), [1])",
        "reduce(1..100, #acc + #acc, 'x')",
        "map(1..1000, map(1..1000, map(1..1000, #)))",
        "1..1000000000",
        "repeat(repeat('x', 1000000), 1000000)",
        "replace(repeat('a', 1000000), '', repeat('b', 1000000))",
        "let a = [1,2,3,4,5,6,7,8,9,10]; let b = [a,a,a,a,a,a,a,a,a,a]; let c = [b,b,b,b,b,b,b,b,b,b];"
        " let d = [c,c,c,c,c,c,c,c,c,c]; let e = [d,d,d,d,d,d,d,d,d,d]; let f = [e,e,e,e,e,e,e,e,e,e];"
        " let g = [f,f,f,f,f,f,f,f,f,f]; toJSON([g,g,g,g,g,g,g,g,g,g])",
        "uniq(1..100000)",
        "sprig.indent(1000000, repeat('\\n', 1000))",
        "sprig.repeat(1000000000, 'x')",
        "sprig.until(1000000000)",
        "sprig.seq(1, 1000000000)",
    ],
)
def test_a_hostile_expression_is_stopped_soon(text):
    start = time.perf_counter()
    with pytest.raises(BudgetExceeded):
        evaluate(text, {})
    assert time.perf_counter() - start < 5


def test_a_budget_can_be_made_small():
    with pytest.raises(BudgetExceeded, match="too many steps"):
        evaluate("sum(1..1000)", {}, budget=Budget(steps=100))
    assert evaluate("sum(1..1000)", {}) == 500500


@pytest.mark.parametrize(
    "text", ["(" * 5000 + "1" + ")" * 5000, "-" * 5000 + "1", "[" * 5000, "a" + ".b" * 9000, "1" + "+1" * 4900]
)
def test_a_deep_expression_is_an_error_not_a_crash(text):
    with pytest.raises(ExpressionError):
        evaluate(text, {"a": {}})


def test_a_deep_value_is_an_error_not_a_crash():
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    for text in ("toJSON(x)", "string(x)", "x == y"):
        with pytest.raises(ExpressionError):
            evaluate(text, {"x": deep, "y": [deep]})


@given(st.text(alphabet="ab1.[]{}()\"'+-*/%&|!?:#,; \n=<>~^$_let in not nil"))
def test_any_text_is_an_expression_or_an_expression_error(text):
    places = [(1, 1)]
    try:
        evaluate(text, {"a": 1, "b": "x"})
    except ExpressionError as error:
        places.append((error.line, error.column))
    assert all(line >= 1 and column >= 1 for line, column in places)


def test_an_error_says_what_and_where():
    with pytest.raises(ExpressionError) as caught:
        evaluate("1 +\n  nowhere", {})
    assert (caught.value.message, caught.value.line, caught.value.column) == ("unknown name nowhere", 2, 3)
    assert str(caught.value) == "unknown name nowhere (2:3)\n |   nowhere\n | ..^"


@pytest.mark.spec("EXPR-7")
def test_dotted_names_nest_and_the_map_wins_over_the_value():
    flat = {"a.b": 1, "a": 0, "a-b": 2, "x.y.z": 3, "x.y": {"w": 4}, "a.b.c": 5, "m": {"k": 1}}
    assert nest(flat) == {"a": {"b": {"c": 5}}, "a-b": 2, "x": {"y": {"z": 3, "w": 4}}, "m": {"k": 1}}
    assert flat["m"] == {"k": 1}


@given(st.dictionaries(st.from_regex(r"[a-c](\.[a-c]){0,3}", fullmatch=True), st.integers()))
def test_every_name_that_is_no_prefix_is_found_where_its_dots_lead(flat):
    tree = nest(flat)
    for name, value in flat.items():
        if any(other.startswith(f"{name}.") for other in flat):
            continue
        assert evaluate(name, tree) == value


@pytest.mark.spec("EXPR-8")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('a"b\n', 'a"b\n'),
        (1, "1"),
        (1.0, "1"),
        (1e21, "1e+21"),
        (True, "true"),
        (None, "null"),
        ([1, "<"], '[1,"\\u003c"]'),
        ({"b": 1, "a": {}}, '{"a":{},"b":1}'),
    ],
)
def test_results_render_as_json_but_strings_as_they_are(value, text):
    assert render(value) == text


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="unsupported value: \\+Inf"):
        render(evaluate("1/0", {}))
    with pytest.raises(ValueError, match="unsupported type"):
        render(evaluate("sprig.trim", {}))


def test_the_time_of_a_workflow_is_a_date_although_its_other_forms_lie_below_it():
    flat = creation_variables("workflow.creationTimestamp", 1600000000.0)
    assert evaluate("sprig.date('2006-01', workflow.creationTimestamp)", nest(flat)) == "2020-09"


def test_time_and_chance_are_given_or_refused():
    functions = Functions(now=1600000000.0, chance=random.Random(7))
    assert evaluate("now().Year()", {}, functions=functions) == 2020
    assert evaluate("sprig.date('2006-01-02', sprig.now())", {}, functions=functions) == "2020-09-13"
    assert evaluate("sprig.ago(1599999000)", {}, functions=functions) == "16m40s"
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        evaluate("sprig.uuidv4()", {}, functions=functions),
    )
    assert evaluate("sprig.randNumeric(8)", {}, functions=functions).isdigit()
    again = Functions(chance=random.Random(7))
    first = Functions(chance=random.Random(7))
    assert evaluate("sprig.uuidv4()", {}, functions=again) == evaluate("sprig.uuidv4()", {}, functions=first)
    for text in ("now()", "sprig.now()", "sprig.uuidv4()", "sprig.randInt(1, 5)", "sprig.shuffle('ab')"):
        with pytest.raises(ExpressionError, match="not available here"):
            evaluate(text, {})


@pytest.mark.parametrize("name", NOT_OFFERED)
def test_what_is_not_offered_says_so(name):
    with pytest.raises(ExpressionError, match=f"sprig.{name} is not offered"):
        evaluate(f"sprig.{name}('x')", {})


def test_no_function_changes_what_it_is_given():
    env = {"m": {"a": 1}, "l": [3, 1, 2]}
    for text in ("sprig.set(m, 'b', 2)", "sprig.unset(m, 'a')", "sort(l)", "reverse(l)", "sprig.merge(m, {'c': 3})"):
        evaluate(text, env)
    assert env == {"m": {"a": 1}, "l": [3, 1, 2]}


def test_a_conditions_result_must_be_true_or_false():
    assert evaluate_bool("1 < 2", {}) is True
    with pytest.raises(ExpressionError, match="to bool"):
        evaluate_bool("1 + 2", {})


def test_an_expression_knows_what_it_needs():
    compiled = compile_expression("let x = a.b; x + c['d'].e + (f.g ?? 'z') + h?.i + len(j)")
    assert {reference.path for reference in compiled.references} == {"a", "a.b", "c", "c.d", "c.d.e", "f", "h", "j"}
    assert compiled.roots == {"a", "c", "f", "h", "j"}
    assert compiled.missing({"a": {"b": None}, "c": {}, "f": {}, "h": None, "j": 1}) == ["c.d", "c.d.e"]
    assert compiled.reach == {"a.b", "c.d", "f.g", "h", "j"}
    assert compile_expression("1 + 1") is compile_expression("1 + 1")


paths = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)


@given(st.dictionaries(paths.map(".".join), st.integers()), st.lists(paths, min_size=1, max_size=3))
def test_what_is_made_ready_for_an_expression_is_all_it_can_see(flat, mentioned):
    dotted = [".".join(path) for path in mentioned]
    bracketed = ["".join([path[0], *(f"['{part}']" for part in path[1:])]) for path in mentioned]
    compiled = compile_expression(f"[{', '.join(dotted + bracketed)}]")
    assert compiled.missing(environment(flat, compiled.reach)) == compiled.missing(nest(flat))


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_integers_wrap_at_64_bits(a, b):
    env = {"a": a, "b": b}
    for operator, value in (("+", a + b), ("-", a - b), ("*", a * b)):
        result = evaluate(f"a {operator} b", env)
        assert -(2**63) <= result < 2**63
        assert (result - value) % 2**64 == 0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_written_number_reads_back_as_itself(value):
    assert float(jsontext.number_text(value)) == value
    assert float(jsontext.plain_number(value)) == value
    assert "e" not in jsontext.plain_number(value)


@pytest.mark.spec("PARAM-1")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (1, "1"),
        (1e3, "1000"),
        (1e22, "10000000000000000000000"),
        (1.5, "1.5"),
        (1e-7, "0.0000001"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        ([1], ""),
        ({"a": 1}, ""),
        (2**60 + 1, "1152921504606847000"),
    ],
)
def test_a_parameters_value_is_stored_as_text(value, text):
    assert jsontext.parameter_text(value) == text


def test_every_expression_of_upstreams_examples_can_be_read():
    root = Path(os.environ.get("TIPHYS_CONFORMANCE", Path(__file__).parents[4] / "shared" / "conformance"))
    folder = root / "workflows" / "examples"
    if not folder.is_dir():
        pytest.skip(f"conformance data is absent: {folder}")
    found = 0
    for path in sorted(folder.rglob("*.yaml")):
        if "{{=" not in path.read_text():
            continue
        for document in yaml.load_all(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            for tag in tags_in(document):
                if tag.is_expression:
                    compile_expression(tag.name)
                    found += 1
    assert found > 10


@pytest.mark.spec("EXPR-3")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[round(2.3), round(2.5), round(-2.3), round(-2.5)]", [2, 3, -2, -3]),
        ("[a == 1, 1 == a, a == [1], a == [1, 2], a == ['1']]", [False, False, True, False, False]),
        ("[sprig.atoi('99999999999999999999'), sprig.atoi('-99999999999999999999')]", [2**63 - 1, -(2**63)]),
        ("[sprig.int('1.5'), sprig.int('-1.9'), sprig.int('.5'), sprig.int('1.5e3')]", [1, -1, 0, 0]),
        ("[sprig.int(' 1'), sprig.add1('2.7'), sprig.int('010.5')]", [0, 3, 8]),
    ],
)
def test_numbers_and_lists_are_rounded_compared_and_read_as_in_go(text, value):
    assert evaluate(text, {"a": [1]}) == value


@pytest.mark.spec("EXPR-7")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item + 1", "invalid operation: + (mismatched types string and int) (1:6)"),
        ("2 > retries", "invalid operation: > (mismatched types int and string) (1:3)"),
        ("retries ** 2", "invalid operation: ** (mismatched types string and int) (1:9)"),
        ("3.0 % 2", "invalid operation: % (mismatched types float64 and int) (1:5)"),
        ("true < false", "invalid operation: < (mismatched types bool and bool) (1:6)"),
        ("inputs.n + 1", "invalid operation: string + int (1:10)"),
        ("1 % 0", "runtime error: integer divide by zero (1:3)"),
    ],
)
def test_of_a_variable_by_itself_the_types_are_told_as_before_it_runs_and_of_its_fields_as_then(text, said):
    with pytest.raises(ExpressionError) as refused:
        evaluate(text, {"item": "1", "retries": "0", "inputs": {"n": "1"}})
    assert str(refused.value).partition("\n")[0] == said

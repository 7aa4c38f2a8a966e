"""`depends` decides over results; bare names mean it went well enough, and omission cascades."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.language.depends import RESULTS, DependsError, bare, expand_dependencies, parse_depends


def outcome(**results):
    """Tell of tasks by their one result: outcome(A="Succeeded")."""
    return lambda task, result: results.get(task.replace("-", "_")) == result


@pytest.mark.spec("DAG-3")
@pytest.mark.parametrize(
    ("text", "results", "verdict"),
    [
        ("A.Succeeded", {"A": "Succeeded"}, True),
        ("A.Succeeded", {"A": "Failed"}, False),
        ("A.Failed || A.Errored", {"A": "Errored"}, True),
        ("!A.Failed", {"A": "Succeeded"}, True),
        ("A.Succeeded && B.Failed", {"A": "Succeeded", "B": "Failed"}, True),
        ("A.Succeeded&&B.Failed", {"A": "Succeeded", "B": "Succeeded"}, False),
        ("A.Failed || B.Failed && C.Failed", {"A": "Failed"}, True),
        ("(A.Failed || B.Failed) && C.Failed", {"A": "Failed"}, False),
        ("!(A.Failed || B.Failed)", {"A": "Succeeded", "B": "Succeeded"}, True),
        ("!A.Failed && !B.Failed", {"A": "Failed"}, False),
        ("  A.Succeeded\n && B.Succeeded ", {"A": "Succeeded", "B": "Succeeded"}, True),
        ("!!A.Failed", {"A": "Failed"}, True),
    ],
)
def test_formulas_decide_over_results(text, results, verdict):
    assert parse_depends(text).evaluate(outcome(**results)) is verdict


@pytest.mark.spec("DAG-4")
@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        ("Succeeded", True),
        ("Skipped", True),
        ("Daemoned", True),
        ("Failed", False),
        ("Errored", False),
        ("Omitted", False),
    ],
)
def test_a_bare_name_means_it_went_well_enough_and_omission_cascades(result, verdict):
    assert parse_depends("A").evaluate(outcome(A=result)) is verdict


@pytest.mark.spec("DAG-4", "DAG-5")
def test_dependencies_are_bare_names_joined_and_continue_on_widens_them():
    assert bare("A") == "(A.Succeeded || A.Skipped || A.Daemoned)"
    assert bare("A", {"error": True, "failed": True}) == (
        "(A.Succeeded || A.Skipped || A.Daemoned || A.Errored || A.Failed)"
    )
    task = {"name": "C", "dependencies": ["A", "B"]}
    text = expand_dependencies(task, {"A": None, "B": {"failed": True}})
    assert text == "(A.Succeeded || A.Skipped || A.Daemoned) && (B.Succeeded || B.Skipped || B.Daemoned || B.Failed)"
    assert parse_depends(text).evaluate(outcome(A="Succeeded", B="Failed"))
    assert not parse_depends(text).evaluate(outcome(A="Failed", B="Failed"))
    assert expand_dependencies({"name": "A"}) == ""
    assert expand_dependencies({"depends": "A || B"}) == "A || B"


@pytest.mark.spec("DAG-3")
def test_dashes_and_underscores_make_different_tasks():
    clause = parse_depends("a-b.Succeeded && !a_b.Succeeded")
    assert clause.tasks() == {"a-b", "a_b"}
    assert clause.evaluate(lambda task, result: (task, result) == ("a-b", "Succeeded"))


@pytest.mark.spec("DAG-6")
def test_only_loops_can_answer_for_their_items():
    clause = parse_depends("A.AnySucceeded || B.AllFailed || C")
    assert clause.tasks() == {"A", "B", "C"}
    assert clause.tasks_with_items() == {"A", "B"}


@pytest.mark.spec("DAG-8")
def test_an_unknown_result_is_named_with_its_task():
    with pytest.raises(DependsError, match=r"^task result 'Foo' for task 'A' is invalid$"):
        parse_depends("A.Foo || B")


@pytest.mark.spec("DAG-8")
@pytest.mark.parametrize(
    "text", ["", " ", "&&", "A &&", "A B", "(A", "A)", "A || && B", "A == B", "!", "A.", "A,B", "(" * 1000 + "A"]
)
def test_what_is_no_formula_is_refused_with_the_formula_in_the_message(text):
    with pytest.raises(DependsError, match=r"^unable to evaluate expression '"):
        parse_depends(text)


def test_the_same_text_is_read_once():
    assert parse_depends("A && B") is parse_depends("A && B")


names = st.from_regex(r"[a-zA-Z][-a-zA-Z0-9]{0,8}", fullmatch=True)
terms = st.tuples(names, st.sampled_from(sorted(RESULTS)))
formulas = st.recursive(
    terms.map(lambda t: ("term", t)),
    lambda f: st.tuples(st.just("not"), f) | st.tuples(st.sampled_from(["&&", "||"]), f, f),
    max_leaves=12,
)


def written(formula):
    if formula[0] == "term":
        return ".".join(formula[1])
    if formula[0] == "not":
        return f"!({written(formula[1])})"
    return f"({written(formula[1])} {formula[0]} {written(formula[2])})"


def truth(formula, true):
    if formula[0] == "term":
        return formula[1] in true
    if formula[0] == "not":
        return not truth(formula[1], true)
    left, right = truth(formula[1], true), truth(formula[2], true)
    return (left and right) if formula[0] == "&&" else (left or right)


@given(formulas, st.sets(terms, max_size=6))
def test_any_formula_means_what_its_connectives_mean(formula, true):
    clause = parse_depends(written(formula))
    all_terms = set(clause.terms)
    chosen = true | set(sorted(all_terms)[::2])
    assert clause.evaluate(lambda task, result: (task, result) in chosen) is truth(formula, chosen)

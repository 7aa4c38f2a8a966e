"""A `when` is decided as upstream decides it; the recorded vectors hold the rest."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.language.when import WhenError, evaluate_when


@pytest.mark.spec("COND-1")
@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("", True),
        ("heads == heads", True),
        ("heads == tails", False),
        ("10 > 9", True),
        ("'10' > '9'", False),
        ("1.0 == 1", True),
        ('"1" == 1', False),
        ("( heads == tails && true ) || ( x in (x, y) )", True),
        ('"2006-01-02" < "2006-01-02T00:00:01Z"', True),
        ("abc =~ '^a.c$'", True),
        ("abc !~ '^b'", True),
        ("true", True),
        ("5 % 2 == 1 ? a == a : b == c", True),
        ('"multi\nline" == "multi\nline"', True),
    ],
)
def test_formulas_decide(text, verdict):
    assert evaluate_when(text) is verdict


@pytest.mark.spec("COND-1")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "Expected boolean evaluation for '5'. Got 5"),
        (
            "a == @",
            "Invalid 'when' expression 'a == @': Invalid token: '@' (hint: "
            'try wrapping the affected expression in quotes ("))',
        ),
        (
            "hello world == x",
            "Invalid 'when' expression 'hello world == x': "
            "Cannot transition token types from VARIABLE [hello] to VARIABLE [world]",
        ),
        (
            "a-b == a-b",
            "Failed to evaluate 'when' expresion 'a-b == a-b': "
            "Value 'a' cannot be used with the modifier '-', it is not a number",
        ),
        (
            " == x",
            "Invalid 'when' expression ' == x': Cannot transition token types from UNKNOWN [<nil>] to COMPARATOR [==]",
        ),
        (
            "1.2.3 == 1.2.3",
            "Invalid 'when' expression '1.2.3 == 1.2.3': Unable to parse numeric value '1.2.3' to float64\n",
        ),
    ],
)
def test_what_cannot_be_decided_is_refused_in_upstreams_words(text, message):
    with pytest.raises(WhenError) as caught:
        evaluate_when(text)
    assert str(caught.value) == message


@pytest.mark.spec("COND-6")
def test_in_a_cron_workflow_bare_words_are_unknown():
    assert evaluate_when("1 < 2", bare_words=False) is True
    with pytest.raises(WhenError, match=r"^No parameter 'heads' found.$"):
        evaluate_when("heads == heads", bare_words=False)


quotable = st.text(st.characters(blacklist_characters="'\"\\", blacklist_categories=["Cs"]))


@given(quotable, quotable)
def test_quoted_text_is_equal_to_itself_whatever_is_in_it(a, b):
    assert evaluate_when(f'"{a}" == "{a}"')
    assert evaluate_when(f"'{a}' == '{b}' || '{a}' != '{b}'")


@given(st.floats(min_value=0, max_value=1e9), st.floats(min_value=0, max_value=1e9))
def test_numbers_compare_as_numbers(a, b):
    assert evaluate_when(f"{a:.6f} < {b:.6f}") is (float(f"{a:.6f}") < float(f"{b:.6f}"))


@given(st.text())
def test_any_text_is_decided_or_refused(text):
    with contextlib.suppress(WhenError):
        assert evaluate_when(text) in (True, False)

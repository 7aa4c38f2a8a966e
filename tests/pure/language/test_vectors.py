"""Recorded answers of upstream's own libraries: each line is an input and what came out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.language import conditions, gjson, gotext, jsontext, kubectl_path
from actors.language.expression import evaluate
from actors.language.when import evaluate_when

VECTORS = Path(__file__).parent / "vectors"
ENVIRONMENT = json.loads((VECTORS / "environment.json").read_text())
OBJECT = json.loads((VECTORS / "object.json").read_text())


def _check(name: str, compute: Callable[..., Any]) -> None:
    wrong = []
    lines = (VECTORS / f"{name}.jsonl").read_text().splitlines()
    for line in lines:
        *given, expected = json.loads(line)
        try:
            answer: Any = compute(*given)
        except ValueError as error:
            answer = {"error": str(error)}
        if isinstance(expected, dict) and "error" in expected:
            if isinstance(answer, dict) and "error" in answer and expected["error"] in (True, "panic", answer["error"]):
                continue
        elif answer == expected and type(answer) is type(expected):
            continue
        wrong.append((given, expected, answer))
    assert not wrong
    assert len(lines) > 10


@pytest.mark.spec("EXPR-7")
def test_expressions_give_what_expr_lang_gives():
    _check("expr", lambda text: jsontext.dumps(evaluate(text, ENVIRONMENT)))


@pytest.mark.spec("EXPR-7")
def test_sprig_functions_give_what_sprig_gives():
    _check("sprig", lambda text: jsontext.dumps(evaluate(text, {})))


@pytest.mark.spec("COND-1")
def test_when_gives_what_govaluate_gives_down_to_the_message():
    _check("when", evaluate_when)


@pytest.mark.spec("EXPR-8")
def test_json_is_written_as_go_writes_it():
    _check("json", lambda text: jsontext.dumps(jsontext.loads(text)))


@pytest.mark.spec("LOOP-5")
def test_values_print_as_go_prints_them():
    _check("print", lambda text: gotext.printed(jsontext.loads(text)))


@pytest.mark.spec("LOOP-3")
def test_printf_formats_as_go_does():
    def formatted(pattern: str, argument: str) -> str:
        try:
            return gotext.sprintf(pattern, [int(argument)])
        except ValueError:
            return gotext.sprintf(pattern, [argument])

    _check("sprintf", formatted)


@pytest.mark.spec("LOOP-3")
def test_a_truth_is_printed_by_its_own_verb_only():
    assert gotext.sprintf("%t %5t|%d", [True, False, True]) == "true false|%!d(bool=true)"


@pytest.mark.spec("RES-6")
def test_paths_in_conditions_find_what_gjson_finds():
    def found(path: str) -> dict[str, Any]:
        value = gjson.lookup(OBJECT, path)
        return {"e": value is not gjson.ABSENT, "s": gjson.text_of(value)}

    _check("gjson", found)


@pytest.mark.spec("RES-6")
def test_conditions_match_as_label_selectors_do():
    _check("condition", lambda text: conditions.matches(text, OBJECT))


@pytest.mark.spec("RES-9")
def test_kubectl_templates_write_what_kubectl_writes():
    _check("kubectl", lambda text: kubectl_path.render_template(text, OBJECT))

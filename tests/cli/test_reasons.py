"""Nobody waits without a way out: each reason to wait, of the object or of its actor, says what would end it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from actors.messages import FULFILLED
from tiphys.cli.reasons import ENDS, LIVE, NodeWait, live, node_wait, told

ROOT = Path(__file__).resolve().parents[2]
TYPES = ("Pod", "Container", "Steps", "StepGroup", "DAG", "TaskGroup", "Retry", "Suspend", "HTTP", "Plugin", "Skipped")
SAYING = {"waiting", "waits_for"}
"""What the functions are called by which actors say what they wait for."""


def test_every_reason_says_what_would_end_it():
    assert set(ENDS) == set(NodeWait)
    assert all(ENDS.values())


@pytest.mark.parametrize(("kind", "phase"), list(product(TYPES, ("", "Pending", "Running"))))
def test_every_unfinished_node_has_a_reason(kind: str, phase: str):
    assert phase not in FULFILLED
    assert node_wait({"type": kind, "phase": phase}) in ENDS


def templates(expression: ast.expr) -> Iterator[str]:
    """The sentences that an expression may give, with {} for what varies."""
    match expression:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*templates(body), *templates(orelse))
        case ast.BoolOp(values=values):
            yield from (text for value in values for text in templates(value))
        case ast.BinOp(left=left):  # a list of names and an ellipsis
            yield from templates(left)
        case ast.Call(func=ast.Attribute(value=inner, attr="rstrip")):
            yield from templates(inner)
        case _:
            yield "{}"  # passed on from somewhere else that says it


def said_by_actors() -> dict[str, str]:
    """Every sentence in the rooms' code, and where it stands."""
    found = {}
    for path in [*(ROOT / "actors").rglob("*.py"), *(ROOT / "tiphys" / "devcluster" / "controllers").rglob("*.py")]:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef) and function.name in SAYING:
                for statement in ast.walk(function):
                    if isinstance(statement, ast.Return) and statement.value is not None:
                        where = f"{path.relative_to(ROOT)}:{statement.lineno}"
                        found |= dict.fromkeys(templates(statement.value), where)
    return found


def test_every_sentence_of_every_actor_is_known_with_what_would_end_it():
    """A new reason to wait needs a line in tiphys/cli/reasons.py (LIVE) that says what would end it."""
    unknown = {}
    for says, where in said_by_actors().items():
        found = live(says.replace("{}", "x"))
        if says not in ("{}", "for {}") and (found is None or found.says == "for {}"):
            unknown[says] = where
    assert unknown == {}


def test_the_more_particular_reason_comes_first():
    for position, reason in enumerate(LIVE):
        sentence = reason.says.replace("{}", "x")
        found = live(sentence)
        assert found is not None
        assert LIVE.index(found) <= position
    for sentence in ("for pod w-1 to be released", "for node w", "to be resumed", "for 2h to pass, or to be resumed"):
        found = live(sentence)
        assert found is not None
        assert found.says != "for {}"


def test_a_live_sentence_is_told_with_its_end():
    assert told("for node w") == "waits for node w; ends when that node finishes"
    assert told("something new") == "something new"

"""The compatibility page has every feature once, and no row claims what no test shows."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "compatibility.md"
FEATURES = ROOT.parent / "shared" / "spec" / "workflows.md"
ID = re.compile(r"^\| ([A-Z]+-\d+) \|", re.MULTILINE)


class Row(NamedTuple):
    """A line of the page."""

    id: str
    feature: str
    state: str
    shown_by: str


@lru_cache
def rows() -> tuple[Row, ...]:
    lines = [line for line in PAGE.read_text().splitlines() if ID.match(line)]
    return tuple(Row(*(cell.strip() for cell in line.strip("|").split(" | "))) for line in lines)


@lru_cache
def marked() -> dict[str, frozenset[str]]:
    """Test (`file::function`) -> the IDs it carries."""
    found: dict[str, frozenset[str]] = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path.relative_to(ROOT)}::{node.name}"
                found[name] = frozenset(entry for mark in node.decorator_list for entry in spec_ids(mark))
    return found


def spec_ids(mark: ast.expr) -> list[str]:
    if not isinstance(mark, ast.Call) or ast.unparse(mark.func) != "pytest.mark.spec":
        return []
    return [argument.value for argument in mark.args if isinstance(argument, ast.Constant)]  # type: ignore[misc]


def test_every_feature_has_one_row() -> None:
    ids = [row.id for row in rows()]

    assert len(ids) == len(set(ids))
    if not FEATURES.exists():
        pytest.skip(f"{FEATURES} is not here to compare with")
    assert sorted(ids) == sorted(ID.findall(FEATURES.read_text()))


def test_every_row_says_one_of_three_things() -> None:
    for row in rows():
        assert row.feature, row
        assert re.fullmatch(r"works|differs: .+|not yet(: .+)?", row.state), row


def test_whatever_works_is_shown_by_a_test_that_says_so() -> None:
    wrong = []
    for row in rows():
        test = row.shown_by.strip("`")
        if row.state.startswith("not yet"):
            wrong += [f"{row.id} is not there yet and yet shown by {test}"] if test else []
        elif row.id not in marked().get(test, frozenset()):
            wrong.append(f"{row.id}: {test or 'no test'} does not carry the marker")
    assert not wrong, "\n".join(wrong)


def test_whatever_differs_has_its_reason_among_the_decisions() -> None:
    told = (ROOT / "DECISIONS.md").read_text()
    assert [row.id for row in rows() if row.state.startswith("differs") and not re.search(rf"\b{row.id}\b", told)] == []


def test_the_count_at_the_top_is_the_count_below() -> None:
    kinds = [re.match(r"works|differs|not yet", row.state)[0] for row in rows()]  # type: ignore[index]  # tested above
    told = re.search(r"^(\d+) work, (\d+) differ, (\d+) are not there yet, of (\d+)\.$", PAGE.read_text(), re.MULTILINE)

    assert told is not None
    assert [int(part) for part in told.groups()] == [
        *(kinds.count(kind) for kind in ("works", "differs", "not yet")), len(kinds)
    ]  # fmt: skip

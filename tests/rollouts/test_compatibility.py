"""The compatibility page's section of Rollouts claims nothing that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## Rollouts \(.*?(?=^## )", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (RO-[\w.-]+) \| (.+?) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[^`]+::\w+)`")


def marked() -> dict[str, set[str]]:
    """Test (`file::function`) -> the IDs it carries."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text(encoding="utf-8")
        if '"RO-' in text:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    marks = [each for each in node.decorator_list if "mark.spec" in ast.unparse(each)]
                    found[f"{path.relative_to(ROOT).as_posix()}::{node.name}"] = {
                        argument.value
                        for mark in marks if isinstance(mark, ast.Call)
                        for argument in mark.args if isinstance(argument, ast.Constant)
                    }  # fmt: skip
    return found


def test_whatever_works_is_shown_by_a_test_that_says_so() -> None:
    section = SECTION.search((ROOT / "docs/compatibility.md").read_text(encoding="utf-8"))
    assert section is not None
    rows, tests = ROW.findall(section.group()), marked()
    assert len(rows) == len({row[0] for row in rows}) >= 60
    for id_, _, state, shown in rows:
        assert re.fullmatch(r"works|differs: .+|not yet(: .+)?", state), (id_, state)
        named = NAMED.findall(shown)
        assert bool(named) != state.startswith("not yet"), id_
        for test in named:
            assert id_ in tests.get(test, set()), (id_, test)

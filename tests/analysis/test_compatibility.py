"""The compatibility page's rows of analyses and experiments claim nothing that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (RO-(?:AN|PR|EX)-\d+) \| (.+?) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)


def marked() -> dict[str, set[str]]:
    """Test (`file::function`) -> the IDs it carries."""
    found: dict[str, set[str]] = {}
    for folder in (ROOT / "tests/analysis", ROOT / "tests/pure/analysis"):
        for path in folder.rglob("test_*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    marks = [each for each in node.decorator_list if "mark.spec" in ast.unparse(each)]
                    name = f"{path.relative_to(ROOT).as_posix()}::{node.name}"
                    found[name] = {
                        argument.value for mark in marks if isinstance(mark, ast.Call)
                        for argument in mark.args if isinstance(argument, ast.Constant)
                    }  # fmt: skip
    return found


def test_whatever_works_is_shown_by_a_test_that_says_so() -> None:
    rows = ROW.findall((ROOT / "docs/compatibility.md").read_text(encoding="utf-8"))
    tests = marked()
    assert len(rows) == len({row[0] for row in rows}) >= 43
    for id_, _, state, shown in rows:
        test = shown.strip("`")
        assert re.fullmatch(r"works|differs: .+|not yet(: .+)?", state), id_
        if state.startswith("not yet"):
            assert not test, id_
        else:
            assert id_ in tests.get(test, set()), (id_, test)

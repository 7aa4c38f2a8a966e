"""The house keeps its measures: files, functions, words, the time an import takes, and docs that name real things."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("runtime", "actors", "crds", "tiphys")
LINES_MAX = 450
STATEMENT_LINES_MAX = 40
IMPORT_MS_MAX = 150

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError|[Ff]or now|[Ss]implified|[Ss]tubs?|[Pp]laceholders?)\b")
ELSEWHERE = re.compile(r"/w[o]rk/|/r[o]ot/|\.\./shared\b|\b[Ii]ssue \d+|\bbrief(ing)?s?\b|\bsession of the project\b")
PLACES_OF_DATA = {"dev.py", "CONTRIBUTING.md", "README.md", "docs/conformance.md"}


def sources() -> list[Path]:
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [*found, ROOT / "dev.py"]


def texts() -> list[Path]:
    return [*sources(), *documents(), *(ROOT / "examples").rglob("*.yaml")]


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body without its docstring: a signature of options is no code."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_files_and_functions_are_small() -> None:
    too_large = {}
    for path in sources():
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > LINES_MAX:
            too_large[name_of(path)] = text.count("\n")
        for function in functions(ast.parse(text)):
            if length(function) > STATEMENT_LINES_MAX:
                too_large[f"{name_of(path)}:{function.name}"] = length(function)
    assert too_large == {}


def test_every_file_says_in_its_first_line_what_it_is() -> None:
    trees = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sources()}
    assert [name for name, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []


def test_nothing_is_left_for_later() -> None:
    found = {name_of(path): UNFINISHED.findall(path.read_text(encoding="utf-8")) for path in sources()}
    assert {name: words for name, words in found.items() if words} == {}


def test_nothing_names_the_workshop() -> None:
    found = {}
    for path in texts():
        words = [match[0] for match in ELSEWHERE.finditer(path.read_text(encoding="utf-8"))]
        if name_of(path) in PLACES_OF_DATA:  # they tell people where the conformance data is looked for
            words = [word for word in words if word != "../shared"]
        if words:
            found[name_of(path)] = words
    assert found == {}


def test_docs_link_to_files_that_exist() -> None:
    missing = {}
    for path in documents():
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
        missing[name_of(path)] = [link for link in links if not (path.parent / link).exists()]
    assert {name: links for name, links in missing.items() if links} == {}


def test_docs_name_files_that_exist() -> None:
    missing = {}
    for path in documents():
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"`((?:runtime|actors|crds|tiphys|examples|tests)/[\w./-]+\.(?:py|yaml|json))`", text)
        missing[name_of(path)] = [file for file in named if not (ROOT / file).exists()]
    assert {name: files for name, files in missing.items() if files} == {}


def test_importing_the_command_line_is_quick_and_light() -> None:
    """Measured as the best of five, since a busy machine makes any single one slow."""
    program = (
        "import sys, time; begin = time.perf_counter(); import tiphys.cli; took = time.perf_counter() - begin; "
        "heavy = {'kubernetes_asyncio', 'aiohttp', 'pydantic', 'typer', 'rich'} & set(sys.modules); "
        "print(round(took * 1000, 1), ','.join(sorted(heavy)))"
    )
    seen = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        took, _, heavy = done.stdout.strip().partition(" ")
        assert heavy == ""
        seen.append(float(took))
    assert min(seen) < IMPORT_MS_MAX


@pytest.mark.parametrize("command", ["run", "get", "lint"])
def test_no_command_pays_for_the_kubernetes_client_before_it_is_used(command: str) -> None:
    program = (
        "import sys; from tiphys.cli import main; main(sys.argv[1:]); "
        "assert not {'kubernetes_asyncio', 'aiohttp', 'pydantic'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, command, "--help"], cwd=ROOT, capture_output=True, check=True)

"""Every promise of docs/runtime.md names a test, and every test that is named is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "runtime.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    lines = [line for line in TEXT.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def there() -> set[str]:
    folders = [ROOT / "tests" / name for name in ("kernel", "golden", "e2e", "world", "shards")]
    files = [path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("test_*.py")]
    return {name for text in files for name in re.findall(r"def (test_\w+)", text)}


def test_every_promise_names_a_test():
    promises = [row for row in rows() if row[-1] != "the test"]
    assert len(promises) > 50
    assert [row[0] for row in promises if "`test_" not in row[-1]] == []


def test_every_test_that_is_named_is_there():
    assert [name for name in re.findall(r"`(test_\w+)`", TEXT) if name not in there()] == []

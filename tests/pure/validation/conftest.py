"""The conformance examples, where they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from crds.check import is_ours

ROOT = Path(__file__).parents[3]


def documents() -> list[tuple[str, dict[str, Any]]]:
    """Every object of ours among the examples, with its file."""
    folder = Path(os.environ.get("TIPHYS_CONFORMANCE", ROOT / "../shared/conformance")) / "workflows/examples"
    return [
        (str(path.relative_to(folder)), thing)
        for path in sorted(folder.rglob("*.yaml"))
        for thing in yaml.load_all(path.read_bytes(), yaml.CSafeLoader)
        if is_ours(thing)
    ]


@pytest.fixture(scope="session")
def examples() -> list[tuple[str, dict[str, Any]]]:
    """The examples; tests skip when they are not there."""
    found = documents()
    if not found:
        pytest.skip("the conformance examples are not there: set TIPHYS_CONFORMANCE")
    return found

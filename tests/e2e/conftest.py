"""What the end-to-end tests share: run the command line in this process, read back what it printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tiphys.cli import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


class Outcome(NamedTuple):
    """How a run ended and what it left behind."""

    code: int
    workflow: dict[str, Any]
    err: str

    @property
    def phase(self) -> str:
        return str(self.workflow["status"]["phase"])

    @property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """The nodes by what follows the workflow's name in theirs: "" is the root, "[0].step1", ".A"."""
        name = self.workflow["metadata"]["name"]
        return {node["name"].removeprefix(name): node for node in self.workflow["status"]["nodes"].values()}

    @property
    def phases(self) -> dict[str, str]:
        return {name: node["phase"] for name, node in self.nodes.items()}

    @property
    def log(self) -> list[str]:
        """The lines that the pods printed, in the order in which they were seen."""
        name = self.workflow["metadata"]["name"]
        told = (line for line in self.err.splitlines() if line.startswith(name) and ": " in line)
        return [line.partition(": ")[2] for line in told]


Run = Callable[..., Outcome]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """`tiphys run FILE --output json --log …` on a dev cluster of its own."""

    def act(file: str | Path, *options: str) -> Outcome:
        code = main(["run", str(EXAMPLES / file), "--output", "json", "--log", "--timeout", "30", *options])
        printed = capfd.readouterr()
        assert printed.out, printed.err
        return Outcome(code, json.loads(printed.out), printed.err)

    return act


class Refusal(NamedTuple):
    """What a command said that did nothing."""

    code: int
    out: str
    err: str


@pytest.fixture
def tiphys(capfd: pytest.CaptureFixture[str]) -> Callable[..., Refusal]:
    """Any command, with what it printed."""

    def act(*arguments: str) -> Refusal:
        code = main(arguments)
        printed = capfd.readouterr()
        return Refusal(code, printed.out, printed.err)

    return act

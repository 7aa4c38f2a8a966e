"""Says how many conformance tests ran, and fails a run that had the data and executed none.

A suite that skips everything is green too: this is what tells the two apart. Loaded by .ci/run with `-p`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def conformance_data() -> Path:
    """The folder of the conformance data, there or not."""
    return Path(os.environ.get("TIPHYS_CONFORMANCE") or ROOT.parent / "shared" / "conformance")


class ConformanceCount:
    """Counts the conformance tests whose body was executed, whatever became of them."""

    def __init__(self) -> None:
        self.ran = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and not report.skipped and report.nodeid.startswith("tests/conformance/"):
            self.ran += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.ran == 0 and exitstatus == 0 and conformance_data().is_dir():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        where = conformance_data()
        there = "" if where.is_dir() else f" (no data at {where})"
        terminalreporter.section("conformance")
        terminalreporter.line(f"conformance tests: {self.ran} ran{there}")
        if self.ran == 0 and not there:
            terminalreporter.line(f"FAILED: the data is at {where} and none of its tests ran", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Register one counter for this run."""
    config.pluginmanager.register(ConformanceCount(), "conformance-count")

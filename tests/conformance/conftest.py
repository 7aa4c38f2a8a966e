"""The examples are run once a session, many at a time; each test then judges one of them.

Only what is selected is run: `pytest tests/conformance -k dag-diamond` starts a cluster for four workflows.
"""

from __future__ import annotations

import anyio
import pytest

from tests.conformance.campaign import Results, run_all
from tests.conformance.cluster import refusal
from tests.conformance.table import Trial
from tests.machine import skip_where_plain


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: sleeps for minutes; runs only with -m slow")


def asks_for_slow_ones(config: pytest.Config) -> bool:
    """Whether the marker expression names them."""
    return "slow" in str(config.getoption("markexpr", ""))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not asks_for_slow_ones(config):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="sleeps for minutes: run it with -m slow"))


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Results:
    """How everything that is selected ended."""
    if reason := anyio.run(refusal):
        skip_where_plain(reason)
    trials: list[Trial] = []
    for item in request.session.items:
        one = getattr(item, "callspec", None) and item.callspec.params.get("trial")  # type: ignore[attr-defined]
        if isinstance(one, Trial) and not any(mark.name == "skip" for mark in item.iter_markers()):
            trials.append(one)
    return anyio.run(run_all, trials)

"""What every test may use: virtual time, by the marker `virtual_time` on a module or by overriding `anyio_backend`."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from runtime import log
from tests.virtual_time import VirtualClock, VirtualLoop

# How long an example takes says how busy the machine is, not whether a promise holds. The examples of a run in CI are
# the same each time, so that a red run is about the change; new ones are looked for on people's machines.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("house")

CORES_MAX = 4
"""Processes of the suite: many tests start programs of their own, which want a core too."""

VIRTUAL = ("asyncio", {"loop_factory": VirtualLoop})
"""A backend of anyio's plugin: asyncio on the loop that jumps."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_time: the module's async tests run on a loop that jumps, never sleeps")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """With `-n auto` the whole suite runs on all cores, four at most; what somebody picked runs in one process."""
    picked = config.args_source is pytest.Config.ArgsSource.ARGS or config.option.keyword or config.option.maxfail
    cores = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, CORES_MAX)
    return 0 if picked or cores < 2 else cores


@pytest.fixture(scope="module")
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """asyncio; on virtual time where the module says `pytestmark = pytest.mark.virtual_time`."""
    return VIRTUAL if request.node.get_closest_marker("virtual_time") else "asyncio"


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """The clock of the virtual loop, for what takes a `runtime.clock.Clock`."""
    return VirtualClock()


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No log, where things break on purpose: their tracebacks would bury a real one."""
    monkeypatch.setattr(log.Log, "_write", lambda *args: None)

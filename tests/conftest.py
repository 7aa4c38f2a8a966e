"""What every test may use: virtual time, by the marker `virtual_time` on a module or by overriding `anyio_backend`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.virtual_time import VirtualClock, VirtualLoop

VIRTUAL = ("asyncio", {"loop_factory": VirtualLoop})
"""A backend of anyio's plugin: asyncio on the loop that jumps."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual_time: the module's async tests run on a loop that jumps, never sleeps")


@pytest.fixture(scope="module")
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """asyncio; on virtual time where the module says `pytestmark = pytest.mark.virtual_time`."""
    return VIRTUAL if request.node.get_closest_marker("virtual_time") else "asyncio"


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """The clock of the virtual loop, for what takes a `runtime.clock.Clock`."""
    return VirtualClock()

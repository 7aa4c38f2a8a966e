"""Work avoidance is a pattern: markers in the artifact repository, and nothing that the engine would have to know."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Run
from tests.machine import needs_namespaces


@needs_namespaces
@pytest.mark.spec("WA-1")
def test_what_has_left_a_marker_is_not_done_again(run: Run) -> None:
    ended = run("work-avoidance.yaml")
    said = {
        name: entry["value"]
        for name, node in ended.nodes.items()
        if node["type"] == "Pod"
        for entry in node["outputs"]["parameters"]
    }
    assert (ended.code, list(said.values())) == (0, ["worked", "nothing to do"])

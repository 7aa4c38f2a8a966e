"""A workflow may start others, wait for them, and read what they made."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Run
from tests.machine import needs_namespaces


@needs_namespaces
@pytest.mark.spec("WOW-1")
def test_a_workflow_waits_for_those_that_it_starts_and_reads_their_outputs(run: Run) -> None:
    ended = run("workflow-of-workflows.yaml")
    assert (ended.code, ended.phase) == (0, "Succeeded")
    said = [
        entry["value"]
        for name, node in sorted(ended.nodes.items())
        if node["type"] == "Pod"
        for entry in node["outputs"]["parameters"]
        if entry["name"] == "said"
    ]
    assert said == ["hello", "hello again"]

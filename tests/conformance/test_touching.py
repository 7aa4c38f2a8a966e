"""What an example is about is read off its documents, not off its name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.touching import touched


@pytest.mark.parametrize(
    ("spec", "subjects"),
    [
        ({"templates": [{"name": "a", "container": {"image": "x"}}]}, []),
        ({"templates": [{"name": "a", "outputs": {"artifacts": [{"name": "f", "path": "/f"}]}}]}, ["artifacts"]),
        ({"archiveLogs": True, "volumes": [{"name": "v"}]}, ["artifacts", "volumes"]),
        ({"templates": [{"name": "a", "steps": [[{"name": "s", "inline": {"http": {}, "daemon": True}}]]}]},
         ["http", "daemons"]),
        ({"workflowSpec": {"templates": [{"name": "a", "containerSet": {"volumeMounts": [{"name": "v"}]},
                                          "sidecars": [{"name": "s"}]}, {"name": "b", "data": {}}]}},
         ["containerSet", "data", "sidecars", "volumes"]),
    ],
)  # fmt: skip
def test_what_an_example_touches_is_read_off_its_documents(spec: dict[str, Any], subjects: list[str]) -> None:
    own = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": spec}
    other = {"apiVersion": "v1", "kind": "Pod", "spec": {"volumes": [{"name": "v"}]}}
    assert touched([own, other]) == subjects

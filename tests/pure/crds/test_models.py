"""The generated shapes judge as the models do: one field changed at random, both find it, or neither."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds import KINDS, model
from crds.check import check

WORKFLOW: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"name": "all"},
    "spec": {
        "entrypoint": "main",
        "arguments": {
            "parameters": [{"name": "a", "value": "b", "enum": ["b", 1], "valueFrom": {"supplied": {}}}],
            "artifacts": [{"name": "c", "from": "x", "s3": {"key": "k"}, "archive": {"none": {}}, "mode": 1}],
        },
        "nodeSelector": {"a": "b"},
        "affinity": {"nodeAffinity": {"x": [1]}},
        "podGC": {"strategy": "OnPodCompletion", "labelSelector": {"matchLabels": {"a": "b"}}},
        "hooks": {"exit": {"template": "main", "expression": "true"}},
        "volumes": [{"name": "v", "emptyDir": {}, "csi": {"driver": "d"}}],
        "templateDefaults": {"retryStrategy": {"limit": 2, "backoff": {"factor": "2"}}},
        "templates": [
            {
                "name": "main",
                "container": {
                    "image": "i",
                    "command": ["sh"],
                    "env": [{"name": "a", "value": "b"}],
                    "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
                    "readinessProbe": {"httpGet": {"port": 80}},
                },
                "steps": [[{"name": "s", "inline": {"suspend": {}}, "withItems": [1, {"a": 2}]}]],
                "dag": {"failFast": False, "tasks": [{"name": "t", "withSequence": {"count": 3}}]},
                "plugin": {"slack": {"text": 1}},
                "metrics": {"prometheus": [{"name": "m", "histogram": {"value": "1", "buckets": [1, 2.5]}}]},
            }
        ],
    },
    "status": {"phase": "Running", "nodes": {"n": {"id": "n", "extra": 1}}},
}

Path = tuple[str | int, ...]


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(item, (*path, key))


PLACES = [path for path in paths(WORKFLOW) if len(path) > 1]
VALUES = st.sampled_from([True, 1, 1.5, "text", [], {}, ["x"], {"x": 1}, {"name": "n"}])


def with_value(path: Path, value: Any, *, beside: bool) -> dict[str, Any]:
    thing = copy.deepcopy(WORKFLOW)
    holder: Any = thing
    for key in path[:-1]:
        holder = holder[key]
    holder["oddity" if beside and isinstance(holder, dict) else path[-1]] = value
    return thing


def accepted_by_the_model(thing: dict[str, Any]) -> bool:
    try:
        model("Workflow").model_validate(thing)
    except pydantic.ValidationError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(PLACES), value=VALUES, beside=st.booleans())
def test_the_check_and_the_model_agree(path, value, beside):
    thing = with_value(path, value, beside=beside)
    if thing["kind"] == "Workflow" and thing["apiVersion"] == WORKFLOW["apiVersion"] and thing["metadata"]:
        errors = [problem for problem in check(thing) if problem.severity == "error"]
        lost = [problem for problem in check(thing) if "becomes the empty string" in problem.message]
        errors = [problem for problem in errors if "neither name" not in problem.message]

        assert accepted_by_the_model(thing) == (not errors and not lost)


def test_the_sample_is_right():
    assert check(WORKFLOW) == []
    assert accepted_by_the_model(WORKFLOW)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_a_model_that_can_be_built(kind):
    assert model(kind).model_json_schema()["title"] == kind


def test_a_kind_that_is_not_ours_has_no_model():
    with pytest.raises(KeyError):
        model("Pod")

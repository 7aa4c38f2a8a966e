"""Upstream's own bindings make of events what their comments say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.eventbinding.submission import Occasion, means, workflow
from actors.eventbinding.validation import problems
from actors.eventbinding.variables import variables

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TIPHYS_CONFORMANCE") or ROOT.parent / "shared" / "conformance")
EXAMPLES = DATA / "workflows" / "examples" / "workflow-event-binding"
pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"the conformance data is not at {DATA}")

PUSH: dict[str, Any] = {
    "commits": [
        {"added": ["subpath/A/new"], "removed": [], "modified": ["README.md"]},
        {"added": [], "removed": ["other/old"], "modified": []},
    ]
}


def pair(name: str) -> tuple[Any, Any]:
    """A binding and its template."""
    found = [EXAMPLES / f"{name}-{kind}.yaml" for kind in ("workfloweventbinding", "workflowtemplate")]
    binding, template = (yaml.safe_load(path.read_text()) for path in found)
    return binding, template


def occasion(payload: Any, discriminator: str = "", **headers: str) -> Occasion:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Occasion(variables("argo", discriminator, named, json.dumps(payload).encode()), "abcde")


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize("name", ["event-consumer", "github-path-filter"])
def test_nothing_is_wrong_with_them(name: str) -> None:
    assert list(problems(pair(name)[0])) == []


@pytest.mark.spec("EVT-2")
def test_a_consumer_hands_on_what_the_event_says() -> None:
    binding, template = pair("event-consumer")
    event = occasion({"appellation": "world"})

    assert means(binding, event)
    assert workflow(binding, template, event)["spec"]["arguments"] == {
        "parameters": [{"name": "appellation", "value": "world"}]
    }
    assert not means(binding, occasion({"appellation": ""}))


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize(
    ("payload", "discriminator", "header", "meant"),
    [
        (PUSH, "github-path-filter", "push", True),
        (PUSH, "github-path-filter", "fork", False),
        (PUSH, "another", "push", False),
        ({"commits": PUSH["commits"][1:]}, "github-path-filter", "push", False),
        ({"commits": []}, "github-path-filter", "push", False),
        ({}, "github-path-filter", "push", False),
    ],
)
def test_a_push_is_meant_when_it_touches_a_path(payload: Any, discriminator: str, header: str, meant: bool) -> None:
    binding, _ = pair("github-path-filter")

    assert means(binding, occasion(payload, discriminator, X_GitHub_Event=header)) is meant


@pytest.mark.spec("EVT-2")
def test_the_files_of_all_commits_are_one_argument() -> None:
    binding, template = pair("github-path-filter")

    made = workflow(binding, template, occasion(PUSH, "github-path-filter", X_GitHub_Event="push"))

    (files,) = made["spec"]["arguments"]["parameters"]
    assert json.loads(files["value"]) == ["subpath/A/new", "README.md", "other/old"]

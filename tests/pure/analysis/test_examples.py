"""Upstream's templates, runs and experiments are taken as they are: by the checks, the models and the plans."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from actors.analysis.plan import run_plan
from actors.analysis_templates import RunRequest, new_run
from actors.experiment.model import Ex, invalid
from crds import model
from crds.check import check

ROOT = Path(__file__).resolve().parents[3]
KINDS = {"AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun", "Experiment"}


def documents() -> list[tuple[str, dict[str, Any]]]:
    """Every object of these kinds among upstream's examples and ours."""
    upstreams = Path(os.environ.get("TIPHYS_CONFORMANCE", ROOT / "../shared/conformance")) / "rollouts/examples"
    return [
        (f"{path.name}:{thing['metadata'].get('name')}", thing)
        for folder in (upstreams, ROOT / "examples" / "analysis")
        for path in sorted(folder.rglob("*.yaml"))
        for thing in parsed(path)
        if isinstance(thing, dict) and thing.get("kind") in KINDS
    ]


def parsed(path: Path) -> list[Any]:
    """The documents of a file; none of one that is a template of templates."""
    try:
        return list(yaml.load_all(path.read_bytes(), yaml.CSafeLoader))
    except yaml.YAMLError:
        return []


@pytest.mark.spec("RO-AN-1")
@pytest.mark.parametrize(("name", "thing"), documents(), ids=lambda found: found if isinstance(found, str) else "")
def test_an_example_is_taken_as_it_is(name, thing):
    assert check(thing) == []
    model(thing["kind"]).model_validate(thing)
    match thing["kind"]:
        case "AnalysisTemplate" | "ClusterAnalysisTemplate":
            args = [{"name": each["name"], "value": "1"} for each in thing["spec"].get("args") or ()]
            assert run_plan(new_run([thing], RunRequest("r", "n", args))).metrics
        case "AnalysisRun":
            assert run_plan(thing).metrics
        case "Experiment":
            assert invalid(Ex(thing)) == ""

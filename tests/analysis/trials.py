"""Experiments of a test: their world, their templates, and what is to be seen of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from actors.analysis.query import Provider
from actors.analysis.room import analysis_room
from actors.analysis.state import AnalysisSettings
from actors.experiment.makes import REPLICA_SETS
from actors.experiment.room import experiment_room
from runtime.actor import Room
from runtime.objects import Object
from tests.analysis.world import Lab, Script, lab, metric


def rooms(measure: Provider) -> Iterable[Room]:
    """The rooms of analyses and Experiments."""
    return [analysis_room(measure, AnalysisSettings("system")), experiment_room()]


def world(script: Script | None = None, **options: Any) -> AbstractAsyncContextManager[Lab]:
    """A world with both."""
    return lab(script, rooms=rooms, **options)


def template(name: str, **fields: Any) -> Object:
    """A version of an Experiment."""
    container = {"name": "c", "image": f"demo:{name}", "ports": [{"containerPort": 8080, "name": "http"}]}
    return {
        "name": name,
        "selector": {"matchLabels": {"app": "demo"}},
        "template": {"metadata": {"labels": {"app": "demo"}}, "spec": {"containers": [container]}},
        **fields,
    }


def experiment(*templates: Object, **spec: Any) -> Object:
    """An Experiment."""
    return {"metadata": {"name": "e"}, "spec": {"templates": list(templates), **spec}}


def analysis_template(name: str, *metrics: Object, **spec: Any) -> Object:
    """An AnalysisTemplate."""
    return {"metadata": {"name": name}, "spec": {"metrics": list(metrics or (metric(),)), **spec}}


def sizes(here: Lab) -> dict[str, int]:
    """The sizes of all ReplicaSets by name."""
    return {each["metadata"]["name"]: each["spec"]["replicas"] for each in here.stored(REPLICA_SETS)}


def statuses(status: Object) -> dict[str, str]:
    """The statuses of an Experiment's versions by name."""
    return {each["name"]: each["status"] for each in status["templateStatuses"]}


def analysis(name: str, template_name: str = "t", **fields: Any) -> Object:
    """An analysis of an Experiment."""
    return {"name": name, "templateName": template_name, **fields}

"""What is understood and not acted upon yet is said aloud, once for each place."""

from __future__ import annotations

from typing import Any

import pytest

from crds.check import check
from crds.features import MISSING, Missing, unsupported
from crds.shapes import load

PLACES = {"spec": "WorkflowSpec", "template": "Template", "call": "Task", "artifact": "Artifact", "metric": "Metric"}


def workflow(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "x"}, "spec": spec}


def found(thing: dict[str, Any]) -> list[tuple[str, str, str]]:
    assert check(thing) == []
    return [(problem.path, problem.feature, problem.severity) for problem in unsupported(thing)]


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if these were not there yet."""
    monkeypatch.setitem(MISSING, "spec.executorPlugins", Missing("AGENT-6", "executor plugins"))
    monkeypatch.setitem(MISSING, "spec.priority", Missing("PRI-1", "priorities", "warning"))
    monkeypatch.setitem(MISSING, "template.http", Missing("TMPL-9", "http templates"))
    monkeypatch.setitem(MISSING, "artifact.hdfs", Missing("DRV-5", "HDFS artifacts"))
    monkeypatch.setitem(MISSING, "metric.provider.skywalking", Missing("RO-PR-11", "metrics of SkyWalking"))


@pytest.mark.usefixtures("without")
def test_what_changes_the_outcome_is_an_error_and_the_rest_a_warning():
    thing = workflow(executorPlugins=[{}], priority=1)

    assert found(thing) == [("spec.executorPlugins", "AGENT-6", "error"), ("spec.priority", "PRI-1", "warning")]


@pytest.mark.spec("SYNC-4")
def test_locks_of_configmaps_and_of_a_database_are_there():
    locks = {"mutexes": [{"name": "m"}], "semaphores": [{"configMapKeyRef": {"name": "c", "key": "k"}}]}
    kept = {"mutexes": [{"name": "m"}, {"name": "n", "database": True}], "semaphores": [{"database": {"key": "k"}}]}

    assert found(workflow(synchronization=locks, templates=[{"name": "a", "synchronization": locks}])) == []
    assert found(workflow(synchronization=kept, templates=[{"name": "a", "synchronization": kept}])) == []


@pytest.mark.usefixtures("without")
def test_templates_are_looked_into_wherever_they_are_written():
    http = {"http": {"url": "http://localhost"}}
    step = {"name": "s", "inline": {"dag": {"tasks": [{"name": "t", "inline": http}]}}}
    thing = workflow(templates=[{"name": "a", **http}, {"name": "b", "steps": [[step]]}], templateDefaults=http)

    assert [path for path, _, _ in found(thing)] == [
        "spec.templateDefaults.http",
        "spec.templates[0].http",
        "spec.templates[1].steps[0][0].inline.dag.tasks[0].inline.http",
    ]


@pytest.mark.usefixtures("without")
def test_artifacts_are_looked_at_wherever_they_pass():
    passed = {"artifacts": [{"name": "code", "path": "/code", "hdfs": {"path": "p"}}]}
    task = {"name": "t", "template": "a", "arguments": passed}
    thing = workflow(
        arguments=passed, templates=[{"name": "a", "inputs": passed, "outputs": passed, "dag": {"tasks": [task]}}]
    )

    assert [path for path, _, _ in found(thing)] == [
        "spec.arguments.artifacts[0].hdfs",
        "spec.templates[0].inputs.artifacts[0].hdfs",
        "spec.templates[0].outputs.artifacts[0].hdfs",
        "spec.templates[0].dag.tasks[0].arguments.artifacts[0].hdfs",
    ]


@pytest.mark.spec("REPO-5")
def test_an_s3_artifact_with_only_a_key_is_kept_by_the_repository():
    assert found(workflow(arguments={"artifacts": [{"name": "a", "s3": {"key": "k"}}]})) == []


@pytest.mark.parametrize("spec", [{"archiveLogs": False}, {"archiveLogs": None}, {"executorPlugins": []}])
def test_saying_no_is_not_asking_for_it(spec):
    assert found(workflow(**spec)) == []


def test_a_kind_that_nobody_acts_upon_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(MISSING, "kind.WorkflowEventBinding", Missing("EVT-2", "event bindings"))
    binding = {"event": {"selector": "true"}, "submit": {"workflowTemplateRef": {"name": "t"}}}
    meta = {"name": "x"}
    thing = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowEventBinding", "metadata": meta, "spec": binding}

    assert found(thing) == [("kind", "EVT-2", "error")]


@pytest.mark.usefixtures("without")
def test_a_schedules_workflow_is_looked_into():
    cron = {"schedules": ["* * * * *"], "workflowSpec": {"executorPlugins": [{}]}}
    thing = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": "x"}, "spec": cron}

    assert found(thing) == [("spec.workflowSpec.executorPlugins", "AGENT-6", "error")]


@pytest.mark.usefixtures("without")
@pytest.mark.parametrize("kind", ["AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"])
def test_a_provider_that_is_not_there_yet_is_said_of_its_metric(kind):
    metrics = [{"name": "a", "provider": {"web": {"url": "u"}}}, {"name": "b", "provider": {"skywalking": {}}}]
    thing = {**workflow(metrics=metrics), "kind": kind}

    assert found(thing) == [("spec.metrics[1].provider.skywalking", "RO-PR-11", "error")]


@pytest.mark.spec("RO-PR-6")
@pytest.mark.spec("RO-PR-11")
def test_metrics_of_wavefront_and_skywalking_are_there():
    wavefront = {"address": "example.wavefront.com", "query": "ts(x)"}
    skywalking = {"address": "http://oap:12800", "query": "query { a }", "interval": "5m"}
    metrics = [
        {"name": "a", "provider": {"wavefront": wavefront}},
        {"name": "b", "provider": {"skywalking": skywalking}},
    ]

    assert found({**workflow(metrics=metrics), "kind": "AnalysisRun"}) == []


def test_the_table_names_only_fields_that_exist():
    for entry in MISSING:
        place, *fields = entry.split(".")
        if place in PLACES:
            shape: dict[str, Any] = {"ref": PLACES[place]}
            for field in fields:
                shape = load()[shape["ref"]]["fields"][field.removesuffix("[]")]
                shape = shape["items"] if field.endswith("[]") else shape

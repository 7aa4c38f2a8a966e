"""A workflow is judged as a whole before any of it runs: every name it uses exists, every value it needs is there.

`validate` is pure: what lies in the cluster comes in as `lookup`. Its problems are sentences that name things as their
author did (`templates.main.steps[0].build template name 'x' undefined`); the first error is what a failed workflow
says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from actors.language.schedule import ScheduleError, check_zone, parse_catch_up, parse_schedule
from actors.names.labels import CRON_CATCH_UP, CRON_WORKFLOW, SCHEDULED_TIME
from actors.workflow.validation.expressions import fault_of
from actors.workflow.validation.findings import Findings, Place, mapping, text
from actors.workflow.validation.library import LibraryRef, Lookup
from actors.workflow.validation.texts import judge_when
from actors.workflow.validation.workflow import Question, judge_workflow
from crds.check import check
from crds.problems import Problem

__all__ = ["LibraryRef", "Lookup", "validate"]

NAME_MAX = {"CronWorkflow": 52}  # room for the time in the names of its workflows
NAME_MAX_OTHERS = 63  # names become labels
CALLED = {
    "Workflow": "workflow",
    "WorkflowTemplate": "workflow template",
    "ClusterWorkflowTemplate": "cluster workflow template",
    "CronWorkflow": "cron workflow",
}
TEMPLATE_KINDS = ("WorkflowTemplate", "ClusterWorkflowTemplate")
CONCURRENCY_POLICIES = ("", "Allow", "Forbid", "Replace")


def validate(thing: Mapping[str, Any], *, lookup: Lookup, lint: bool = False, thorough: bool = False) -> list[Problem]:
    """Every reason why a Workflow, WorkflowTemplate, ClusterWorkflowTemplate or CronWorkflow cannot run.

    Fields of wrong types are all there is to say about an object that has some; unknown fields are not looked at
    (`crds.check` names them). `lookup` gives the WorkflowTemplate of a reference, None when there is none. With `lint`,
    workflow parameters need no values yet: a submission will give them. With `thorough`, what upstream's validation
    lets pass and a run would fail of is there, too, marked `late`. Never raises on JSON that has a known kind.
    """
    written = {key: value for key, value in thing.items() if key != "status"}  # status is ours, not the author's
    if wrong := [problem for problem in check(written) if problem.severity == "error" and not problem.unknown]:
        return [replace(problem, message=f"{problem.path} {problem.message}") for problem in wrong]
    findings = Findings(thorough=thorough)
    kind, metadata, spec = text(thing.get("kind")), mapping(thing.get("metadata")), mapping(thing.get("spec"))
    _judge_name(findings, kind, text(metadata.get("name")))
    if kind == "CronWorkflow":
        _judge_schedule(findings, spec)
        _judge_catch_up(findings, metadata)
        metadata = _of_runs(mapping(spec.get("workflowMetadata")))
        spec = mapping(spec.get("workflowSpec"))
        question = Question(lookup, lint, is_template=False, path="spec.workflowSpec")
    elif kind in ("Workflow", *TEMPLATE_KINDS):
        is_template = kind in TEMPLATE_KINDS
        question = Question(lookup, lint, is_template=is_template)
    else:
        return []
    judge_workflow(findings, spec, metadata, question)
    return findings.problems


def _judge_name(findings: Findings, kind: str, name: str) -> None:
    longest = NAME_MAX.get(kind, NAME_MAX_OTHERS)
    if len(name) > longest:
        sentence = f'"{name}" must not be more than {longest} characters long (currently {len(name)})'
        findings.error(Place(f"{CALLED.get(kind, kind)} name", "metadata.name"), sentence)


def _judge_schedule(findings: Findings, spec: Mapping[str, Any]) -> None:
    """Judge when a CronWorkflow runs, as far as its fields alone say."""
    if not spec.get("schedules"):
        findings.error(Place("cron workflow", "spec.schedules"), "must have at least one schedule")
    for index, schedule in enumerate(spec.get("schedules") or ()):
        try:
            parse_schedule(text(schedule))
        except ScheduleError as error:
            where = Place("", f"spec.schedules[{index}]")
            findings.error(where, f"cron schedule {text(schedule)} is malformed: {error}")
    try:
        check_zone(text(spec.get("timezone")))
    except ScheduleError as error:
        findings.error(Place("", "spec.timezone"), f'invalid timezone "{text(spec.get("timezone"))}": {error}')
    judge_when(findings, Place("spec.when", "spec.when"), text(spec.get("when")), bare_words=False)
    stop = Place("spec.stopStrategy", "spec.stopStrategy").at("expression")
    expression = text(mapping(spec.get("stopStrategy")).get("expression"))
    if expression and (fault := fault_of(expression)):
        findings.late(stop, f"is no expression: {fault}", "write it as in cronworkflow.failed >= 3")
    policy = text(spec.get("concurrencyPolicy"))
    if policy not in CONCURRENCY_POLICIES:
        where = Place("spec.concurrencyPolicy", "spec.concurrencyPolicy")
        findings.error(where._replace(names=""), f"'{policy}' is not a valid concurrencyPolicy")
    if (spec.get("startingDeadlineSeconds") or 0) < 0:
        where = Place("startingDeadlineSeconds", "spec.startingDeadlineSeconds")
        findings.error(where, "must be positive")


def _of_runs(given: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a schedule's runs, of which their templates may speak; not that of the schedule itself."""
    return {
        "labels": {**mapping(given.get("labels")), CRON_WORKFLOW: ""},
        "annotations": {**mapping(given.get("annotations")), SCHEDULED_TIME: ""},
    }


def _judge_catch_up(findings: Findings, metadata: Mapping[str, Any]) -> None:
    """Judge the annotation that says how many missed runs are made up for."""
    wanted = text(mapping(metadata.get("annotations")).get(CRON_CATCH_UP))
    if wanted:
        try:
            parse_catch_up(wanted)
        except ScheduleError as error:
            findings.error(Place("", f"metadata.annotations.{CRON_CATCH_UP}"), str(error))

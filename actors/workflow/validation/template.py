"""One template: one kind of work, its inputs and outputs, and every tag in it known."""

from __future__ import annotations

import re

from actors.language.tags import tags_in
from actors.workflow.validation.calls import Caller
from actors.workflow.validation.dag import judge_dag
from actors.workflow.validation.expressions import judge_expression_tags, judge_expressions, judge_references
from actors.workflow.validation.findings import Findings, Json, Place, entries, is_dynamic, is_given, mapping, text
from actors.workflow.validation.leaf import judge_leaf, judge_pod_resources
from actors.workflow.validation.library import Library, Shelf
from actors.workflow.validation.outputs import judge_inputs, judge_outputs
from actors.workflow.validation.scope import (
    COMPOSITE_TYPES,
    LEAF_TYPES,
    POD_TYPES,
    TYPES,
    Scope,
    of_inputs,
    spoken,
    type_of,
)
from actors.workflow.validation.steps import judge_steps
from actors.workflow.validation.texts import WHOLE, judge_texts

METRIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
METRIC_KINDS = ("gauge", "counter", "histogram")


CHOICES = "container, containerSet, steps, script, resource, dag, suspend, template, template ref"
"""Upstream's list, in its words: data, http and plugin are types too."""


class TemplateJudge:
    """Judges templates of one workflow, those written inline among them."""

    def __init__(self, findings: Findings, shelf: Shelf) -> None:
        self._findings = findings
        self._shelf = shelf

    def judge(self, place: Place, template: Json, library: Library, scope: Scope) -> None:
        """Judge a template; `scope` is what is known around it."""
        findings = self._findings
        if not self._judge_type(place, template):
            return
        judge_inputs(findings, place, template)
        inner = Scope(of_inputs(template), outer=scope)
        caller = Caller(findings, self._shelf, place, library, self._judge_inline)
        kind = type_of(template)
        if kind in ("steps", "dag"):
            around = {key: value for key, value in template.items() if key not in ("steps", "dag", "outputs")}
            judge_expression_tags(findings, place, around, inner)
        if kind == "steps":
            after = judge_steps(caller, template, inner)
        elif kind == "dag":
            after = judge_dag(caller, template, inner)
        else:
            after = inner
            judge_leaf(findings, place, template, library.defaults)
            if not library.retries and template.get("retryStrategy") is None:
                self._judge_retry_tags(place, template)
            rest = {key: value for key, value in template.items() if key != "outputs"}
            judge_references(findings, place._replace(names=f"{place.names}:"), rest, inner)
        judge_outputs(findings, place, template)
        judge_references(findings, place.at("outputs"), template.get("outputs"), after)
        judge_expressions(findings, place, template)
        self._judge_policies(place, template, kind)
        judge_metrics(findings, place, template)
        judge_texts(findings, place, template)

    def _judge_inline(self, place: Place, template: Json, library: Library, scope: Scope) -> None:
        nested = [call for call in calls_of(template) if call.get("inline") is not None]
        if nested:
            self._findings.warning(place, "has inline templates of its own", "upstream knows one level of them")
        self.judge(place, template, library, scope)

    def _judge_type(self, place: Place, template: Json) -> bool:
        given = [kind for kind in TYPES if template.get(kind) is not None]
        if len(given) == 1:
            return True
        if given:
            wrong = f"multiple template types specified. choose one of: {CHOICES}"
            self._findings.error(place, wrong, f"it has {' and '.join(given)}: keep one of them")
        else:
            wrong = f"template '{text(template.get('name'))}' type is unknown"
            self._findings.error(place._replace(names=""), wrong, f"choose one of: {', '.join(TYPES)}")
        return False

    def _judge_retry_tags(self, place: Place, template: Json) -> None:
        for tag in tags_in(template):
            if not tag.is_expression and (tag.name == "retries" or tag.name.startswith("lastRetry.")):
                where = Place(place.names, f"{place.path}.{tag.path}")
                self._findings.warning(where, f"{{{{{tag.name}}}}} stays as it is without a retryStrategy")

    def _judge_policies(self, place: Place, template: Json, kind: str) -> None:
        findings = self._findings
        for field in ("timeout", "pendingTimeout"):
            if is_given(template, field) and kind not in LEAF_TYPES:
                where = place.at(field)._replace(names=spoken(kind))
                findings.error(where, f"template doesn't support {field} field", f"of {place.names}")
        timeout = text(template.get("timeout"))
        if kind in LEAF_TYPES and WHOLE.fullmatch(timeout):
            where = place.at("timeout")._replace(names=text(template.get("name")))
            findings.error(where, "has invalid duration format in timeout", f"write {timeout}s")
        if kind in COMPOSITE_TYPES and template.get("activeDeadlineSeconds") is not None:
            findings.error(place.at("activeDeadlineSeconds"), "is only valid for leaf templates")
        if kind not in POD_TYPES and template.get("resourceClaims"):
            wrong = f"is not supported for {spoken(kind)} templates, which do not create a pod"
            findings.error(place.at("resourceClaims"), wrong)
        if kind in ("http", "plugin") and template.get("podResources") is not None:
            findings.error(place.at("podResources"), f"is not supported for {spoken(kind)} templates")
        judge_pod_resources(findings, place.at("podResources"), template.get("podResources"))


def calls_of(template: Json) -> list[Json]:
    """The steps and tasks of a template."""
    steps = [mapping(step) for group in template.get("steps") or () for step in group or ()]
    return steps + entries(template.get("dag"), "tasks")


def judge_metrics(findings: Findings, place: Place, holder: Json, *, late: bool = False) -> None:
    """Metrics have a name, a help, and one kind. `late`: they are the workflow's, and a bad one is only not measured
    and told in its conditions."""
    tell = findings.late if late else findings.error
    for index, metric in enumerate(entries(holder.get("metrics"), "prometheus")):
        name = text(metric.get("name"))
        where = place.at("metrics").entry("prometheus", index)._replace(names=place.names)
        if not METRIC_NAME.fullmatch(name) and not is_dynamic(name):
            rule = "Metric names must contain alphanumeric characters or '_'"
            here = where.at("name")._replace(names=place.names)
            tell(here, f"metric name '{name}' is invalid. {rule}", "choose another name")
        for label in entries(metric, "labels"):
            if not METRIC_NAME.fullmatch(text(label.get("key"))) and not is_dynamic(label.get("key")):
                rule = "keys may only contain alphanumeric characters or '_'"
                wrong = f"metric label '{text(label.get('key'))}' is invalid: {rule}"
                tell(where._replace(names=""), wrong, "choose another key")
        if not is_given(metric, "help"):
            tell(where, f"metric '{name}' must contain a help string under 'help: ' field", "say what it counts")
        if len([kind for kind in METRIC_KINDS if metric.get(kind) is not None]) != 1:
            findings.late(where, f"metric '{name}' must be one of: {', '.join(METRIC_KINDS)}", "give it one of them")
        for kind in METRIC_KINDS:
            if metric.get(kind) is not None and not is_given(mapping(metric[kind]), "value"):
                tell(where, f"metric '{name}' error: missing {kind}.value", "say what it measures")
        gauge = mapping(metric.get("gauge"))
        if gauge.get("realtime") and "resourcesDuration." in text(gauge.get("value")):
            tell(
                where,
                f"metric '{name}' error: 'resourcesDuration.*' metrics cannot be used in real-time",
                "leave realtime out",
            )

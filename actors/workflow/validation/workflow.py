"""A workflow as a whole: it has an entrypoint, its arguments have values, and all templates it can reach are right."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from actors.contract.plugins import unfit_plugin
from actors.workflow.validation.arguments import judge_arguments, judge_supplied, merged
from actors.workflow.validation.calls import Caller, judge_hook
from actors.workflow.validation.expressions import judge_expression
from actors.workflow.validation.findings import (
    FIELD_NAME,
    Findings,
    Json,
    Place,
    entries,
    is_dynamic,
    is_given,
    mapping,
    text,
)
from actors.workflow.validation.leaf import judge_pod_resources
from actors.workflow.validation.library import Found, Library, LibraryRef, Lookup, Shelf, library_of
from actors.workflow.validation.scope import GLOBALS, RUN_TIME, Scope
from actors.workflow.validation.template import TemplateJudge, calls_of, judge_metrics
from actors.workflow.validation.texts import judge_delay, judge_patch, judge_retry

QUALIFIED_NAME = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
SELECTING = ("In", "NotIn", "Exists", "DoesNotExist")


@dataclass(frozen=True)
class Question:
    """What is asked of a spec, beside the spec itself."""

    lookup: Lookup
    lint: bool  # values that a submission will give may lack
    is_template: bool  # so may an entrypoint
    path: str = "spec"


def judge_workflow(findings: Findings, spec: Json, metadata: Json, question: Question) -> None:
    """Judge a workflow's spec, and all templates: its own, and those it reaches in others."""
    shelf = Shelf(question.lookup)
    library = library_of(spec, question.path)
    place = Place("spec", question.path)
    own = spec
    ref = mapping(spec.get("workflowTemplateRef"))
    if ref:
        under = _referenced(findings, place, spec, ref, question)
        if under is None:
            return
        library = library_of(under, "spec", LibraryRef(text(ref.get("name")), bool(ref.get("clusterScope"))))
        spec = _over(spec, under)
    findings.names(place, "templates", entries(spec, "templates"), FIELD_NAME)
    _judge_plugins(findings, place, own)
    arguments = mapping(spec.get("arguments"))
    values_may_lack = question.lint or question.is_template
    judge_arguments(
        findings, Place("spec.arguments", f"{question.path}.arguments"), arguments, values_may_lack=values_may_lack
    )
    judge = TemplateJudge(findings, shelf)
    caller = Caller(findings, shelf, place, library, judge.judge)
    roots = _judge_starts(caller, spec, question)
    _judge_policies(findings, place, spec)
    reached = list(_reached(shelf, library, roots))
    scope = _globals(spec, metadata, [found.template for found in reached], question)
    for found in reached:
        judge.judge(found.place, found.template, found.library, scope)


def _referenced(findings: Findings, place: Place, spec: Json, ref: Json, question: Question) -> Json | None:
    """The spec of the WorkflowTemplate that a workflow is made of."""
    name = text(ref.get("name"))
    if spec.get("templates"):
        said = "Templates is invalid field in spec if workflow referred WorkflowTemplate reference"
        findings.error(place.at("templates")._replace(names=""), said, "leave spec.templates out")
    if not name:
        findings.error(place.at("workflowTemplateRef.name"), "is required")
        return None
    wanted = LibraryRef(name, bool(ref.get("clusterScope")))
    thing = question.lookup(wanted)
    if thing is None:
        findings.error(place.at("workflowTemplateRef"), f"{wanted} not found")
        return None
    return mapping(thing.get("spec"))


def _over(spec: Json, under: Json) -> Json:
    """A workflow's spec over that of its WorkflowTemplate, as far as validation looks at it."""
    own = {key: value for key, value in spec.items() if value not in (None, "", [], {}) and key != "templates"}
    arguments = merged(mapping(spec.get("arguments")), mapping(under.get("arguments")))
    hooks = {**mapping(under.get("hooks")), **mapping(spec.get("hooks"))}
    labels = _added_metadata(under), _added_metadata(spec)
    return {
        **under,
        **own,
        "arguments": arguments,
        "hooks": hooks,
        "workflowMetadata": {key: {**labels[0][key], **labels[1][key]} for key in labels[0]},
    }


def _added_metadata(spec: Json) -> dict[str, Json]:
    added = mapping(spec.get("workflowMetadata"))
    return {key: mapping(added.get(key)) for key in ("labels", "annotations", "labelsFrom")}


def _judge_starts(caller: Caller, spec: Json, question: Question) -> list[Found]:
    """Judge what the workflow itself starts: the entrypoint, the exit handler and the hooks; those that exist."""
    findings, place = caller.findings, caller.place
    found: list[Found] = []
    entrypoint = text(spec.get("entrypoint"))
    if not entrypoint and not question.is_template:
        findings.error(place.at("entrypoint"), "is required")
    for field in ("entrypoint", "onExit"):
        name = text(spec.get(field))
        if name and name not in caller.library.templates:
            remedy = f"spec.{field} is the name of one of the templates"
            findings.error(place.at(field)._replace(names=""), f"template name '{name}' undefined", remedy)
        elif name:
            template = caller.library.templates[name][1]
            found.append(Found(template, caller.library.place(name), caller.library))
            if not question.is_template:
                judge_supplied(findings, found[-1].place, template, mapping(spec.get("arguments")))
    for name, hook in mapping(spec.get("hooks")).items():
        judge_hook(caller, place.at(f"hooks.{name}"), name, mapping(hook))
        target = caller.shelf.find(mapping(hook), caller.library)
        found += [target] if isinstance(target, Found) else []
    return found


def _reached(shelf: Shelf, library: Library, roots: list[Found]) -> Iterator[Found]:
    """Every template that can run, each once, in the order in which it is reached; then the rest of the library."""
    rest = [Found(template, library.place(name), library) for name, (_, template) in library.templates.items()]
    pending = deque(roots + rest)
    seen: set[str] = set()
    while pending:
        found = pending.popleft()
        if found.place.path in seen:
            continue
        seen.add(found.place.path)
        yield found
        for call in _all_calls(found.template):
            hooks = [mapping(hook) for hook in mapping(call.get("hooks")).values()]
            exits = [{"template": call["onExit"]}] if text(call.get("onExit")) else []
            for each in (call, *hooks, *exits):
                target = shelf.find(each, found.library)
                if isinstance(target, Found):
                    pending.append(target)


def _all_calls(template: Json) -> Iterator[Json]:
    """The calls of a template, and of those written inline in it."""
    pending = [template]
    while pending:
        for call in calls_of(pending.pop()):
            yield call
            if call.get("inline") is not None:
                pending.append(mapping(call["inline"]))


def _globals(spec: Json, metadata: Json, templates: list[Json], question: Question) -> Scope:
    """What every template of the workflow knows."""
    names = set(GLOBALS)
    prefixes = list(RUN_TIME)
    parameters = entries(spec.get("arguments"), "parameters")
    names |= {f"workflow.parameters.{text(parameter.get('name'))}" for parameter in parameters}
    if question.is_template:  # the workflow that uses it may have further ones
        prefixes.append("workflow.parameters")
    if text(spec.get("onExit")) or "exit" in mapping(spec.get("hooks")):
        names.add("workflow.failures")  # nobody else runs after the failures are known
    if spec.get("priority") is not None:
        names.add("workflow.priority")
    added = _added_metadata(spec)
    for kind, sources in (("annotations", ["annotations"]), ("labels", ["labels", "labelsFrom"])):
        names |= {f"workflow.{kind}.{key}" for key in mapping(metadata.get(kind))}
        names |= {f"workflow.{kind}.{key}" for source in sources for key in added[source]}
    inline = [mapping(call["inline"]) for template in templates for call in _all_calls(template) if call.get("inline")]
    for template in (*templates, *inline):
        for kind in ("parameters", "artifacts"):
            for output in entries(template.get("outputs"), kind):
                name = text(output.get("globalName"))
                if is_dynamic(name):
                    prefixes.append(f"workflow.outputs.{kind}.")
                elif name:
                    names.add(f"workflow.outputs.{kind}.{name}")
    return Scope(frozenset(names), tuple(dict.fromkeys(prefixes)))


def _judge_plugins(findings: Findings, place: Place, spec: Json) -> None:
    """Executor plugins say what they need (AGENT-6)."""
    for index, plugin in enumerate(entries(spec, "executorPlugins")):
        if wrong := unfit_plugin(plugin):
            where = place.entry("executorPlugins", index)
            findings.error(where._replace(names=f"{place.names}.executorPlugins:"), wrong)


def _judge_pod_gc(findings: Findings, place: Place, rule: Json) -> None:
    """Which pods are meant can be told."""
    where = place.at("labelSelector")
    said = where._replace(names="podGC.labelSelector invalid:")
    for requirement in entries(rule.get("labelSelector"), "matchExpressions"):
        operator, values = text(requirement.get("operator")), requirement.get("values") or ()
        if operator not in SELECTING:
            remedy = f"choose one of: {', '.join(SELECTING)}"
            findings.error(said, f'"{operator}" is not a valid label selector operator', remedy)
        elif operator in ("In", "NotIn") and not values:
            findings.error(said, "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
        elif operator not in ("In", "NotIn") and values:
            findings.error(said, "values set must be empty for exists and does not exist")


def _judge_policies(findings: Findings, place: Place, spec: Json) -> None:
    """Judge what the workflow says about itself: deadline, labels, metrics."""
    deadline = spec.get("activeDeadlineSeconds")
    if isinstance(deadline, int) and deadline <= 0:
        findings.late(place.at("activeDeadlineSeconds"), "must be a positive integer > 0", "it is over as it begins")
    _judge_pod_gc(findings, place.at("podGC"), mapping(spec.get("podGC")))
    added = mapping(spec.get("workflowMetadata"))
    for field in ("labels", "annotations", "labelsFrom"):
        for key, value in mapping(added.get(field)).items():
            where = place.at(f"workflowMetadata.{field}")
            if not QUALIFIED_NAME.fullmatch(key):
                findings.error(where, f"'{key}' is no valid name of a label or annotation")
            if field == "labels" and not is_dynamic(value) and not LABEL_VALUE.fullmatch(text(value)):
                remedy = "at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends"
                findings.late(where, f"'{text(value)}' is no valid value of the label '{key}'", remedy)
    for key, entry in mapping(added.get("labelsFrom")).items():
        if not is_given(mapping(entry), "expression"):
            findings.error(place.at(f"workflowMetadata.labelsFrom.{key}.expression"), "is required")
        expression = text(mapping(entry).get("expression"))
        judge_expression(findings, place.at(f"workflowMetadata.labelsFrom.{key}.expression"), expression)
    judge_pod_resources(findings, place.at("podResources"), spec.get("podResources"))
    judge_metrics(findings, place, spec, late=True)
    judge_retry(findings, place, spec)
    judge_retry(findings, place.at("templateDefaults"), mapping(spec.get("templateDefaults")))
    judge_patch(findings, place, spec)
    judge_delay(findings, place, spec)

"""From an object to a running workflow: read what it refers to, judge it, make what it needs, start its first node.

Start is restart: everything here works the same on a status that already has nodes. (§ one reconcile, steps 1, 2, 8,
10; VAL-1..12, WMETA-1, VOL-2.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.language.expression import ExpressionError, compile_expression, evaluate, nest
from actors.language.functions import Functions
from actors.language.tags import SubstitutionError, substitute
from actors.messages import node_from_json
from actors.names import labels, tracing
from actors.names.config_maps import parameters_in
from actors.names.timestamps import rfc3339, seconds
from actors.packing import nodes_of
from actors.run import Call, Run
from actors.templates import Resolved, Source, TemplateLibrary, TemplateNotFound
from actors.workflow import collecting, disruption, forsaken, gather, guard
from actors.workflow.defaults import completed, with_defaults
from actors.workflow.journal import Journal
from actors.workflow.judged import problems_of
from actors.workflow.leftovers import leftovers
from actors.workflow.repositories import NoRepository
from actors.workflow.state import WorkflowSettings, WorkflowState
from actors.workflow.validation import LibraryRef
from actors.workflow.validation.workflow import LABEL_VALUE
from actors.workflow.variables import MissingValue, before_labelling, workflow_variables
from crds.features import unsupported
from runtime.messages import Command, Create, Read, WakeAt
from runtime.objects import CLAIMS, CONFIGMAPS, Object

GATHER, GLANCE, CLAIM, DEADLINE = "gather", "glance", "claim", "deadline"


LABEL_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


class Unfit(ValueError):
    """The workflow cannot run; the text is its message, `phase` Failed or Error."""

    def __init__(self, message: str, phase: str = "Failed") -> None:
        super().__init__(message)
        self.phase = phase


def read_more(state: WorkflowState, now: float) -> list[Command]:
    """Read what is still missing; nothing when all is there (or on its way)."""
    assert state.object is not None
    _permit(state)
    needed = gather.missing(state.object, state.found, state.defaults, state.limits.shared_namespace)
    glance = None if needed else gather.glanced_at(state.object, state.found, state.defaults)
    if glance is not None and not state.limits.lately.recall(glance, state.found, now):
        needed.append(glance)
    wanted = [ref for ref in [*needed, *guard.wanted(state)] if ref not in state.reading]
    state.reading.update(wanted)
    own = state.address.namespace
    return [Read(ref, GLANCE if ref is glance or ref.namespace not in ("", own) else GATHER) for ref in wanted]


def _permit(state: WorkflowState) -> None:
    """Whether the installation runs such workflows at all. Raises Unfit (RESTR-1)."""
    why = guard.refusal(state)
    if why:
        raise Unfit(why, "Error")


def open_run(state: WorkflowState, settings: WorkflowSettings) -> None:
    """Judge the workflow and make it ready to start. Raises Unfit."""
    workflow = state.object
    assert workflow is not None
    spec = gather.executed_spec(workflow, state.found, state.defaults)
    if spec:
        _remember_origin(state, workflow, spec)
    _judge(workflow, spec, state)
    assert spec is not None
    if guard.compare_found(state):
        raise Unfit(state.condemned, "Error")
    state.warnings = [f"{found.path}: {found.message}" for found in unsupported(workflow)]
    try:
        variables = workflow_variables(completed(workflow, None, state.defaults), spec, _own_config(state))
        repository, recorded = gather.repository(
            spec, workflow, state.found, settings.repository, settings.shared_namespace
        )
    except MissingValue as error:
        raise Unfit(str(error)) from error
    except NoRepository as error:
        raise Unfit(str(error), "Error") from error
    templates = gather.library(workflow, spec, state.found)
    functions = _functions(workflow)
    added = spec.get("workflowMetadata") or {}
    filled = _substituted(spec, before_labelling(variables, added) if added else variables, functions)
    status = workflow.get("status") or {}
    known = {key: node_from_json(entry) for key, entry in nodes_of(status).items()}
    state.journal = Journal.of(status)
    state.run = Run(
        address=state.address, spec=filled, library=templates, variables=variables, known=known,
        repository=repository, cache_namespace=settings.cache_namespace, lockers=frozenset(state.locks.claims),
        edges=state.journal.children,
    )  # fmt: skip
    state.run.exports.update(_recorded_exports(status))
    _remember(state, spec, templates, recorded)
    collecting.note(state, state.run)
    named = _adorn(state, filled, functions)
    if added:
        state.run.spec = _substituted(filled, named, functions)


def _own_config(state: WorkflowState) -> dict[str, Any]:
    """The parameters in each ConfigMap of its namespace that was looked for; None for one that is not there."""
    return {
        ref.name: parameters_in(thing) if thing else None
        for ref, thing in state.found.items()
        if ref.resource == CONFIGMAPS and ref.namespace == state.address.namespace
    }


def start(state: WorkflowState, now: float) -> list[Command]:
    """From now on the workflow counts as Running: what it needs is made, its deadline is watched."""
    status = (state.object or {}).get("status") or {}
    state.phase, state.message = "Running", ""
    state.started_at = status.get("startedAt") or rfc3339(now)
    state.running.began = seconds(state.started_at)
    unwritten = forsaken.at_start(state, now)
    return [*_needs(state, state.running.spec, now), *leftovers(state.running, unwritten=unwritten)]


def _judge(workflow: Object, spec: dict[str, Any] | None, state: WorkflowState) -> None:
    reference = (workflow.get("spec") or {}).get("workflowTemplateRef")
    if reference and not spec:
        kinds = "clusterworkflowtemplates" if reference.get("clusterScope") else "workflowtemplates"
        raise Unfit(f'{kinds}.argoproj.io "{reference.get("name", "")}" not found', "Error")

    status = workflow.get("status") or {}
    if status.get("phase") in {"Running", "Succeeded", "Failed", "Error"} or status.get("storedTemplates"):
        return  # judged when it started; what it refers to may have changed since

    own = gather.template_of(workflow) if reference else None

    def lookup(wanted: LibraryRef) -> Object | None:
        ref = gather.template_reference(Source(wanted.name, wanted.cluster), workflow)
        thing = state.found.get(ref)
        if thing is None or ref != own:
            return thing
        return {**thing, "spec": with_defaults(thing.get("spec") or {}, state.defaults)}

    problems = problems_of(completed(workflow, spec, state.defaults), lookup)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise Unfit(f"invalid spec: {errors[0].message}")


def _functions(workflow: Object) -> Functions:
    """Time and chance for what is decided once for the whole workflow: as of its creation, however often it starts."""
    meta = workflow["metadata"]
    return Functions(seconds(meta["creationTimestamp"]), seed=meta["uid"])


def _substituted(spec: dict[str, Any], variables: Mapping[str, Any], functions: Functions) -> dict[str, Any]:
    """Globals into everything but templates (EXPR-12, step 1)."""
    apart = ("templates", "templateDefaults", "hooks", "retryStrategy", "metrics")
    try:
        outside = {key: value for key, value in spec.items() if key not in apart}
        filled = substitute(outside, variables, functions=functions)
    except SubstitutionError as error:
        raise Unfit(f"invalid spec: {error}") from error
    return {**filled, **{key: spec[key] for key in apart if key in spec}}


def _recorded_exports(status: dict[str, Any]) -> dict[str, Any]:
    outputs = status.get("outputs") or {}
    values: dict[str, Any] = {}
    for entry in outputs.get("parameters") or ():
        values[f"workflow.outputs.parameters.{entry['name']}"] = entry.get("value")
    for entry in outputs.get("artifacts") or ():
        values[f"workflow.outputs.artifacts.{entry['name']}"] = entry
    return values


def _remember_origin(state: WorkflowState, workflow: Object, spec: dict[str, Any]) -> None:
    """The spec that a workflow was given by reference, and by whom: said of one that is not fit to run, too."""
    reference = (workflow.get("spec") or {}).get("workflowTemplateRef")
    if reference:
        if not (workflow.get("status") or {}).get("storedWorkflowTemplateSpec"):
            state.status_extra["storedWorkflowTemplateSpec"] = spec
        key = labels.CLUSTER_WORKFLOW_TEMPLATE if reference.get("clusterScope") else labels.WORKFLOW_TEMPLATE
        state.labels_extra[key] = reference.get("name", "")


def _remember(
    state: WorkflowState, spec: dict[str, Any], templates: TemplateLibrary, repository: dict[str, Any] | None
) -> None:
    """Snapshots that make a later edit of a template irrelevant to this run."""
    workflow = state.object
    assert workflow is not None
    status = workflow.get("status") or {}
    stored = gather.stored_templates(workflow, templates, spec)
    templates.kept.update(stored)
    if stored and stored != status.get("storedTemplates"):
        state.status_extra["storedTemplates"] = stored
    if repository and not status.get("artifactRepositoryRef"):
        state.status_extra["artifactRepositoryRef"] = repository


def _go_kind(value: Any) -> str:
    kinds = {bool: "bool", int: "int", float: "float64", list: "[]interface {}", dict: "map[string]interface {}"}
    return kinds.get(type(value), "<nil>")


def _adorn(state: WorkflowState, spec: dict[str, Any], functions: Functions) -> dict[str, Any]:
    """Labels and annotations that the spec gives its own workflow (WMETA-1); the variables that name them."""
    own, under = (state.object or {}).get("metadata") or {}, state.defaults.get("metadata") or {}
    for extra, field in ((state.labels_extra, "labels"), (state.annotations_extra, "annotations")):
        have = own.get(field) or {}
        extra |= {key: str(value) for key, value in (under.get(field) or {}).items() if key not in have}
    meta = spec.get("workflowMetadata") or {}
    for key, given in (meta.get("labels") or {}).items():
        if not LABEL_VALUE.fullmatch(str(given)):
            raise Unfit(f'invalid label value "{given}" for label "{key}": {LABEL_RULE}', "Error")
        state.labels_extra[key] = str(given)
    state.annotations_extra |= {key: str(value) for key, value in (meta.get("annotations") or {}).items()}
    state.annotations_extra[labels.POD_NAME_FORMAT] = "v2"
    if state.limits.traced:
        state.annotations_extra |= tracing.span_annotations(state.address.uid)
    _name_own(state)
    known = nest(state.running.globals()) if meta.get("labelsFrom") else {}
    sources = {key: str(source.get("expression", "")) for key, source in (meta.get("labelsFrom") or {}).items()}
    state.labels_extra |= {key: _computed(key, text, known, functions) for key, text in sources.items()}
    return _name_own(state)


def _name_own(state: WorkflowState) -> dict[str, Any]:
    """Make its own labels and annotations known as variables, as far as they are there."""
    values = {f"workflow.labels.{key}": value for key, value in state.labels_extra.items()}
    values |= {f"workflow.annotations.{key}": value for key, value in state.annotations_extra.items()}
    state.running.variables |= values
    return values


def _computed(key: str, written: str, known: dict[str, Any], functions: Functions) -> str:
    """The value of a label that is an expression. Raises Unfit."""
    try:
        compile_expression(written)
    except ExpressionError as error:
        raise Unfit(f'failed to compile function for expression "{written}": {error}', "Error") from error
    try:
        value = evaluate(written, known, functions=functions)
    except ExpressionError as error:
        raise Unfit(f'failed to evaluate label "{key}" expression "{written}": {error}', "Error") from error
    if not isinstance(value, str):
        why = f"evaluted to {_go_kind(value)} but must be a string"  # sic
        raise Unfit(f'failed to evaluate label "{key}" expression "{written}" {why}', "Error")
    if not LABEL_VALUE.fullmatch(value):
        where = f'invalid label value "{value}" for label "{key}" and expression "{written}"'
        raise Unfit(f"{where}: {LABEL_RULE}", "Error")
    return value


def _needs(state: WorkflowState, spec: dict[str, Any], now: float) -> list[Command]:
    """Claims and a budget to make, and the deadline to watch. Raises Unfit for a claim without a name."""
    commands: list[Command] = []
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None:
        state.running.deadline = seconds(state.started_at) + float(deadline)
        state.running.past_deadline = now >= state.running.deadline  # else what goes on would begin before it is told
        commands.append(WakeAt(max(now, state.running.deadline), DEADLINE))
    claims = []
    for number, template in enumerate(spec.get("volumeClaimTemplates") or ()):
        name = (template.get("metadata") or {}).get("name", "")
        if not name:
            raise Unfit(f"pvc create error: volumeClaimTemplates[{number}].metadata.name is required", "Error")
        claim = f"{state.address.name}-{name}"
        claims.append((name, claim))
        state.claims_wanted.add(claim)
        commands.append(Create(CLAIMS, _claim(state, template, claim), CLAIM))
    state.running.claims = tuple(claims)
    return [*commands, *disruption.create(state, owner_reference(state))]


def claim_again(state: WorkflowState, name: str) -> list[Command]:
    """Try once more to make a claim (or the budget) that could not be made, or to delete the latter."""
    if name == disruption.BUDGET:
        return disruption.drop(state) if state.closed else disruption.create(state, owner_reference(state))
    for template in state.running.spec.get("volumeClaimTemplates") or ():
        if f"{state.address.name}-{(template.get('metadata') or {}).get('name', '')}" == name:
            return [Create(CLAIMS, _claim(state, template, name), CLAIM)]
    return []


def _claim(state: WorkflowState, template: dict[str, Any], name: str) -> Object:
    meta = {**(template.get("metadata") or {}), "name": name, "namespace": state.address.namespace}
    meta["labels"] = {**(meta.get("labels") or {}), labels.WORKFLOW: state.address.name}
    meta["ownerReferences"] = [owner_reference(state)]
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": template.get("spec") or {}}


def owner_reference(state: WorkflowState) -> dict[str, Any]:
    """The workflow as the controlling owner of what it makes."""
    return {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": state.address.name,
        "uid": state.address.uid, "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip


def claims_status(state: WorkflowState) -> list[dict[str, Any]]:
    """`status.persistentVolumeClaims` (VOL-4)."""
    return [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in state.running.claims]


def entry_call(state: WorkflowState, call: dict[str, Any], node_name: str, **more: Any) -> Call:
    """A call made by the workflow itself: the entrypoint, the exit handler, a hook. Raises TemplateNotFound."""
    run = state.running
    named = {field: call[field] for field in ("template", "templateRef") if call.get(field)}
    filled = substitute(named, run.globals(), unresolved="keep")
    resolved: Resolved = run.library.resolve_or_seek(filled, run.library.local_scope)
    return Call(
        run=run, parent=state.address, node_name=node_name, boundary="", boundary_name="", resolved=resolved,
        caller_scope=run.library.local_scope, **more,
    )  # fmt: skip


def root_call(state: WorkflowState) -> Call:
    """The call of the entrypoint, with the workflow's arguments. Raises Unfit."""
    run = state.running
    arguments = {
        "parameters": [
            {
                "name": entry["name"],
                "value": run.variables[f"workflow.parameters.{entry['name']}"],
                **({"valueFrom": entry["valueFrom"]} if entry.get("value") is None and entry.get("valueFrom") else {}),
            }
            for entry in (run.spec.get("arguments") or {}).get("parameters") or ()
        ],
        "artifacts": (run.spec.get("arguments") or {}).get("artifacts") or [],
    }
    try:
        return entry_call(state, {"template": run.spec.get("entrypoint")}, run.name, arguments=arguments)
    except TemplateNotFound as error:
        raise Unfit(f"error in entry template execution: {error}", "Error") from error

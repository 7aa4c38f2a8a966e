"""When a workflow measures: as it and its nodes begin and end, each once. (MET-1..3, MET-5.)

A node that is remembered, skipped or omitted has done nothing and is not measured. Of a retried template each attempt
is measured as soon as it is known that another one follows, and the Retry node at its end stands for the last.
What is sampled stands still when the node ends; what was sampled of the workflow, when the workflow does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from actors import upstream_metrics
from actors.messages import COMPLETED, NodeStatus
from actors.names import ids
from actors.names.timestamps import seconds
from actors.run import Run
from actors.templates import TemplateNotFound, calls_in
from actors.workflow.custom_metrics import BadMetric, Catalogue, Moment, measured, node_values
from actors.workflow.journal import Turn
from actors.workflow.state import WorkflowState
from runtime.messages import Command, Measure

MEASURED = frozenset({"Pod", "Steps", "DAG", "Suspend", "Retry", "HTTP", "Plugin"})
OF_WORKFLOW = "workflow.duration"
ERRORS_MAX = 20  # sentences in the condition: a loop of ten thousand makes the same mistake ten thousand times


def due(state: WorkflowState, catalogue: Catalogue, turns: Iterable[Turn], now: float) -> list[Command]:
    """What is to be measured after a message: the workflow's own news, and what its nodes have turned into."""
    commands: list[Command] = []
    if state.run is not None and state.measures is None:
        state.measures = _has_metrics(state.run)
        if state.measures:
            commands += _under_way(state, catalogue, now)
    if state.measures:
        for turn in turns:
            commands += _of_turn(state, catalogue, turn, now)
    if state.phase != state.counted:
        commands += _of_phase(state, catalogue, now)
    return commands


def _has_metrics(run: Run) -> bool:
    templates = [template for scope in run.library.scopes.values() for template in scope.values()]
    inline = [call["inline"] for template in templates for call in calls_in(template) if call.get("inline")]
    defaults = dict(run.library.defaults or {})
    return any(
        isinstance(holder, dict) and holder.get("metrics") for holder in [run.spec, defaults, *templates, *inline]
    )


def _under_way(state: WorkflowState, catalogue: Catalogue, now: float) -> list[Command]:
    """What is sampled of nodes that were found under way after a restart."""
    nodes = [node for node in state.journal.statuses.values() if not node.ended]
    whole = _of_workflow(state, catalogue, now) if nodes and not state.ended else []
    return whole + [command for node in nodes for command in _of_node(state, catalogue, node, now, sampled_only=True)]


# ------------------------------------------------------------------------------------------------- workflow


def _of_phase(state: WorkflowState, catalogue: Catalogue, now: float) -> list[Command]:
    """The workflow has entered another phase."""
    before = state.counted or state.summary_written.get("phase") or ""
    if not state.phase or state.phase == before:
        return []
    state.counted = state.phase
    commands: list[Command] = [upstream_metrics.entered(state.phase, state.address.namespace)]
    reference = ((state.object or {}).get("spec") or {}).get("workflowTemplateRef")
    if reference:
        name, cluster = str(reference.get("name") or ""), bool(reference.get("clusterScope"))
        namespace = state.address.namespace
        entered = (state.phase,) if before else (upstream_metrics.NEW, state.phase)
        commands += [upstream_metrics.template_triggered(name, namespace, one, cluster=cluster) for one in entered]
        if state.ended:
            commands.append(upstream_metrics.template_took(name, namespace, _took(state), cluster=cluster))
    if state.run is not None and state.measures and (state.phase == "Running" or state.ended):
        commands += _of_workflow(state, catalogue, now)
    ended_at = seconds(state.finished_at) if state.finished_at else 0.0
    return [*commands, *(stand_still(state, ended_at) if state.ended else [])]


def _of_workflow(state: WorkflowState, catalogue: Catalogue, now: float) -> list[Command]:
    run = state.running
    root = state.root or NodeStatus(id=run.name, name=run.name, started_at=state.started_at, phase=state.phase)
    values = {**run.globals(), **_values(state, root, now), "workflow.status": state.phase}
    if state.ended:
        values["workflow.duration"] = f"{_took(state):.6f}"
    return _all(state, catalogue, run.spec, _moment(state, root, values, now), sampled_only=not state.ended)


def _took(state: WorkflowState) -> float:
    return seconds(state.finished_at) - seconds(state.started_at) if state.started_at and state.finished_at else 0.0


# ---------------------------------------------------------------------------------------------------- nodes


def _of_turn(state: WorkflowState, catalogue: Catalogue, turn: Turn, now: float) -> list[Command]:
    """What a node's new phase is worth."""
    node = turn.status
    commands: list[Command] = []
    retried = node.node_flag is not None and node.node_flag.retried and node.type != "Retry"  # as a hook's is
    if not turn.before and retried:
        commands += _attempt_before(state, catalogue, node, now)
    if not turn.before and not node.ended:
        commands += _of_node(state, catalogue, node, now, sampled_only=True)
    if node.phase in COMPLETED and not retried and not _remembered(node):
        commands += _of_node(state, catalogue, node, now, sampled_only=False)
    return commands


def _attempt_before(state: WorkflowState, catalogue: Catalogue, node: NodeStatus, now: float) -> list[Command]:
    """Another attempt follows the one before it, which is measured now."""
    name, _, rest = node.name.rpartition("(")
    number = rest.rstrip(")")
    if not number.isdecimal() or int(number) == 0:
        return []
    before = state.journal.statuses.get(ids.node_id(state.address.name, ids.attempt(name, int(number) - 1)))
    return _of_node(state, catalogue, before, now, sampled_only=False) if before is not None else []


def _remembered(node: NodeStatus) -> bool:
    return bool((node.memoization_status or {}).get("hit"))


def _of_node(
    state: WorkflowState, catalogue: Catalogue, node: NodeStatus, now: float, *, sampled_only: bool
) -> list[Command]:
    template = template_of(state, node) if node.type in MEASURED else None
    if not template or not template.get("metrics"):
        return []
    values = {**state.running.globals(), **_values(state, node, now)}
    return _all(state, catalogue, template, _moment(state, node, values, now), sampled_only=sampled_only)


def template_of(state: WorkflowState, node: NodeStatus) -> Mapping[str, Any] | None:
    """The template that a node ran; None when it cannot be told."""
    run = state.running
    try:
        if node.template_ref:
            return run.library.resolve({"templateRef": node.template_ref}, node.template_scope).template
        if node.template_name:
            return run.library.resolve({"template": node.template_name}, node.template_scope).template
    except TemplateNotFound:
        return None
    inline = _inline_of(state, node)
    return run.library.resolve({"inline": inline}, node.template_scope).template if inline else None


def _inline_of(state: WorkflowState, node: NodeStatus) -> Mapping[str, Any] | None:
    """The template that is written in place of a node's call, found by the call's name in its boundary."""
    boundary = state.journal.statuses.get(node.boundary_id)
    around = template_of(state, boundary) if boundary is not None else None
    if around is None or boundary is None:
        return None
    groups = [
        (ids.step_group(boundary.name, index), group)
        for index, group in enumerate(around.get("steps") or ())
        if isinstance(group, list)
    ]
    for place, calls in [*groups, (boundary.name, (around.get("dag") or {}).get("tasks") or ())]:
        for call in calls:
            if call.get("inline") and _is_of(node, ids.task(place, call.get("name", ""))):
                inline: Mapping[str, Any] = call["inline"]
                return inline
    return None


def _is_of(node: NodeStatus, call: str) -> bool:
    return node.name == call or node.name.startswith(f"{call}(")


# -------------------------------------------------------------------------------------------------- measures


def _values(state: WorkflowState, node: NodeStatus, now: float) -> dict[str, Any]:
    durations = state.journal.durations.get(node.id) or {}
    return node_values(node, durations, len(state.journal.children.get(node.id) or ()), now)


def _moment(state: WorkflowState, node: NodeStatus, values: Mapping[str, Any], now: float) -> Moment:
    since, final = {}, {}
    if state.started_at:
        since[OF_WORKFLOW] = seconds(state.started_at)
    if state.ended:
        final[OF_WORKFLOW] = _took(state)
    if node.started_at:
        since["duration"] = seconds(node.started_at)
        if node.finished_at:
            final["duration"] = seconds(node.finished_at) - seconds(node.started_at)
    return Moment(values, since, final, state.running.functions(node.id, now))


def _all(
    state: WorkflowState, catalogue: Catalogue, holder: Mapping[str, Any], moment: Moment, *, sampled_only: bool
) -> list[Command]:
    commands: list[Command] = []
    for metric in (holder.get("metrics") or {}).get("prometheus") or ():
        try:
            found = measured(metric, moment, catalogue, sampled_only=sampled_only)
        except BadMetric as error:
            if str(error) not in state.metric_errors and len(state.metric_errors) < ERRORS_MAX:
                state.metric_errors.append(str(error))
            continue
        if found is not None:
            commands.append(found)
            _remember(state, found)
    return commands


def _remember(state: WorkflowState, measure: Measure) -> None:
    """What is sampled must stand still in the end, whatever becomes of its node."""
    if measure.since is not None:
        state.sampled[measure.name, measure.labels] = measure
    else:
        state.sampled.pop((measure.name, measure.labels), None)


def stand_still(state: WorkflowState, end: float) -> list[Command]:
    """The workflow has ended, or is gone: whatever is still sampled stands still."""
    left, state.sampled = state.sampled, {}
    return [Measure(one.name, max(0.0, end - (one.since or end)), one.labels, one.declared) for one in left.values()]

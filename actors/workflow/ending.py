"""A workflow ends when hooks are through and the exit handler ran: one phase, one message. (EXIT-1..5, HOOK-1.)"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.arguments import arguments_for
from actors.language.expression import ExpressionError, evaluate_bool, nest
from actors.messages import Edge, EndDaemon, NodeStatus, WorkflowEnded
from actors.names import ids
from actors.names.timestamps import rfc3339
from actors.run import Call, refused
from actors.templates import TemplateNotFound
from actors.unheard import unspoken
from actors.workflow import agents, collecting, disruption, locks, writing
from actors.workflow.opening import entry_call
from actors.workflow.state import WorkflowState
from actors.workflow.variables import failures
from runtime.messages import Command, Delete, Spawn, Tell
from runtime.objects import CLAIMS, Reference

ENTRY_ERROR, EXIT_ERROR = "error in entry template execution: ", "error in exit template execution : "
OF_ENTRY = {
    "Pending": "Pending", "Running": "Running", "Succeeded": "Succeeded", "Skipped": "Succeeded",
    "Omitted": "Succeeded", "Failed": "Failed", "Error": "Error",
}  # fmt: skip
"""The first node's phase, and what `workflow.status` is by it to hooks and exit handlers."""


def after(state: WorkflowState, now: float) -> list[Command]:
    """Something has happened that may bring the end: fire hooks, call the exit handler, decide, if it is time."""
    if state.ended or state.run is None or state.root is None:
        return []
    root = state.root
    if root.daemoned and not root.ended:
        return [Tell(state.run.node_address(root.id), EndDaemon())]
    if not root.phase:  # it waits for its turn, and hooks for its first word
        return []
    state.run.variables["workflow.status"] = OF_ENTRY.get(root.phase, "Error")
    commands = fire_hooks(state, now)
    if not root.ended or any(not hook.fulfilled for hook in state.hooks.values()):
        return commands
    if locks.abandon(state):
        commands += writing.changed(state, state.limits, now)
    if not state.exit_called:
        commands += _call_exit_handler(state, now)
    if state.exit_called and state.exit_node is not None and not state.exit_node.ended:
        return commands
    if state.daemons:  # nothing is finished while one of them serves (DMN-4)
        return [*commands, *(Tell(state.run.node_address(daemon), EndDaemon()) for daemon in sorted(state.daemons))]
    if state.journal.unended:  # what was told to end has not said yet that it has
        return commands
    decide(state, now)
    return [*commands, *_clean_up(state)]


def fire_hooks(state: WorkflowState, now: float) -> list[Command]:
    """Start every hook whose expression is now true; each fires once."""
    run = state.running
    hooks = {name: hook for name, hook in (run.spec.get("hooks") or {}).items() if name != "exit"}
    commands: list[Command] = []
    for name, hook in hooks.items():
        node_name = ids.hook(run.name, name)
        node_id = ids.node_id(run.name, node_name)
        known = run.known.get(node_id)
        if known is not None and known.ended:
            state.hooks.setdefault(node_id, known)
        if node_id in state.hooks:
            continue
        run.tell_duration(now)
        try:
            if "workflow.failures" in str(hook.get("expression")):  # all nodes are looked at for it
                _set_failures(state)
            fires = _holds(str(hook.get("expression") or "false"), state, now)
            if fires or known is not None:  # what fired before a restart is still waited for
                _set_failures(state)
                call = entry_call(state, hook, node_name, hooked=True, arguments=_hook_arguments(state, hook, now))
                state.hooks[node_id] = msgspec.structs.replace(unspoken(call), phase="Pending")
                commands += [Tell(state.address, Edge((run.name,), node_id)), Spawn(call.address, call)]
        except (ExpressionError, TemplateNotFound, ValueError) as error:
            state.hooks[node_id] = NodeStatus(id=node_id, name=node_name, phase="Error", message=str(error))
            state.warnings.append(f"hook {name}: {error}")
    return commands


def _hook_arguments(state: WorkflowState, hook: dict[str, Any], now: float) -> dict[str, Any]:
    run = state.running
    functions = run.functions("hooks", now)
    return arguments_for(hook.get("arguments") or {}, run.globals(), functions=functions)


def _holds(expression: str, state: WorkflowState, now: float) -> bool:
    """What a hook's expression gives. Raises ExpressionError, also when it is no bool (COND-4)."""
    run = state.running
    return evaluate_bool(expression, nest(run.globals()), functions=run.functions("hooks", now))


def _call_exit_handler(state: WorkflowState, now: float) -> list[Command]:
    run = state.running
    hook = (run.spec.get("hooks") or {}).get("exit") or {}
    if run.spec.get("onExit"):  # it wins over the hook of that name
        hook = {"template": run.spec["onExit"]}
    state.exit_called = True
    node_name = ids.on_exit(run.name)
    known = run.known.get(ids.node_id(run.name, node_name))
    if known is not None and known.ended:
        state.exit_node = known
        return []
    fired = known is not None
    if not hook or (run.shutdown == "Terminate" and not fired):
        return []
    _set_failures(state)
    run.tell_duration(now)
    try:
        if not fired and hook.get("expression") and not _holds(str(hook["expression"]), state, now):
            return []
        arguments = hook.get("arguments") or {}
        given = _hook_arguments(state, hook, now) if arguments else run.own_arguments()
        call: Call = entry_call(state, hook, node_name, hooked=True, on_exit=True, arguments=given)
    except (ExpressionError, TemplateNotFound, ValueError) as error:
        state.exit_node = NodeStatus(type="Skipped", phase="Error", message=str(error))
        return []
    state.exit_node = msgspec.structs.replace(unspoken(call), phase="Pending")
    return [Spawn(call.address, call)]


def _set_failures(state: WorkflowState) -> None:
    """Hooks and exit handlers may speak of what has failed so far (EXIT-3)."""
    run = state.running
    run.variables["workflow.failures"] = failures(list(state.journal.statuses.values()), run.name)


def _refused(state: WorkflowState, node: NodeStatus) -> bool:
    return refused(node, state.address.name, state.journal.statuses)


def decide(state: WorkflowState, now: float) -> None:
    """The workflow's final phase and message (EXIT-2, § phase computation: root)."""
    root = state.root
    assert root is not None
    phase = OF_ENTRY.get(root.phase, "Error")
    message = "" if phase == "Succeeded" else f"{ENTRY_ERROR if _refused(state, root) else ''}{root.message}"
    if root.failed and state.running.shutdown:
        message = f"Stopped with strategy '{state.running.shutdown}'"
    leaving = state.exit_node
    if leaving is not None and _refused(state, leaving):  # whatever became of the rest (EXIT-5)
        phase, message = "Error", f"{EXIT_ERROR}{leaving.message}"
    elif phase == "Succeeded" and leaving is not None and leaving.failed:
        phase, message = leaving.phase, leaving.message
    if state.condemned:
        phase, message = "Error", state.condemned
    conclude(state, phase, message, now)


def conclude(state: WorkflowState, phase: str, message: str, now: float) -> None:
    """The workflow has ended."""
    state.phase, state.message, state.ended = phase, message, True
    state.finished_at = rfc3339(now)


def _clean_up(state: WorkflowState) -> list[Command]:
    """What is deleted with the end: claims, by their own rule (VOL-3)."""
    run = state.running
    rule = (run.spec.get("volumeClaimGC") or {}).get("strategy") or "OnWorkflowSuccess"
    if not run.claims or (rule == "OnWorkflowSuccess" and state.phase != "Succeeded"):
        return []
    state.status_extra["persistentVolumeClaims"] = []
    return [Delete(Reference(CLAIMS, state.address.namespace, claim)) for _, claim in run.claims]


def over(state: WorkflowState) -> list[Command]:
    """The end is on record: pods that were kept for it may go, and so may what guarded them."""
    run = state.run
    if run is None:  # it was unfit to start
        return collecting.collect(state)
    told = [Tell(run.node_address(child), WorkflowEnded(state.phase)) for child in sorted(state.live)]
    return [*told, *agents.left_over(state, run), *disruption.drop(state), *collecting.collect(state)]

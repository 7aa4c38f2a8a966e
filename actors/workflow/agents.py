"""The agent of a workflow is its child: started for the first http or plugin node, ended with it. (AGENT-3)

While the workflow is suspended its agent hears of no further task. (SUS-6)
"""

from __future__ import annotations

from actors.messages import AgentTask, AgentTrouble, ForAgent, TaskDone
from actors.run import AgentCall, Run
from actors.workflow.state import WorkflowState
from runtime.messages import Address, Command, Spawn, Tell

KINDS = frozenset({"HTTP", "Plugin"})  # of nodes that an agent works for


def forward(state: WorkflowState, word: ForAgent) -> list[Command]:
    """Pass a node's word on to the agent, a task once the workflow goes on. That one is done with starts no agent:
    it was never told of it, and at the end nobody would send it away."""
    match word.word:
        case AgentTask(node_id) as task if state.suspended:
            state.tasks_held[node_id] = task
            return []
        case TaskDone(node_id):
            held = state.tasks_held.pop(node_id, None)  # a former life may have told it, and what came of it has to go
            lives = AgentCall(state.running).address.part in state.live
            return _pass_on(state, word.word) if lives or (held and not state.ended) else []
    return _pass_on(state, word.word)


def suspension_changed(state: WorkflowState) -> list[Command]:
    """The tasks that have waited for it to go on."""
    if state.suspended:
        return []
    held, state.tasks_held = state.tasks_held, {}
    return [command for task in held.values() for command in _pass_on(state, task)]


def _pass_on(state: WorkflowState, word: AgentTask | TaskDone) -> list[Command]:
    call = AgentCall(state.running)
    return [Spawn(call.address, call), Tell(call.address, word)]


def is_agent(state: WorkflowState, child: Address) -> bool:
    """Whether a child is the agent, and no node."""
    return state.run is not None and child == AgentCall(state.run).address


def crashed(state: WorkflowState, detail: str) -> list[Command]:
    """The agent's actor crashed: what waits for it cannot know what became of its tasks."""
    trouble = AgentTrouble(detail, lost=True)
    waiting = sorted(node.id for node in state.journal.statuses.values() if node.type in KINDS and not node.ended)
    return [Tell(state.running.node_address(node_id), trouble) for node_id in waiting]


def left_over(state: WorkflowState, run: Run) -> list[Command]:
    """Remove what a former life's agent has left, where this one has none: its nodes had all ended by then."""
    return [] if AgentCall(run).address.part in state.live else traces(run)


def traces(run: Run) -> list[Command]:
    """Remove what the agent of a finished workflow may have left behind."""
    if not any(node.type in KINDS for node in run.known.values()):
        return []
    call = AgentCall(run, over=True)
    return [Spawn(call.address, call)]

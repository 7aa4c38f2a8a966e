"""The agent of a workflow is its child: started for the first http or plugin node, ended with it. (AGENT-3)"""

from __future__ import annotations

from actors.messages import AgentTrouble, ForAgent
from actors.run import AgentCall, Run
from actors.workflow.state import WorkflowState
from runtime.messages import Address, Command, Spawn, Tell

KINDS = frozenset({"HTTP", "Plugin"})  # of nodes that an agent works for


def forward(state: WorkflowState, word: ForAgent) -> list[Command]:
    """Pass a node's word on to the agent."""
    call = AgentCall(state.running)
    return [Spawn(call.address, call), Tell(call.address, word.word)]


def is_agent(state: WorkflowState, child: Address) -> bool:
    """Whether a child is the agent, and no node."""
    return state.run is not None and child == AgentCall(state.run).address


def crashed(state: WorkflowState, detail: str) -> list[Command]:
    """The agent's actor crashed: what waits for it cannot know what became of its tasks."""
    trouble = AgentTrouble(detail, lost=True)
    waiting = sorted(node.id for node in state.journal.statuses.values() if node.type in KINDS and not node.ended)
    return [Tell(state.running.node_address(node_id), trouble) for node_id in waiting]


def traces(run: Run) -> list[Command]:
    """Remove what the agent of a finished workflow may have left behind."""
    if not any(node.type in KINDS for node in run.known.values()):
        return []
    call = AgentCall(run, over=True)
    return [Spawn(call.address, call)]

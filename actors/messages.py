"""What rooms say to each other, and the record they say most of it with: the state of one node.

A node tells its parent what it is (`ChildChanged`) and the workflow's journal the same (`NodeChanged`); the workflow
answers with permits and, once a state is on record, with `Recorded`. Orders travel down the tree: `Shutdown`,
`DeadlineExceeded`, `EndDaemon`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from runtime.messages import Address

Phase = Literal["Pending", "Running", "Succeeded", "Skipped", "Failed", "Error", "Omitted"]
COMPLETED = frozenset({"Succeeded", "Failed", "Error"})
FULFILLED = COMPLETED | {"Skipped", "Omitted"}
EXECUTABLE = frozenset({"Pod", "HTTP", "Plugin", "Container", "Suspend"})
"""Node types that count in progress (PROG-1)."""
FAILED = frozenset({"Failed", "Error"})
POD_DELETED = "pod deleted"
"""What a node says whose pod was taken away."""
TIMED_OUT = "timeout"
"""What a node says whose template's time is over."""


class NodeFlag(msgspec.Struct, frozen=True, omit_defaults=True):
    """What made a node beside a plain call."""

    hooked: bool = False
    retried: bool = False


class NodeStatus(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One entry of `status.nodes`, immutable: a change is a new record. Edges (`children`) belong to the journal."""

    id: str = ""
    name: str = ""
    display_name: str = ""
    type: str = ""
    template_name: str = ""
    template_ref: dict[str, Any] | None = None
    template_scope: str = ""
    phase: str = ""
    boundary_id: str = msgspec.field(default="", name="boundaryID")
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    progress: str = ""
    resources_duration: dict[str, int] | None = None
    pod_ip: str = msgspec.field(default="", name="podIP")
    daemoned: bool = False
    node_flag: NodeFlag | None = None
    inputs: dict[str, Any] | None = None
    outputs: dict[str, Any] | None = None
    outbound_nodes: tuple[str, ...] = ()
    host_node_name: str = ""
    synchronization_status: dict[str, str] | None = None  # the lock it waits for
    memoization_status: dict[str, Any] | None = None  # whether its result was remembered, and where
    failed_pod_restarts: int = 0  # pods that were lost before their program began, and made again (RTY-13)
    restarting_pod_uid: str = msgspec.field(default="", name="restartingPodUID")

    @property
    def fulfilled(self) -> bool:
        """Terminal for scheduling: a finished node, or a daemon that is up."""
        return self.phase in FULFILLED or (self.daemoned and self.phase != "Pending")

    @property
    def ended(self) -> bool:
        """Finished for good: a daemon that serves has not ended."""
        return self.phase in FULFILLED

    @property
    def failed(self) -> bool:
        """Failed (the user's work) or Error (the engine's or the cluster's)."""
        return self.phase in FAILED

    def to_json(self) -> dict[str, Any]:
        """As it stands in `status.nodes`."""
        entry: dict[str, Any] = msgspec.to_builtins(self)
        if self.outbound_nodes:
            entry["outboundNodes"] = list(self.outbound_nodes)  # as it is read back: else it would look like an edit
        return entry


ORIGINAL = "original pod: "
"""How the message begins of a node that was taken over from another workflow (OP-5)."""


def counted(status: NodeStatus) -> NodeStatus:
    """What a node is to those that depend on it: one taken over is Skipped on record, and had succeeded (OP-5)."""
    if status.type == "Skipped" and status.phase == "Skipped" and status.message.startswith(ORIGINAL):
        return msgspec.structs.replace(status, phase="Succeeded")
    return status


def node_from_json(entry: Mapping[str, Any]) -> NodeStatus:
    """Read an entry of `status.nodes`; fields that the engine does not keep stay in the object alone."""
    return msgspec.convert(dict(entry), NodeStatus, strict=False)


# ------------------------------------------------------------------------------------------- told upwards


class ChildChanged(msgspec.Struct, frozen=True):
    """A child is now in this state. `outbound`: the nodes that whatever follows it hangs on; `variables`: what later
    calls may refer to (`steps.x.outputs.result`, …) when the child is a group; `daemons`: nodes to end with the
    boundary."""

    status: NodeStatus
    outbound: tuple[str, ...] = ()
    variables: Mapping[str, Any] = msgspec.field(default_factory=dict)
    daemons: tuple[str, ...] = ()
    items: tuple[NodeStatus, ...] = ()  # of a looped task: the last states of its items
    leaves: frozenset[str] = frozenset()  # phases that what follows it inherits; none: it passes on what reached it
    error: str = ""  # the engine could not run it: why (a step group then is Error, not Failed)
    attempt: NodeStatus | None = None  # of a Retry node: the last one, of which others hear when they ask for the call


class NodeChanged(msgspec.Struct, frozen=True):
    """To the journal: this is the node's state; `parent` is the id of the node that started it.

    With `wants_record`, the sender hears `Recorded` once a status write that contains this state is acknowledged.
    With `crashed`, others say so of a node whose actor is no more: an end of which that one has told itself stands.
    With `unproven`, nothing is left to be seen of its end: its place is its own until that is on record."""

    status: NodeStatus
    parent: str = ""
    wants_record: bool = False
    crashed: bool = False
    unproven: bool = False


class Edge(msgspec.Struct, frozen=True):
    """To the journal: `child` follows each of `parents` in the graph (`children` of status)."""

    parents: tuple[str, ...]
    child: str


class WantsPermit(msgspec.Struct, frozen=True):
    """May I begin? Asked of a boundary with `parallelism` or `failFast`, and of the workflow by pods.

    `name` is the node's, which tells what it stands below: most who ask are on no record yet. `order` is where it
    stands in the walk through the tree: the place of each template around it among its brothers, and its own."""

    node_id: str
    name: str = ""
    order: tuple[int, ...] = ()


class Bereft(msgspec.Struct, frozen=True):
    """To the workflow: the actor of a node has crashed, whether the node had ended or not, and took those below it."""

    node_id: str


class Forsaken(msgspec.Struct, frozen=True):
    """The actor of that node has crashed, and with it went those of all nodes below it. The workflow hears of it, and
    tells the boundary around it; its `name` says who is below."""

    node_id: str
    name: str


class ReturnsPermit(msgspec.Struct, frozen=True):
    """What the permit was for has ended (or will never begin). `stays`: the node will ask again and keeps its place."""

    node_id: str
    failed: bool = False
    stays: bool = False


class ForAgent(msgspec.Struct, frozen=True):
    """Pass this word on to the workflow's agent, which is started for it."""

    word: AgentTask | TaskDone


class WantsTemplate(msgspec.Struct, frozen=True):
    """To the workflow: this node is a call of another object's template, which nobody knew before (WFT-1)."""

    node_id: str
    scope: str
    name: str


class AgentTask(msgspec.Struct, frozen=True):
    """Work this template off in the agent's pod, and tell node `node_id` what came of it (AGENT-3)."""

    node_id: str
    template: Mapping[str, Any]
    account: str = ""  # service account of that pod; empty: the workflow's own


class TaskDone(msgspec.Struct, frozen=True):
    """Nobody waits for this node's task any more: its outcome is on record, or the node was stopped."""

    node_id: str


# ----------------------------------------------------------------------------------------- told downwards


class TaskResult(msgspec.Struct, frozen=True):
    """What the agent says of a task: a phase that may still change (a plugin's), or the last one."""

    phase: str
    message: str = ""
    outputs: Mapping[str, Any] | None = None
    progress: str = ""


PLUGINS = Address("plugin", "", "plugins", "")
"""Who knows the executor plugins that ConfigMaps define."""


class WantsPlugins(msgspec.Struct, frozen=True):
    """Which executor plugins are there for workflows of this namespace?"""

    namespace: str


class Plugins(msgspec.Struct, frozen=True):
    """These; and why others cannot be read."""

    definitions: tuple[Mapping[str, Any], ...]
    error: str = ""


class AgentTrouble(msgspec.Struct, frozen=True):
    """The agent's pod does not run, and why; `lost` when it never will, so that what waits for it is an Error."""

    message: str
    lost: bool = False


class TemplateSought(msgspec.Struct, frozen=True):
    """The template that you call is known now; or why it cannot be had."""

    error: str = ""


class Permit(msgspec.Struct, frozen=True):
    """Begin."""


class Denied(msgspec.Struct, frozen=True):
    """You will never begin: the boundary has failed fast, or is being stopped."""


class FoundOver(msgspec.Struct, frozen=True):
    """To the boundaries around it: a pod that was found working at a restart has ended. `name` is its node's.

    Or it works on and has kept its place in vain for a while (`over` False): what its node waits for may need one."""

    name: str
    over: bool = True


class Recorded(msgspec.Struct, frozen=True):
    """Your last state is in an acknowledged status write: what it needed may be released."""


class Shutdown(msgspec.Struct, frozen=True):
    """The workflow is being stopped: `strategy` is Stop or Terminate. Exit handlers survive a Stop."""

    strategy: str


class DeadlineExceeded(msgspec.Struct, frozen=True):
    """The workflow's deadline has passed. Exit handlers are exempt."""


class EndDaemon(msgspec.Struct, frozen=True):
    """The boundary of this daemon is complete: end it; it counts as Succeeded."""


class WorkflowEnded(msgspec.Struct, frozen=True):
    """The whole workflow has ended in this phase, and that is on record: pods kept until now may go (PGC-1)."""

    phase: str


class LookAgain(msgspec.Struct, frozen=True):
    """To the collector of artifacts: the workflow is another than it was, perhaps about to be deleted."""


class Edited(msgspec.Struct, frozen=True):
    """Somebody wrote this state into `status.nodes` (a resume, a `node set`, a stop of one node)."""

    status: NodeStatus

"""The state of a workflow's actor: what it has read, what runs, what is being written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from actors.gate import Gate
from actors.messages import AgentTask, NodeStatus, WantsTemplate
from actors.names import labels
from actors.names.resources import WORKFLOW
from actors.run import Run
from actors.workflow.journal import Journal
from actors.workflow.lately import Lately
from actors.workflow.locks import Ledger
from actors.workflow.offload import Offload
from runtime.api import Propagation
from runtime.messages import Address, Measure
from runtime.metric import Labels
from runtime.objects import Object, Reference, Resource

WORKFLOWS = Resource(*WORKFLOW)
BEGUN = frozenset({"Running", "Succeeded", "Failed", "Error"})
Restriction: TypeAlias = Literal["", "Strict", "Secure"]
Offloading: TypeAlias = Literal["", "large", "always"]


@dataclass(frozen=True, slots=True)
class WorkflowSettings:
    """What the installation decides for all workflows."""

    repository: dict[str, Any] | None = None  # for artifacts without a place of their own
    shared_namespace: str = ""  # whose named artifact repositories are for workflows of every namespace
    write_window_s: float = 0.2  # how long changes are collected before they are written
    inline_bytes: int = 128 << 10  # of nodes in a running workflow's status; larger ones are written compressed
    final_inline_bytes: int = 1 << 20  # of nodes in a finished one's
    cache_namespace: str = ""  # where ConfigMaps of remembered results are; empty: in each workflow's own
    workflow_events: bool = True  # Kubernetes Events about workflows
    node_events: bool = True  # and about their nodes: two writes for each of them
    node_events_as_pod: bool = False  # those of a node that has a pod are about the pod
    defaults: Object = field(default_factory=dict)  # metadata and spec below those of every new workflow (WDEF-1)
    restriction: Restriction = ""  # which workflows may run at all (RESTR-1, RESTR-2)
    permitted_overrides: frozenset[str] = frozenset()  # fields of the spec that a restricted workflow may set besides
    traced: bool = False  # workflows carry the ids of their trace (OPS-11)
    estimates: bool = True  # how long it will take, from the last successful run
    propagation: Propagation = "Background"  # of workflows that are deleted when their time has come
    initial_delay_s: float = 0.0  # how long a new workflow is left alone
    sharded: bool = False  # its bucket is on it: which of several processes looks after it
    archive: Mapping[str, Any] | None = None  # a LabelSelector of those that are archived; None: none are
    offload: Offloading = ""  # which nodes a database keeps: those that are too large for their object, or all
    lately: Lately = field(default_factory=Lately, compare=False)  # shared by all workflows of the room


@dataclass(slots=True)  # more fields than instances share the names of: without slots it is three times as large
class WorkflowState:
    """One workflow."""

    address: Address
    object: Object | None = None  # as last seen or acknowledged
    shown: Object | None = None  # as the cache has it, which lags behind our own writes
    found: dict[Reference, Object | None] = field(default_factory=dict)  # what was read before it could start
    reading: set[Reference] = field(default_factory=set)
    run: Run | None = None
    former: Run | None = None  # of a workflow that had ended before this life, for its pods
    acquainted: bool = True  # all of them have been told of
    journal: Journal = field(default_factory=Journal)
    limits: WorkflowSettings = field(default_factory=WorkflowSettings)
    phase: str = ""  # as decided, which may be ahead of the record
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
    root: NodeStatus | None = None
    exit_node: NodeStatus | None = None
    exit_called: bool = False
    hooks: dict[str, NodeStatus] = field(default_factory=dict)  # node id -> status of every hook that fired
    daemons: set[str] = field(default_factory=set)  # node ids of daemons that serve
    live: set[str] = field(default_factory=set)  # node ids of children whose actors live
    claims_wanted: set[str] = field(default_factory=set)  # PersistentVolumeClaims that are being made
    collects: bool | None = None  # whether artifacts of it are to be deleted; None: nobody has looked yet
    budget: str = ""  # uid of its PodDisruptionBudget, while there is one
    gate: Gate | None = None  # of all pods, once parallelism or suspension asks for one
    suspended: bool = False
    tasks_held: dict[str, AgentTask] = field(default_factory=dict)  # node id -> what its agent is told of afterwards
    stopping: str = ""  # spec.shutdown, once seen
    condemned: str = ""  # why it is being ended as an Error while its nodes run
    overfull: bool = False  # it no longer fits its object: of its nodes, what is on record stays
    turn: str = ""  # why it is not its turn yet; empty: it is
    status_extra: dict[str, Any] = field(default_factory=dict)  # further status fields not on record yet
    labels_extra: dict[str, str] = field(default_factory=dict)
    annotations_extra: dict[str, str] = field(default_factory=dict)
    writing: bool = False
    compressed: bool = False  # the nodes on record are in compressedNodes
    compressed_sent: bool = False  # those in the write under way are
    sent_at: float = 0.0  # when the last status write was asked for (epoch seconds)
    write_took_s: float = 0.0  # how long the last one was under way
    flush_due: bool = False  # a wake-up for the next write is set
    summary_written: dict[str, Any] = field(default_factory=dict)  # status without nodes, as acknowledged
    summary_sent: dict[str, Any] = field(default_factory=dict)
    pending: Object | None = None  # an event that came while a write was under way
    write_failures: int = 0
    ended: bool = False  # the final phase is decided
    closed: bool = False  # and on record
    reopened: Object | None = None  # the finished workflow as somebody has made it unfinished again
    expiry: float | None = None  # when the finished workflow is to be deleted (epoch seconds)
    warnings: list[str] = field(default_factory=list)
    proclaimed: str = ""  # the phase that an Event has told of
    timed_out: bool = False  # likewise, that the deadline has passed
    measures: bool | None = None  # whether it defines metrics of its own; None: not known yet
    counted: str = ""  # the phase that the metrics have counted
    metric_errors: list[str] = field(default_factory=list)
    sampled: dict[tuple[str, Labels], Measure] = field(default_factory=dict)  # gauges that grow by themselves
    pods: dict[str, tuple[str, str, bool]] = field(default_factory=dict)  # not let go: node id -> pod, node, it works
    pod_uids: dict[str, tuple[str, str]] = field(default_factory=dict)  # node id -> pod, uid: where Events are of pods
    let_go: dict[str, tuple[str, str, bool]] = field(default_factory=dict)  # and podGC: see pods.nobodys
    swept: set[str] = field(default_factory=set)  # of them, node ids of those that are looked after at the end
    bereft: set[str] = field(default_factory=set)  # ids of nodes whose actors crashed, and took those below with them
    reborn: bool = False  # this life follows a crash: others may remember the former one
    looking: bool = False  # at what the server has, before anything else
    patient: bool | None = None  # whether the end of such a life has waited for the cache; None: it need not yet
    sought: dict[Reference, list[WantsTemplate]] = field(default_factory=dict)  # for which a read is under way
    offload: Offload = field(default_factory=Offload)  # nodes that a database keeps
    locks: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.locks = Ledger(self.address)

    @property
    def defaults(self) -> Object:
        """What the installation lays under a workflow that has not begun; one that has keeps what it began with."""
        begun = self.summary_written.get("phase") in BEGUN
        return {} if begun else self.limits.defaults

    def renew(self) -> None:
        """Forget everything: the workflow begins anew from its object."""
        WorkflowState.__init__(self, self.address, limits=self.limits)

    def called(self, node_id: str) -> NodeStatus | None:
        """The first node, a hook or the exit handler, as the workflow has called it or heard of it last."""
        ends = {status.id: status for status in (self.root, self.exit_node) if status is not None}
        return ends.get(node_id) or self.hooks.get(node_id)

    @property
    def caught_up(self) -> bool:
        """Whether the cache has what this life knows: before that, a successor would begin with an older state."""
        return self.shown is None or self.object is None or not newer(self.object, self.shown)

    @property
    def ref(self) -> Reference:
        """That very workflow."""
        return Reference(WORKFLOWS, self.address.namespace, self.address.name, self.address.uid)

    @property
    def running(self) -> Run:
        """What nodes share; only asked once the workflow has opened."""
        assert self.run is not None, "the workflow has not opened"
        return self.run


class Superseded(RuntimeError):
    """The record says that the workflow has ended, and this life of its actor knows nothing of it."""


def is_completed(workflow: Object) -> bool:
    """Whether a workflow is marked as over; who retries it takes the mark away."""
    return bool((workflow["metadata"].get("labels") or {}).get(labels.COMPLETED) == "true")


def newer(one: Object, other: Object) -> bool:
    """Whether `one` is a later version of the same object."""
    mine, theirs = (thing["metadata"].get("resourceVersion", "0") for thing in (one, other))
    if mine.isdigit() and theirs.isdigit():
        return int(mine) > int(theirs)
    return bool(mine != theirs)

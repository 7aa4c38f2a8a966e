"""What all actors of one workflow share while it runs, and what a parent hands to a child that it starts.

`Run` is written by the workflow's actor (variables, suspension) and read by its nodes; what nodes write is `exports`,
since a global output must be visible to whoever starts after the node that made it, in the same instant, and the time.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.language.functions import Functions
from actors.messages import POD_DELETED, NodeStatus
from actors.names import ids
from actors.templates import Resolved, TemplateLibrary
from runtime.messages import Address

FAIL_FAST = frozenset({"Pod", "Steps", "DAG"})  # whose failure a template that fails fast looks at (FF-2)

DEPTH_MAX = 100  # so many nested template calls are an endless recursion (TMPL-13)
TOO_DEEP = f"Maximum recursion depth exceeded: {DEPTH_MAX} nested template calls; end the recursion with `when`"


def fails_fast(status: NodeStatus) -> bool:
    """Whether a template that fails fast lets nobody begin any more after this end of a call, or of an attempt: what
    makes no pod may fail (FF-2)."""
    return status.failed and status.type in FAIL_FAST


@dataclass
class Run:
    """One workflow under way."""

    address: Address  # of the workflow's actor
    spec: dict[str, Any]  # as executed: references and defaults merged, globals substituted outside templates
    library: TemplateLibrary
    variables: dict[str, Any]  # workflow.*: flat names
    known: dict[str, NodeStatus] = field(default_factory=dict)  # status.nodes as found when the actor was built
    exports: dict[str, Any] = field(default_factory=dict)  # workflow.outputs.*: flat names
    repository: dict[str, Any] | None = None  # where artifacts without a location of their own go
    cache_namespace: str = ""  # where remembered results are kept; empty: beside the workflow
    claims: tuple[tuple[str, str], ...] = ()  # volume name, PersistentVolumeClaim: of volumeClaimTemplates
    permits: bool = False  # pods must ask the workflow before they begin (parallelism, suspension)
    shutdown: str = ""  # Stop or Terminate, once asked for
    deadline: float | None = None  # epoch seconds, of spec.activeDeadlineSeconds
    past_deadline: bool = False  # and it has passed
    began: float | None = None  # epoch seconds
    active: dict[str | None, dict[str, str]] | None = None  # see recorded_inside
    lockers: frozenset[str] = frozenset()  # nodes that had locks when the record was written
    edges: Mapping[str, Iterable[str]] = field(default_factory=dict)  # node id -> who hangs on it: drawn so far
    found: dict[str, None] = field(default_factory=dict)  # names of nodes whose pods were there when it began and work
    found_over: list[str] = field(default_factory=list)  # likewise, and have ended

    @property
    def name(self) -> str:
        """The workflow's name: node ids and pod names are made of it."""
        return self.address.name

    def node_address(self, node_id: str) -> Address:
        """Where the actor of a node lives."""
        return Address("node", self.address.namespace, self.address.name, self.address.uid, node_id)

    def recorded_inside(self, boundary: str | None) -> dict[str, str]:
        """Who held a permit when the record was written: of a boundary, or (None) of the workflow, which counts pods.
        Ids, with names.

        An attempt's permit is asked for by its Retry node, which keeps it between attempts if it has locks."""
        if self.active is None:
            self.active = {}
            for node in self.known.values():
                if node.phase in {"Pending", "Running"} and node.type in {"Pod", "Steps", "DAG"}:
                    retried = node.node_flag is not None and node.node_flag.retried
                    name = node.name[: node.name.rfind("(")] if retried else node.name
                    counts = node.type == "Pod" and not node.synchronization_status  # PAR-3
                    for place in (node.boundary_id, None) if counts else (node.boundary_id,):
                        self.active.setdefault(place, {})[ids.node_id(self.name, name)] = name
                elif node.phase == "Running" and node.type == "Retry" and node.id in self.lockers:
                    self.active.setdefault(node.boundary_id, {})[node.id] = node.name
        return self.active.get(boundary, {})

    def found_inside(self, boundary: str) -> dict[str, str]:
        """Who holds a permit of a boundary (by its name) for a pod that was found working, on record or not."""
        return self._calls(boundary, self.found)

    def found_over_inside(self, boundary: str) -> dict[str, str]:
        """Who had a permit of a boundary (by its name) for pods that were found and have all ended."""
        working = self.found_inside(boundary)
        return {call: name for call, name in self._calls(boundary, self.found_over).items() if call not in working}

    def _calls(self, boundary: str, names: Iterable[str]) -> dict[str, str]:
        calls = {ids.called_from(boundary, name) for name in names} - {""}
        return {ids.node_id(self.name, call): call for call in sorted(calls)}

    def recorded_failure(self, boundary: str) -> bool:
        """Whether a direct child of a boundary had failed when the record was written."""
        return any(node.boundary_id == boundary and fails_fast(node) for node in self.known.values())

    def stopped(self, *, on_exit: bool) -> bool:
        """Whether the shutdown that was asked for concerns a node: exit handlers survive a Stop (OP-1, OP-2)."""
        return bool(self.shutdown) and not (on_exit and self.shutdown == "Stop")

    def overdue(self, *, on_exit: bool) -> bool:
        """Whether the passed deadline concerns a node: exit handlers are exempt (EXIT-7)."""
        return self.past_deadline and not on_exit

    def functions(self, who: str, now: float) -> Functions:
        """Time and chance for the expressions of one node: the same again for the same node and second.

        What they say of `workflow.duration` is as of then."""
        self.tell_duration(now)
        return Functions(float(int(now)), seed=f"{self.address.uid}/{who}")

    def tell_duration(self, now: float) -> None:
        """How long it has run by now, in seconds."""
        if self.began is not None:
            self.variables["workflow.duration"] = f"{max(0.0, now - self.began):.6f}"

    def own_arguments(self) -> dict[str, Any]:
        """The workflow's arguments with their values: what an exit handler gets to which nothing is passed."""
        own = self.spec.get("arguments") or {}
        parameters = [
            {"name": entry["name"], "value": self.variables[f"workflow.parameters.{entry['name']}"]}
            for entry in own.get("parameters") or ()
        ]
        return {"parameters": parameters, "artifacts": own.get("artifacts") or []}

    def globals(self) -> dict[str, Any]:
        """`workflow.*` as of now, global outputs included."""
        return {**self.variables, **self.exports}


@dataclass(frozen=True, slots=True)
class Call:
    """A template about to run as a node: what its parent decided.

    `arguments` are substituted; `None` as a parameter's value is an absent optional (ABS-2)."""

    run: Run
    parent: Address
    node_name: str
    boundary: str  # node id of the enclosing Steps or DAG; empty for the root
    boundary_name: str
    resolved: Resolved
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""  # "steps" or "tasks": what the caller's scope calls it
    caller: str = ""  # the step's or task's name
    caller_scope: str = ""  # where the caller's own names are looked up; empty: where the template stands
    include_result: bool = False
    hooked: bool = False
    retried: bool = False
    on_exit: bool = False
    depth: int = 0
    attempt: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)  # retries, lastRetry.*
    gate: Address | None = None  # a boundary with parallelism or failFast: it must permit
    permitted: bool = False  # its Retry node has asked for it
    order: tuple[int, ...] = ()  # where it stands in the walk through the tree
    boundary_template: Mapping[str, Any] = field(default_factory=dict)  # nodeSelector, … are inherited (POD-1)
    avoid_hosts: tuple[str, ...] = ()
    deadline: float | None = None  # epoch seconds: of the retry's backoff.maxDuration

    @property
    def id(self) -> str:
        """The node's id."""
        return ids.node_id(self.run.name, self.node_name)

    @property
    def address(self) -> Address:
        """The node's actor."""
        return self.run.node_address(self.id)

    @property
    def template(self) -> dict[str, Any]:
        """The template as written (inputs not yet substituted)."""
        return self.resolved.template

    @property
    def repeated(self) -> bool:
        """Whether a Retry node stands between the caller and the template (RTY-1)."""
        if self.retried:
            return False
        own = self.template.get("retryStrategy")
        return (own if own is not None else self.run.spec.get("retryStrategy")) is not None


@dataclass(frozen=True, slots=True)
class Leftover:
    """A node that had ended before a restart, whose pod may still have to be let go.

    `workflow_phase` is set when the workflow has ended, too."""

    run: Run
    node: NodeStatus
    workflow_phase: str = ""
    pod: str = ""  # the pod's name, when the record may not tell it
    unseen: bool = False  # the cache need not have shown the pod: the server knows
    recorded: bool = True  # its end; else it is told when that is, and the pod stays until then


@dataclass(frozen=True, slots=True)
class AgentCall:
    """The agent of a workflow; `over` when only its traces are to be removed."""

    run: Run
    over: bool = False

    @property
    def id(self) -> str:
        """What stands for a node's id in its address and in the annotation of its pods."""
        return ids.node_id(self.run.name, "agent")

    @property
    def address(self) -> Address:
        """The agent's actor."""
        return self.run.node_address(self.id)


@dataclass(frozen=True, slots=True)
class CollectCall:
    """Who deletes the artifacts of a finished workflow."""

    run: Run

    @property
    def id(self) -> str:
        """What stands for a node's id in its address and in the annotation of its pods."""
        return ids.node_id(self.run.name, "artifact-gc")

    @property
    def address(self) -> Address:
        """The collector's actor."""
        return self.run.node_address(self.id)


def refused(node: NodeStatus, workflow: str, statuses: Mapping[str, NodeStatus]) -> bool:
    """Whether the engine could not go on with a node of this workflow.

    Seen from the record, since who asks may have begun after the node's end: an entry of type Skipped, steps and a DAG
    are an Error with words of their own for no other reason; a pod that was never made has seen no host; of a suspended
    node its words tell; and a Retry node ends with the words of such an attempt if its policy allows no other.
    Its strategy could not be read where it is an Error and the last attempt has merely Failed."""
    if node.phase != "Error" or node.message in {"", TOO_DEEP}:
        return False
    if node.type == "Retry":
        names = (ids.attempt(node.name, number) for number in itertools.count())
        found = (statuses.get(ids.node_id(workflow, name)) for name in names)
        last = deque((each for each in itertools.takewhile(bool, found) if each is not None), maxlen=1)
        return any(
            each.phase == "Failed" or (each.message == node.message and refused(each, workflow, statuses))
            for each in last
        )
    if node.type == "Pod":
        return not node.host_node_name and node.message != POD_DELETED
    if node.type == "Suspend":  # else somebody has set it
        return node.message.startswith(("unable to parse ", "raw output parameter "))
    return node.type in {"Skipped", "Steps", "DAG"}

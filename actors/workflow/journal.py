"""The journal knows what of `status.nodes` is not on record yet, and sums what nodes report up the tree.

Every write carries only what changed since the last acknowledged one; a change costs the depth of its node, never the
number of nodes. Edges belong to the journal because they are drawn by others than the node they start from.
(PROG-1, RDUR-1; § status fields.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from actors.messages import EXECUTABLE, NodeStatus, node_from_json
from actors.packing import NodePack, nodes_of

HOOK = re.compile(r"(\.hooks\.[^.]+|\.onExit)$")  # a hook is started by whoever started what it hangs on
LEAVES = EXECUTABLE | {"Skipped"}
FINAL = frozenset({"Succeeded", "Failed", "Error", "Skipped", "Omitted"})
WHOLE = ""  # the parent of the nodes that have none: the workflow itself


def parse_progress(text: str) -> tuple[int, int]:
    """`N/M` as two numbers; nothing else counts."""
    done, _, total = text.partition("/")
    return (int(done), int(total)) if done.isdigit() and total.isdigit() else (0, 0)


def merge_patch(old: Any, new: Any) -> Any:
    """The smallest JSON merge patch from `old` to `new`; both are maps."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if before == value and key in old:
            continue
        nested = isinstance(before, dict) and isinstance(value, dict)
        patch[key] = merge_patch(before, value) if nested else value
    return patch


def parent_of(name: str, composites: Mapping[str, str]) -> str:
    """The id of the node that started a node of this name, from the ids of all composites by their names."""
    owner = HOOK.sub("", name)
    for at in range(len(name) - 1, len(owner), -1):  # an attempt at a hook was started by the hook
        if name[at] in "[(" and name[:at] in composites:
            return composites[name[:at]]
    for at in range(len(owner) - 1, 0, -1):
        if owner[at] in "[.(" and owner[:at] in composites:
            return composites[owner[:at]]
    return WHOLE


def _runs_a_pod(status: NodeStatus) -> bool:
    return status.type == "Pod" and status.phase == "Running"


class Turn(NamedTuple):
    """A node is in another phase than `before` (empty: it is new)."""

    status: NodeStatus
    before: str


@dataclass
class Journal:
    """What every node is, what of it is on record, and the sums above it."""

    statuses: dict[str, NodeStatus] = field(default_factory=dict)
    children: dict[str, dict[str, None]] = field(default_factory=dict)  # ordered, each once
    promised: dict[str, list[str]] = field(default_factory=dict)  # child that has not begun -> whom it will follow
    parents: dict[str, str] = field(default_factory=dict)
    written: dict[str, dict[str, Any]] = field(default_factory=dict)  # as acknowledged
    dirty: dict[str, None] = field(default_factory=dict)
    progress: dict[str, tuple[int, int]] = field(default_factory=dict)  # done, all: of each node and what is below it
    durations: dict[str, dict[str, int]] = field(default_factory=dict)  # likewise, resource -> seconds of its base unit
    unended: set[str] = field(default_factory=set)  # nodes that are under way: the workflow waits for them
    pods_running: int = 0  # nodes that are a running pod
    estimates: dict[str, int] = field(default_factory=dict)  # name of a node -> how many seconds it may take
    turns: list[Turn] = field(default_factory=list)  # changes of phase that nobody has reported yet
    waiting: dict[str, None] = field(default_factory=dict)  # nodes to tell when their last state is on record
    pack: NodePack = field(default_factory=NodePack)  # the same nodes, for when they are too large to be written inline
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)  # in the write that is under way
    doubtful: dict[str, dict[str, Any]] = field(default_factory=dict)  # in writes that may have happened all the same
    asked: set[str] = field(default_factory=set)  # were told of an edit: not written before they say what they are
    contradicted: str = ""  # a node that somebody has ended in another way, before its end here was on record

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> Journal:
        """The journal of a status found on record; its sums are made anew, since others may have taken nodes away."""
        journal = cls()
        for node_id, entry in nodes_of(status).items():
            journal.written[node_id] = dict(entry)
            journal.statuses[node_id] = node_from_json(entry)
            journal.children[node_id] = dict.fromkeys(entry.get("children") or ())
            journal.pack.put(node_id, entry)
            if entry.get("estimatedDuration"):
                journal.estimates[entry["name"]] = entry["estimatedDuration"]
        journal.pods_running = sum(_runs_a_pod(node) for node in journal.statuses.values())
        journal._sum_up()
        return journal

    def _sum_up(self) -> None:
        composites = {node.name: node.id for node in self.statuses.values() if node.type not in LEAVES}
        for node in self.statuses.values():
            self.parents[node.id] = parent_of(node.name, composites)
        for node in self.statuses.values():
            if node.type in EXECUTABLE:
                self._sum_progress(node)
                self._sum_durations(node)
        self.dirty.clear()

    def change(self, status: NodeStatus, parent: str, *, wants_record: bool = False) -> None:
        """A node is now so."""
        before = self.statuses.get(status.id)
        first = status.id not in self.parents
        if before is None or before.phase != status.phase:
            self.turns.append(Turn(status, before.phase if before is not None else ""))
        self.pods_running += _runs_a_pod(status) - (before is not None and _runs_a_pod(before))
        self.parents.setdefault(status.id, parent)
        self.statuses[status.id] = status
        self.asked.discard(status.id)
        self.dirty.update(dict.fromkeys(self.promised.pop(status.id, ())))
        if status.ended:
            self.unended.discard(status.id)
        else:
            self.unended.add(status.id)
        if before != status or first:
            self.dirty[status.id] = None
        self._sum_progress(status)
        self._sum_durations(status)
        if wants_record and status.ended:
            self.waiting[status.id] = None
            self.dirty[status.id] = None

    def has_ended(self, node_id: str) -> bool:
        """Whether a node is known to have ended."""
        known = self.statuses.get(node_id)
        return known is not None and known.ended

    def edge(self, parents: tuple[str, ...], child: str) -> None:
        """`child` follows each of `parents`."""
        for parent in parents:
            known = self.children.setdefault(parent, {})
            if child not in known:
                known[child] = None
                self.dirty[parent] = None
            if child not in self.statuses:
                self.promised.setdefault(child, []).append(parent)

    def _sum_progress(self, status: NodeStatus) -> None:
        if status.type not in EXECUTABLE:
            return
        own = parse_progress(status.progress)
        before = self.progress.get(status.id, (0, 0))
        change = (own[0] - before[0], own[1] - before[1])
        if change == (0, 0):
            return
        self.progress[status.id] = own
        for above in self._above(status.id):
            so_far = self.progress.get(above, (0, 0))
            self.progress[above] = (so_far[0] + change[0], so_far[1] + change[1])
            self.dirty[above] = None

    def _sum_durations(self, status: NodeStatus) -> None:
        own = status.resources_duration
        if not own or status.id in self.durations:
            return
        self.durations[status.id] = own
        for above in self._above(status.id):
            sums = self.durations.setdefault(above, {})
            for resource, amount in own.items():
                sums[resource] = sums.get(resource, 0) + amount
            self.dirty[above] = None

    def _above(self, node_id: str) -> list[str]:
        chain = []
        at = node_id
        while at != WHOLE:
            at = self.parents.get(at, WHOLE)
            if at not in self.statuses or self.statuses[at].type not in EXECUTABLE:  # a set's pod counts beside its own
                chain.append(at)
        return chain

    # ------------------------------------------------------------------------------------------ writing

    def entry(self, node_id: str) -> dict[str, Any]:
        """A node as it is to stand in `status.nodes`."""
        entry = self.statuses[node_id].to_json()
        children = self.children.get(node_id)
        there = [child for child in children or () if child in self.statuses]  # the others have not begun
        if there:
            entry["children"] = there
        if node_id in self.progress:
            entry["progress"] = "{}/{}".format(*self.progress[node_id])
        if self.estimates and entry["name"] in self.estimates:
            entry["estimatedDuration"] = self.estimates[entry["name"]]
        if self.durations.get(node_id):
            entry["resourcesDuration"] = self.durations[node_id]
        return entry

    def take(self) -> dict[str, Any]:
        """The merge patch of `status.nodes` for everything dirty; it counts as sent until acknowledged."""
        patch: dict[str, Any] = {}
        self.sent = {}
        for node_id in self.dirty:
            if node_id not in self.statuses or self._waits(node_id):
                continue
            entry = self.entry(node_id)
            self.sent[node_id] = entry
            self.pack.put(node_id, entry)
            change = merge_patch(self.written.get(node_id, {}), entry)
            if change:
                patch[node_id] = change
        known = {node_id for node_id in self.dirty if node_id in self.statuses and not self._waits(node_id)}
        self.dirty = {node_id: None for node_id in self.dirty if node_id != WHOLE and node_id not in known}
        return patch

    def _waits(self, node_id: str) -> bool:
        """Whether a node is not to be written yet."""
        return node_id in self.asked or self._lags(node_id)

    def _lags(self, node_id: str) -> bool:
        """Whether the record knows more: the last words of a former life arrived after this one had begun.

        A pod's end, once written, is not taken back; this life is about to see it too."""
        status, written = self.statuses[node_id], self.written.get(node_id) or {}
        return status.type == "Pod" and not status.ended and written.get("phase") in FINAL

    def entries(self) -> dict[str, Any]:
        """All nodes as they are to stand in `status.nodes`."""
        return {node_id: self.entry(node_id) for node_id in self.statuses}

    def acknowledged(self) -> list[str]:
        """What was sent is on record: the nodes that wait for that, in order."""
        self.written.update(self.sent)
        self.doubtful.clear()
        told = [
            node_id
            for node_id in self.waiting
            if node_id in self.sent and self.sent[node_id].get("phase") == self.statuses[node_id].phase
        ]
        for node_id in told:
            del self.waiting[node_id]
        self.sent = {}
        return told

    def refused(self) -> None:
        """What was sent is not on record, or nobody knows: it is dirty again."""
        self.dirty.update(dict.fromkeys(self.sent))
        self.doubtful.update(self.sent)
        self.sent = {}

    def edits(self, nodes: Mapping[str, Mapping[str, Any]]) -> list[NodeStatus]:
        """What somebody else wrote: entries that are neither what was acknowledged nor what is known by now."""
        found = []
        for node_id in [known for known in self.written if known not in nodes]:
            del self.written[node_id]  # taken off the record: what is written next is the whole entry again
            self.dirty[node_id] = None
        for node_id, entry in nodes.items():
            if node_id not in self.statuses or entry == self.written.get(node_id):
                continue
            before = self.written.get(node_id)
            self.written[node_id] = dict(entry)
            self.pack.put(node_id, entry)  # what is written before the node answers does not take it back
            self.dirty[node_id] = None
            if entry == self.doubtful.get(node_id):
                continue  # our own write, whose answer was lost
            theirs = node_from_json(entry)
            ours = self.statuses[node_id]
            contradicts = theirs.ended and theirs.phase != ours.phase and (ours.ended or ours.type != "Suspend")
            if contradicts and (before is None or not node_from_json(before).ended):
                self.contradicted = ours.name
            if (theirs.phase, theirs.message, theirs.outputs) != (ours.phase, ours.message, ours.outputs):
                found.append(theirs)
                if not ours.ended:
                    self.asked.add(node_id)
        return found

    def total(self) -> str:
        """`status.progress` of the workflow."""
        return "{}/{}".format(*self.progress.get(WHOLE, (0, 0)))

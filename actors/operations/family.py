"""Which node is inside which, and which nodes follow which: two relations over the nodes of one workflow.

Containment is in the names, which are built from the outside in: `w[0].a(1).b` is inside `w[0].a(1)`. What follows is
in `children`, which draws flow. A hook is inside the node it hangs on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from actors.names import ids
from actors.operations.record import Node

SEPARATORS = "[.("
COMPOSITES = frozenset({"Steps", "StepGroup", "DAG", "TaskGroup", "Retry"})
NOBODY = ""


@dataclass
class Family:
    """The nodes of one workflow by id, with both relations."""

    workflow: str
    nodes: Mapping[str, Node]
    owner: dict[str, str] = field(default_factory=dict)  # id -> id of what it is inside of; none for the outermost
    inside: dict[str, list[str]] = field(default_factory=dict)  # the same the other way round

    def __post_init__(self) -> None:
        by_name = {node.get("name", ""): node_id for node_id, node in self.nodes.items()}
        for node_id, node in self.nodes.items():
            owner = self._owner_of(node.get("name", ""), by_name)
            self.owner[node_id] = owner
            self.inside.setdefault(owner, []).append(node_id)

    def _owner_of(self, name: str, by_name: Mapping[str, str]) -> str:
        if self.hangs_on_workflow(name):
            return NOBODY
        for at in range(len(name) - 1, 0, -1):
            if name[at] in SEPARATORS and name[:at] in by_name:
                return by_name[name[:at]]
        return NOBODY

    def hangs_on_workflow(self, name: str) -> bool:
        """Whether a node is the workflow's own exit handler or hook, or inside one."""
        exits = ids.on_exit(self.workflow)
        return name.startswith(ids.hook(self.workflow, "")) or (
            name.startswith(exits) and name[len(exits) : len(exits) + 1] in ("", *SEPARATORS)
        )

    def is_exit_handler(self, name: str) -> bool:
        """Whether a node is the workflow's exit handler, or inside of it."""
        return self.hangs_on_workflow(name) and not name.startswith(ids.hook(self.workflow, ""))

    def is_hook(self, node_id: str) -> bool:
        """Whether a node is a hook or an exit handler of another node, and not an attempt of one."""
        node = self.nodes[node_id]
        flag = node.get("nodeFlag") or {}
        attempt = bool(flag.get("retried")) and node.get("type") != "Retry"
        return (bool(flag.get("hooked")) and not attempt) or str(node.get("name", "")).endswith(".onExit")

    def with_inside(self, node_id: str) -> set[str]:
        """A node and everything inside it."""
        found: set[str] = set()
        left = [node_id]
        while left:
            at = left.pop()
            if at not in found:
                found.add(at)
                left += self.inside.get(at, ())
        return found

    def around(self, node_id: str) -> Iterable[str]:
        """What a node is inside of, from the nearest outwards."""
        at = self.owner.get(node_id, NOBODY)
        while at != NOBODY:
            yield at
            at = self.owner.get(at, NOBODY)

    def following(self, node_ids: Iterable[str]) -> set[str]:
        """Everything that comes after these nodes in the flow, hooks apart; not they themselves."""
        start = set(node_ids)
        found: set[str] = set()
        left = list(start)
        while left:
            for child in self.nodes[left.pop()].get("children") or ():
                if child in self.nodes and child not in found and child not in start and not self.is_hook(child):
                    found.add(child)
                    left.append(child)
        return found

"""What of a finished workflow has to run again: the nodes to take away, and those around them that are open again.

From the workflow's first node downwards: a composite that failed is open again because of the failed nodes in it; a
leaf that failed is taken away with all that follows it. A failure that the workflow went past (something after it
succeeded) stays, unless nothing else explains why its composite failed. Attempts begin again with the first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.operations.family import COMPOSITES, NOBODY, Family
from actors.operations.record import FAILED, Node


@dataclass
class Cut:
    """The decision: `gone` are taken away, `opened` are Running again; all other nodes stay as they are."""

    family: Family
    gone: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)

    def take_away(self, node_id: str) -> None:
        """This node, what is inside it, and what follows it; what it is inside of is open again."""
        unit = self._whole(node_id)
        taken = self.family.with_inside(unit)
        self._without_successors(taken)
        self._open_around(unit)

    def reopen(self, node_id: str) -> None:
        """This composite is open again, and what followed it has not happened."""
        if node_id in self.opened:
            return
        self.opened.add(node_id)
        inside = self.family.with_inside(node_id)
        self.gone |= self._wholes(self.family.following(inside))
        for hook in self._hooks_of(node_id):
            self.gone |= self.family.with_inside(hook)

    def failed(self, node_id: str) -> None:
        """This node failed: open it, or take it away."""
        node = self.family.nodes[node_id]
        kind = node.get("type")
        if kind not in COMPOSITES or node_id in self.gone:
            self.take_away(node_id)
            return
        self.reopen(node_id)
        if kind == "Retry":
            self._first_attempt_again(node_id)
            return
        for child in self._guilty(node_id):
            self.failed(child)

    def expand_again(self) -> None:
        """Loops that are open again make their items anew: the values that they are made of may have changed."""
        for node_id in self.opened - self.gone:
            if self.family.nodes[node_id].get("type") in {"TaskGroup", "StepGroup"}:
                for child in self.family.inside.get(node_id, ()):
                    if str(self.family.nodes[child].get("name", "")).endswith(")"):
                        self._without_successors(self.family.with_inside(child))

    def serve_again(self, daemons: Iterable[str]) -> None:
        """Daemons inside what is open again have ended with it: they start again, what followed them stays."""
        open_now = self.opened - self.gone
        for node_id in daemons:
            if self.family.nodes[node_id].get("boundaryID") in open_now:
                unit = self._whole(node_id)
                self.gone |= self.family.with_inside(unit)
                self.opened.update(self.family.around(unit))

    def _without_successors(self, taken: set[str]) -> None:
        self.gone |= taken | self._wholes(self.family.following(taken))

    def _wholes(self, node_ids: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for node_id in node_ids:
            if node_id not in found:
                found |= self.family.with_inside(node_id)
        return found

    def _whole(self, node_id: str) -> str:
        """An attempt is taken away with its Retry node, a container with its pod."""
        owner = self.family.owner.get(node_id, NOBODY)
        node = self.family.nodes[node_id]
        attempt = (
            owner != NOBODY and self.family.nodes[owner].get("type") == "Retry" and not self.family.is_hook(node_id)
        )
        if owner != NOBODY and (attempt or node.get("type") == "Container"):
            return self._whole(owner)
        return node_id

    def _open_around(self, node_id: str) -> None:
        """What it is inside of runs again, and what followed that has not happened."""
        for owner in self.family.around(node_id):
            if self.family.nodes[owner].get("type") in COMPOSITES:
                self.reopen(owner)

    def _first_attempt_again(self, retry: str) -> None:
        attempts = [child for child in self.family.inside.get(retry, ()) if not self.family.is_hook(child)]
        first = f"{self.family.nodes[retry].get('name', '')}(0)"
        for child in attempts:
            node = self.family.nodes[child]
            if node.get("name") == first and node.get("type") in COMPOSITES and node.get("phase") in FAILED:
                self.failed(child)
            else:
                self._without_successors(self.family.with_inside(child))

    def _guilty(self, composite: str) -> list[str]:
        """The failed nodes directly inside: those the flow did not go past, or all when there is no such."""
        children = self.family.inside.get(composite, ())
        failed = [child for child in children if self.family.nodes[child].get("phase") in FAILED]
        hooks = [child for child in failed if self.family.is_hook(child)]
        calls = [child for child in failed if child not in hooks]
        return hooks + ([child for child in calls if not self._passed(child)] or calls)

    def _passed(self, node_id: str) -> bool:
        after = self.family.following(self.family.with_inside(node_id))
        return any(self.family.nodes[follower].get("phase") == "Succeeded" for follower in after)

    def _hooks_of(self, node_id: str) -> list[str]:
        """The exit handler of a composite that is open again; its other hooks have fired once for good."""
        name = f"{self.family.nodes[node_id].get('name', '')}.onExit"
        return [child for child in self.family.inside.get(node_id, ()) if self.family.nodes[child].get("name") == name]


def daemons_in(workflow: Mapping[str, Any], nodes: Mapping[str, Node]) -> list[str]:
    """The nodes whose templates are daemons."""
    spec, status = workflow.get("spec") or {}, workflow.get("status") or {}
    stored = status.get("storedWorkflowTemplateSpec") or {}
    templates = [
        *(spec.get("templates") or ()),
        *(stored.get("templates") or ()),
        *(status.get("storedTemplates") or {}).values(),
    ]
    names = {template.get("name") for template in templates if template.get("daemon")}
    return [
        node_id
        for node_id, node in nodes.items()
        if node.get("type") == "Pod"
        and ((node.get("templateRef") or {}).get("template") or node.get("templateName")) in names
    ]

"""A dag template: every task as soon as what it depends on is settled. (DAG-1..17.)"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from actors.language.loops import Item, is_loop
from actors.messages import FAILED, ChildChanged, Edge, NodeStatus, Phase, ReturnsPermit
from actors.names import ids
from actors.node.boundary import Boundary
from actors.node.called import FAILED_FAST
from actors.node.crash import crashed
from actors.node.dag_graph import BEFORE, Graph, Task, build
from actors.node.group import NO_ITEMS, GroupCall, items_of
from actors.node.site import CALL_ERRORS, Site
from actors.run import FAIL_FAST, Call
from runtime.messages import Address, Command, Spawn, Tell

OMITTED = "omitted: depends condition not met"


class DagNode(Boundary):
    """Runs the tasks that its targets need."""

    kind = "tasks"

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.graph = Graph({}, ())
        self.sites: dict[str, Site] = {}  # task name -> its call; a looped task's stands for the whole group
        self.by_id: dict[str, str] = {}  # node id of a call or hook -> task name
        self.loops: dict[str, list[NodeStatus]] = {}  # task name -> last states of its items
        self.aggregates: dict[str, Mapping[str, Any]] = {}  # task name -> what its loop's outputs are together
        self.unreadable: dict[str, str] = {}  # task name -> why what its loop, or one before it, has made is unreadable
        self.running: set[str] = set()  # task names begun and not settled

    # ------------------------------------------------------------------------------------------ it begins

    def begin(self, now: float) -> list[Command]:
        """Start the tasks that wait for nothing."""
        try:
            self.graph = build(self.instance.template)
        except ValueError as error:
            return self.erred(str(error), now)
        if self.status.phase in {"", "Pending"}:
            self.now_is("Running", now)
        commands = self.announce()
        self.place()
        return [*commands, *self._begin_all(self.graph.roots(), now), *self.review(now)]

    def _begin_all(self, ready: list[Task], now: float) -> list[Command]:
        """Begin tasks; those that settle at once make further ones ready."""
        commands: list[Command] = []
        waiting = deque(ready)
        while waiting:
            task = waiting.popleft()
            if self.failed_fast and not self._on_record(task):
                continue
            commands += self._begin_task(task, now)
            waiting += self._settled(task.name)
        return commands

    def _on_record(self, task: Task) -> bool:
        return ids.node_id(self.run.name, ids.task(self.status.name, task.name)) in self.run.known

    def _begin_task(self, task: Task, now: float) -> list[Command]:
        site = Site(self.place(), task.declared, ids.task(self.status.name, task.name))
        site.order = site.hook_order = (*self.call.order, task.rank)
        self.sites[task.name] = site
        self.by_id[site.id] = task.name
        self.running.add(task.name)
        parents = self._parents(task)
        self._inherit(task)
        try:
            if task.clause is not None and not task.clause.evaluate(self._result):
                return self._never_runs(task, "Omitted", OMITTED, now)
        except ValueError as error:
            text = f"unable to evaluate expression '{task.declared.get('depends')}': {error}"
            return self._never_runs(task, "Error", text, now)
        if task.name in self.unreadable:
            return self._never_runs(task, "Error", self.unreadable[task.name], now)
        if is_loop(task.declared):
            return self._begin_loop(task, site, parents, now)
        return self._kept(task.name, site.begin(self.scope, parents, now))

    def _inherit(self, task: Task) -> None:
        """Who follows on a loop whose results are not JSON can be told of nothing, nor can who follows on that one."""
        for need in task.needs:
            if need in self.unreadable:
                self.unreadable.setdefault(task.name, self.unreadable[need])

    def _begin_loop(self, task: Task, site: Site, parents: tuple[str, ...], now: float) -> list[Command]:
        try:
            items = items_of(site, site.values(self.scope), self.run.functions(site.id, now))
        except CALL_ERRORS as error:
            return self._never_runs(task, "Error", str(error), now)
        if items is None:
            return self._kept(task.name, site.begin(self.scope, parents, now))
        if not items:
            return self._never_runs(task, "Skipped", NO_ITEMS, now)
        return self._spawn_group(task, site, items, parents)

    def _spawn_group(self, task: Task, site: Site, items: list[Item], parents: tuple[str, ...]) -> list[Command]:
        call = GroupCall(
            run=self.run, parent=self.address, place=replace(self.place(), order=site.order),
            node_name=site.status.name, steps=(task.declared,),
            scope=self.scope, node_type="TaskGroup", parents=parents, items=tuple(items),
        )  # fmt: skip
        site.status = call.unheard()
        return [Tell(self.run.address, Edge(parents, call.address.part)), Spawn(call.address, call)]

    def _never_runs(self, task: Task, phase: Phase, message: str, now: float) -> list[Command]:
        parents, site = self._parents(task), self.sites[task.name]
        if task.name in self.unreadable:  # its hooks could be told of nothing either
            return site.conclude(phase, message, parents, now)
        return self._kept(task.name, site.never_runs(phase, message, self.scope, parents, now))

    def _parents(self, task: Task) -> tuple[str, ...]:
        """What a task hangs on in the graph: the ends of what it depends on, or the DAG itself."""
        ends = [end for need in task.needs for end in self.sites[need].ends()]
        return tuple(dict.fromkeys(ends)) or (self.id,)

    def _kept(self, name: str, commands: list[Command]) -> list[Command]:
        for hook in self.sites[name].hooks:
            self.by_id[hook] = name
        return commands

    def _result(self, task: str, result: str) -> bool:
        """What `depends` may say of a task (DAG-3, DAG-6)."""
        status = self.sites[task].status
        items = self.loops.get(task, [])
        match result:
            case "Errored":
                return status.phase == "Error"
            case "Daemoned":
                return status.daemoned and status.phase != "Pending"
            case "AnySucceeded":
                return any(item.phase == "Succeeded" for item in items)
            case "AllFailed":
                return bool(items) and all(item.phase == "Failed" for item in items)
            case _:
                return status.phase == result

    # ------------------------------------------------------------------------------------------ it hears

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """A task's call has changed."""
        if not isinstance(word, ChildChanged):
            return super().told(sender, word, now)
        name = self.by_id.get(word.status.id)
        if name is None or self.status.ended:
            return []
        site = self.sites[name]
        if word.status.type == "TaskGroup" and word.status.id == site.id:
            commands = self._group_changed(site, word)
        else:
            commands = self._kept(name, site.child(word, self.scope, now))
        if site.status.daemoned and site.id not in self.daemons:
            self.daemons.append(site.id)
        if site.status.failed and name not in self.running:
            self.graph.late(name, site.status.phase)
        return [*commands, *self._begin_all(self._settled(name), now), *self.review(now)]

    def _group_changed(self, site: Site, word: ChildChanged) -> list[Command]:
        """A looped task: its hooks belong to its items, its aggregates to whoever comes later."""
        site.status, site.outbound, site.leaves = word.status, word.outbound, word.leaves
        self.daemons += [daemon for daemon in word.daemons if daemon not in self.daemons]
        self.loops[site.name] = list(word.items)
        self.aggregates[site.name] = word.variables
        if word.error and word.items:  # a group that crashed tells of no items
            self.unreadable[site.name] = word.error
        return []

    def _settled(self, name: str) -> list[Task]:
        site = self.sites.get(name)
        if site is None or name not in self.running or not site.settled:
            return []
        self.running.discard(name)
        self.scope.update(site.variables())
        self.scope.update(self.aggregates.pop(name, {}))
        return self.graph.settle(name, site.status.phase or "Omitted", site.passes())

    def child_ended(self, child: Address, crash: str, now: float) -> list[Command]:
        """A task's actor crashed: the task is an Error."""
        name = self.by_id.get(child.part)
        if not crash or name is None:
            return []
        site = self.sites[name]
        known = site.last_said(child.part)
        if known.ended:
            return []
        failed = known.type in FAIL_FAST
        returned = [Tell(self.address, ReturnsPermit(child.part, failed=failed))] if self.gate is not None else []
        return [*crashed(self.run, self.address, known, crash, now), *returned]

    # ------------------------------------------------------------------------------------------ it ends

    def review(self, now: float) -> list[Command]:
        """Give the verdict when nothing runs any more (DAG-11, DAG-13, DAG-16)."""
        if self.running or self.status.ended or not self.begun:
            return []
        if self.failed_fast:
            return self.conclude("Failed", now, FAILED_FAST)
        followed = [text for name, text in self.unreadable.items() if self.sites[name].status.type != "TaskGroup"]
        if followed:
            return self.cannot_conclude(followed[0], now)
        if self.stopped:
            return self.conclude("Failed", now)
        dag = self.instance.template.get("dag") or {}
        phase: Phase | None = self.graph.verdict(self._excused(), fail_fast=dag.get("failFast") is not False)
        if phase == "Succeeded" and self.unreadable:
            return self.cannot_conclude(next(iter(self.unreadable.values())), now)
        return [] if phase is None else self.conclude(phase, now)

    def _excused(self) -> dict[str, tuple[str, ...]]:
        excused = {}
        for name in self.graph.targets:
            proceed: Mapping[str, Any] = self.graph.tasks[name].declared.get("continueOn") or {}
            pairs = (("Failed", proceed.get("failed")), ("Error", proceed.get("error")))
            excused[name] = tuple(phase for phase, wanted in pairs if wanted)
        return excused

    def outbound(self) -> tuple[str, ...]:
        """The ends of the targets."""
        ends = [self.sites[name] for name in self.graph.targets if name in self.sites]
        return tuple(dict.fromkeys(end for site in ends for end in site.ends())) or (self.id,)

    def leaves(self) -> frozenset[str]:
        """What its targets pass on; of an Error that none of them knows, of its outputs say, the Error itself. That has
        words of its own; a target's Error has none here, and what hangs on that target may have passed on another."""
        found = frozenset(phase for name in self.graph.targets for phase in self.graph.tasks[name].leaves)
        own_error = self.status.phase == "Error" and bool(self.status.message) and not found & FAILED
        if not found or own_error or not self.status.ended:
            return super().leaves()
        return found - {BEFORE} | super().leaves() if BEFORE in found else found

    def waiting(self) -> str:
        """Which tasks hold it."""
        names = sorted(self.running)
        return f"for tasks {', '.join(names[:10])}" + (" …" if len(names) > 10 else "") if names else "for a permit"

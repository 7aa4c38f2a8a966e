"""A call site: one step, task or loop item, from its `when` to the end of its exit handler.

It decides whether the call runs, with which arguments, and which hooks follow; the composite that owns it only asks
whether it is settled. (STEP-3, STEP-9, COND-1..3, LOOP-6, HOOK-2, EXIT-6.)
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.arguments import arguments_for, complete_nested
from actors.language.expression import ExpressionError, evaluate_bool, nest
from actors.language.functions import NOTHING, Functions
from actors.language.tags import SubstitutionError, Unresolvable, substitute
from actors.language.when import WhenError, evaluate_when
from actors.messages import (
    COMPLETED,
    TIMED_OUT,
    ChildChanged,
    Edge,
    NodeChanged,
    NodeStatus,
    Phase,
    counted,
)
from actors.names import ids
from actors.names.timestamps import rfc3339
from actors.node.recorded import ends_of, leaves_of
from actors.node.scope import node_variables
from actors.run import Call, Run, refused
from actors.templates import TemplateNotFound, template_type
from actors.unheard import new_status, unspoken
from runtime.messages import Address, Command, Spawn, Tell

CALL_ERRORS = (SubstitutionError, ExpressionError, WhenError, TemplateNotFound, ValueError)


@dataclass(frozen=True, slots=True)
class Place:
    """Where calls are made from: the composite that owns them and the boundary they belong to."""

    run: Run
    owner: Address  # the composite's actor: hears of its children
    boundary: str
    boundary_name: str
    template: Mapping[str, Any]  # the boundary's, with its inputs filled in
    template_scope: str
    kind: str  # "steps" or "tasks"
    depth: int
    on_exit: bool = False
    gate: Address | None = None
    order: tuple[int, ...] = ()  # of the composite, in the walk through the tree
    captured: frozenset[str] = frozenset()  # names of calls whose results the template refers to


class Site:
    """One call and what hangs on it."""

    def __init__(
        self, place: Place, step: Mapping[str, Any], node_name: str, item: Mapping[str, str] | None = None
    ) -> None:
        self.place = place
        self.step = step
        self.name: str = step.get("name", "")
        self.item = item
        self._unresolved: Unresolvable = "references" if item is None else "fail"  # which tags must resolve (LOOP-6)
        self.status = new_status(node_name, place.run, "Skipped", boundary_name=place.boundary_name)
        self.called: Call | None = None  # once it runs
        self.attempt: NodeStatus | None = None  # the last one, if it is retried
        self.outbound: tuple[str, ...] = ()
        self.leaves: frozenset[str] = frozenset()  # the phases that what follows inherits
        self.functions = NOTHING  # time and chance of this call's expressions, once it begins
        self.error = ""  # why the engine could not run it
        self.daemons: tuple[str, ...] = ()
        self.dropped = False  # it never began and never will
        self.over = False  # who calls it has crashed in an earlier life: what has not begun never will
        self.hooks: dict[str, NodeStatus] = {}  # node id -> status of every hook that fired
        self.skipped = ""  # why it does not run, once it was prepared
        self.prepared: tuple[Mapping[str, Any], dict[str, Any]] | None = None  # what it calls, with which arguments
        self.callee: Mapping[str, Any] = step  # as far as its tags are filled in
        self.order = self.hook_order = place.order  # who calls it adds where among the calls this one stands
        self.exit_node = ""  # id of the exit handler's node, once it was called
        self.exit_decided = False

    @property
    def id(self) -> str:
        """The node id of the call itself."""
        return self.status.id

    @property
    def prefix(self) -> str:
        """How others refer to it: `steps.x`."""
        return f"{self.place.kind}.{self.name}"

    @property
    def expanded(self) -> str:
        """Its name with the item that it is for, `x(0:a)`: what `steps.name` says."""
        return self.status.name.removeprefix(self.place.boundary_name).partition(".")[2]

    def ends(self) -> tuple[str, ...]:
        """The nodes that whatever follows hangs on; what hangs on a Retry node last stands for it."""
        if self.dropped:
            return ()
        if self.status.type == "Retry" and self._hung:
            return (self._hung[-1],)
        return self.outbound or (self.id,)

    def passes(self) -> frozenset[str]:
        """The phases that what hangs on `ends` inherits; none: those that have reached this call."""
        if self.status.type == "Retry" and self._hung:
            return frozenset({self.hooks[self._hung[-1]].phase}) & COMPLETED or self.leaves
        return self.leaves

    @property
    def _hung(self) -> list[str]:
        """The ids of its hooks, but for those that were kept from beginning."""
        return [node_id for node_id, status in self.hooks.items() if status.phase != "Omitted"]

    @property
    def settled(self) -> bool:
        """The call is fulfilled and so is everything that hangs on it."""
        if self.dropped:
            return True
        return self.status.fulfilled and all(hook.fulfilled for hook in self.hooks.values())

    @property
    def failed(self) -> bool:
        """Failed or Error, and the step does not say to go on all the same (CONT-1)."""
        proceed = self.step.get("continueOn") or {}
        excused = {"Failed": proceed.get("failed"), "Error": proceed.get("error")}
        return self.status.failed and not excused[self.status.phase]

    @property
    def kept_back(self) -> bool:
        """It, or a hook of it, was to run and never began, since the template around it had failed fast (FF-2)."""
        return self.dropped or any(hook.phase == "Omitted" for hook in self.hooks.values())

    @property
    def timed_out(self) -> bool:
        """Its time was over before it began: no `continueOn` of a step excuses that."""
        waits = self.status.type in {"Pod", "HTTP", "Plugin"}  # what has been running has other words
        return waits and self.status.phase == "Failed" and self.status.message == TIMED_OUT

    def values(self, scope: MutableMapping[str, Any]) -> ChainMap[str, Any]:
        """All that this call may refer to: its item, its siblings, the workflow."""
        own = {**(self.item or {}), f"{self.place.kind}.name": self.expanded}
        return ChainMap(own, scope, self.place.run.exports, self.place.run.variables)

    def variables(self) -> dict[str, Any]:
        """All that others may say of this call; of a retried one it is the last attempt that they speak of."""
        declared: Mapping[str, Any] = {}
        if self.status.phase in {"Skipped", "Omitted"}:
            try:
                declared = self.place.run.library.resolve(self.callee, self.place.template_scope).template
            except TemplateNotFound:
                declared = {}
        return node_variables(self.prefix, self.attempt or self.status, declared)

    def _own_variables(self) -> dict[str, Any]:
        """What its hooks may say of it: its own status, a step's also under the name that is shown (HOOK-2)."""
        shown = self.status.display_name if self.place.kind == "steps" else self.name
        names = (f"{self.prefix}.status", f"{self.place.kind}.{shown}.status")
        return self.variables() | dict.fromkeys(names, self.status.phase)

    def _unmade(self) -> dict[str, str]:
        """The outputs that its pod, which reported, did not make: empty for its hooks' arguments, for nobody else."""
        entries = (self.status.outputs or {}).get("parameters") or ()
        unmade = [entry["name"] for entry in entries if entry.get("value") is None]
        return {f"{self.prefix}.outputs.parameters.{name}": "" for name in unmade}

    # ------------------------------------------------------------------------------------- the call itself

    def begin(self, scope: MutableMapping[str, Any], parents: tuple[str, ...], now: float) -> list[Command]:
        """Decide whether the call runs, and start it."""
        known = self.place.run.known.get(self.id)
        if known is not None and known.ended:
            self.status = counted(known)
            self.error = known.message if refused(known, self.place.run.name, self.place.run.known) else ""
            self.outbound = ends_of(self.place.run, known, self.step, self.place.template_scope)
            self.leaves = leaves_of(self.place.run, known, self.outbound)
            if known.type == "Retry":
                self.attempt = counted(self.place.run.known[self.outbound[0]])
            return [*self._adopt(known, parents), *self._follow(scope, now)]
        if self.over:
            self.dropped = True
            return []
        try:
            self.prepare(scope, now)
            if self.skipped:
                return self.never_runs("Skipped", self.skipped, scope, parents, now)
            call = self._call()
        except CALL_ERRORS as error:
            self.error = str(error)
            return self.never_runs("Error", self.error, scope, parents, now)
        self.called = call
        edge = Tell(self.place.run.address, Edge(parents, self.id))
        return [edge, Spawn(call.address, call)]

    def last_said(self, node_id: str) -> NodeStatus:
        """What the call's node, or a hook's, has said last; before its first word, what that would have been."""
        known, call = self.hooks.get(node_id, self.status), self.called
        return known if known.phase or call is None or node_id != self.id else unspoken(call)

    def prepare(self, scope: MutableMapping[str, Any], now: float) -> None:
        """Fill in all that the call refers to; nothing begins. A second time it does nothing. Raises CALL_ERRORS."""
        if self.prepared is not None or self.skipped:
            return
        values = self.values(scope)
        self.functions = self.place.run.functions(self.id, now)
        if not self.wanted(values):
            self.skipped = f"when '{self.when(values)}' evaluated false"
            with suppress(*CALL_ERRORS):
                self.callee = self._named(self.step, values)
            return
        self.prepared = self.filled(scope)

    def filled(self, scope: MutableMapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """What is called and with which arguments. Raises CALL_ERRORS."""
        values = self.values(scope)
        if "inline" in self.step:  # its own tags are its own business
            around = ChainMap(dict(self.item or {}), scope, self.place.run.exports)
            step = complete_nested({"inline": self.step["inline"]}, around)
            step = substitute(step, around, unresolved="keep", functions=self.functions)
        else:
            step = self.callee = self._named(self.step, values)
        arguments = self.step.get("arguments") or {}
        return step, arguments_for(arguments, values, unresolved=self._unresolved, functions=self.functions)

    def _named(self, call: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """What a call, this one or a hook's, names, with its tags filled in. Raises CALL_ERRORS."""
        written = complete_nested({key: call[key] for key in ("template", "templateRef") if key in call}, values)
        filled = substitute(written, values, unresolved="references", functions=self.functions)
        return {**filled, **({"inline": call["inline"]} if "inline" in call else {})}

    def when(self, values: Mapping[str, Any]) -> str:
        """The step's condition with its tags filled in."""
        written = complete_nested(self.step.get("when") or "", values)
        text: str = substitute(written, values, unresolved=self._unresolved, functions=self.functions)
        return text

    def wanted(self, values: Mapping[str, Any]) -> bool:
        """Whether `when` lets the call run. Raises WhenError or a SubstitutionError."""
        return not self.step.get("when") or evaluate_when(self.when(values))

    def unwanted(self, values: Mapping[str, Any]) -> bool:
        """Whether `when` is false for certain, whatever the item: then a loop need not be readable (LOOP-2)."""
        try:
            return not self.wanted(values)
        except CALL_ERRORS:
            return False

    def misconditioned(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether its `when` is what cannot be read: of that its group says nothing more (STEP-6)."""
        try:
            self.wanted(self.values(scope))
        except CALL_ERRORS as error:
            return isinstance(error, WhenError)
        return False

    def conclude(self, phase: Phase, message: str, parents: tuple[str, ...], now: float) -> list[Command]:
        """Record the call as ended without ever starting it: skipped, omitted, or an error."""
        stamp = rfc3339(now)
        reference = self.callee.get("templateRef")
        self.status = msgspec.structs.replace(
            self.status, phase=phase, message=message, started_at=stamp, finished_at=stamp,
            boundary_id=self.place.boundary, template_scope=self.place.template_scope, template_ref=reference,
            template_name="" if reference else str(self.callee.get("template") or ""),
        )  # fmt: skip
        self.outbound, self.leaves = (self.id,), frozenset({phase}) & COMPLETED
        return self._adopt(self.status, parents)

    def never_runs(
        self, phase: Phase, message: str, scope: MutableMapping[str, Any], parents: tuple[str, ...], now: float
    ) -> list[Command]:
        """Likewise, of a call that may have hooks for that: a task's (HOOK-2, EXIT-6)."""
        return [*self.conclude(phase, message, parents, now), *self._follow(scope, now)]

    def _adopt(self, status: NodeStatus, parents: tuple[str, ...]) -> list[Command]:
        journal = self.place.run.address
        return [Tell(journal, NodeChanged(status, self.place.owner.part)), Tell(journal, Edge(parents, status.id))]

    def _call(self) -> Call:
        assert self.prepared is not None
        place = self.place
        (step, arguments), self.prepared = self.prepared, None
        resolved = place.run.library.resolve_or_seek(step, place.template_scope)
        captured = template_type(resolved.template) == "data" or self.name in place.captured
        return Call(
            run=place.run, parent=place.owner, node_name=self.status.name, boundary=place.boundary,
            boundary_name=place.boundary_name, resolved=resolved, kind=place.kind, caller=self.expanded,
            arguments=arguments, include_result=captured, on_exit=place.on_exit, depth=place.depth + 1, gate=place.gate,
            boundary_template=place.template, caller_scope=place.template_scope, order=self.order,
        )  # fmt: skip

    # -------------------------------------------------------------------------------- what hangs on the call

    def child(self, changed: ChildChanged, scope: MutableMapping[str, Any], now: float) -> list[Command]:
        """The call's node, or one of its hooks', has changed."""
        if changed.status.id != self.id:
            dropped = not changed.status.phase  # it never began and never will
            self.hooks[changed.status.id] = (
                msgspec.structs.replace(changed.status, phase="Omitted") if dropped else changed.status
            )
            return []
        if not changed.status.phase:
            self.dropped = True
            return []
        self.status, self.outbound, self.daemons = changed.status, changed.outbound, changed.daemons
        self.error, self.leaves, self.attempt = changed.error, changed.leaves, changed.attempt
        return self._follow(scope, now)

    def _follow(self, scope: MutableMapping[str, Any], now: float) -> list[Command]:
        """Start the hooks whose expression is now true, and the exit handler once the call has completed."""
        hooks = dict(self.step.get("hooks") or {})
        leave = hooks.pop("exit", None)
        if self.step.get("onExit"):  # it wins over the hook
            leave = {"template": self.step["onExit"]}
        never_ran = self.status.type == "Skipped"
        if never_ran and (self.place.kind != "tasks" or self.item is not None):
            return []
        if not hooks and leave is None:
            return []
        commands: list[Command] = []
        values = self.values(scope).new_child(self._own_variables())
        for name, hook in hooks.items():
            node_name = ids.hook(self.status.name, name)
            if ids.node_id(self.place.run.name, node_name) not in self.hooks:
                commands += self._hook(hook, node_name, values, now)
        if leave is not None and self.status.phase in {"Succeeded", "Failed", "Error"} and not self.exit_decided:
            self.exit_decided = True
            commands += self._hook(leave, ids.on_exit(self.status.name), values, now, leaving=True)
        return commands

    def _of_item(self, hook: Mapping[str, Any], values: Mapping[str, Any], functions: Functions) -> Mapping[str, Any]:
        """A hook with the item of its step filled in, but for the arguments, which see more when it fires (LOOP-6).
        A task's hook is its loop's, not an item's: it stays as it is written."""
        if self.item is None or self.place.kind != "steps":
            return hook
        written = {key: entry for key, entry in hook.items() if key != "arguments"}
        return {**hook, **substitute(complete_nested(written, values), values, functions=functions)}

    def _fires(self, condition: str, values: ChainMap[str, Any], functions: Functions) -> bool:
        """Whether a hook's condition holds. What never ran has no outputs, and who asks for them is not meant."""
        try:
            return evaluate_bool(condition, nest(values), functions=functions)
        except CALL_ERRORS:
            if self.status.type == "Skipped":
                return False
            raise

    def _hook(
        self, hook: Mapping[str, Any], node_name: str, values: ChainMap[str, Any], now: float, *, leaving: bool = False
    ) -> list[Command]:
        place = self.place
        status = new_status(node_name, place.run, "Skipped", boundary_name=place.boundary_name)
        functions = place.run.functions(status.id, now)
        edge = Tell(place.run.address, Edge((self.id,), status.id))
        try:
            known = place.run.known.get(status.id)
            if known is not None and known.ended:
                self.hooks[status.id] = known
                return [edge]
            fired = known is not None  # before a restart: its condition may have passed since
            if not fired and self.over:
                return []
            hook = self._of_item(hook, values, functions)
            if not fired and hook.get("expression") and not self._fires(str(hook["expression"]), values, functions):
                return []
            if leaving and not fired and place.run.shutdown == "Terminate":
                return []
            resolved = place.run.library.resolve_or_seek(self._named(hook, values), place.template_scope)
            passed = hook.get("arguments") or {}
            of_workflow = leaving and not (passed.get("parameters") or passed.get("artifacts"))
            told = values.new_child(self._unmade())
            given = arguments_for(passed, told, unresolved="keep", functions=functions)
            call = Call(
                run=place.run, parent=place.owner, node_name=node_name, boundary=place.boundary,
                boundary_name=place.boundary_name, resolved=resolved, hooked=True, kind=place.kind, caller=self.name,
                arguments=place.run.own_arguments() if of_workflow else given,
                on_exit=leaving or place.on_exit, depth=place.depth + 1, gate=place.gate,
                boundary_template=place.template, caller_scope=place.template_scope, order=self.hook_order,
            )  # fmt: skip
        except CALL_ERRORS as error:
            stamp = rfc3339(now)
            self.hooks[status.id] = msgspec.structs.replace(
                status, phase="Error", message=str(error), started_at=stamp, finished_at=stamp,
                boundary_id=place.boundary, template_scope=place.template_scope,
            )  # fmt: skip
            return [Tell(place.run.address, NodeChanged(self.hooks[status.id], place.owner.part)), edge]
        self.hooks[status.id] = known or msgspec.structs.replace(unspoken(call), phase="Pending")
        return [edge, Spawn(call.address, call)]

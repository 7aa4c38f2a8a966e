"""Calls that belong together: the parallel steps of one group, the items of one looped task.

A StepGroup owns its steps and their loop items directly (STEP-2, STEP-10); a TaskGroup owns the items of one looped
DAG task (DAG-9). Both wait until every call is settled and then give their verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.arguments import complete_nested
from actors.language.aggregate import AggregateError
from actors.language.expression import ExpressionError
from actors.language.functions import Functions
from actors.language.loops import Item, LoopError, expand, is_loop
from actors.language.tags import SubstitutionError, Unresolvable, substitute
from actors.language.when import WhenError
from actors.messages import TIMED_OUT, ChildChanged, Edited, EndDaemon, NodeStatus, Phase, ReturnsPermit, Shutdown
from actors.names import ids
from actors.node.behaviour import Behaviour
from actors.node.called import FAILED_FAST
from actors.node.crash import crashed
from actors.node.scope import loop_variables, node_variables
from actors.node.site import CALL_ERRORS, Place, Site
from actors.run import FAIL_FAST, Run
from actors.unheard import new_status
from runtime.messages import Address, Command, Tell

NO_ITEMS = "Skipped, empty params"
UNRESOLVED = "failed to resolve references: "


@dataclass(frozen=True, slots=True)
class GroupCall:
    """A group about to run: its calls as written, and what they may refer to."""

    run: Run
    parent: Address
    place: Place
    node_name: str
    steps: tuple[Mapping[str, Any], ...]
    scope: MutableMapping[str, Any]  # of the owner; only read here
    node_type: str  # "StepGroup" or "TaskGroup"
    parents: tuple[str, ...] = ()
    items: tuple[Item, ...] | None = None  # of a TaskGroup

    @property
    def address(self) -> Address:
        """The group's actor."""
        return self.run.node_address(ids.node_id(self.run.name, self.node_name))

    def unheard(self) -> NodeStatus:
        """What the group is before its first word."""
        task = self.steps[0] if self.node_type == "TaskGroup" else {}
        return new_status(
            self.node_name, self.run, self.node_type, boundary_name=self.place.boundary_name,
            boundary_id=self.place.boundary, template_scope=self.place.template_scope,
            template_name=str(task.get("template") or ""), template_ref=task.get("templateRef"),
        )  # fmt: skip


class BadGroup(Exception):
    """A step of the group cannot be read; the text is the group's message."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls that one step makes."""

    sites: list[Site]
    empty: bool = False  # it loops over nothing


class Group(Behaviour):
    """Parallel calls under one node."""

    def __init__(self, call: GroupCall) -> None:
        super().__init__(call.run, call.parent, call.unheard())
        self.call = call
        self.sites: list[Site] = []
        self.by_id: dict[str, Site] = {}
        self.unsettled: set[str] = set()  # ids of the sites that still hold the group
        self.loops: dict[str, list[Site]] = {}  # step name -> its items, in order
        self.verdict: NodeStatus | None = None  # how it ended before a restart

    # ------------------------------------------------------------------------------------------ it begins

    def started(self, now: float) -> list[Command]:
        """Expand the loops and begin every call."""
        known = self.run.known.get(self.id)
        if known is not None:
            self.status = known
        if self.status.ended:
            self.verdict, self.status = known, msgspec.structs.replace(self.status, phase="Running", finished_at=None)
        if self.status.phase in {"", "Pending"}:
            self.now_is("Running", now)
        try:
            plans = [self._plan(step, now) for step in self.call.steps]
        except BadGroup as error:
            return self._refuse(str(error), now)
        commands = [] if self.verdict is not None else self.announce()
        for plan in plans:
            if plan.empty:  # drawn before those that run
                commands += self._conclude(plan.sites[0], "Skipped", NO_ITEMS, now)
        for site in [site for plan in plans if not plan.empty for site in plan.sites]:
            site.over = self.verdict is not None and (self.verdict.phase == "Error" or self._was_denied(site))
            commands += self._begin_site(site, now)
        return [*commands, *self._reopened(now), *self._judge(now)]

    def _was_denied(self, site: Site) -> bool:
        """Whether failFast had kept a call from beginning, when the group ended on record: it never began."""
        return self.verdict is not None and self.verdict.message == FAILED_FAST and site.id not in self.run.known

    def _refuse(self, message: str, now: float) -> list[Command]:
        """None of its calls begins, since one of them cannot be read (STEP-6); a task then is no group (LOOP-6)."""
        if self.verdict is None:
            if self.status.type == "TaskGroup":
                self.status = msgspec.structs.replace(self.status, type="Skipped")
            self.now_is("Error", now, message)
            return self.announce()
        return self._judge(now)

    def _reopened(self, now: float) -> list[Command]:
        """A group that has ended on record, but whose call has not, runs again (STEP-11). One that is an Error and has
        calls that never began has crashed: that stays its end, whoever judges it."""
        known = self.run.known
        if self.verdict is None or all(site in known and known[site].daemoned for site in self.unsettled):
            return []
        self.verdict = None
        self.now_is("Running", now)
        return self.announce()

    def _place(self) -> Place:
        place = self.call.place
        return Place(
            run=place.run, owner=self.address, boundary=place.boundary, boundary_name=place.boundary_name,
            template=place.template, template_scope=place.template_scope, kind=place.kind, depth=place.depth,
            on_exit=place.on_exit, gate=place.gate, captured=place.captured, order=place.order,
        )  # fmt: skip

    def _plan(self, step: Mapping[str, Any], now: float) -> Plan:
        """The calls of one step with their references filled in; none has begun. Raises BadGroup."""
        place = self._place()
        whole = Site(place, step, ids.step(self.status.name, step.get("name", "")))
        items: Sequence[Item] | None = self.call.items
        if items is None and is_loop(step):
            items = self._items(whole, now)
        if items is not None and not items:
            return Plan([whole], empty=True)
        sites = [whole] if items is None else self._looped(place, step, items)
        for site in sites:
            known = self.run.known.get(site.id)
            if known is None or not known.ended:
                self._prepare(site, whole, now)
        return Plan(sites)

    def _items(self, whole: Site, now: float) -> list[Item] | None:
        """What a loop runs over. Raises BadGroup."""
        try:
            return items_of(whole, whole.values(self.call.scope), self.run.functions(whole.id, now))
        except CALL_ERRORS as error:
            unresolved = isinstance(error, SubstitutionError | ExpressionError)
            raise BadGroup(f"{UNRESOLVED}{error}" if unresolved else str(error)) from error

    def _prepare(self, site: Site, whole: Site, now: float) -> None:
        try:
            site.prepare(self.call.scope, now)
        except WhenError as error:
            if site.item is None:  # an item's own condition is an Error of that item
                raise BadGroup(f"{UNRESOLVED}{error}") from error
        except CALL_ERRORS as error:
            raise BadGroup(self._wrong(site, whole, error)) from error

    def _wrong(self, site: Site, whole: Site, error: Exception) -> str:
        """What the group says of a call that cannot be read: of an item, whether its step can be, whatever the item."""
        if site.item is not None:
            if self.status.type == "TaskGroup":
                return str(error)
            whole.functions = site.functions
            try:
                whole.filled(self.call.scope)
            except CALL_ERRORS as whatever:
                error = whatever
            else:
                return str(error)
        artifacts = isinstance(error, ExpressionError) or str(error).startswith("Unable to resolve: ")  # a tag's differ
        return f"{UNRESOLVED}{'unable to resolve references: ' if artifacts else ''}{error}"

    def _looped(self, place: Place, step: Mapping[str, Any], items: Sequence[Item]) -> list[Site]:
        name = step.get("name", "")
        base = self.status.name if self.status.type == "TaskGroup" else ids.step(self.status.name, name)
        sites = [Site(place, step, ids.item(base, i, it.description), it.variables) for i, it in enumerate(items)]
        self.loops[name] = sites
        return sites

    def _begin_site(self, site: Site, now: float) -> list[Command]:
        self._keep(site)
        return self._settle(site, site.begin(self.call.scope, (self.id,), now))

    def _conclude(self, site: Site, phase: Phase, message: str, now: float) -> list[Command]:
        self._keep(site)
        return self._settle(site, site.conclude(phase, message, (self.id,), now))

    def _keep(self, site: Site) -> None:
        index = len(self.sites)
        site.order, site.hook_order = (*site.place.order, 0, index), (*site.place.order, 1, index)  # calls before hooks
        self.sites.append(site)
        self.by_id[site.id] = site
        self.unsettled.add(site.id)

    def _settle(self, site: Site, commands: list[Command]) -> list[Command]:
        for hook in site.hooks:
            self.by_id[hook] = site
        if site.settled:
            self.unsettled.discard(site.id)
        return commands

    # ------------------------------------------------------------------------------------------ it hears

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """A call has changed, or an order is passed on."""
        match word:
            case ChildChanged():
                return self.child_changed(word, now)
            case EndDaemon():
                return []
            case _:
                urgent = isinstance(word, Shutdown)
                return [Tell(self.run.node_address(child), word, urgent=urgent) for child in sorted(self.live)]

    def child_changed(self, word: ChildChanged, now: float) -> list[Command]:
        """One call is in a new state; the group's verdict may now be possible."""
        site = self.by_id.get(word.status.id)
        if site is None or self.status.ended:
            return []
        commands = self._settle(site, site.child(word, self.call.scope, now))
        return [*commands, *self._judge(now)]

    def child_ended(self, child: Address, crash: str, now: float) -> list[Command]:
        """A call's actor is gone; one that crashed is an Error."""
        site = self.by_id.get(child.part)
        if not crash or site is None:
            return []
        known = site.last_said(child.part)
        if known.ended:
            return []
        gate = self.call.place.gate  # who crashed cannot give back what it held
        failed = known.type in FAIL_FAST
        returned = [Tell(gate, ReturnsPermit(child.part, failed=failed))] if gate is not None else []
        return [*crashed(self.run, self.address, known, crash, now), *returned]

    # ------------------------------------------------------------------------------------------ it ends

    def _judge(self, now: float) -> list[Command]:
        if self.unsettled or self.status.ended:
            return []
        if self.verdict is not None:
            self.status = self.verdict
        elif self.status.type == "TaskGroup":
            self._judge_items(now)
        else:
            self._judge_steps(now)
        variables, unreadable = {}, ""
        try:
            variables = self._variables()
        except AggregateError as error:  # an error of who looks at it, not of the group (LOOP-8)
            unreadable = str(error)
        items = tuple(site.status for site in self.sites)
        return self.announce(variables=variables, daemons=self._daemons(), items=items, error=unreadable)

    def _judge_items(self, now: float) -> None:
        """The last failure decides; what was kept from beginning is one too: a retry makes up for it (DAG-9)."""
        failures = [site.status.phase for site in self.sites if site.status.failed]
        if not failures and any(site.kept_back for site in self.sites):
            self.now_is("Failed", now, FAILED_FAST)
            return
        phase: Phase = failures[-1] if failures else "Succeeded"  # type: ignore[assignment]  # Failed or Error
        self.now_is(phase, now)

    def _judge_steps(self, now: float) -> None:
        """What could not begin decides, then the first failure that no `continueOn` excuses (STEP-4, STEP-6)."""
        for site in self.sites:
            if site.error:
                whose = f"step group deemed errored due to child {site.status.name} error: "
                self.now_is("Error", now, site.error if site.misconditioned(self.call.scope) else whose + site.error)
                return
            if site.timed_out:
                self.now_is("Failed", now, TIMED_OUT)
                return
        for site in self.sites:
            if site.failed:
                self.now_is("Failed", now, f"child '{site.id}' failed")
                return
        self.now_is("Succeeded", now)

    def announce(self, *, wants_record: bool = False, **more: Any) -> list[Command]:
        """Tell what it now is. A StepGroup's end is put on record by its template, which may overrule it (FF-2)."""
        record, word = super().announce(wants_record=wants_record, **more)
        return [word] if self.status.ended and self.status.type == "StepGroup" else [record, word]

    def edited(self, word: Edited, now: float) -> list[Command]:
        """Likewise: what its template has said of its end is put on record again."""
        return [] if self.status.ended and self.status.type == "StepGroup" else super().edited(word, now)

    def _variables(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        looped = {site.id for sites in self.loops.values() for site in sites}
        for site in self.sites:
            if site.id not in looped:
                values |= site.variables()
        for name, sites in self.loops.items():
            items = [site.status for site in sites]
            if self.status.type == "StepGroup":  # a looped step has no node of its own: its group stands for it
                values |= node_variables(f"{self.call.place.kind}.{name}", self.status)
            if self.status.type == "TaskGroup" or any(item.phase != "Skipped" for item in items):  # LOOP-9
                values |= loop_variables(f"{self.call.place.kind}.{name}", items)
        return values

    def _daemons(self) -> tuple[str, ...]:
        own = [site.id for site in self.sites if site.status.daemoned]
        return (*own, *(daemon for site in self.sites for daemon in site.daemons))

    def outbound(self) -> tuple[str, ...]:
        """What follows a group hangs on its calls' ends; an empty group stands for itself."""
        ends = tuple(dict.fromkeys(end for site in self.sites for end in site.ends()))
        return ends or (self.id,)

    def leaves(self) -> frozenset[str]:
        """What its calls pass on: a daemon, which others end, a success; one that did not run the group's phase."""
        if not self.status.ended:
            return frozenset()
        own, served = super().leaves(), frozenset({"Succeeded"})
        passed = [site.passes() or (served if site.status.daemoned else own) for site in self.sites]
        return frozenset().union(*passed) or own

    def waiting(self) -> str:
        """Which calls hold it."""
        names = [self.by_id[site].status.display_name for site in sorted(self.unsettled)]
        return f"for {', '.join(names[:10])}" + (" …" if len(names) > 10 else "") if names else "for nothing"


def items_of(site: Site, values: Mapping[str, Any], functions: Functions) -> list[Item] | None:
    """What a step or task loops over, None when it does not. Raises CALL_ERRORS.

    Of one whose `when` is false whatever the item nothing is filled in any more: what is no list as it is written,
    since it speaks of what others have made, is no items (LOOP-2)."""
    if not site.unwanted(values):
        return expand(loop_fields(site.step, values, functions))
    try:
        return expand(loop_fields(site.step, site.place.run.exports, functions, unresolved="keep"))
    except LoopError:
        return []


def loop_fields(
    step: Mapping[str, Any],
    values: Mapping[str, Any],
    functions: Functions,
    *,
    unresolved: Unresolvable = "references",
) -> dict[str, Any]:
    """The loop of a step with its tags filled in."""
    fields = {key: step[key] for key in ("withItems", "withParam", "withSequence") if step.get(key) is not None}
    whole = complete_nested(fields, values)
    filled: dict[str, Any] = substitute(whole, values, unresolved=unresolved, functions=functions)
    return filled

"""The cron room: one actor per CronWorkflow, which wakes when it is due, begins its runs and keeps its status.

It is told of its own object and of every Workflow that the object controls. Start is restart: what the cache has is
read first, then it looks back for what was missed, and from then on it sleeps until the next moment of its timetable.
(CRON-1..10.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from actors.cron import attempt, writing
from actors.cron.backlog import missed
from actors.cron.child import CRON_WORKFLOWS, WORKFLOWS, child_of
from actors.cron.decide import SPEC_ERROR, STOPPED, outlived
from actors.cron.metrics import unfit
from actors.cron.record import Note
from actors.cron.state import CronSettings, CronState
from actors.cron.timetable import timetable
from actors.language.schedule import ScheduleError
from actors.names import labels
from actors.names.timestamps import rfc3339, seconds
from runtime import api
from runtime.messages import (
    Address,
    Command,
    Create,
    Delete,
    Done,
    Failed,
    Gone,
    Message,
    Observed,
    Patch,
    Read,
    Stop,
    WakeAt,
    Woke,
    WriteStatus,
)
from runtime.objects import Object, Reference

SETTLE, SCHEDULE, PRUNE, HISTORY = "settle", "schedule", "prune", "history"

PRUNE_AFTER_S: Final = 10.0
"""How long a run beyond the history limits stays: upstream looks as often, and its pods are released meanwhile."""


class CronMind:
    """How a CronWorkflow's actor behaves."""

    def __init__(self, settings: CronSettings | None = None) -> None:
        self.settings = settings or CronSettings()

    def birth(self, address: Address, argument: Any) -> CronState:
        """A CronWorkflow of which nothing is known yet but its name."""
        del argument
        return CronState(address)

    def waiting(self, state: CronState) -> str:
        """What happens next, and when."""
        if state.object is None:
            return "for its own object"
        if state.attempt is not None and state.attempt.scheduled is not None:
            return f"for the run of {rfc3339(state.attempt.scheduled)} to begin"
        if state.due and state.blocked:
            return f"for active runs to end, before that of {rfc3339(state.due[0])} begins"
        if _is_over(state.object):
            return "for nothing: its stop strategy has ended it"
        if state.object["spec"].get("suspend"):
            return "to be resumed (spec.suspend)"
        if state.table is None:
            return "for schedules that can be read"
        return f"until {rfc3339(state.armed)}" if state.armed is not None else "for nothing: it is never due"

    def receive(self, state: CronState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message; then begin what is due and write what changed."""
        match message:
            case Gone(ref, _) if ref.resource == CRON_WORKFLOWS:
                return [Stop()]
            case Observed(ref, thing) if ref.resource == CRON_WORKFLOWS:
                commands = self._observed(state, thing, now)
            case Observed(_, thing):
                commands = self._child(state, thing, now)
            case Gone(ref, _):
                commands = self._child_gone(state, ref.uid, now)
            case Woke(tag):
                commands = self._woke(state, tag, now)
            case Done(command, result):
                commands = self._done(state, command, result, now)
            case Failed(command, error):
                commands = self._failed(state, command, error, now)
            case _:
                return []
        if state.settled:
            commands += attempt.begin(state, self.settings, now)
            commands += writing.flush(state, now)
            commands += self._watch_history(state, now)
        return commands

    # ------------------------------------------------------------------------------------------ the object

    def _observed(self, state: CronState, thing: Object, now: float) -> list[Command]:
        if state.object is None:
            state.object = thing
            return [WakeAt(now, SETTLE)]  # its runs, as far as the cache has them, are told before that
        if state.sent is not None:
            state.pending = thing
            return []
        return self._take_in(state, thing, now)

    def _take_in(self, state: CronState, thing: Object, now: float) -> list[Command]:
        """A newer object: what somebody has changed in it."""
        before = state.cron
        if not newer(thing, before):
            return []
        state.object = thing
        if not state.settled:
            return []
        return self._heed(state, before, now)

    def _heed(self, state: CronState, before: Object | None, now: float) -> list[Command]:
        """What the spec says now; `before` is the object until now, None when there was none."""
        cron = state.cron
        commands: list[Command] = []
        if before is None or before["spec"] != cron["spec"]:
            state.unjudged = True
            if before is not None and before["spec"].get("suspend") and state.catches_up:
                state.decided = now  # nothing was missed while nothing was wished
            commands += self._read_schedules(state, now)
        self._look_back(state, now)
        return [*commands, *self._arm(state, now)]

    def _read_schedules(self, state: CronState, now: float) -> list[Command]:
        created = state.cron["metadata"].get("creationTimestamp")
        old, state.armed = state.table, None
        try:
            state.table = timetable(state.cron["spec"], self.settings.zone, seconds(created) if created else now)
        except ScheduleError as error:
            state.table, state.due = None, []
            state.notes.append(Note(wrong=SPEC_ERROR, message=str(error)))
            return [unfit()]
        if old is not None and old.text != state.table.text:
            state.due = []  # moments that are no longer its own
        return []

    def _arm(self, state: CronState, now: float) -> list[Command]:
        """Sleep until the next moment of the timetable."""
        at = None
        if state.table is not None and not state.cron["spec"].get("suspend") and not _is_over(state.cron):
            at = state.table.next(now) if state.armed is None else state.armed
        if at == state.armed:
            return []
        state.armed = at
        return [WakeAt(at, SCHEDULE)]

    def _look_back(self, state: CronState, now: float) -> None:
        """Find the runs that were missed; what waited may try again."""
        state.blocked = False
        if state.table is None or _is_over(state.cron) or state.cron["spec"].get("suspend"):
            state.due = []
            return
        found = missed(state.cron, state.wanted(now).status, state.table, state.decided, now)
        self._owe(state, found)

    def _owe(self, state: CronState, moments: Iterable[float]) -> None:
        under_way = {state.attempt.scheduled} if state.attempt is not None else set()
        first = [at for at in state.due if at in under_way]
        others = sorted({*state.due, *moments} - under_way)
        one_is_enough = not state.catches_up or state.cron["spec"].get("concurrencyPolicy") == "Replace"
        state.due = first + (others[-1:] if one_is_enough else others)

    # ------------------------------------------------------------------------------------------ its runs

    def _child(self, state: CronState, thing: Object, now: float) -> list[Command]:
        child = child_of(thing, state.address.name)
        before = state.children.get(child.uid)
        state.children[child.uid] = child
        if state.settled and child.ended and not (before is not None and before.ended):
            self._look_back(state, now)
        return []

    def _child_gone(self, state: CronState, uid: str, now: float) -> list[Command]:
        state.children.pop(uid, None)
        state.deleting.discard(uid)
        if state.settled:
            self._look_back(state, now)
        return attempt.terminated(state, uid)

    def _watch_history(self, state: CronState, now: float) -> list[Command]:
        """See to the history limits some time after a run has ended (CRON-8)."""
        if state.prune_due or not self._surplus(state):
            return []
        state.prune_due = True
        return [WakeAt(now + PRUNE_AFTER_S, PRUNE)]

    def _surplus(self, state: CronState) -> list[Reference]:
        counting = {entry.get("uid") for entry in (state.cron.get("status") or {}).get("active") or ()}
        return [
            Reference(WORKFLOWS, child.namespace, child.name, child.uid)
            for child in outlived(state.cron, list(state.children.values()))
            if child.uid not in state.deleting and child.uid not in counting
        ]

    def _prune(self, state: CronState) -> list[Command]:
        state.prune_due = False
        surplus = self._surplus(state)
        state.deleting.update(ref.uid for ref in surplus)
        return [Delete(ref, propagation="Background", tag=HISTORY) for ref in surplus]

    # ------------------------------------------------------------------------------------------ time

    def _woke(self, state: CronState, tag: str, now: float) -> list[Command]:
        match tag:
            case "settle":
                state.settled = True
                return self._heed(state, None, now)
            case "schedule":
                return self._due(state, now)
            case "prune":
                return self._prune(state)
            case writing.REREAD:
                return [Read(state.ref, writing.REREAD)]
            case attempt.AGAIN:
                return attempt.again(state, self.settings, now)
        return []

    def _due(self, state: CronState, now: float) -> list[Command]:
        """It is time; the next moment is counted from now, whatever was slept through."""
        due, state.armed = state.armed, None
        state.blocked = False
        if due is not None:
            self._owe(state, [due])
            if state.catches_up:
                self._look_back(state, now)
        return self._arm(state, now)

    # ------------------------------------------------------------------------------------------ answers

    def _done(self, state: CronState, command: Command, result: Any, now: float) -> list[Command]:
        match command:
            case WriteStatus():
                before = state.cron
                writing.acknowledged(state, result)
                return self._caught_up(state, before, now)
            case Read(tag=writing.REREAD):
                before = state.cron
                writing.reread(state, result)
                if newer(result, before):
                    state.object = result
                return self._caught_up(state, before, now)
            case Read(ref, attempt.TEMPLATE):
                return attempt.template_read(state, self.settings, ref, result, now)
            case Read(tag=attempt.WHOSE) | Create(tag=attempt.CHILD):
                return attempt.created(state, result)
            case Patch(ref, tag=attempt.TERMINATE):
                state.children[ref.uid] = child_of(result, state.address.name)
                return attempt.terminated(state, ref.uid)
        return []

    def _caught_up(self, state: CronState, before: Object, now: float) -> list[Command]:
        """A write has ended: take in what came meanwhile, and what others had changed before it."""
        pending, state.pending = state.pending, None
        if pending is not None and newer(pending, state.cron):
            state.object = pending
        return self._heed(state, before, now) if before["spec"] != state.cron["spec"] else self._arm(state, now)

    def _failed(self, state: CronState, command: Command, error: api.ApiError, now: float) -> list[Command]:
        match command:
            case WriteStatus():
                return writing.refused(state, error, now)
            case Read(tag=writing.REREAD):
                return [] if isinstance(error, api.Gone) else writing.refused(state, error, now)
            case Read(ref, attempt.TEMPLATE) if isinstance(error, api.Gone):
                return attempt.template_read(state, self.settings, ref, None, now)
            case Read(tag=attempt.TEMPLATE) | Read(tag=attempt.WHOSE) | Create():
                return attempt.failed(state, command, error, now)
            case Patch(ref, tag=attempt.TERMINATE) if isinstance(error, api.Gone):
                return attempt.terminated(state, ref.uid)
            case Patch(tag=attempt.TERMINATE):
                return attempt.failed(state, command, error, now)
            case Delete(ref, tag="history"):
                state.deleting.discard(ref.uid)  # looked at again when the next message comes
                return []
        return []


def _is_over(cron: Object) -> bool:
    """Whether it will never run again: its stop strategy has come true, or it is being deleted."""
    meta = cron["metadata"]
    done = (meta.get("labels") or {}).get(labels.CRON_COMPLETED) == "true"
    return done or (cron.get("status") or {}).get("phase") == STOPPED or bool(meta.get("deletionTimestamp"))


def newer(one: Object, other: Object) -> bool:
    """Whether `one` is a later version of the same object."""
    mine, theirs = (thing["metadata"].get("resourceVersion", "0") for thing in (one, other))
    if mine.isdigit() and theirs.isdigit():
        return int(mine) > int(theirs)
    return bool(mine != theirs)

"""The archive room: one actor brings finished workflows into the database, and forgets them there in time.

A workflow that is to be archived says so by a label, which changes when it is; so a restart goes on where it was, and
a database that is away costs nothing but time: the workflow stays (nothing deletes it by its TTL meanwhile), and one
that a person deletes is kept here until it is on record. (ARCHV-1, TTL-2)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from actors.database_messages import ARCHIVE, DATABASE, Archive, Expire
from actors.names import labels
from actors.names.resources import WORKFLOW
from runtime import api
from runtime.messages import (
    Address,
    Ask,
    Command,
    Done,
    Down,
    Failed,
    Gone,
    Message,
    Observed,
    Patch,
    Started,
    Told,
    WakeAt,
    Woke,
)
from runtime.objects import Object, Reference, Resource, reference

AGAIN, EXPIRE = "again", "expire"
WORKFLOWS = Resource(*WORKFLOW)
AT_ONCE = 8  # as many as upstream has workers for it
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # after a database that did not answer
REFUSED_S = 60.0  # after one that refused a workflow: the others are not to wait for it
DELETED_MAX = 1000  # workflows kept here that the cluster no longer has
FIRST_CARE_S = 10.0  # after the start

PENDING, ARCHIVED = "Pending", "Archived"
_LABEL = f"/metadata/labels/{labels.ARCHIVING_STATUS.replace('/', '~1')}"


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """What an installation decides about its database."""

    archive: bool = False
    keep_s: float = 0.0  # archived workflows go so long after their end; 0: never
    period_s: float = 86400.0  # between two looks for those


@dataclass
class Wish:
    """A workflow that is to be archived."""

    workflow: Object
    not_before: float = 0.0
    deleted: bool = False
    saved: str = ""  # the version of it that is on record, its label not yet


@dataclass
class ArchiveState:
    """What is to be archived, and what is on its way."""

    wishes: dict[Reference, Wish] = field(default_factory=dict)
    asked: set[Reference] = field(default_factory=set)  # a question or the label of these is on its way
    failures: int = 0  # answers in a row that did not come
    rests_until: float = 0.0
    trouble: str = ""


class ArchiveMind:
    """How the actor of the archive behaves."""

    def __init__(self, settings: ArchiveSettings | None = None) -> None:
        self.settings = settings or ArchiveSettings()

    def birth(self, address: Address, argument: object) -> ArchiveState:
        """Nothing is to be archived, as far as is known yet."""
        del address, argument
        return ArchiveState()

    def waiting(self, state: ArchiveState) -> str:
        """What keeps it, and how many wait for it."""
        if not state.wishes:
            return "for a workflow that is to be archived"
        number = f"{len(state.wishes)} workflow{'' if len(state.wishes) == 1 else 's'}"
        return f"for the database to take {number}" + (f": {state.trouble}" if state.trouble else "")

    def receive(self, state: ArchiveState, message: Message, now: float) -> Iterable[Command]:
        """Take in one message."""
        match message:
            case Started():
                return [WakeAt(now + FIRST_CARE_S, EXPIRE)]
            case Observed(ref, thing):
                self._seen(state, ref, thing)
            case Gone(ref, last):
                _lost(state, ref, last)
            case Done(command, _):
                self._done(state, command)
            case Failed(command, error):
                return self._failed(state, command, error, now)
            case Woke(tag):
                if tag == EXPIRE:
                    return self._expire(now)
            case Told() | Down():
                return []
        return self._next(state, now)

    def _seen(self, state: ArchiveState, ref: Reference, thing: Object) -> None:
        if wants_archiving(thing):
            wish = state.wishes.setdefault(ref, Wish(thing))
            wish.workflow = thing
        else:
            state.wishes.pop(ref, None)

    # ------------------------------------------------------------------------------------------ asking

    def _next(self, state: ArchiveState, now: float) -> list[Command]:
        """Ask for the next ones, oldest wish first; or see when to look again."""
        if not self.settings.archive or now < state.rests_until:
            return []
        commands: list[Command] = []
        later = []
        for ref, wish in state.wishes.items():
            if len(state.asked) >= AT_ONCE:
                break
            if ref in state.asked:
                continue
            if wish.not_before > now:
                later.append(wish.not_before)
                continue
            state.asked.add(ref)
            saved = wish.saved == _version(wish.workflow)
            commands.append(_mark(ref) if saved else Ask(DATABASE, Archive(wish.workflow)))
        return [*commands, WakeAt(min(later), AGAIN)] if later else commands

    def _done(self, state: ArchiveState, command: Command) -> None:
        match command:
            case Ask(query=Archive(workflow)):
                state.failures, state.trouble = 0, ""
                ref = _ref(workflow)
                state.asked.discard(ref)
                wish = state.wishes.get(ref)
                if wish is not None and wish.deleted:
                    del state.wishes[ref]
                elif wish is not None:
                    wish.saved = _version(workflow)  # one that has changed meanwhile is archived once more
            case Patch(ref):
                state.asked.discard(ref)
                state.wishes.pop(ref, None)

    def _failed(self, state: ArchiveState, command: Command, error: api.ApiError, now: float) -> list[Command]:
        match command:
            case Ask(query=Archive(workflow)):
                return self._not_archived(state, _ref(workflow), error, now)
            case Patch(ref) if isinstance(error, api.Gone | api.Refused):  # gone, or begun again: no longer ours
                state.asked.discard(ref)
                state.wishes.pop(ref, None)
                return self._next(state, now)
            case Patch(ref):
                state.asked.discard(ref)
                if ref in state.wishes:
                    state.wishes[ref].not_before = now + PAUSES_S[0]
                return self._next(state, now)
        return []

    def _not_archived(self, state: ArchiveState, ref: Reference, error: api.ApiError, now: float) -> list[Command]:
        state.asked.discard(ref)
        state.trouble = error.message
        if not isinstance(error, api.Unavailable):
            if ref in state.wishes:
                state.wishes[ref].not_before = now + REFUSED_S
            return self._next(state, now)
        if now >= state.rests_until:  # of all that were under way together, the first speaks for the rest
            state.rests_until = now + PAUSES_S[min(state.failures, len(PAUSES_S) - 1)]
            state.failures += 1
        return [WakeAt(state.rests_until, AGAIN)]

    # ------------------------------------------------------------------------------------------ keeping

    def _expire(self, now: float) -> list[Command]:
        """Forget what is too old."""
        settings = self.settings
        due = settings.archive and settings.keep_s > 0
        asked: list[Command] = [Ask(DATABASE, Expire(now - settings.keep_s))] if due else []
        return [*asked, WakeAt(now + settings.period_s, EXPIRE)]


def wants_archiving(workflow: Object) -> bool:
    """Whether a workflow has ended and is to be archived."""
    have = workflow["metadata"].get("labels") or {}
    return have.get(labels.ARCHIVING_STATUS) == PENDING and have.get(labels.COMPLETED) == "true"


def archive_address(thing: Object) -> Address | None:
    """What is to be archived is this room's business."""
    have = thing["metadata"].get("labels") or {}
    return ARCHIVE if have.get(labels.ARCHIVING_STATUS) == PENDING else None


def _lost(state: ArchiveState, ref: Reference, last: Object | None) -> None:
    """The workflow is deleted (it still wanted to be archived), or is another room's business by now."""
    wish = state.wishes.get(ref)
    if wish is None:
        return
    deleted = sum(wish.deleted for wish in state.wishes.values())
    if last is None or not wants_archiving(last) or deleted >= DELETED_MAX:
        del state.wishes[ref]
    else:
        wish.deleted = True


def _mark(ref: Reference) -> Command:
    """Its label says so, unless somebody has begun it again meanwhile."""
    test = {"op": "test", "path": _LABEL, "value": PENDING}
    return Patch(ref, [test, {"op": "replace", "path": _LABEL, "value": ARCHIVED}], "json")


def _ref(workflow: Object) -> Reference:
    return reference(WORKFLOWS, workflow)


def _version(workflow: Object) -> str:
    return str(workflow["metadata"].get("resourceVersion") or "")

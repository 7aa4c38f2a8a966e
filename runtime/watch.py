"""A watch as a state machine: what has happened, what is to be done next, and nothing that waits.

    Listing --last page--> Watching --closed--> Watching        every failure --> Waiting(delay) --> try again
       ^------------- Expired (410), or the back-off over --------------'

`step` is total over states and inputs. The first list is a quorum read; a watch resumes from the last version seen (an
event's or a bookmark's); when that is no longer kept, everything is listed again and the store works out who is gone.
A list that is older than what was seen is not believed, for a while: what is known never goes back.
"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, TypeAlias, assert_never

from runtime.api import ApiError, Expired, Gone, ObjectList, Throttled, WatchEvent
from runtime.backoff import delay_s
from runtime.objects import Object, is_older

SHORT_WATCH_S = 1.0
"""A server that closes a watch at once and without a word is not well: back off as after a failure."""

OLDER_LISTS_MAX = 6
"""So many lists in a row, over about twenty seconds, that are older than what is known: then the server itself is."""

ABSENT_LONGEST_S = 15.0
"""A kind that is not served may be installed at any moment, and until it is looked for whoever refers to its objects is
told that there are none. So this wait grows less than others; a dozen kinds cost a server one short answer a second."""

_STATES = frozenset({"ADDED", "MODIFIED"})

TOO_LARGE = "Too large resource version"
"""What a server says that has not come so far as the version asked for: it was restored from an older state."""

# ------------------------------------------------------------------------------------------------ states


class Listing(NamedTuple):
    """Do: list the page after `continue_` (empty: the first)."""

    continue_: str = ""
    items: tuple[Object, ...] = ()
    failures: int = 0
    known: str = ""  # the version of what is known: an older list is another server's past, and is asked for again
    older: int = 0  # such lists in a row


class Watching(NamedTuple):
    """Do: watch from `version` (until the stream ends)."""

    version: str
    failures: int = 0
    heard: bool = False  # anything since the stream was opened


class Waiting(NamedTuple):
    """Do: wait `delay_s`, then go on with `then`."""

    delay_s: float
    then: Listing | Watching


State: TypeAlias = Listing | Watching | Waiting

# ------------------------------------------------------------------------------------------------ inputs


class Paged(NamedTuple):
    """A page of the list came."""

    page: ObjectList


class Heard(NamedTuple):
    """A line of the watch came."""

    event: WatchEvent


class Closed(NamedTuple):
    """The stream ended: the server's time was up, or our own deadline for it came. It was open for `after_s`."""

    after_s: float


class Broke(NamedTuple):
    """Listing or watching failed."""

    error: ApiError


class Elapsed(NamedTuple):
    """The wait is over."""


Input: TypeAlias = Paged | Heard | Closed | Broke | Elapsed

# ----------------------------------------------------------------------------------------------- outputs


class Listed(NamedTuple):
    """These are all objects there are; also the answer to "this resource is not served": none."""

    items: tuple[Object, ...]
    served: bool = True


class Put(NamedTuple):
    """The newest state of an object."""

    object: Object


class Dropped(NamedTuple):
    """An object is gone; this was its last state."""

    object: Object


Output: TypeAlias = Listed | Put | Dropped


class Step(NamedTuple):
    """The next state, and what the store has to hear, if anything."""

    state: State
    output: Output | None = None


def step(state: State, happened: Input, dice: Random) -> Step:
    """What follows from what has happened. Inputs that do not fit the state change nothing."""
    match happened:
        case Heard(event):
            return _heard(state, event)
        case Paged(page):
            return _paged(state, page, dice)
        case Closed(after_s):
            return _closed(state, after_s, dice)
        case Broke(error):
            return _broke(state, error, dice)
        case Elapsed():
            return Step(state.then if isinstance(state, Waiting) else state)
        case _:
            assert_never(happened)


def _paged(state: State, page: ObjectList, dice: Random) -> Step:
    if not isinstance(state, Listing):
        return Step(state)
    items = (*state.items, *page.items)
    if page.continue_:
        return Step(state._replace(continue_=page.continue_, items=items, failures=0))
    older = state.older + 1
    if is_older(page.resource_version, state.known) and older <= OLDER_LISTS_MAX:
        return Step(Waiting(delay_s(older, dice), Listing(known=state.known, older=older)))
    return Step(Watching(page.resource_version), Listed(items))


def _heard(state: State, event: WatchEvent) -> Step:
    if not isinstance(state, Watching):
        return Step(state)
    version = event.object.get("metadata", {}).get("resourceVersion") or state.version
    if is_older(version, state.version):
        return Step(Listing())  # a server that was restored: what we know of it is from another history
    after = Watching(version, heard=True)
    kind: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"] = event.type
    if kind == "BOOKMARK":
        return Step(after)
    return Step(after, Dropped(event.object) if kind == "DELETED" else Put(event.object))


def anew(state: State) -> Listing | Waiting:
    """What is known may lag behind: list again, from the beginning. A wait that a server has asked for is kept."""
    if isinstance(state, Waiting):
        return Waiting(state.delay_s, anew(state.then))  # type: ignore[arg-type]  # of these two, never a wait
    return Listing(known=state.known if isinstance(state, Listing) else state.version)


def ordinary(state: State, event: WatchEvent) -> Watching | None:
    """The next state when `event` is a newer state of an object, as nearly all are; None: ask `step`."""
    if event.type not in _STATES or state.__class__ is not Watching:
        return None
    version, known = event.object["metadata"].get("resourceVersion", ""), state.version
    # Of two decimal numbers the longer one is the greater, and equally long ones compare as texts do.
    newer = version > known if len(version) == len(known) else len(version) > len(known)
    return Watching(version, 0, True) if newer and version.isdecimal() and known.isdecimal() else None


def _closed(state: State, after_s: float, dice: Random) -> Step:
    if not isinstance(state, Watching):
        return Step(state)
    if state.heard or after_s >= SHORT_WATCH_S:
        return Step(Watching(state.version))
    failures = state.failures + 1
    return Step(Waiting(delay_s(failures, dice), Watching(state.version, failures)))


def _broke(state: State, error: ApiError, dice: Random) -> Step:
    if isinstance(state, Waiting):
        return Step(state)
    failures = state.failures + 1
    delay = max(delay_s(failures, dice), error.after_s if isinstance(error, Throttled) else 0.0)
    if isinstance(error, Expired) or (isinstance(state, Watching) and TOO_LARGE in error.message):
        # At once the first time; a server that expires what it has just listed gets the back-off.
        known = state.known if isinstance(state, Listing) else state.version
        older = state.older if isinstance(state, Listing) else 0
        again = Listing(failures=failures, known=known if isinstance(error, Expired) else "", older=older)
        return Step(again if failures == 1 else Waiting(delay, again))
    if isinstance(error, Gone):
        absent_s = delay_s(failures, dice, longest_s=ABSENT_LONGEST_S)
        return Step(Waiting(absent_s, Listing(failures=failures)), Listed((), served=False))
    if isinstance(state, Listing):
        return Step(Waiting(delay, state._replace(failures=failures)))
    return Step(Waiting(delay, state._replace(failures=failures, heard=False)))

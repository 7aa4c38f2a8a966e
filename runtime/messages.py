"""All that an actor can be told, and all that it may ask: two closed lists.

Messages say what is, not what happened: a newer state of a subject replaces the older one in the mailbox. Commands are
values; only a performer does anything. Every consumer of `Command` is a `match` that ends in `assert_never`.

They are structs because they are made more often than anything else: one costs a quarter of a frozen dataclass.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import msgspec

from runtime.api import ApiError, LogOptions, PatchType, Propagation, Selection
from runtime.metric import Labels, Metric
from runtime.objects import Object, Reference, Resource


class Address(NamedTuple):
    """Who an actor is: the room it lives in, the object it stands for, and which part of that object."""

    room: str  # "workflow", "node"
    namespace: str
    name: str  # of the Kubernetes object it stands for or belongs to
    uid: str
    part: str = ""  # of that object: a node's id; empty for the object itself

    def __str__(self) -> str:
        return f"{self.room}:{self.namespace}/{self.name}" + (f"#{self.part}" if self.part else "")


OUTSIDE = Address("system", "", "", "")
"""The sender of what is told from outside any actor."""


# ------------------------------------------------------------------------------------------------ messages


class Started(msgspec.Struct, frozen=True):
    """The first message of every life. `attempt` is 0 for the first one, counted up by restarts after a crash."""

    attempt: int = 0


class Observed(msgspec.Struct, frozen=True):
    """The newest state of an object that routes to this actor. Replaces an older one of the same reference and uid."""

    ref: Reference
    object: Object


class Gone(msgspec.Struct, frozen=True):
    """The object `ref` (that uid) is no longer there; `last` is the last state seen."""

    ref: Reference
    last: Object | None = None


class Woke(msgspec.Struct, frozen=True):
    """A wake-up asked for by WakeAt, of that tag, has come."""

    tag: str


class Done(msgspec.Struct, frozen=True):
    """A command was performed. `result` is the object as stored (Create, WriteStatus, Patch, Read), a list of objects
    (List), bytes (ReadLog), the service's answer (Ask), or None."""

    command: Command
    result: Any = None


class Failed(msgspec.Struct, frozen=True):
    """A command was not performed, or nobody knows: `error` says what to do next."""

    command: Command
    error: ApiError


class Told(msgspec.Struct, frozen=True):
    """Another actor says `word` (one of the rooms' own message types). FIFO per sender."""

    sender: Address
    word: Any


class Asked(NamedTuple):
    """What comes as `Told.word` from somebody who waits for an answer (Question): reply with Answer(number, …)."""

    number: int
    word: Any


class Down(msgspec.Struct, frozen=True):
    """A child, or somebody monitored, has ended. `reason` is its own (Stop's, "normal" unless it says otherwise),
    "crashed" with the exception's text in `detail`, "ended" with its parent, or "absent": nobody lived there."""

    child: Address
    reason: str
    detail: str = ""


Message: TypeAlias = Started | Observed | Gone | Woke | Done | Failed | Told | Down


# ------------------------------------------------------------------------------------------------ commands


class Create(msgspec.Struct, frozen=True):
    """Create an object. AlreadyExists comes back as Failed: the mind looks whether it is its own.

    What became of an Event is not told: it is for people."""

    resource: Resource
    object: Object
    tag: str = ""


class WriteStatus(msgspec.Struct, frozen=True):
    """Merge-patch an object's status, computed from `resource_version` (sent as a precondition).

    `patch` is the whole merge patch (so labels may travel with the status). Written before everything else."""

    ref: Reference
    patch: Object
    resource_version: str
    subresource: str = ""  # "status" where the kind has that subresource
    tag: str = ""


class Patch(msgspec.Struct, frozen=True):
    """Patch an object; ref.uid, when set, is a precondition."""

    ref: Reference
    body: Any
    kind: PatchType = "merge"
    subresource: str = ""
    tag: str = ""


class Delete(msgspec.Struct, frozen=True):
    """Delete that very object (ref.uid is a precondition). An absent one is Done."""

    ref: Reference
    grace_s: int | None = None
    propagation: Propagation | None = None
    tag: str = ""


class Read(msgspec.Struct, frozen=True):
    """Read an object live, past every cache. Absent comes back as Failed with runtime.api.Gone."""

    ref: Reference
    tag: str = ""


class List(msgspec.Struct, frozen=True):
    """List objects live, past every cache: for what is needed so seldom that nobody watches it.

    Done.result is a list of at most LIST_MAX objects (the kernel reads page by page)."""

    resource: Resource
    selection: Selection
    tag: str = ""


class ReadLog(msgspec.Struct, frozen=True):
    """Read the end of a container's log once (never follows). Done.result is bytes."""

    ref: Reference
    options: LogOptions
    tag: str = ""


class Ask(msgspec.Struct, frozen=True):
    """Ask another service (a performer registered under `service`) and hear its answer as Done or Failed."""

    service: str
    query: Any
    tag: str = ""


class Tell(msgspec.Struct, frozen=True):
    """Say `word` to another actor. `urgent` goes to the head of its mailbox (stop, terminate, abort)."""

    to: Address
    word: Any
    urgent: bool = False


class Question(msgspec.Struct, frozen=True):
    """Ask another actor, which hears `Told(sender, Asked(number, word))`; its answer comes back as Done.result.

    Failed with Gone when nobody lives there or it ends before it has answered, with Unavailable after `limit_s`."""

    to: Address
    word: Any
    limit_s: float = 5.0
    tag: str = ""


class Answer(msgspec.Struct, frozen=True):
    """Answer the question of that number; one that nobody waits for any more is a dead letter."""

    number: int
    word: Any = None


class Monitor(msgspec.Struct, frozen=True):
    """Hear `Down` once when the actor at `address` ends; at once, with reason "absent", when nobody lives there.

    A monitor ends with either life: a successor at that address is monitored anew or not at all. `on` False: no
    more."""

    address: Address
    on: bool = True


class Spawn(msgspec.Struct, frozen=True):
    """Start a child, born by its room's mind from `argument`. An address that lives already is left alone.

    What routes to the address and is in the cache is told to it at once. A crash of the child is told to the parent
    as Down; it is not restarted (the parent decides). When the parent ends, its children are stopped first."""

    address: Address
    argument: Any = None


class Withdraw(msgspec.Struct, frozen=True):
    """Do not make the object that this actor has asked to Create at `ref`, if that waits or the server has put it off.

    It comes back as Failed with runtime.api.Withdrawn when its turn comes. What is in flight is not called back."""

    ref: Reference


class WakeAt(msgspec.Struct, frozen=True):
    """Be woken at `at` (seconds since the epoch, UTC). One timer per tag: a later one replaces it; None cancels."""

    at: float | None
    tag: str = ""


class Measure(msgspec.Struct, frozen=True):
    """Observe `value` in the metric `name` (counters add, gauges set, histograms observe).

    With `declared`, the metric comes to be by being measured. A gauge that `adds` changes by the value; one with
    `since` (UTC seconds) is the time since then, whenever it is looked at, until it is measured again."""

    name: str
    value: float = 1.0
    labels: Labels = ()
    declared: Metric | None = None
    adds: bool = False
    since: float | None = None


class Stop(msgspec.Struct, frozen=True):
    """End this actor's life; nothing after it in the same list is performed."""

    reason: str = "normal"


Command: TypeAlias = (
    Create
    | WriteStatus
    | Patch
    | Delete
    | Read
    | List
    | ReadLog
    | Withdraw
    | Ask
    | Tell
    | Question
    | Answer
    | Monitor
    | Spawn
    | WakeAt
    | Measure
    | Stop
)

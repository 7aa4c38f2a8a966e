"""What is said about locks: by a node to its workflow, by a workflow to the lock room, and back.

A lock has a key that says where it is and what it is, and a holder a key that says who; both stand in the status as
they are written here (SYNC-10). Rooms agree on nothing else.

    node --WantsLocks--> workflow --AskLocks--> lock room --LockGranted--> workflow, which puts it on record
    node <--LockGranted-- workflow     ... the node ends, that is on record ...    workflow --ReturnLocks--> lock room
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from runtime.messages import Address

LOCKS = Address("lock", "", "locks", "")
"""Where locks are given. One actor for all: locks of several namespaces may be wanted together, all or none."""

WHOLE = ""  # stands for the workflow itself where a node id is asked for


class BadLock(ValueError):
    """A `synchronization` that cannot be: the text says why."""


class Limit(NamedTuple):
    """The entry of a ConfigMap that says how many may hold a semaphore."""

    namespace: str
    config_map: str
    entry: str


def lock_keys(synchronization: Mapping[str, Any], namespace: str) -> tuple[str, ...]:
    """The keys of all locks that are wanted together, semaphores first; `namespace` is the workflow's.

    Raises BadLock for what names no lock, the same one twice, or one that a database keeps."""
    keys = [_semaphore_key(entry, namespace) for entry in synchronization.get("semaphores") or ()]
    keys += [_mutex_key(entry, namespace) for entry in synchronization.get("mutexes") or ()]
    for key in keys:
        if keys.count(key) > 1:
            why = f"{key} is named {keys.count(key)} times: name it once"
            raise BadLock(f"requested configuration is invalid: duplicate synchronization item found ({why})")
    return tuple(keys)


def _semaphore_key(entry: Mapping[str, Any], namespace: str) -> str:
    _not_of_a_database(entry, "semaphores")
    limit = entry.get("configMapKeyRef") or {}
    if not limit.get("name") or not limit.get("key"):
        raise BadLock("synchronization.semaphores: configMapKeyRef needs a name and a key")
    return f"{entry.get('namespace') or namespace}/ConfigMap/{limit['name']}/{limit['key']}"


def _mutex_key(entry: Mapping[str, Any], namespace: str) -> str:
    _not_of_a_database(entry, "mutexes")
    if not entry.get("name"):
        raise BadLock("synchronization.mutexes: a mutex needs a name")
    return f"{entry.get('namespace') or namespace}/Mutex/{entry['name']}"


def _not_of_a_database(entry: Mapping[str, Any], field: str) -> None:
    if entry.get("database"):
        raise BadLock(f"synchronization.{field}: locks of a database are not supported: use a name or a ConfigMap")


def limit_of(key: str) -> Limit | None:
    """Where the limit of a semaphore stands; None for a mutex, of which there is one."""
    namespace, kind, *rest = key.split("/")
    return Limit(namespace, rest[0], "/".join(rest[1:])) if kind == "ConfigMap" and len(rest) > 1 else None


def holder_key(workflow: Address, node_id: str = WHOLE) -> str:
    """Who holds: `<namespace>/<workflow>`, and `/<node id>` when it is a node."""
    whole = f"{workflow.namespace}/{workflow.name}"
    return f"{whole}/{node_id}" if node_id else whole


def holder_node(key: str) -> str:
    """The node id in a holder's key; empty for the workflow itself."""
    return key.split("/", 2)[2] if key.count("/") > 1 else WHOLE


def holdings(status: Mapping[str, Any]) -> dict[str, list[str]]:
    """What `status.synchronization` says is held: holder's key -> keys of its locks (SYNC-12)."""
    held: dict[str, list[str]] = {}
    section = status.get("synchronization") or {}
    for entry in (section.get("semaphore") or {}).get("holding") or ():
        for holder in entry.get("holders") or ():
            held.setdefault(holder, []).append(entry.get("semaphore", ""))
    for entry in (section.get("mutex") or {}).get("holding") or ():
        held.setdefault(entry.get("holder", ""), []).append(entry.get("mutex", ""))
    return held


# ------------------------------------------------------------------------------------- a node to its workflow


@dataclass(frozen=True, slots=True)
class WantsLocks:
    """May I begin? I need all of these together."""

    node_id: str
    keys: tuple[str, ...]


# ------------------------------------------------------------------------------- a workflow to the lock room


@dataclass(frozen=True, slots=True)
class AskLocks:
    """A node of mine (or I, when `node_id` is empty) wants all of these; asking twice changes nothing.

    `number` comes back with the grant: one that crosses a ReturnLocks is known by it, and means nothing."""

    node_id: str
    keys: tuple[str, ...]
    number: int = 0
    priority: int = 0
    created: str = ""  # when the workflow was created, as Kubernetes writes it


@dataclass(frozen=True, slots=True)
class HoldsLocks:
    """A node of mine was given these before: they are not to be given to anybody else."""

    node_id: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HoldsOnly:
    """I begin a new life, and these are all of my nodes that have locks on record: whatever else I had is free."""

    node_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReturnLocks:
    """A node of mine has ended, and that is on record; or it no longer waits."""

    node_id: str


# -------------------------------------------------------------------- the lock room to a workflow, and to its node


@dataclass(frozen=True, slots=True)
class LockGranted:
    """All that was asked for is held. To a node: and that is on record, so begin."""

    node_id: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class LockAwaited:
    """Not yet: `key` is the lock in the way (empty when that is not known), `holders` who has it."""

    node_id: str
    key: str
    message: str
    holders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LockRefused:
    """Never: one of the locks cannot be had by anybody; `message` says why."""

    node_id: str
    message: str


@dataclass(frozen=True, slots=True)
class SayAgain:
    """What was asked has been forgotten: say what is held and what is wanted."""

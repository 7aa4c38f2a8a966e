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

DATABASE_SEMAPHORE, DATABASE_MUTEX = "Database", "DatabaseMutex"  # kinds of locks that a database keeps

DATABASE_TEXT_MAX = 256  # characters that its tables have for a lock, or for a holder

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

    Raises BadLock for what names no lock, or is written twice; two ways to write one lock are that lock, once."""
    semaphores, mutexes = (synchronization.get(kind) or () for kind in ("semaphores", "mutexes"))
    keys = [_semaphore_key(entry, namespace) for entry in semaphores]
    keys += [_mutex_key(entry, namespace) for entry in mutexes]
    written = [_written(entry) for entry in (*semaphores, *mutexes)]
    for key, entry in zip(keys, written, strict=True):
        if written.count(entry) > 1:
            why = f"{shown(key)} is named {written.count(entry)} times: name it once"
            raise BadLock(f"requested configuration is invalid: duplicate synchronization item found ({why})")
        if not fits(database_name(key)):
            why = f"at most {DATABASE_TEXT_MAX} printable characters, and {shown(key)[:80]!r} is called otherwise"
            raise BadLock(f"requested configuration is invalid: a database has locks of {why}")
    return tuple(dict.fromkeys(keys))


def _written(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says, without what says nothing."""
    return {field: value for field, value in entry.items() if value not in (None, "", False)}


def fits(text: str) -> bool:
    """Whether a database of locks can have this as the name of a lock or of a holder."""
    return len(text) <= DATABASE_TEXT_MAX and text.isprintable()


def _semaphore_key(entry: Mapping[str, Any], namespace: str) -> str:
    limit, database = entry.get("configMapKeyRef") or {}, entry.get("database")
    where = entry.get("namespace") or namespace
    if entry.get("configMapKeyRef") is None and database is None:
        why = "cannot get LockName for a Semaphore without a ConfigMapRef or Database"
        raise BadLock(f"requested configuration is invalid: {why}")
    if database is not None:
        if limit:
            why = "invalid semaphore with both ConfigMapKeyRef and Database"
            raise BadLock(f"requested configuration is invalid: {why}")
        if not isinstance(database, Mapping) or not database.get("key"):
            raise BadLock("synchronization.semaphores: database needs a key")
        return f"{where}/{DATABASE_SEMAPHORE}/{database['key']}"
    if not limit.get("name") or not limit.get("key"):
        raise BadLock("synchronization.semaphores: configMapKeyRef needs a name and a key")
    return f"{where}/ConfigMap/{limit['name']}/{limit['key']}"


def _mutex_key(entry: Mapping[str, Any], namespace: str) -> str:
    if not entry.get("name"):
        raise BadLock("synchronization.mutexes: a mutex needs a name")
    kind = DATABASE_MUTEX if entry.get("database") else "Mutex"
    return f"{entry.get('namespace') or namespace}/{kind}/{entry['name']}"


def limit_of(key: str) -> Limit | None:
    """Where the limit of a semaphore of a ConfigMap stands; None for every other lock."""
    namespace, kind, name = _parts(key)
    config_map, _, entry = name.partition("/")
    return Limit(namespace, config_map, entry) if kind == "ConfigMap" and entry else None


def database_name(key: str) -> str:
    """What a database calls a lock that it keeps (SYNC-11); empty for the others."""
    namespace, kind, name = _parts(key)
    word = {DATABASE_SEMAPHORE: "sem", DATABASE_MUTEX: "mtx"}.get(kind)
    return f"{word}/{namespace}/{name}" if word else ""


def is_semaphore(key: str) -> bool:
    """Whether several may hold it."""
    return _parts(key)[1] in {"ConfigMap", DATABASE_SEMAPHORE}


def shown(key: str) -> str:
    """A lock's key as people read it: a semaphore and a mutex of a database may be called alike (SYNC-10)."""
    namespace, kind, name = _parts(key)
    return f"{namespace}/{DATABASE_SEMAPHORE}/{name}" if kind == DATABASE_MUTEX else key


def _parts(key: str) -> tuple[str, str, str]:
    """Namespace, kind and name; empty where there is none, for anybody may have written a status."""
    namespace, _, rest = key.partition("/")
    kind, _, name = rest.partition("/")
    return namespace, kind, name


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
        held.setdefault(entry.get("holder", ""), []).append(_of_mutex(entry.get("mutex", "")))
    return held


def _of_mutex(text: str) -> str:
    """The key of a mutex that a status names."""
    namespace, kind, name = _parts(text)
    return f"{namespace}/{DATABASE_MUTEX}/{name}" if kind == DATABASE_SEMAPHORE else text


# ------------------------------------------------------------------------------------- a node to its workflow


@dataclass(frozen=True, slots=True)
class WantsLocks:
    """May I begin? I need all of these together. `name` is the node's, which may be on no record yet."""

    node_id: str
    keys: tuple[str, ...]
    name: str = ""


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
    """Not yet: `key` is the lock in the way (empty when that is not known), `holders` who has it.

    `besides`: the other locks that are wanted together with it, and who has those."""

    node_id: str
    key: str
    message: str
    holders: tuple[str, ...] = ()
    besides: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class LockRefused:
    """Never: one of the locks cannot be had by anybody; `message` says why."""

    node_id: str
    message: str


@dataclass(frozen=True, slots=True)
class SayAgain:
    """What was asked has been forgotten: say what is held and what is wanted."""

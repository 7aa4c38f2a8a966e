"""Every write gets the next version, and whoever watches is told at once: the one place where objects live.

Objects stored here are never changed in place: a write stores a new one, so a record can be handed to any number of
readers and its JSON is encoded once. A watcher is a queue, not a task: a commit appends to the queues whose selector
matches and wakes their readers. With a keeper (a disk), that happens when the change is kept, and not before.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol, TypeAlias

import anyio
import orjson

from runtime.objects import Object
from tiphys.devcluster import errors
from tiphys.devcluster.selectors import Matches

HISTORY_MAX = 8192  # changes kept per resource; who asks for older ones hears 410 and lists again
HISTORY_BYTES_MAX = 64 * 1024 * 1024  # of their JSON: a large object that changes often has a shorter history
OBJECT_BYTES_MAX = 1536 * 1024  # of one object's JSON: what etcd takes by default, so that nobody gets used to more
TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter."
)
QUEUE_MAX = 16384  # events waiting for one watcher; beyond, its stream ends with 410, as a slow client's would

Key: TypeAlias = tuple[str, str]
"""(namespace, name)"""
ChangeType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED"]


class Record:
    """An object as stored: treat `object` as frozen. `json` is its encoding, `copy` a caller's own."""

    __slots__ = ("_json", "_object", "api_version", "key", "version")

    def __init__(self, thing: Object, version: int) -> None:
        self._object: Object | None = thing
        self._json: bytes | None = None
        self.version = version
        self.api_version: str = thing.get("apiVersion", "")
        meta = thing["metadata"]
        self.key: Key = (meta.get("namespace", ""), meta.get("name", ""))

    @property
    def object(self) -> Object:
        """The object, frozen."""
        return self._object if self._object is not None else self.copy()

    def shrink(self) -> None:
        """Keep the JSON only: what is past is rarely looked into, and a decoded object is many times larger."""
        if self._json is None:
            self._json = orjson.dumps(self._object)
        self._object = None

    @property
    def json(self) -> bytes:
        """The object's JSON, encoded once."""
        if self._json is None:
            self._json = orjson.dumps(self._object)
        return self._json

    def copy(self) -> Object:
        """The object again, belonging to the caller."""
        thing: Object = orjson.loads(self.json)
        return thing


class Change(NamedTuple):
    """One commit: what is stored now (for DELETED: the last state, with the deletion's version), and what was."""

    type: ChangeType
    record: Record
    previous: Record | None


class Event(NamedTuple):
    """What one watcher sees of a change."""

    type: ChangeType
    record: Record


class Watcher:
    """A queue of the events of one selection. One reader; `close` when done."""

    __slots__ = ("_bucket", "_matches", "_namespace", "_queue", "_wake", "overflowed")

    def __init__(self, bucket: Bucket, namespace: str | None, matches: Matches | None) -> None:
        self._bucket = bucket
        self._namespace = namespace
        self._matches = matches
        self._queue: deque[Event] = deque()
        self._wake: anyio.Event | None = None
        self.overflowed = False

    def offer(self, change: Change) -> None:
        """Take in a commit if it concerns this selection: entering it is ADDED, leaving it DELETED."""
        if self._namespace is not None and change.record.key[0] != self._namespace:
            return
        event = _seen(change, self._matches)
        if event is None:
            return
        if len(self._queue) >= QUEUE_MAX:
            self.overflowed = True
        else:
            self._queue.append(event)
        if self._wake is not None:
            self._wake.set()

    async def take(self) -> Event:
        """The next event, waiting for it. Raises Expired when the reader was too slow."""
        while not self._queue:
            if self.overflowed:
                raise errors.expired("too old resource version: the watcher did not read fast enough")
            self._wake = anyio.Event()
            await self._wake.wait()
            self._wake = None
        return self._queue.popleft()

    async def take_within(self, seconds: float) -> Event | None:
        """The next event, or None when there is none for so long: then all that was committed has been taken."""
        with anyio.move_on_after(max(seconds, 0)):
            return await self.take()
        return self.take_ready()  # what came in the very moment in which the time ran out

    def take_ready(self) -> Event | None:
        """The next event if there is one."""
        return self._queue.popleft() if self._queue else None

    def close(self) -> None:
        """Hear no more."""
        self._bucket.watchers.discard(self)


def _seen(change: Change, matches: Matches | None) -> Event | None:
    if matches is None:
        return Event(change.type, change.record)
    is_in = matches(change.record.object)
    if change.type == "ADDED":
        return Event("ADDED", change.record) if is_in else None
    was_in = change.previous is not None and matches(change.previous.object)
    if change.type == "DELETED":
        return Event("DELETED", change.record) if was_in or is_in else None
    if is_in:
        return Event("MODIFIED" if was_in else "ADDED", change.record)
    if was_in and change.previous is not None:
        return Event("DELETED", _with_version(change.previous, change.record.version))
    return None


def _with_version(record: Record, version: int) -> Record:
    meta = {**record.object["metadata"], "resourceVersion": str(version)}
    return Record({**record.object, "metadata": meta}, version)


class Bucket:
    """All objects of one resource (of all its versions), their latest changes, and who watches them."""

    __slots__ = ("_history_bytes", "forgotten", "group", "history", "keys", "plural", "records", "watchers")

    def __init__(self, group: str, plural: str, version: int) -> None:
        self.group = group
        self.plural = plural
        self.records: dict[Key, Record] = {}
        self.keys: list[Key] = []  # sorted: lists come in the order of namespace and name
        self.history: deque[Change] = deque()
        self._history_bytes = 0
        self.forgotten = version  # the newest version that is no longer in the history
        self.watchers: set[Watcher] = set()

    def remember(self, change: Change) -> None:
        """Put a change at the end of the history, which forgets its oldest ones at its limits."""
        self.history.append(change)
        self._history_bytes += len(change.record.json)
        while len(self.history) > HISTORY_MAX or self._history_bytes > HISTORY_BYTES_MAX:
            oldest = self.history.popleft().record
            self._history_bytes -= len(oldest.json)
            self.forgotten = oldest.version

    def take_back(self, change: Change) -> None:
        """Undo the newest change of all."""
        key = change.record.key
        if self.history and self.history[-1] is change:
            self._history_bytes -= len(self.history.pop().record.json)
        if change.previous is None:
            del self.records[key]
            del self.keys[bisect_left(self.keys, key)]
            return
        if change.type == "DELETED":
            insort(self.keys, key)
        self.records[key] = change.previous

    def tell(self, change: Change) -> None:
        """Tell the watchers, and keep of what is past the JSON only."""
        for watcher in self.watchers:
            watcher.offer(change)
        if change.type == "DELETED":
            change.record.shrink()
        if change.previous is not None:
            change.previous.shrink()

    def since(self, version: int) -> list[Change]:
        """What changed after `version`, oldest first. Raises Expired when that is no longer known."""
        if version < self.forgotten:
            raise errors.expired(f"too old resource version: {version} ({self.forgotten})")
        found: list[Change] = []
        for change in reversed(self.history):
            if change.record.version <= version:
                break
            found.append(change)
        return found[::-1]

    def in_order(self, namespace: str | None, after: Key | None = None) -> Iterator[Record]:
        """The records, sorted by namespace and name, beginning behind `after`."""
        start = bisect_left(self.keys, (namespace or "", "")) if namespace is not None else 0
        if after is not None:
            start = max(start, bisect_left(self.keys, (after[0], after[1] + "\0")))
        for index in range(start, len(self.keys)):
            key = self.keys[index]
            if namespace is not None and key[0] != namespace:
                return
            yield self.records[key]

    def as_of(
        self, version: int, namespace: str | None, after: Key | None = None, *, why: str = TOO_OLD
    ) -> list[Record]:
        """The records as they were at `version`. Raises Expired, with `why`, when that is no longer known."""
        if version < self.forgotten:
            raise errors.expired(why)
        then: dict[Key, Record | None] = {}
        for change in reversed(self.history):
            if change.record.version <= version:
                break
            then[change.record.key] = change.previous
        records = {record.key: record for record in self.in_order(namespace, after)}
        for key, record in then.items():
            if (namespace is not None and key[0] != namespace) or (after is not None and key <= after):
                continue
            if record is None:
                records.pop(key, None)
            else:
                records[key] = record
        return [records[key] for key in sorted(records)]


Observer: TypeAlias = Callable[[Bucket, Change], None]


class Keeper(Protocol):
    """Who must have a change before anybody may hear of it."""

    def hold(self, bucket: Bucket, change: Change) -> None:
        """Take in a change; `Storage.release` it once it is kept, or `Storage.rewind` it."""
        ...


class Storage:
    """The versioned store. Commits are synchronous and totally ordered; observers run before the commit returns."""

    def __init__(self) -> None:
        self.version = 1
        self._resumed_at = 0  # changes up to here happened before a restart: nobody can watch from before
        self.buckets: dict[tuple[str, str], Bucket] = {}
        self.observers: list[Observer] = []
        self.rewound: list[Callable[[], None]] = []  # called after changes were undone: look at everything again
        self.keeper: Keeper | None = None
        self._held: deque[int] = deque()  # versions that the keeper has not kept yet

    @property
    def settled(self) -> int:
        """The newest version that anybody outside may know of."""
        return self._held[0] - 1 if self._held else self.version

    def bucket(self, group: str, plural: str) -> Bucket:
        """The place of one resource's objects; made when first asked for."""
        found = self.buckets.get((group, plural))
        if found is None:
            found = self.buckets[group, plural] = Bucket(group, plural, self._resumed_at)
        return found

    def drop(self, group: str, plural: str) -> None:
        """Forget a resource with all its objects; those who watch it hear DELETED for each."""
        bucket = self.buckets.get((group, plural))
        if bucket is not None:
            for key in list(bucket.keys):
                self.remove(bucket, bucket.records[key])
            del self.buckets[group, plural]

    def put(self, bucket: Bucket, thing: Object) -> Record:
        """Store an object as the newest version. `thing` (its metadata too) belongs to the store from now on.

        Raises Refused for an object that etcd would not take."""
        version = self.version + 1
        thing["metadata"]["resourceVersion"] = str(version)
        record = Record(thing, version)
        if len(record.json) > OBJECT_BYTES_MAX:
            raise errors.too_large()
        self.version = version
        previous = bucket.records.get(record.key)
        if previous is None:
            insort(bucket.keys, record.key)
        bucket.records[record.key] = record
        self._commit(bucket, Change("MODIFIED" if previous else "ADDED", record, previous))
        return record

    def remove(self, bucket: Bucket, last: Record) -> Record:
        """Take an object out; returns its last state, which carries the version of the removal."""
        self.version += 1
        stored = bucket.records.pop(last.key)
        del bucket.keys[bisect_left(bucket.keys, last.key)]
        record = _with_version(last, self.version)
        self._commit(bucket, Change("DELETED", record, stored))
        return record

    def restore(self, bucket: Bucket, thing: Object) -> None:
        """Put back an object that was stored before a restart: no event, its version kept."""
        record = Record(thing, int(thing["metadata"]["resourceVersion"]))
        insort(bucket.keys, record.key)
        bucket.records[record.key] = record
        self.version = max(self.version, record.version)

    def resume(self, version: int) -> None:
        """Go on counting behind `version`, once everything is restored."""
        self.version = self._resumed_at = version
        for bucket in self.buckets.values():
            bucket.forgotten = version

    def watch(self, bucket: Bucket, namespace: str | None, matches: Matches | None, since: int | None) -> Watcher:
        """Watch what changes after version `since`; None: what is there comes first, as ADDED.

        Raises Expired when `since` is older than the history."""
        watcher = Watcher(bucket, namespace, matches)
        if since is None:
            there = bucket.as_of(self.settled, namespace) if self._held else list(bucket.in_order(namespace))
            for record in there:
                watcher.offer(Change("ADDED", record, None))
        else:
            for change in bucket.since(since):
                if change.record.version <= self.settled:
                    watcher.offer(change)
        bucket.watchers.add(watcher)
        return watcher

    def _commit(self, bucket: Bucket, change: Change) -> None:
        bucket.remember(change)
        if self.keeper is None:
            bucket.tell(change)
        else:
            self._held.append(change.record.version)
            self.keeper.hold(bucket, change)
        for observer in self.observers:
            observer(bucket, change)

    def release(self, bucket: Bucket, change: Change) -> None:
        """A held change is kept now: the oldest of them, as they come in order."""
        self._held.popleft()
        bucket.tell(change)

    def rewind(self, changes: list[tuple[Bucket, Change]]) -> None:
        """Undo all held changes, given oldest first: the keeper could not keep them, so they have never been."""
        for bucket, change in reversed(changes):
            self.buckets[bucket.group, bucket.plural] = bucket
            bucket.take_back(change)
            self.version = change.record.version - 1
        self._held.clear()
        for look_again in self.rewound:
            look_again()

"""What nobody owns any more goes: dependents after (or before) their owners, contents before their namespace.

It watches the store's commits, not the API: an index of owners costs one dictionary, and no list is ever needed. The
deeds themselves happen later, in `run`, as upstream: a deleted owner's dependents are still there for a moment. Events
that nobody needs any more go by the clock.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, NamedTuple

import anyio
import anyio.abc
import anyio.lowlevel
import orjson

from runtime.api import ApiError, Selection
from runtime.objects import EVENTS, NAMESPACES, Object
from tiphys.devcluster import subresources
from tiphys.devcluster.columns import seconds_of
from tiphys.devcluster.deletion import CLEANUP, FOREGROUND, ORPHAN, DeleteOptions
from tiphys.devcluster.kinds import Kind
from tiphys.devcluster.rest import DEFINITIONS
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.storage import Bucket, Change, Key, Record

EVENT_S = 3600  # how long an Event is kept, as upstream
SWEEP_S = 300  # how often they are looked through
STEPS_PER_TURN = 50  # objects looked at before the loop lets others run


class Place(NamedTuple):
    """Where an object is stored."""

    group: str
    plural: str
    key: Key


class GarbageCollector:
    """Deletes dependents by owner references and the contents of namespaces that are being deleted."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._rest = server.rest
        self._places: dict[str, Place] = {}  # by uid, of everything that exists
        self._dependents: dict[str, set[Place]] = {}  # by the owner's uid, whether the owner exists or not
        self._owners: dict[Place, tuple[str, ...]] = {}  # the uids that a place names as owners
        self._todo: dict[Place, None] = {}  # an ordered set
        self._wake = anyio.Event()
        self._next_sweep = 0.0
        self._index()
        server.storage.observers.append(self._observe)
        server.storage.rewound.append(self._index)

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Collect until cancelled."""
        task_status.started()
        while True:
            if not self._todo:
                self._wake = anyio.Event()
                with anyio.move_on_after(SWEEP_S):
                    await self._wake.wait()
            self.sweep()
            self.step(STEPS_PER_TURN)
            await anyio.lowlevel.checkpoint()

    def sweep(self) -> None:
        """Drop Events that are too old, if it is time to look."""
        now = self._server.now()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP_S
        kind = self._server.catalog.of(EVENTS)
        for record in list(self._rest.bucket(kind).records.values()):
            event = record.object
            seen = seconds_of(event.get("lastTimestamp") or event["metadata"]["creationTimestamp"])
            if seen is not None and seen < now - EVENT_S:
                self._rest.delete(kind, record.key)

    def step(self, limit: int) -> None:
        """Look at up to `limit` objects."""
        for place in list(islice(self._todo, limit)):
            del self._todo[place]
            try:
                self._look_at(place)
            except ApiError:
                continue  # it went, or was changed, in between: that commit has put it on the list again

    # -------------------------------------------------------------------------------------------- the index

    def _index(self) -> None:
        """Look at everything there is, as if it were new."""
        for index in (self._places, self._dependents, self._owners):
            index.clear()
        for bucket in list(self._server.storage.buckets.values()):
            for record in list(bucket.records.values()):
                self._observe(bucket, Change("ADDED", record, None))

    def _observe(self, bucket: Bucket, change: Change) -> None:
        place = Place(bucket.group, bucket.plural, change.record.key)
        meta = change.record.object["metadata"]
        if change.type == "DELETED":
            self._forget(place, meta["uid"])
            return
        self._places[meta["uid"]] = place
        owners = tuple(owner["uid"] for owner in meta.get("ownerReferences") or ())
        before = self._owners.get(place, ())
        if owners != before:
            for uid in before:
                self._dependents.get(uid, set()).discard(place)
            for uid in owners:
                self._dependents.setdefault(uid, set()).add(place)
            self._owners[place] = owners
        if "deletionTimestamp" in meta or any(uid not in self._places for uid in owners):
            self._enqueue(place)

    def _forget(self, place: Place, uid: str) -> None:
        if self._places.get(uid) == place:
            del self._places[uid]
        for dependent in self._dependents.get(uid, ()):
            self._enqueue(dependent)
        for owner in self._owners.pop(place, ()):
            kin = self._dependents.get(owner, set())
            kin.discard(place)
            if not kin:
                self._dependents.pop(owner, None)
            if owner in self._places:
                self._enqueue(self._places[owner])
        namespace = Place("", "namespaces", ("", place.key[0]))
        definition = Place(*DEFINITIONS, ("", f"{place.plural}.{place.group}"))
        for waiting in (namespace, definition):
            found = self._record(waiting)
            if found is not None and "deletionTimestamp" in found.object["metadata"]:
                self._enqueue(waiting)

    def _enqueue(self, place: Place) -> None:
        self._todo[place] = None
        self._wake.set()

    def _record(self, place: Place) -> Record | None:
        bucket = self._server.storage.buckets.get((place.group, place.plural))
        return bucket.records.get(place.key) if bucket is not None else None

    def _kind(self, place: Place, thing: Object) -> Kind | None:
        return self._server.catalog.serving(place.group, place.plural, thing["apiVersion"])

    # -------------------------------------------------------------------------------------------- the deeds

    def _look_at(self, place: Place) -> None:
        record = self._record(place)
        kind = self._kind(place, record.object) if record is not None else None
        if record is None or kind is None:
            return
        thing = record.object
        finalizers = thing["metadata"].get("finalizers") or ()
        if "deletionTimestamp" in thing["metadata"]:
            if place.group == "" and place.plural == "namespaces":
                self._empty(place.key[1])
            elif CLEANUP in finalizers:
                self._withdraw(kind, record)
            if ORPHAN in finalizers:
                self._orphan(kind, record)
            elif FOREGROUND in finalizers:
                self._foreground(kind, record)
            return
        owners = thing["metadata"].get("ownerReferences") or ()
        if owners:
            self._judge(kind, record, list(owners))

    def _judge(self, kind: Kind, record: Record, owners: list[Object]) -> None:
        """Delete a dependent all of whose owners are gone or go first; else only forget those that are gone."""
        namespace = record.key[0]
        solid: list[Object] = []
        waiting: list[Object] = []
        for owner in owners:
            found = self._owner(owner, namespace)
            if found is None:
                continue
            meta = found["metadata"]
            is_waiting = "deletionTimestamp" in meta and FOREGROUND in (meta.get("finalizers") or ())
            (waiting if is_waiting else solid).append(owner)
        if solid:
            if len(solid) < len(owners):
                self._patch(kind, record, {"ownerReferences": solid})
            return
        uid = record.object["metadata"]["uid"]
        foreground = bool(waiting) and any(self._blocks(place, uid) for place in self._dependents.get(uid, ()))
        options = DeleteOptions(propagation="Foreground" if foreground else "Background", uid=uid)
        self._rest.delete(kind, record.key, options)

    def _owner(self, owner: Object, namespace: str) -> Object | None:
        place = self._places.get(owner["uid"])
        if place is None or place.key[0] not in ("", namespace) or place.key[1] != owner.get("name"):
            return None
        record = self._record(place)
        return record.object if record is not None else None

    def _blocks(self, place: Place, uid: str) -> bool:
        record = self._record(place)
        owners = record.object["metadata"].get("ownerReferences") or () if record is not None else ()
        return any(owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in owners)

    def _foreground(self, kind: Kind, record: Record) -> None:
        uid = record.object["metadata"]["uid"]
        for place in list(self._dependents.get(uid, ())):
            self._look_at(place)
        if not any(self._blocks(place, uid) for place in self._dependents.get(uid, ())):
            self._drop_finalizer(kind, record.key, FOREGROUND)

    def _orphan(self, kind: Kind, record: Record) -> None:
        uid = record.object["metadata"]["uid"]
        for place in list(self._dependents.get(uid, ())):
            dependent = self._record(place)
            dependent_kind = self._kind(place, dependent.object) if dependent is not None else None
            if dependent is None or dependent_kind is None:
                continue
            owners = dependent.object["metadata"].get("ownerReferences") or ()
            kept = [owner for owner in owners if owner["uid"] != uid]
            self._patch(dependent_kind, dependent, {"ownerReferences": kept or None})
        self._drop_finalizer(kind, record.key, ORPHAN)

    def _drop_finalizer(self, kind: Kind, key: Key, finalizer: str) -> None:
        current = self._rest.read(kind, *key)
        finalizers = [f for f in current.object["metadata"].get("finalizers") or () if f != finalizer]
        self._patch(kind, current, {"finalizers": finalizers or None})

    def _patch(self, kind: Kind, record: Record, meta: dict[str, Any]) -> None:
        thing: Object = orjson.loads(record.json)
        for field, value in meta.items():
            if value is None:
                thing["metadata"].pop(field, None)
            else:
                thing["metadata"][field] = value
        self._rest.store(kind, record, thing)

    def _withdraw(self, kind: Kind, definition: Record) -> None:
        """Delete the objects of a definition that is being deleted; when none is left, let it go."""
        group, plural = definition.object["spec"]["group"], definition.object["spec"]["names"]["plural"]
        served = self._server.catalog.serving(group, plural, "")
        records = list(self._rest.storage.bucket(group, plural).records.values())
        for record in records if served is not None else ():
            assert served is not None
            if "deletionTimestamp" not in record.object["metadata"]:
                self._rest.delete(served, record.key)
        if served is None or not self._rest.storage.bucket(group, plural).records:
            self._drop_finalizer(kind, definition.key, CLEANUP)

    def _empty(self, namespace: str) -> None:
        """Delete what is in a namespace; when nothing is left, let the namespace go."""
        left = 0
        for kind in self._server.catalog:
            if not kind.resource.namespaced:
                continue
            page = self._rest.list(kind, Selection(namespace))
            for record in page.records:
                left += 1
                if "deletionTimestamp" not in record.object["metadata"]:
                    left -= self._rest.delete(kind, record.key)[1]
        if left == 0:
            kind = self._server.catalog.of(NAMESPACES)
            subresources.finalize(self._rest, kind, ("", namespace), {"spec": {"finalizers": []}})

"""A ResourceQuota holds at the moment of a create: what is used is counted with every commit, never by listing.

Counts begin when a namespace gets its first quota. `status` follows a moment later, as upstream.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import anyio
import anyio.abc
import anyio.lowlevel
import orjson

from runtime.objects import Object
from tiphys.devcluster import errors
from tiphys.devcluster.amounts import Amounts, in_scope, number, taken, written
from tiphys.devcluster.further import RESOURCE_QUOTAS
from tiphys.devcluster.kinds import Catalog, Kind
from tiphys.devcluster.rest import Rest
from tiphys.devcluster.storage import Bucket, Change, Key, Record

_MUST_BE_SAID = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


class Count(NamedTuple):
    """One quota: what it allows, and what is used of that."""

    quota: Object
    hard: Amounts
    used: Amounts

    def concerns(self, bucket: Bucket, thing: Object) -> bool:
        """True when objects like this are counted here."""
        return in_scope(self.quota, bucket.group, bucket.plural, thing)

    def add(self, bucket: Bucket, record: Record | None, sign: int) -> None:
        """Count an object, or count it no more."""
        if record is not None and self.concerns(bucket, record.object):
            for name, amount in taken(bucket.group, bucket.plural, record.object).items():
                if name in self.hard:
                    self.used[name] += sign * amount


class Quotas:
    """Counts what the quotas of every namespace are about."""

    def __init__(self, rest: Rest, catalog: Catalog) -> None:
        self._rest = rest
        self._catalog = catalog
        self._bucket = rest.storage.bucket(RESOURCE_QUOTAS.group, RESOURCE_QUOTAS.plural)
        self._counts: dict[str, list[Count]] = {}  # by namespace; counted when first asked for
        self._due: set[str] = set()  # namespaces whose quotas' status may be out of date
        self._wake = anyio.Event()
        rest.storage.observers.append(self._observe)
        rest.storage.rewound.append(self._counts.clear)

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep the quotas' status true until cancelled."""
        self._due |= {namespace for namespace, _ in self._bucket.records}
        task_status.started()
        while True:
            if not self._due:
                self._wake = anyio.Event()
                await self._wake.wait()
            await anyio.lowlevel.checkpoint()
            for namespace in list(self._due):
                self._due.discard(namespace)
                for count in list(self._of(namespace)):
                    self._tell(count)

    def check(self, kind: Kind, thing: Object) -> None:
        """Raise Refused (403) when a quota of the namespace has no room for a new object."""
        namespace = thing["metadata"].get("namespace", "")
        if not self._bucket.records or not namespace:
            return
        bucket, name = self._rest.bucket(kind), str(thing["metadata"].get("name") or "")
        asked = taken(bucket.group, bucket.plural, thing)
        for count in self._of(namespace):
            if not count.concerns(bucket, thing):
                continue
            problem = _unsaid(count, thing) if bucket.plural == "pods" and not bucket.group else ""
            problem = problem or _exceeded(count, asked)
            if problem:
                raise errors.forbidden(kind.resource, name, problem)

    # -------------------------------------------------------------------------------------------- counting

    def _of(self, namespace: str) -> list[Count]:
        counts = self._counts.get(namespace)
        if counts is None:
            counts = self._counts[namespace] = [self._new(r.object) for r in self._bucket.in_order(namespace)]
            for bucket in list(self._rest.storage.buckets.values()):
                for record in bucket.in_order(namespace):
                    for count in counts:
                        count.add(bucket, record, 1)
        return counts

    def _new(self, quota: Object) -> Count:
        hard = {name: number(text) for name, text in ((quota.get("spec") or {}).get("hard") or {}).items()}
        return Count(quota, hard, dict.fromkeys(hard, Fraction(0)))

    def _observe(self, bucket: Bucket, change: Change) -> None:
        namespace = change.record.key[0]
        if bucket is self._bucket:
            before = change.previous.object.get("spec") if change.previous is not None else None
            if change.type == "DELETED" or change.record.object.get("spec") != before:
                self._counts.pop(namespace, None)
                self._wake_for(namespace)
                return
        counts = self._counts.get(namespace)
        if not counts:
            return
        for count in counts:
            count.add(bucket, change.previous, -1)
            if change.type != "DELETED":
                count.add(bucket, change.record, 1)
        self._wake_for(namespace)

    def _wake_for(self, namespace: str) -> None:
        self._due.add(namespace)
        self._wake.set()

    def _tell(self, count: Count) -> None:
        kind = self._catalog.of(RESOURCE_QUOTAS)
        meta = count.quota["metadata"]
        key: Key = (meta["namespace"], meta["name"])
        current = self._rest.bucket(kind).records.get(key)
        if current is None:
            return
        hard = current.object["spec"].get("hard") or {}
        status = {"hard": hard, "used": {name: written(name, amount) for name, amount in count.used.items()}}
        if current.object.get("status") != status:
            thing: Object = orjson.loads(current.json)
            self._rest.store(kind, current, {**thing, "status": status})


def _unsaid(count: Count, pod: Object) -> str:
    """What a pod must say before it can be counted."""
    missing: dict[str, list[str]] = {}
    for name in sorted(set(_MUST_BE_SAID) & set(count.hard)):
        group, _, resource = name.rpartition(".")
        for container in (pod.get("spec") or {}).get("containers") or ():
            said = (container.get("resources") or {}).get(group or "requests") or {}
            if resource not in said:
                missing.setdefault(name, []).append(container["name"])
    if not missing:
        return ""
    parts = [f"{name} for: {','.join(containers)}" for name, containers in missing.items()]
    return f"failed quota: {count.quota['metadata']['name']}: must specify {'; '.join(parts)}"


def _exceeded(count: Count, asked: Amounts) -> str:
    """In which amounts an object is too much."""
    over = sorted(
        name for name, amount in asked.items() if name in count.hard and count.used[name] + amount > count.hard[name]
    )
    if not over:
        return ""
    requested = ",".join(f"{name}={written(name, asked[name])}" for name in over)
    used = ",".join(f"{name}={written(name, count.used[name])}" for name in over)
    limited = ",".join(f"{name}={count.quota['spec']['hard'][name]}" for name in over)
    name = count.quota["metadata"]["name"]
    return f"exceeded quota: {name}, requested: {requested}, used: {used}, limited: {limited}"

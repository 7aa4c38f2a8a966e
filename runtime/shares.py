"""Part of a resource: only the objects that are ours are kept, and some come to us by one selection, then by another.

Who looks after a share of all objects selects them by a label where they have one; those without are listed and watched
too, and of them only ours are kept. An object that is given the label leaves one selection and appears in the other.
Two connections tell of that in any order, so:

- what another selection shows at a newer version is not overwritten by an older one;
- what leaves a selection is not gone while another one has it;
- what leaves the selection of those without a label, and is nowhere yet, is in doubt: the server is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import anyio
from anyio.abc import TaskStatus

from runtime.api import Api, ApiError, Gone
from runtime.objects import Object, Reference, Resource, is_older, reference
from runtime.store import Change, Name, Store

DOUBT_S = 2.0
"""So long the other connection is given to show what has left one: nearly always it has, and nobody is asked."""

Tell: TypeAlias = Callable[[Sequence[Change]], None]


def _nothing(resource: Resource, thing: Object) -> None:
    del resource, thing


@dataclass(frozen=True, slots=True)
class Division:
    """What of all objects is ours."""

    is_ours: Callable[[Resource, Object], bool]
    selections: Callable[[Resource, str], tuple[str, ...]]
    """The label selectors by which those of a resource and a selector come: one, or first of those that are labelled
    as ours, then of those that are not labelled."""
    misplaced: Callable[[Resource, Object], None] = _nothing
    """Told of what is labelled as ours and is not."""


class _Known(NamedTuple):
    """What a selection has shown last under a name."""

    uid: str
    version: str


def _name(thing: Object) -> Name:
    meta = thing["metadata"]
    return meta.get("namespace", ""), meta["name"]


def _known(thing: Object) -> _Known:
    meta = thing["metadata"]
    return _Known(meta.get("uid", ""), meta.get("resourceVersion", ""))


class Share:
    """One selection's part of a store: what an informer writes into instead of the store itself."""

    def __init__(self, resource: Resource, store: Store, division: Division) -> None:
        self._resource = resource
        self._store = store
        self._division = division
        self._known: dict[Name, _Known] = {}
        self.others: tuple[Share, ...] = ()
        self.doubts: Doubts | None = None  # between this selection and those
        self.may_go_over = False  # what leaves it may be in another one by then

    def put(self, thing: Object) -> list[Change]:
        """Take in a state, if it is ours and the newest."""
        if not self._division.is_ours(self._resource, thing):
            if self.others and not self.may_go_over:
                self._division.misplaced(self._resource, thing)
            return []
        name = _name(thing)
        self._known[name] = _known(thing)
        return [] if self.others and self._is_behind(name, thing) else self._store.put(thing)

    def drop(self, thing: Object) -> list[Change]:
        """It has left this selection; so has what had its name before."""
        name = _name(thing)
        known, ended = self._known.get(name), _known(thing)
        if known is None or (known.uid != ended.uid and not is_older(known.version, ended.version)):
            return []
        del self._known[name]
        return self._left(thing)

    def replace(self, things: Iterable[Object]) -> Iterator[list[Change]]:
        """These are all that the selection has."""
        here = {_name(thing): thing for thing in things}
        for name in [name for name in self._known if name not in here]:
            known = self._known.pop(name)
            last = self._store.get(*name)
            if last is not None and last["metadata"].get("uid", "") == known.uid:
                yield self._left(last)
        for name, thing in here.items():
            if self._known.get(name) != _known(thing):
                yield self.put(thing)

    def _left(self, last: Object) -> list[Change]:
        if any(other.has(last) for other in self.others):
            return []
        if self.may_go_over and self.doubts is not None:
            self.doubts.add(last)
            return []
        return self._store.drop(last)

    def _is_behind(self, name: Name, thing: Object) -> bool:
        """Whether another selection has shown a newer state of it, or its successor."""
        held = self._store.get(*name)
        if held is None or not is_older(_known(thing).version, _known(held).version):
            return False
        return any(other.has(held) for other in self.others) or (self.doubts is not None and self.doubts.has(held))

    def has(self, thing: Object) -> bool:
        """Whether that very object is in this selection, as far as it has shown."""
        known = self._known.get(_name(thing))
        return known is not None and known.uid == thing["metadata"].get("uid", "")

    def get(self, namespace: str, name: str) -> Object | None:
        """The object of that name, whichever selection has shown it."""
        return self._store.get(namespace, name)

    def __len__(self) -> int:
        return len(self._known)


class Doubts:
    """Objects that have left one selection and were not seen in another: the server knows. `run` is a child's work."""

    def __init__(self, api: Api, resource: Resource, store: Store, tell: Tell) -> None:
        self._api = api
        self._resource = resource
        self._store = store
        self._tell = tell
        self._open: dict[str, Object] = {}  # by uid, the last state
        self._shares: tuple[Share, ...] = ()
        self._news = anyio.Event()

    def between(self, shares: Sequence[Share]) -> None:
        """The selections that an object may be in."""
        self._shares = tuple(shares)

    def add(self, last: Object) -> None:
        """Where is it now?"""
        self._open[last["metadata"].get("uid", "")] = last
        self._news.set()

    def has(self, thing: Object) -> bool:
        """Whether nobody knows where that very object is."""
        return thing["metadata"].get("uid", "") in self._open

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Settle doubts until cancelled."""
        task_status.started()
        tries = 0
        while True:
            if not self._open:
                self._news = anyio.Event()
                await self._news.wait()
                tries = 0
            await anyio.sleep(min(DOUBT_S * 2**tries, 10.0))
            for uid, last in list(self._open.items()):
                await self._settle(uid, last)
            tries += 1

    async def _settle(self, uid: str, last: Object) -> None:
        if any(share.has(last) for share in self._shares):
            self._open.pop(uid, None)
            return
        ref = reference(self._resource, last)
        try:
            await self._api.get(Reference(ref.resource, ref.namespace, ref.name, uid))
        except Gone:
            self._open.pop(uid, None)
            self._tell(self._store.drop(last))
        except ApiError:
            return  # asked again


class Sources(NamedTuple):
    """How one store is filled: by which selections, each into what, and who settles doubts between them."""

    selections: list[tuple[str, Store | Share]]
    doubts: Doubts | None = None


def sources(api: Api, of: tuple[Resource, str], store: Store, division: Division | None, tell: Tell) -> Sources:
    """The selections of a resource and a label selector: the selector itself where nothing is divided."""
    resource, labels = of
    if division is None or not resource.namespaced:
        return Sources([(labels, store)])
    selectors = division.selections(resource, labels)
    shares = [Share(resource, store, division) for _ in selectors]
    found: list[tuple[str, Store | Share]] = list(zip(selectors, shares, strict=True))
    if len(shares) == 1:
        return Sources(found)
    doubts = Doubts(api, resource, store, tell)
    doubts.between(shares)
    for share in shares:
        share.others = tuple(other for other in shares if other is not share)
        share.doubts = doubts
    shares[-1].may_go_over = True
    return Sources(found, doubts)

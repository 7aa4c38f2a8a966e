"""The newest state of every object of one resource, and who each of them concerns.

`put`, `drop` and `replace` change the store first and give what has changed, so whoever is told finds the cache at
least as new as the message. Objects are shared, not copied: nobody may write into them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from runtime.messages import Address, Gone, Observed
from runtime.objects import Object, Reference, Resource, identity, is_older, reference

Name: TypeAlias = tuple[str, str]  # namespace, name
Concerns: TypeAlias = Callable[[Object], Sequence[Address | None]]
"""For each watch of the resource, in a fixed order: whose business the object is."""


class Change(NamedTuple):
    """Something to tell `address`, on behalf of the watch at position `watch`."""

    watch: int
    address: Address
    message: Observed | Gone


class _Entry:
    """An object and whom it concerns. A newer state that concerns the same is put into the same entry."""

    __slots__ = ("addresses", "object", "ref")

    def __init__(self, ref: Reference, thing: Object, addresses: Sequence[Address | None]) -> None:
        self.ref = ref
        self.object = thing
        self.addresses = addresses


class Store:
    """The objects of one resource by name, indexed by the addresses they concern."""

    def __init__(self, resource: Resource, concerns: Concerns) -> None:
        self._resource = resource
        self._concerns = concerns
        self._entries: dict[Name, _Entry] = {}
        self._by_address: dict[Address, dict[Name, _Entry]] = {}

    # ----------------------------------------------------------------------------------------------- change

    def put(self, thing: Object) -> list[Change]:
        """Take in a state. Another uid under the name: the older object is gone first."""
        meta = thing["metadata"]
        name = meta.get("namespace", ""), meta["name"]
        old = self._entries.get(name)
        changes: list[Change] = []
        if old is not None and old.ref.uid != meta.get("uid", ""):
            changes += self._remove(name, old, old.object)
            old = None
        addresses = self._concerns(thing)
        if old is not None and old.addresses == addresses:  # nearly every event: nothing to index anew
            old.object = thing
            seen, same = Observed(old.ref, thing), old.addresses  # whose texts have been hashed before
            return [Change(at, address, seen) for at, address in enumerate(same) if address is not None]
        ref = reference(self._resource, thing)
        entry = self._entries[name] = _Entry(ref, thing, addresses)
        if old is not None:
            changes += self._moved(name, old, entry)
        for index, address in enumerate(entry.addresses):
            if address is not None:
                self._by_address.setdefault(address, {})[name] = entry
                changes.append(Change(index, address, Observed(ref, thing)))
        return changes

    def drop(self, thing: Object) -> list[Change]:
        """The object is gone; `thing` is its last state. Nothing when that uid is no longer here.

        One that came before it under the same name, and whose own end nobody has told, is gone as well."""
        ref = reference(self._resource, thing)
        name = ref.namespace, ref.name
        old = self._entries.get(name)
        if old is None:
            return []
        if not ref.uid or old.ref.uid == ref.uid:
            return self._remove(name, old, thing)
        before = is_older(identity(old.object)[1] or "", identity(thing)[1] or "")
        return self._remove(name, old, old.object) if before else []

    def replace(self, things: Iterable[Object]) -> Iterator[list[Change]]:
        """These are all: what is not among them is gone, what has the version we know is not told again.

        Object by object, each changed when its changes are asked for: whoever tells them in turn may pause in between,
        and must go on to the end."""
        here = {(thing["metadata"].get("namespace", ""), thing["metadata"]["name"]): thing for thing in things}
        for name in [name for name in self._entries if name not in here]:
            old = self._entries[name]
            yield self._remove(name, old, old.object)
        for name, thing in here.items():
            known = self._entries.get(name)
            if known is None or identity(known.object) != identity(thing):
                yield self.put(thing)

    def _moved(self, name: Name, old: _Entry, new: _Entry) -> list[Change]:
        """Who it no longer concerns: to them it is gone."""
        changes = []
        for index, (before, after) in enumerate(zip(old.addresses, new.addresses, strict=True)):
            if before is not None and before != after and before not in new.addresses:
                self._unindex(before, name)
                changes.append(Change(index, before, Gone(old.ref, new.object)))
        return changes

    def _remove(self, name: Name, entry: _Entry, last: Object) -> list[Change]:
        del self._entries[name]
        changes = []
        for index, address in enumerate(entry.addresses):
            if address is not None:
                self._unindex(address, name)
                changes.append(Change(index, address, Gone(entry.ref, last)))
        return changes

    def _unindex(self, address: Address, name: Name) -> None:
        names = self._by_address.get(address)
        if names is not None:
            names.pop(name, None)
            if not names:
                del self._by_address[address]

    # ------------------------------------------------------------------------------------------------- read

    def get(self, namespace: str, name: str) -> Object | None:
        """The object of that name."""
        entry = self._entries.get((namespace, name))
        return None if entry is None else entry.object

    def objects_of(self, address: Address) -> list[Observed]:
        """What concerns an address, as the messages that would tell it."""
        return [Observed(entry.ref, entry.object) for entry in self._by_address.get(address, {}).values()]

    def is_of(self, address: Address, watches: Container[int]) -> bool:
        """Whether one of these watches routes some object to the address."""
        entries = self._by_address.get(address, {}).values()
        return any(at in watches and to == address for entry in entries for at, to in enumerate(entry.addresses))

    def addresses(self, index: int) -> list[Address]:
        """All addresses that the watch at `index` routes to, in the order of their objects, each once."""
        found = (entry.addresses[index] for entry in self._entries.values())
        return list(dict.fromkeys(address for address in found if address is not None))

    def objects(self) -> list[Object]:
        """All objects, in the order they came."""
        return [entry.object for entry in self._entries.values()]

    def __len__(self) -> int:
        return len(self._entries)

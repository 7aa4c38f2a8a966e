"""A complete controller of a kind of your own: every Shout has a ConfigMap that says its text in capitals.

See README.md beside this file, and docs/runtime.md for what the kernel guarantees to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio

from runtime.actor import Room, Watch
from runtime.client import HttpApi
from runtime.messages import (
    Address,
    Command,
    Create,
    Done,
    Failed,
    Gone,
    Message,
    Observed,
    Patch,
    Stop,
    WakeAt,
    WriteStatus,
)
from runtime.objects import CONFIGMAPS, Object, Resource, reference
from runtime.system import System

SHOUTS = Resource("example.com/v1", "Shout", "shouts")


def own(thing: Object) -> Address:
    """A Shout is the business of its own actor."""
    meta = thing["metadata"]
    return Address("shout", meta["namespace"], meta["name"], meta["uid"])


def owner(thing: Object) -> Address | None:
    """A ConfigMap is the business of the Shout that owns it, if one does."""
    owners = [ref for ref in thing["metadata"].get("ownerReferences", ()) if ref["kind"] == SHOUTS.kind]
    return own({"metadata": {**thing["metadata"], **owners[0]}}) if owners else None


class Shouter:
    """The mind: what it has seen of both objects (its state), and what follows from that."""

    def birth(self, address: Address, argument: Any) -> dict[Resource, Object]:
        return {}

    def receive(self, seen: dict[Resource, Object], message: Message, now: float) -> Iterable[Command]:
        match message:
            case Gone(ref) if ref.resource == SHOUTS:
                return [Stop()]
            case Gone(ref):
                del seen[ref.resource]
            case Observed(ref, thing):
                seen[ref.resource] = thing
            case Done():
                return []  # what was done will be seen; deciding before would do it twice
            case Failed():
                return [WakeAt(now + 5, "again")]
        return decide(seen[SHOUTS], seen.get(CONFIGMAPS)) if SHOUTS in seen else []

    def waiting(self, seen: dict[Resource, Object]) -> str:
        return "for its text to change" if len(seen) == 2 else "for its ConfigMap"


def decide(shout: Object, said: Object | None) -> list[Command]:
    """What is to be done, from what is there: nothing when all is as it should be."""
    meta, wanted = shout["metadata"], {"text": shout["spec"]["text"].upper()}
    if said is None:
        owned = {
            "apiVersion": SHOUTS.api_version,
            "kind": SHOUTS.kind,
            "name": meta["name"],
            "uid": meta["uid"],
            "controller": True,
        }
        return [
            Create(
                CONFIGMAPS,
                {
                    "metadata": {"name": meta["name"], "namespace": meta["namespace"], "ownerReferences": [owned]},
                    "data": wanted,
                },
            )
        ]
    if said["data"] != wanted:
        return [Patch(reference(CONFIGMAPS, said), {"data": wanted})]
    if shout.get("status") != {"said": wanted["text"]}:
        return [
            WriteStatus(
                reference(SHOUTS, shout), {"status": {"said": wanted["text"]}}, meta["resourceVersion"], "status"
            )
        ]
    return []


ROOM = Room("shout", Shouter(), (Watch(SHOUTS, own, wakes=True), Watch(CONFIGMAPS, owner)))


async def main() -> None:
    """Run on the cluster of your kubeconfig until interrupted."""
    async with HttpApi.from_kubeconfig() as api:
        await System(api, [ROOM]).run()


if __name__ == "__main__":
    anyio.run(main)

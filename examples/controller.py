"""A controller of your own in thirty lines: every ConfigMap labelled `greet` gets a greeting written into it.

    python examples/controller.py        # on the cluster of your kubeconfig
    kubectl create configmap ann && kubectl label configmap ann greet=yes && kubectl get configmap ann -o yaml

A room is a mind and what it is told. The mind is a plain function of a message; all it does is answer with commands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import anyio

from runtime.actor import Room, Watch
from runtime.messages import Address, Command, Gone, Message, Observed, Patch, Stop
from runtime.objects import CONFIGMAPS, Object


def address(thing: Object) -> Address:
    """Every ConfigMap has an actor of its own."""
    meta = thing["metadata"]
    return Address("greeter", meta["namespace"], meta["name"], meta["uid"])


class Greeter:
    """Says hello to whoever has not been greeted."""

    def birth(self, address: Address, argument: Any) -> str:
        return address.name

    def receive(self, state: str, message: Message, now: float) -> Iterable[Command]:
        greeting = {"greeting": f"hello {state}"}
        match message:
            case Observed(ref, thing) if (thing.get("data") or {}).get("greeting") != greeting["greeting"]:
                yield Patch(ref, {"data": greeting})
            case Gone():
                yield Stop()

    def waiting(self, state: str) -> str:
        return f"for somebody to change the greeting of {state}"


ROOM = Room("greeter", Greeter(), (Watch(CONFIGMAPS, address, labels="greet", wakes=True),))


async def main() -> None:
    """Run until interrupted."""
    from runtime.client import HttpApi  # noqa: PLC0415  # so that a test of the room needs no client
    from runtime.system import System  # noqa: PLC0415

    async with HttpApi.from_kubeconfig() as api:
        await System(api, [ROOM]).run()


if __name__ == "__main__":
    anyio.run(main)

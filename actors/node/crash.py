"""What is said of a node whose actor has crashed: whoever started it speaks for it."""

from __future__ import annotations

import msgspec

from actors.messages import ChildChanged, Forsaken, NodeChanged, NodeStatus
from actors.names.timestamps import rfc3339
from actors.run import Run
from runtime.messages import Address, Command, Tell


def crashed(run: Run, owner: Address, known: NodeStatus, text: str, now: float) -> list[Command]:
    """A child's actor crashed: its node becomes an Error with the exception's text, told as if it had said so."""
    if known.ended:
        return []
    if not known.phase:  # it has not said anything in this life: its owner would wait for a word, whatever the record
        known = run.known.get(known.id, known)
    stamp = rfc3339(now)
    status = msgspec.structs.replace(
        known, phase="Error", message=text, started_at=known.started_at or stamp, daemoned=False,
        finished_at=max(known.started_at or stamp, stamp),  # clocks may differ
        synchronization_status=None, host_node_name="",  # the engine gave it up: so it looks to a later life, too
    )  # fmt: skip
    return [
        Tell(run.address, NodeChanged(status, owner.part, crashed=True)),
        Tell(run.address, Forsaken(status.id, status.name)),
        Tell(owner, ChildChanged(status, (status.id,), error=text)),
    ]

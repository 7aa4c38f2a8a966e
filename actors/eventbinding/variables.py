"""What the expressions of a WorkflowEventBinding see of an event. (EVT-2; upstream's docs/events.md)

    payload        the JSON of the request's body
    metadata       its headers that begin with X-, their names in lower case, each with the list of its values
    namespace      where the event was sent to
    discriminator  the last part of the path, empty when there is none

Other headers are left out: who sends an event must not hand his credentials to whoever may write bindings.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from actors.language import jsontext

NAMES: Final = ("payload", "metadata", "namespace", "discriminator")
OPEN: Final = "x-"


def variables(namespace: str, discriminator: str, headers: Iterable[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """The variables of one event; a request without a body has a payload of nil.

    Numbers are floats, as Go reads JSON. Raises ValueError for a body that is no JSON."""
    metadata: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower().startswith(OPEN):
            metadata.setdefault(name.lower(), []).append(value)
    payload = jsontext.loads(body.decode()) if body.strip() else None
    return {"namespace": namespace, "discriminator": discriminator, "metadata": metadata, "payload": payload}

"""Objects that carry another namespace's bucket: a copied label would hide them from whoever has to look after them.

Whoever is shown such an object by its label puts the right one on it; then it appears where it belongs.
"""

from __future__ import annotations

import anyio

from actors.names import buckets, labels
from runtime.api import Api, ApiError, Conflict, Gone, Refused
from runtime.log import Log
from runtime.objects import Object, Reference, Resource, reference

AGAIN_S = 5.0

log = Log()


class Misplaced:
    """Puts labels right while `run` runs."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._found: dict[Reference, str] = {}  # with the version that was seen
        self._news = anyio.Event()

    def add(self, resource: Resource, thing: Object) -> None:
        """That object's label is not its namespace's."""
        self._found[reference(resource, thing)] = thing["metadata"].get("resourceVersion", "")
        self._news.set()

    async def run(self) -> None:
        """Put right what is found until cancelled."""
        while True:
            self._news = anyio.Event()
            if not self._found:
                await self._news.wait()
            for ref, version in list(self._found.items()):
                await self._put_right(ref, version)
            if self._found:
                await anyio.sleep(AGAIN_S)

    async def _put_right(self, ref: Reference, version: str) -> None:
        """Only if nobody has written in between: a newer state is shown again if it is still wrong."""
        body = {"metadata": {"resourceVersion": version, "labels": buckets.mark(ref.namespace)}}
        try:
            await self._api.patch(ref, body)
        except (Conflict, Gone):
            pass
        except Refused as error:
            log.error("shard.label_refused", object=str(ref), label=labels.BUCKET, error=error.message)  # noqa: TRY400  # no bug
        except ApiError:
            return  # once more
        else:
            log.warning("shard.label_put_right", object=str(ref), label=labels.BUCKET)
        self._found.pop(ref, None)

"""Worlds in virtual time serve our kinds in a millisecond: a definition is judged once a process, then put as it is.

Judging and copying the schemas took longer than many of the lives that tests look at. What a test defines itself goes
through the API as ever.
"""

from __future__ import annotations

from random import Random

import crds
from runtime.objects import CRDS, Object
from tiphys.devcluster.metadata import stamp
from tiphys.devcluster.server import ApiServer

_accepted: list[Object] = []


def serve_our_kinds(server: ApiServer) -> None:
    """Have `server` serve every kind of ours, with uids and times of its own, as if they had been created there."""
    kind, source = server.catalog.of(CRDS), server.rest.source
    bucket, now = server.rest.bucket(kind), stamp(source.now())
    for definition in _accepted or _judged():
        fresh = {**definition["metadata"], "uid": source.uid(), "creationTimestamp": now}
        server.storage.put(bucket, {**definition, "metadata": fresh})


def _judged() -> list[Object]:
    server = ApiServer(now=lambda: 0.0, random=Random(0))
    kind = server.catalog.of(CRDS)
    for definition in crds.manifests():
        server.rest.create(kind, "", {**definition, "metadata": dict(definition["metadata"])})
        _accepted.append(server.rest.read(kind, "", definition["metadata"]["name"]).object)
    return _accepted

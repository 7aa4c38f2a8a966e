"""The built-in controllers of the dev cluster, as rooms of actors: what users expect any cluster to do by itself.

`rooms()` are for a `runtime.system.System` over the cluster's API. Garbage collection, namespaces and default service
accounts are not here: the API server does those beside its store (`tiphys/devcluster/gc.py`, `server.py`).
"""

from __future__ import annotations

from runtime.actor import Room
from tiphys.devcluster.controllers import adoption, budget, deployment, endpoints, job, replicaset


def rooms(pods: str = "") -> list[Room]:
    """The rooms of all built-in controllers.

    `pods` is a label selector: pods that it excludes are left alone, as if no controller owned or selected them. It is
    for who runs many pods of his own (`!workflows.argoproj.io/workflow`) and does not want them in a second cache."""
    return [
        deployment.room(),
        replicaset.room(pods),
        job.room(pods),
        endpoints.room(pods),
        budget.room(pods),
        adoption.room(pods),
    ]

"""A Deployment rolls its template out by sizing ReplicaSets: `plan` decides, the modules beside it reckon."""

from __future__ import annotations

from runtime.actor import Room, Watch
from tiphys.devcluster.controllers.deployment.plan import plan
from tiphys.devcluster.controllers.owners import DEPLOYMENTS, REPLICA_SETS, own_address, owner_address
from tiphys.devcluster.controllers.reconciler import Reconciler, Trade


def room() -> Room:
    """The room of Deployments."""
    watches = (
        Watch(DEPLOYMENTS, own_address("deployment"), wakes=True),
        Watch(REPLICA_SETS, owner_address("deployment", DEPLOYMENTS)),
    )
    return Room("deployment", Reconciler(Trade(DEPLOYMENTS, REPLICA_SETS, plan)), watches)

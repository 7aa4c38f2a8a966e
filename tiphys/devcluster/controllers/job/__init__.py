"""A Job runs pods until enough have succeeded or too many have failed; `plan` decides, the modules beside it count."""

from __future__ import annotations

from runtime.actor import Room, Watch
from runtime.messages import Address
from runtime.objects import PODS, Object
from tiphys.devcluster.controllers.job.plan import farewell, parted, plan
from tiphys.devcluster.controllers.job.workers import is_tracked
from tiphys.devcluster.controllers.owners import JOBS, own_address, owner_address
from tiphys.devcluster.controllers.reconciler import Reconciler, Trade

_of_job = owner_address("job", JOBS)


def _tracked(pod: Object) -> Address | None:
    """Pods whose end is to be recorded wake the job's actor, even if the job is gone: then it lets go of them."""
    return _of_job(pod) if is_tracked(pod) else None


def room(pods: str = "") -> Room:
    """The room of Jobs; `pods` is the label selector of the pods that controllers look at."""
    watches = (
        Watch(JOBS, own_address("job"), wakes=True),
        Watch(PODS, _tracked, labels=pods, wakes=True),
        Watch(PODS, _of_job, labels=pods),
    )
    return Room("job", Reconciler(Trade(JOBS, PODS, plan, farewell, parted)), watches)

"""What the API has told about workflows and their pods, and when: all latencies come from this and nothing else.

Times are seconds of the observer's monotonic clock, taken when a line of a watch arrived. Pure: whoever reads the
watches calls `pod` and `workflow`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.objects import Object, owner_uid

POD_ENDS = ("Succeeded", "Failed")
WORKFLOW_ENDS = ("Succeeded", "Failed", "Error")
NODE_ID = "workflows.argoproj.io/node-id"


@dataclass(slots=True)
class PodTimes:
    """One pod as the watch showed it."""

    name: str
    workflow: str  # uid
    created: float
    finished: float | None = None


@dataclass(slots=True)
class WorkflowTimes:
    """One workflow as the watch showed it."""

    name: str
    submitted: float
    first_pod: float | None = None
    last_pod_finished: float | None = None
    finished: float | None = None
    phase: str = ""
    pods: int = 0


@dataclass(slots=True)
class Latencies:
    """All in seconds."""

    to_first_pod: list[float] = field(default_factory=list)  # submitted to first pod created
    hop: list[float] = field(default_factory=list)  # a pod finished to the workflow's next pod created
    to_end: list[float] = field(default_factory=list)  # last pod finished to workflow finished


class Observation:
    """Everything seen. Events may come in any order and more than once: the first time of each fact counts."""

    def __init__(self) -> None:
        self.workflows: dict[str, WorkflowTimes] = {}  # by uid
        self.pods: dict[str, PodTimes] = {}  # by uid
        self.names: dict[tuple[str, str], set[str]] = {}  # (workflow uid, pod name) -> uids it has had
        self.hops: list[float] = []
        self.finished = 0

    def submitted(self, workflow: Object, at: float) -> None:
        """The server took a workflow."""
        meta = workflow["metadata"]
        known = self.workflows.setdefault(meta["uid"], WorkflowTimes(meta["name"], at))
        known.submitted = at

    def workflow(self, thing: Object, now: float) -> None:
        """A workflow's state."""
        meta = thing["metadata"]
        known = self.workflows.setdefault(meta["uid"], WorkflowTimes(meta["name"], now))
        known.phase = (thing.get("status") or {}).get("phase") or ""
        if known.phase in WORKFLOW_ENDS and known.finished is None:
            known.finished = now
            self.finished += 1

    def pod(self, thing: Object, now: float) -> None:
        """A pod's state; one that no workflow owns is passed over."""
        owner = owner_uid(thing)
        if not owner:
            return
        meta = thing["metadata"]
        uid = meta["uid"]
        seen = self.pods.get(uid)
        if seen is None:
            seen = self.pods[uid] = PodTimes(meta["name"], owner, now)
            self.names.setdefault((owner, meta["name"]), set()).add(uid)
            self._created(owner, now)
        if (thing.get("status") or {}).get("phase") in POD_ENDS and seen.finished is None:
            seen.finished = now
            known = self.workflows.get(owner)
            if known is not None:
                known.last_pod_finished = now

    def _created(self, owner: str, now: float) -> None:
        known = self.workflows.get(owner)
        if known is None:
            known = self.workflows[owner] = WorkflowTimes("", now)
        known.pods += 1
        if known.first_pod is None:
            known.first_pod = now
        elif known.last_pod_finished is not None:
            self.hops.append(now - known.last_pod_finished)

    # ------------------------------------------------------------------------------------------------ verdicts

    @property
    def duplicates(self) -> int:
        """Pods too many: a pod's name is a function of node and attempt, so each may have one uid."""
        return sum(len(uids) - 1 for uids in self.names.values())

    @property
    def failed(self) -> int:
        """Workflows that ended otherwise than Succeeded."""
        return sum(1 for one in self.workflows.values() if one.finished is not None and one.phase != "Succeeded")

    def latencies(self) -> Latencies:
        """What can be said so far."""
        found = Latencies(hop=list(self.hops))
        for one in self.workflows.values():
            if one.first_pod is not None:
                found.to_first_pod.append(max(one.first_pod - one.submitted, 0.0))
            if one.finished is not None and one.last_pod_finished is not None:
                found.to_end.append(max(one.finished - one.last_pod_finished, 0.0))
        return found


def percentile(values: list[float], share: float) -> float | None:
    """The smallest value that `share` of all (0 to 1) do not exceed; None of none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

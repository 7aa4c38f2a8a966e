"""What a look at a node's pod says, where the cache may be behind: it is there, it is another's, it is gone.

The cache tells of a pod late, or not at all when it came and went between two looks. So an answer that shows a pod is
doubted until the cache has it, and what the cache tells of a pod that is known to be gone is late. (§ pod contract.)
"""

from __future__ import annotations

from actors.messages import POD_DELETED
from actors.names import labels
from actors.node.manifest_request import PodSettings
from actors.node.pod_release import PodRelease
from actors.node.restarts import has_outcome
from actors.run import Call
from runtime.messages import Command, Read, WakeAt
from runtime.objects import Object, owner_uid

CONFIRM, DOUBT = "pod:confirm", "pod:doubt"
DOUBT_S, DOUBT_MAX_S = 60.0, 600.0  # a pod that the cache has not shown by then may have come and gone unseen


class PodLook(PodRelease):
    """Which pod is a node's, and whether it is there."""

    def __init__(self, call: Call, settings: PodSettings) -> None:
        super().__init__(call, settings)
        self.shown = ""  # uid of the pod that the cache has shown last: it will also tell of that one's end
        self.doubts = 0  # live looks at a pod that it has not shown, one after the other
        self.gone_uids: set[str] = set()  # of its pods that are no more: what still tells of them is late
        self.unsure: Object | None = None  # a pod that the cache has and the record does not, until a live look

    def _look(self, now: float) -> list[Command]:
        """Take over what the pod's status says of this node."""
        raise AssertionError(f"{type(self).__name__} has no use for a pod")

    @property
    def seen(self) -> bool:
        """Whether the cache has its pod, this one and not another of that name."""
        return self.pod is not None and self.pod["metadata"]["uid"] == self.shown

    def _is_mine(self, pod: Object) -> bool:
        annotations = pod["metadata"].get("annotations") or {}
        return owner_uid(pod) == self.run.address.uid and annotations.get(labels.NODE_ID) == self.id

    def _made(self, pod: Object, now: float) -> list[Command]:
        """The pod was created, and may have come and gone since."""
        if self.pod is None and self._overtaken(pod):
            return [Read(self._reference(), CONFIRM)]
        self.pod = self.pod or pod
        if self.status.ended:
            return [*self._kill(), *self._release(now)]
        return [*self._doubt(now), *self._look(now)]

    def _overtaken(self, pod: Object) -> bool:
        """Whether the cache has said that this pod is no more: an answer may be older than that, the next is not."""
        uid = pod["metadata"]["uid"]
        late = uid in self.gone_uids
        self.gone_uids.discard(uid)
        return late

    def _doubt(self, now: float) -> list[Command]:
        """Look again at a pod that only an answer has shown: if it goes before the cache has it, nobody says so."""
        wait_s = min(DOUBT_S * 2**self.doubts, DOUBT_MAX_S)
        return [] if self.seen else [WakeAt(now + wait_s, DOUBT)]

    def _found(self, pod: Object, now: float) -> list[Command]:
        """A live look: the pod is there. Ours is adopted, one on its way out let go, another's is an error."""
        cached = self._sure(pod["metadata"]["uid"])
        if self.status.ended:
            return []
        if not self._is_mine(pod):
            owners = [f"{o['kind']} {o['name']}" for o in pod["metadata"].get("ownerReferences") or ()] or ["nobody"]
            text = f"pod {self.pod_name} exists already and belongs to {', '.join(owners)}: delete or rename it"
            self.released = True
            return self._unproven(self.erred(text, now))
        leaves = pod["metadata"].get("deletionTimestamp") and self.status.phase == "Pending" and self.pod is None
        known = self.run.known.get(self.id)
        if leaves and not has_outcome(pod, known.started_at if known else None):
            return self._let_go(pod, now)
        if self._overtaken(pod):
            return [Read(self._reference(), CONFIRM)]
        if not self.seen or self.shown == pod["metadata"]["uid"]:
            self.pod = pod
        commands = [*self._doubt(now), *self._look(now)]
        self.pod = cached or self.pod  # of two states the newer one is not known: both are looked at
        return [*commands, *(self._look(now) if cached is not None else [])]

    def _sure(self, uid: str = "") -> Object | None:
        """What is there is known: what the cache has of that pod, while what it tells of another one is late."""
        cached, self.unsure = self.unsure, None
        if cached is None or cached["metadata"]["uid"] == uid:
            return cached
        self.gone_uids.add(cached["metadata"]["uid"])
        return None

    def _not_there(self, now: float) -> list[Command]:
        self._sure()
        if self.seen:
            return []  # if that is over, too, the cache will tell
        self.pod = None
        if self.status.ended:
            return self._release(now)
        if self.status.phase == "Pending":
            return self._create(now)
        return self._unproven(self.end("Error", now, POD_DELETED))

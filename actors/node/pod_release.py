"""How a node's pod is let go once its outcome is on record: ended if it still runs, released, collected.

Where podGC collects the pod that is one deletion. Everywhere else it is one patch, which labels the pod as completed
and takes our finalizer away; a pod that waits for the end of its workflow to know which is not touched until then.
(PGC-1..4.)
"""

from __future__ import annotations

from actors.node.manifest_request import PodSettings
from actors.node.pod_maker import RELEASE, PodMaker
from actors.node.release import deletion_delay_s, is_held, release_patch
from actors.run import Call
from runtime.messages import Command, Delete, Patch, Read, WakeAt
from runtime.objects import PODS, Object, reference

KILL, COLLECT = "pod:kill", "pod:collect"


class PodRelease(PodMaker):
    """What a node does with its pod when it has ended."""

    def __init__(self, call: Call, settings: PodSettings) -> None:
        super().__init__(call, settings)
        self.recorded = False
        self.ended_phase = ""  # of the workflow, once all is over
        self.told_to_end = self.killing = False  # its pod was; and the answer to that is still to come
        self.collected = False  # its pod's deletion was asked for
        self.vanished = False  # its pod is no longer seen, after its end: only a live look is believed

    @property
    def retires(self) -> bool:
        """Nothing is left to do for this node."""
        busy = self.killing or self.creating or bool(self.untold)
        return self.status.ended and self.released and not busy

    @property
    def wants_record(self) -> bool:
        """A pod is held until the outcome is on record."""
        return True

    def found_ended(self, now: float) -> list[Command]:
        """The record has the outcome: a pod that is still held is released."""
        del now
        self.recorded = self.begun = True
        self.vanished = self.pod is None
        return [*self.announce(), Read(self._reference(), RELEASE)]

    def _kill(self, *, broken: bool = False) -> list[Command]:
        """End the pod: one that runs by its deadline (its log stays), one that never started by deleting it.

        What the clock ends waits until that is on record: the next life's clock may be behind, and it would make the
        pod again. A stop is not what a clock says; nor is that the pod is broken, whose own end will be its node's."""
        sure = broken or self.recorded or self.run.stopped(on_exit=self.call.on_exit)
        if self.pod is None or self.told_to_end or not sure:
            return []
        if not self._works(self.pod):
            return []
        ref = reference(PODS, self.pod)
        self.told_to_end = self.killing = True
        if (self.pod.get("status") or {}).get("phase") == "Running":
            return [Patch(ref, {"spec": {"activeDeadlineSeconds": 1}}, tag=KILL)]
        return [Delete(ref, tag=KILL)]

    @staticmethod
    def _works(pod: Object) -> bool:
        """Whether a pod has not come to its end."""
        return (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}

    def _release(self, now: float) -> list[Command]:
        if not self.recorded or self.released:
            return []
        if self.pod is None:
            self.released = not self.vanished and not self.creating
            return [Read(self._reference(), RELEASE)] if self.vanished else []
        patch = release_patch(self.pod)
        collected = self._delay_s(self.pod) is not None  # then a label would be one more write that nobody reads
        if patch is None or (collected and not is_held(self.pod)):
            return [*self._kill(), *self._after_release(now)]
        ending = self._kill()  # first: what is labelled while it works no later life would end
        if ending or (self.killing and self._works(self.pod)):
            return ending
        return [Patch(reference(PODS, self.pod), patch, tag=RELEASE)]

    def _delay_s(self, pod: Object) -> float | None:
        """See deletion_delay_s."""
        rule = self.run.spec.get("podGC")
        return deletion_delay_s(rule, self.status.phase, self.ended_phase, pod, self.settings.deletion_delay_s)

    def _after_release(self, now: float) -> list[Command]:
        """Labelled, or not worth a label: now the pod's own collection rule decides (PGC-1..3)."""
        if self.pod is None:
            self.released = True
            return []
        delay = self._delay_s(self.pod)
        if delay is None:
            self.released = True
            return []
        if delay < 0 or self.collected:  # the workflow's end decides, or it is decided
            return []
        return [WakeAt(now + delay, COLLECT)]

    def _collect(self, now: float) -> list[Command]:
        if self.pod is None:
            self.released = True
            return []
        if self.creating:  # its name keeps another from being made
            return [WakeAt(now + 1.0, COLLECT)]
        self.collected = True
        return [Delete(reference(PODS, self.pod), self.settings.deletion_grace_s, tag=COLLECT)]

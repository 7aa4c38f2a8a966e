"""The collector deletes a finished workflow's artifacts and then lets the workflow go: in time, whatever stores do.

It is started when the workflow has ended, and again when it is being deleted; it looks at the object itself, so that
what was done before is known. Artifacts that nobody could delete by the deadline are named in Events, and the
workflow goes without them. (AGC-1..6, TTL-4)
"""

from __future__ import annotations

from typing import Any

from actors.contract.collecting import DELETING, ON_COMPLETION
from actors.database_messages import LoadNodes, SaveNodes
from actors.messages import LookAgain, NodeStatus
from actors.names import labels
from actors.node import gc_outcome
from actors.node.behaviour import Behaviour
from actors.node.gc_nodes import KeptNodes, named
from actors.node.gc_plan import Batch, Doomed, all_marked, batches, deletable, doomed, executed, marked
from actors.node.manifest_collector import collector_pod
from actors.node.manifest_request import BadTemplate, PodRequest, PodSettings
from actors.node.refusals import passes
from actors.packing import version_of
from actors.run import CollectCall
from runtime.api import AlreadyExists, ApiError, Gone, LogOptions, Refused
from runtime.messages import Address, Ask, Command, Create, Delete, Patch, Read, ReadLog, WakeAt
from runtime.objects import PODS, Object, Reference, owner_uid, reference

LOOK, MAKE, ADOPT, MARK, CLOSE, DROP, LOG, LATE = (
    "gc:look", "gc:make", "gc:adopt", "gc:mark", "gc:close", "gc:drop", "gc:log", "gc:late",
)  # fmt: skip
RETRY_S = 2.0
PAUSES_S = (10.0, 60.0)  # between attempts; after the last one only a deletion tries again
SLACK_S = 30.0  # beyond its deadline, for a pod that never starts


class Collector(Behaviour):
    """What is to be deleted, the pod that is at it, and what it could not."""

    def __init__(self, call: CollectCall, settings: PodSettings) -> None:
        super().__init__(call.run, call.run.address, NodeStatus(id=call.id, type="Collector"))
        self.call = call
        self.settings = settings
        self.workflow: Object | None = None
        self.queue: list[Batch] = []
        self.batch: Batch | None = None
        self.pod: Object | None = None
        self.nodes = KeptNodes()
        self.attempts = 0
        self.failures: dict[tuple[str, str], str] = {}  # node id and name -> why it is still there
        self.gone_by_now: set[tuple[str, str]] = set()  # deleted, and not on record yet
        self.recouped: dict[str, bool] = {}  # names of the pods whose outcome was read
        self.finished = False

    @property
    def retires(self) -> bool:
        """Nothing is left to do at present."""
        return self.finished

    @property
    def workflow_ref(self) -> Reference:
        """That very workflow."""
        address = self.run.address
        return Reference(gc_outcome.WORKFLOWS, address.namespace, address.name, address.uid)

    # ------------------------------------------------------------------------------------------ what it hears

    def started(self, now: float) -> list[Command]:
        """Look at the workflow."""
        del now
        return [Read(self.workflow_ref, LOOK)]

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """The workflow has changed: perhaps it is being deleted by now."""
        del sender, now
        if not isinstance(word, LookAgain) or self.batch is not None:
            return []
        self.finished = False
        return [Read(self.workflow_ref, LOOK)]

    def observed(self, ref: Reference, thing: Object, now: float) -> list[Command]:
        """Its pod is now so."""
        if self.batch is None or ref.name != self.batch.pod_name or owner_uid(thing) != self.run.address.uid:
            return []
        self.pod = thing
        return self._assess({}, now)

    def gone(self, ref: Reference, now: float) -> list[Command]:
        """Its pod was deleted by somebody else."""
        if self.batch is None or ref.name != self.batch.pod_name or self.pod is None:
            return []
        self.pod = None
        return self._failed_batch("its pod was deleted", now)

    def woke(self, tag: str, now: float) -> list[Command]:
        """Something is tried again, or a pod has had its time."""
        match tag:
            case "gc:look":
                return [] if self.batch is not None else [Read(self.workflow_ref, LOOK)]
            case "gc:make" | "gc:adopt":
                return self._make(now)
            case "gc:mark":
                return [Read(self.workflow_ref, MARK)]
            case "gc:late" if self.batch is not None:
                return self._failed_batch(f"it was not done within {self.settings.gc_deadline_s} s", now)
        return []

    def done(self, command: Command, result: Any, now: float) -> list[Command]:
        """What was asked for has been done."""
        match command:
            case Read(tag="gc:look" | "gc:mark") if (thing := self.nodes.whole(result)) is not None:
                return self._looked(command.tag, thing, now)
            case Read(tag="gc:look" | "gc:mark"):
                return [self.nodes.load(command.tag)]
            case Ask(query=LoadNodes() as query) if self.nodes.awaited is not None:
                return self._looked(command.tag, self.nodes.loaded(query, result), now)
            case Ask(query=SaveNodes()):
                return self._patch(named(result))
            case Create(tag="gc:make") | Read(tag="gc:adopt") if self.batch is not None:
                if owner_uid(result) != self.run.address.uid:
                    return self._failed_batch(f"a pod {self.batch.pod_name} that is not this workflow's is there", now)
                self.pod = result
                return self._assess({}, now)
            case ReadLog():
                return self._assess({command.options.container: result}, now)
            case Patch(tag="gc:mark") if (thing := self.nodes.whole(result)) is not None:
                self.workflow, self.gone_by_now = thing, set()
                return self._next_batch(now)
            case Patch(tag="gc:mark"):
                return [self.nodes.load(MARK)]
            case Patch(tag="gc:close"):
                self.finished = True
        return []

    def failed(self, command: Command, error: ApiError, now: float) -> list[Command]:
        """What was asked for has not been done."""
        match command:
            case Read(tag="gc:look" | "gc:mark") | Patch(tag="gc:mark" | "gc:close") if isinstance(error, Gone):
                self.finished = True
                return []
            case Read(tag="gc:look") | Patch(tag="gc:close"):
                return [WakeAt(now + RETRY_S, LOOK)]
            case Read(tag="gc:mark") | Patch(tag="gc:mark") | Ask(query=SaveNodes()):
                return [WakeAt(now + RETRY_S, MARK)]
            case Ask(query=LoadNodes()) if self.nodes.awaited is not None:
                return self._unread(command, error, now)
            case Create(tag="gc:make") if self.batch is not None:
                return self._not_made(error, now)
            case Read(tag="gc:adopt"):
                return [WakeAt(now + RETRY_S, MAKE)]
            case ReadLog() if self.batch is not None:
                return self._failed_batch(f"its log cannot be read: {error.message}", now)
        return []

    # ------------------------------------------------------------------------------------------ one attempt

    def _looked(self, tag: str, workflow: Object, now: float) -> list[Command]:
        """The workflow as it is now, nodes and all."""
        self.workflow = workflow
        if tag == MARK:
            return self._mark(now)
        return [] if self.batch is not None else self._next(now)

    def _unread(self, command: Ask, error: ApiError, now: float) -> list[Command]:
        """Its nodes cannot be read: wait for the database, but nobody's deletion waits for ever."""
        thing = self.nodes.awaited
        assert thing is not None
        leaving = bool(thing["metadata"].get("deletionTimestamp"))
        if isinstance(error, Gone) or (leaving and now >= gc_outcome.deadline(thing, self.settings.gc_deadline_s)):
            return self._looked(command.tag, self.nodes.loaded(command.query, {}), now)
        return [WakeAt(now + RETRY_S, command.tag)]

    def _next(self, now: float) -> list[Command]:
        """Delete what is due; when nothing is, or time is up, close."""
        assert self.workflow is not None
        if labels.FINALIZER_ARTIFACT_GC not in (self.workflow["metadata"].get("finalizers") or ()):
            self.finished = True
            return []
        if not self._deleting and not self.attempts and gc_outcome.has_failed_before(self.workflow):
            self.finished = True  # it is on record: only the deletion tries again
            return []
        found = self._found()
        able = [one for one in found if deletable(one)]
        for one in found:
            if not deletable(one):
                self.failures[one.node_id, one.name] = "its store deletes nothing"
        if not able or self._gives_up(now):
            return self._close(now)
        self.attempts += 1
        self.queue = batches(self.run.name, executed(self.workflow), able, deleting=self._deleting)
        return self._next_batch(now)

    def _found(self) -> list[Doomed]:
        assert self.workflow is not None
        return doomed(self.workflow, executed(self.workflow), DELETING if self._deleting else {ON_COMPLETION})

    @property
    def _deleting(self) -> bool:
        return bool((self.workflow or {}).get("metadata", {}).get("deletionTimestamp"))

    def _gives_up(self, now: float) -> bool:
        assert self.workflow is not None
        if self._deleting:
            late = now >= gc_outcome.deadline(self.workflow, self.settings.gc_deadline_s)
            return late and self.attempts > 0
        return self.attempts > len(PAUSES_S)

    def _next_batch(self, now: float) -> list[Command]:
        """Start with the next pod; after the last one see what is left."""
        assert self.workflow is not None
        finished, done = self._drop(), self.batch
        self.batch = self.pod = None
        if self.queue:
            self.batch = self.queue.pop(0)
            return [*finished, *self._make(now)]
        left = [one for one in self._found() if deletable(one)]
        if left and done is not None and self.attempts == 1:
            why = self.failures.get((left[0].node_id, left[0].name), "")
            finished.append(gc_outcome.failed_event(self.workflow, done.strategy, why, now))
        if not left or self._gives_up(now):
            return [*finished, *self._close(now)]
        pause_s = PAUSES_S[min(self.attempts - 1, len(PAUSES_S) - 1)]
        return [*finished, WakeAt(now + pause_s, LOOK)]

    def _make(self, now: float) -> list[Command]:
        if self.batch is None or self.workflow is None:
            return []
        run, deadline_s = self.run, self.settings.gc_deadline_s
        request = PodRequest(
            workflow_name=run.name, namespace=run.address.namespace, workflow_uid=run.address.uid,
            spec=executed(self.workflow), template={}, node_id=self.call.id, node_name="artifact-gc",
            pod_name=self.batch.pod_name, nonce="", settings=self.settings,
        )  # fmt: skip
        try:
            pod = collector_pod(request, run.address, self.batch, deadline_s)
        except BadTemplate as error:
            return self._failed_batch(str(error), now)
        return [Create(PODS, pod, MAKE), WakeAt(now + deadline_s + SLACK_S, LATE)]

    def _not_made(self, error: ApiError, now: float) -> list[Command]:
        assert self.batch is not None
        if isinstance(error, AlreadyExists):
            return [Read(Reference(PODS, self.run.address.namespace, self.batch.pod_name), ADOPT)]
        if isinstance(error, Refused | Gone) and not passes(error):
            return self._failed_batch(f"its pod cannot be made: {error.message}", now)
        return [WakeAt(now + RETRY_S, MAKE)]

    def _assess(self, logs: dict[str, bytes], now: float) -> list[Command]:
        """What the pod says of its work, once it has ended."""
        if self.batch is None or self.pod is None or self.gone_by_now:
            return []
        outcome = gc_outcome.of_pod(self.pod, logs)
        if outcome is None:
            return []
        if isinstance(outcome, LogOptions):
            return [ReadLog(reference(PODS, self.pod), outcome, tag=LOG)]
        self.recouped[self.batch.pod_name] = True
        if isinstance(outcome, str):
            return self._failed_batch(outcome, now)
        for number, one in enumerate(self.batch.doomed):
            if str(number) in outcome:
                self.failures[one.node_id, one.name] = outcome[str(number)]
            else:
                self.failures.pop((one.node_id, one.name), None)
                self.gone_by_now.add((one.node_id, one.name))
        return [WakeAt(None, LATE), *self._mark(now)]

    def _failed_batch(self, reason: str, now: float) -> list[Command]:
        assert self.batch is not None
        for one in self.batch.doomed:
            self.failures[one.node_id, one.name] = reason
        return [WakeAt(None, LATE), *self._next_batch(now)]

    def _mark(self, now: float) -> list[Command]:
        """Put on record what is deleted; then on with the next batch."""
        assert self.workflow is not None
        status = marked(self.workflow, self.gone_by_now)
        if not status:
            self.gone_by_now = set()
            return self._next_batch(now)
        if version_of(self.workflow):
            return [self.nodes.save(self.workflow, all_marked(self.workflow, self.gone_by_now), MARK)]
        return self._patch({**status, "artifactGCStatus": {"podsRecouped": self.recouped}})

    def _patch(self, status: dict[str, Any]) -> list[Command]:
        assert self.workflow is not None
        version = {"metadata": {"resourceVersion": self.workflow["metadata"]["resourceVersion"]}}
        return [Patch(self.workflow_ref, {**version, "status": status}, tag=MARK)]

    def _drop(self) -> list[Command]:
        """A pod that has done its work, or never will, makes room for the next attempt's."""
        return [Delete(reference(PODS, self.pod), tag=DROP)] if self.pod is not None else []

    # ------------------------------------------------------------------------------------------ its end

    def _close(self, now: float) -> list[Command]:
        """Say what is left, and let the workflow go if it is time."""
        assert self.workflow is not None
        left = {(one.node_id, one.name): one for one in self._found()}
        why = {one.where: self.failures.get(key, "there was no time left") for key, one in left.items()}
        spec = executed(self.workflow)
        body = gc_outcome.closing(self.workflow, spec, why, self.recouped, deleting=self._deleting)
        if body is None:
            self.finished = True
            return []
        told = gc_outcome.orphan_events(self.workflow, why, now) if why and "finalizers" in body["metadata"] else []
        return [*told, Patch(self.workflow_ref, body, tag=CLOSE)]

    def waiting(self) -> str:
        """What would move it on."""
        if self.batch is not None:
            return f"for pod {self.batch.pod_name} to delete {len(self.batch.doomed)} artifacts"
        return f"to try again to delete {len(self.failures)} artifacts" if self.failures else "for its workflow"

"""A node that is one pod: created once, watched to its end, released when its outcome is on record.

The pod's name is a function of the node, so creating it twice is harmless: what is there already is adopted if it is
ours. Nothing is released (labelled completed, finalizer removed, deleted) before a status write that contains the
outcome was acknowledged. (§ pod contract; PGC-1..4, DMN-1..3, TMO-1..3, OP-1.)
"""

from __future__ import annotations

from typing import Any

import msgspec

from actors.contract.paths import TELLER
from actors.messages import (
    DeadlineExceeded,
    Denied,
    Edited,
    EndDaemon,
    Phase,
    Recorded,
    Shutdown,
    WorkflowEnded,
)
from actors.names import ids
from actors.node.assess import assess, ends_early
from actors.node.assessment import ContainerVerdict, expected_of, fields_of
from actors.node.container_nodes import close_containers, container_entries, last_containers, on_record
from actors.node.dropped import dropped
from actors.node.manifest_request import PodSettings
from actors.node.pod_look import CONFIRM, DOUBT, DOUBT_S, PodLook
from actors.node.pod_maker import ADOPT, RELEASE, RESTART, Begin
from actors.node.pod_progress import PROGRESS, is_told, question
from actors.node.pod_release import KILL
from actors.node.release import INPUTS_ANNOTATION
from actors.run import Call
from runtime.api import ApiError, Gone
from runtime.messages import Address, Ask, Command, Create, Delete, Patch, Read, ReadLog, Tell, WakeAt
from runtime.objects import PODS, Object, Reference, reference

LOG, OVERDUE = "pod:log", "pod:overdue"
LOG_ATTEMPTS_MAX = 5  # a log that cannot be read (node gone) is not waited for forever


class PodNode(PodLook):
    """Container, script, resource, data and containerSet templates."""

    def __init__(self, call: Call, settings: PodSettings) -> None:
        super().__init__(call, settings)
        self.introduced = False  # it has been told of the pod that there was, if there was one
        self.logs: dict[str, bytes] = {}  # container -> the end of its log, where outputs were spilled to it
        self.reading_log = False
        self.log_failures = 0
        self.listens = False  # to what its pod says of its progress: a timer or an answer is on its way
        self.told_containers: dict[str, ContainerVerdict] = on_record(call)  # of a set, as the journal knows them

    def end(self, phase: Phase, now: float, message: str = "", *, error: str = "", **fields: Any) -> list[Command]:
        """End, and with it what is left of a container set; what has ended serves nobody."""
        self.pod, self.unsure = self.pod or self.unsure, None
        ended = super().end(phase, now, message, error=error, **{"daemoned": False, **fields})
        return [*self._no_second(), *close_containers(self, now), *ended] if ended and self.status.ended else ended

    def outbound(self) -> tuple[str, ...]:
        """The pod itself, or the last of the containers of its set that have been seen."""
        if not self.told_containers:
            return super().outbound()
        told = {ids.node_id(self.run.name, ids.container(self.status.name, name)) for name in self.told_containers}
        last = last_containers(self.run.name, self.status.name, self.instance.template)
        return tuple(node_id for node_id in last if node_id in told) or (self.id,)

    @property
    def there_already(self) -> bool:
        """Its pod may be there although the record does not know it yet."""
        return self.pod is not None or super().there_already

    # ------------------------------------------------------------------------------------------ its pod is made

    def started(self, now: float) -> list[Command]:
        """Begin after what the cache has of its pod, which comes right behind this message."""
        del now
        return [Tell(self.address, Begin())]

    def begin(self, now: float) -> list[Command]:
        """Say Pending and create the pod, or look at the one that is there."""
        if not self._may_run() and not self._has_succeeded():
            return self._refused(now)
        serves = self.announce() if self.status.daemoned else []  # since before a restart: its group waits to hear it
        on_record = self.status.phase == "Running"
        if on_record:  # what it was told in an earlier life holds until it is told more
            self.logs[TELLER] = self.status.progress.encode()
        if self.pod is not None and on_record:
            return [*serves, *self._look(now)]
        if on_record:
            return [*serves, Read(self._reference(), ADOPT)]
        self.now_is("Pending", now, self.status.message)
        if self.pod is not None:  # it may be of a run that a user has begun anew: he has deleted it by now
            self.unsure, self.pod = self.pod, None
            return [*self.announce(), Read(self._reference(), ADOPT)]
        return [*self.announce(), *self._create(now)]

    def _has_succeeded(self) -> bool:
        """Whether its pod came to its end while nobody was there to stop it: then that counts."""
        return self.pod is not None and (self.pod.get("status") or {}).get("phase") == "Succeeded"

    def _refused(self, now: float) -> list[Command]:
        """It may not begin: a pod that is there all the same, from before a restart, is ended and released."""
        self.vanished = self.pod is None  # until it is looked for: the cache need not have it yet
        if self.status.daemoned:
            return self._serve_no_more(now)
        return [*self.not_allowed(now), *self._kill(), Read(self._reference(), RELEASE)]

    # ------------------------------------------------------------------------------------------ what it hears

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """Its outcome is on record; its boundary is complete; the workflow is over."""
        match word:
            case Begin():
                self.introduced = True
                return super().started(now)
            case Shutdown() | DeadlineExceeded() | Denied() if not self.introduced:
                return []  # it asks when it begins
            case Recorded():
                self.recorded = True
                untold, self.untold = self.untold, ()
                return [*untold, *self._release(now)]
            case EndDaemon():
                return [] if self.status.ended else self._serve_no_more(now)
            case WorkflowEnded(phase):
                self.ended_phase = phase
                return self._release(now) if self.recorded else []
        return super().told(sender, word, now)

    def edited(self, word: Edited, now: float) -> list[Command]:
        """A former life's last words may arrive late: a pod that ran, as they say, has run, and is not made again."""
        if not self.introduced:
            return [Tell(self.address, word)]  # it comes again behind what the record had
        ran = word.status.phase == "Running" and word.status.type == "Pod" and not self.status.restarting_pod_uid
        if not ran or self.status.phase not in {"", "Pending"}:
            return super().edited(word, now)
        self.status = msgspec.structs.replace(word.status, finished_at=None)
        if not self.begun:
            return super().edited(word, now)
        return [*self.announce(), *([] if self.seen else [Read(self._reference(), CONFIRM)])]

    def observed(self, ref: Reference, thing: Object, now: float) -> list[Command]:
        """The pod is now so."""
        if ref.resource != PODS or ref.name != self.pod_name or not self._is_mine(thing):
            return []
        if thing["metadata"]["uid"] in self.gone_uids:
            return []
        self.shown = thing["metadata"]["uid"]
        if self.unsure is not None:
            self.unsure = thing
            return []
        self.pod = thing
        if not self.begun and not self.status.ended:
            recorded = (thing["metadata"].get("annotations") or {}).get(INPUTS_ANNOTATION)
            if recorded and self.status.inputs is None:
                self.status = msgspec.structs.replace(self.status, inputs=msgspec.json.decode(recorded))
            return []
        return [*self._no_second(), *(self._release(now) if self.status.ended else self._look(now))]

    def gone(self, ref: Reference, now: float) -> list[Command]:
        """The pod is no longer there: after its end that is fine, before it only a live look is believed."""
        if ref.resource != PODS or ref.name != self.pod_name:
            return []
        self.shown = "" if self.shown == ref.uid else self.shown
        if self.pod and ref.uid != self.pod["metadata"]["uid"]:
            return []
        self.gone_uids.add(ref.uid)
        self.pod, self.unsure = None, None
        if self.status.ended:
            self.vanished = not (self.released or self.collected)
            return self._release(now)
        if self.status.phase == "Pending":
            return self._create(now)
        return [Read(self._reference(), CONFIRM)]

    def done(self, command: Command, result: Any, now: float) -> list[Command]:
        """The pod was created, read or released."""
        match command:
            case Create(tag="pod:create"):
                self.creating, self.refusals = False, 0
                return [*self._made(result, now), *dropped(self.run.address, command.object, result, now)]
            case Read(tag="pod:adopt") | Read(tag="pod:confirm"):
                return self._found(result, now)
            case Read(tag="pod:overdue"):
                return self._still_pending(result, now)
            case Read(tag="pod:release"):
                self.pod = result if self._is_mine(result) else None
                self.vanished = False
                return [*self._kill(), *self._release(now)]
            case Patch(tag="pod:restart"):
                self.pod = result
                return self._make_room()
            case Ask(tag="pod:image"):
                return self._image_known(command.query.image, result, now)
            case ReadLog(tag="pod:progress"):
                self.logs[TELLER] = result
                return [*self._listen_on(now), *self._look(now)]
            case ReadLog():
                self.logs[command.options.container] = result
                self.reading_log = False
                return self._look(now)
            case Patch(tag="pod:release"):
                return self._after_release(now)
            case Delete(tag="pod:collect"):
                self.released = self.pod is None
                return [] if self.released else [WakeAt(now + DOUBT_S, DOUBT)]  # until the cache has heard of it
            case Patch(tag="pod:kill") | Delete(tag="pod:kill"):
                self.killing = False
                return self._release(now)
        return super().done(command, result, now)

    def failed(self, command: Command, error: ApiError, now: float) -> list[Command]:
        """The pod could not be created, read or released."""
        match command:
            case Create(tag="pod:create"):
                return self._not_created(error, now)
            case Read(tag="pod:adopt") | Read(tag="pod:confirm"):
                if isinstance(error, Gone):
                    return self._not_there(now)
                return [WakeAt(now + self._patience_s(), command.tag)]
            case Read(tag="pod:overdue"):
                again = WakeAt(now + self._patience_s(), "pendingTimeout")
                return self._still_pending(None, now) if isinstance(error, Gone) else [again]
            case Ask(tag="pod:image"):
                return self._image_unknown(command.query.image, error, now)
            case ReadLog(tag="pod:progress"):
                return self._listen_on(now)
            case ReadLog():
                return self._log_unread(command, now)
            case Read(tag="pod:release") | Patch(tag="pod:release") | Delete(tag="pod:collect"):
                self.released, self.collected = isinstance(error, Gone), False
                self.vanished = self.vanished or (isinstance(command, Read) and not self.released)
                return [] if self.released else [WakeAt(now + 2.0, command.tag)]
            case Patch(tag="pod:restart") | Delete(tag="pod:restart"):
                return [] if isinstance(error, Gone) else [WakeAt(now + 1.0, RESTART)]
            case Patch(tag="pod:kill") | Delete(tag="pod:kill"):
                self.killing = not isinstance(error, Gone)
                return [WakeAt(now + 1.0, KILL)] if self.killing else self._release(now)
        return super().failed(command, error, now)

    def _log_unread(self, command: ReadLog, now: float) -> list[Command]:
        """Ask a few times; then the outputs are lost, and the assessment says so."""
        self.log_failures += 1
        if self.log_failures < LOG_ATTEMPTS_MAX:
            return [WakeAt(now + 1.0, LOG)]
        self.logs[command.options.container] = b""
        self.reading_log = False
        return self._look(now)

    def woke(self, tag: str, now: float) -> list[Command]:
        """Something is tried again, or a delay has passed."""
        match tag:
            case "pod:create":
                return [] if self.status.ended else self._create(now)
            case "pod:adopt" | "pod:confirm":
                return [] if self.status.ended else [Read(self._reference(), tag)]
            case "pod:log":
                self.reading_log = False
                return self._look(now)
            case "pod:progress":
                self.listens = self.pod is not None and not self.status.ended
                return [question(self.pod)] if self.pod is not None and self.listens else []
            case "pod:release":
                return self._release(now)
            case "pod:collect":
                return [] if self.collected else self._collect(now)
            case "pod:kill":
                self.told_to_end = self.killing = False
                return self._kill() if self.status.ended else self._look(now)
            case "pod:restart":
                return self._look(now)
            case "pod:doubt" if self.collected or (not self.seen and not self.status.ended):
                self.doubts += 1
                return [Read(self._reference(), RELEASE if self.collected else CONFIRM)]
            case "pendingTimeout":
                return self.timed_out(now)
        return super().woke(tag, now)

    # ------------------------------------------------------------------------------------------ what the pod says

    def _look(self, now: float) -> list[Command]:
        """Take over what the pod's status says of this node."""
        if self.pod is None or self.status.ended:
            return []
        template = self.instance.template
        expect = expected_of(template, include_result=self.call.include_result)
        seen = assess(self.pod, expect, self.logs)
        if seen.needs_log is not None:
            if self.reading_log:
                return []
            self.reading_log = True
            return [ReadLog(reference(PODS, self.pod), seen.needs_log, LOG)]
        if seen.phase in {"Failed", "Error"}:
            restarted = self._restart(self.pod, now)
            if restarted is not None:
                return restarted
        if self._gets_ready(seen.phase) and not seen.daemoned:
            return []
        before = self.status
        entries = container_entries(self, seen, now)
        fields = fields_of(seen, template)
        if seen.phase in {"Succeeded", "Failed", "Error"}:
            phase: Phase = seen.phase  # type: ignore[assignment]  # one of the three, as just tested
            return [*entries, *self.end(phase, now, seen.message, **fields)]
        if self.status.daemoned:  # until its end, though it be shown as it was before, or be not ready for a while
            fields.pop("daemoned")
        runs = "Running" in (seen.phase, self.status.phase)  # who has seen it run may yet be shown an older state
        self.now_is("Running" if runs else "Pending", now, seen.message, **fields)
        said = [*entries, *self.announce()] if self.status != before or entries else []
        if ends_early(self.pod, expect):
            said += self._kill(broken=True)
        return [*said, *self._listen(now)] if runs else said

    def _gets_ready(self, pod_phase: str) -> bool:
        """A daemon is Pending until it is ready, though its pod runs (DMN-1)."""
        return pod_phase == "Running" and self.status.phase == "Pending" and bool(self.instance.template.get("daemon"))

    def _listen(self, now: float) -> list[Command]:
        """Ask so often as the installation wishes what the pod says of its progress, where somebody in it tells it."""
        if self.listens or self.pod is None or not is_told(self.pod) or self.settings.progress_tick_s <= 0:
            return []
        return self._listen_on(now)

    def _listen_on(self, now: float) -> list[Command]:
        self.listens = not self.status.ended
        return [WakeAt(now + self.settings.progress_tick_s, PROGRESS)] if self.listens else []

    # ------------------------------------------------------------------------------------------ it is stopped

    def shut_down(self, strategy: str, now: float) -> list[Command]:
        """Fail at once; the pod ends in its own time (OP-1)."""
        if self.status.daemoned:
            return self._serve_no_more(now)
        message = f"workflow shutdown with strategy:  {strategy}"  # two spaces, as upstream says it of a pod
        return [*self.end("Failed", now, message), *self._kill()]

    def _serve_no_more(self, now: float) -> list[Command]:
        """A daemon that is ended by others has done its work (DMN-2).

        Its pod ends once that is on record: whoever comes after a crash would think that it had failed."""
        return self.end("Succeeded", now, daemoned=False)

    def deadline_exceeded(self, now: float) -> list[Command]:
        """Fail at once; the pod ends once that is on record (TMO-1)."""
        if self.status.daemoned:
            return self._serve_no_more(now)
        return super().deadline_exceeded(now)

    def timed_out(self, now: float) -> list[Command]:
        """Only while Pending: a running pod carries its deadline itself. What is there now decides, not the cache:
        while nobody looked the pod may have run and ended."""
        if self.status.phase != "Pending":
            return []
        if self.creating:  # first it has to be known what there is to be ended
            return [WakeAt(now + 1.0, "pendingTimeout")]
        return [Read(self._reference(), OVERDUE)]

    def _still_pending(self, pod: Object | None, now: float) -> list[Command]:
        """Its time is up, and this is its pod: one that does not run has failed, any other has its say."""
        if self.status.phase != "Pending":
            return []
        if pod is None or not self._is_mine(pod):
            return super().timed_out(now)
        pod_phase = (pod.get("status") or {}).get("phase", "Pending")
        if pod_phase == "Pending":
            self.pod = pod
            return super().timed_out(now)
        said = self._found(pod, now)
        if self._gets_ready(pod_phase):
            return [*said, *super().timed_out(now)]
        return [*said, WakeAt(now + 1.0, "pendingTimeout")] if self.status.phase == "Pending" else said

    def waiting(self) -> str:
        """What would move it on."""
        if not self.begun:
            return "for a permit to begin (parallelism or suspension)" if self.asking else "for its inputs"
        if self.status.ended and self.untold:
            return "for its end to be on record"
        if self.status.ended:
            return f"for pod {self.pod_name} to be released" if not self.released else "for nothing"
        return f"for pod {self.pod_name}: {self.status.phase} {self.status.message}".rstrip()

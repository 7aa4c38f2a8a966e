"""How a node's pod is made: from its request, in its turn, again after a refusal that may pass.

Where the command of an image has to be known and is not, the image's registry is asked; where a pod is lost before its
program began, through no fault of its own, another one is made. (TMPL-14, RTY-13; § odd pods.)
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from actors.contract.repository import BadLocation, key_format
from actors.language.tags import SubstitutionError, substitute
from actors.messages import NodeChanged
from actors.names import ids
from actors.names.durations import parse_duration_or_seconds
from actors.names.timestamps import rfc3339, seconds
from actors.node.called import Called
from actors.node.image_question import ImageQuestion, question_for
from actors.node.inputs import texts
from actors.node.manifest import pod_for
from actors.node.manifest_request import BadTemplate, PodRequest, PodSettings, UnknownEntrypoint
from actors.node.manifest_spec import OF_PODS, own_deadline_s
from actors.node.refusals import CREATE_BACKOFF_S, passes
from actors.node.release import INPUTS_ANNOTATION, inputs_annotation, release_patch
from actors.node.restarts import restart_reason
from actors.run import Call
from runtime.api import AlreadyExists, ApiError, Gone, Refused, Unavailable, Withdrawn
from runtime.messages import Ask, Command, Create, Delete, Patch, Read, Tell, WakeAt, Withdraw
from runtime.objects import PODS, Object, Reference, reference

ADOPT, CREATE, IMAGE, RESTART = "pod:adopt", "pod:create", "pod:image", "pod:restart"
RELEASE = "pod:release"
RATE_LIMITED = "resource creation rate-limit reached"
REGISTRY = "registry"  # the service that knows how images start
LEFT_S_MIN = 1  # of a template's `timeout`: with less no pod is made
IMAGE_QUESTIONS_MAX = 5  # to a registry that does not answer; then the node is an Error


@dataclass(frozen=True, slots=True)
class Begin:
    """Said by a node's actor to itself: all that the cache has of its pod has been told by now."""


def _spec(spec: Mapping[str, Any], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The workflow's spec with what its pods take from it filled in."""
    taken = {field: spec[field] for field in OF_PODS & spec.keys()}
    filled = substitute(taken, texts(values)) if taken else taken
    return spec if filled is taken else {**spec, **filled}


class PodMaker(Called):
    """What a node does until its pod is there."""

    def __init__(self, call: Call, settings: PodSettings) -> None:
        super().__init__(call, "Pod")
        self.settings = settings
        self.pod: Object | None = None
        self.creating = False  # whether the pod was made by what was asked for last is not known yet
        self.unwanted = False  # what was asked for last has been withdrawn
        self.refusals = 0
        self.paced = False  # it waits for its turn to be created
        self.released = False
        self.entrypoints: dict[str, Any] = {}  # image -> entrypoint and command, as its registry says
        self.untold: tuple[Command, ...] = ()  # of its end, until that is on record

    @property
    def pod_name(self) -> str:
        """Formula v2."""
        return ids.pod_name(self.run.name, self.status.name, self.call.resolved.name)

    def _reference(self) -> Reference:
        return Reference(PODS, self.run.address.namespace, self.pod_name)

    def _create(self, now: float) -> list[Command]:
        """Ask for the pod, one request at a time: a second one, kept waiting, could be granted after the pod's end."""
        if self.creating or self.pod is not None:
            return []
        if not self._may_run():
            return self.not_allowed(now)
        wait_s = self.settings.pace.wait_s(now) if self.settings.pace and not self.paced else 0.0
        self.paced = wait_s > 0
        if self.paced:
            self.now_is("Pending", now, RATE_LIMITED)
            return [*self.announce(), WakeAt(now + wait_s, CREATE)]
        try:
            pod = pod_for(self._request(now))
        except UnknownEntrypoint as error:
            return self._ask_registry(error, now)
        except (BadTemplate, BadLocation, SubstitutionError, ValueError) as error:
            return self.erred(str(error), now)
        self.creating, self.unwanted = True, False
        return [Create(PODS, pod, CREATE)]

    def _no_second(self) -> list[Command]:
        """What was asked for is not wanted any more: the pod is there, of a life before perhaps, or never shall be.

        A server that is busy may put the request off until that pod has come to its end and has been deleted."""
        unwanted, self.unwanted = self.creating and not self.unwanted, self.creating
        return [Withdraw(self._reference())] if unwanted else []

    def _request(self, now: float) -> PodRequest:
        call, run = self.call, self.run
        annotations = {}
        recorded = inputs_annotation(self.instance.inputs)
        if recorded:
            annotations[INPUTS_ANNOTATION] = recorded
        values = {**self.instance.variables, **run.globals()}
        written = key_format(run.repository or {})
        return PodRequest(
            workflow_name=run.name, namespace=run.address.namespace, workflow_uid=run.address.uid,
            spec=_spec(run.spec, values), template=self.instance.template, boundary=call.boundary_template,
            node_id=self.id, node_name=self.status.name, pod_name=self.pod_name,
            include_result=call.include_result, on_exit=call.on_exit,
            active_deadline_s=self._deadline_s(now), deadline=self._told_deadline(), annotations=annotations,
            claims=run.claims, repository=run.repository, key_format=substitute(written, values) if written else None,
            avoid_hosts=call.avoid_hosts, settings=self._settings(),
        )  # fmt: skip

    def _deadline_s(self, now: float) -> int | None:
        """What is left of `timeout`, which takes the place of the template's own deadline, and of the retry's
        maxDuration, which does not; None leaves it to the template. Raises BadTemplate when it is not worth a pod."""
        template, ends = self.instance.template, self.call.deadline
        text = template.get("timeout")
        if text:
            end = seconds(self.status.started_at or "") + parse_duration_or_seconds(str(text))
            if int(end - now) <= LEFT_S_MIN:
                raise BadTemplate(f"{self.status.name} exceeded its deadline")
            ends = end if ends is None else min(ends, end)
        if ends is None:
            return None
        left, own = max(1, int(ends - now)), None if text else own_deadline_s(template)
        return left if own is None else min(left, own)

    def _told_deadline(self) -> str:
        """When the workflow or the retry's maxDuration ends it, whichever is first; empty when nothing does."""
        of_workflow = None if self.call.on_exit else self.run.deadline
        known = [end for end in (of_workflow, self.call.deadline) if end is not None]
        return rfc3339(min(known)) if known else ""

    def _not_created(self, error: ApiError, now: float) -> list[Command]:
        """Refused for good or for a while; or nobody knows, and what is there is looked at before it is asked again."""
        self.creating = False
        if self.status.ended:
            return [Read(self._reference(), RELEASE)] if not self.released else []
        if self.pod is not None or self.status.phase == "Running":
            return []  # it was made, and was seen: only the answer is missing
        if isinstance(error, AlreadyExists | Withdrawn):
            return [Read(self._reference(), ADOPT)]
        if isinstance(error, Refused | Gone) and not passes(error):
            self.released = True
            return self._unproven(self.erred(error.message, now))
        self.now_is("Pending", now, error.message)
        again = ADOPT if isinstance(error, Unavailable) else CREATE
        return [*self.announce(), WakeAt(now + self._patience_s(), again)]

    def _unproven(self, ended: list[Command]) -> list[Command]:
        """Keep from everybody but the journal, until it is on record, an end of which nothing is left to be seen.

        The next life would make the pod again, beside whatever had been begun upon this end."""
        first: list[Command] = []
        later: list[Command] = []
        for said in ended:
            match said:
                case Tell(to, NodeChanged() as word) if word.status.id == self.id:
                    first.append(Tell(to, msgspec.structs.replace(word, unproven=True)))
                case Tell(_, NodeChanged()):
                    first.append(said)
                case Tell():
                    later.append(said)
                case _:
                    first.append(said)
        self.untold = tuple(later)
        return first

    def _patience_s(self) -> float:
        """How long to wait before the next try, longer each time."""
        self.refusals += 1
        return CREATE_BACKOFF_S[min(self.refusals, len(CREATE_BACKOFF_S)) - 1]

    # ------------------------------------------------------------------------------------------ its image

    def _settings(self) -> PodSettings:
        """The installation's, with what registries have said."""
        if not self.entrypoints:
            return self.settings
        known = ChainMap(self.entrypoints, dict(self.settings.image_entrypoints))
        return replace(self.settings, image_entrypoints=known)

    def _ask_registry(self, unknown: UnknownEntrypoint, now: float) -> list[Command]:
        if not self.settings.ask_registries or unknown.image in self.entrypoints:
            return self.erred(str(unknown), now)
        return [Ask(REGISTRY, self._question(unknown.image), IMAGE)]

    def _question(self, image: str) -> ImageQuestion:
        return question_for(image, self.run.address.namespace, self.instance.template, self.run.spec)

    def _image_known(self, image: str, answer: Any, now: float) -> list[Command]:
        """The registry has answered; an image that starts nothing stays unknown."""
        if self.status.ended:
            return []
        self.entrypoints[image] = (list(answer[0]), list(answer[1]))
        return self._create(now)

    def _image_unknown(self, image: str, error: ApiError, now: float) -> list[Command]:
        """The registry does not say, now or at all."""
        if self.status.ended:
            return []
        text = f"the command of image {image!r} is not known: {error.message}"
        if isinstance(error, Refused | Gone) or self.refusals >= IMAGE_QUESTIONS_MAX:
            return self.erred(text, now)
        self.now_is("Pending", now, text)
        return [*self.announce(), WakeAt(now + self._patience_s(), CREATE)]

    # ------------------------------------------------------------------------------------------ another one

    def _restart(self, pod: Object, now: float) -> list[Command] | None:
        """Begin with another pod where this one was lost before its program began; None when that is no remedy."""
        reason = restart_reason(pod)
        if not reason or self.status.ended:
            return None
        under_way = self.status.restarting_pod_uid == pod["metadata"]["uid"]
        if not under_way and self.status.failed_pod_restarts >= self.settings.pod_restarts_max:
            return None
        if under_way:
            return self._make_room()
        restarts, uid = self.status.failed_pod_restarts + 1, pod["metadata"]["uid"]
        self.status = msgspec.structs.replace(self.status, failed_pod_restarts=restarts, restarting_pod_uid=uid)
        self.now_is("Pending", now, f"Pod auto-restarting due to {reason}")
        return [*self.announce(), *self._make_room()]

    def _let_go(self, pod: Object, now: float) -> list[Command]:
        """A pod on its way out that has nothing to tell: it is waited for, and not held any longer."""
        patch = release_patch(pod)
        freed: list[Command] = [] if patch is None else [Patch(reference(PODS, pod), patch, tag=ADOPT)]
        return [*freed, WakeAt(now + 1.0, ADOPT)]

    def _make_room(self) -> list[Command]:
        """Let the lost pod go: what holds it first."""
        if self.pod is None:
            return []
        ref, patch = reference(PODS, self.pod), release_patch(self.pod)
        if patch is not None:
            return [Patch(ref, patch, tag=RESTART)]
        return [Delete(ref, grace_s=0, tag=RESTART)]

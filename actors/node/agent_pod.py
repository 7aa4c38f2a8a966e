"""The one pod of an agent: there while there is work, made anew when it is lost, and never the reason of a silent wait.

A part of the agent's state: it answers with commands, and with the trouble that the waiting nodes have to hear of.
(AGENT-4)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from actors.messages import PLUGINS, AgentTrouble, WantsPlugins
from actors.names import ids, labels
from actors.node.agent_stuck import given_up
from actors.node.assess import blame, waiting_reason
from actors.node.manifest_agent import agent_pod
from actors.node.manifest_request import BadTemplate, PodRequest, PodSettings
from actors.node.refusals import CREATE_BACKOFF_S, passes
from actors.run import AgentCall
from runtime.api import AlreadyExists, ApiError, Gone, Refused
from runtime.messages import Command, Create, Delete, Read, Tell, WakeAt
from runtime.objects import PODS, Object, Reference, owner_uid, reference

CREATE, ADOPT, DISMISS, OFFERED = "agentpod:create", "agentpod:adopt", "agentpod:dismiss", "agentpod:offered"
PLUGINS_S = 1.0  # within which whoever knows them has answered
RETRY_S = 2.0
Heard: TypeAlias = tuple[list[Command], AgentTrouble | None]


class AgentPod:
    """What is known of the pod."""

    def __init__(self, call: AgentCall, account: str, settings: PodSettings) -> None:
        self.call = call
        self.account = account
        self.settings = settings
        self.pod: Object | None = None
        self.asked = False  # it is being made, looked at or deleted
        self.gone = not settings.agent_pods  # it was seen to be gone, or never made
        self.over = False
        self.refusals = 0
        self.reason = ""  # why it does not run yet
        self.plugins: tuple[Mapping[str, Any], ...] | None = tuple(call.run.spec.get("executorPlugins") or ()) or None

    @property
    def ref(self) -> Reference:
        """Where it is."""
        run = self.call.run
        name = ids.node_id(run.name, f"agent.{self.account}" if self.account else "agent")
        return Reference(PODS, run.address.namespace, f"{name}-agent")

    @property
    def ended(self) -> bool:
        """Whether it will do nothing any more."""
        pod = self.pod or {}
        return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"} or bool(given_up(pod))

    def wanted(self, now: float) -> Heard:
        """There is work for it."""
        if self.asked or self.over or not self.settings.agent_pods:
            return [], None
        if self.pod is None and self.plugins is None and self.settings.executor_plugins:
            self.asked = True  # without any ConfigMap there is nobody to answer
            question = WantsPlugins(self.call.run.address.namespace)
            return [Tell(PLUGINS, question), WakeAt(now + PLUGINS_S, f"{OFFERED}/{self.account}")], None
        if self.pod is None:
            return self._create()
        if not self.ended:
            return [], (AgentTrouble(self.reason) if self.reason else None)
        self.asked = True  # a pod that has ended makes room for another
        return [Delete(reference(PODS, self.pod), tag=DISMISS)], None

    def offered(self, plugins: tuple[Mapping[str, Any], ...], now: float) -> Heard:
        """These are the plugins; now there may be a pod."""
        if self.plugins is not None:
            return [], None
        self.plugins, self.asked = plugins, False
        return self.wanted(now)

    def observed(self, thing: Object) -> Heard:
        """It is now so."""
        if not self._is_mine(thing):
            return [], None
        was_ended = self.ended
        self.pod, self.gone = thing, False
        if self.over:
            return self.dismissed(), None
        if self.ended and not was_ended:
            return [], AgentTrouble(f'agent pod failed with reason:"{_failure(thing)}"', lost=True)
        reason = "" if self.ended else waiting_reason(thing.get("status") or {})
        if reason == self.reason:
            return [], None
        self.reason = reason
        return [], AgentTrouble(reason)

    def vanished(self, ref: Reference, *, busy: bool) -> Heard:
        """It is no longer there."""
        if ref.name != self.ref.name or (self.pod is not None and ref.uid != self.pod["metadata"]["uid"]):
            return [], None
        self.pod, self.asked, self.gone = None, False, True
        return self._create() if busy else ([], None)

    def done(self, command: Command, result: Any) -> Heard:
        """It was made, looked at or deleted."""
        match command:
            case Create(tag="agentpod:create"):
                self.asked, self.refusals = False, 0
                return self.observed(result)
            case Read(tag="agentpod:adopt"):
                self.asked = False
                if self._is_mine(result):
                    return self.observed(result)
                return [], AgentTrouble(f"Pod {self.ref.name} exists already and is not this workflow's", lost=True)
            case Delete(tag="agentpod:dismiss"):
                self.gone = self.over or self.gone
        return [], None

    def failed(self, command: Command, error: ApiError, now: float, *, busy: bool) -> Heard:
        """It could not be made, looked at or deleted."""
        match command:
            case Create(tag="agentpod:create") if isinstance(error, AlreadyExists):
                return [Read(self.ref, ADOPT)], None
            case Create(tag="agentpod:create") if isinstance(error, Refused | Gone) and not passes(error):
                self.asked, self.gone = False, True
                return [], _unmade(f"failed to create Agent pod: {error.message}")
            case Create(tag="agentpod:create"):
                delay = CREATE_BACKOFF_S[min(self.refusals, len(CREATE_BACKOFF_S) - 1)]
                self.refusals += 1
                return [WakeAt(now + delay, f"{CREATE}/{self.account}")], AgentTrouble(error.message)
            case Read(tag="agentpod:adopt") if isinstance(error, Gone):
                self.asked, self.gone = False, True
                return self._create() if busy else ([], None)
            case Read(tag="agentpod:adopt"):
                return [WakeAt(now + RETRY_S, f"{ADOPT}/{self.account}")], None
            case Delete(tag="agentpod:dismiss") if isinstance(error, Gone | Refused):
                self.gone = True
            case Delete(tag="agentpod:dismiss"):
                return [WakeAt(now + RETRY_S, f"{DISMISS}/{self.account}")], None
        return [], None

    def woke(self, tag: str, now: float, *, busy: bool) -> Heard:
        """Something is tried again."""
        match tag:
            case "agentpod:offered":
                return self.offered((), now)
            case "agentpod:create":
                self.asked = False
                return self.wanted(now) if busy else ([], None)
            case "agentpod:adopt":
                return [Read(self.ref, ADOPT)], None
            case "agentpod:dismiss":
                return self.dismissed(), None
        return [], None

    def dismissed(self) -> list[Command]:
        """The workflow is over: it goes."""
        self.over = True
        if self.gone:
            return []
        if self.pod is None:  # one that nobody has told of yet
            return [Read(self.ref, ADOPT)]
        return [Delete(reference(PODS, self.pod), tag=DISMISS)]

    def waiting(self) -> str:
        """How it is, in a few words."""
        if self.pod is None:
            return f"its pod {self.ref.name} is being made"
        phase = (self.pod.get("status") or {}).get("phase", "Pending")
        return f"its pod {self.ref.name} is {phase}{f' ({self.reason})' if self.reason else ''}"

    def _create(self) -> Heard:
        try:
            thing = self._manifest()
        except BadTemplate as error:
            return [], _unmade(str(error))
        self.asked, self.gone = True, False
        return [Create(PODS, thing, CREATE)], None

    def _manifest(self) -> Object:
        run = self.call.run
        request = PodRequest(
            workflow_name=run.name, namespace=run.address.namespace, workflow_uid=run.address.uid, spec=run.spec,
            template={}, node_id=self.call.id, node_name="agent", pod_name=self.ref.name, settings=self.settings,
        )  # fmt: skip
        return agent_pod(request, run.address, self.account, self.plugins or ())

    def _is_mine(self, pod: Object) -> bool:
        annotations = pod["metadata"].get("annotations") or {}
        return owner_uid(pod) == self.call.run.address.uid and annotations.get(labels.NODE_ID) == self.call.id


def _unmade(reason: str) -> AgentTrouble:
    return AgentTrouble(f'create agent pod failed with reason:"{reason}"', lost=True)


def _failure(pod: Object) -> str:
    status = pod.get("status") or {}
    if status.get("message"):
        return str(status["message"])
    if hopeless := given_up(pod):
        return hopeless
    for entry in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        ended = (entry.get("state") or {}).get("terminated")
        if ended and ended.get("exitCode"):
            return blame(entry, ended)
    return str(status.get("reason") or "it ended by itself")

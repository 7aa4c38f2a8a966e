"""The agent of a workflow: one task set, a pod that works it off, and the nodes that wait for what comes of it.

A template that names another service account than the workflow's has its tasks worked off by a pod of that account.
The agent is started by the first task and ends with the workflow; the emptied task set stays. What is in it survives a
restart of the controllers: nodes ask again, and answers that are there already are told at once.
(AGENT-3, AGENT-4, KIND-6)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.messages import AgentTask, AgentTrouble, NodeStatus, Plugins, TaskDone, TaskResult, WorkflowEnded
from actors.names import labels
from actors.node.agent_pod import AgentPod, Heard
from actors.node.behaviour import Behaviour
from actors.node.manifest_request import PodSettings
from actors.node.task_set import (
    FORGOTTEN_MAX,
    TASK_SETS,
    closing,
    fitting,
    is_closed,
    is_final,
    is_of,
    new_task_set,
    results,
    task_set_ref,
)
from actors.run import AgentCall
from runtime.api import AlreadyExists, ApiError, Gone, Refused
from runtime.messages import Address, Command, Create, Delete, Patch, Read, Tell, WakeAt
from runtime.objects import PODS, Object, Reference, reference

WRITE, LOOK, ANSWERS, CLOSE, AGAIN = "agent:write", "agent:look", "agent:answers", "agent:close", "agent:again"
RETRY_S = 2.0


class AgentNode(Behaviour):
    """A task set and what is known of it. It has no entry in the status."""

    def __init__(self, call: AgentCall, settings: PodSettings) -> None:
        super().__init__(call.run, call.run.address, NodeStatus(id=call.id, type="Agent"))
        self.call = call
        self.over = call.over
        self.wanted: dict[str, Mapping[str, Any]] = {}  # node id -> template, until its outcome is on record
        self.listed: set[str] = set()  # nodes in spec.tasks, as acknowledged
        self.forgotten: set[str] = set()  # of these: nobody waits for them
        self.answers: dict[str, TaskResult] = {}  # as last told
        self.set: Object | None = None
        self.set_done = False  # it is gone, or all is said in it
        self.writing: dict[str, Any] | None = None  # what the write under way adds (None: takes away)
        self.settings = settings
        self.accounts: dict[str, str] = {}  # node id -> the service account of its task
        self.pods: dict[str, AgentPod] = {}  # by service account

    @property
    def retires(self) -> bool:
        """The workflow is over, and nothing of the agent is left."""
        return self.over and self.set_done and all(pod.gone for pod in self.pods.values())

    def started(self, now: float) -> list[Command]:
        """Tasks come as messages; one whose workflow is over only clears up."""
        del now
        return self._clear_up() if self.over else []

    # ------------------------------------------------------------------------------------------ what it hears

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """Work for it, an end of some, or the end of all."""
        del sender
        match word:
            case AgentTask():
                return self._take(word, now)
            case TaskDone(node_id):
                return self._forget(node_id)
            case Plugins(definitions, error):
                return self._offered(definitions, error, now)
            case WorkflowEnded():
                self.over = True
                return self._clear_up()
        return []

    def _take(self, task: AgentTask, now: float) -> list[Command]:
        self.wanted[task.node_id] = task.template
        self.accounts[task.node_id] = task.account
        self.forgotten.discard(task.node_id)
        self.answers.pop(task.node_id, None)
        commands = [*self._tell_answers(), *self._write()]
        return commands if is_final(self.answers.get(task.node_id)) else [*commands, *self._staff(task.account, now)]

    def _staff(self, account: str, now: float) -> list[Command]:
        """See that there is a pod for the tasks of a service account."""
        pod = self._pod(account)
        return self._of_pod(pod, pod.wanted(now))

    def _offered(self, plugins: tuple[Mapping[str, Any], ...], error: str, now: float) -> list[Command]:
        if error:  # a plugin node may have meant one of those; requests need none
            meant = {node: task for node, task in self.wanted.items() if task.get("plugin") is not None}
            told = [Tell(self.run.node_address(node), AgentTrouble(error)) for node in meant]
            return [*told, *self._offered(plugins, "", now)]
        return [command for pod in self.pods.values() for command in self._of_pod(pod, pod.offered(plugins, now))]

    def _pod(self, account: str) -> AgentPod:
        return self.pods.setdefault(account, AgentPod(self.call, account, self.settings))

    def _pod_named(self, name: str) -> AgentPod | None:
        """The pod of that name: one that a former life of this agent made is known by its annotation."""
        return next((pod for pod in self.pods.values() if pod.ref.name == name), None)

    def _forget(self, node_id: str) -> list[Command]:
        """A finished task may stay in the set until something else is written; one under way is taken back now."""
        finished = is_final(self.answers.pop(node_id, None))
        self.wanted.pop(node_id, None)
        self.accounts.pop(node_id, None)
        if node_id in self.listed or (self.writing and node_id in self.writing):
            self.forgotten.add(node_id)
        return self._write(clean=not finished or len(self.forgotten) >= FORGOTTEN_MAX)

    def observed(self, ref: Reference, thing: Object, now: float) -> list[Command]:
        """The task set or the pod is now so."""
        if ref.resource == PODS:
            pod = self._pod_named(ref.name) or self._pod(self._account_of(thing))
            return self._of_pod(pod, pod.observed(thing))
        if ref.resource != TASK_SETS or not is_of(thing, self.run.address):
            return []
        self.set, self.set_done = thing, False
        if self.writing is None:
            self.listed = set((thing.get("spec") or {}).get("tasks") or ())
            known = self.run.known
            self.forgotten |= {node for node in self.listed - set(self.wanted) if node in known and known[node].ended}
        return self._clear_up() if self.over else self._tell_answers()

    def gone(self, ref: Reference, now: float) -> list[Command]:
        """Somebody removed the task set or the pod: while there is work they are made anew."""
        if ref.resource == PODS:
            pod = self._pod_named(ref.name)
            return [] if pod is None else self._of_pod(pod, pod.vanished(ref, busy=self._busy(pod)))
        if ref.resource != TASK_SETS or (self.set is not None and ref.uid != self.set["metadata"]["uid"]):
            return []
        self.set, self.listed, self.forgotten = None, set(), set()
        self.set_done = True
        return [] if self.over else self._write()

    def woke(self, tag: str, now: float) -> list[Command]:
        """Something is tried again."""
        if tag == AGAIN:
            return self._clear_up() if self.over else self._write()
        what, _, account = tag.partition("/")
        pod = self._pod(account)
        return self._of_pod(pod, pod.woke(what, now, busy=self._busy(pod)))

    def done(self, command: Command, result: Any, now: float) -> list[Command]:
        """A write has happened."""
        match command:
            case Create(tag="agent:write") | Patch(tag="agent:write"):
                return self._written(result)
            case Read(tag="agent:look"):
                self.writing = None
                if not is_of(result, self.run.address):
                    self.set_done = True
                    text = f"WorkflowTaskSet {self.run.name} exists already and is not this workflow's"
                    return self._tell_all(AgentTrouble(text, lost=True))
                return [*self.observed(reference(TASK_SETS, result), result, now), *self._write()]
            case Patch(tag="agent:close"):
                self.set, self.writing = result, None
                return self._close()
        pod = self._pod_named(named(command))
        return [] if pod is None else self._of_pod(pod, pod.done(command, result))

    def failed(self, command: Command, error: ApiError, now: float) -> list[Command]:
        """A write was refused: look, try again, or say so."""
        match command:
            case Create(tag="agent:write") | Patch(tag="agent:write") | Read(tag="agent:look"):
                return self._unwritten(command, error, now)
            case Patch(tag="agent:answers"):
                return []  # what is left there does no harm
            case Patch(tag="agent:close"):
                self.writing, self.set_done = None, isinstance(error, Gone | Refused)
                return [] if self.set_done else [WakeAt(now + RETRY_S, AGAIN)]
        pod = self._pod_named(named(command))
        return [] if pod is None else self._of_pod(pod, pod.failed(command, error, now, busy=self._busy(pod)))

    # ------------------------------------------------------------------------------------------ the task set

    def _write(self, *, clean: bool = False) -> list[Command]:
        """Put into the set what is wanted and fits, and take out with it what nobody waits for."""
        if self.writing is not None or self.over:
            return []
        added = fitting(self.wanted, self.listed)
        closed = self.set is not None and is_closed(self.set)  # by a former life, and somebody has retried the workflow
        if not added and not (clean and self.forgotten) and not (closed and self.wanted):
            return []
        if self.set is None:
            self.writing = dict(added)
            thing = new_task_set(self.run.address, added, self.settings.instance_id)
            return [Create(TASK_SETS, thing, WRITE)] if added else self._written(None)
        removed = dict.fromkeys(sorted(self.forgotten))
        self.writing = {**removed, **added}
        ref = reference(TASK_SETS, self.set)
        opened = {"metadata": {"labels": {labels.COMPLETED: "false"}}} if closed else {}
        commands: list[Command] = [Patch(ref, {**opened, "spec": {"tasks": self.writing}}, tag=WRITE)]
        if removed:
            commands.append(Patch(ref, {"status": {"nodes": removed}}, subresource="status", tag=ANSWERS))
        return commands

    def _written(self, result: Object | None) -> list[Command]:
        sent, self.writing = self.writing or {}, None
        if result is not None:
            self.set, self.set_done = result, False
        self.listed |= {node for node, template in sent.items() if template is not None}
        gone = {node for node, template in sent.items() if template is None}
        self.listed -= gone
        self.forgotten -= gone
        return self._clear_up() if self.over else [*self._tell_answers(), *self._write()]

    def _unwritten(self, command: Command, error: ApiError, now: float) -> list[Command]:
        sent, self.writing = self.writing or {}, None
        if self.over:
            self.set_done = isinstance(command, Read) and isinstance(error, Gone)
            return [] if self.set_done else [WakeAt(now + RETRY_S, AGAIN)]
        if isinstance(error, AlreadyExists):
            self.writing = {}
            return [Read(task_set_ref(self.run.address), LOOK)]
        if isinstance(error, Gone):
            self.set, self.listed = None, set()
            return [] if isinstance(command, Read) else self._write()
        if isinstance(error, Refused):
            return self._unfit([node for node, template in sent.items() if template is not None], error)
        return [WakeAt(now + RETRY_S, AGAIN)]

    def _unfit(self, nodes: list[str], error: Refused) -> list[Command]:
        """What the server does not take will never be worked off."""
        trouble = AgentTrouble(f"the agent's task cannot be written: {error.message}", lost=True)
        for node in nodes:
            del self.wanted[node]
        return [Tell(self.run.node_address(node), trouble) for node in nodes]

    def _tell_answers(self) -> list[Command]:
        if self.set is None:
            return []
        commands: list[Command] = []
        for node, answer in results(self.set).items():
            if node in self.wanted and self.answers.get(node) != answer:
                self.answers[node] = answer
                commands.append(Tell(self.run.node_address(node), answer))
        return commands

    # ------------------------------------------------------------------------------------------ its end

    def _account_of(self, pod: Object) -> str:
        """The service account of a pod that a former life of this agent made."""
        known = self._pod("").ref.name
        return "" if pod["metadata"]["name"] == known else str(pod["spec"].get("serviceAccountName") or "")

    def _busy(self, pod: AgentPod) -> bool:
        return not self.over and bool(self._waiting_for(pod))

    def _waiting_for(self, pod: AgentPod | None) -> list[str]:
        """The nodes whose tasks are not worked off yet: of a pod, or all."""
        return [
            node
            for node in self.wanted
            if not is_final(self.answers.get(node)) and (pod is None or self.accounts[node] == pod.account)
        ]

    def _of_pod(self, pod: AgentPod, heard: Heard) -> list[Command]:
        """What a pod asks for, and what the nodes that wait for it have to know."""
        commands, trouble = heard
        return commands if trouble is None else [*commands, *self._tell_all(trouble, pod)]

    def _tell_all(self, trouble: AgentTrouble, pod: AgentPod | None = None) -> list[Command]:
        return [Tell(self.run.node_address(node), trouble) for node in self._waiting_for(pod)]

    def _clear_up(self) -> list[Command]:
        """Delete its pods, and close its task set."""
        self._pod("")  # of which nobody may have told yet
        return [*(command for pod in self.pods.values() for command in pod.dismissed()), *self._close()]

    def _close(self) -> list[Command]:
        """Let the task set say that no more is to come."""
        if self.writing is not None or self.set_done:
            return []
        if self.set is None:  # one that nobody has told of yet
            self.writing = {}
            return [Read(task_set_ref(self.run.address), LOOK)]
        step = closing(self.set)
        if step is None:
            self.set_done = True
            return []
        self.writing = {}
        body, part = step
        return [Patch(reference(TASK_SETS, self.set), body, subresource=part, tag=CLOSE)]

    def waiting(self) -> str:
        """What would move it on."""
        if self.over:
            return "for its pod to be gone and its task set to be closed"
        return f"for {len(self._waiting_for(None))} tasks; {'; '.join(pod.waiting() for pod in self.pods.values())}"


def named(command: Command) -> str:
    """The name of the object that a command is about."""
    match command:
        case Create():
            return str(command.object["metadata"]["name"])
        case Read() | Delete() | Patch():
            return command.ref.name
    return ""

"""The node room: every entry of `status.nodes` that lives is an actor whose state is its behaviour.

Next: a node's words go to its parent (another node or the workflow) and to the workflow's journal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

from actors.messages import Bereft, Edited, Shutdown, TemplateSought
from actors.node.agent import AgentNode
from actors.node.agent_leaf import AgentLeaf
from actors.node.behaviour import Behaviour
from actors.node.called import ASKED, Called
from actors.node.collector import Collector
from actors.node.dag import DagNode
from actors.node.group import Group, GroupCall
from actors.node.leftover import LeftoverNode
from actors.node.manifest_request import PodSettings
from actors.node.pod import PodNode
from actors.node.retry import RetryNode
from actors.node.sought import SoughtNode
from actors.node.steps import StepsNode
from actors.node.suspend import SuspendNode, UnableNode
from actors.run import AgentCall, Call, CollectCall, Leftover
from actors.templates import POD_TYPES, template_type
from runtime.messages import (
    Address,
    Command,
    Done,
    Down,
    Failed,
    Gone,
    Message,
    Observed,
    Spawn,
    Started,
    Stop,
    Tell,
    Told,
    Woke,
)


class NodeMind:
    """Gives each node the behaviour of its kind, and passes messages to it."""

    def __init__(self, settings: PodSettings | None = None) -> None:
        self.settings = settings or PodSettings()

    def birth(self, address: Address, argument: Any) -> Behaviour:
        """The behaviour that a call (or a group of calls) asks for."""
        if isinstance(argument, GroupCall):
            return Group(argument)
        if isinstance(argument, CollectCall):
            return Collector(argument, self.settings)
        if isinstance(argument, AgentCall):
            return AgentNode(argument, self.settings)
        if isinstance(argument, Leftover):
            return LeftoverNode(argument, self.settings)
        if not isinstance(argument, Call):
            raise TypeError(f"{address} is born by its parent, with a Call")
        if argument.resolved.sought:
            return SoughtNode(argument)
        if argument.repeated:
            return RetryNode(argument)
        kind = template_type(argument.template)
        if kind in POD_TYPES:
            return PodNode(argument, self.settings)
        plain: dict[str, type[Called]] = {
            "steps": StepsNode, "dag": DagNode, "suspend": SuspendNode, "http": AgentLeaf, "plugin": AgentLeaf,
        }  # fmt: skip
        return plain.get(kind, UnableNode)(argument)

    def receive(self, state: Behaviour, message: Message, now: float) -> Iterable[Command]:
        """Pass the message on; keep count of the children that live; stop when nothing is left to do."""
        if isinstance(state, SoughtNode):
            return self._receive_sought(state, message, now)
        return self._receive(state, message, now)

    def _receive_sought(self, state: SoughtNode, message: Message, now: float) -> list[Command]:
        """Until its template is known a node keeps what it hears; then it is what the template says."""
        if state.node is not None:
            return self._receive(state.node, message, now)
        if not isinstance(message, Started) and not _is_answer(message):
            state.heard.append(message)
            return []
        commands = self._receive(state, message, now)
        if state.found is None:
            return commands
        state.node = self.birth(state.address, state.found)
        for each in (Started(), *state.heard):
            if not any(isinstance(command, Stop) for command in commands):
                commands += self._receive(state.node, each, now)
        return commands

    def _receive(self, state: Behaviour, message: Message, now: float) -> list[Command]:
        if isinstance(message, Down):
            state.live.discard(message.child.part)
        commands = _react(state, message, now)
        for command in commands:
            if command.__class__ is Spawn:  # half the price of isinstance, for each command of each node
                state.live.add(command.address.part)
        if state.retires and not state.live and not any(isinstance(command, Stop) for command in commands):
            commands.append(Stop())
        return commands

    def waiting(self, state: Behaviour) -> str:
        """What the node says it waits for."""
        if isinstance(state, SoughtNode) and state.node is not None:
            state = state.node
        if isinstance(state, Called) and state.locking == ASKED:
            return state.status.message or "for its locks"
        return state.waiting()


def _is_answer(message: Message) -> bool:
    return isinstance(message, Told) and isinstance(message.word, TemplateSought)


def _react(state: Behaviour, message: Message, now: float) -> list[Command]:
    match message:
        case Started():
            state.awake = True
            return state.started(now)
        case Told(_, Shutdown()) if not state.awake:
            return []  # it has overtaken the beginning, which asks for itself
        case Told(_, Edited() as word):
            return state.edited(word, now)
        case Told(sender, word):
            return state.told(sender, word, now)
        case Observed(ref, thing):
            return state.observed(ref, thing, now)
        case Gone(ref, _):
            return state.gone(ref, now)
        case Woke(tag):
            return state.woke(tag, now)
        case Done(command, result):
            return state.done(command, result, now)
        case Failed(command, error):
            return state.failed(command, error, now)
        case Down(child, "crashed", detail):
            return [*state.child_ended(child, detail, now), Tell(state.run.address, Bereft(child.part))]
        case Down(child):
            return state.child_ended(child, "", now)
        case _:
            assert_never(message)

"""A node that a call started: it asks to begin, resolves its inputs, and then does what its kind does.

Before it begins it has no entry in the status (upstream creates none either while a limit holds it back). What cannot
be resolved becomes an error placeholder: type Skipped, phase Error. (TMPL-13, PAR-3, PAR-4, PARAM-2.)
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from actors.language.expression import ExpressionError
from actors.language.tags import SubstitutionError
from actors.messages import (
    DeadlineExceeded,
    Denied,
    NodeFlag,
    Permit,
    Phase,
    ReturnsPermit,
    Shutdown,
    WantsPermit,
)
from actors.names import labels
from actors.names.durations import parse_duration
from actors.names.timestamps import seconds
from actors.node.behaviour import Behaviour, new_status
from actors.node.inputs import BadInputs, Instance, config_maps, instantiate
from actors.node.scope import export_variables
from actors.run import DEPTH_MAX, Call
from actors.templates import NODE_TYPES, template_type
from runtime.api import ApiError, Gone
from runtime.messages import Address, Command, Read, Tell, WakeAt
from runtime.objects import CONFIGMAPS, Reference

READ_CONFIG = "config:"  # tag of a ConfigMap being read for inputs
DISPLAY_NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9-.]{0,61}[a-zA-Z0-9]$")
RETRY_READ_S = 2.0  # after an API server that did not answer


class Called(Behaviour):
    """What Pod, Steps, DAG, Suspend and Retry nodes have in common."""

    gated = True  # counts against its boundary's parallelism

    def __init__(self, call: Call, node_type: str = "") -> None:
        flag = NodeFlag(hooked=call.hooked, retried=call.retried) if call.hooked or call.retried else None
        status = new_status(
            call.node_name, call.run, node_type or NODE_TYPES.get(template_type(call.template), "Skipped"),
            boundary_name=call.boundary_name, boundary_id=call.boundary, template_name=call.resolved.name,
            template_ref=call.resolved.reference, template_scope=call.resolved.scope, node_flag=flag,
        )  # fmt: skip
        super().__init__(call.run, call.parent, status)
        self.call = call
        self.instance = Instance({}, {}, {})
        self.asking: list[Address] = []  # whose permit is still wanted
        self.permits: list[Address] = []  # whose permit must be returned
        self.config: dict[str, dict[str, str] | None] = {}
        self.begun = False

    def begin(self, now: float) -> list[Command]:
        """Do what this kind of node does; inputs are resolved."""
        raise AssertionError(f"{type(self).__name__} does not begin")

    # ------------------------------------------------------------------------------------------ until it begins

    def started(self, now: float) -> list[Command]:
        """Ask for what is needed to begin."""
        known = self.run.known.get(self.id)
        if known is not None and known.type == self.status.type:
            self.status = known
        if self.status.ended:
            return self.found_ended(now)
        if self.call.depth >= DEPTH_MAX:
            text = f"Maximum recursion depth exceeded: {DEPTH_MAX} nested template calls; end the recursion with `when`"
            return self.unable(text, now)
        self.asking = self._gates()
        return self._ask_or_resolve(now)

    def _gates(self) -> list[Address]:
        gates = []
        if self.gated and self.call.gate is not None:
            gates.append(self.call.gate)
        if self.status.type == "Pod" and self.run.permits:
            gates.append(self.run.address)
        return gates

    def _ask_or_resolve(self, now: float) -> list[Command]:
        if self.asking:
            return [Tell(self.asking[0], WantsPermit(self.id, is_pod=self.status.type == "Pod"))]
        wanted = config_maps(self.call)
        missing = [name for name, _ in wanted if name not in self.config]
        if missing:
            return [self._read(name) for name in missing]
        return self._resolve(now)

    def _read(self, name: str) -> Read:
        return Read(Reference(CONFIGMAPS, self.run.address.namespace, name), tag=READ_CONFIG + name)

    def _resolve(self, now: float) -> list[Command]:
        try:
            self.instance = instantiate(self.call, self.config)
        except (BadInputs, SubstitutionError, ExpressionError, ValueError) as error:
            return self.unable(str(error), now)
        self.begun = True
        commands = self._timeout(now)
        if self.status.ended:
            return commands
        named = self._display_name()
        if named is None:
            text = f"displayName must match the regex {DISPLAY_NAME.pattern}"
            return self.unable(text, now)
        self.status = msgspec.structs.replace(self.status, inputs=self.instance.inputs or None, display_name=named)
        return [*commands, *self.begin(now)]

    def _display_name(self) -> str | None:
        """The template's own name for its nodes (TMPL-12); None when it is not fit to be one."""
        wished = (self.instance.template.get("annotations") or {}).get(labels.DISPLAY_NAME)
        if wished is None:
            return self.status.display_name
        return str(wished) if DISPLAY_NAME.match(str(wished)) else None

    def _timeout(self, now: float) -> list[Command]:
        """Arm `timeout` and `pendingTimeout` of the template (TMO-3, TMO-4)."""
        commands: list[Command] = []
        began = seconds(self.status.started_at) if self.status.started_at else now
        for field in ("timeout", "pendingTimeout"):
            text = self.instance.template.get(field)
            if text:
                try:
                    commands.append(WakeAt(began + parse_duration(str(text)), field))
                except ValueError as error:
                    return self.unable(f"{field}: {error}", now)
        return commands

    def unable(self, message: str, now: float) -> list[Command]:
        """The engine cannot run this call: an error placeholder stands for it."""
        self.status = msgspec.structs.replace(self.status, type="Skipped", progress="")
        return self.end("Error", now, message, error=message)

    def found_ended(self, now: float) -> list[Command]:
        """The record says that this node has ended already."""
        del now
        return self.announce()

    # ------------------------------------------------------------------------------------------ what it hears

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """Permits, stops and deadlines."""
        match word:
            case Permit():
                self.permits.append(sender)
                if sender in self.asking:
                    self.asking.remove(sender)
                return self._ask_or_resolve(now)
            case Denied():
                return [*self._return_permits(), *self.never_began()]
            case Shutdown(strategy):
                if self.status.ended or (self.call.on_exit and strategy == "Stop"):
                    return []
                return self.shut_down(strategy, now) if self.begun else self._stop_before_begin(strategy, now)
            case DeadlineExceeded():
                if self.status.ended or self.call.on_exit:
                    return []
                return self.deadline_exceeded(now)
        return []

    def _stop_before_begin(self, strategy: str, now: float) -> list[Command]:
        if self.status.type == "Pod":
            return self.end("Failed", now, f"workflow shutdown with strategy: {strategy}")
        return self.end("Failed", now, f"Stopped with strategy '{strategy}'")

    def shut_down(self, strategy: str, now: float) -> list[Command]:
        """The workflow is being stopped while this node runs."""
        return self.end("Failed", now, f"Stopped with strategy '{strategy}'")

    def deadline_exceeded(self, now: float) -> list[Command]:
        """The workflow's deadline has passed while this node runs."""
        return self.end("Failed", now, "Step exceeded its deadline")

    def done(self, command: Command, result: Any, now: float) -> list[Command]:
        """A ConfigMap has been read."""
        if isinstance(command, Read) and command.tag.startswith(READ_CONFIG):
            self.config[command.ref.name] = result.get("data") or {}
            return [] if self._still_reading() else self._ask_or_resolve(now)
        return []

    def failed(self, command: Command, error: ApiError, now: float) -> list[Command]:
        """A ConfigMap could not be read: absent is an answer, silence is not."""
        if isinstance(command, Read) and command.tag.startswith(READ_CONFIG):
            if isinstance(error, Gone):
                self.config[command.ref.name] = None
                return [] if self._still_reading() else self._ask_or_resolve(now)
            return [WakeAt(now + RETRY_READ_S, command.tag)]
        return []

    def _still_reading(self) -> bool:
        return any(name not in self.config for name, _ in config_maps(self.call))

    def woke(self, tag: str, now: float) -> list[Command]:
        """A read is tried again, or a time-out has come."""
        if tag.startswith(READ_CONFIG):
            return [self._read(tag.removeprefix(READ_CONFIG))]
        if tag == "timeout" and not self.status.ended:
            return self.timed_out(now)
        return []

    def timed_out(self, now: float) -> list[Command]:
        """The template's `timeout` has passed (TMO-3)."""
        return self.end("Failed", now, "timeout")

    # ------------------------------------------------------------------------------------------ its end

    def end(self, phase: Phase, now: float, message: str = "", *, error: str = "", **fields: Any) -> list[Command]:
        """Take on a final phase and give back what was held."""
        if self.status.ended:
            return []
        self.now_is(phase, now, message, **fields)
        return [*self.export(), *self.announce(error=error, wants_record=self.wants_record), *self._return_permits()]

    @property
    def wants_record(self) -> bool:
        """Whether something is held back until the final state is on record."""
        return False

    def export(self) -> list[Command]:
        """Make outputs with a globalName visible to the whole workflow at once (PARAM-7)."""
        self.run.exports.update(export_variables([self.status.outputs or {}]))
        return []

    def _return_permits(self) -> list[Command]:
        held, self.permits = self.permits + self.asking, []
        self.asking = []
        return [Tell(gate, ReturnsPermit(self.id, failed=self.status.failed)) for gate in held]

"""A node that a call started: it asks to begin, resolves its inputs, and then does what its kind does.

Before it begins it has no entry in the status (upstream creates none either while a limit holds it back). What cannot
be resolved becomes an error entry: type Skipped, phase Error. (TMPL-13, PAR-3, PAR-4, PARAM-2.)
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec

from actors.language.expression import ExpressionError
from actors.language.tags import SubstitutionError
from actors.lock_messages import BadLock, LockAwaited, LockGranted, LockRefused, WantsLocks, lock_keys, shown
from actors.messages import (
    TIMED_OUT,
    ChildChanged,
    DeadlineExceeded,
    Denied,
    NodeChanged,
    NodeFlag,
    NodeStatus,
    Permit,
    Phase,
    ReturnsPermit,
    Shutdown,
    WantsPermit,
    counted,
)
from actors.names import labels
from actors.names.config_maps import parameters_in
from actors.names.durations import parse_duration
from actors.names.timestamps import seconds
from actors.node import memo
from actors.node.behaviour import Behaviour, new_status
from actors.node.inputs import BadInputs, Instance, config_maps, instantiate
from actors.node.scope import export_variables
from actors.run import DEPTH_MAX, TOO_DEEP, Call
from actors.templates import NODE_TYPES, POD_TYPES, template_type
from runtime.api import ApiError, Gone, Refused
from runtime.messages import Address, Command, Create, Patch, Read, Stop, Tell, WakeAt
from runtime.objects import CONFIGMAPS, Object, Reference

READ_CONFIG = "config:"  # tag of a ConfigMap being read for inputs
DISPLAY_NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9-.]{0,61}[a-zA-Z0-9]$")
RETRY_READ_S = 2.0  # after an API server that did not answer
PAST_DEADLINE = "Step exceeded its deadline"
FAILED_FAST = "template has failed or errored children and failFast enabled"
ASKED, HELD = "asked", "held"  # locks


class Called(Behaviour):
    """What Pod, Steps, DAG, Suspend and Retry nodes have in common."""

    gated = True  # counts against its boundary's parallelism

    def __init__(self, call: Call, node_type: str = "") -> None:
        flag = NodeFlag(hooked=call.hooked, retried=call.retried) if call.hooked or call.retried else None
        status = new_status(
            call.node_name, call.run, node_type or NODE_TYPES.get(template_type(call.template), "Skipped"),
            boundary_name=call.boundary_name, boundary_id=call.boundary,
            template_name="" if call.resolved.reference else call.resolved.name, template_ref=call.resolved.reference,
            template_scope=call.caller_scope or call.resolved.scope, node_flag=flag,
        )  # fmt: skip
        super().__init__(call.run, call.parent, status)
        self.call = call
        self.instance = Instance({}, {}, {})
        self.asking: list[Address] = []  # whose permit is still wanted
        self.permits: list[Address] = []  # whose permit must be returned
        self.config: dict[str, Any] = {}  # parameters of a ConfigMap; None: it is not there
        self.begun = False
        self.memory = memo.Memory()
        self.locking = ""  # ASKED while its locks are asked for, HELD when they are on record

    def begin(self, now: float) -> list[Command]:
        """Do what this kind of node does; inputs are resolved."""
        raise AssertionError(f"{type(self).__name__} does not begin")

    # ------------------------------------------------------------------------------------------ until it begins

    def started(self, now: float) -> list[Command]:
        """Ask for what is needed to begin."""
        known = self.run.known.get(self.id)
        if known is not None and counted(known) is not known:
            return self._taken_over(known)
        if known is not None and (known.type == self.status.type or memo.is_hit(known)):
            self.status = known if known.ended else msgspec.structs.replace(known, finished_at=None)
        if self.status.ended:
            return self.found_ended(now)
        if self.call.depth + 1 >= DEPTH_MAX:  # the entrypoint is the first call
            self.status = msgspec.structs.replace(self.status, type="Skipped", progress="")
            return self.end("Error", now, TOO_DEEP)  # to its caller an Error like any other
        self.asking = self._gates()
        return self._ask_or_resolve(now)

    def _gates(self) -> list[Address]:
        """Whose permit it needs: its boundary's, and, for a pod, the workflow's."""
        return self._limits() if self._may_run() else []  # what will not run anyhow need not wait for that

    def _may_run(self) -> bool:
        on_exit = self.call.on_exit
        return not self.run.stopped(on_exit=on_exit) and not self.run.overdue(on_exit=on_exit)

    def _limits(self) -> list[Address]:
        boundary = [self.call.gate] if self.gated and self.call.gate is not None else []
        counted_pods = self.run.permits and template_type(self.call.template) in POD_TYPES
        return [] if self.call.permitted else [*boundary, *([self.run.address] if counted_pods else [])]

    def ask(self) -> list[Command]:
        """Ask for the next permit that is wanted."""
        return [Tell(self.asking[0], WantsPermit(self.id, self.status.name))]

    def _ask_or_resolve(self, now: float) -> list[Command]:
        if self.status.ended or self.begun:
            return []
        if self.asking:
            return self.ask()
        if self.locking:
            return self._go(now) if self.locking == HELD else []
        missing = [name for name, _ in config_maps(self.call) if name not in self.config]
        if missing:
            return [self._read(name) for name in missing]
        return self._resolve(now)

    def _read(self, name: str) -> Read:
        return Read(Reference(CONFIGMAPS, self.run.address.namespace, name), tag=READ_CONFIG + name)

    def _resolve(self, now: float) -> list[Command]:
        try:
            since = seconds(self.status.started_at) if self.status.started_at else now  # after a restart: as it was
            self.instance = instantiate(self.call, self.config, self.run.functions(self.id, since))
        except (BadInputs, SubstitutionError, ExpressionError, ValueError) as error:
            return self.unable(str(error), now)
        commands = self._timeout(now)
        if self.status.ended:
            return commands
        named = self._display_name()
        if named is None:
            return self.unable(f"displayName must match the regex {DISPLAY_NAME.pattern}", now)
        changes: dict[str, Any] = {"inputs": self.instance.inputs or None, "display_name": named}
        if self.call.retried:
            changes["memoization_status"] = memo.of_attempt(self.instance.template)
        self.status = msgspec.structs.replace(self.status, **changes)
        return [*commands, *self._lock(now)]

    def _go(self, now: float) -> list[Command]:
        recalled = self._recall(now)
        if recalled is not None:
            return recalled
        self.begun = True
        return self.begin(now)

    def _lock(self, now: float) -> list[Command]:
        """Ask for the template's locks; a Retry node has them for its attempts (SYNC-1, RTY-11)."""
        section = self.instance.template.get("synchronization")
        if not section or self.call.retried or not self._may_run():
            return self._go(now)
        try:
            keys = lock_keys(section, self.run.address.namespace)
        except BadLock as error:
            return self.unable(str(error), now)
        if not keys:
            return self._go(now)
        self.locking = ASKED
        return [Tell(self.run.address, WantsLocks(self.id, keys, self.status.name))]

    def _lock_answered(self, word: LockGranted | LockAwaited | LockRefused, now: float) -> list[Command]:
        """The locks are held, waited for, or cannot be had (SYNC-3, SYNC-7)."""
        if self.status.ended or self.locking != ASKED:
            return []
        match word:
            case LockAwaited(_, key, message):
                waiting = {"waiting": shown(key)} if key else self.status.synchronization_status
                phase: Phase = "Running" if self.status.phase == "Running" else "Pending"  # as a user's retry left it
                self.now_is(phase, now, message, synchronization_status=waiting)
                return [*self.announce(), *self._counts_no_more()]
            case LockRefused(_, message):
                return self.erred(message, now) if self.status.phase else self.unable(message, now)
        self.locking = HELD
        if self.status.synchronization_status is not None:
            begun = "Running" if self.status.phase == "Running" else ""
            self.status = msgspec.structs.replace(self.status, phase=begun, message="", synchronization_status=None)
        self.asking = [gate for gate in self._gates() if gate not in self.permits]
        return self._ask_or_resolve(now)

    def _counts_no_more(self) -> list[Command]:
        """What waits for a lock does not count against the workflow's parallelism (PAR-3)."""
        if self.run.address not in self.permits:
            return []
        self.permits.remove(self.run.address)
        return [Tell(self.run.address, ReturnsPermit(self.id))]

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
                    why = f"invalid {field} format unable to parse {text} as a duration: {error}"
                    return self.unable(why, now)
        return commands

    # ------------------------------------------------------------------------------------------ remembered results

    @property
    def there_already(self) -> bool:
        """Whether it has begun in a former life."""
        return bool(self.status.phase)

    def _recall(self, now: float) -> list[Command] | None:
        """Look for a remembered result, an attempt's Retry node for it (MEMO-5); None when there is nothing to ask."""
        memory = self.memory
        if memory.step or self.call.retried:
            return [] if memory.step == memo.READING else None
        try:
            memory.cache = memo.cache_of(self.instance.template, self.run.cache_namespace or self.run.address.namespace)
        except memo.BadMemo as error:
            return self.unable(str(error), now)
        if memory.cache is None or self.there_already or not self._may_run():
            return None
        memory.step = memo.READING
        return [memo.recall(memory.cache)]

    def _recalled(self, found: Object | None, now: float) -> list[Command]:
        """The cache has been read: end with what is remembered, or begin (MEMO-2, MEMO-3)."""
        memory, cache = self.memory, self.memory.cache
        if self.status.ended or memory.step != memo.READING or cache is None:
            return []
        memory.step = memo.KNOWN
        try:
            entry = memo.entry_in(found, cache, now)
        except memo.BadMemo as error:
            return self.unable(str(error), now)
        told = memo.status_of(cache, hit=entry is not None)
        self.status = msgspec.structs.replace(self.status, memoization_status=told)
        if entry is None or found is None:
            return self._go(now)
        self.begun = True
        kind = NODE_TYPES.get(template_type(self.call.template), "Skipped")  # nothing is retried
        self.status = msgspec.structs.replace(self.status, type=kind)
        noted, outputs = memo.touch(found, cache, entry, now), entry.get("outputs") or None
        if noted is None:
            return self.end("Succeeded", now, outputs=outputs)
        memory.closing = memo.Closing(noted, fields={"outputs": outputs})
        return [noted]

    def _save(self, now: float, message: str, error: str, fields: dict[str, Any]) -> list[Command]:
        """Hold back its success until that is remembered; nothing when it need not be."""
        memory, cache = self.memory, self.memory.cache
        if cache is None or memory.step == memo.SAVED or memo.is_hit(self.status):
            return []
        command = memo.save(cache, self.id, fields.get("outputs", self.status.outputs), now)
        memory.closing = memo.Closing(command, message, error, fields)
        return [command]

    def _unsaved(self, command: Command, error: ApiError, now: float) -> list[Command]:
        """A write to the cache was refused: try otherwise, or again, or say so (MEMO-3)."""
        memory = self.memory
        if memory.closing is None:
            return []
        following = memo.instead(command, error)
        memory.failures += not isinstance(error, memo.TRANSIENT)  # an API server that is away has refused nothing
        if following is None or memory.failures > memo.SAVE_TRIES_MAX:
            return self._close("Error", now, f"could not save to config map cache: {error.message}")
        memory.closing = replace(memory.closing, command=following)
        return [WakeAt(now + RETRY_READ_S, memo.SAVE)] if following == command else [following]

    def _close(self, phase: Phase, now: float, message: str = "") -> list[Command]:
        """End as it was about to."""
        closing, self.memory.closing = self.memory.closing, None
        if closing is None:
            return []
        self.memory.step = memo.SAVED
        return self.end(phase, now, message or closing.message, error=closing.error, **closing.fields)

    def unable(self, message: str, now: float) -> list[Command]:
        """The engine cannot run this call: an error entry stands for it."""
        self.status = msgspec.structs.replace(self.status, type="Skipped", progress="")
        return self.erred(message, now)

    def erred(self, message: str, now: float, **fields: Any) -> list[Command]:
        """End as an Error of the engine, which the caller speaks of too; a task's own message says so (DAG-14)."""
        of_task = self.call.kind == "tasks" and not self.call.hooked and not self.call.retried
        text = f"task '{self.status.name}' errored: {message}" if of_task else message
        return self.end("Error", now, text, error=message, **fields)

    def _taken_over(self, known: NodeStatus) -> list[Command]:
        """It succeeded in the workflow that this one repeats: Skipped here, a success to all that depends on it."""
        self.status = known
        word = ChildChanged(counted(known), self.outbound(), leaves=frozenset({"Succeeded"}))
        record = NodeChanged(known, self.parent.part)
        return [*self.export(), Tell(self.run.address, record), Tell(self.parent, word), Stop()]

    def found_ended(self, now: float) -> list[Command]:
        """The record says that this node has ended already."""
        del now
        return self.announce()

    # ------------------------------------------------------------------------------------------ what it hears

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """Permits, stops and deadlines."""
        match word:
            case Permit():
                if sender not in self.asking or self.status.ended:
                    return []  # it was returned before it came
                self.permits.append(sender)
                self.asking.remove(sender)
                return self.permitted(now)
            case LockGranted() | LockAwaited() | LockRefused():
                return self._lock_answered(word, now)
            case Denied():
                return [] if self.status.ended else self.denied(now)
            case Shutdown(strategy):
                if self.status.ended or (self.call.on_exit and strategy == "Stop"):
                    return []
                return self.shut_down(strategy, now) if self.begun else self._stop_before_begin(strategy, now)
            case DeadlineExceeded():
                if self.status.ended or self.call.on_exit:
                    return []
                return self.deadline_exceeded(now) if self.begun else self.end("Failed", now, PAST_DEADLINE)
        return []

    def permitted(self, now: float) -> list[Command]:
        """A permit has come."""
        return self._ask_or_resolve(now)

    def denied(self, now: float) -> list[Command]:
        """Its boundary starts nothing any more (FF-2)."""
        if self.begun:
            return []
        if self.status.phase:  # the record says that it once had begun
            return self.end("Failed", now, FAILED_FAST)
        return [*self.return_permits(), *self.never_began()]

    def not_allowed(self, now: float) -> list[Command]:
        """The end of a leaf that would begin after a shutdown or the deadline; nothing when it may begin."""
        if self.run.stopped(on_exit=self.call.on_exit):
            return self._stop_before_begin(self.run.shutdown, now)
        if self.run.overdue(on_exit=self.call.on_exit):
            return self.end("Failed", now, PAST_DEADLINE)
        return []

    def _stop_before_begin(self, strategy: str, now: float) -> list[Command]:
        if self.status.type == "Pod" and not self.locking:
            return self.end("Failed", now, f"workflow shutdown with strategy: {strategy}")
        return self.end("Failed", now, f"Stopped with strategy '{strategy}'")

    def shut_down(self, strategy: str, now: float) -> list[Command]:
        """The workflow is being stopped while this node runs."""
        return self.end("Failed", now, f"Stopped with strategy '{strategy}'")

    def deadline_exceeded(self, now: float) -> list[Command]:
        """The workflow's deadline has passed while this node runs."""
        return self.end("Failed", now, PAST_DEADLINE)

    def done(self, command: Command, result: Any, now: float) -> list[Command]:
        """A ConfigMap has been read, or a result saved."""
        if isinstance(command, Read) and command.tag.startswith(READ_CONFIG):
            self.config[command.ref.name] = parameters_in(result)
            return [] if self._still_reading() else self._ask_or_resolve(now)
        match command:
            case Read(tag=memo.RECALL):
                return self._recalled(result, now)
            case Patch(tag=memo.SAVE | memo.TOUCH) | Create(tag=memo.SAVE):
                return self._close("Succeeded", now)
        return []

    def failed(self, command: Command, error: ApiError, now: float) -> list[Command]:
        """A ConfigMap could not be read or written: absent is an answer, silence is not."""
        if isinstance(command, Read) and command.tag.startswith(READ_CONFIG):
            if isinstance(error, Gone):
                self.config[command.ref.name] = None
                return [] if self._still_reading() else self._ask_or_resolve(now)
            return [WakeAt(now + RETRY_READ_S, command.tag)]
        match command:
            case Read(tag=memo.RECALL) if isinstance(error, Gone):
                return self._recalled(None, now)
            case Read(tag=memo.RECALL) if isinstance(error, Refused) and not self.status.ended:
                return self.unable(f"the cache cannot be read: {error.message}", now)
            case Read(tag=memo.RECALL):
                return [WakeAt(now + RETRY_READ_S, memo.RECALL)]
            case Patch(tag=memo.TOUCH):  # a hit that is not noted is one all the same
                return self._close("Succeeded", now)
            case Patch(tag=memo.SAVE) | Create(tag=memo.SAVE):
                return self._unsaved(command, error, now)
        return []

    def _still_reading(self) -> bool:
        return any(name not in self.config for name, _ in config_maps(self.call))

    def woke(self, tag: str, now: float) -> list[Command]:
        """A read is tried again, or a time-out has come."""
        if tag.startswith(READ_CONFIG):
            return [self._read(tag.removeprefix(READ_CONFIG))]
        if tag == memo.RECALL and self.memory.cache is not None and not self.status.ended:
            return [memo.recall(self.memory.cache)]
        if tag == memo.SAVE and self.memory.closing is not None:
            return [self.memory.closing.command]
        if tag == "timeout" and not self.status.ended:
            return self.timed_out(now)
        return []

    def timed_out(self, now: float) -> list[Command]:
        """The template's `timeout` has passed (TMO-3)."""
        return self.end("Failed", now, TIMED_OUT)

    # ------------------------------------------------------------------------------------------ its end

    def end(self, phase: Phase, now: float, message: str = "", *, error: str = "", **fields: Any) -> list[Command]:
        """Take on a final phase and give back what was held."""
        if self.status.ended or self.memory.closing is not None:
            return []
        saving = self._save(now, message, error, fields) if phase == "Succeeded" else []
        if saving:
            return saving
        self.now_is(phase, now, message, synchronization_status=None, **fields)
        return [*self.export(), *self.announce(error=error, wants_record=self.wants_record), *self.return_permits()]

    @property
    def wants_record(self) -> bool:
        """Whether something is held back until the final state is on record."""
        return False

    def export(self) -> list[Command]:
        """Make outputs with a globalName visible to the whole workflow at once (PARAM-7)."""
        self.run.exports.update(export_variables([self.status.outputs or {}]))
        return []

    def return_permits(self, *, failed: bool | None = None) -> list[Command]:
        """Give back what is held or asked for; a failure closes a boundary that fails fast."""
        kept = self._limits() if self.id in self.run.known else []  # places from before a restart, never asked for
        held, self.permits = self.permits + self.asking or kept, []
        self.asking = []
        verdict = self.status.failed if failed is None else failed
        return [Tell(gate, ReturnsPermit(self.id, failed=verdict)) for gate in held]

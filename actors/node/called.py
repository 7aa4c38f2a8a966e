"""A node that a call started: it asks to begin and resolves its inputs; then it works (`working.py`).

Before it begins it has no entry in the status (upstream creates none either while a limit holds it back). What cannot
be resolved becomes an error entry: type Skipped, phase Error. (TMPL-13, PAR-3, PAR-4, PARAM-2.)
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from actors import unheard
from actors.language.expression import ExpressionError
from actors.language.tags import SubstitutionError
from actors.lock_messages import BadLock, LockAwaited, LockGranted, LockRefused, WantsLocks, lock_keys, shown
from actors.messages import (
    TIMED_OUT,
    ChildChanged,
    DeadlineExceeded,
    Denied,
    NodeChanged,
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
from actors.names.durations import parse_duration_or_seconds
from actors.names.timestamps import seconds
from actors.node import memo
from actors.node.inputs import BadInputs, config_maps, instantiate
from actors.node.working import RETRY_READ_S, Working
from actors.run import DEPTH_MAX, TOO_DEEP, Call, fails_fast
from actors.templates import POD_TYPES, template_type
from runtime.api import ApiError, Gone
from runtime.messages import Address, Command, Read, Stop, Tell, WakeAt
from runtime.objects import CONFIGMAPS, Reference

READ_CONFIG = "config:"  # tag of a ConfigMap being read for inputs
DISPLAY_NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9-.]{0,61}[a-zA-Z0-9]$")
PAST_DEADLINE = "Step exceeded its deadline"
FAILED_FAST = "template has failed or errored children and failFast enabled"
ASKED, HELD = "asked", "held"  # locks


class Called(Working):
    """What Pod, Steps, DAG, Suspend and Retry nodes have in common."""

    gated = True  # counts against its boundary's parallelism

    def __init__(self, call: Call, node_type: str = "") -> None:
        super().__init__(call, unheard.called(call, node_type))
        self.asking: list[Address] = []  # whose permit is still wanted
        self.permits: list[Address] = []  # whose permit must be returned
        self.config: dict[str, Any] = {}  # parameters of a ConfigMap; None: it is not there
        self.locking = ""  # ASKED while its locks are asked for, HELD when they are on record

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

    def _limits(self) -> list[Address]:
        boundary = [self.call.gate] if self.gated and self.call.gate is not None else []
        counted_pods = self.run.permits and template_type(self.call.template) in POD_TYPES
        return [] if self.call.permitted else [*boundary, *([self.run.address] if counted_pods else [])]

    def ask(self) -> list[Command]:
        """Ask for the next permit that is wanted."""
        return [Tell(self.asking[0], WantsPermit(self.id, self.status.name, self.call.order))]

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
        recorded = self.status.inputs if template_type(self.call.template) in POD_TYPES else None  # as its pod has got
        changes: dict[str, Any] = {"inputs": recorded or self.instance.inputs or None, "display_name": named}
        if self.call.retried:
            changes["memoization_status"] = memo.of_attempt(self.instance.template)
        self.status = msgspec.structs.replace(self.status, **changes)
        return [*commands, *self._lock(now)]

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
        """The template's own name for its nodes (TMPL-12), not for attempts; None when it is not fit to be one."""
        wished = (self.instance.template.get("annotations") or {}).get(labels.DISPLAY_NAME)
        if wished is None or self.call.retried:
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
                    commands.append(WakeAt(began + parse_duration_or_seconds(str(text)), field))
                except ValueError as error:
                    message = f"invalid timeout format {error}"
                    return self.erred(message, now) if self.status.type == "Pod" else self.unable(message, now)
        return commands

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
        """A ConfigMap of its inputs has been read."""
        if isinstance(command, Read) and command.tag.startswith(READ_CONFIG):
            self.config[command.ref.name] = parameters_in(result)
            return [] if self._still_reading() else self._ask_or_resolve(now)
        return super().done(command, result, now)

    def failed(self, command: Command, error: ApiError, now: float) -> list[Command]:
        """A ConfigMap of its inputs could not be read: absent is an answer, silence is not."""
        if isinstance(command, Read) and command.tag.startswith(READ_CONFIG):
            if isinstance(error, Gone):
                self.config[command.ref.name] = None
                return [] if self._still_reading() else self._ask_or_resolve(now)
            return [WakeAt(now + RETRY_READ_S, command.tag)]
        return super().failed(command, error, now)

    def _still_reading(self) -> bool:
        return any(name not in self.config for name, _ in config_maps(self.call))

    def woke(self, tag: str, now: float) -> list[Command]:
        """A read is tried again, or a time-out has come."""
        if tag.startswith(READ_CONFIG):
            return [self._read(tag.removeprefix(READ_CONFIG))]
        if tag == "timeout" and not self.status.ended:
            return self.timed_out(now)
        return super().woke(tag, now)

    def timed_out(self, now: float) -> list[Command]:
        """The template's `timeout` has passed (TMO-3)."""
        return self.end("Failed", now, TIMED_OUT)

    # ------------------------------------------------------------------------------------------ its end

    def return_permits(self, *, failed: bool | None = None) -> list[Command]:
        """Give back what is held or asked for; a failure closes a boundary that fails fast."""
        before = self.id in self.run.known or self.id in self.run.lockers
        kept = self._limits() if before else []  # places from before a restart, never asked for
        held, self.permits = self.permits + self.asking or kept, []
        self.asking = []
        verdict = fails_fast(self.status) if failed is None else failed
        return [Tell(gate, ReturnsPermit(self.id, failed=verdict)) for gate in held]

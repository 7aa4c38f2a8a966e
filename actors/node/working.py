"""A node at work: it begins, unless a remembered result spares it that, and ends once its own result is remembered.

What comes before (permits, locks, inputs) is `called.py`; what the work is, each kind of node says itself. A success is
held back until the cache has it, so what the parent hears of is remembered. (MEMO-1..5, DAG-14, PARAM-7.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from actors.messages import NodeStatus, Phase
from actors.node import memo
from actors.node.behaviour import Behaviour
from actors.node.inputs import Instance
from actors.node.scope import export_variables
from actors.run import Call
from actors.templates import NODE_TYPES, template_type
from runtime.api import ApiError, Gone, Refused
from runtime.messages import Command, Create, Patch, Read, WakeAt
from runtime.objects import Object

RETRY_READ_S = 2.0  # after an API server that did not answer


class Working(Behaviour):
    """One call under way: the template with its inputs filled in, and how far it is."""

    def __init__(self, call: Call, status: NodeStatus) -> None:
        super().__init__(call.run, call.parent, status)
        self.call = call
        self.instance = Instance({}, {}, {})
        self.begun = False
        self.memory = memo.Memory()

    def begin(self, now: float) -> list[Command]:
        """Do what this kind of node does; inputs are resolved."""
        raise AssertionError(f"{type(self).__name__} does not begin")

    def _may_run(self) -> bool:
        on_exit = self.call.on_exit
        return not self.run.stopped(on_exit=on_exit) and not self.run.overdue(on_exit=on_exit)

    def _go(self, now: float) -> list[Command]:
        """Begin, once it is known that no result is remembered."""
        recalled = self._recall(now)
        if recalled is not None:
            return recalled
        self.begun = True
        return self.begin(now)

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
            return self._close("Error", now, memo.unsaved(command, error))
        memory.closing = replace(memory.closing, command=following)
        return [WakeAt(now + RETRY_READ_S, memo.SAVE)] if following == command else [following]

    def _close(self, phase: Phase, now: float, message: str = "") -> list[Command]:
        """End as it was about to."""
        closing, self.memory.closing = self.memory.closing, None
        if closing is None:
            return []
        self.memory.step = memo.SAVED
        return self.end(phase, now, message or closing.message, error=closing.error, **closing.fields)

    def done(self, command: Command, result: Any, now: float) -> list[Command]:
        """The cache has been read, or a result saved."""
        match command:
            case Read(tag=memo.RECALL):
                return self._recalled(result, now)
            case Patch(tag=memo.SAVE | memo.TOUCH) | Create(tag=memo.SAVE):
                return self._close("Succeeded", now)
        return []

    def failed(self, command: Command, error: ApiError, now: float) -> list[Command]:
        """The cache could not be read or written: absent is an answer, silence is not."""
        match command:
            case Read(tag=memo.RECALL) if isinstance(error, Gone):
                return self._recalled(None, now)
            case Read(tag=memo.RECALL) if isinstance(error, Refused) and not self.status.ended:
                return self.unable(error.message, now)
            case Read(tag=memo.RECALL):
                return [WakeAt(now + RETRY_READ_S, memo.RECALL)]
            case Patch(tag=memo.TOUCH):  # a hit that is not noted is one all the same
                return self._close("Succeeded", now)
            case Patch(tag=memo.SAVE) | Create(tag=memo.SAVE):
                return self._unsaved(command, error, now)
        return []

    def woke(self, tag: str, now: float) -> list[Command]:
        """The cache is read or written again."""
        del now
        if tag == memo.RECALL and self.memory.cache is not None and not self.status.ended:
            return [memo.recall(self.memory.cache)]
        if tag == memo.SAVE and self.memory.closing is not None:
            return [self.memory.closing.command]
        return []

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

    def unable(self, message: str, now: float) -> list[Command]:
        """The engine cannot run this call: an error entry stands for it."""
        self.status = msgspec.structs.replace(self.status, type="Skipped", progress="")
        return self.erred(message, now)

    def erred(self, message: str, now: float, **fields: Any) -> list[Command]:
        """End as an Error of the engine, which the caller speaks of too; a task's own message says so (DAG-14)."""
        of_task = self.call.kind == "tasks" and not self.call.hooked and not self.call.retried
        text = f"task '{self.status.name}' errored: {message}" if of_task else message
        return self.end("Error", now, text, error=message, **fields)

    def return_permits(self, *, failed: bool | None = None) -> list[Command]:
        """Give back what was held until its end; nothing here."""
        del failed
        return []

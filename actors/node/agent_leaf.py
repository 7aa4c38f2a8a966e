"""An http or plugin node has no pod of its own: it hands its template to the workflow's agent and waits for a word.

Its task is forgotten when its outcome is on record, or at once when nobody wants it any more. A task may be worked off
twice when the agent's pod is lost in between: at least once, as upstream does. (TMPL-9, TMPL-10, AGENT-2..4, AGENT-7)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from actors.messages import FULFILLED, AgentTask, AgentTrouble, ForAgent, Phase, Recorded, TaskDone, TaskResult
from actors.node.called import Called
from actors.run import Call
from runtime.messages import Address, Command, Tell

PHASES = frozenset({"Pending", "Running", *FULFILLED})


class AgentLeaf(Called):
    """An HTTP or Plugin node."""

    gated = False  # upstream's parallelism counts pods, steps and dags

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.recorded = False
        self.reason = ""  # why its agent does not run yet

    @property
    def retires(self) -> bool:
        """Its task has been forgotten."""
        return self.status.ended and self.recorded

    @property
    def wants_record(self) -> bool:
        """Its result is kept in the task set until it is on record here."""
        return True

    def begin(self, now: float) -> list[Command]:
        """Ask the agent; after a restart once more, which does no harm."""
        refused = self.not_allowed(now)
        if refused:
            return refused
        if not self.status.phase:
            self.now_is("Pending", now)
        return [*self.announce(), Tell(self.run.address, ForAgent(self._task()))]

    def _task(self) -> AgentTask:
        own = str(self.run.spec.get("serviceAccountName") or "")
        account = str(self.instance.template.get("serviceAccountName") or own)
        return AgentTask(self.id, self.instance.template, "" if account == own else account)

    def _forget(self) -> Command:
        return Tell(self.run.address, ForAgent(TaskDone(self.id)))

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """What came of the task, or why nothing does."""
        match word:
            case Recorded():
                self.recorded = True
                return [self._forget()] if self.begun else []
            case TaskResult() if self.begun and not self.status.ended:
                return self._result(word, now)
            case AgentTrouble(message, lost) if self.begun and not self.status.ended:
                if lost:
                    return self.end("Error", now, message)
                self.reason = message
                self.now_is(cast("Phase", self.status.phase), now, message)
                return self.announce()
        return super().told(sender, word, now)

    def woke(self, tag: str, now: float) -> list[Command]:
        """It is Pending until there is an answer, and no longer than the template allows (TMO-4)."""
        if tag == "pendingTimeout":
            pending = self.status.phase == "Pending" and not self.status.ended
            return self.timed_out(now) if pending else []
        return super().woke(tag, now)

    def _result(self, word: TaskResult, now: float) -> list[Command]:
        if word.phase not in PHASES:
            return self.end("Error", now, f"the agent reports phase {word.phase!r}, which no node can have")
        phase = cast("Phase", word.phase)
        fields: dict[str, Any] = {}
        if word.outputs:
            fields["outputs"] = self._with_declared(word.outputs)
        if word.progress:
            fields["progress"] = word.progress
        if phase in FULFILLED:
            return self.end(phase, now, word.message, **fields)
        self.now_is(phase, now, word.message, **fields)
        return self.announce()

    def _with_declared(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters keep what the template says of them, such as a globalName."""
        said = {entry["name"]: entry for entry in (self.instance.template.get("outputs") or {}).get("parameters") or ()}
        result = dict(outputs)
        if outputs.get("parameters"):
            result["parameters"] = [{**said.get(entry["name"], {}), **entry} for entry in outputs["parameters"]]
        return result

    def found_ended(self, now: float) -> list[Command]:
        """The record has the outcome; the agent removes what it finds of it."""
        self.recorded = True
        return super().found_ended(now)

    def shut_down(self, strategy: str, now: float) -> list[Command]:
        """Nobody wants the result any more."""
        return [self._forget(), *super().shut_down(strategy, now)]

    def deadline_exceeded(self, now: float) -> list[Command]:
        """Nobody wants the result any more (TMO-1)."""
        return [self._forget(), *super().deadline_exceeded(now)]

    def timed_out(self, now: float) -> list[Command]:
        """Nobody wants the result any more (TMO-3)."""
        return [self._forget(), *super().timed_out(now)]

    def waiting(self) -> str:
        """What would move it on."""
        if not self.begun:
            return super().waiting() if not self.asking else "for a permit to begin"
        return f"for the workflow's agent{f': {self.reason}' if self.reason else ''}"

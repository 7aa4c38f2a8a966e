"""A retried call: attempts one after the other, until one succeeds or the strategy gives up. (RTY-1..12.)"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from actors import unheard
from actors.language.expression import ExpressionError
from actors.language.tags import SubstitutionError, substitute
from actors.messages import (
    COMPLETED,
    ChildChanged,
    Denied,
    Edge,
    EndDaemon,
    NodeFlag,
    NodeStatus,
    Permit,
    Phase,
    ReturnsPermit,
    Shutdown,
    counted,
)
from actors.names import ids
from actors.names.timestamps import seconds
from actors.node.called import ASKED, FAILED_FAST, HELD, Called
from actors.node.crash import crashed
from actors.node.inputs import texts
from actors.node.recorded import ends_of_attempts
from actors.node.retry_policy import Again, Attempts, GiveUp, Wait, decide, last_retry, maximum_end
from actors.run import Call, fails_fast, refused
from runtime.messages import Address, Command, Spawn, Tell, WakeAt

BACKOFF = "retry:backoff"


class RetryNode(Called):
    """Owns the attempts of one call."""

    def __init__(self, call: Call) -> None:
        super().__init__(call, "Retry")
        self.number = -1  # of the attempt that runs
        self.last: NodeStatus | None = None
        self.running: NodeStatus | None = None  # the attempt that runs, as it last said
        self.hosts: list[str] = []
        self.stopping = ""
        self.cause = ""  # why the engine could not run the last attempt
        self.waits = False  # for the permit of its next attempt
        self.first_started = 0.0  # of the first attempt: the node's own start may be a long wait for a lock before it

    @property
    def strategy(self) -> dict[str, Any]:
        """The template's, or the workflow's for all (RTY-1)."""
        own = self.instance.template.get("retryStrategy")
        if own is not None:
            return dict(own)
        known = texts({**self.run.globals(), **self.instance.variables})
        return dict(substitute(self.run.spec.get("retryStrategy") or {}, known))

    def begin(self, now: float) -> list[Command]:
        """Start the first attempt, or go on from the recorded ones."""
        if self.status.phase in {"", "Pending"}:
            self.now_is("Running", now)
        if self.call.hooked:  # of a hook, it is marked as its attempts are
            self.status = msgspec.structs.replace(self.status, node_flag=NodeFlag(hooked=True, retried=True))
        commands = self.announce()
        first = self.run.known.get(self._attempt_id(0))
        self.first_started = seconds(first.started_at) if first is not None and first.started_at else float(int(now))
        try:
            maximum_end(self.strategy, self.first_started)
        except ValueError as error:  # a duration that cannot be read, or a tag that cannot be filled in
            return [*commands, *self.erred(str(error), now)]
        while (known := self.run.known.get(self._attempt_id(self.number + 1))) is not None and known.ended:
            self.number += 1
            self._take(known)
            self.cause = known.message if refused(known, self.run.name, self.run.known) else ""
        under_way = known is not None  # then nothing is to be decided, whatever has happened since
        return [*commands, *(self._attempt(now) if self.last is None or under_way else self._ended_attempt(now))]

    def _attempt_id(self, number: int) -> str:
        return ids.node_id(self.run.name, ids.attempt(self.status.name, number))

    def _attempt(self, now: float) -> list[Command]:
        self.number += 1
        variables = {"retries": str(self.number), **last_retry(self._history(now), unknown_exit_code="0")}
        variables["node.name"] = self.call.node_name  # an attempt speaks of the node that is retried
        affinity = (self.strategy.get("affinity") or {}).get("nodeAntiAffinity") is not None
        call = replace(
            self.call, parent=self.address, node_name=ids.attempt(self.status.name, self.number), retried=True,
            attempt=self.number, variables={**self.call.variables, **variables},
            avoid_hosts=tuple(self.hosts) if affinity else (), depth=self.call.depth, permitted=True,
            deadline=maximum_end(self.strategy, self.first_started) if self.number else None,
        )  # fmt: skip
        return [Tell(self.run.address, Edge((self.id,), call.id)), Spawn(call.address, call)]

    def _again(self, now: float) -> list[Command]:
        """Start another attempt, once it is permitted."""
        self.asking = self._gates()
        self.permits = [gate for gate in self.permits if gate not in self.asking]
        self.waits = bool(self.asking)
        return self.ask() if self.waits else self._attempt(now)

    def permitted(self, now: float) -> list[Command]:
        """The first attempt's permit is the node's own; later ones are asked for one by one."""
        if not self.begun:
            return super().permitted(now)
        if self.asking:
            return self.ask()
        self.waits = False
        return self._attempt(now)

    def denied(self, now: float) -> list[Command]:
        """Between attempts it gives up."""
        if self.begun and not self._attempt_runs():
            return self._give_up("", now)
        return super().denied(now)

    def _history(self, now: float) -> Attempts | None:
        if self.last is None:
            return None
        return Attempts(
            count=self.number + 1,
            last=self.last,
            first_started=self.first_started,
            last_finished=seconds(self.last.finished_at) if self.last.finished_at else now,
            last_started=seconds(self.last.started_at) if self.last.started_at else now,
        )

    # ------------------------------------------------------------------------------------------ it hears

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """An attempt has changed; orders are passed on to it."""
        match word:
            case ChildChanged():
                return self._attempt_changed(word, now)
            case EndDaemon():
                self.stopping = "daemon"
                return [Tell(self.run.node_address(child), word) for child in sorted(self.live)]
            case Shutdown(strategy) if self.call.on_exit and strategy == "Stop":
                return []
        passed: list[Command] = []
        if not isinstance(word, Permit | Denied):
            urgent = isinstance(word, Shutdown)
            passed = [Tell(self.run.node_address(child), word, urgent=urgent) for child in sorted(self.live)]
        return [*passed, *super().told(sender, word, now)]

    def shut_down(self, strategy: str, now: float) -> list[Command]:
        """The running attempt ends first; between attempts the node ends at once."""
        self.stopping = f"Stopped with strategy '{strategy}'"
        return [] if self._attempt_runs() else self._give_up(self.stopping, now)

    def deadline_exceeded(self, now: float) -> list[Command]:
        """The running attempt fails first; between attempts the node ends at once."""
        self.stopping = self._past_deadline()
        return [] if self._attempt_runs() else self._give_up(self.stopping, now)

    def _past_deadline(self) -> str:
        at = datetime.fromtimestamp(self.run.deadline or 0.0, tz=UTC)
        return f"retry exceeded workflow deadline {at:%Y-%m-%d %H:%M:%S} +0000 UTC"

    def timed_out(self, now: float) -> list[Command]:
        """A time-out is each attempt's own; before the first one it ends the wait for a lock."""
        return [] if self.begun or self.locking != ASKED else super().timed_out(now)

    def _attempt_runs(self) -> bool:
        return self.last is None or self._attempt_id(self.number) != self.last.id

    def _attempt_changed(self, word: ChildChanged, now: float) -> list[Command]:
        status = word.status
        if status.id != self._attempt_id(self.number) or self.status.ended:
            return []
        if not status.phase:
            return self._give_up(FAILED_FAST, now)
        if not status.ended:
            self.running = status
            daemon = {"daemoned": status.daemoned, "pod_ip": status.pod_ip} if status.daemoned else {"daemoned": False}
            before = self.status
            self.now_is("Running", now, "", **daemon)
            return self.announce() if before != self.status else []
        self._take(status)
        self.cause = word.error
        return self._ended_attempt(now)

    def _ended_attempt(self, now: float) -> list[Command]:
        assert self.last is not None
        return [*self._pause(failed=fails_fast(self.last)), *self._next(now)]

    def _pause(self, *, failed: bool) -> list[Command]:
        """Until the next attempt its places are others'. But who has locks keeps the one in its boundary: whoever got
        that might wait for these very locks, and neither would ever go on. And all stay its own if the pod of the next
        attempt was found at work: that had begun before a restart."""
        found = ids.attempt(self.status.name, self.number + 1) in self.run.found
        held = [tell.to for tell in self.return_permits(failed=failed) if isinstance(tell, Tell)]
        self.permits = [gate for gate in held if found or (self.locking == HELD and gate == self.call.gate)]
        return [Tell(gate, ReturnsPermit(self.id, failed=failed, stays=gate in self.permits)) for gate in held]

    def _take(self, status: NodeStatus) -> None:
        self.last, self.running = counted(status), None
        if not self.number and status.started_at:
            self.first_started = seconds(status.started_at)
        if status.host_node_name and status.host_node_name not in self.hosts:
            self.hosts.append(status.host_node_name)

    def woke(self, tag: str, now: float) -> list[Command]:
        """The wait is over."""
        if tag == "pendingTimeout":
            return [] if self.status.ended else self.timed_out(now)
        if tag == BACKOFF and not self.status.ended and not self._attempt_runs() and not self.waits:
            return self._next(now)
        return super().woke(tag, now)

    def child_ended(self, child: Address, crash: str, now: float) -> list[Command]:
        """An attempt's actor crashed: it is an Error, unless it had ended and only its pod was to be let go."""
        if not crash or child.part != self._attempt_id(self.number) or not self._attempt_runs():
            return []
        known = self.running or self._unheard()
        return crashed(self.run, self.address, known, crash, now)

    def _unheard(self) -> NodeStatus:
        """An attempt that crashed before it said anything: as its own first word would have been."""
        return unheard.called(replace(self.call, node_name=ids.attempt(self.status.name, self.number), retried=True))

    # ------------------------------------------------------------------------------------------ what follows

    def _next(self, now: float) -> list[Command]:
        """An attempt has ended: be done, wait, or try again."""
        history = self._history(now)
        if history is None or history.last.phase in {"Succeeded", "Skipped", "Omitted"}:
            return self._finish("Succeeded", "", now)
        if self.run.stopped(on_exit=self.call.on_exit):
            self.stopping = f"Stopped with strategy '{self.run.shutdown}'"
        elif self.run.overdue(on_exit=self.call.on_exit):
            self.stopping = self._past_deadline()
        if self.stopping:
            return self._give_up("" if self.stopping == "daemon" else self.stopping, now)
        try:
            values = {**self.run.globals(), **self.instance.variables}
            following = decide(self.strategy, history, values, now)
            if self.cause and following == GiveUp(self.cause):
                return self.erred(self.cause, now, outputs=history.last.outputs, daemoned=False)
        except (ValueError, ExpressionError, SubstitutionError) as error:
            return self.erred(str(error), now, daemoned=False)
        match following:
            case Again():
                if self.status.message:
                    self.now_is("Running", now)
                return [*self.announce(), *self._again(now)]
            case Wait(until, message):
                self.now_is("Running", now, message)
                return [*self.announce(), WakeAt(until, BACKOFF)]
        return self._give_up(following.message, now)

    def _give_up(self, message: str, now: float) -> list[Command]:
        phase: Phase = "Error" if self.last is not None and self.last.phase == "Error" else "Failed"
        return self._finish(phase, message or (self.last.message if self.last else ""), now)

    def _finish(self, phase: Phase, message: str, now: float) -> list[Command]:
        """The last attempt's outputs are the node's, even of a failure (RTY-8)."""
        outputs = self.last.outputs if self.last is not None else None
        return self.end(phase, now, message, outputs=outputs, daemoned=False)

    def announce(self, *, wants_record: bool = False, **more: Any) -> list[Command]:
        """Tell what it now is, and what the last attempt is."""
        return super().announce(wants_record=wants_record, attempt=self.running or self.last, **more)

    def outbound(self) -> tuple[str, ...]:
        """The last attempt itself, whatever it is made of."""
        if self.number >= 0:
            return (self._attempt_id(self.number),)
        return ends_of_attempts(self.run, self.status)  # after a restart: of a daemon it is told at once

    def leaves(self) -> frozenset[str]:
        """What its last attempt passes on: where the strategy cannot be read, that is not its own end."""
        last = {self.last.phase} if self.last is not None and self.status.ended else set()
        return frozenset(last) & COMPLETED or super().leaves()

    def waiting(self) -> str:
        """The attempt that runs, or the end of the wait."""
        return self.status.message or f"for attempt {self.number}"

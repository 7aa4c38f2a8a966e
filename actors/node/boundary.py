"""A steps or dag template under way: what its children may do, and what becomes of them at its end.

It is the gate of its direct children when the template says `parallelism` or `failFast`, and it ends the daemons that
were started inside it. (PAR-4, FF-2, DMN-2, STEP-8.)
"""

from __future__ import annotations

from typing import Any

from actors.arguments import BadOutput, composite_outputs
from actors.gate import PERMITS, Gate
from actors.language.expression import ExpressionError
from actors.language.tags import SubstitutionError, results_referenced
from actors.messages import (
    Denied,
    EndDaemon,
    Forsaken,
    FoundOver,
    Permit,
    Phase,
    ReturnsPermit,
    Shutdown,
    WantsPermit,
)
from actors.names import ids
from actors.node.called import Called
from actors.node.site import Place
from actors.run import Call
from runtime.messages import Address, Command, Tell, WakeAt


class Boundary(Called):
    """What Steps and DAG nodes have in common."""

    kind = ""  # "steps" or "tasks": how children refer to each other

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.scope: dict[str, Any] = {}  # what children may refer to
        self.gate: Gate | None = None
        self.daemons: list[str] = []
        self.captured: frozenset[str] | None = None  # names of calls whose results the template refers to

    def place(self) -> Place:
        """Where this boundary's calls are made from."""
        call = self.call
        template = self.instance.template
        limit = template.get("parallelism")
        if self.gate is None and (limit is not None or template.get("failFast")):
            self.gate = Gate(int(limit) if limit else None, bool(template.get("failFast")), patient=bool(limit))
            self._restore(self.gate)
        self.scope = self.scope or dict(self.instance.variables)
        if self.captured is None:
            self.captured = results_referenced(template)  # looked for once: the template may be large
        return Place(
            run=self.run, owner=self.address, boundary=self.id, boundary_name=self.status.name, template=template,
            template_scope=call.resolved.scope, kind=self.kind, depth=call.depth, on_exit=call.on_exit,
            gate=self.address if self.gate else None, captured=self.captured, order=call.order,
        )  # fmt: skip

    def _restore(self, gate: Gate) -> None:
        """Who was inside when the record was written, or has a pod that was found. Of those with a pod on record none
        may be left, and its place given to another, as between attempts; who has a lock would have kept it."""
        run = self.run
        recorded, over = run.recorded_inside(self.id), run.found_over_inside(self.status.name)
        doubtful = (recorded.keys() & run.recorded_inside(None).keys()) - run.lockers
        gate.restore({call: recorded[call] for call in doubtful}, doubtful=True)
        gate.restore({call: recorded[call] for call in recorded.keys() - doubtful})
        stay = {call: name for call, name in over.items() if call in run.lockers}  # see _vacated
        gate.restore(run.found_inside(self.status.name) | stay)
        gate.owed.update(over.keys() - stay.keys())
        gate.failed = gate.fail_fast and run.recorded_failure(self.id)

    def told(self, sender: Address, word: Any, now: float) -> list[Command]:
        """Children ask for permits; orders are passed on to them."""
        match word:
            case WantsPermit(node_id, name, order):
                if self.gate is not None and self.gate.closed and not self.gate.remembers(node_id):
                    return [Tell(self.run.node_address(node_id), Denied())]
                return self._admit(self.gate.ask(node_id, name, order) if self.gate else [node_id])
            case ReturnsPermit(node_id, failed, stays):
                commands = self._admit(self.gate.leave(node_id, failed=failed, stays=stays)) if self.gate else []
                return [*commands, *self._fail_fast(now)]
            case Forsaken(_, name):
                return [*(self._admit(self.gate.forsake(name)) if self.gate else []), *self._fail_fast(now)]
            case FoundOver(name, over):
                return [*self._vacated(name, over=over), *self._fail_fast(now)]
            case EndDaemon():
                return [*self.end_daemons(), *(self.end("Succeeded", now) if not self.status.ended else [])]
        commands = super().told(sender, word, now)
        if not isinstance(word, Permit | Denied) and not self._spared(word):
            commands = [*self._pass_on(word), *commands]
        return commands

    def _spared(self, word: Any) -> bool:
        return isinstance(word, Shutdown) and self.call.on_exit and word.strategy == "Stop"

    def _pass_on(self, word: Any) -> list[Command]:
        urgent = isinstance(word, Shutdown)
        return [Tell(self.run.node_address(child), word, urgent=urgent) for child in sorted(self.live)]

    def _vacated(self, name: str, *, over: bool) -> list[Command]:
        """A pod inside, found at a restart, has ended: its call's place is free, unless another one of it works, or it
        has a lock: then all that came before it is on record, and it would not leave its place between attempts."""
        call = ids.node_id(self.run.name, ids.called_from(self.status.name, name))
        stays = call in self.run.found_inside(self.status.name) or call in self.run.lockers
        if self.gate is None or (stays if over else not self.gate.stuck):
            return []
        return self._admit(self.gate.vacate(call))

    def _admit(self, admitted: list[str]) -> list[Command]:
        commands: list[Command] = [Tell(self.run.node_address(node_id), Permit()) for node_id in admitted]
        if self.gate is not None and self.gate.due:
            self.gate.due = False
            commands.append(WakeAt(0.0, PERMITS))  # as soon as all who are ready have spoken
        return commands

    def woke(self, tag: str, now: float) -> list[Command]:
        """All who were about to ask for a place have asked: those go in whose turn it is."""
        if tag == PERMITS:
            return self._admit(self.gate.let_in()) if self.gate is not None else []
        return super().woke(tag, now)

    def _fail_fast(self, now: float) -> list[Command]:
        """After a failure nobody new is let in; when the last one inside has left, what waits is told so. A place that
        is kept for a call that has not begun again, and of whose pods none works, holds nobody up: it may never begin.
        """
        gate = self.gate
        if gate is None or not gate.closed or self.status.ended:
            return []
        if gate.inside - (gate.restored & self.run.found_over_inside(self.status.name).keys()):
            return []
        gate.waiting.clear()
        return [*self._pass_on(Denied()), *self.review(now)]

    @property
    def failed_fast(self) -> bool:
        """Whether it ends for the failure of a child (FF-2)."""
        return self.gate is not None and self.gate.closed

    def shut_down(self, strategy: str, now: float) -> list[Command]:
        """Children have been told; the node ends when they have."""
        del strategy
        return self.review(now)

    def deadline_exceeded(self, now: float) -> list[Command]:
        """Children have been told and fail; the node follows from them."""
        return self.review(now)

    @property
    def stopped(self) -> bool:
        """Nothing new begins: the workflow is being stopped."""
        return self.run.stopped(on_exit=self.call.on_exit)

    def review(self, now: float) -> list[Command]:
        """See whether this node can give its verdict."""
        raise AssertionError(f"{type(self).__name__} has no verdict")

    def conclude(self, phase: Phase, now: float, message: str = "") -> list[Command]:
        """End with outputs (of a success only) and end the daemons that were started inside."""
        outputs = None
        if phase == "Succeeded":
            try:
                functions = self.run.functions(self.id, now)
                outputs = composite_outputs(self.instance.template, self._closing_scope(), functions)
            except (BadOutput, SubstitutionError, ExpressionError) as error:
                return self.cannot_conclude(str(error), now)
        ended = self.end(phase, now, message, outputs=outputs, outbound_nodes=self._ends())
        return [*self.end_daemons(), *ended]

    def cannot_conclude(self, text: str, now: float) -> list[Command]:
        """End as an Error of the engine, which cannot tell what was made inside."""
        erred = self.erred(text, now, outbound_nodes=self._ends())
        return [*self.end_daemons(), *erred]

    def _ends(self) -> tuple[str, ...]:
        """`outboundNodes`: none where nothing inside is an end, or where it ends before its children could."""
        ends = self.outbound()
        return () if self.failed_fast or ends == (self.id,) else ends

    def _closing_scope(self) -> dict[str, Any]:
        return {**self.run.globals(), **self.scope}

    def end_daemons(self) -> list[Command]:
        """Tell every daemon of this boundary that it is no longer needed."""
        daemons, self.daemons = self.daemons, []
        return [Tell(self.run.node_address(daemon), EndDaemon()) for daemon in daemons]

"""A call that had ended before a restart passes on what it did in the life that saw it end.

Its node is not started again, so its ends, and the phases that whatever hangs on them inherits, are read off the
record: an end that ran passes on its own phase, one that was skipped or omitted those that reach it. (DAG-11..13.)
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from actors.messages import COMPLETED, FAILED, NodeStatus, counted
from actors.names import ids
from actors.node.container_nodes import last_containers
from actors.run import Run
from actors.templates import TemplateNotFound


def ends_of(run: Run, known: NodeStatus, step: Mapping[str, Any], scope: str) -> tuple[str, ...]:
    """The nodes that what follows a recorded call hangs on; `step` has called it, from `scope`."""
    if known.type == "Retry":
        return ends_of_attempts(run, known)
    if known.type == "Pod":
        with suppress(TemplateNotFound):  # then it never was a set of containers
            called = run.library.resolve({"templateRef": known.template_ref} if known.template_ref else step, scope)
            last = last_containers(run.name, known.name, called.template)
            return tuple(node_id for node_id in last if node_id in run.known) or (known.id,)
    return known.outbound_nodes or (known.id,)


def ends_of_attempts(run: Run, known: NodeStatus) -> tuple[str, ...]:
    """The last recorded attempt of a Retry node; the node itself as long as it has none."""
    recorded = itertools.takewhile(run.known.__contains__, _attempts(run, known))
    return tuple(deque(recorded, maxlen=1)) or (known.id,)


def _attempts(run: Run, known: NodeStatus) -> Iterator[str]:
    return (ids.node_id(run.name, ids.attempt(known.name, number)) for number in itertools.count())


def leaves_of(run: Run, known: NodeStatus, ends: tuple[str, ...]) -> frozenset[str]:
    """The phases that its ends pass on; none: those that have reached the call itself."""
    phase = counted(known).phase
    own = frozenset({phase}) & COMPLETED
    inside = [run.known[end] for end in ends if end in run.known and end != known.id]
    passed = frozenset(end.phase for end in inside) & COMPLETED
    unrun = frozenset(end.id for end in inside if end.phase not in COMPLETED)
    if unrun:
        passed |= _reaching(run, known.id, phase, unrun) or own
    own_error = known.type == "DAG" and phase == "Error" and bool(known.message) and not passed & FAILED
    return own if own_error else passed or own


def _reaching(run: Run, start: str, phase: str, ends: frozenset[str]) -> frozenset[str]:
    """Which phases reach any of `ends`, along the edges from `start`: who ran sets its own, the others pass them on."""
    found: set[str] = set()
    queue = deque([(start, phase)])
    seen = set(queue)
    while queue:
        above, reached = queue.popleft()
        for child in run.edges.get(above, ()):
            status = run.known.get(child)
            if status is None:
                continue  # it has begun since
            branch = status.phase if status.phase in COMPLETED else reached
            if child in ends:  # what hangs on it is no longer inside
                found.add(branch)
            elif (child, branch) not in seen:
                seen.add((child, branch))
                queue.append((child, branch))
    return frozenset(found)

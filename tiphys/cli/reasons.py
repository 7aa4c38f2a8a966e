"""Every reason to wait that there is, and what would end it: two closed lists, from the object and from its actor.

What stands in a workflow's object is told by `NodeWait`; what its actors say of themselves (`waiting`) is matched by
`LIVE`. A sentence that a room says and that no pattern here knows fails a test: nobody may wait without a way out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple


class NodeWait(StrEnum):
    """Why a node of a workflow has not finished, as far as its object tells."""

    LOCK = "lock"
    RESUME = "resume"
    RESUME_OR_TIME = "resume or time"
    VALUES = "values"
    NEXT_ATTEMPT = "next attempt"
    ATTEMPT = "attempt"
    BOUNDARY = "boundary"
    POD_START = "pod start"
    POD_END = "pod end"
    PERMIT = "permit"
    AGENT = "agent"
    CHILDREN = "children"
    CONTAINER = "container"


ENDS: Final[Mapping[NodeWait, str]] = {
    NodeWait.LOCK: "ends when a holder releases it",
    NodeWait.RESUME: "ends by tiphys resume",
    NodeWait.RESUME_OR_TIME: "ends by itself then, or before by tiphys resume",
    NodeWait.VALUES: "ends when all are given by tiphys node set, and resumed",
    NodeWait.NEXT_ATTEMPT: "ends when the back-off is over",
    NodeWait.ATTEMPT: "ends with its present attempt",
    NodeWait.BOUNDARY: "ends with the template that started it",
    NodeWait.POD_START: "ends when its containers start, or its deadline passes",
    NodeWait.POD_END: "ends when its containers do",
    NodeWait.PERMIT: "ends when one of those that run has finished",
    NodeWait.AGENT: "ends when the agent has reported a result",
    NodeWait.CHILDREN: "ends when all that it started has",
    NodeWait.CONTAINER: "ends with its container",
}

COMPOSITE: Final = ("Steps", "StepGroup", "DAG", "TaskGroup")


def node_wait(node: Mapping[str, Any], *, between_attempts: bool = False) -> NodeWait:
    """Why an unfinished node waits. `between_attempts`: none of a Retry node's attempts is under way."""
    kind, pending = node.get("type"), node.get("phase") == "Pending"
    if (node.get("synchronizationStatus") or {}).get("waiting"):
        return NodeWait.LOCK
    if kind == "Suspend":
        return NodeWait.VALUES if wanted_values(node) else NodeWait.RESUME
    if kind == "Retry":
        return NodeWait.NEXT_ATTEMPT if between_attempts else NodeWait.ATTEMPT
    if node.get("daemoned"):
        return NodeWait.BOUNDARY
    if kind in ("HTTP", "Plugin"):
        return NodeWait.AGENT
    if kind == "Container":
        return NodeWait.CONTAINER
    if kind in COMPOSITE:
        return NodeWait.PERMIT if pending else NodeWait.CHILDREN
    return NodeWait.POD_START if pending else NodeWait.POD_END


def wanted_values(node: Mapping[str, Any]) -> list[str]:
    """The output parameters that a person has to supply."""
    outputs = (node.get("outputs") or {}).get("parameters")
    return [
        str(entry.get("name", ""))
        for entry in (outputs if isinstance(outputs, list) else [])
        if entry.get("value") is None and "default" not in (entry.get("valueFrom") or {})
    ]


class Live(NamedTuple):
    """What an actor says it waits for, and what ends that."""

    says: str  # with {} for what varies
    ends: str


LIVE: Final[tuple[Live, ...]] = (
    Live("for its own object", "the cache shows it"),
    Live("for {} to be read", "the API server answers; an object that is not there ends the workflow with an error"),
    Live("for its pods to be released", "its last status write was acknowledged and each pod has been labelled"),
    Live("for its end to be on record", "the API server takes the status write with it"),
    Live("for its end to be written", "the API server takes its last status write"),
    Live("for its locks {}", "their holders release them"),
    Live("to be resumed (spec.suspend)", "tiphys resume"),
    Live("for a spec.parallelism of more than 0", "somebody raises that field, as with kubectl edit"),
    Live("for claims {} to be made", "the API server has created its volume claims"),
    Live("for node {}", "that node finishes"),
    Live("for its first node", "its entrypoint begins"),
    Live("for its turn: as many workflows run as may", "one of those that run finishes"),
    Live("for its turn", "the controller has counted how many run"),
    Live("for its deletion: {}", "the API server has removed its object"),
    Live("for its locks", "their holders release them"),
    Live("for a permit to begin (parallelism or suspension)", "one of those that run finishes, or it is resumed"),
    Live("for a permit to begin", "one of those that run finishes, or it is resumed"),
    Live("for a permit", "one of those that run finishes, or it is resumed"),
    Live("for its inputs", "what they are made of is there"),
    Live("for template {} of {}", "the API server answers; a template that is not there ends the node with an error"),
    Live("for pod {} to be released", "the status write with its outcome was acknowledged"),
    Live("for pod {} to delete {} artifacts", "that pod finishes"),
    Live("to try again to delete {} artifacts", "its next try succeeds"),
    Live("for the database that keeps its nodes: {}", "it answers, or its trouble is mended"),
    Live("for old versions of nodes", "a workflow writes a newer one, or is deleted"),
    Live("for its workflow to let go of the pod, or to be gone", "one of the two happens"),
    Live("for its pod to be let go", "the API server has taken our finalizer from it"),
    Live("for its workflow", "its workflow finishes or is deleted"),
    Live("for pod {}: {}", "its containers end, its deadline passes, or it is deleted"),
    Live("for tasks {}", "all of them finish"),
    Live("for step group {}", "all steps of that group finish"),
    Live("for attempt {}", "that attempt finishes"),
    Live("for {} to pass, or to be resumed", "the time passes, or by tiphys resume"),
    Live("to be resumed", "tiphys resume"),
    Live("for the workflow's agent{}", "the agent has reported a result"),
    Live("for {} tasks; {}", "the agent has reported all results"),
    Live("its pod {} is {}", "that pod runs, or is made again"),
    Live(
        "for its pod to be gone and its task set to be closed",
        "its pod has been deleted, and the set says that it is complete",
    ),
    Live("for holders of {}", "one of them releases its lock"),
    Live("for the database of locks: {}", "it answers, or its trouble is mended"),
    Live("for somebody to want a lock", "a workflow with synchronization begins"),
    Live("for one of {} workflows to end; {} wait for their turn", "one of them finishes"),
    Live("for one of {} workflows and pods to change", "any of them changes"),
    Live("for one more workflow to finish; {} have", "one finishes"),
    Live("for a workflow that is to be archived", "one with the archive's label finishes"),
    Live("for the database to take {}", "it answers, or its trouble is mended"),
    Live("to look at {} caches again, every {} s", "that time has passed"),
    Live("for the run of {} to begin", "its workflow was created"),
    Live("for active runs to end, before that of {} begins", "they finish, or are replaced by its policy"),
    Live("for schedules that can be read", "somebody corrects spec.schedules"),
    Live("until {}", "that time comes"),
    Live("for the answer to {} of its commands", "the API server answers"),
    Live("for the answers to {} of its commands", "the API server answers"),
    Live("for changes of {} objects that {} Rollouts may refer to", "any of them changes"),
    Live("for a change of {} or of their pods", "any of them changes"),
    Live("for its pods to be available", "they are ready, or its progress deadline passes"),
    Live("for its analyses or its duration", "they finish, or the time passes"),
    Live("for measurements of {}", "their providers answer"),
    Live("for the next measurement", "its interval has passed"),
    Live("to be asked for one of {} plugins", "a workflow with a plugin template runs"),
    Live("for owners of {} objects that nobody controls", "one that selects them appears"),
    Live("for nothing: {}", "nothing: it is over"),
    Live("for nothing", "nothing: it is over"),
    Live("put aside after {}", "that time has passed, or its object changes"),
    Live("{} node is {}", "its children or its pod change"),
    Live("for {}", "they finish"),
)


def _pattern(says: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, says.split("{}"))), re.DOTALL)


_COMPILED: Final = tuple((_pattern(live.says), live) for live in LIVE)


def live(said: str) -> Live | None:
    """The reason that an actor's sentence gives; None for a sentence that is no reason known here."""
    return next((reason for pattern, reason in _COMPILED if pattern.fullmatch(said.strip())), None)


def told(said: str) -> str:
    """The sentence with what would end the wait."""
    reason = live(said)
    text = f"waits {said}" if said.startswith(("for ", "to ", "until ")) else said
    return f"{text}; ends when {reason.ends}" if reason is not None else text

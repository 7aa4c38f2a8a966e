"""Whether a run that is due may begin: the rules of a CronWorkflow, in the order in which upstream asks them.

Has it achieved its end, is it suspended, does `when` allow it, what do runs that are still active say. Pure: spec,
status and time in, a verdict out. (CRON-3, CRON-5, CRON-6, CRON-7, COND-6.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from actors.cron.child import Child
from actors.language.expression import ExpressionError, evaluate_bool, nest
from actors.language.functions import Functions
from actors.language.go_time import from_unix
from actors.language.jsontext import dumps
from actors.language.tags import substitute
from actors.language.when import evaluate_when
from actors.names.timestamps import seconds
from runtime.objects import Object

STOPPED, ACTIVE = "Stopped", "Active"
SPEC_ERROR, SUBMISSION_ERROR = "SpecError", "SubmissionError"
SUCCEEDED_KEPT: Final = 3
FAILED_KEPT: Final = 1


@dataclass(frozen=True, slots=True)
class Run:
    """Begin, after these runs have been told to terminate."""

    terminate: tuple[Child, ...] = ()


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not begin. `for_good`: nothing that may change later would let this run begin after all."""

    reason: str
    for_good: bool = True
    policy: str = ""  # the concurrency policy that says so


@dataclass(frozen=True, slots=True)
class Wrong:
    """Do not begin, and say so in this condition."""

    condition: str
    message: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not begin, and never again."""


Verdict: TypeAlias = Run | Skip | Wrong | Stop


def verdict(cron: Object, status: Mapping[str, Any], active: Sequence[Child], now: float) -> Verdict:
    """Whether a run that is due may begin. `status` is the present one, `active` its runs that have not ended."""
    spec = cron["spec"]
    try:
        if stops(cron, status, now):
            return Stop()
    except ValueError as error:
        return Wrong(SPEC_ERROR, str(error))
    if spec.get("suspend"):
        return Skip("it is suspended", for_good=False)
    if status.get("phase") == STOPPED:
        return Skip("its stop strategy has ended it")
    try:
        if not allows(cron, status, now):
            return Skip("its `when` is false")
    except ValueError as error:
        return Wrong(SUBMISSION_ERROR, f"run policy error: {error}")
    policy = spec.get("concurrencyPolicy") or "Allow"
    if policy == "Forbid" and active:
        return Skip(f"{active[0].name} is active", for_good=False, policy=policy)
    if policy == "Replace":
        return Run(tuple(child for child in active if not child.is_stopping))
    return Run()


def stops(cron: Object, status: Mapping[str, Any], now: float) -> bool:
    """Whether the stop strategy has come true (CRON-7). Raises ValueError with the sentence for the condition."""
    expression = (cron["spec"].get("stopStrategy") or {}).get("expression")
    if not expression:
        return False
    try:
        return evaluate_bool(expression, nest(variables(cron, status)), functions=Functions(now))
    except ExpressionError as error:
        name = cron["metadata"]["name"]
        raise ValueError(
            f"failed to check CronWorkflow '{name}' stopping condition: failed to evaluate stop expression: {error}"
        ) from error


def allows(cron: Object, status: Mapping[str, Any], now: float) -> bool:
    """Whether `when` allows a run (COND-6): bare words are no strings here. Raises ValueError."""
    when = cron["spec"].get("when")
    if not when:
        return True
    text = substitute(when, variables(cron, status), unresolved="fail", functions=Functions(now))
    return evaluate_when(text, bare_words=False)


def variables(cron: Object, status: Mapping[str, Any]) -> dict[str, Any]:
    """`cronworkflow.*`, flat. `annotations` are the annotations: upstream gives the labels there, by mistake."""
    meta = cron["metadata"]
    last = status.get("lastScheduledTime")
    named, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    return {
        "cronworkflow.name": meta["name"],
        "cronworkflow.namespace": meta.get("namespace", ""),
        "cronworkflow.labels": named,
        "cronworkflow.labels.json": dumps(named),
        "cronworkflow.annotations": notes,
        "cronworkflow.annotations.json": dumps(notes),
        "cronworkflow.failed": int(status.get("failed") or 0),
        "cronworkflow.succeeded": int(status.get("succeeded") or 0),
        "cronworkflow.lastScheduledTime": from_unix(seconds(last)) if last else None,
    }


def outlived(cron: Object, children: Sequence[Child]) -> list[Child]:
    """The ended runs beyond the history limits, the oldest of each kind (CRON-8)."""
    spec, found = cron["spec"], []
    ended = sorted((child for child in children if child.ended and child.is_history), key=_age, reverse=True)
    for field, kept, succeeded in (
        ("successfulJobsHistoryLimit", SUCCEEDED_KEPT, True),
        ("failedJobsHistoryLimit", FAILED_KEPT, False),
    ):
        limit = spec.get(field)
        limit = kept if limit is None or limit < 0 else limit
        found += [child for child in ended if (child.phase == "Succeeded") is succeeded][limit:]
    return found


def _age(child: Child) -> tuple[str, str, str]:
    return child.finished, child.created, child.name

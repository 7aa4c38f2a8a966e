"""Whether a failed attempt is followed by another: a pure decision in upstream's order of questions. (RTY-2..7.)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from actors.language.expression import ExpressionError, compile_expression, evaluate, nest
from actors.language.functions import Functions
from actors.messages import NodeStatus
from actors.names.durations import parse_duration_or_seconds
from actors.names.spoken import in_words

NO_MORE = "No more retries left"
MAX_DURATION = "Max duration limit exceeded"
BACKOFF_TOO_LONG = "Backoff would exceed max duration limit"
EXPRESSION_FALSE = "retryStrategy.expression evaluated to false"
LONGEST_S = float((1 << 63) // 10**9)  # what a duration of upstream's can hold: 292 years
TRANSIENT = (
    "net/http: TLS handshake timeout", "i/o timeout", "connection timed out", "connection reset by peer",
    "connect: connection refused", "Connection closed by foreign host", "http2: client connection lost",
    "http2: server sent GOAWAY and closed the connection", "request did not complete within requested timeout",
    "unexpected error when reading response body", "stream error when reading response body", "invalid connection",
    "etcdserver: leader changed", "etcdserver: request timed out", "etcdserver: too many requests",
    "client rate limiter Wait returned an error", "upper: no more rows in",
)  # fmt: skip
"""What upstream calls transient by its text alone; what it tells by a code or a type no message has."""


@dataclass(frozen=True, slots=True)
class Again:
    """Start another attempt now."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Start another attempt at `until` (epoch seconds); meanwhile the node says `message`."""

    until: float
    message: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt. `message` is the node's; empty keeps the last attempt's."""

    message: str = ""


Next: TypeAlias = Again | Wait | GiveUp


@dataclass(frozen=True, slots=True)
class Attempts:
    """What has happened so far, in epoch seconds."""

    count: int
    last: NodeStatus
    first_started: float
    last_finished: float
    last_started: float


def decide(strategy: Mapping[str, Any], attempts: Attempts, values: Mapping[str, Any], now: float) -> Next:
    """What follows a failed attempt. Raises ValueError for a strategy that cannot be read, ExpressionError for an
    expression that fails."""
    limit = _limit(strategy)
    backoff = strategy.get("backoff") or {}
    if backoff:
        longest = _longest(backoff)
        if longest is not None and now > attempts.first_started + longest:
            return GiveUp(MAX_DURATION)
        due = attempts.last_finished + wait_s(backoff, attempts.count)
        if longest is not None and due > attempts.first_started + longest:
            return GiveUp(BACKOFF_TOO_LONG)
        waits = limit is not None and attempts.count <= limit and due > now
        if waits and _policy_allows(strategy, attempts.last):
            return Wait(due, f"Backoff for {in_words(wait_s(backoff, attempts.count))}")
    if not _policy_allows(strategy, attempts.last):
        return GiveUp(attempts.last.message)
    if limit is not None and attempts.count > limit:
        return GiveUp(NO_MORE)
    if strategy.get("expression") and not _expression_holds(strategy, attempts, values, now):
        return GiveUp(EXPRESSION_FALSE)
    return Again()


def _limit(strategy: Mapping[str, Any]) -> int | None:
    return _whole(strategy.get("limit"))


def _whole(value: Any) -> int | None:
    if value in (None, ""):
        return None
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"value '{value}' cannot be resolved to an int") from None


def _longest(backoff: Mapping[str, Any]) -> float | None:
    text = backoff.get("maxDuration")
    return parse_duration_or_seconds(str(text)) if text else None


def wait_s(backoff: Mapping[str, Any], count: int) -> float:
    """duration × factor^(attempts−1), at most `cap` (RTY-6); a factor below 1 is none."""
    base = backoff.get("duration")
    if base in (None, ""):
        raise ValueError("no base duration specified for retryStrategy")
    wait = parse_duration_or_seconds(str(base))
    times = _whole(backoff.get("factor"))
    if times is not None and times > 0:
        wait = min(LONGEST_S, wait * min(LONGEST_S, times ** min(max(count - 1, 0), 64)))
    cap = backoff.get("cap")
    return min(wait, parse_duration_or_seconds(str(cap))) if cap else wait


def maximum_end(strategy: Mapping[str, Any], first_started: float) -> float | None:
    """When `backoff.maxDuration` ends an attempt other than the first (RTY-7), in epoch seconds."""
    longest = _longest(strategy.get("backoff") or {})
    return None if longest is None else first_started + longest


def _policy_allows(strategy: Mapping[str, Any], last: NodeStatus) -> bool:
    policy = strategy.get("retryPolicy") or ("Always" if strategy.get("expression") else "OnFailure")
    match policy:
        case "Always":
            return True
        case "OnFailure":
            return last.phase == "Failed" or last.daemoned
        case "OnError":
            return last.phase == "Error"
        case "OnTransientError":
            return any(text in last.message for text in TRANSIENT)
    raise ValueError(f"{policy} is not a valid RetryPolicy")


def _expression_holds(strategy: Mapping[str, Any], attempts: Attempts, values: Mapping[str, Any], now: float) -> bool:
    known = {**values, "retries": str(attempts.count - 1), **last_retry(attempts, unknown_exit_code="-1")}
    text = str(strategy["expression"])
    compile_expression(text)  # what is no expression is told as it is
    try:
        found = evaluate(text, nest(known), functions=Functions(now))
    except ExpressionError as error:
        if str(error).startswith("unknown name "):  # upstream's compiler says so already
            raise
        raise ValueError(f"unable to evaluate expression '{text}': {error}") from error
    if found is not True and found is not False:
        raise ValueError(f"unable to cast expression result '{found}' to bool")
    return found


def last_retry(attempts: Attempts | None, *, unknown_exit_code: str) -> dict[str, str]:
    """`lastRetry.*`: text throughout; before any attempt the defaults of the variable table (RTY-4, RTY-9)."""
    if attempts is None:
        return {"lastRetry.exitCode": "0", "lastRetry.status": "", "lastRetry.duration": "0", "lastRetry.message": ""}
    last = attempts.last
    code = (last.outputs or {}).get("exitCode")
    return {
        "lastRetry.exitCode": unknown_exit_code if code is None else str(code),
        "lastRetry.status": last.phase,
        "lastRetry.duration": str(int(max(0.0, attempts.last_finished - attempts.last_started))),
        "lastRetry.message": last.message,
    }

"""A Status object becomes the error that says what to do next: the one door for both Api implementations."""

from __future__ import annotations

from runtime.api import AlreadyExists, ApiError, Conflict, Expired, Gone, Refused, Throttled, Unavailable
from runtime.objects import Object

TOO_LARGE = ("request is too large", "larger than max")  # etcd's words and gRPC's, passed on as 500
RETRY_AFTER_S = 1.0  # when a server says "too many requests" and not for how long


def error_of(status: Object, *, retry_after_s: float | None = None) -> ApiError:
    """The error kind of a Failure Status; `retry_after_s` is the Retry-After header when there was one."""
    code = int(status.get("code") or 0)
    reason = str(status.get("reason") or "")
    message = str(status.get("message") or reason or f"HTTP {code}")
    if code == 429:
        after = retry_after_s
        if after is None:
            after = float((status.get("details") or {}).get("retryAfterSeconds") or RETRY_AFTER_S)
        return Throttled(message, after_s=after, code=code, reason=reason, status=status)
    return _class_of(code, reason, message)(message, code=code, reason=reason, status=status)


def too_large(error: ApiError) -> bool:
    """Whether the object is larger than the server keeps or takes: another try with the same would end alike."""
    return error.code == 413 or (error.code == 500 and any(words in error.message for words in TOO_LARGE))


def _class_of(code: int, reason: str, message: str) -> type[ApiError]:
    if code == 409:
        return AlreadyExists if reason == "AlreadyExists" else Conflict
    if code == 404:
        return Gone
    if code == 410:
        return Expired
    if code == 500 and any(words in message for words in TOO_LARGE):
        return Refused
    if code >= 500 or code == 408:
        return Unavailable
    return Refused

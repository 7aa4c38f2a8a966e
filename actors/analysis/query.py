"""What a provider is asked, and what it answers: the words between the room and those who do its I/O.

A provider is an async function from a `Query` to an `Answer`. It may judge by itself (`phase`), or give a value that
the metric's conditions judge; what it cannot find out it raises as `ProviderError`, in words without secrets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

SERVICE = "measure"
"""The name under which the room's services take queries."""


class ProviderError(Exception):
    """A measurement that could not be made: an Error, with this text as its message."""


class SecretName(NamedTuple):
    """A Secret that holds a provider's own credentials."""

    namespace: str
    name: str


SecretTexts: TypeAlias = Mapping[str, str]
"""A Secret's keys and what they hold."""


@dataclass(slots=True, eq=False)
class Query:
    """One measurement to be made, or one to go on with (`unfinished`). Nobody changes it.

    It is no frozen record on purpose: a flight recorder writes those out, and only names what may hold secrets."""

    metric: Mapping[str, Any]  # with its arguments in place, secrets too
    provider: str  # the field of its settings; a plugin's own name
    namespace: str
    run: str  # the AnalysisRun's name
    now: float
    run_started_at: float
    unfinished: Mapping[str, Any] | None = None
    credentials: Mapping[SecretName, SecretTexts | None] = field(default_factory=dict)  # None: it is not there
    hidden: tuple[str, ...] = ()  # texts that no message may show

    @property
    def settings(self) -> Mapping[str, Any]:
        """The provider's part of the metric."""
        provider: Mapping[str, Any] = self.metric["provider"]
        found: Mapping[str, Any] | None = provider.get(self.provider)
        return found or (provider.get("plugin") or {}).get(self.provider) or {}

    def __repr__(self) -> str:
        """Without settings and credentials: a query is logged when something breaks."""
        return f"Query({self.metric.get('name')!r} of {self.namespace}/{self.run}, {self.provider})"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out."""

    value: Any = None  # what the conditions look at
    text: str = ""  # as it stands in the status
    phase: str = ""  # decided by the provider; empty: the conditions decide
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    resume_after_s: float | None = None  # it is not finished (phase Running): when to look again


def answer_of(found: Answer | Mapping[str, Any]) -> Answer:
    """An answer, also one that was read back from a recording."""
    if isinstance(found, Answer):
        return found
    return Answer(**{name: value for name, value in found.items() if name in Answer.__dataclass_fields__})


Provider: TypeAlias = Callable[[Query], Awaitable[Answer]]


def redacted(text: str, hidden: tuple[str, ...]) -> str:
    """A text in which secrets are stars."""
    for secret in sorted(hidden, key=len, reverse=True):
        if secret:
            text = text.replace(secret, "*****")
    return text

"""A task runs when its `depends` is true: a formula over the results of other tasks.

`A.Failed && !B.Skipped || C`, where a bare `C` means it went well enough (`C.Succeeded || C.Skipped || C.Daemoned`).
Names are taken as written, so `a-b` and `a_b` are two tasks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

RESULTS = frozenset({"Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed"})
RESULTS_OF_ITEMS = frozenset({"AnySucceeded", "AllFailed"})
FORMULA_TERMS_MAX = 10_000  # nested deeper, a formula is refused before it meets the stack
NESTING_MAX = 100

Outcome: TypeAlias = Callable[[str, str], bool]
"""Tells whether a task (first argument) has a result (second argument)."""

_TOKEN = re.compile(r"\s*(?:(&&|\|\||!|\(|\))|([a-zA-Z0-9_][-a-zA-Z0-9_]*)(?:\.([a-zA-Z][a-zA-Z0-9]*))?)\s*", re.ASCII)


class DependsError(ValueError):
    """A `depends` that is no formula, or that asks for a result no task can have."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A parsed `depends`: which tasks it names, and what it says once their results are known."""

    text: str
    terms: tuple[tuple[str, str], ...]  # (task, result) in order of appearance; bare names expanded
    _formula: Callable[[Outcome], bool] = field(repr=False, compare=False)

    def tasks(self) -> frozenset[str]:
        """Name every task the formula depends on."""
        return frozenset(task for task, _ in self.terms)

    def tasks_with_items(self) -> frozenset[str]:
        """Name the tasks asked for AnySucceeded or AllFailed, which only a loop can answer."""
        return frozenset(task for task, result in self.terms if result in RESULTS_OF_ITEMS)

    def evaluate(self, results: Outcome) -> bool:
        """Decide, given whether a task has a result; called only for terms that still matter."""
        return self._formula(results)


def bare(task_name: str, continue_on: Mapping[str, Any] | None = None) -> str:
    """Spell out what a task's name alone stands for; Omitted is not in it, so omission cascades."""
    accepted = ["Succeeded", "Skipped", "Daemoned"]
    accepted += [result for key, result in (("error", "Errored"), ("failed", "Failed")) if (continue_on or {}).get(key)]
    return "(" + " || ".join(f"{task_name}.{result}" for result in accepted) + ")"


def expand_dependencies(
    task: Mapping[str, Any], continue_on: Mapping[str, Mapping[str, Any] | None] | None = None
) -> str:
    """Give the `depends` of a task: its own, or its `dependencies` joined; empty when it waits for nobody.

    `continue_on` holds the continueOn of the DAG's tasks by name: it widens what a dependency accepts.
    """
    if task.get("depends"):
        return str(task["depends"])
    known = continue_on or {}
    return join_dependencies(task.get("dependencies") or (), known)


def join_dependencies(names: Iterable[str], continue_on: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Join the bare forms of several tasks with `&&`."""
    return " && ".join(bare(name, continue_on.get(name)) for name in names)


@lru_cache(maxsize=16384)
def parse_depends(text: str) -> Clause:
    """Read a `depends` formula.

    Raises DependsError: for an unknown result with upstream's message, for anything else naming the place.
    """
    reader = _Reader(text)
    formula = reader.alternatives()
    reader.end()
    return Clause(text, tuple(reader.terms), formula)


class _Reader:
    """Reads the tokens of one formula from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0
        self.terms: list[tuple[str, str]] = []

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self, symbol: str) -> bool:
        found = self._peek() == symbol
        self._at += found
        return found

    def fail(self, what: str) -> DependsError:
        return DependsError(f"unable to evaluate expression '{self._text}': {what}")

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self.fail(f"unexpected '{''.join(self._tokens[self._at])}'")

    def alternatives(self) -> Callable[[Outcome], bool]:
        parts = [self._conjunction()]
        while self._take("||"):
            parts.append(self._conjunction())
        return parts[0] if len(parts) == 1 else lambda results: any(part(results) for part in parts)

    def _conjunction(self) -> Callable[[Outcome], bool]:
        parts = [self._factor()]
        while self._take("&&"):
            parts.append(self._factor())
        return parts[0] if len(parts) == 1 else lambda results: all(part(results) for part in parts)

    def _factor(self) -> Callable[[Outcome], bool]:
        self._depth += 1
        if self._depth > NESTING_MAX:
            raise self.fail(f"nested deeper than {NESTING_MAX} levels")
        try:
            if self._take("!"):
                inner = self._factor()
                return lambda results: not inner(results)
            if self._take("("):
                inner = self.alternatives()
                if not self._take(")"):
                    raise self.fail("a parenthesis is not closed")
                return inner
            return self._term()
        finally:
            self._depth -= 1

    def _term(self) -> Callable[[Outcome], bool]:
        if self._at >= len(self._tokens):
            raise self.fail("unexpected end")
        symbol, task, result = self._tokens[self._at]
        if symbol:
            raise self.fail(f"unexpected '{symbol}'")
        self._at += 1
        if len(self.terms) >= FORMULA_TERMS_MAX:
            raise self.fail(f"more than {FORMULA_TERMS_MAX} terms")
        if result:
            self.terms.append((task, result))
            return lambda results: results(task, result)
        accepted = ("Succeeded", "Skipped", "Daemoned")
        self.terms += [(task, each) for each in accepted]
        return lambda results: any(results(task, each) for each in accepted)


def _tokens(text: str) -> list[tuple[str, str, str]]:
    tokens: list[tuple[str, str, str]] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.end() == at:
            if not text[at:].strip():
                break
            raise DependsError(f"unable to evaluate expression '{text}': unexpected '{text[at:].strip()[0]}'")
        symbol, task, result = found.groups(default="")
        if result and result not in RESULTS:
            raise DependsError(f"task result '{result}' for task '{task}' is invalid")
        tokens.append((symbol, task, result))
        at = found.end()
    return tokens

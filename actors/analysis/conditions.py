"""A measured value becomes a phase: `successCondition` and `failureCondition` are expressions over `result`. Pure.

Failure wins over success; where both are given and neither holds, nobody knows. Whatever cannot be evaluated is an
Error that says which condition and why. (Without any condition a value is a success.)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from actors.language.argo_functions import ARGO_FUNCTIONS
from actors.language.expression import ExpressionError, compile_expression, run
from actors.language.functions import Functions
from actors.language.gotext import go_type
from actors.language.native import Native, plain
from actors.names.timestamps import moment

NO_VALUE = "metric result is nil or empty: no data returned from the metric provider"


class Verdict(NamedTuple):
    """The phase of a measurement, and why it is an Error."""

    phase: str
    message: str = ""


def verdict(metric: Mapping[str, Any], value: Any, now: float) -> Verdict:
    """Judge a value by the conditions of its metric; `now` is what `now()` gives."""
    held: dict[str, bool | None] = {}
    for name in ("successCondition", "failureCondition"):
        text = metric.get(name) or ""
        try:
            held[name] = holds(text, value, now) if text else None
        except ExpressionError as error:
            why = NO_VALUE if _is_nothing(value) else error.message
            return Verdict("Error", f'could not evaluate {name} "{text}": {why}')
    return Verdict(_phase(held["successCondition"], held["failureCondition"]))


def _phase(success: bool | None, failure: bool | None) -> str:
    if success is None and failure is None:
        return "Successful"
    if failure is None:
        failure = not success
    elif success is None:
        success = not failure
    if failure:
        return "Failed"
    return "Successful" if success else "Inconclusive"


def holds(condition: str, value: Any, now: float) -> bool:
    """Evaluate one condition. Raises ExpressionError, also when it gives neither true nor false."""
    environment = {"result": value, **_FUNCTIONS, **_about(value)}
    result = run(compile_expression(condition), environment, functions=Functions(now=now))
    if not isinstance(result, bool):
        raise ExpressionError(f"expected bool, but got {go_type(result)}")
    return result


def time_of(expression: str, now: float) -> float:
    """Evaluate an expression that gives a time (`now() - duration("5m")`), in seconds since 1970.

    Raises ExpressionError."""
    found = run(compile_expression(expression), dict(_NUMBERS), functions=Functions(now=now))
    if not isinstance(found, datetime):
        raise ExpressionError(f"expected time.Time, but got {go_type(found)}")
    return (found - moment(0)).total_seconds()


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and not value)


def _about(value: Any) -> dict[str, Native]:
    """`isNil` and `default` ask about the whole result, whatever they are given: so they do upstream."""
    return {
        "isNil": Native("isNil", "a", plain(lambda _: value is None)),
        "default": Native("default", "aa", plain(lambda _, other: other if value is None else value)),
    }


_NUMBERS = {"isNaN": Native("isNaN", "n", plain(math.isnan)), "isInf": Native("isInf", "n", plain(math.isinf))}
_FUNCTIONS = {**_NUMBERS, "asInt": ARGO_FUNCTIONS["asInt"], "asFloat": ARGO_FUNCTIONS["asFloat"]}

"""What metrics measure while an update is simulated: values over time, or verdicts from some moment on.

    success-rate:            # name of a metric: values, each from its moment on
      - {from: 0s, value: 0.99}
      - {from: 3m, value: 0.8}
    error-rate: fail at 3m   # successful before; also: error at, inconclusive at
    latency: 0.2             # always that

A metric that nobody mentions is taken as good each time, and the timeline says so. Jobs are metrics as others are: what
they run is nothing but a simulated pod here, which could only ever succeed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from actors.analysis.query import Answer, Query
from actors.names.durations import parse_duration
from runtime.objects import Object

VERDICTS: Final = {"fail": "Failed", "error": "Error", "inconclusive": "Inconclusive", "succeed": "Successful"}
ALL: Final = "*"
PLAYED: Final[Object] = {"plugin": {"tiphys/simulated": {}}}
"""The provider of a metric whose outcome comes from a series."""
_SENTENCE: Final = re.compile(r"\s*(\w+)\s+at\s+(\S+)\s*")


class BadSeries(ValueError):
    """A series that cannot be read; the message says which and how it is written."""


class Point(NamedTuple):
    """From `at_s` seconds after the update on: a value, or a verdict."""

    at_s: float
    value: Any = None
    phase: str = ""


@dataclass
class Series:
    """What every metric measures, by name. `began` is the moment of the update, in seconds since the epoch."""

    points: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    began: float = 0.0
    assumed: dict[str, None] = field(default_factory=dict)
    """Metrics that were measured and of which nothing is said, in order."""

    async def measure(self, query: Query) -> Answer:
        """The answer of a provider at the query's moment."""
        name = str(query.metric.get("name"))
        if not self.of(name):
            self.assumed[name] = None
        return answer(self.of(name), query.now - self.began)

    def of(self, name: str) -> tuple[Point, ...]:
        """The points of a metric."""
        return self.points.get(name) or self.points.get(ALL) or ()


def assumption(names: Sequence[str]) -> str:
    """What a person has to know of metrics that are taken as good."""
    if len(names) == 1:
        return f"metric {names[0]} is taken as good each time: --metrics would say what it measures"
    return f"metrics {', '.join(names)} are taken as good each time: --metrics would say what they measure"


def measured(thing: Object) -> Object:
    """An AnalysisTemplate (or run) whose Jobs are measured as other metrics are; any other object as it is."""
    metrics = (thing.get("spec") or {}).get("metrics")
    if not isinstance(metrics, list) or not any(_is_job(each) for each in metrics):
        return thing
    played = [{**each, "provider": PLAYED} if _is_job(each) else each for each in metrics]
    return {**thing, "spec": {**thing["spec"], "metrics": played}}


def _is_job(metric: Any) -> bool:
    return isinstance(metric, Mapping) and isinstance(metric.get("provider"), Mapping) and "job" in metric["provider"]


def answer(points: tuple[Point, ...], at_s: float) -> Answer:
    """What a series says at a moment."""
    now = next((point for point in reversed(points) if point.at_s <= at_s), None)
    if now is None:
        return Answer(value=None, phase="Successful")
    if now.phase:
        return Answer(phase=now.phase, message="as simulated" if now.phase != "Successful" else "")
    return Answer(value=now.value, text=str(now.value))


def read(document: Any) -> dict[str, tuple[Point, ...]]:
    """The series of a parsed file, or of one sentence that speaks of every metric. Raises BadSeries."""
    if isinstance(document, str):
        return {ALL: _points(ALL, document)}
    if not isinstance(document, Mapping):
        raise BadSeries("metrics are a map from a metric's name to its series, or a sentence such as `fail at 3m`")
    return {str(name): _points(str(name), told) for name, told in document.items()}


def _points(name: str, told: Any) -> tuple[Point, ...]:
    if isinstance(told, str):
        found = _SENTENCE.fullmatch(told)
        if found is None or found[1] not in VERDICTS:
            raise BadSeries(f"metric {name}: {told!r}; write one of {', '.join(VERDICTS)} and `at 3m`, or values")
        return (Point(0.0, phase="Successful"), Point(_seconds(name, found[2]), phase=VERDICTS[found[1]]))
    if isinstance(told, int | float):
        return (Point(0.0, told),)
    if not isinstance(told, list) or not all(isinstance(each, Mapping) and "value" in each for each in told):
        raise BadSeries(f"metric {name}: write a list of {{from: 3m, value: 0.8}}, a number, or `fail at 3m`")
    return tuple(sorted(Point(_seconds(name, str(each.get("from", "0s"))), each["value"]) for each in told))


def _seconds(name: str, text: str) -> float:
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else parse_duration(text)
    except ValueError as e:
        raise BadSeries(f"metric {name}: {text!r} is no length of time; write 90s, 3m or 1h") from e

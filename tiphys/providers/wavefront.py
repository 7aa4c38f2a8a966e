"""A Wavefront metric is the point of a series that is nearest to now: of one series a number, of several a list.

Tokens stand in one Secret, under the addresses that they are for: an address without a token is asked nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from http.client import responses
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from actors.analysis.query import Answer, ProviderError, Query, redacted
from actors.language.jsontext import loads
from tiphys.providers.http import Request, Response, send

TIMEOUT_S: Final = 30.0
SHOWN_MAX: Final = 4_096
"""Characters of warnings, timestamps or drifts: a query may find thousands of series, and a status has a size."""


class Nearest(NamedTuple):
    """The point of a series that is judged."""

    value: float
    epoch: int  # when it was measured, in seconds since 1970
    drift: int  # seconds from the moment of asking to the point's


async def measure(query: Query) -> Answer:
    """Ask Wavefront."""
    address = str(query.settings.get("address") or "")
    headers = {"Authorization": f"Bearer {_token(query, address)}", "Accept": "application/json"}
    at = int(query.now)
    form = urlencode(chart(str(query.settings.get("query") or ""), at))
    request = Request(f"https://{address}/api/v2/chart/api?{form}", headers=headers, timeout_s=TIMEOUT_S)
    content = _content(await send(request))
    try:
        answer = _answer(content, at)
    except ProviderError as error:
        answer = Answer(phase="Error", message=str(error))
    warnings = content.get("warnings")
    if isinstance(warnings, str) and warnings:  # an error is shown with them: they often say why nothing was found
        warnings = redacted(warnings, query.hidden)
        answer = replace(answer, metadata={**answer.metadata, "warnings": _cut(warnings)})
    return answer


def _token(query: Query, address: str) -> str:
    name, secret = next(iter(query.credentials.items()))
    if secret is None:
        raise ProviderError(f'secrets "{name.name}" not found in namespace {name.namespace}')
    if address not in secret:
        raise ProviderError("API token not found")
    return secret[address]


def chart(text: str, at: int) -> dict[str, str]:
    """What Wavefront's chart API is asked: one point of each series at a second, or the nearest there is outside it."""
    when = str(at * 1000)
    asked = {"q": text} if text else {}
    never = dict.fromkeys(("autoEvents", "listmode", "strict", "includeObsoleteMetrics"), "false")
    return {**asked, "s": when, "e": when, "g": "s", "p": "1", "i": "true", **never}


def _content(answer: Response) -> Mapping[str, Any]:
    if answer.status != 200:
        status = f"{answer.status} {responses.get(answer.status, '')}".rstrip()
        raise ProviderError(f"server returned {status}\n{answer.quoted}".rstrip())
    try:
        content = loads(answer.text)
    except ValueError as error:
        raise ProviderError(str(error)) from None
    if not isinstance(content, dict):
        raise ProviderError("the answer is not Wavefront's: it is no JSON object")
    return content


def _answer(content: Mapping[str, Any], at: int) -> Answer:
    series = content.get("timeseries")
    if not isinstance(series, list) or not series:
        raise ProviderError("No TimeSeries found in response from Wavefront")
    found = [nearest(each, at) for each in series]
    columns = (
        [f"{point.value:.2f}" for point in found],
        [str(point.epoch) for point in found],
        [str(point.drift) for point in found],
    )
    text, timestamps, drift = (each[0] if len(found) == 1 else f"[{','.join(each)}]" for each in columns)
    value = found[0].value if len(found) == 1 else [point.value for point in found]
    return Answer(value, text, metadata={"timestamps": _cut(timestamps), "drift": _cut(drift)})


def nearest(series: Any, at: int) -> Nearest:
    """The point of a series nearest to a second, of two as near the first. Raises ProviderError if there is none."""
    points = series.get("data") if isinstance(series, dict) else None
    if not isinstance(points, list) or not points:
        raise ProviderError("No data points found in a TimeSeries from Wavefront")
    for point in points:
        good = isinstance(point, list) and len(point) >= 2
        if not good or not all(isinstance(part, float) and math.isfinite(part) for part in point[:2]):
            raise ProviderError(f"error unmarshaling data point: {point}")
    time, value = min((point[:2] for point in points), key=lambda point: abs(point[0] - at))
    return Nearest(value, int(time), int(time - at))


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"

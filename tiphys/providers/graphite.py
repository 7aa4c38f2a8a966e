"""A Graphite metric is what the first series of a render query holds, without the points that are empty."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from actors.analysis.query import Answer, ProviderError, Query
from actors.language.jsontext import loads
from tiphys.providers.http import Request, check_url, send

TIMEOUT_S: Final = 10.0
_SPACE: Final = re.compile(r"\s+")


async def measure(query: Query) -> Answer:
    """Ask Graphite."""
    address = str(query.settings.get("address") or "")
    check_url(address)
    parts = urlsplit(address)
    pairs = parse_qsl(_SPACE.sub("", str(query.settings.get("query") or "")), keep_blank_values=True)
    form = urlencode([*((key, value) for key, value in pairs if key != "format"), ("format", "json")])
    url = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + "/render", form, ""))
    answer = await send(Request(url, timeout_s=TIMEOUT_S))
    if answer.status >= 400:
        raise ProviderError(f"error response: {answer.quoted}")
    try:
        series = loads(answer.text)
    except ValueError as error:
        raise ProviderError(f"the answer is no JSON: {error}") from None
    values = _values(series)
    return Answer(values, f"[{','.join(f'{value:.6f}' for value in values)}]")


def _values(series: Any) -> list[float]:
    points = (series[0].get("datapoints") or []) if isinstance(series, list) and series else []
    if not points:
        raise ProviderError("no values found")
    values: list[float] = []
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise ProviderError(f"error unmarshaling data point: {point}")
        if point[0] is None:
            continue
        try:
            values.append(float(point[0]))
        except (TypeError, ValueError):
            raise ProviderError(f"error unmarshaling value: {point[0]}") from None
    return values

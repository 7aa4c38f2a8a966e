"""A Datadog metric is the last point of a query (v1), or a scalar or one number a group (v2)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from actors.analysis.query import Answer, ProviderError, Query
from actors.language.jsontext import dumps, loads, plain_number
from actors.names.durations import parse_duration
from tiphys.providers.http import Request, Response, send

SITE: Final = "https://api.datadoghq.com"
GROUPS_MAX: Final = 100
"""Groups that are shown: what is judged are all of them, but an object has a size."""

KEYS: Final = ("address", "api-key", "app-key")


async def measure(query: Query) -> Answer:
    """Ask Datadog."""
    settings = query.settings
    address, api_key, app_key = _credentials(query)
    version = settings.get("apiVersion") or "v1"
    timeout_s = check(settings, version)
    try:
        interval_s = int(parse_duration(settings.get("interval") or "5m"))
    except ValueError as error:
        raise ProviderError(str(error)) from None
    headers = {"Content-Type": "application/json", "DD-API-KEY": api_key, "DD-APPLICATION-KEY": app_key}
    base, now = (address or SITE).rstrip("/"), int(query.now)
    if version == "v1":
        form = urlencode({"query": settings["query"], "from": now - interval_s, "to": now})
        request = Request(f"{base}/api/v1/query?{form}", "GET", headers, timeout_s=timeout_s)
    else:
        body = dumps(_scalar_request(settings, now, interval_s)).encode()
        request = Request(f"{base}/api/v2/query/scalar", "POST", headers, body, timeout_s)
    content = _content(await send(request))
    return _last_point(content) if version == "v1" else _scalars(content)


def check(settings: Mapping[str, Any], version: str) -> float:
    """Raises ProviderError for settings that contradict each other; else how long to wait."""
    query, queries, formula = settings.get("query"), settings.get("queries") or {}, settings.get("formula")
    review = "Please review the Analysis Template."
    if not query and not queries:
        raise ProviderError(f"Must have either a query or queries. {review}")
    if query and queries:
        raise ProviderError(f"Cannot have both a query and queries. {review}")
    if version == "v1" and not query:
        raise ProviderError(
            "Query is empty. API Version v1 only supports using the query parameter in your Analysis Template."
        )
    if formula and not queries:
        raise ProviderError(f"Formula are only valid when queries are set. {review}")
    if not formula and len(queries) > 1:
        raise ProviderError("When multiple queries are provided you must include a formula.")
    if version == "v1" and settings.get("aggregator"):
        raise ProviderError(f"Aggregator is not supported in v1. {review}")
    try:
        timeout_s = parse_duration(settings.get("requestTimeout") or "10s")
    except ValueError as error:
        raise ProviderError(f"Could not parse the request timeout: {error}. {review}") from None
    if timeout_s <= 0:
        raise ProviderError(f"Request timeout must be a positive duration (e.g. 30s). {review}")
    return timeout_s


def _credentials(query: Query) -> tuple[str, str, str]:
    """Address and keys: of the Secret that the metric names, else of the environment, else of the default Secret."""
    named = (query.settings.get("secretRef") or {}).get("name")
    if (query.settings.get("secretRef") or {}).get("namespaced") and not named:
        raise ProviderError("secret name is required for namespaced credentials")
    given = [os.environ.get(f"DD_{key.upper().replace('-', '_')}") for key in KEYS]
    if not named and all(value is not None for value in given):
        address, api_key, app_key = (value or "" for value in given)
        if api_key and app_key:
            return address, api_key, app_key
    for secret in query.credentials.values():
        found = secret or {}
        if found.get("api-key") and found.get("app-key"):
            return found.get("address") or "", found["api-key"], found["app-key"]
    raise ProviderError("failed to find the credentials for datadog metrics provider")


def _scalar_request(settings: Mapping[str, Any], now: int, interval_s: int) -> dict[str, Any]:
    queries = {"query": settings["query"]} if settings.get("query") else settings["queries"]
    aggregator = settings.get("aggregator") or "last"
    wanted = [
        {"aggregator": aggregator, "data_source": "metrics", "name": name, "query": text}
        for name, text in queries.items()
    ]
    formulas = [{"formula": settings["formula"]}] if settings.get("formula") else []
    times = {"from": (now - interval_s) * 1000, "to": now * 1000}
    return {"data": {"type": "scalar_request", "attributes": {**times, "queries": wanted, "formulas": formulas}}}


def _content(answer: Response) -> Mapping[str, Any]:
    if answer.status in (401, 403):
        raise ProviderError(f"received authentication error response code: {answer.status} {answer.quoted}")
    if answer.status != 200:
        raise ProviderError(f"received non 2xx response code: {answer.status} {answer.quoted}")
    try:
        content = loads(answer.text)
    except ValueError as error:
        raise ProviderError(f"Could not parse JSON body: {error}") from None
    if not isinstance(content, dict):
        raise ProviderError("Could not parse JSON body: it is no object")
    return content


def _last_point(content: Mapping[str, Any]) -> Answer:
    series = content.get("series") or []
    points = series[0].get("pointlist") if series else None
    if not points:
        return Answer(None, dumps([{"Pointlist": each.get("pointlist") or []} for each in series]))
    if len(points[-1]) != 2:
        raise ProviderError("Datapoint does not have 2 values")
    value = points[-1][1]
    if value is None:
        return Answer(None, "null")
    return Answer(float(value), plain_number(float(value)))


def _scalars(content: Mapping[str, Any]) -> Answer:
    found = content.get("data") or {}
    if found.get("errors"):
        raise ProviderError(f"There were errors in your query: {found['errors']}")
    columns: Sequence[Mapping[str, Any]] = (found.get("attributes") or {}).get("columns") or ()
    numbers = next((each for each in columns if (each.get("type") or "number") == "number"), None)
    groups = [each for each in columns if each.get("type") == "group"]
    rows = [(index, value) for index, value in enumerate((numbers or {}).get("values") or ()) if value is not None]
    for _, value in rows:
        if not isinstance(value, float):
            name = (numbers or {}).get("name") or ""
            raise ProviderError(f'could not parse numeric value {dumps(value)} in column "{name}"')
    values = [value for _, value in rows]
    if not values:
        return Answer(None, "[]")
    if not groups:
        return Answer(values[0], plain_number(values[0]))
    names = [_group(groups, index) for index, _ in rows]
    return Answer(
        values, f"[{','.join(map(plain_number, values))}]", metadata=_shown(list(zip(names, values, strict=True)))
    )


def _group(columns: Sequence[Mapping[str, Any]], index: int) -> str:
    """The tags of a row, joined over all its columns."""
    parts: list[str] = []
    for column in columns:
        values = column.get("values") or ()
        tags = values[index] if index < len(values) else None
        if not isinstance(tags, list) or not tags or not all(isinstance(tag, str) for tag in tags):
            raise ProviderError(f"could not parse group label at index {index}")
        parts += tags
    return ",".join(parts)


def _shown(rows: list[tuple[str, float]]) -> dict[str, str]:
    """The groups as the status keeps them: of too many, those with the lowest and the highest values."""
    metadata: dict[str, str] = {}
    if len(rows) > GROUPS_MAX:
        ordered = sorted(rows, key=lambda row: row[1])
        rows = ordered[: GROUPS_MAX // 2] + ordered[-(GROUPS_MAX - GROUPS_MAX // 2) :]
        metadata["groups_truncated"] = "true"
    metadata["groups"] = dumps([{"name": name, "value": value} for name, value in rows])
    return metadata

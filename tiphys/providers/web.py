"""A web metric is one request: the value at a path of the JSON that comes back, or the text that is no JSON."""

from __future__ import annotations

import re
from typing import Any, Final

from actors.analysis.query import Answer, ProviderError, Query
from actors.language.jsonpath import PathError
from actors.language.jsontext import dumps, loads
from actors.language.kubectl_path import find
from tiphys.providers.http import Request, send

TIMEOUT_S: Final = 10.0


async def measure(query: Query) -> Answer:
    """Send the request and find the value."""
    settings = query.settings
    method, body = settings.get("method") or "GET", settings.get("body") or ""
    if body and settings.get("jsonBody") is not None:
        raise ProviderError("use either Body or JSONBody; both cannot exists for WebMetric payload")
    if (body or settings.get("jsonBody") is not None) and method == "GET":
        raise ProviderError("Body/JSONBody can only be used with POST or PUT WebMetric Method types")
    headers = {header["key"]: header.get("value") or "" for header in settings.get("headers") or ()}
    if settings.get("jsonBody") is not None:
        body = dumps(settings["jsonBody"])
        headers = {key: value for key, value in headers.items() if key.lower() != "content-type"}
        headers["Content-Type"] = "application/json"
    timeout_s = float(settings.get("timeoutSeconds") or 0)
    oauth2 = (settings.get("authentication") or {}).get("oauth2") or {}
    request = Request(
        str(settings.get("url") or ""), method, headers, body.encode() if body else None,
        timeout_s if timeout_s > 0 else TIMEOUT_S, bool(settings.get("insecure")),
        oauth2 if oauth2.get("tokenUrl") else None,
    )  # fmt: skip
    answer = await send(request)
    if answer.status // 100 != 2:
        raise ProviderError(f"received non 2xx response code: {answer.status}")
    value, text = value_in(answer.text, settings.get("jsonPath") or "{$}")
    return Answer(value, text)


def value_in(body: str, path: str) -> tuple[Any, str]:
    """The first value that a path finds in a body, and its JSON; a body that is no JSON is the value itself.

    Raises ProviderError when the path finds nothing."""
    try:
        content = loads(body)
    except ValueError:
        return body, body
    try:
        found = find(path, content)
    except PathError as error:
        raise ProviderError(f"Could not find JSONPath in body: {error}") from None
    if not found:
        raise ProviderError(f"Could not find JSONPath in body: {_last(path)} is not found")
    return found[0], dumps(found[0])


def _last(path: str) -> str:
    """The last name of a path, which upstream's sentence names; the whole path where it ends in no plain name."""
    found = re.search(r"\.([^.\[\]()?@{}*]+)\}?$", path)
    return found[1] if found else path

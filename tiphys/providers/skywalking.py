"""A SkyWalking metric is all that a GraphQL query gives, as its `data` has it; the query may use `$duration`.

The duration ends now and is `interval` long. Its ends are minutes without a zone: SkyWalking reads them as its own.
"""

from __future__ import annotations

from typing import Any, Final

from actors.analysis.query import Answer, ProviderError, Query
from actors.language.jsontext import dumps, loads
from actors.names.durations import parse_duration
from actors.names.timestamps import moment
from tiphys.providers.http import Request, Response, send

TIMEOUT_S: Final = 30.0
JSON: Final = "application/json; charset=utf-8"


async def measure(query: Query) -> Answer:
    """Ask SkyWalking."""
    settings = query.settings
    try:
        interval_s = parse_duration(settings.get("interval") or "")
    except ValueError as error:
        raise ProviderError(str(error)) from None
    duration = {"start": minute(query.now - interval_s), "end": minute(query.now), "step": "MINUTE"}
    body = dumps({"query": settings.get("query") or "", "variables": {"duration": duration}}).encode()
    url = str(settings.get("address") or "").rstrip("/") + "/graphql"
    answer = await send(Request(url, "POST", {"Content-Type": JSON, "Accept": JSON}, body, TIMEOUT_S))
    found = _found(answer)
    try:
        return Answer(found, dumps(found))
    except ValueError as error:
        raise ProviderError(f"could not marshal results: {error}") from None


def minute(now: float) -> str:
    """A time as SkyWalking reads it: by the clock of the zone that the controller is in."""
    return moment(now).astimezone().strftime("%Y-%m-%d %H%M")


def _found(answer: Response) -> Any:
    """The answer's data. The status is not asked: GraphQL tells its errors in the body, whatever the status."""
    try:
        content = loads(answer.text)
    except ValueError as error:
        status = "" if answer.status == 200 else f"; the answer is {answer.status} {answer.quoted}".rstrip()
        raise ProviderError(f"decoding response: {error}{status}") from None
    if not isinstance(content, dict):
        raise ProviderError("decoding response: it is no JSON object")
    errors = content.get("errors")
    if errors:
        first = errors[0] if isinstance(errors, list) else errors
        text = (first.get("message") or "") if isinstance(first, dict) else first
        raise ProviderError(f"graphql: {text}")
    if content.get("data") is None:
        raise ProviderError("no results returned from SkyWalking query")
    return content["data"]

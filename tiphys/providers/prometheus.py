"""A Prometheus metric is an instant query or one over a range; the value is a list of samples, or one scalar."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from actors.analysis.conditions import time_of
from actors.analysis.query import Answer, ProviderError, Query
from actors.language.expression import ExpressionError
from actors.language.jsontext import loads, plain_number, special_float
from actors.names.durations import parse_duration
from tiphys.providers.http import Request, Response, basic, send

ADDRESS: Final = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"
TIMEOUT_S: Final = 30.0
MANAGED: Final = "aps-workspaces"  # in the address of Amazon's service, whose requests are signed


async def measure(query: Query) -> Answer:
    """Ask the server and read the samples."""
    settings = query.settings
    address = _address(settings)
    timeout_s = settings.get("timeout")
    if timeout_s is not None and timeout_s < 0:
        raise ProviderError("prometheus timeout should not be negative")
    route, form = _form(settings, query.now)
    request = Request(
        f"{address.rstrip('/')}/api/v1/{route}", "POST", _headers(settings),
        urlencode(form).encode(), TIMEOUT_S if timeout_s is None else float(timeout_s), bool(settings.get("insecure")),
        _oauth2(settings),
    )  # fmt: skip
    answer = await send(await _signed(request, settings, query.now))
    if answer.status in (405, 501):  # some take only GET
        plain = Request(
            f"{request.url}?{urlencode(form)}", "GET", _headers(settings), None, request.timeout_s, request.insecure,
            request.oauth2,
        )  # fmt: skip
        answer = await send(await _signed(plain, settings, query.now))
    content = _content(answer)
    warnings = content.get("warnings") or ()
    metadata = {"warnings": ", ".join(f'"{warning}"' for warning in warnings)} if warnings else {}
    value, text = _samples(content.get("data"))
    return Answer(value, text, metadata=metadata)


def _address(settings: Mapping[str, Any]) -> str:
    address = settings.get("address") or os.environ.get(ADDRESS) or ""
    if not address:
        raise ProviderError("prometheus address is not configured")
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not parts.netloc:
        raise ProviderError("prometheus address is not is url format")
    return str(address)


def _form(settings: Mapping[str, Any], now: float) -> tuple[str, dict[str, str]]:
    query, wanted = settings.get("query") or "", settings.get("rangeQuery")
    if wanted is None:
        return "query", {"query": query, "time": _time(now)}
    times: dict[str, str] = {}
    for field in ("start", "end"):
        try:
            times[field] = _time(time_of(wanted.get(field) or "", now))
        except ExpressionError as error:
            raise ProviderError(f"failed to parse rangeQuery.{field} as time: {error.message}") from None
    try:
        step_s = parse_duration(wanted.get("step") or "")
    except ValueError as error:
        raise ProviderError(f"failed to parse rangeQuery.step as duration: {error}") from None
    return "query_range", {"query": query, **times, "step": plain_number(step_s)}


def _time(at: float) -> str:
    return f"{at:.3f}"


def _headers(settings: Mapping[str, Any]) -> dict[str, str]:
    headers = {header["key"]: header.get("value") or "" for header in settings.get("headers") or ()}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    login = (settings.get("authentication") or {}).get("basicAuth") or {}
    if login.get("username") or login.get("password"):
        for field in ("username", "password"):
            if not login.get(field):
                raise ProviderError(f"missing mandatory parameter in metric for basic auth setup: {field}")
        headers["Authorization"] = basic(login["username"], login["password"])
    return headers


def _oauth2(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = (settings.get("authentication") or {}).get("oauth2") or {}
    return found if found.get("tokenUrl") else None


async def _signed(request: Request, settings: Mapping[str, Any], now: float) -> Request:
    """The request, signed if it goes to Amazon's managed service."""
    sigv4 = (settings.get("authentication") or {}).get("sigv4") or {}
    if MANAGED not in request.url or not sigv4:
        return request
    from tiphys.providers.aws import sign_with  # noqa: PLC0415

    return await sign_with(request, sigv4, "aps", now)


def _content(answer: Response) -> Mapping[str, Any]:
    """What the server says; an error of its own, or an answer that is none of its, is raised."""
    try:
        content = loads(answer.text)
    except ValueError as error:
        content = None
        mistake = str(error)
    if isinstance(content, dict) and content.get("status") == "success":
        return content
    if isinstance(content, dict) and content.get("error"):
        raise ProviderError(f"{content.get('errorType') or 'error'}: {content['error']}")
    if answer.status // 100 == 4:
        raise ProviderError(f"client_error: client error: {answer.status}")
    if answer.status // 100 == 5:
        raise ProviderError(f"server_error: server error: {answer.status}")
    if content is None:
        raise ProviderError(f"bad_response: the answer is no JSON ({mistake}): {answer.quoted}")
    raise ProviderError(f"bad_response: the answer is not Prometheus': {answer.quoted}")


def _samples(found: Any) -> tuple[Any, str]:
    """The samples of a result as floats, and as text."""
    kind: Any = found.get("resultType") if isinstance(found, dict) else None
    result: Any = found.get("result") if isinstance(found, dict) else None
    try:
        match kind:
            case "scalar":
                value = float(result[1])
                return value, _number(value)
            case "vector":
                values = [float(series["value"][1]) for series in result]
            case "matrix":
                values = [float(point[1]) for series in result for point in series["values"]]
            case _:
                raise ProviderError("Prometheus metric type not supported")
    except (TypeError, KeyError, IndexError, ValueError):
        raise ProviderError("bad_response: a sample has no value") from None
    return values, f"[{','.join(map(_number, values))}]"


def _number(value: float) -> str:
    return plain_number(value) if value - value == 0 else special_float(value)

"""A Kayenta metric is a judgement that takes a while: it is begun, looked at every 15 seconds, and gives a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from actors.analysis.query import Answer, ProviderError, Query
from actors.language.jsontext import dumps, loads
from actors.names.durations import parse_duration
from actors.names.timestamps import rfc3339
from tiphys.providers.http import Request, Response, send

RESUME_S: Final = 15.0
TIMEOUT_S: Final = 15.0
EXECUTION: Final = "canaryExecutionId"


async def measure(query: Query) -> Answer:
    """Begin a judgement, or look at the one that was begun."""
    settings = query.settings
    address = str(settings.get("address") or "").rstrip("/")
    if query.unfinished:
        execution = (query.unfinished.get("metadata") or {}).get(EXECUTION) or ""
        answer = await send(Request(f"{address}/canary/{quote(execution, safe='')}", timeout_s=TIMEOUT_S))
        return _score(_content(answer), settings)
    config = await _config(settings, address)
    names = ("application", "metricsAccountName", "configurationAccountName", "storageAccountName")
    form = urlencode({name: settings.get(name) or "" for name in names})
    scopes = {scope["name"]: _scope(scope, query) for scope in settings.get("scopes") or ()}
    threshold = settings.get("threshold") or {}
    body = {"scopes": scopes, "thresholds": {name: threshold.get(name) or 0 for name in ("pass", "marginal")}}
    request = Request(
        f"{address}/canary/{quote(config, safe='')}?{form}", "POST", {"Content-Type": "application/json"},
        dumps(body).encode(), TIMEOUT_S,
    )  # fmt: skip
    execution = str(_content(await send(request)).get(EXECUTION) or "")
    if not execution:
        raise ProviderError(f"Invalid {EXECUTION}")
    return Answer(phase="Running", metadata={EXECUTION: execution}, resume_after_s=RESUME_S)


async def _config(settings: Mapping[str, Any], address: str) -> str:
    """The id of the canary configuration of this name."""
    form = urlencode(
        {"application": settings.get("application"), "configurationAccountName": settings.get("storageAccountName")}
    )
    answer = await send(Request(f"{address}/canaryConfig?{form}", timeout_s=TIMEOUT_S))
    if answer.status != 200:
        raise ProviderError(f"Invalid Response: HTTP {answer.status}")
    found = _json(answer)
    for entry in found if isinstance(found, list) else ():
        if entry.get("name") == settings.get("canaryConfigName") and entry.get("id"):
            return str(entry["id"])
    raise ProviderError("Canary config not found")


def _json(answer: Response) -> Any:
    try:
        return loads(answer.text)
    except ValueError as error:
        raise ProviderError(f"Invalid Response: {error}") from None


def _content(answer: Response) -> Mapping[str, Any]:
    if answer.status != 200:
        raise ProviderError("Invalid Response")
    found = _json(answer)
    if not isinstance(found, dict):
        raise ProviderError("Invalid Response")
    return found


def _score(found: Mapping[str, Any], settings: Mapping[str, Any]) -> Answer:
    complete = found.get("complete")
    if not isinstance(complete, bool):
        raise ProviderError("Missing Complete Status")
    if not complete:
        return Answer(phase="Running", resume_after_s=RESUME_S)
    part: Any = found
    for key in ("result", "judgeResult", "score", "score"):
        part = part.get(key) if isinstance(part, dict) else None
    if not isinstance(part, float):
        raise ProviderError("Missing Score")
    score, threshold = int(part), settings.get("threshold") or {}
    if score >= (threshold.get("pass") or 0):
        return Answer(phase="Successful", text=str(score))
    return Answer(phase="Inconclusive" if score >= (threshold.get("marginal") or 0) else "Failed", text=str(score))


def _scope(scope: Mapping[str, Any], query: Query) -> dict[str, Any]:
    """What is compared, with the times that were left out: until now, from an interval ago or from the run's start."""
    control, experiment = scope.get("controlScope") or {}, scope.get("experimentScope") or {}
    times: dict[str, str] = {}
    for field in ("start", "end"):
        if bool(control.get(field)) != bool(experiment.get(field)):
            raise ProviderError(f"controlScope.{field} and experimentScope.{field} must both be set or be empty")
        if not control.get(field):
            times[field] = _start(query) if field == "start" else rfc3339(query.now)
    return {"controlScope": _detail(control, times), "experimentScope": _detail(experiment, times)}


def _start(query: Query) -> str:
    if query.settings.get("lookback"):
        return rfc3339(query.run_started_at)
    interval = query.metric.get("interval") or ""
    try:
        return rfc3339(query.now - parse_duration(interval))
    except ValueError as error:
        raise ProviderError(f'Invalid duration "{interval}": {error}') from None


def _detail(detail: Mapping[str, Any], times: Mapping[str, str]) -> dict[str, Any]:
    return {
        "scope": detail.get("scope") or "",
        "location": detail.get("region") or "",
        "step": detail.get("step") or 0,
        "start": times.get("start") or detail.get("start") or "",
        "end": times.get("end") or detail.get("end") or "",
    }

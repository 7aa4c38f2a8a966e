"""Is the Rollout fit? Upstream's rules in upstream's order and words: the first one that is broken is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from actors.analysis_arguments import ArgumentError, field_text
from actors.names.timestamps import seconds
from actors.rollout import podcheck
from actors.rollout.affinity import PREFERRED, REQUIRED
from actors.rollout.invalid import Unfit, internal, invalid, required
from actors.rollout.model import Ro
from actors.rollout.validation_steps import steps
from runtime.objects import Object

MISSING: Final = "Rollout has missing field '{}'"
SAME_CANARY: Final = (
    "This rollout uses the same service for the stable and canary services, but two different services are required."
)
SAME_BLUE_GREEN: Final = (
    "This rollout uses the same service for the active and preview services, but two different services are required."
)
SAME_PING_PONG: Final = (
    "This rollout uses the same service for the ping and pong services, but two different services are required."
)
NO_PING_PONG: Final = "Ping service and Pong service must to be set to use Ping-Pong feature"
NEEDS_SERVICES: Final = "Canary service and Stable service must to be set to use Traffic Routing"
NO_TIME: Final = "must be an RFC 3339 time, as 2006-01-02T15:04:05Z"
NO_NUMBER: Final = "must be a number of pods or a percentage, as 2 or 25%"
HISTORY: Final = "This rollout's revision history limit can not be smaller than the rollout's scale down limit"

_AMOUNT: Final = re.compile(r"[+-]?[0-9]+%?", re.ASCII)


def spec(ro: Ro) -> Iterator[Unfit]:
    """What is wrong with the spec itself; nothing else is looked at."""
    yield from _not_negative("spec.replicas", ro.replicas)
    if ro.spec.get("workloadRef") is None:
        if ro.spec.get("selector") is None:
            yield required("spec.selector", MISSING.format(".spec.selector"))
        else:
            yield from podcheck.selector("spec.selector", ro.selector)
            if not ro.selector.get("matchLabels") and not ro.selector.get("matchExpressions"):
                yield invalid("spec.selector", ro.selector, "empty selector is invalid for deployment")
    if ro.is_resolved or ro.spec.get("workloadRef") is None:
        yield from podcheck.template("spec.template", ro)
    elif ro.template:
        yield internal("spec.template", "template must be empty for workload reference rollout")
    yield from _not_negative("spec.minReadySeconds", ro.min_ready_s)
    yield from _not_negative("spec.revisionHistoryLimit", ro.history_limit)
    yield from _not_negative("spec.progressDeadlineSeconds", ro.deadline_s)
    if ro.deadline_s <= ro.min_ready_s:
        yield invalid("spec.progressDeadlineSeconds", ro.deadline_s, "must be greater than minReadySeconds")
    yield from _time("spec.restartAt", ro.spec.get("restartAt"))
    yield from _strategy(ro)


def _time(path: str, value: str | None) -> Iterator[Unfit]:
    try:
        seconds(value or "1970-01-01T00:00:00Z")
    except ValueError:
        yield invalid(path, value, NO_TIME)


def _not_negative(path: str, value: int) -> Iterator[Unfit]:
    if value < 0:
        yield invalid(path, value, "must be greater than or equal to 0")


def _strategy(ro: Ro) -> Iterator[Unfit]:
    path = "spec.strategy"
    if ro.canary is None and ro.blue_green is None:
        fields = ".spec.strategy.canary or .spec.strategy.blueGreen"
        yield required(f"{path}.strategy", MISSING.format(fields))
    elif ro.canary is not None and ro.blue_green is not None:
        yield invalid(f"{path}.strategy", "blueGreen: true canary: true", "Multiple Strategies can not be listed")
    elif ro.blue_green is not None:
        yield from _blue_green(ro, ro.blue_green, path)
    elif ro.canary is not None:
        yield from _canary(ro, ro.canary, path)


def _blue_green(ro: Ro, strategy: Object, path: str) -> Iterator[Unfit]:
    active = strategy.get("activeService") or ""
    if active == (strategy.get("previewService") or ""):
        yield invalid(f"{path}.activeService", active, SAME_BLUE_GREEN)
    if not active:  # upstream looks for a Service without a name for ever, and says nothing
        yield required(f"{path}.activeService", MISSING.format(".spec.strategy.blueGreen.activeService"))
    limit = strategy.get("scaleDownDelayRevisionLimit")
    if limit is not None and ro.history_limit < limit:
        yield invalid(f"{path}.scaleDownDelayRevisionLimit", limit, HISTORY)
    yield from _amount(strategy, "maxUnavailable", path)
    yield from _anti_affinity(strategy.get("antiAffinity"), f"{path}.antiAffinity")


def _canary(ro: Ro, canary: Object, path: str) -> Iterator[Unfit]:
    for field in ("maxSurge", "maxUnavailable"):
        yield from _amount(canary, field, path)
    if _literal(canary.get("maxSurge")) == 0 and _literal(canary.get("maxUnavailable")) == 0:
        text = "MaxSurge and MaxUnavailable both can not be zero"
        yield invalid(f"{path}.maxSurge", canary.get("maxSurge"), text)
    stable, new = canary.get("stableService") or "", canary.get("canaryService") or ""
    if stable and stable == new:
        yield invalid(f"{path}.stableService", stable, SAME_CANARY)
    if canary.get("pingPong") is not None:
        yield from _ping_pong(ro, canary["pingPong"], path)
    if _needs_services(ro):
        for field, name in (("stableService", stable), ("canaryService", new)):
            if not name:
                yield invalid(f"{path}.{field}", name, NEEDS_SERVICES)
    yield from _routing(ro, canary, path)
    yield from steps(ro, f"{path}.steps")
    yield from _arguments(ro, path)
    yield from _anti_affinity(canary.get("antiAffinity"), f"{path}.antiAffinity")


def _amount(strategy: Object, field: str, path: str) -> Iterator[Unfit]:
    """Upstream goes on with 0 for what it cannot read, and then may make no pod at all."""
    value = strategy.get(field)
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        yield invalid(f"{path}.{field}", value, NO_NUMBER)


def _literal(value: int | str | None) -> int:
    """A fence as it is written: 0% is 0."""
    if isinstance(value, str):
        text = value.removesuffix("%")
        return int(text) if text.lstrip("-").isdecimal() else 0
    return 25 if value is None else value


def _ping_pong(ro: Ro, pair: Object, path: str) -> Iterator[Unfit]:
    routing = ro.routing
    ping, pong = pair.get("pingService") or "", pair.get("pongService") or ""
    if routing is not None and not any(routing.get(name) for name in ("alb", "istio", "plugins")):
        text = "Ping-pong feature works with the ALB, Istio, and plugin-based traffic routers only"
        yield invalid(f"{path}.trafficRouting.alb", None, text)
    for field, name in (("pingService", ping), ("pongService", pong)):
        if not name:
            yield invalid(f"{path}.pingPong.{field}", name, NO_PING_PONG)
    if ping == pong:
        yield invalid(f"{path}.pingPong.pingService", ping, SAME_PING_PONG)
    alb = (routing or {}).get("alb")
    if alb is not None and not alb.get("rootService"):
        text = "Root service field is required for the configuration with ALB and ping-pong feature enabled"
        yield invalid(f"{path}.trafficRouting.alb.rootService", "", text)


def _needs_services(ro: Ro) -> bool:
    routing, has_pair = ro.routing, bool((ro.canary or {}).get("pingPong"))
    if routing is None:
        return False
    istio = routing.get("istio")
    by_service = istio is not None and istio.get("destinationRule") is None and not has_pair
    if by_service or (routing.get("alb") is not None and not has_pair):
        return True
    return any(routing.get(name) is not None for name in ("smi", "apisix", "ambassador", "nginx", "appMesh", "traefik"))


def _routing(ro: Ro, canary: Object, path: str) -> Iterator[Unfit]:
    delay, dynamic, routing = canary.get("scaleDownDelaySeconds"), bool(canary.get("dynamicStableScale")), ro.routing
    if routing is None:
        if delay is not None:
            text = "Canary scaleDownDelaySeconds can only be used with traffic routing"
            yield invalid(f"{path}.scaleDownDelaySeconds", delay, text)
        if dynamic:
            text = "Canary dynamicStableScale can only be used with traffic routing"
            yield invalid(f"{path}.dynamicStableScale", dynamic, text)
        return
    if delay is not None and dynamic:
        text = "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds"
        yield invalid(f"{path}.dynamicStableScale", dynamic, text)
    most = routing.get("maxTrafficWeight")
    if most is not None and routing.get("nginx") is None and not routing.get("plugins"):
        text = "Canary maxTrafficWeight in traffic routing only supported in Nginx and Plugins"
        yield invalid(f"{path}.trafficRouting.maxTrafficWeight", most, text)


def _arguments(ro: Ro, path: str) -> Iterator[Unfit]:
    """Arguments that point into the Rollout's metadata lead somewhere."""
    for index, step in enumerate(ro.steps):
        arguments: list[Any] = []
        for analysis in (step.get("experiment") or {}).get("analyses") or ():
            arguments += analysis.get("args") or ()
        arguments += (step.get("analysis") or {}).get("args") or ()
        for argument in arguments:
            field = ((argument.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath") or ""
            if field.startswith("metadata"):
                try:
                    field_text(ro.object, field, "rollout")
                except ArgumentError:
                    text = "Analyses arguments must refer to valid object metadata supported by downwardAPI"
                    yield invalid(f"{path}.steps[{index}].analyses", arguments, text)


def _anti_affinity(asked: Object | None, path: str) -> Iterator[Unfit]:
    if asked is None:
        return
    preferred, needed = asked.get(PREFERRED), asked.get(REQUIRED)
    if (preferred is None) == (needed is None):
        told = [
            f"antiAffinity.{name[0].upper()}{name[1:]}: {str(asked.get(name) is not None).lower()}"
            for name in (PREFERRED, REQUIRED)
        ]
        yield invalid(path, " ".join(told), "AntiAffinity must have exactly one strategy listed")
    if preferred is not None and not 1 <= int(preferred.get("weight") or 0) <= 100:
        yield invalid(f"{path}.weight", preferred.get("weight", 0), "AntiAffinity weight must be between 1-100")

"""Which steps may there be? One kind at a time, weights in range, and nothing that no configured router can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from actors.rollout.invalid import Unfit, invalid, required
from actors.rollout.model import Ro, pause_s
from actors.rollout.step_fields import in_order
from runtime.objects import Object

KINDS: Final = (
    "experiment", "pause", "setWeight", "analysis", "setCanaryScale", "setHeaderRoute", "setMirrorRoute", "plugin"
)  # fmt: skip
ALONE: Final = ("setWeight", "pause", "experiment", "analysis")
NO_KIND: Final = "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause"
MATCH_MANY: Final = "StringMatch match value must have exactly one of the following: exact, regex, prefix"
MATCH_NONE: Final = "StringMatch value missed, match value must have one of the following: exact, regex, prefix"
NOT_MANAGED: Final = "Steps define a route that does not exist in spec.strategy.canary.trafficRouting.managedRoutes"
WEIGHTED: Final = (
    "Experiment template weight is only available for TrafficRouting with SMI, ALB, Istio and Plugins at this time"
)
NOT_WEIGHTED: Final = "Experiment template weight cannot be set unless TrafficRouting is enabled"


def steps(ro: Ro, path: str) -> Iterator[Unfit]:
    """What is wrong with the steps of a canary."""
    for index, step in enumerate(ro.steps):
        yield from _step(ro, step, f"{path}[{index}]")


def _step(ro: Ro, step: Object, path: str) -> Iterator[Unfit]:
    yield from _kind(step, path)
    weight = step.get("setWeight")
    if weight is not None and not 0 <= weight <= ro.most_weight:
        yield invalid(f"{path}.setWeight", weight, f"SetWeight needs to be between 0 and {ro.most_weight}")
    pause = step.get("pause")
    if pause is not None and (pause_s(pause) or 0) < 0:
        yield invalid(f"{path}.pause.duration", pause_s(pause), "Duration needs to be greater than 0")
    if step.get("setCanaryScale") is not None and ro.routing is None:
        yield required("spec.strategy.trafficRouting", "SetCanaryScale requires TrafficRouting to be set")
    if step.get("setHeaderRoute") is not None:
        yield from _header(ro, step["setHeaderRoute"], f"{path}.setHeaderRoute")
    if step.get("setMirrorRoute") is not None:
        yield from _mirror(ro, step["setMirrorRoute"], f"{path}.setMirrorRoute")
    yield from _managed(ro, step, path)
    yield from _experiment(ro, step.get("experiment") or {}, f"{path}.experiment")


def _kind(step: Object, path: str) -> Iterator[Unfit]:
    if sum(1 for name in ALONE if step.get(name) is not None) > 1:
        yield invalid(path, _named(step, ("experiment", "pause", "setWeight", "analysis"), given=True), NO_KIND)
    if all(step.get(name) is None for name in KINDS):
        yield invalid(path, _named(step, KINDS, given=False), NO_KIND)


def _named(step: Object, names: tuple[str, ...], *, given: bool) -> str:
    """Which kinds are there; upstream's text for "none" says of each that it is nil."""
    told = ((name, (step.get(name) is not None) == given) for name in names)
    return " ".join(f"step.{name[0].upper()}{name[1:]}: {str(flag).lower()}" for name, flag in told)


def _names_any(routing: Object, *names: str) -> bool:
    """Whether one of these routers is named, be it without any settings: `smi: {}`."""
    return any(routing.get(name) is not None for name in names)


def _header(ro: Ro, route: Object, path: str) -> Iterator[Unfit]:
    routing = ro.routing or {}
    if not _names_any(routing, "istio", "alb", "apisix", "plugins", "gatewayAPI"):
        text = "SetHeaderRoute requires TrafficRouting, supports Istio and ALB and Apisix"
        yield invalid(path, in_order("SetHeaderRoute", route), text)
        return
    for index, match in enumerate(route.get("match") or ()):
        value, at = match.get("headerValue"), f"{path}.match[{index}]"
        if routing.get("alb") is None:
            yield from _one_of(value, at)
        elif value is None:
            yield invalid(at, None, MATCH_NONE)
        elif not value.get("exact") or value.get("regex") or value.get("prefix"):
            text = "SetHeaderRoute match value invalid. ALB supports 'exact' value only"
            yield invalid(at, in_order("StringMatch", value), text)


def _mirror(ro: Ro, route: Object, path: str) -> Iterator[Unfit]:
    routing = ro.routing or {}
    if not _names_any(routing, "istio", "plugins", "gatewayAPI"):
        text = "SetMirrorRoute requires TrafficRouting, supports Istio and Plugins"
        yield invalid(path, in_order("SetMirrorRoute", route), text)
    for index, match in enumerate(route.get("match") or ()):
        for field in ("method", "path"):
            if match.get(field) is not None:
                yield from _one_of(match[field], f"{path}.match[{index}]")


def _one_of(value: Any, path: str) -> Iterator[Unfit]:
    given = [name for name in ("exact", "regex", "prefix") if (value or {}).get(name)]
    if len(given) > 1:
        yield invalid(path, in_order("StringMatch", value), MATCH_MANY)
    elif not given:
        yield invalid(path, in_order("StringMatch", value), MATCH_NONE)


def _managed(ro: Ro, step: Object, path: str) -> Iterator[Unfit]:
    if ro.routing is None:
        return
    managed = ro.routing.get("managedRoutes")
    for kind in ("setHeaderRoute", "setMirrorRoute"):
        route = step.get(kind)
        if route is None:
            continue
        if managed is None:
            text = "Rollout has missing field 'spec.strategy.canary.trafficRouting.managedRoutes'"
            yield required("spec.strategy.trafficRouting.managedRoutes", text)
        elif route.get("name") not in [each.get("name") for each in managed]:
            yield invalid(f"{path}.{kind}", route.get("name"), NOT_MANAGED)


def _experiment(ro: Ro, experiment: Object, path: str) -> Iterator[Unfit]:
    for index, template in enumerate(experiment.get("templates") or ()):
        weight = template.get("weight")
        if weight is None:
            continue
        at = f"{path}.templates[{index}].weight"
        if ro.routing is None:
            yield invalid(at, weight, NOT_WEIGHTED)
        elif not _names_any(ro.routing, "alb", "smi", "istio", "plugins", "gatewayAPI"):
            yield invalid(at, weight, WEIGHTED)

"""What people get wrong in a Rollout, found by reading it: sentences with the field and the remedy. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from actors.analysis_checks import cannot_fail
from actors.rollout.model import Ro, pause_s
from runtime.objects import Object

OFF_BY = 5
"""Percentage points by which a share of pods may miss its weight without a word."""


def warnings(rollout: Object, templates: Sequence[Object]) -> list[str]:
    """Everything worth knowing before the update; `templates` are the AnalysisTemplates at hand."""
    ro = Ro(rollout)
    found = [*_canary(ro), *_blue_green(ro)]
    named = set(_templates_named(rollout.get("spec")))
    for template in templates:
        if template["metadata"]["name"] in named:
            found += _analysis(template)
    return found


def _canary(ro: Ro) -> Iterator[str]:
    canary = ro.canary
    if canary is None:
        return
    at = "spec.strategy.canary"
    if not ro.steps:
        yield f"{at}: without steps this is a rolling update: no pause, no weight, no look at metrics"
    if not ro.routing and (canary.get("canaryService") or canary.get("stableService")):
        yield (
            f"{at}: canaryService and stableService without trafficRouting move no traffic: "
            "users get the share of pods behind their own Service"
        )
    for number, step in enumerate(ro.steps):
        pause = step.get("pause")
        if pause is not None and pause_s(pause) is None:
            yield f"{at}.steps[{number}]: a pause without duration waits until somebody promotes"
        if is_endless(step.get("experiment")):
            yield (
                f"{at}.steps[{number}].experiment: without a duration or an analysis that completes it, it runs until "
                "somebody promotes or ends it"
            )
        if not ro.routing and step.get("setWeight") is not None:
            yield from _weight(ro, number, int(step["setWeight"]))
    if ro.steps and not _is_looked_at(ro):
        yield f"{at}: no analysis and no pause for a person: nothing but failing pods can stop this update"


def is_endless(experiment: Any) -> bool:
    """Whether nothing but a person ends an experiment step: no duration, and no analysis that has to complete."""
    if not experiment:
        return False
    required = any(each.get("requiredForCompletion") for each in experiment.get("analyses") or ())
    return not experiment.get("duration") and not required


def _is_looked_at(ro: Ro) -> bool:
    """Whether metrics or a person can stop the update."""
    pauses = [step["pause"] for step in ro.steps if step.get("pause") is not None]
    has_analysis = bool((ro.canary or {}).get("analysis")) or any(step.get("analysis") for step in ro.steps)
    experiments = [step["experiment"] for step in ro.steps if step.get("experiment")]
    has_analysis = has_analysis or any(is_endless(one) or one.get("analyses") for one in experiments)
    return has_analysis or any(pause_s(pause) is None for pause in pauses)


def _weight(ro: Ro, number: int, weight: int) -> Iterator[str]:
    if not 0 < weight < 100 or not ro.replicas:  # beyond these the controller complains itself
        return
    pods = max(1, round(ro.replicas * weight / 100))
    total = ro.replicas if ro.replicas > 1 else pods + 1
    share = round(pods * 100 / total)
    if abs(share - weight) > OFF_BY:
        yield (
            f"spec.strategy.canary.steps[{number}]: setWeight {weight} cannot be had with {ro.replicas} "
            f"replica{'s' if ro.replicas > 1 else ''}: {pods} of {total} pods are {share} % "
            "(more replicas, or a trafficRouting, make it exact)"
        )


def _blue_green(ro: Ro) -> Iterator[str]:
    strategy = ro.blue_green
    if strategy is None:
        return
    at = "spec.strategy.blueGreen"
    if strategy.get("autoPromotionEnabled") is False:
        yield f"{at}.autoPromotionEnabled: false: the new version waits until somebody promotes"
    elif not strategy.get("prePromotionAnalysis") and not strategy.get("autoPromotionSeconds"):
        yield f"{at}: all traffic moves as soon as the new pods are ready; prePromotionAnalysis would look first"


def _analysis(template: Object) -> Iterator[str]:
    name = template["metadata"]["name"]
    dry = {str(each.get("metricName")) for each in template["spec"].get("dryRun") or ()}
    for metric in template["spec"].get("metrics") or ():
        what = f"AnalysisTemplate {name}, metric {metric.get('name')}"
        provider = metric.get("provider") or {}
        judges_itself = any(name in provider for name in ("job", "kayenta", "plugin"))
        if not judges_itself and not metric.get("successCondition") and not metric.get("failureCondition"):
            yield f"{what}: neither successCondition nor failureCondition: every measurement succeeds, it cannot fail"
        elif cannot_fail(metric):
            limit, count = metric.get("failureLimit"), metric.get("count", 1)
            yield f"{what}: failureLimit {limit} forgives every failure of {count} measurements: it cannot fail"
        if metric.get("name") in dry or dry & {"*", ".*"}:
            yield f"{what}: dryRun: it is measured and never stops anything"


def _templates_named(holder: Any) -> Iterator[str]:
    if isinstance(holder, Mapping):
        for key, value in holder.items():
            if key == "templateName":
                yield str(value)
            yield from _templates_named(value)
    elif isinstance(holder, list):
        for each in holder:
            yield from _templates_named(each)

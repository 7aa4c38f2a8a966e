"""Simulations warn of what people get wrong, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.simulate.warnings import warnings


def rollout(replicas: int = 10, **strategy: Any) -> dict[str, Any]:
    return {"metadata": {"name": "r", "namespace": "d"}, "spec": {"replicas": replicas, "strategy": strategy}}


def template(**metric: Any) -> dict[str, Any]:
    one = {"name": "m", "provider": {"prometheus": {}}, **metric}
    return {"metadata": {"name": "t"}, "spec": {"metrics": [one]}}


SOUND = {
    "steps": [{"setWeight": 20}, {"pause": {"duration": "5m"}}],
    "analysis": {"templates": [{"templateName": "t"}]},
}


def test_a_sound_canary_has_no_warning() -> None:
    assert warnings(rollout(canary=SOUND), [template(successCondition="result > 0")]) == []


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        (rollout(canary={}), "rolling update"),
        (rollout(canary={"steps": [{"pause": {}}]}), "waits until somebody promotes"),
        (rollout(canary={**SOUND, "canaryService": "c"}), "without trafficRouting move no traffic"),
        (rollout(1, canary=SOUND), "setWeight 20 cannot be had with 1 replica: 1 of 2 pods are 50 %"),
        (rollout(3, canary=SOUND), "1 of 3 pods are 33 %"),
        (rollout(canary={"steps": [{"setWeight": 20}]}), "nothing but failing pods can stop this update"),
        (rollout(blueGreen={"autoPromotionEnabled": False}), "waits until somebody promotes"),
        (rollout(blueGreen={}), "prePromotionAnalysis would look first"),
    ],
)
def test_what_is_wrong_is_said(thing: dict[str, Any], sentence: str) -> None:
    assert any(sentence in one for one in warnings(thing, [])), warnings(thing, [])


def test_an_analysis_that_cannot_fail_is_named() -> None:
    (sentence,) = warnings(rollout(canary=SOUND), [template()])
    assert sentence.startswith("AnalysisTemplate t, metric m: neither successCondition nor failureCondition")


def test_an_analysis_that_forgives_every_failure_is_named() -> None:
    lenient = template(successCondition="result > 1", count=3, interval="5s", failureLimit=3)
    (sentence,) = warnings(rollout(canary=SOUND), [lenient])
    assert sentence.endswith("failureLimit 3 forgives every failure of 3 measurements: it cannot fail")


def test_an_analysis_in_a_job_judges_by_itself() -> None:
    assert warnings(rollout(canary=SOUND), [template(provider={"job": {}})]) == []


def test_a_template_that_nobody_names_is_not_looked_at() -> None:
    other = template()
    other["metadata"]["name"] = "other"
    assert warnings(rollout(canary=SOUND), [other]) == []


def test_a_routed_weight_needs_no_pods() -> None:
    routed = {**SOUND, "trafficRouting": {"nginx": {"stableIngress": "i"}}}
    assert warnings(rollout(1, canary=routed), [template(successCondition="x")]) == []

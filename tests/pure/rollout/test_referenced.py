"""A version that traffic may still reach keeps its pods: each way to reach it counts alone."""

from __future__ import annotations

from typing import Any

import pytest

from actors.rollout.scaling import is_referenced
from actors.rollout.traffic.istio import DESTINATION_RULES
from runtime.objects import SERVICES, Object, Reference
from tests.pure.rollout.scenes import rollout, scene, version

OLD = "old"
SUBSETS = {"name": "d", "canarySubsetName": "x", "stableSubsetName": "y"}
ISTIO = {"virtualService": {"name": "v"}, "destinationRule": SUBSETS}


def selecting(name: str) -> tuple[Reference, Object]:
    selector = {"app": "r", "rollouts-pod-template-hash": OLD}
    return Reference(SERVICES, "d", name), {"metadata": {"name": name}, "spec": {"selector": selector}}


RULE = (
    Reference(DESTINATION_RULES, "d", "d"),
    {"spec": {"host": "h", "subsets": [{"name": "x", "labels": {"rollouts-pod-template-hash": OLD}}]}},
)
ROUTED = {"canary": {"canaryService": "c", "stableService": "s", "trafficRouting": {"istio": ISTIO}}}
SPLIT = {"canary": {"canaryService": "c", "stableService": "s"}}
SWITCHED = {"blueGreen": {"activeService": "a", "previewService": "p"}}


@pytest.mark.spec("RO-2.9-retire", "RO-7-14")
@pytest.mark.parametrize(
    ("strategy", "status", "things"),
    [
        (SPLIT, {"stableRS": OLD}, ()),
        (SPLIT, {"currentPodHash": OLD}, ()),
        (SWITCHED, {"blueGreen": {"activeSelector": OLD}}, ()),
        (SWITCHED, {"blueGreen": {"previewSelector": OLD}}, ()),
        (ROUTED, {"canary": {"weights": {"canary": {"weight": 5, "podTemplateHash": OLD}}}}, ()),
        (ROUTED, {"canary": {"weights": {"stable": {"weight": 95, "podTemplateHash": OLD}}}}, ()),
        (SPLIT, {}, (selecting("c"),)),
        (SPLIT, {}, (selecting("s"),)),
        (SWITCHED, {}, (selecting("a"),)),
        (SWITCHED, {}, (selecting("p"),)),
        (ROUTED, {}, (RULE,)),
    ],
)
def test_each_way_to_reach_a_version_keeps_it(strategy: Object, status: Object, things: Any) -> None:
    now = scene(rollout(strategy, status), version(OLD), known=dict(things))
    assert is_referenced(now, now.every[0])


def test_a_version_that_nothing_leads_to_may_go() -> None:
    status = {"stableRS": "a", "currentPodHash": "b", "canary": {"weights": {"canary": {"podTemplateHash": "b"}}}}
    now = scene(rollout(ROUTED, status), version(OLD), known=dict([selecting("somebody-elses")]))
    assert not is_referenced(now, now.every[0])

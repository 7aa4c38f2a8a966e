"""A Service is taken over when all pods of its version are available, and moved later when one is."""

from __future__ import annotations

import pytest

from actors.names.podhash import pod_hash
from actors.rollout.decide import decide
from actors.rollout.model import selector_text
from actors.rollout.scaling import is_scaling
from actors.rollout.scene import World
from actors.rollout.services import point_canary_services
from runtime.objects import SERVICES, Object, Reference
from tests.pure.rollout.scenes import TEMPLATE, rollout, scene, version

NEW = pod_hash(TEMPLATE)
MANAGED = {"argo-rollouts.argoproj.io/managed-by-rollouts": "r"}
STATUS = {"stableRS": "old", "currentPodHash": NEW, "currentStepIndex": 0}


@pytest.mark.spec("RO-2.11-services", "RO-7-14")
@pytest.mark.parametrize(
    ("notes", "available", "moves"),
    [({}, 0, False), ({}, 1, False), ({}, 2, True), (MANAGED, 0, False), (MANAGED, 1, True), (MANAGED, 2, True)],
)
def test_a_service_waits_for_pods(notes: Object, available: int, moves: bool) -> None:
    thing = rollout({"canary": {"canaryService": "c", "steps": [{"setWeight": 50}]}}, STATUS, replicas=4)
    service = {"metadata": {"name": "c", "namespace": "d", "annotations": notes}, "spec": {"selector": {"app": "r"}}}
    known = {Reference(SERVICES, "d", "c"): service}
    now = scene(thing, version(NEW, 2, available, replicas=4), version("old", 2, 2, replicas=4), known=known)
    point_canary_services(now)
    assert bool(now.changes) == moves


def test_a_selector_is_told_by_key_whether_label_or_expression() -> None:
    expressions = [
        {"key": "b", "operator": "In", "values": ["y", "x"]},
        {"key": "a", "operator": "Exists"},
        {"key": "c", "operator": "DoesNotExist"},
    ]
    found = selector_text({"matchLabels": {"d": "1", "b": "z"}, "matchExpressions": expressions})
    assert found == "a,b=z,b in (x,y),!c,d=1"


@pytest.mark.spec("RO-7-13")
@pytest.mark.parametrize(
    ("told", "wished", "scales"), [("10", 5, False), ("8", 5, True), ("8", 0, False), ("", 5, False)]
)
def test_a_version_that_was_told_another_size_makes_it_a_scaling(told: str, wished: int, scales: bool) -> None:
    one = version(NEW, wished)
    one["metadata"]["annotations"]["rollout.argoproj.io/desired-replicas"] = told
    assert is_scaling(scene(rollout({"canary": {}}, STATUS, replicas=10), one)) == scales


@pytest.mark.spec("RO-7-13")
def test_no_step_is_done_while_the_rollout_is_scaled() -> None:
    steps = [{"setWeight": 50}, {"pause": {}}]
    thing = rollout({"canary": {"steps": steps}}, replicas=10)
    thing["metadata"]["annotations"] = {"rollout.argoproj.io/revision": "2"}
    condition = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": ""}
    since = {"lastUpdateTime": "2001-09-09T01:46:40Z", "lastTransitionTime": "2001-09-09T01:46:40Z"}
    now = scene(thing)
    status = {**STATUS, "currentStepHash": now.ro.steps_hash, "conditions": [{**condition, **since}]}
    for told, index in ((10, 1), (8, 0)):
        sets = tuple(version(each, 5, 5, replicas=told) for each in (NEW, "old"))
        plan = decide(World({**thing, "status": status}, sets), 1e9)
        assert plan.status is not None
        assert plan.status["currentStepIndex"] == index

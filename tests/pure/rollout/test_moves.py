"""A decision gives at most one ReplicaSet another size, and stable's comes first."""

from __future__ import annotations

import pytest

from actors.names.podhash import pod_hash
from actors.rollout.scaling import scale_canary
from runtime.messages import Patch
from runtime.objects import Object
from tests.pure.rollout.scenes import TEMPLATE, rollout, scene, version

NEW = pod_hash(TEMPLATE)
ROUTED = {"canaryService": "c", "stableService": "s", "trafficRouting": {"nginx": {"stableIngress": "i"}}}


def sizes(strategy: Object, *versions: Object) -> list[tuple[str, int]]:
    """The new sizes that one decision gives."""
    status = {"stableRS": "old", "currentPodHash": NEW, "currentStepIndex": 0}
    now = scene(rollout({"canary": {"steps": [{"setWeight": 20}], **strategy}}, status, replicas=10), *versions)
    scale_canary(now)
    patches = [each for each in now.changes if isinstance(each, Patch) and "spec" in each.body]
    return [(each.ref.name, each.body["spec"]["replicas"]) for each in patches]


@pytest.mark.spec("RO-2.5-moves", "RO-7-4")
def test_one_replica_set_moves_at_a_time_and_stable_first() -> None:
    new, old = version(NEW, 0, replicas=10), version("old", 10, 10)
    assert sizes({}, new, old) == [("r-old", 8)]
    assert sizes({}, new, version("old", 8, 8, replicas=10)) == [(f"r-{NEW}", 2)]
    full = {"maxSurge": 2, "maxUnavailable": 0}
    assert sizes(full, new, old) == [(f"r-{NEW}", 2)]
    assert sizes(full, version(NEW, 2, 2, replicas=10), old) == [("r-old", 8)]
    assert sizes(full, version(NEW, 2, 0, replicas=10), old) == []


@pytest.mark.spec("RO-7-4")
def test_an_older_version_waits_for_both() -> None:
    older = version("older", 3, 3, replicas=10)
    assert sizes(ROUTED, version(NEW, 0, replicas=10), version("old", 9, 9, replicas=10), older) == [("r-old", 10)]
    assert sizes(ROUTED, version(NEW, 0, replicas=10), version("old", 10, 10), older) == [(f"r-{NEW}", 2)]
    assert sizes(ROUTED, version(NEW, 2, 2, replicas=10), version("old", 10, 10), older) == [("r-older", 0)]

"""Which ReplicaSet is the new one: by its hash, by an older controller's hash, or because it says the same."""

from __future__ import annotations

import copy
import json

import pytest

from actors.names.podhash import dated_pod_hash, pod_hash
from actors.rollout.model import Ro
from actors.rollout.sets import find_new
from actors.rollout.wire import EPHEMERAL_METADATA
from runtime.objects import Object
from tests.pure.rollout.scenes import TEMPLATE, rollout, version

RO = Ro(rollout({"canary": {}}))
MINE, DATED = pod_hash(TEMPLATE), dated_pod_hash(TEMPLATE)


def found(*versions: Object, ro: Ro = RO) -> str:
    one = find_new(ro, versions)
    return one["metadata"]["name"] if one is not None else ""


def changed(one: Object, **fields: object) -> Object:
    one = copy.deepcopy(one)
    one["spec"]["template"]["spec"] |= fields
    return one


@pytest.mark.spec("RO-2.3-hash", "RO-7-1")
def test_the_hash_of_older_controllers_is_known_whatever_the_template_looks_like() -> None:
    assert found(changed(version("other"), hostPID=True), changed(version(DATED), hostPID=True)) == f"r-{DATED}"


@pytest.mark.spec("RO-2.3-hash", "RO-7-1")
def test_a_template_that_says_the_same_is_no_new_version_whatever_its_hash() -> None:
    live = changed(version("some"), dnsPolicy="ClusterFirst", restartPolicy="Always", terminationGracePeriodSeconds=30)
    live["spec"]["template"]["spec"]["containers"][0] |= {"resources": {}, "imagePullPolicy": "IfNotPresent"}
    live["spec"]["template"]["metadata"]["creationTimestamp"] = None
    assert found(live) == "r-some"


@pytest.mark.spec("RO-7-20")
def test_what_a_controller_has_injected_does_not_make_another_version() -> None:
    live = version("some")
    live["spec"]["template"]["metadata"]["labels"]["role"] = "stable"
    live["metadata"]["annotations"][EPHEMERAL_METADATA] = json.dumps({"labels": {"role": "stable"}})
    assert found(live) == "r-some"
    live["metadata"]["annotations"].pop(EPHEMERAL_METADATA)
    assert found(live) == ""


@pytest.mark.parametrize(
    "one",
    [
        changed(version("some"), hostPID=True),
        changed(version("some"), dnsPolicy="None"),
        changed(version("some"), containers=[{"name": "c", "image": "j"}]),
        changed(version("some"), containers=[]),
    ],
)
def test_a_template_that_says_something_else_is_another_version(one: Object) -> None:
    assert found(one) == ""


def test_of_several_the_hash_wins_and_then_the_oldest() -> None:
    late, early = version("b", creationTimestamp="2026-01-02"), version("a", creationTimestamp="2026-01-01")
    assert found(late, early) == "r-a"
    assert found(early, version(MINE, creationTimestamp="2026-01-03")) == f"r-{MINE}"

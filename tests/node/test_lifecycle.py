"""The status that the kubelet would write, from facts."""

from __future__ import annotations

import pytest

from tiphys.devcluster.node.endings import DEADLINE_MESSAGE, next_ending
from tiphys.devcluster.node.facts import Ended, Ending, Fact, Launching, Running, State, Waiting
from tiphys.devcluster.node.lifecycle import Situation, pod_status
from tiphys.devcluster.node.podspec import PodSpec, parse_pod

NOW = 1_700_000_000.0
T = "2023-11-14T22:13:20Z"


def make(setups: int = 0, policy: str = "Never", **spec: object) -> PodSpec:
    return parse_pod(
        {
            "metadata": {"name": "p", "namespace": "default", "uid": "u"},
            "spec": {
                "restartPolicy": policy,
                "initContainers": [{"name": f"init{n}", "image": "i"} for n in range(setups)],
                "containers": [{"name": "main", "image": "busybox"}],
                **spec,
            },
        }
    )


NOTHING_SPECIAL = Situation(NOW)


def status(pod: PodSpec, situation: Situation = NOTHING_SPECIAL, **states: State) -> dict:
    facts = {name: Fact(state, attempt=0 if isinstance(state, Waiting) else 1) for name, state in states.items()}
    return pod_status(pod, facts, situation, NOW)


def condition(written: dict, kind: str) -> tuple[str, str]:
    found = next(c for c in written["conditions"] if c["type"] == kind)
    return found["status"], found.get("reason", "")


def test_a_new_pod_is_pending_and_its_container_is_being_created() -> None:
    written = status(make(), main=Waiting())
    assert written["phase"] == "Pending"
    assert written["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert written["podIP"] == "127.0.0.1"
    assert condition(written, "Initialized") == ("True", "")
    assert condition(written, "Ready") == ("False", "ContainersNotReady")


def test_while_init_containers_run_the_pod_is_pending_and_initializing() -> None:
    written = status(make(2), init0=Running(NOW), init1=Waiting(), main=Waiting())
    assert written["phase"] == "Pending"
    assert written["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert written["initContainerStatuses"][1]["state"] == {"waiting": {"reason": "PodInitializing"}}
    assert condition(written, "Initialized") == ("False", "ContainersNotInitialized")
    told = next(c for c in written["conditions"] if c["type"] == "Initialized")
    assert told["message"] == "containers with incomplete status: [init0 init1]"


def test_a_running_pod_is_ready_when_its_containers_are() -> None:
    written = status(make(), main=Running(NOW))
    assert (written["phase"], condition(written, "Ready")) == ("Running", ("True", ""))
    unready = status(make(), main=Running(NOW, ready=False))
    assert (unready["phase"], condition(unready, "Ready")) == ("Running", ("False", "ContainersNotReady"))
    assert unready["containerStatuses"][0]["started"] is True


@pytest.mark.parametrize(("code", "phase", "reason"), [(0, "Succeeded", "PodCompleted"), (3, "Failed", "PodFailed")])
def test_the_exit_code_decides_the_phase_once_all_is_over(code: int, phase: str, reason: str) -> None:
    ended = Ended(code, "Completed" if code == 0 else "Error", NOW, NOW)
    written = status(make(), Situation(NOW, over=True), main=ended)
    assert written["phase"] == phase
    assert condition(written, "Ready") == ("False", reason)
    terminated = written["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["exitCode"], terminated["startedAt"], terminated["finishedAt"]) == (code, T, T)
    assert status(make(), main=ended)["phase"] == "Running"


def test_an_exceeded_deadline_is_told_with_the_kubelets_words_only_when_nothing_runs() -> None:
    pod = make(activeDeadlineSeconds=5)
    ending = next_ending(pod, {}, NOW - 5, NOW, None)
    assert ending is not None
    assert next_ending(pod, {}, NOW - 4, NOW, None) is None
    still = status(pod, Situation(NOW - 5, ending=ending), main=Running(NOW))
    assert still["phase"] == "Running"
    assert "reason" not in still
    written = status(pod, Situation(NOW - 5, ending=ending, over=True), main=Ended(143, "Error", NOW, NOW - 5))
    assert (written["phase"], written["reason"], written["message"]) == ("Failed", "DeadlineExceeded", DEADLINE_MESSAGE)


def test_a_deadline_that_is_long_past_when_it_is_patched_in_still_leaves_the_grace() -> None:
    pod = make(activeDeadlineSeconds=1)
    ending = next_ending(pod, {}, NOW - 1000, NOW, None)
    assert ending == Ending(NOW, 30.0, "DeadlineExceeded", DEADLINE_MESSAGE)


def test_a_deletion_shortens_a_grace_but_keeps_the_reason() -> None:
    pod = make(activeDeadlineSeconds=1)
    ending = next_ending(pod, {}, NOW - 10, NOW, None)
    meta = {"deletionTimestamp": T, "deletionGracePeriodSeconds": 3}
    later = next_ending(pod, meta, NOW - 10, NOW + 1, ending)
    assert later is not None
    assert (later.grace_s, later.since, later.reason) == (3.0, NOW, "DeadlineExceeded")


def test_a_crashing_container_waits_in_crash_loop_back_off_and_shows_its_last_end() -> None:
    pod = make(policy="Always")
    facts = {"main": Fact(Ended(1, "Error", NOW - 1, NOW - 2), restarts=2, crashes=2, attempt=3)}
    entry = pod_status(pod, facts, Situation(NOW - 60), NOW)["containerStatuses"][0]
    assert entry["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert entry["state"]["waiting"]["message"] == "back-off 20s restarting failed container=main pod=p_default(u)"
    assert entry["lastState"]["terminated"]["exitCode"] == 1
    assert entry["restartCount"] == 2


def test_the_phase_stays_running_between_two_attempts() -> None:
    pod = make(policy="OnFailure")
    facts = {"main": Fact(Launching(), last=Ended(1, "Error", NOW, NOW), restarts=1, attempt=1)}
    assert pod_status(pod, facts, Situation(NOW), NOW)["phase"] == "Running"


def test_conditions_keep_their_transition_time_and_those_of_others_stay() -> None:
    pod, facts = make(), {"main": Fact(Running(NOW), attempt=1)}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "x"}
    before = pod_status(
        pod, facts, Situation(NOW), NOW, {"conditions": [scheduled, {"type": "mine", "status": "True"}]}
    )
    after = pod_status(pod, facts, Situation(NOW), NOW + 100, before)
    assert after == before
    assert scheduled in after["conditions"]
    assert {"type": "mine", "status": "True"} in after["conditions"]


def test_a_killed_container_shows_its_signal() -> None:
    written = status(make(), Situation(NOW, over=True), main=Ended(137, "Error", NOW, NOW))
    assert written["containerStatuses"][0]["state"]["terminated"]["signal"] == 9


def test_volumes_that_are_not_there_are_told_on_the_waiting_container() -> None:
    written = status(make(), Situation(NOW, prepared=False, hindrance='configmap "c" not found'), main=Waiting())
    assert written["containerStatuses"][0]["state"]["waiting"]["message"] == 'configmap "c" not found'

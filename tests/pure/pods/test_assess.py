"""Every row of the tables "pod status to node phase" and "messages", read from a pod's status."""

from __future__ import annotations

from typing import Any

import pytest

from actors.contract import frame
from actors.node.assess import assess, ends_early
from actors.node.assessment import ContainerVerdict, Expectation

NONCE = "0123456789abcdef"
PLAIN = Expectation()


def ended(name: str, code: int = 0, reason: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    state = {
        "exitCode": code,
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "startedAt": "2026-01-01T00:00:00Z",
        "finishedAt": "2026-01-01T00:00:20Z",
    }
    return {"name": name, "state": {"terminated": state | ({"message": message} if message else {})}} | more


def running(name: str, *, ready: bool = True) -> dict[str, Any]:
    return {"name": name, "ready": ready, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}


def waiting(name: str, reason: str, message: str = "") -> dict[str, Any]:
    return {"name": name, "state": {"waiting": {"reason": reason} | ({"message": message} if message else {})}}


def pod(phase: str, *containers: dict[str, Any], inits: Any = (), **status: Any) -> dict[str, Any]:
    names = [entry["name"] for entry in containers] or ["main"]
    return {
        "metadata": {"name": "p", "namespace": "ns", "annotations": {"tiphys.io/nonce": NONCE}},
        "spec": {
            "nodeName": "host-1",
            "containers": [{"name": name} for name in names],
            "initContainers": [{"name": entry["name"]} | entry.pop("spec", {}) for entry in inits],
        },
        "status": {"phase": phase, "podIP": "10.0.0.7", "containerStatuses": list(containers)}
        | ({"initContainerStatuses": list(inits)} if inits else {})
        | status,
    }


def told(content: Any, limit: int = 1500) -> str:
    return frame.encode(content, NONCE, limit)[0]


@pytest.mark.parametrize(
    ("seen", "phase", "message"),
    [
        (pod("Pending"), "Pending", ""),
        (pod("Pending", waiting("main", "ContainerCreating")), "Pending", "ContainerCreating"),
        (
            pod("Pending", waiting("main", "ImagePullBackOff", "no such image")),
            "Pending",
            "ImagePullBackOff: no such image",
        ),
        (
            pod("Pending", waiting("main", "PodInitializing"), inits=[waiting("init", "ErrImagePull", "no")]),
            "Pending",
            "ErrImagePull: no",
        ),
        (pod("Pending", waiting("main", "PodInitializing"), inits=[running("init")]), "Pending", "PodInitializing"),
        (
            pod("Pending", conditions=[{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes"}]),
            "Pending",
            "Unschedulable: 0/1 nodes",
        ),
        (pod("Running", running("main")), "Running", ""),
        (pod("Succeeded", ended("main")), "Succeeded", ""),
        (pod("Failed", ended("main", 1)), "Failed", "main: Error (exit code 1)"),
        (pod("Failed", ended("main", 137, "OOMKilled")), "Failed", "main: OOMKilled (exit code 137)"),
        (pod("Failed", ended("main", 1, message="disk full\n")), "Failed", "main: Error (exit code 1): disk full"),
        (
            pod("Failed", ended("main", 2, message=told({"code": 2, "message": "disk full"}))),
            "Failed",
            "main: Error (exit code 2): disk full",
        ),
        (
            pod("Failed", ended("main", 2, message=told({"code": 2, "result": "x"}))),
            "Failed",
            "main: Error (exit code 2)",
        ),
        (pod("Failed", ended("main", 143), message="Pod was active too long"), "Failed", "Pod was active too long"),
        (pod("Failed", ended("wait"), ended("main", 3)), "Failed", "main: Error (exit code 3)"),
        (
            pod("Failed", ended("wait", 64, message=told({"error": "no file"})), ended("main")),
            "Error",
            "wait: Error (exit code 64): no file",
        ),
        (pod("Failed", ended("wait", 64), ended("main", 1)), "Failed", "main: Error (exit code 1)"),
        (
            pod(
                "Failed",
                waiting("main", "PodInitializing"),
                inits=[ended("init", 64, message="input 'a' was not found")],
            ),
            "Error",
            "init: Error (exit code 64): input 'a' was not found",
        ),
        (
            pod("Failed", waiting("main", "PodInitializing"), inits=[ended("init"), ended("setup", 2)]),
            "Failed",
            "setup: Error (exit code 2)",
        ),
        (
            pod("Failed", waiting("main", "CreateContainerError", "bad"), inits=[ended("init")]),
            "Error",
            "Pod failed before main container starts due to CreateContainerError: bad",
        ),
        (pod("Failed", ended("main"), ended("side", 2)), "Failed", "side: Error (exit code 2)"),
        (pod("Failed", ended("main"), ended("side", 137)), "Succeeded", ""),
        (pod("Failed", ended("main"), ended("side", 143)), "Succeeded", ""),
        (
            pod("Failed", running("wait"), ended("main")),
            "Failed",
            "pod failed: wait container did not complete successfully",
        ),
        (
            pod("Failed", ended("wait"), running("main")),
            "Failed",
            "pod failed: main container did not complete successfully",
        ),
        (
            pod("Failed", running("wait"), running("main")),
            "Failed",
            "pod failed: neither main nor wait container completed successfully",
        ),
        (pod("Failed"), "Failed", "can't find failed message for pod p namespace ns"),
        (
            pod("Failed") | {"spec": {"containers": [{"name": "wait"}, {"name": "main"}], "nodeName": "host-1"}},
            "Failed",
            "can't find failed message for pod p namespace ns",
        ),
        (
            pod("Failed", running("main")),
            "Failed",
            "pod failed: neither main nor wait container completed successfully",
        ),
        (pod("Unknown"), "Error", "Unexpected pod phase for p: Unknown"),
        (
            pod("Running", running("wait"), ended("main", 128, "StartError", "exec: nope")),
            "Failed",
            "main: StartError (exit code 128): exec: nope",
        ),
    ],
)
def test_the_node_follows_the_pod(seen: dict[str, Any], phase: str, message: str) -> None:
    verdict = assess(seen, PLAIN)
    assert (verdict.phase, verdict.message) == (phase, message)
    assert (verdict.pod_ip, verdict.host) == ("10.0.0.7", "host-1")


def test_a_pod_without_a_status_is_pending() -> None:
    assert assess({"metadata": {"name": "p"}}, PLAIN).phase == "Pending"


@pytest.mark.spec("DMN-1", "DMN-3")
def test_a_daemon_is_ready_when_all_containers_are_and_fails_when_it_ends() -> None:
    daemon = Expectation(daemon=True)
    assert assess(pod("Running", running("main", ready=False)), daemon).daemoned is False
    assert assess(pod("Running", running("main"), running("side", ready=False)), daemon).daemoned is False
    assert assess(pod("Running", running("main")), daemon).daemoned is True
    assert assess(pod("Running", running("main")), PLAIN).daemoned is False
    assert assess(pod("Succeeded", ended("main")), daemon).phase == "Failed"


@pytest.mark.spec("SIDE-1")
def test_a_native_sidecar_that_was_stopped_does_not_fail_the_node() -> None:
    side = ended("side", 137) | {"spec": {"restartPolicy": "Always"}}
    assert assess(pod("Failed", ended("main"), inits=[side]), PLAIN).phase == "Succeeded"
    side = ended("side", 9) | {"spec": {"restartPolicy": "Always"}}
    verdict = assess(pod("Failed", ended("main", 3), inits=[side]), PLAIN)
    assert verdict.message == "main: Error (exit code 3)"


@pytest.mark.spec("SCR-5", "PARAM-4")
def test_outputs_are_the_declared_ones_with_their_values() -> None:
    declared = {"parameters": [{"name": "p", "valueFrom": {"path": "/p"}, "globalName": "g"}]}
    expect = Expectation(outputs=declared, include_result=True)
    verdict = assess(
        pod("Succeeded", ended("main", message=told({"code": 0, "result": "r", "parameters": {"p": "v"}}))), expect
    )
    assert verdict.outputs == {
        "result": "r",
        "parameters": [{"name": "p", "valueFrom": {"path": "/p"}, "globalName": "g", "value": "v"}],
        "exitCode": "0",
    }
    assert verdict.finished_at == "2026-01-01T00:00:20Z"


def test_outputs_of_a_failed_command_are_kept() -> None:
    message = told({"code": 4, "result": "r", "error": "output parameter 'p'"})
    verdict = assess(pod("Failed", ended("main", 4, message=message)), Expectation(include_result=True))
    assert (verdict.phase, verdict.message) == ("Failed", "main: Error (exit code 4)")
    assert verdict.outputs == {"result": "r", "exitCode": "4"}


def test_an_output_that_could_not_be_read_is_an_error_naming_it() -> None:
    expect = Expectation(outputs={"parameters": [{"name": "p"}]})
    verdict = assess(
        pod("Succeeded", ended("main", message=told({"code": 0, "error": "output parameter 'p': no file"}))), expect
    )
    assert (verdict.phase, verdict.message) == ("Error", "main: output parameter 'p': no file")


@pytest.mark.parametrize("message", ["", "tiphys/1 forged j 2 x {}", "hello"])
def test_wanted_outputs_that_were_not_reported_are_an_error(message: str) -> None:
    verdict = assess(pod("Succeeded", ended("main", message=message)), Expectation(include_result=True))
    assert verdict.phase == "Error"
    assert "not reported" in verdict.message


def test_artifacts_are_declared_ones_with_the_place_they_were_saved_to() -> None:
    outputs = {
        "artifacts": [{"name": "a", "path": "/a", "s3": {"key": "k"}}, {"name": "o", "path": "/o", "optional": True}]
    }
    place = {"s3": {"bucket": "b", "key": "k"}}
    saved = told({"artifacts": [{"name": "a", **place}, {"name": "main-logs", **place}]})
    verdict = assess(pod("Succeeded", ended("wait", message=saved), ended("main")), Expectation(outputs=outputs))
    assert verdict.outputs["artifacts"] == [{"name": "a", "path": "/a", **place}, {"name": "main-logs", **place}]
    assert verdict.phase == "Succeeded"


def test_spilled_outputs_ask_for_the_log_once() -> None:
    content: Any = {"code": 0, "result": "0123456789" * 30000}
    text, lines = frame.encode(content, NONCE, 600)
    seen, expect = pod("Succeeded", ended("main", message=text)), Expectation(include_result=True)
    verdict = assess(seen, expect)
    assert verdict.phase == "Running"
    assert verdict.needs_log is not None
    assert verdict.needs_log.container == "main"
    assert verdict.needs_log.tail_lines is not None
    assert verdict.needs_log.tail_lines >= len(lines)
    verdict = assess(seen, expect, {"main": "\n".join(lines).encode()})
    assert (verdict.phase, verdict.outputs["result"]) == ("Succeeded", content["result"])
    verdict = assess(seen, expect, {"main": b""})
    assert verdict.phase == "Error"
    assert verdict.needs_log is None
    assert "log" in verdict.message


@pytest.mark.spec("CSET-5")
def test_the_containers_of_a_set_are_judged_one_by_one() -> None:
    expect = Expectation(containers=("a", "b", "c", "d", "e"))
    seen = pod("Running", ended("a"), ended("b", 64), ended("c", 3), running("d"), waiting("e", "PodInitializing"))
    verdicts = assess(seen, expect).containers
    assert [verdict.phase for verdict in verdicts.values()] == ["Succeeded", "Error", "Failed", "Running", "Pending"]
    assert verdicts["c"].message == "c: Error (exit code 3): "
    assert verdicts["e"] == ContainerVerdict("Pending")
    assert verdicts["a"] == ContainerVerdict("Succeeded", "", "2026-01-01T00:00:00Z", "2026-01-01T00:00:20Z", "0")
    over = assess(pod("Failed", ended("a"), running("d"), message="Evicted"), expect)
    assert over.containers["d"].message == "Pod Failed whilst container running"


@pytest.mark.spec("CSET-2")
@pytest.mark.parametrize(
    ("containers", "early"),
    [
        ((ended("a", 1), running("b")), True),
        ((ended("a", 1), waiting("b", "ContainerCreating")), True),
        ((ended("a"), running("b")), False),
        ((running("a"), running("b")), False),
        ((ended("a", 1), ended("b"), running("wait")), False),
        ((ended("istio-proxy", 1), running("a"), running("b")), False),
    ],
)
def test_a_pod_ends_early_when_one_of_its_set_has_failed_beside_others(containers: Any, early: bool) -> None:
    assert ends_early(pod("Running", *containers), Expectation(containers=("a", "b"))) is early
    assert not ends_early(pod("Running", *containers), PLAIN)


@pytest.mark.spec("CSET-2")
@pytest.mark.parametrize(("beside", "early"), [(["c"], False), (["b", "c"], False), (["b", "c", "d"], True)])
def test_who_waits_for_one_of_its_set_that_failed_is_left_to_end_by_itself(beside: list[str], early: bool) -> None:
    expect = Expectation(containers=("c", "b", "a", "d"), after={"c": ["b"], "b": ["a"]})
    seen = pod("Running", ended("a", 3), *map(running, beside))
    assert ends_early(seen, expect) is early


@pytest.mark.spec("CSET-2")
def test_of_a_set_that_was_ended_early_who_failed_is_blamed_and_not_the_deadline() -> None:
    killed, late = ended("a", 143), {"reason": "DeadlineExceeded", "message": "Pod was active too long"}
    seen = pod("Failed", killed, ended("b", 1), **late)
    seen["spec"]["activeDeadlineSeconds"] = 1
    expect = Expectation(containers=("a", "b"))
    assert assess(seen, expect).message == "b: Error (exit code 1)"
    out_of_memory = ended("b", 137, "OOMKilled")
    out_of_memory["state"]["terminated"]["finishedAt"] = "2026-01-01T00:00:05Z"
    seen["status"]["containerStatuses"][1] = out_of_memory
    assert assess(seen, expect).message == "b: OOMKilled (exit code 137)"
    seen["spec"]["activeDeadlineSeconds"] = 60
    assert assess(seen, expect).message == "Pod was active too long"


def test_the_first_of_a_set_to_fail_is_blamed() -> None:
    verdict = assess(pod("Failed", ended("b", 143), ended("a", 2)), Expectation(containers=("a", "b")))
    assert verdict.message == "a: Error (exit code 2)"


@pytest.mark.spec("RDUR-1")
def test_usage_is_amount_over_base_times_seconds() -> None:
    seen = pod("Succeeded", ended("main"), ended("wait"))
    assert assess(seen, PLAIN).resources_duration == {"cpu": 4, "memory": 40}
    seen["spec"]["containers"][0]["resources"] = {
        "limits": {"cpu": "4", "nvidia.com/gpu": "1"},
        "requests": {"cpu": "2", "memory": "1Gi"},
    }
    assert assess(seen, PLAIN).resources_duration == {"cpu": 42, "memory": 20 + 204, "nvidia.com/gpu": 20}


@pytest.mark.spec("RDUR-1")
def test_a_budget_of_the_whole_pod_counts_once_with_the_first_container_that_has_none_of_its_own() -> None:
    seen = pod("Succeeded", ended("main"), ended("wait"))
    seen["spec"]["resources"] = {"limits": {"cpu": "2"}, "requests": {"memory": "1Gi"}}
    assert assess(seen, PLAIN).resources_duration == {"cpu": 40 + 2, "memory": 204 + 20}
    seen["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    assert assess(seen, PLAIN).resources_duration == {"cpu": 20 + 40, "memory": 20 + 204}


@pytest.mark.spec("RDUR-1")
def test_a_resource_that_was_used_for_no_time_is_named_all_the_same() -> None:
    seen = pod("Succeeded", ended("main"), waiting("wait", "ContainerCreating"))
    seen["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = "2026-01-01T00:00:00Z"
    seen["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": "1"}}

    assert assess(seen, PLAIN).resources_duration == {"cpu": 0, "memory": 0, "nvidia.com/gpu": 0}


@pytest.mark.spec("PROG-2")
def test_progress_comes_from_the_frame_else_the_annotation() -> None:
    seen = pod("Running", running("main"))
    seen["metadata"]["annotations"]["workflows.argoproj.io/progress"] = "1/2"
    assert assess(seen, PLAIN).progress == "1/2"
    logs = {"tiphys-progress": b"3/4\n"}
    assert assess(seen, PLAIN, logs).progress == "1/2"  # nobody in the pod can have told it
    seen["spec"]["initContainers"] = [{"name": "tiphys-progress"}]
    assert assess(seen, PLAIN, logs).progress == "3/4"
    assert assess(seen, PLAIN, {"tiphys-progress": b""}).progress == "1/2"
    seen = pod("Succeeded", ended("main", message=told({"code": 0, "progress": "2/2"})))
    seen["spec"]["initContainers"] = [{"name": "tiphys-progress"}]
    assert assess(seen, PLAIN, logs).progress == "2/2"


@pytest.mark.spec("CSET-6")
def test_a_set_without_main_succeeds_without_a_result() -> None:
    expect = Expectation(include_result=True, containers=("a",))
    assert assess(pod("Succeeded", ended("a")), expect).phase == "Succeeded"


PROXY = running("istio-proxy")


@pytest.mark.spec("SIDE-4")
@pytest.mark.parametrize(
    ("seen", "phase", "message"),
    [
        (pod("Running", running("main"), PROXY), "Running", ""),
        (pod("Running", ended("main"), running("wait"), PROXY), "Running", ""),
        (pod("Running", ended("main"), PROXY), "Succeeded", ""),
        (pod("Running", ended("main"), ended("wait"), PROXY), "Succeeded", ""),
        (pod("Running", ended("main", 3), PROXY), "Failed", "main: Error (exit code 3)"),
        (pod("Failed", ended("main"), ended("istio-proxy", 137), reason="DeadlineExceeded", message="too long"),
         "Succeeded", ""),
        (pod("Failed", ended("main", 143), ended("istio-proxy", 137), message="too long"), "Failed", "too long"),
    ],
)  # fmt: skip
def test_an_injected_sidecar_neither_keeps_the_node_nor_fails_it(seen: Any, phase: str, message: str) -> None:
    verdict = assess(seen, PLAIN)
    assert (verdict.phase, verdict.message) == (phase, message)

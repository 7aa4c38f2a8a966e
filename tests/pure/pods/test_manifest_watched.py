"""A program that says how far it is, and a container that somebody wants to look at: what their pods have for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors.node.manifest import BadTemplate
from tests.pure.pods.asked import HELLO, SETTINGS, build, container, env, names, told

SPEAKS = {"container": {"image": "busybox", "command": ["sh", "-c", "echo 1/2 > $ARGO_PROGRESS_FILE"]}}
ANNOTATED = HELLO | {"metadata": {"annotations": {"workflows.argoproj.io/progress": "0/10"}}}
SHIM = "$(TIPHYS_MOUNT_TIPHYS_SHIM)/shim"


def paused(*moments: str, value: str = "true") -> dict[str, Any]:
    variables = [{"name": f"ARGO_DEBUG_PAUSE_{moment}", "value": value} for moment in moments]
    return {"container": HELLO["container"] | {"env": variables}}


@pytest.mark.spec("PROG-2")
@pytest.mark.parametrize(
    "template",
    [
        SPEAKS,
        ANNOTATED,
        {"container": HELLO["container"] | {"args": ["--progress=$(ARGO_PROGRESS_FILE)"]}},
        {"container": HELLO["container"] | {"env": [{"name": "P", "value": "$(ARGO_PROGRESS_FILE)"}]}},
        {"script": {"image": "python", "command": ["python"], "source": "open(os.environ['ARGO_PROGRESS_FILE'])"}},
    ],
)
def test_who_speaks_of_progress_has_a_file_for_it_and_a_sidecar_that_tells_it(template: dict[str, Any]) -> None:
    pod = build(template)
    assert names(pod) == (["init", "tiphys-progress"], ["main"])
    main, teller = container(pod, "main"), container(pod, "tiphys-progress")
    assert main["command"][:2] == [SHIM, "--"]
    assert env(main)["ARGO_PROGRESS_FILE"] == "$(TIPHYS_MOUNT_TIPHYS_SHIM)/progress"
    assert (teller["command"], teller["restartPolicy"]) == ([SHIM, "progress", "3"], "Always")
    assert teller["volumeMounts"] == [{"name": "tiphys-shim", "mountPath": "/var/run/tiphys", "readOnly": True}]
    assert teller["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "finalizers" not in pod["metadata"]


@pytest.mark.spec("PROG-2")
def test_one_sidecar_tells_for_a_whole_set() -> None:
    one = {"image": "busybox", "command": ["sh", "-c", "echo 1/2 > $ARGO_PROGRESS_FILE"]}
    pod = build({"containerSet": {"containers": [{"name": "a", **one}, {"name": "b", **one}]}})
    assert names(pod) == (["init", "tiphys-progress"], ["a", "b"])
    assert told(pod, "init")["shims"] == ["a", "b"]


@pytest.mark.spec("PROG-2")
@pytest.mark.parametrize(("tick_s", "file_s"), [(0.0, 3.0), (60.0, 0.0)])
def test_where_progress_is_not_read_while_the_pod_runs_nobody_tells_it(tick_s: float, file_s: float) -> None:
    pod = build(SPEAKS, settings=replace(SETTINGS, progress_tick_s=tick_s, progress_file_s=file_s))
    assert names(pod) == (["init"], ["main"])
    assert "ARGO_PROGRESS_FILE" in env(container(pod, "main"))


@pytest.mark.spec("PROG-2")
def test_the_sidecar_is_as_the_installation_wishes_its_own_containers() -> None:
    wished = {"resources": {"limits": {"memory": "32Mi"}}, "args": ["--loglevel", "debug"]}
    pod = build(SPEAKS, settings=replace(SETTINGS, executor_container=wished, progress_file_s=0.5))
    teller = container(pod, "tiphys-progress")
    assert teller["resources"] == {"limits": {"memory": "32Mi"}}
    assert [*teller["command"], *teller.get("args", ())] == [SHIM, "progress", "0.5"]


def test_it_counts_among_those_that_share_the_room_for_reports() -> None:
    sidecars = [{"name": f"s{number}", "image": "busybox"} for number in range(30)]
    assert told(build(SPEAKS | {"sidecars": sidecars[:20]}), "main")["budget"] == 12288 // 23
    with pytest.raises(BadTemplate, match="33 containers in a pod"):
        build(SPEAKS | {"sidecars": sidecars})


# ------------------------------------------------------------------------------------------------ paused


@pytest.mark.parametrize("moments", [("BEFORE",), ("AFTER",), ("BEFORE", "AFTER")])
def test_a_container_that_is_to_be_paused_can_be_released_where_upstreams_is(moments: tuple[str, ...]) -> None:
    pod = build(paused(*moments))
    main = container(pod, "main")
    assert main["command"] == [SHIM, "--", "echo"]
    mounts = {entry["mountPath"]: entry["name"] for entry in main["volumeMounts"]}
    assert mounts == {"/var/run/tiphys": "tiphys-shim", "/var/run/argo": "tiphys-shim"}
    assert env(main)["TIPHYS_MOUNT_TIPHYS_SHIM"] == "/var/run/tiphys"
    assert env(main)[f"ARGO_DEBUG_PAUSE_{moments[0]}"] == "true"
    assert len({entry["name"] for entry in main["env"]}) == len(main["env"])


def test_a_paused_pod_has_no_deadline() -> None:
    template = paused("AFTER") | {"activeDeadlineSeconds": 10}
    assert "activeDeadlineSeconds" not in build(template, active_deadline_s=5)["spec"]
    assert build(HELLO | {"activeDeadlineSeconds": 10})["spec"]["activeDeadlineSeconds"] == 10


def test_a_switch_that_is_off_leaves_the_container_as_it_is() -> None:
    pod = build(paused("BEFORE", value="false") | {"activeDeadlineSeconds": 10})
    assert container(pod, "main")["command"] == ["echo"]
    assert pod["spec"]["activeDeadlineSeconds"] == 10


def test_a_switch_from_elsewhere_may_be_on() -> None:
    source = {"configMapKeyRef": {"name": "debug", "key": "pause"}}
    variable = {"name": "ARGO_DEBUG_PAUSE_BEFORE", "valueFrom": source}
    main = container(build({"container": HELLO["container"] | {"env": [variable]}}), "main")
    assert main["command"][:2] == [SHIM, "--"]


def test_what_a_user_mounts_where_we_would_stays() -> None:
    own = {"name": "work", "mountPath": "/var/run/argo"}
    template = {"container": paused("BEFORE")["container"] | {"volumeMounts": [own]}}
    main = container(build(template, {"volumes": [{"name": "work", "emptyDir": {}}]}), "main")
    assert [entry["name"] for entry in main["volumeMounts"]] == ["work", "tiphys-shim"]

"""A pod is what its template asks for, in the smallest shape that serves, under names that tools rely on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors.node.manifest import BadTemplate, PodSettings
from actors.node.manifest_request import Held
from runtime.objects import Object
from tests.pure.pods.asked import ARTIFACT, HELLO, PARAMETER, REPOSITORY, SETTINGS, build, container, env, names, told

# ------------------------------------------------------------------------------------------------ identity


def test_a_pod_says_whose_it_is() -> None:
    meta = build(HELLO, {"podGC": {"strategy": "OnPodSuccess"}}, on_exit=True, annotations={"x": "y"})["metadata"]
    assert (meta["name"], meta["namespace"]) == ("wf-t-123", "ns")
    assert meta["labels"] == {
        "workflows.argoproj.io/workflow": "wf",
        "workflows.argoproj.io/completed": "false",
        "workflows.argoproj.io/on-exit": "true",
    }
    assert meta["annotations"].pop("tiphys.io/nonce")
    assert meta["annotations"] == {
        "workflows.argoproj.io/node-id": "wf-123",
        "workflows.argoproj.io/node-name": "wf[0].step",
        "workflows.argoproj.io/pod-gc-strategy": "OnPodSuccess/5s",
        "kubectl.kubernetes.io/default-container": "main",
        "x": "y",
    }
    (owner,) = meta["ownerReferences"]
    assert owner == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "name": "wf",
        "uid": "uid-1",
        "controller": True,
        "blockOwnerDeletion": True,
    }


@pytest.mark.spec("POD-2")
def test_the_templates_metadata_wins_over_the_workflows() -> None:
    spec = {"podMetadata": {"labels": {"a": "spec", "b": "spec"}, "annotations": {"c": 1}}}
    meta = build(HELLO | {"metadata": {"labels": {"a": "template"}}}, spec)["metadata"]
    assert (meta["labels"]["a"], meta["labels"]["b"], meta["annotations"]["c"]) == ("template", "spec", "1")


@pytest.mark.spec("POD-2")
@pytest.mark.parametrize(("names", "shown"), [(["main", "b"], "main"), (["a", "b"], "b")])
def test_the_container_whose_log_is_shown_is_main_or_the_last_of_a_set_without_it(names: list[str], shown: str) -> None:
    key, containers = "kubectl.kubernetes.io/default-container", [{"name": name, "image": "x"} for name in names]
    group = {"name": "t", "containerSet": {"containers": containers}}
    assert build(group)["metadata"]["annotations"][key] == shown
    mine = group | {"metadata": {"annotations": {key: "a-sidecar"}}}
    assert build(mine)["metadata"]["annotations"][key] == "a-sidecar"


@pytest.mark.spec("PGC-4")
def test_only_pods_whose_outputs_are_wanted_have_the_finalizer() -> None:
    assert "finalizers" not in build(HELLO)["metadata"]
    for wanted in (
        build(HELLO, include_result=True),
        build(HELLO | PARAMETER),
        build(HELLO | ARTIFACT, repository=REPOSITORY),
    ):
        assert wanted["metadata"]["finalizers"] == ["workflows.argoproj.io/status"]


@pytest.mark.spec("PGC-4")
@pytest.mark.parametrize(
    ("held", "rule", "finalizer"),
    [
        ("uncollected", {}, True),
        ("uncollected", {"strategy": "OnPodSuccess"}, False),
        ("uncollected", {"strategy": "OnWorkflowCompletion"}, False),
        ("uncollected", {"strategy": "OnPodCompletion", "labelSelector": {"matchLabels": {"a": "b"}}}, False),
        ("uncollected", {"strategy": "OnPodCompletion", "labelSelector": {"matchLabels": {"a": "c"}}}, True),
        ("uncollected", {"deleteDelayDuration": "5s"}, True),
        ("always", {"strategy": "OnPodCompletion"}, True),
        ("never", {}, False),
    ],
)
def test_a_pod_that_podgc_collects_is_held_only_if_all_are(held: Held, rule: Object, *, finalizer: bool) -> None:
    spec = {"podGC": rule, "podMetadata": {"labels": {"a": "b"}}}
    pod = build(HELLO, spec, include_result=True, settings=replace(SETTINGS, held=held))
    assert ("finalizers" in pod["metadata"]) is finalizer


def test_a_nonce_is_the_pods_own_and_the_same_every_time() -> None:
    nonces = [
        build(HELLO, **more)["metadata"]["annotations"]["tiphys.io/nonce"]
        for more in ({}, {}, {"pod_name": "other"}, {"workflow_uid": "other"}, {"nonce": "given"})
    ]
    assert nonces[0] == nonces[1]
    assert len(set(nonces)) == 4
    assert nonces[4] == "given"


# ------------------------------------------------------------------------------------------------ shapes


def test_a_bare_pod_is_the_users_container() -> None:
    pod = build(HELLO)
    (main,) = pod["spec"]["containers"]
    assert (main["name"], main["image"], main["command"], main["args"]) == ("main", "busybox", ["echo"], ["hello"])
    assert pod["spec"].keys() == {"containers", "restartPolicy", "automountServiceAccountToken"}
    assert pod["spec"]["restartPolicy"] == "Never"
    assert env(main) == {
        "ARGO_CONTAINER_NAME": "main",
        "ARGO_NODE_ID": "wf-123",
        "ARGO_POD_NAME": "wf-t-123",
        "ARGO_WORKFLOW_NAME": "wf",
        "ARGO_WORKFLOW_UID": "uid-1",
        "ARGO_INCLUDE_SCRIPT_OUTPUT": "false",
        "ARGO_DEADLINE": "0001-01-01T00:00:00Z",
    }


def test_a_bare_pod_needs_no_command() -> None:
    assert "command" not in container(build({"container": {"image": "unknown"}}), "main")


def test_a_captured_container_runs_behind_the_shim() -> None:
    pod = build(HELLO | PARAMETER, include_result=True)
    assert names(pod) == (["init"], ["main"])
    main = container(pod, "main")
    assert main["command"] == ["$(TIPHYS_MOUNT_TIPHYS_SHIM)/shim", "--", "echo"]
    assert main["args"] == ["hello"]
    assert main["terminationMessagePath"] == "/var/run/tiphys/termination-main"
    assert env(main)["TIPHYS_MOUNT_TIPHYS_SHIM"] == "/var/run/tiphys"
    instructions = told(pod, "main")
    assert instructions["result"] is True
    assert instructions["parameters"] == [{"name": "p", "path": "/tmp/p", "default": "3"}]
    assert instructions["nonce"] == pod["metadata"]["annotations"]["tiphys.io/nonce"]
    assert instructions["user_message"] == "/dev/termination-log"
    assert told(pod, "init")["shims"] == ["main"]


@pytest.mark.spec("TMPL-14")
def test_an_unknown_entrypoint_is_an_error_with_the_remedy_only_when_it_is_needed() -> None:
    with pytest.raises(BadTemplate, match=r"'unknown'.*`command`"):
        build({"container": {"image": "unknown"}}, include_result=True)
    main = container(build({"container": {"image": "known"}}, include_result=True), "main")
    assert (main["command"][2:], main["args"]) == (["/entry"], ["cmd"])
    main = container(build({"container": {"image": "known", "args": ["own"]}}, include_result=True), "main")
    assert (main["command"][2:], main["args"]) == (["/entry"], ["own"])
    main = container(build({"container": {"image": "cmd-only"}}, include_result=True), "main")
    assert (main["command"][2:], main["args"]) == (["run"], ["x"])


def test_artifacts_need_init_and_wait() -> None:
    given = {"inputs": {"artifacts": [{"name": "i", "path": "/tmp/i", "s3": {"key": "k"}, "mode": 0o755}]}}
    pod = build(HELLO | ARTIFACT | given, repository=REPOSITORY)
    assert names(pod) == (["init"], ["wait", "main"])
    assert {"name": "input-artifacts", "mountPath": "/tmp/i", "subPath": "i"} in container(pod, "main")["volumeMounts"]
    (load,) = told(pod, "init")["inputs"]
    assert (load["place"], load["mode"]) == ("/argo/inputs/artifacts/i", 0o755)
    assert load["location"] == {"s3": {"endpoint": "file:///repo/here", "bucket": "b", "key": "k"}}
    (save,) = told(pod, "wait")["outputs"]
    assert save["location"]["s3"]["key"] == "wf/wf-t-123/a.tgz"
    (staged,) = told(pod, "main")["staged"]
    assert staged == {"name": "a", "path": "/tmp/a", "number": 0, "form": "tar", "level": -1}
    assert {v["name"]: v for v in pod["spec"]["volumes"]}["tiphys-repository"]["hostPath"]["path"] == "/repo"
    assert "tiphys-repository" not in [m["name"] for m in container(pod, "main")["volumeMounts"]]


def test_inputs_alone_need_no_wait_and_no_shim() -> None:
    pod = build(HELLO | {"inputs": {"artifacts": [{"name": "i", "path": "/tmp/i", "raw": {"data": "x"}}]}})
    assert names(pod) == (["init"], ["main"])
    assert container(pod, "main")["command"] == ["echo"]
    assert "finalizers" not in pod["metadata"]


@pytest.mark.spec("ART-1")
def test_artifacts_on_a_users_volume_are_handled_there() -> None:
    mounts = [{"name": "work", "mountPath": "/stuff"}]
    template = {
        "container": HELLO["container"] | {"volumeMounts": mounts},
        "inputs": {"artifacts": [{"name": "i", "path": "/stuff/i", "raw": {"data": "x"}}]},
        "outputs": {"artifacts": [{"name": "a", "path": "/stuff/a"}]},
    }
    pod = build(template, {"volumes": [{"name": "work", "emptyDir": {}}]}, repository=REPOSITORY)
    assert told(pod, "init")["inputs"][0]["place"] == "/mainctrfs/stuff/i"
    assert told(pod, "wait")["outputs"][0]["place"] == "/mainctrfs/stuff/a"
    assert told(pod, "main")["staged"] == []
    for name in ("init", "wait"):
        assert {"name": "work", "mountPath": "/mainctrfs/stuff"} in container(pod, name)["volumeMounts"]


@pytest.mark.parametrize(
    ("template", "repository", "words"),
    [
        (ARTIFACT, None, "artifactRepositoryRef"),
        (ARTIFACT, {"s3": {"endpoint": "file:///elsewhere", "bucket": "b"}}, "/elsewhere"),
        (ARTIFACT, {"s3": {"endpoint": "file:///repo/../etc", "bucket": "b"}}, "not a repository"),
        (ARTIFACT, {"hdfs": {"addresses": ["a"], "krbKeytabSecret": {"name": "s", "key": "k"}}}, "krbKeytabSecret"),
        (ARTIFACT, {"azure": {"container": "c"}}, "azure.endpoint"),
        (ARTIFACT, {"s3": {"bucket": "c"}}, "s3.endpoint"),
        (ARTIFACT, {"s3": {"endpoint": "e", "bucket": "c", "roleARN": "r"}}, "roleARN"),
        ({"inputs": {"artifacts": [{"name": "i", "path": "/i"}]}}, None, "no location"),
        ({"inputs": {"artifacts": [{"name": "i", "path": "/i", "git": {}}]}}, None, "git.repo"),
        (
            {"inputs": {"artifacts": [{"name": "i", "path": "/i", "git": {"repo": "x", "singleBranch": True}}]}},
            None,
            "branch",
        ),
        ({"outputs": {"artifacts": [{"name": "i", "path": "/i", "git": {"repo": "x"}}]}}, None, "only load"),
        ({"outputs": {"artifacts": [{"name": "a", "path": "", "s3": {"key": "k"}}]}}, REPOSITORY, "is empty"),
        ({"outputs": {"parameters": [{"name": "p", "valueFrom": {}}]}}, None, "valueFrom.path"),
        ({"volumes": [{"name": "tiphys-shim"}]}, None, "tiphys-shim"),
        ({"podSpecPatch": "{"}, None, "PodSpecPatch"),
        ({"podSpecPatch": "[1]"}, None, "PodSpecPatch"),
        ({"activeDeadlineSeconds": "{{x}}"}, None, "cannot be resolved to an int"),
        ({"container": {"command": ["x"]}}, None, "no image"),
        ({"container": None}, None, "no container"),
    ],
)
def test_what_cannot_be_is_refused_in_words(template: dict[str, Any], repository: Any, words: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        build(HELLO | template, repository=repository)
    assert words in str(caught.value)


@pytest.mark.spec("ART-14")
def test_archived_logs_need_the_shim_and_wait() -> None:
    pod = build(HELLO, {"archiveLogs": True}, repository=REPOSITORY)
    assert names(pod) == (["init"], ["wait", "main"])
    assert told(pod, "main")["keep_log"] is True
    assert told(pod, "wait")["logs"][0]["location"]["s3"]["key"] == "wf/wf-t-123/main.log"
    overruled = HELLO | {"archiveLocation": {"archiveLogs": False}}
    assert names(build(overruled, {"archiveLogs": True}, repository=REPOSITORY)) == ([], ["main"])
    assert names(build(overruled, repository=REPOSITORY | {"archiveLogs": True}))[1] == ["wait", "main"]


def test_the_frames_budget_shrinks_with_the_number_of_containers() -> None:
    settings = PodSettings(frame_bytes=4096)
    assert told(build(HELLO, include_result=True, settings=settings), "main")["budget"] == 4096
    sidecars = [{"name": f"s{i}", "image": "x"} for i in range(10)]
    assert told(build(HELLO | {"sidecars": sidecars}, include_result=True, settings=settings), "main")["budget"] == 1024
    with pytest.raises(BadTemplate, match="fewer containers"):
        build(HELLO | {"sidecars": [{"name": f"s{i}", "image": "x"} for i in range(40)]}, include_result=True)


# ------------------------------------------------------------------------------------------------ scripts


@pytest.mark.spec("SCR-1")
def test_a_scripts_source_is_a_file_behind_command_and_args() -> None:
    script = {"script": {"image": "python", "command": ["python3"], "args": ["-u"], "source": "print('$(HOME)')"}}
    pod = build(script)
    main = container(pod, "main")
    assert names(pod) == ([], ["main"])
    assert (main["command"], main["args"]) == (["python3"], ["-u", "$(TIPHYS_MOUNT_TIPHYS_SCRIPT)/script"])
    assert "source" not in main
    assert pod["metadata"]["annotations"]["tiphys.io/script-source"] == "print('$(HOME)')"
    (volume,) = pod["spec"]["volumes"]
    assert volume["downwardAPI"]["items"][0]["mode"] == 0o755
    captured = container(build(script, include_result=True), "main")
    assert captured["args"] == main["args"]
    assert captured["command"][2:] == ["python3"]


def test_an_empty_source_appends_nothing() -> None:
    main = container(build({"script": {"image": "x", "command": ["true"], "source": ""}}), "main")
    assert "args" not in main
    assert "volumeMounts" not in main


def test_a_source_too_large_for_an_annotation_is_written_by_init() -> None:
    source = "# $(x) 😀\n" * 30_000
    pod = build({"script": {"image": "x", "command": ["sh"], "source": source}})
    assert names(pod) == (["init"], ["main"])
    assert told(pod, "init")["source"] == source
    assert container(pod, "main")["args"] == ["$(TIPHYS_MOUNT_TIPHYS_SHIM)/source"]
    assert container(pod, "main")["command"] == ["sh"]


@pytest.mark.spec("PARAM-10")
def test_an_argument_too_long_for_a_command_line_is_a_file_that_init_writes() -> None:
    text = "é" * (64 << 10)
    pod = build({"container": {"image": "x", "command": ["curl"], "args": ["-d", text, text[1:], "-v"]}})
    assert names(pod) == (["init"], ["main"])
    assert told(pod, "init")["arguments"] == {"argument-main-1": text}
    main = container(pod, "main")
    assert main["command"] == ["curl"]
    assert main["args"] == ["-d", "@$(TIPHYS_MOUNT_TIPHYS_SHIM)/argument-main-1", text[1:], "-v"]
    assert [mount["name"] for mount in main["volumeMounts"]] == ["tiphys-shim"]
    captured = container(build({"container": {**main, "args": [text]}}, include_result=True), "main")
    assert captured["args"] == ["@$(TIPHYS_MOUNT_TIPHYS_SHIM)/argument-main-0"]


# ------------------------------------------------------------------------------------------------ several containers


@pytest.mark.spec("CSET-1", "CSET-3", "CSET-4", "CSET-6")
def test_a_container_set_runs_in_order_behind_the_shim() -> None:
    group = {
        "containerSet": {
            "volumeMounts": [{"name": "w", "mountPath": "/w"}],
            "retryStrategy": {"retries": 2, "duration": "1m"},
            "containers": [
                {"name": "a", "image": "x", "command": ["a"]},
                {"name": "main", "image": "x", "command": ["b"], "dependencies": ["a"]},
            ],
        },
        "volumes": [{"name": "w", "emptyDir": {}}],
    }
    pod = build(group | PARAMETER)
    assert names(pod) == (["init"], ["a", "main"])
    assert {"name": "w", "mountPath": "/w"} in container(pod, "a")["volumeMounts"]
    assert "dependencies" not in container(pod, "main")
    assert told(pod, "main")["after"] == ["a"]
    assert (told(pod, "a")["attempts"], told(pod, "a")["pause_s"]) == (2, 60.0)
    assert "parameters" not in told(pod, "a")
    lone = {"containerSet": {"containers": [{"name": "a", "image": "x", "command": ["a"]}]}}
    assert names(build(lone)) == ([], ["a"])
    with pytest.raises(BadTemplate, match="main"):
        build(lone | PARAMETER)


@pytest.mark.spec("SIDE-2", "SIDE-3")
def test_sidecars_are_native_and_come_after_the_users_init_containers() -> None:
    template = HELLO | {
        "container": HELLO["container"] | {"volumeMounts": [{"name": "w", "mountPath": "/w"}]},
        "sidecars": [{"name": "side", "image": "nginx", "mirrorVolumeMounts": True}],
        "initContainers": [{"name": "setup", "image": "x", "mirrorVolumeMounts": True}],
        "volumes": [{"name": "w", "emptyDir": {}}, {"name": "unused", "emptyDir": {}}],
        "inputs": {"artifacts": [{"name": "i", "path": "/i", "raw": {"data": ""}}]},
    }
    pod = build(template)
    assert names(pod) == (["init", "setup", "side"], ["main"])
    side = container(pod, "side")
    assert side["restartPolicy"] == "Always"
    assert "mirrorVolumeMounts" not in side
    assert [m["mountPath"] for m in side["volumeMounts"]] == ["/w", "/i"]
    for name in ("setup", "side", "main"):
        told = env(container(pod, name))
        assert (told["ARGO_CONTAINER_NAME"], told["ARGO_NODE_ID"]) == (name, "wf-123")
    assert [v["name"] for v in pod["spec"]["volumes"]] == ["w", "unused", "tiphys-shim", "input-artifacts"]

"""A pod is what its template asks for, in the smallest shape that serves, under names that tools rely on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.contract.instructions import from_env
from actors.node.manifest import BadTemplate, PodRequest, PodSettings, pod_for

REPOSITORY = {"s3": {"endpoint": "file:///repo/here", "bucket": "b"}}
SETTINGS = PodSettings(
    repository_root="/repo", image_entrypoints={"known": (["/entry"], ["cmd"]), "cmd-only": ([], ["run", "x"])}
)


def request(template: dict[str, Any], spec: dict[str, Any] | None = None, **more: Any) -> PodRequest:
    return PodRequest(
        **{
            "workflow_name": "wf",
            "namespace": "ns",
            "workflow_uid": "uid-1",
            "spec": spec or {},
            "template": {"name": "t", **template},
            "node_id": "wf-123",
            "node_name": "wf[0].step",
            "pod_name": "wf-t-123",
            "settings": SETTINGS,
            **more,
        }
    )


def build(template: dict[str, Any], spec: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return pod_for(request(template, spec, **more))


def container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    every = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
    return next(entry for entry in every if entry["name"] == name)


def names(pod: dict[str, Any]) -> tuple[list[str], list[str]]:
    return [c["name"] for c in pod["spec"].get("initContainers", ())], [c["name"] for c in pod["spec"]["containers"]]


def env(entry: dict[str, Any]) -> dict[str, Any]:
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in entry["env"]}


def told(pod: dict[str, Any], name: str) -> Any:
    return from_env({k: v for k, v in env(container(pod, name)).items() if isinstance(v, str)})


HELLO = {"container": {"image": "busybox", "command": ["echo"], "args": ["hello"]}}
PARAMETER = {"outputs": {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p", "default": 3}}]}}
ARTIFACT = {"outputs": {"artifacts": [{"name": "a", "path": "/tmp/a"}]}}

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
        "workflows.argoproj.io/pod-gc-strategy": "OnPodSuccess",
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


@pytest.mark.spec("PGC-4")
def test_only_pods_whose_outputs_are_wanted_have_the_finalizer() -> None:
    assert "finalizers" not in build(HELLO)["metadata"]
    for wanted in (
        build(HELLO, include_result=True),
        build(HELLO | PARAMETER),
        build(HELLO | ARTIFACT, repository=REPOSITORY),
    ):
        assert wanted["metadata"]["finalizers"] == ["workflows.argoproj.io/status"]


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
    mounts = [{"name": "work", "mountPath": "/work"}]
    template = {
        "container": HELLO["container"] | {"volumeMounts": mounts},
        "inputs": {"artifacts": [{"name": "i", "path": "/work/i", "raw": {"data": "x"}}]},
        "outputs": {"artifacts": [{"name": "a", "path": "/work/a"}]},
    }
    pod = build(template, {"volumes": [{"name": "work", "emptyDir": {}}]}, repository=REPOSITORY)
    assert told(pod, "init")["inputs"][0]["place"] == "/mainctrfs/work/i"
    assert told(pod, "wait")["outputs"][0]["place"] == "/mainctrfs/work/a"
    assert told(pod, "main")["staged"] == []
    for name in ("init", "wait"):
        assert {"name": "work", "mountPath": "/mainctrfs/work"} in container(pod, name)["volumeMounts"]


@pytest.mark.parametrize(
    ("template", "repository", "words"),
    [
        (ARTIFACT, None, "artifactRepositoryRef"),
        (ARTIFACT, {"s3": {"endpoint": "file:///elsewhere", "bucket": "b"}}, "/elsewhere"),
        (ARTIFACT, {"s3": {"endpoint": "file:///repo/../etc", "bucket": "b"}}, "not a repository"),
        (ARTIFACT, {"gcs": {"bucket": "b"}}, "gcs"),
        ({"inputs": {"artifacts": [{"name": "i", "path": "/i"}]}}, None, "no location"),
        ({"inputs": {"artifacts": [{"name": "i", "path": "/i", "git": {"repo": "x"}}]}}, None, "git"),
        ({"outputs": {"artifacts": [{"name": "a", "path": "a", "s3": {"key": "k"}}]}}, REPOSITORY, "absolute"),
        ({"outputs": {"parameters": [{"name": "p", "valueFrom": {}}]}}, None, "valueFrom.path"),
        ({"volumes": [{"name": "tiphys-shim"}]}, None, "tiphys-shim"),
        ({"podSpecPatch": "{"}, None, "podSpecPatch"),
        ({"podSpecPatch": "[1]"}, None, "a map"),
        ({"activeDeadlineSeconds": "{{x}}"}, None, "activeDeadlineSeconds"),
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
    assert [v["name"] for v in pod["spec"]["volumes"]] == ["w", "tiphys-shim", "input-artifacts"]


# ------------------------------------------------------------------------------------------------ the pod's fields


@pytest.mark.spec("POD-1")
def test_scheduling_is_the_templates_then_the_boundarys_then_the_workflows() -> None:
    spec = {
        "nodeSelector": {"a": "spec"},
        "tolerations": [{"key": "spec"}],
        "schedulerName": "spec",
        "hostNetwork": True,
    }
    boundary = {"nodeSelector": {"a": "boundary"}, "schedulerName": "boundary"}
    fields = build(HELLO, spec, boundary=boundary)["spec"]
    assert fields["nodeSelector"] == {"a": "boundary"}
    assert fields["tolerations"] == [{"key": "spec"}]
    assert (fields["schedulerName"], fields["hostNetwork"]) == ("spec", True)
    fields = build(HELLO | {"nodeSelector": {"a": "template"}}, spec, boundary=boundary)["spec"]
    assert fields["nodeSelector"] == {"a": "template"}


@pytest.mark.spec("POD-4", "POD-5", "POD-8")
def test_other_fields_are_copied() -> None:
    spec = {
        "podPriorityClassName": "p",
        "podResources": {"limits": {"cpu": "1"}},
        "resourceClaims": [{"name": "c"}],
        "dnsConfig": {"nameservers": ["1.1.1.1"]},
        "imagePullSecrets": [{"name": "s"}],
        "securityContext": {"runAsUser": 1},
        "hostAliases": [{"ip": "1.1.1.1"}],
    }
    fields = build(HELLO | {"podResources": {"limits": {"cpu": "2"}}}, spec)["spec"]
    assert fields["priorityClassName"] == "p"
    assert fields["resources"] == {"limits": {"cpu": "2"}}
    for key in ("resourceClaims", "dnsConfig", "imagePullSecrets", "securityContext", "hostAliases"):
        assert fields[key] == spec[key]


@pytest.mark.spec("TMO-2")
def test_the_deadline_is_the_requests_then_the_templates() -> None:
    assert build(HELLO | {"activeDeadlineSeconds": "7"})["spec"]["activeDeadlineSeconds"] == 7
    assert build(HELLO | {"activeDeadlineSeconds": 7}, active_deadline_s=3)["spec"]["activeDeadlineSeconds"] == 3


def test_a_token_is_there_when_asked_for() -> None:
    def automount(template: dict[str, Any], spec: dict[str, Any], policy: str = "named") -> Any:
        settings = PodSettings(main_token=policy)  # type: ignore[arg-type]
        return build(HELLO | template, spec, settings=settings)["spec"].get("automountServiceAccountToken")

    assert automount({}, {}) is False
    assert automount({}, {"serviceAccountName": "s"}) is None
    assert automount({}, {"automountServiceAccountToken": True}) is True
    assert automount({"automountServiceAccountToken": False}, {"serviceAccountName": "s"}) is False
    assert automount({}, {}, "always") is None
    assert automount({}, {"automountServiceAccountToken": True}, "never") is False


@pytest.mark.spec("RTY-10")
def test_hosts_of_earlier_attempts_are_excluded_in_every_term() -> None:
    fields = build(HELLO, avoid_hosts=("h2", "h1", "h1"))["spec"]
    away = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["h1", "h2"]}
    required = fields["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["nodeSelectorTerms"] == [{"matchExpressions": [away]}]
    terms = [{"matchExpressions": [{"key": "a"}]}, {"matchFields": []}]
    own = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}},
        "podAffinity": {},
    }
    merged = build(HELLO | {"affinity": own}, avoid_hosts=("h1",))["spec"]["affinity"]
    found = merged["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [term["matchExpressions"][-1]["key"] for term in found] == ["kubernetes.io/hostname"] * 2
    assert "podAffinity" in merged


@pytest.mark.spec("VOL-1")
def test_volumes_come_along_when_they_are_mounted() -> None:
    template = {"container": HELLO["container"] | {"volumeMounts": [{"name": n, "mountPath": f"/{n}"} for n in "ac"]}}
    spec = {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]}
    pod = build(template, spec, claims=[("c", "wf-c")])
    assert pod["spec"]["volumes"] == [
        {"name": "a", "emptyDir": {}},
        {"name": "c", "persistentVolumeClaim": {"claimName": "wf-c"}},
    ]


@pytest.mark.spec("POD-6")
def test_the_installations_container_defaults_lie_under_the_users() -> None:
    settings = PodSettings(
        main_container={"imagePullPolicy": "Always", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}
    )
    own = {"container": HELLO["container"] | {"env": [{"name": "B", "value": "2"}]}}
    main = container(build(own, settings=settings), "main")
    assert main["imagePullPolicy"] == "Always"
    assert (env(main)["A"], env(main)["B"]) == ("1", "2")


def test_a_users_variable_wins_over_ours_and_may_refer_to_it() -> None:
    own = [{"name": "ARGO_NODE_ID", "value": "mine"}, {"name": "X", "value": "$(ARGO_WORKFLOW_NAME)"}]
    main = container(build({"container": HELLO["container"] | {"env": own}}), "main")
    assert main["env"][-2:] == own
    assert [entry["name"] for entry in main["env"]].count("ARGO_NODE_ID") == 1


# ------------------------------------------------------------------------------------------------ podSpecPatch


@pytest.mark.spec("POD-3")
def test_the_patch_has_the_last_word_the_templates_after_the_workflows() -> None:
    containers = "containers: [{name: main, image: spec, env: [{name: X, value: y}]}]"
    spec = {"podSpecPatch": f"terminationGracePeriodSeconds: 1\n{containers}"}
    patch = {"containers": [{"name": "main", "image": "template"}], "activeDeadlineSeconds": None}
    pod = build(HELLO | {"podSpecPatch": json.dumps(patch), "activeDeadlineSeconds": 5}, spec)
    main = container(pod, "main")
    assert (main["image"], main["command"], env(main)["X"]) == ("template", ["echo"], "y")
    assert "ARGO_NODE_ID" in env(main)
    assert pod["spec"]["terminationGracePeriodSeconds"] == 1
    assert "activeDeadlineSeconds" not in pod["spec"]


def test_a_patch_reaches_wait_and_adds_containers() -> None:
    patch = "containers: [{name: wait, resources: {limits: {cpu: 1}}}, {name: more, image: x}]"
    pod = build(HELLO | ARTIFACT | {"podSpecPatch": patch}, repository=REPOSITORY)
    assert names(pod)[1] == ["wait", "main", "more"]
    assert container(pod, "wait")["resources"] == {"limits": {"cpu": 1}}
    assert container(pod, "wait")["command"][-1] == "wait"


# ------------------------------------------------------------------------------------------------ resource


@pytest.mark.spec("RES-1", "RES-5")
def test_a_resource_template_runs_our_program_with_a_token_of_its_own() -> None:
    section = {
        "action": "create",
        "manifest": "kind: ConfigMap $(X)",
        "setOwnerReference": True,
        "successCondition": "a > 1",
    }
    outputs = {"parameters": [{"name": "p", "valueFrom": {"jsonPath": "{.metadata.name}"}}]}
    pod = build({"resource": section, "outputs": outputs}, {"serviceAccountName": "robot"})
    assert names(pod) == ([], ["main"])
    main = container(pod, "main")
    assert main["command"][-2:] == ["resource", "create"]
    order = told(pod, "main")["resource"]
    assert order["manifest"] == "kind: ConfigMap $(X)"
    assert order["owner"] == {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "wf", "uid": "uid-1"}
    assert told(pod, "main")["parameters"] == [{"name": "p", "jsonPath": "{.metadata.name}"}]
    assert pod["spec"]["serviceAccountName"] == "robot"
    assert {
        "name": "tiphys-token",
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
        "readOnly": True,
    } in main["volumeMounts"]
    assert pod["metadata"]["finalizers"]


@pytest.mark.spec("RES-2")
def test_a_manifest_from_an_artifact_is_loaded_by_init() -> None:
    section = {"action": "apply", "manifestFrom": {"artifact": {"name": "m"}}}
    inputs = {"artifacts": [{"name": "m", "path": "/tmp/m", "raw": {"data": "kind: ConfigMap"}}]}
    pod = build({"resource": section, "inputs": inputs})
    places = [entry["place"] for entry in told(pod, "init")["inputs"]]
    assert "/var/run/tiphys/manifest.yaml" in places
    assert told(pod, "main")["resource"]["manifestFile"] == "manifest.yaml"


@pytest.mark.spec("RES-10")
@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"action": "dance", "manifest": "x"}, "dance"),
        ({"action": "get"}, "manifest"),
        ({"action": "patch", "manifest": "x", "mergeStrategy": "y"}, "mergeStrategy"),
        ({"action": "delete", "manifest": "x", "successCondition": "a"}, "delete"),
    ],
)
def test_a_resource_that_cannot_be_is_refused(section: dict[str, Any], words: str) -> None:
    with pytest.raises(BadTemplate, match=words):
        build({"resource": section})

"""What a pod takes from workflow, enclosing template and template, and what a patch may still change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.node.manifest import BadTemplate, PodSettings
from tests.pure.pods.asked import ARTIFACT, HELLO, PARAMETER, REPOSITORY, build, container, env, names, told

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
@pytest.mark.spec("PRI-2")
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


@pytest.mark.spec("OPS-8", "OPS-9")
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
    patched = build(HELLO | {"podSpecPatch": json.dumps({"affinity": own})}, avoid_hosts=("h1",))["spec"]["affinity"]
    assert patched == merged


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


@pytest.mark.spec("POD-3")
@pytest.mark.parametrize("patch", ["containers: foo", "containers: [foo]", "initContainers: {a: b}", "- a", "a: ["])
def test_of_a_patch_that_cannot_be_applied_only_that_is_said(patch: str) -> None:
    for template, spec in ((HELLO | {"podSpecPatch": patch}, {}), (HELLO, {"podSpecPatch": patch})):
        with pytest.raises(BadTemplate, match=r"^Error applying PodSpecPatch$"):
            build(template, spec)


@pytest.mark.spec("POD-3")
@pytest.mark.spec("SIDE-1")
def test_a_patch_of_a_container_that_is_a_sidecar_reaches_it() -> None:
    template = HELLO | {"sidecars": [{"name": "side", "image": "nginx"}]}
    patch = "containers: [{name: side, resources: {limits: {cpu: 1}}}, {name: main, tty: true}]"
    pod = build(template | {"podSpecPatch": patch})
    assert names(pod) == (["side"], ["main"])
    side = container(pod, "side")
    assert (side["image"], side["resources"], side["restartPolicy"]) == ("nginx", {"limits": {"cpu": 1}}, "Always")
    assert container(pod, "main")["tty"] is True
    alone = build(template | {"podSpecPatch": "containers: [{name: side, tty: true}]"})
    assert names(alone) == (["side"], ["main"])
    assert container(alone, "side")["tty"] is True


def test_a_patch_reaches_wait_and_adds_containers() -> None:
    patch = "containers: [{name: wait, resources: {limits: {cpu: 1}}}, {name: more, image: x}]"
    pod = build(HELLO | ARTIFACT | {"podSpecPatch": patch}, repository=REPOSITORY)
    assert names(pod)[1] == ["wait", "more", "main"]
    assert container(pod, "wait")["resources"] == {"limits": {"cpu": 1}}
    assert container(pod, "wait")["command"][-1] == "wait"


@pytest.mark.spec("POD-3")
def test_a_patch_for_the_executors_containers_is_for_pods_that_have_them() -> None:
    limits = {"resources": {"limits": {"cpu": "101m"}}}
    patch = json.dumps(
        {
            "containers": [{"name": "main", "tty": True}, {"name": "wait", **limits}, {"name": "mine", "image": "i"}],
            "initContainers": [{"name": "init", **limits}],
        }
    )

    bare = build(HELLO | {"podSpecPatch": patch})["spec"]
    full = build(HELLO | ARTIFACT | {"podSpecPatch": patch}, repository=REPOSITORY)["spec"]

    assert ([one["name"] for one in bare["containers"]], "initContainers" in bare) == (["main", "mine"], False)
    waiting = next(one for one in full["containers"] if one["name"] == "wait")
    assert waiting["resources"]["limits"]["cpu"] == "101m"
    assert next(one for one in full["initContainers"] if one["name"] == "init")["resources"]["limits"]["cpu"] == "101m"


# ------------------------------------------------------------------------------------------------ resource


@pytest.mark.spec("RES-1", "RES-5", "RES-12")
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


@pytest.mark.spec("RES-1")
def test_a_resource_with_an_action_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadTemplate, match="dance"):
        build({"resource": {"action": "dance", "manifest": "x"}})


def test_secrets_of_artifacts_are_mounted_into_init_and_wait_alone() -> None:
    """Only the keys that are named, only where a store needs them, never in the user's container."""
    secret = {"name": "minio.creds", "key": "access"}
    store = {"endpoint": "minio:9000", "bucket": "b", "accessKeySecret": secret}
    store["secretKeySecret"] = {**secret, "key": "secret"}
    ssh = {"name": "git", "key": "ssh", "optional": True}
    source = {"name": "src", "path": "/src", "git": {"repo": "x", "sshPrivateKeySecret": ssh}}
    pod = build(HELLO | ARTIFACT | {"inputs": {"artifacts": [source]}}, repository={"s3": store})
    by_secret = {v["secret"]["secretName"]: v for v in pod["spec"]["volumes"] if "secret" in v}
    assert by_secret["minio.creds"]["secret"]["items"] == [
        {"key": "access", "path": "access"},
        {"key": "secret", "path": "secret"},
    ]
    assert by_secret["git"]["secret"]["optional"] is True
    mounted = {
        name: {entry["name"] for entry in container(pod, name)["volumeMounts"]}
        & {v["name"] for v in by_secret.values()}
        for name in ("init", "wait", "main")
    }
    assert mounted["init"] == {by_secret["git"]["name"]}
    assert mounted["wait"] == {by_secret["minio.creds"]["name"]}
    assert mounted["main"] == set()
    assert all(len(volume["name"]) <= 63 for volume in by_secret.values())


@pytest.mark.spec("PARAM-4", "PARAM-5")
@pytest.mark.parametrize(
    ("default", "text"), [("a\n\n", "a\n"), ("\n", ""), (True, "true"), (1.0, "1"), (1500000, "1500000")]
)
def test_a_default_is_a_text_less_one_newline_as_what_is_written_is(default: Any, text: str) -> None:
    outputs = {"parameters": [{"name": "p", "valueFrom": {"path": "/tmp/p", "default": default}}]}
    pod = build({"container": {"image": "i", "command": ["c"]}, "outputs": outputs})
    assert told(pod, "main")["parameters"] == [{"name": "p", "path": "/tmp/p", "default": text}]


@pytest.mark.spec("RES-9")
def test_the_default_of_a_resources_output_is_a_text() -> None:
    outputs = {"parameters": [{"name": "p", "valueFrom": {"jsonPath": "{.x}", "default": False}}]}
    pod = build({"resource": {"action": "get", "manifest": "x"}, "outputs": outputs})
    assert told(pod, "main")["parameters"] == [{"name": "p", "jsonPath": "{.x}", "default": "false"}]


@pytest.mark.spec("DATA-3")
def test_a_data_template_is_our_program_alone() -> None:
    data = {"source": {"artifactPaths": {"name": "b", "s3": {}}}, "transformation": [{"expression": "data"}]}
    pod = build({"data": data}, repository=REPOSITORY)
    assert names(pod) == ([], ["main"])
    assert container(pod, "main")["command"][-1] == "data"
    assert told(pod, "main")["transformation"] == ["data"]
    assert pod["metadata"]["finalizers"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"data": {"source": {}}}, "artifactPaths"),
        ({"data": {"source": {"artifactPaths": {"name": "x", "http": {"url": "http://x"}}}}}, "cannot list"),
        ({"data": {"source": {"artifactPaths": {"name": "x"}}}}, "no location"),
        ({"data": {"source": {"artifactPaths": {"s3": {}}}, "transformation": [{}]}}, "needs an expression"),
        ({"data": {"source": {"artifactPaths": {"s3": {}}}}} | PARAMETER, "is its result"),
    ],
)
def test_a_data_template_that_cannot_be_is_refused_in_words(template: dict[str, Any], words: str) -> None:
    with pytest.raises(BadTemplate, match=words):
        build(template, repository=REPOSITORY)


@pytest.mark.spec("OPS-8", "OPS-9", "OPS-10", "KIND-7")
def test_our_own_containers_need_neither_rights_nor_privileges() -> None:
    template = {
        "outputs": {
            "parameters": [{"name": "p", "valueFrom": {"path": "/p"}}],
            "artifacts": [{"name": "a", "path": "/a"}],
        }
    }
    spec = build(HELLO | template, repository={"s3": {"endpoint": "e", "bucket": "b"}})["spec"]
    (init,), wait = spec["initContainers"], spec["containers"][0]
    assert (init["name"], wait["name"]) == ("init", "wait")
    for ours in (init, wait):
        assert ours["securityContext"]["allowPrivilegeEscalation"] is False
        assert ours["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert ours["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert "kubernetes.io/serviceaccount" not in str(ours["volumeMounts"])
    assert spec["automountServiceAccountToken"] is False
    assert "tiphys-token" not in [volume["name"] for volume in spec["volumes"]]


@pytest.mark.spec("OPS-10")
def test_an_installation_may_ask_more_of_our_own_containers() -> None:
    settings = PodSettings(executor_container={"securityContext": {"runAsNonRoot": True, "seccompProfile": None}})
    template = {"outputs": {"parameters": [{"name": "p", "valueFrom": {"path": "/p"}}]}}
    (init,) = build(HELLO | template, settings=settings)["spec"]["initContainers"]
    assert init["securityContext"]["runAsNonRoot"] is True
    assert init["securityContext"]["allowPrivilegeEscalation"] is False

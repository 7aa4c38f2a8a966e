"""Where templates come from and what is laid under them: references, snapshots, defaults, metadata, claims, pod GC."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from runtime.objects import CLAIMS, CONFIGMAPS, NAMESPACES, PODS, Object, reference
from tests.world.flows import FAIL, arguments_of, flow, named, nodes, phases, run, table
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time


async def library(here: World, name: str, spec: str, *, cluster: bool = False) -> None:
    """Create a (cluster) workflow template."""
    kind = "ClusterWorkflowTemplate" if cluster else "WorkflowTemplate"
    meta = {"name": name} | ({} if cluster else {"namespace": "default"})
    thing: Object = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": meta, "spec": yaml.safe_load(spec)}
    await here.api.create(here.cluster_templates if cluster else here.templates, thing)


LIBRARY = """
podMetadata: {labels: {from: library}}
templates:
- name: say
  inputs: {parameters: [{name: x, default: lib}]}
  steps: [[{name: in, template: leaf, arguments: {parameters: [{name: m, value: "{{inputs.parameters.x}}"}]}}]]
- name: leaf
  inputs: {parameters: [{name: m}]}
  container: {image: lib, command: [lib], args: ["{{inputs.parameters.m}}"]}
"""


@pytest.mark.spec("KIND-2")
@pytest.mark.spec("KIND-3")
@pytest.mark.spec("WFT-1")
@pytest.mark.parametrize("cluster", [False, True])
async def test_a_referenced_template_looks_its_names_up_where_it_stands(cluster: bool) -> None:
    text = flow(f"""
  - name: main
    steps: [[{{name: a, templateRef: {{name: lib, template: say, clusterScope: {str(cluster).lower()}}}}}]]
""")
    async with world(table()) as here:
        await library(here, "lib", LIBRARY, cluster=cluster)
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)
        (pod,) = (await here.api.list(PODS)).items

    scope = "cluster/lib" if cluster else "namespaced/lib"
    found = named(done)
    assert pod["spec"]["containers"][0]["image"] == "lib"
    assert found["w[0].a"]["templateRef"]["name"] == "lib"
    assert "templateName" not in found["w[0].a"]
    assert found["w[0].a"]["templateScope"] == "local/w"
    assert found["w[0].a[0].in"]["templateName"] == "leaf"
    assert found["w[0].a[0].in"]["templateScope"] == scope
    assert set(done["status"]["storedTemplates"]) == {f"{scope}/say", f"{scope}/leaf"}


IN_PLACE = """
templates:
- name: say
  dag:
    tasks:
    - name: a
      inline: {steps: [[{name: b, template: leaf}, {name: c, inline: {container: {image: in, command: [c]}}}]]}
- {name: leaf, container: {image: lib, command: [c]}}
- {name: other, container: {image: lib, command: [c]}}
"""


@pytest.mark.spec("WFT-1")
async def test_what_a_referenced_template_has_written_in_place_is_stored_under_its_caller() -> None:
    async with world(table()) as here:
        await library(here, "lib", IN_PLACE)
        own = "{name: own, inline: {suspend: {duration: 1s}}}"
        steps = f"steps: [[{{name: s, templateRef: {{name: lib, template: say}}}}, {own}]]"
        ref = await here.submit(flow(f"  - name: main\n    {steps}\n"))
        await here.end_of(ref)
        done = await here.at_rest(ref)
        images = sorted(pod["spec"]["containers"][0]["image"] for pod in (await here.api.list(PODS)).items)

    stored = done["status"]["storedTemplates"]
    assert images == ["in", "lib"]
    assert set(stored) == {f"namespaced/lib/{name}" for name in ("say", "leaf", "inline/a", "inline/c")}
    assert stored["namespaced/lib/inline/c"]["container"]["image"] == "in"
    assert nodes(done)["b"]["templateScope"] == "namespaced/lib"


WHOLE = """
entrypoint: main
arguments: {parameters: [{name: a, value: library}, {name: b, value: library}]}
onExit: main
templates:
- {name: main, container: {image: lib, command: [c], args: ["{{workflow.parameters.a}}", "{{workflow.parameters.b}}"]}}
- {name: other, container: {image: lib, command: [c], args: ["other"]}}
"""


@pytest.mark.spec("WFT-2")
@pytest.mark.spec("WFT-3")
async def test_a_workflows_own_fields_win_over_those_of_the_template_it_is_made_of() -> None:
    seen: dict[str, list[str]] = {}
    text = "spec: {workflowTemplateRef: {name: lib}, arguments: {parameters: [{name: b, value: mine}]}, onExit: other}"
    async with world(arguments_of(seen)) as here:
        await library(here, "lib", WHOLE)
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert seen == {"w": ["library", "mine"], "w.onExit": ["other"]}
    assert done["metadata"]["labels"]["workflows.argoproj.io/workflow-template"] == "lib"
    assert done["status"]["storedWorkflowTemplateSpec"]["entrypoint"] == "main"
    assert done["status"]["storedWorkflowTemplateSpec"]["onExit"] == "other"
    assert set(done["status"]["storedTemplates"]) == {"namespaced/lib/main", "namespaced/lib/other"}
    assert {node["templateScope"] for node in named(done).values()} == {"local/"}


@pytest.mark.spec("WFT-2")
async def test_an_empty_field_of_the_workflow_says_nothing_against_its_template() -> None:
    async with world(table()) as here:
        await library(here, "lib", WHOLE + "serviceAccountName: librarian\nonExit: other\n")
        text = "spec: {workflowTemplateRef: {name: lib}, entrypoint: '', serviceAccountName: '', onExit: ''}"
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert phases(done) == {"w": "Succeeded", "w.onExit": "Succeeded"}
    assert done["status"]["storedWorkflowTemplateSpec"]["serviceAccountName"] == "librarian"


@pytest.mark.spec("WFT-1")
@pytest.mark.spec("WFT-2")
async def test_what_was_referred_to_first_is_what_runs_whatever_becomes_of_it() -> None:
    seen: dict[str, list[str]] = {}
    text = flow("""
  - name: main
    steps: [[{name: a, templateRef: {name: lib, template: say}}], [{name: b, templateRef: {name: lib, template: say}}]]
""")
    async with world(arguments_of(seen, table(**{"in": Outcome(delay_s=20)})), deaths_every_s=7.0) as here:
        await library(here, "lib", LIBRARY)
        ref = await here.submit(text)
        await here.after(5)
        (thing,) = (await here.api.list(here.templates)).items
        thing["spec"]["templates"][1]["container"]["args"] = ["changed"]
        await here.api.replace(here.templates, thing)
        await here.end_of(ref)

    assert list(seen.values()) == [["lib"], ["lib"]]


@pytest.mark.spec("WFT-5")
async def test_a_reference_to_nothing_ends_the_workflow_with_its_name() -> None:
    text = flow("  - name: main\n    steps: [[{name: a, templateRef: {name: nowhere, template: t}}]]\n")
    done = await run(text)

    assert done["status"]["phase"] in {"Failed", "Error"}
    assert "nowhere" in done["status"]["message"]


@pytest.mark.spec("TDEF-1")
async def test_defaults_lie_under_templates_of_their_own_type() -> None:
    text = flow("""
  - {name: bare, container: {command: [echo]}}
  - name: main
    steps: [[{name: a, template: bare}, {name: b, template: leaf}]]
""", templateDefaults="{retryStrategy: {limit: 0}, container: {image: default}}")  # fmt: skip
    async with world(table()) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)
        images = {pod["spec"]["containers"][0]["image"] for pod in (await here.api.list(PODS)).items}

    assert images == {"default", "busybox"}
    assert {entry["type"] for name, entry in named(done).items() if name in {"w", "w(0)[0].a"}} == {"Retry"}


@pytest.mark.spec("WMETA-1")
async def test_a_workflow_may_label_itself() -> None:
    text = flow("  - {name: main, container: {image: b, command: [c], args: ['{{workflow.labels.made}}']}}\n",
                workflowMetadata="{labels: {a: b}, annotations: {c: d}, labelsFrom: {made: {expression: 'workflow.name + \"-x\"'}}}")  # noqa: E501  # fmt: skip
    seen: dict[str, list[str]] = {}
    done = await run(text, arguments_of(seen))

    assert done["metadata"]["labels"]["a"] == "b"
    assert done["metadata"]["labels"]["made"] == "w-x"
    assert done["metadata"]["annotations"]["c"] == "d"
    assert seen == {"w": ["w-x"]}


@pytest.mark.spec("WMETA-1")
async def test_a_computed_label_may_be_made_of_those_that_are_written() -> None:
    own = """{labels: {tier: gold}, annotations: {team: ours},
      labelsFrom: {made: {expression: 'workflow.labels.tier + "-" + workflow.annotations.team'}}}"""
    text = flow("  - {name: main, container: {image: b, command: [c]}}\n", workflowMetadata=own)
    done = await run(text)

    assert (done["status"].get("message"), done["metadata"]["labels"].get("made")) == (None, "gold-ours")


@pytest.mark.spec("WMETA-1")
async def test_what_a_workflow_labels_itself_with_its_own_spec_may_name() -> None:
    text = flow("  - {name: main, container: {image: b, command: [c]}}\n",
                workflowMetadata="{labels: {tier: gold}, annotations: {team: '{{workflow.name}}s'}, labelsFrom: {made: {expression: 'workflow.name + \"-x\"'}}}",  # noqa: E501
                podMetadata="{labels: {tier: '{{workflow.labels.tier}}', made: '{{workflow.labels.made}}',"
                            " both: '{{=workflow.labels.tier + workflow.name}}'},"
                            " annotations: {team: '{{workflow.annotations.team}}'}}")  # fmt: skip
    async with world(table()) as here:
        done = await here.end_of(await here.submit("metadata: {labels: {made: before, tier: tin}}\n" + text))
        (pod,) = (await here.api.list(PODS)).items

    assert done["status"]["phase"] == "Succeeded"
    assert {key: pod["metadata"]["labels"][key] for key in ("tier", "made", "both")} == {
        "tier": "gold", "made": "w-x", "both": "goldw",
    }  # fmt: skip
    assert pod["metadata"]["annotations"]["team"] == "ws"


@pytest.mark.spec("TMPL-11")
async def test_a_template_may_be_written_in_place() -> None:
    done = await run(flow("""
  - name: main
    dag: {tasks: [{name: A, inline: {container: {image: busybox, command: [echo]}}}]}
"""))  # fmt: skip

    assert named(done)["w.A"]["type"] == "Pod"
    assert "templateName" not in named(done)["w.A"]


@pytest.mark.spec("TMPL-2")
@pytest.mark.spec("PARAM-11")
async def test_a_script_is_a_pod_whose_outputs_are_there_when_it_has_succeeded() -> None:
    done = await run(flow("  - name: main\n    steps: [[{name: a, template: make}]]\n"),
                     table(a=Outcome(parameters={"p": "v"})))  # fmt: skip

    assert nodes(done)["a"]["type"] == "Pod"
    assert nodes(done)["a"]["outputs"]["parameters"][0]["value"] == "v"


@pytest.mark.spec("TMPL-5")
@pytest.mark.spec("CSET-5")
@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (3, "Failed")])
async def test_the_containers_of_a_set_are_nodes_below_their_pod(code: int, phase: str) -> None:
    done = await run(flow("""
  - name: main
    containerSet:
      containers:
      - {name: one, image: busybox, command: [sh]}
      - {name: two, image: busybox, command: [sh], dependencies: [one]}
"""), table(w=Outcome(code=code)))  # fmt: skip

    found = named(done)
    assert (found["w"]["type"], found["w"]["phase"]) == ("Pod", phase)
    assert found["w"]["children"] == [found["w.one"]["id"]]
    assert found["w.one"]["children"] == [found["w.two"]["id"]]
    assert {found[name]["boundaryID"] for name in ("w.one", "w.two")} == {"w"}
    assert {found[name]["phase"] for name in ("w.one", "w.two")} == {phase}
    assert done["status"]["progress"] == ("3/3" if code == 0 else "0/3")


@pytest.mark.spec("CSET-5")
@pytest.mark.parametrize(
    ("vanishes", "phase", "message"),
    [(True, "Error", "container deleted"), (False, "Failed", "Step exceeded its deadline")],
)
async def test_containers_of_a_set_end_with_their_pod(vanishes: bool, phase: str, message: str) -> None:
    template = "  - {name: main, containerSet: {containers: [{name: one, image: b, command: [c]}]}}\n"
    outcome = Outcome(vanishes=vanishes, delay_s=10 if vanishes else 99)
    done = await run(flow(template, activeDeadlineSeconds=20), table(w=outcome))

    assert (named(done)["w.one"]["phase"], named(done)["w.one"]["message"]) == (phase, message)
    assert done["status"]["phase"] == phase


@pytest.mark.spec("CSET-2")
async def test_a_container_that_fails_ends_those_of_its_set_that_still_run() -> None:
    one, two = ({"name": name, "image": "b", "command": ["c"]} for name in ("one", "two"))
    text = flow(f"  - {{name: main, containerSet: {{containers: {json.dumps([two, one])}}}}}\n")
    async with world(table(w=Outcome(delay_s=3000))) as here:
        ref = await here.submit(text)
        await here.after(5)
        (pod,) = (await here.api.list(PODS)).items
        pod["status"]["containerStatuses"][1]["state"] = {"terminated": {"exitCode": 3, "reason": "Error"}}
        await here.api.patch(reference(PODS, pod), {"status": pod["status"]}, subresource="status")
        done = await here.end_of(ref)

    found = named(done)
    assert (found["w"]["phase"], found["w"]["message"]) == ("Failed", "one: Error (exit code 3)")
    assert (found["w.one"]["phase"], found["w.two"]["phase"]) == ("Failed", "Failed")
    assert found["w.two"]["message"] == "Pod Failed whilst container running"
    assert done["status"]["finishedAt"] < "2026-01-01T00:00:10Z"


@pytest.mark.spec("VOL-2")
@pytest.mark.spec("VOL-3")
@pytest.mark.spec("VOL-4")
@pytest.mark.parametrize(
    ("outcome", "rule", "kept"),
    [(Outcome(), "", False), (FAIL, "", True), (FAIL, "OnWorkflowCompletion", False)],
)
async def test_claims_are_made_before_and_deleted_after(outcome: Outcome, rule: str, kept: bool) -> None:
    gc: dict[str, object] = {"volumeClaimGC": f"{{strategy: {rule}}}"} if rule else {}
    spec = "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"
    claims_wanted = f"[{{metadata: {{name: work}}, spec: {spec}}}]"
    text = flow("  - {name: main, container: {image: b, command: [c], volumeMounts: [{name: work, mountPath: /w}]}}\n",
                volumeClaimTemplates=claims_wanted, **gc)  # fmt: skip
    async with world(table(w=outcome)) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)
        (pod,) = (await here.api.list(PODS)).items
        claims = [claim["metadata"]["name"] for claim in (await here.api.list(CLAIMS)).items]

    assert {"name": "work", "persistentVolumeClaim": {"claimName": "w-work"}} in pod["spec"]["volumes"]
    assert claims == (["w-work"] if kept else [])
    assert bool(done["status"].get("persistentVolumeClaims")) is kept


@pytest.mark.spec("VOL-2")
@pytest.mark.parametrize("own", [True, False])
async def test_a_claim_that_is_there_is_used_if_it_is_the_workflows_and_never_if_it_is_not(own: bool) -> None:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims_wanted = json.dumps([{"metadata": {"name": "work"}, "spec": asked}])
    text = flow("  - {name: main, container: {image: b, command: [c], volumeMounts: [{name: work, mountPath: /w}]}}\n",
                volumeClaimTemplates=claims_wanted, volumeClaimGC="{strategy: OnWorkflowCompletion}")  # fmt: skip
    meta: Object = {"name": "w-work", "namespace": "default"}
    claim: Object = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": asked}
    async with world(table()) as here:
        if not own:
            await here.api.create(CLAIMS, claim)
        ref = await here.submit(text)
        if own:
            owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "w", "uid": ref.uid}
            meta["ownerReferences"] = [{**owner, "controller": True}]
            await here.api.create(CLAIMS, claim)
        done = await here.end_of(ref)
        await here.at_rest(ref)
        claims = [claim["metadata"]["name"] for claim in (await here.api.list(CLAIMS)).items]

    said = done["status"]["phase"], done["status"].get("message", "")
    if own:
        assert (said, claims) == (("Succeeded", ""), [])
    else:
        assert said == ("Error", "pvc create error: w-work pvc already exists with different ownerreference")
        assert claims == ["w-work"]


@pytest.mark.spec("VOL-2")
async def test_a_claim_needs_a_name() -> None:
    spec = "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"
    text = flow("  - {name: main, container: {image: b, command: [c]}}\n", volumeClaimTemplates=f"[{{spec: {spec}}}]")
    done = await run(text)

    said = done["status"]["phase"], done["status"]["message"]
    assert said == ("Error", "pvc create error: volumeClaimTemplates[0].metadata.name is required")


@pytest.mark.spec("PGC-1")
@pytest.mark.spec("PGC-2")
@pytest.mark.spec("PGC-3")
@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("strategy: OnPodCompletion", set()),
        ("strategy: OnPodSuccess", {"w.B"}),
        ("strategy: OnWorkflowCompletion", set()),
        ("strategy: OnWorkflowSuccess", {"w.A", "w.B"}),
        ("strategy: OnPodCompletion, deleteDelayDuration: 1h", {"w.A", "w.B"}),
        ("strategy: OnPodCompletion, labelSelector: {matchLabels: {not: there}}", {"w.A", "w.B"}),
        ('strategy: ""', {"w.A", "w.B"}),
    ],
)
async def test_finished_pods_are_deleted_as_the_rule_says(rule: str, left: set[str]) -> None:
    text = flow(
        "  - name: main\n    dag: {tasks: [{name: A, template: leaf}, {name: B, template: leaf}]}\n",
        podGC=f"{{{rule}}}",
    )
    async with world(table(B=FAIL)) as here:
        await here.end_of(await here.submit(text))
        await here.after(30)

        assert {name for _, name in await here.pod_refs()} == left


@pytest.mark.spec("REPO-1")
@pytest.mark.spec("REPO-3")
@pytest.mark.parametrize("there", [True, False])
async def test_a_named_artifact_repository_is_kept_in_the_status_or_missed_aloud(there: bool) -> None:
    text = flow(
        "  - {name: main, container: {image: b, command: [c]}}\n", artifactRepositoryRef="{configMap: repos, key: mine}"
    )
    section: Any = {"s3": {"endpoint": "file:///tmp", "bucket": "b", "keyFormat": "k"}}
    async with world(table()) as here:
        if there:
            meta = {"name": "repos", "namespace": "default"}
            config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"mine": json.dumps(section)}}
            await here.api.create(CONFIGMAPS, config)
        done = await here.end_of(await here.submit(text))

    if there:
        assert done["status"]["artifactRepositoryRef"]["artifactRepository"] == section
    else:
        assert done["status"]["phase"] == "Error"
        assert done["status"]["message"].startswith(
            "failed to resolve artifact repository: failed to find any artifact repository for artifact repository ref "
            '"repos#mine"'
        )


@pytest.mark.spec("REPO-1")
@pytest.mark.parametrize(
    ("own", "shared", "taken"),
    [(None, "mine", "shared"), ("other", "mine", "shared"), ("mine", "mine", "own"), ("mine", None, "own")],
)
async def test_a_named_repository_may_be_the_controllers_namespaces(
    own: str | None, shared: str | None, taken: str
) -> None:
    text = flow(
        "  - {name: main, container: {image: b, command: [c]}}\n", artifactRepositoryRef="{configMap: repos, key: mine}"
    )
    async with world(table(), settings=ControllerSettings(plugin_namespace="argo")) as here:
        await here.api.create(NAMESPACES, {"metadata": {"name": "argo"}})
        for namespace, key, bucket in (("default", own, "own"), ("argo", shared, "shared")):
            data = {} if key is None else {key: f"persistence: secret\ns3: {{endpoint: e, bucket: {bucket}}}"}
            meta = {"name": "repos", "namespace": namespace}
            config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
            await here.api.create(CONFIGMAPS, config)
        done = await here.end_of(await here.submit(text))

    kept = done["status"]["artifactRepositoryRef"]
    assert (kept["namespace"], kept["key"]) == ("default" if taken == "own" else "argo", "mine")
    assert kept["artifactRepository"] == {"s3": {"endpoint": "e", "bucket": taken}}


@pytest.mark.spec("REPO-1", "REPO-2")
@pytest.mark.parametrize("text", ["s3: {bucket: [", "just words", "s3: words", "[]"])
async def test_a_repository_that_is_none_is_the_workflows_error(text: str) -> None:
    meta: dict[str, Any] = {"name": "artifact-repositories", "namespace": "default"}
    meta["annotations"] = {"workflows.argoproj.io/default-artifact-repository": "mine"}
    async with world(table()) as here:
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"mine": text}}
        await here.api.create(CONFIGMAPS, config)
        done = await here.end_of(await here.submit(flow("  - {name: main, container: {image: b, command: [c]}}\n")))

    assert done["status"]["phase"] == "Error"
    assert done["status"]["message"].startswith(
        "failed to resolve artifact repository: error getting config map for artifact repository ref "
        '"default/artifact-repositories#mine": failed to unmarshall config map key "mine"'
    )


@pytest.mark.spec("WFT-6")
async def test_a_library_may_refer_to_itself() -> None:
    async with world(table()) as here:
        await library(
            here,
            "lib",
            """
templates:
- name: down
  inputs: {parameters: [{name: n}]}
  steps:
  - - {name: x, templateRef: {name: lib, template: leaf}}
  - - {name: again, templateRef: {name: lib, template: down}, when: "{{inputs.parameters.n}} > 1",
       arguments: {parameters: [{name: n, value: "{{=asInt(inputs.parameters.n) - 1}}"}]}}
- {name: leaf, container: {image: b, command: [c]}}
""",
        )
        done = await here.end_of(await here.submit(flow("""
  - name: main
    steps: [[{name: a, templateRef: {name: lib, template: down}, arguments: {parameters: [{name: n, value: 3}]}}]]
""")))  # fmt: skip

    assert list(phases(done).values()).count("Skipped") == 1
    assert done["status"]["progress"] == "3/3"

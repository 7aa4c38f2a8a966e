"""What upstream's controller makes of a workflow, where ours once made something else of it."""

from __future__ import annotations

import json

import pytest
import yaml

from runtime.objects import Object, Reference
from tests.world.flows import arguments_of, flow, named, node_id, phases, run, table
from tests.world.test_templates import library
from tests.world.world import Outcome, World, world

pytestmark = pytest.mark.virtual_time


async def edit(here: World, ref: Reference, name: str, **fields: object) -> None:
    """Change a node's entry as upstream's clients do: the whole object is read and written."""
    thing = await here.api.get(ref)
    thing["status"]["nodes"][node_id(name)].update(fields)
    await here.api.replace(here.workflows, thing)


async def pods_of(text: str, *libraries: tuple[str, str]) -> dict[str, Object]:
    """The pods of a workflow by the name of their node."""
    async with world(table()) as here:
        for name, spec in libraries:
            await library(here, name, spec)
        ref = await here.submit(text)
        await here.end_of(ref)
        pods = await here.settled_pods()
    return {pod["metadata"]["annotations"]["workflows.argoproj.io/node-name"]: pod for pod in pods}


SHARED = """
podMetadata: {labels: {from: library, both: library}, annotations: {of: "{{workflow.name}}"}}
templates:
- {name: outer, steps: [[{name: in, template: leaf}]]}
- {name: leaf, metadata: {labels: {both: template}}, container: {image: b, command: [c]}}
"""


@pytest.mark.spec("WFT-1")
async def test_pods_of_a_referenced_template_have_the_pod_metadata_of_where_it_stands() -> None:
    text = flow(
        """
  - name: main
    dag: {tasks: [{name: a, templateRef: {name: lib, template: outer}}, {name: b, template: leaf}]}
""",
        podMetadata="{labels: {from: workflow, mine: workflow}}",
    )
    pods = await pods_of(text, ("lib", SHARED))

    referenced, own = pods["w.a[0].in"]["metadata"], pods["w.b"]["metadata"]
    told = {key: referenced["labels"].get(key) for key in ("from", "both", "mine")}
    assert told == {"from": "library", "both": "template", "mine": "workflow"}
    assert referenced["annotations"]["of"] == "w"
    assert own["labels"]["from"] == "workflow"
    assert "both" not in own["labels"]


@pytest.mark.spec("WFT-1")
async def test_what_is_stored_of_a_library_has_its_pod_metadata() -> None:
    async with world(table()) as here:
        await library(here, "lib", SHARED)
        call = "{name: a, templateRef: {name: lib, template: leaf}}"
        ref = await here.submit(flow(f"  - {{name: main, steps: [[{call}]]}}\n"))
        done = await here.end_of(ref)

    stored = done["status"]["storedTemplates"]["namespaced/lib/leaf"]
    assert stored["metadata"]["labels"] == {"from": "library", "both": "template"}


@pytest.mark.spec("POD-1")
async def test_host_aliases_of_the_workflow_and_the_template_are_added_up() -> None:
    text = flow(
        "  - {name: main, hostAliases: [{ip: 2.2.2.2, hostnames: [two]}], container: {image: b, command: [c]}}\n",
        hostAliases="[{ip: 1.1.1.1, hostnames: [one]}]",
    )
    pods = await pods_of(text)

    assert [entry["ip"] for entry in pods["w"]["spec"]["hostAliases"]] == ["1.1.1.1", "2.2.2.2"]


@pytest.mark.spec("VOL-1")
@pytest.mark.spec("POD-3")
async def test_a_pod_spec_patch_may_mount_a_volume_of_the_template() -> None:
    patch = '{"containers": [{"name": "main", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}'
    text = flow(f"""
  - name: main
    volumes: [{{name: v, emptyDir: {{}}}}]
    podSpecPatch: '{patch}'
    container: {{image: b, command: [c]}}
""")
    pods = await pods_of(text)

    assert pods["w"]["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert pods["w"]["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] == "/v"


@pytest.mark.spec("EXPR-12")
@pytest.mark.spec("VOL-1")
@pytest.mark.spec("POD-3")
async def test_what_a_workflow_says_of_its_pods_may_name_their_inputs_and_themselves() -> None:
    text = flow("""
  - name: leafy
    inputs: {parameters: [{name: p}]}
    container: {image: b, command: [c], volumeMounts: [{name: v, mountPath: /v}]}
  - name: main
    steps: [[{name: a, template: leafy, arguments: {parameters: [{name: p, value: hi}]}}]]
""", volumes='[{name: v, persistentVolumeClaim: {claimName: "c-{{inputs.parameters.p}}"}}]',
        nodeSelector='{disk: "{{inputs.parameters.p}}"}', hostAliases='[{ip: 1.2.3.4, hostnames: ["{{pod.name}}"]}]',
        podMetadata='{labels: {p: "{{inputs.parameters.p}}"}, annotations: {n: "{{pod.name}}"}}',
        podSpecPatch="'subdomain: \"{{inputs.parameters.p}}\"'")  # fmt: skip
    pod = (await pods_of(text))["w[0].a"]
    spec, name = pod["spec"], pod["metadata"]["name"]

    assert spec["volumes"] == [{"name": "v", "persistentVolumeClaim": {"claimName": "c-hi"}}]
    assert (spec["nodeSelector"], spec["subdomain"]) == ({"disk": "hi"}, "hi")
    assert spec["hostAliases"] == [{"ip": "1.2.3.4", "hostnames": [name]}]
    assert (pod["metadata"]["labels"]["p"], pod["metadata"]["annotations"]["n"]) == ("hi", name)


@pytest.mark.spec("POD-3")
@pytest.mark.parametrize("patch", ["containers: foo", "containers: [foo]", "initContainers: {a: b}"])
async def test_a_patch_of_the_wrong_shape_is_an_error_of_its_node(patch: str) -> None:
    body = f"podSpecPatch: '{patch}', container: {{image: b, command: [c]}}"
    done = await run(flow(f"  - {{name: main, {body}}}\n"))

    assert (phases(done), done["status"]["phase"]) == ({"w": "Error"}, "Error")
    assert named(done)["w"]["message"] == "Error applying PodSpecPatch"


@pytest.mark.spec("VOL-1")
async def test_a_mount_without_its_volume_is_told_in_upstreams_words() -> None:
    mounts = "volumeMounts: [{name: v, mountPath: /v}]"
    done = await run(flow(f"  - {{name: main, container: {{image: b, command: [c], {mounts}}}}}\n"))

    assert done["status"]["phase"] == "Error"
    assert done["status"]["message"] == "error in entry template execution: volume 'v' not found in workflow spec"


@pytest.mark.spec("PGC-1")
@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{strategy: OnPodCompletion}", "OnPodCompletion/5s"),
        ("{strategy: OnWorkflowSuccess, deleteDelayDuration: 30000ms}", "OnWorkflowSuccess/30s"),
        ('{strategy: OnWorkflowSuccess, deleteDelayDuration: "30"}', "OnWorkflowSuccess/30s"),
        ("{deleteDelayDuration: 10s}", "/10s"),
        ("{strategy: OnWorkflowSuccess, deleteDelayDuration: soon}", "OnWorkflowSuccess/5s"),
    ],
)
async def test_a_pod_says_how_and_when_it_is_collected(rule: str, told: str) -> None:
    seen: list[str] = []

    def note(name: str, pod: Object) -> Outcome:
        seen.append(pod["metadata"]["annotations"]["workflows.argoproj.io/pod-gc-strategy"])
        return Outcome()

    await run(flow("  - {name: main, container: {image: b, command: [c]}}\n", podGC=rule), note)

    assert seen == [told]


ASK = """
  - name: ask
    inputs: {parameters: [{name: answer, default: "NO", enum: ["YES", "NO"]}]}
    outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}
    suspend: %s
  - name: main
    steps:
    - - {name: gate, template: ask}
    - - {name: after, template: leaf, arguments: {parameters: [
          {name: m, value: "{{steps.gate.outputs.parameters.answer}}"}]}}
"""


@pytest.mark.spec("SUS-3")
async def test_the_default_of_an_input_is_that_of_the_supplied_output_of_its_name() -> None:
    done = await run(flow(ASK % '{duration: "5"}'))

    assert named(done)["w[0].gate"]["outputs"]["parameters"] == [{"name": "answer", "value": "NO"}]
    assert named(done)["w[1].after"]["inputs"]["parameters"][0]["value"] == "NO"


@pytest.mark.spec("SUS-3")
async def test_an_output_that_waits_to_be_supplied_shows_the_default_of_its_input() -> None:
    async with world(table()) as here:
        ref = await here.submit(flow(ASK % "{}"))
        await here.after(10)
        waiting = named(await here.api.get(ref))["w[0].gate"]

    assert waiting["phase"] == "Running"
    assert waiting["outputs"]["parameters"] == [{"name": "answer", "valueFrom": {"supplied": {}, "default": "NO"}}]


@pytest.mark.spec("PARAM-7")
async def test_a_node_that_ends_without_its_global_output_leaves_the_one_that_is_there() -> None:
    text = flow("""
  - {name: ask, outputs: {parameters: [{name: o, globalName: g, valueFrom: {supplied: {}}}]}, suspend: {}}
  - name: main
    dag:
      tasks:
      - {name: a, template: ask}
      - {name: b, template: ask, dependencies: [a], continueOn: {failed: true}}
      - {name: c, template: leaf, dependencies: [b], arguments: {parameters: [
          {name: m, value: "{{workflow.outputs.parameters.g}}"}]}}
""")
    seen: dict[str, list[str]] = {}

    outputs = {"parameters": [{"name": "o", "globalName": "g", "value": "val"}]}
    async with world(arguments_of(seen)) as here:
        ref = await here.submit(text)
        await here.after(5)
        await edit(here, ref, "w.a", phase="Succeeded", outputs=outputs)
        await here.after(5)
        await edit(here, ref, "w.b", phase="Failed")
        done = await here.end_of(ref)

    assert phases(done)["w.b"] == "Failed"
    assert done["status"]["outputs"]["parameters"] == [{"name": "g", "value": "val"}]
    assert named(done)["w.c"]["inputs"]["parameters"][0]["value"] == "val"


@pytest.mark.spec("SUS-2")
@pytest.mark.spec("EXIT-5")
async def test_a_suspended_entrypoint_whose_duration_is_none_was_never_begun() -> None:
    done = await run(flow("  - {name: main, suspend: {duration: abc}}\n"))

    assert done["status"]["phase"] == "Error"
    wrong = 'unable to parse abc as a duration: time: invalid duration "abc"'
    assert done["status"]["message"] == f"error in entry template execution: {wrong}"


@pytest.mark.spec("TMO-1")
@pytest.mark.parametrize("deadline", [0, -5])
async def test_a_workflow_without_any_time_fails_at_its_entrypoint(deadline: int) -> None:
    done = await run(flow("  - {name: main, container: {image: b, command: [c]}}\n", activeDeadlineSeconds=deadline))

    assert (done["status"]["phase"], done["status"]["message"]) == ("Failed", "Step exceeded its deadline")
    assert (named(done)["w"]["type"], named(done)["w"]["phase"]) == ("Pod", "Failed")


@pytest.mark.spec("TMPL-6")
async def test_a_template_of_no_steps_is_none() -> None:
    done = await run(flow("  - {name: main, steps: []}\n"))

    assert done["status"]["phase"] == "Error"
    wrong = "error in entry template execution: Template 'main' missing specification"
    assert (done["status"]["message"], named(done)["w"]["type"]) == (wrong, "Skipped")


@pytest.mark.spec("PARAM-3")
async def test_a_config_map_that_is_missed_is_told_with_what_it_has_to_be_labelled() -> None:
    arguments = "{parameters: [{name: a, valueFrom: {configMapKeyRef: {name: nocm, key: k}}}]}"
    done = await run(flow("  - {name: main, container: {image: b, command: [c]}}\n", arguments=arguments))

    assert done["status"]["message"].endswith(
        "from configmap with name nocm and key k: ConfigMap 'nocm' does not exist. Please make sure it has the label"
        " workflows.argoproj.io/configmap-type: Parameter to be detectable by the controller"
    )


async def stopped(text: str, name: str, strategy: str = "Stop", **outcomes: Outcome) -> Object:
    """The end of a workflow that was stopped when the pod of a node had run for some seconds."""
    async with world(table(**{name: Outcome(delay_s=500)}, **outcomes)) as here:
        ref = await here.submit(text)
        await here.after(5)
        await here.api.patch(ref, {"spec": {"shutdown": strategy}})
        await here.end_of(ref)
        return await here.at_rest(ref)


@pytest.mark.spec("DAG-16")
@pytest.mark.spec("OP-1")
@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
async def test_tasks_whose_turn_a_stop_brings_fail_before_they_begin(strategy: str) -> None:
    text = flow("""
  - {name: inner, steps: [[{name: x, template: leaf}], [{name: y, template: leaf}]]}
  - {name: again, retryStrategy: {limit: 3}, container: {image: b, command: [c]}}
  - name: main
    dag:
      tasks:
      - {name: a, template: leaf}
      - {name: b, template: leaf, depends: a.Failed}
      - {name: c, template: inner, depends: a.Failed}
      - {name: d, template: leaf, depends: a}
      - {name: e, template: leaf, depends: a.Failed, when: "false"}
      - {name: f, template: again, depends: a.Failed}
      - {name: g, template: rest, depends: a.Failed}
      - {name: h, template: leaf, depends: a.Failed, withItems: [1, 2]}
""")
    done = await stopped(text, "a", strategy)

    failed = f"workflow shutdown with strategy: {strategy}"
    by_wait = f"Stopped with strategy '{strategy}'"
    told = {name: (node["phase"], node.get("message", "")) for name, node in named(done).items()}
    assert told["w.a"] == ("Failed", f"workflow shutdown with strategy:  {strategy}")
    assert [told[f"w.{name}"] for name in ("b", "c[0].x", "f(0)", "h(0:1)", "h(1:2)")] == [("Failed", failed)] * 5
    assert [told[f"w.{name}"] for name in ("f", "g")] == [("Failed", by_wait)] * 2
    assert told["w.d"] == ("Omitted", "omitted: depends condition not met")
    assert told["w.e"] == ("Skipped", "when 'false' evaluated false")
    assert "w.c[1]" not in told
    assert (done["status"]["phase"], done["status"]["message"]) == ("Failed", by_wait)


@pytest.mark.spec("OP-1")
async def test_groups_that_go_on_after_a_failure_do_so_after_a_stop_and_nothing_begins() -> None:
    text = flow("""
  - name: main
    steps:
    - - {name: a, template: leaf, continueOn: {failed: true}}
    - - {name: b, template: leaf, continueOn: {failed: true}}
    - - {name: c, template: leaf}
    - - {name: d, template: leaf}
""")
    done = await stopped(text, "a")

    assert phases(done) == {
        "w": "Failed", "w[0]": "Succeeded", "w[0].a": "Failed", "w[1]": "Succeeded", "w[1].b": "Failed",
        "w[2]": "Failed", "w[2].c": "Failed",
    }  # fmt: skip
    assert named(done)["w"]["message"] == f"child '{node_id('w[2].c')}' failed"
    assert named(done)["w[2].c"]["message"] == "workflow shutdown with strategy: Stop"


@pytest.mark.spec("OP-1")
async def test_of_a_pod_that_has_not_started_a_stop_is_told_as_of_one_that_has() -> None:
    async with world(lambda *_: Outcome(pending_s=500)) as here:
        ref = await here.submit(flow("  - {name: main, container: {image: b, command: [c]}}\n"))
        await here.after(5)
        await here.api.patch(ref, {"spec": {"shutdown": "Stop"}})
        done = await here.end_of(ref)

    assert named(done)["w"]["message"] == "workflow shutdown with strategy:  Stop"


IN_PLACE = """
inline: {inputs: {parameters: [{name: own}]}, container: {image: b, command: [c], args: [
  "{{item}} {{KIND.a.outputs.parameters.p}} {{=item}} {{inputs.parameters.own}}"]}}
name: i
withItems: [1, 2]
arguments: {parameters: [{name: own, value: "<{{item}}>"}]}
"""


@pytest.mark.spec("TMPL-11")
@pytest.mark.parametrize("kind", ["steps", "tasks"])
async def test_what_is_written_in_place_may_speak_of_the_item_and_of_siblings(kind: str) -> None:
    first: Object = {"name": "a", "template": "make"}
    then: Object = yaml.safe_load(IN_PLACE.replace("KIND", kind))
    steps, tasks = [[first], [then]], [first, {**then, "depends": "a"}]
    main = {"name": "main", **({"steps": steps} if kind == "steps" else {"dag": {"tasks": tasks}})}
    seen: dict[str, list[str]] = {}
    made = table(a=Outcome(parameters={"p": "P"}))
    await run(flow(f"  - {json.dumps(main)}\n"), arguments_of(seen, made))

    assert sorted(args[0] for name, args in seen.items() if ".i(" in name) == ["1 P 1 <1>", "2 P 2 <2>"]


@pytest.mark.spec("MET-1")
@pytest.mark.spec("DATA-1")
async def test_what_upstreams_clients_write_back_is_taken_though_they_write_null_where_nothing_was() -> None:
    metrics = "{prometheus: [{name: x, help: h, gauge: {value: '1', realtime: null}}]}"
    text = flow(f"""
  - {{name: main, metrics: {metrics}, container: {{image: b, command: [c], name: "", resources: {{}}}}}}
  - {{name: h, metrics: {{prometheus: null}}, suspend: {{}}}}
  - {{name: d, data: {{source: {{artifactPaths: {{name: x, s3: {{key: k}}}}}}, transformation: null}}}}
""")
    done = await run(text)

    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("STEP-8")
@pytest.mark.spec("PARAM-4")
async def test_an_output_of_steps_with_a_value_of_its_own_is_an_error() -> None:
    text = flow("""
  - name: main
    outputs: {parameters: [{name: o, value: "{{workflow.name}}"}]}
    steps: [[{name: a, template: leaf}]]
""")
    done = await run(text)

    assert done["status"]["phase"] == "Error"
    wrong = "error in entry template execution: output parameters must have a valueFrom specified"
    assert done["status"]["message"] == wrong


@pytest.mark.spec("MET-2")
async def test_a_metric_that_speaks_of_what_is_not_known_is_not_measured() -> None:
    """Neither with a tag in a label's value, nor as a number that is none: attempts know nothing of `retries`."""
    text = flow("""
  - name: main
    retryStrategy: {limit: 1}
    metrics:
      prometheus:
      - {name: tries, help: h, labels: [{key: again, value: "{{retries}}"}], counter: {value: "1"}}
      - {name: odd, help: h, gauge: {value: "{{outputs.parameters.none}}"}}
    container: {image: b, command: [c]}
""")
    done = await run(text, table(**{"w(0)": Outcome(code=1)}))

    (told,) = [entry for entry in done["status"]["conditions"] if entry["type"] == "MetricsError"]
    for name, tag in (("tries", "retries"), ("odd", "outputs.parameters.none")):
        wrong = f"unable to substitute parameters for metric '{name}': failed to resolve {{{{{tag}}}}}"
        assert wrong in told["message"].split(", ")


@pytest.mark.spec("WFT-2")
@pytest.mark.spec("WFT-3")
async def test_a_workflow_that_is_not_fit_to_run_says_whose_it_is() -> None:
    async with world(table()) as here:
        await library(here, "lib", "{entrypoint: main, templates: [{name: other, suspend: {}}]}")
        ref = await here.submit("spec: {workflowTemplateRef: {name: lib}}")
        done = await here.end_of(ref)

    assert done["status"]["message"] == "invalid spec: template name 'main' undefined"
    assert done["metadata"]["labels"]["workflows.argoproj.io/workflow-template"] == "lib"
    assert done["status"]["storedWorkflowTemplateSpec"]["entrypoint"] == "main"


@pytest.mark.spec("SUS-5")
async def test_who_sees_a_workflow_running_finds_what_may_be_resumed() -> None:
    """The first status that says Running has its first nodes: else a resume right after it would find nothing."""
    async with world(table()) as here:
        ref = await here.submit(flow("  - {name: main, steps: [[{name: a, template: rest}]]}\n"))
        found = await here.api.list(here.workflows)
        async with here.api.watch(here.workflows, resource_version=found.resource_version) as events:
            async for event in events:
                if (event.object.get("status") or {}).get("phase") == "Running":
                    first = event.object
                    break
        await edit(here, ref, "w[0].a", phase="Succeeded")
        done = await here.end_of(ref)

    assert {name: node["phase"] for name, node in named(first).items()}["w[0].a"] == "Running"
    assert done["status"]["phase"] == "Succeeded"

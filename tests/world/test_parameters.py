"""Inputs, outputs and the variables that templates may refer to."""

from __future__ import annotations

import json

import pytest

from actors.names import ids, labels
from runtime.objects import CONFIGMAPS, Object
from tests.world.flows import FAIL, arguments_of, flow, named, nodes, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time


def value(done: object, display_name: str, index: int = 0) -> str:
    text: str = nodes(done)[display_name]["inputs"]["parameters"][index]["value"]  # type: ignore[arg-type]
    return text


@pytest.mark.spec("PARAM-1")
@pytest.mark.parametrize(
    ("written", "text"), [("5", "5"), ("1.5", "1.5"), ("true", "true"), ("[1]", ""), ("{a: 1}", "")]
)
async def test_a_value_is_kept_as_text_and_a_list_or_map_is_nothing(written: str, text: str) -> None:
    done = await run(flow(f"""
  - name: main
    steps:
    - - {{name: a, template: leaf, arguments: {{parameters: [{{name: m, value: {written}}}]}}}}
"""))  # fmt: skip

    assert value(done, "a") == text


@pytest.mark.spec("PARAM-2")
@pytest.mark.spec("PARAM-8")
async def test_an_argument_wins_over_the_inputs_value_and_that_over_its_default() -> None:
    done = await run(flow("""
  - name: own
    inputs: {parameters: [{name: m, value: own, default: default}]}
    container: {image: busybox, command: [echo]}
  - name: main
    steps:
    - - {name: a, template: own}
      - {name: b, template: own, arguments: {parameters: [{name: m, value: ""}, {name: unknown, value: x}]}}
      - {name: c, template: leaf}
"""))  # fmt: skip

    assert [value(done, name) for name in "abc"] == ["own", "", "x"]
    assert len(nodes(done)["b"]["inputs"]["parameters"]) == 1


@pytest.mark.spec("PARAM-3")
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.spec("KIND-9")
async def test_a_config_map_gives_the_value_or_else_the_default(there: bool) -> None:
    text = flow("""
  - name: own
    inputs: {parameters: [
      {name: m, valueFrom: {default: none, configMapKeyRef: {name: "{{workflow.name}}-c", key: k}}}]}
    container: {image: busybox, command: [echo]}
  - name: main
    steps:
    - - {name: a, template: own}
""")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "from the map"}}
    async with world(table()) as here:
        if there:
            meta = {"name": "w-c", "namespace": "default", "labels": {labels.CONFIGMAP_TYPE: "Parameter"}}
            await here.api.create(CONFIGMAPS, {**config, "metadata": meta})
        done = await here.end_of(await here.submit(text))

    assert value(done, "a") == ("from the map" if there else "none")


MAP = "valueFrom: {configMapKeyRef: {name: c, key: k}}"


async def with_map(text: str, **data: str) -> Object:
    """A workflow that ran beside ConfigMap `c`, when there is data for it."""
    async with world(table()) as here:
        if data:
            meta = {"name": "c", "namespace": "default", "labels": {labels.CONFIGMAP_TYPE: "Parameter"}}
            await here.api.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})
        return await here.end_of(await here.submit(text))


@pytest.mark.spec("PARAM-2")
@pytest.mark.spec("PARAM-3")
@pytest.mark.parametrize(
    ("declared", "argument"), [("value: own", MAP), (f"value: own, {MAP}", ""), (f"default: own, {MAP}", "")]
)
async def test_nothing_but_its_own_default_stands_in_for_a_config_map(declared: str, argument: str) -> None:
    passed = f", arguments: {{parameters: [{{name: m, {argument}}}]}}" if argument else ""
    text = flow(f"""
  - name: own
    inputs: {{parameters: [{{name: m, {declared}}}]}}
    container: {{image: busybox, command: [echo]}}
  - name: main
    steps: [[{{name: a, template: own{passed}}}]]
""")

    found, missed = await with_map(text, k="from the map"), await with_map(text, other="x")

    assert value(found, "a") == "from the map"
    why = "unable to retrieve inputs.parameters.m from ConfigMap: ConfigMap 'c' does not have the key 'k'"
    assert (nodes(missed)["a"]["phase"], nodes(missed)["a"]["message"]) == ("Error", why)


@pytest.mark.spec("PARAM-3")
@pytest.mark.parametrize("field", ["name", "key"])
async def test_an_input_names_its_config_map_by_what_the_whole_workflow_knows(field: str) -> None:
    named = {"name": "c", "key": "k", field: "{{inputs.parameters.o}}"}
    text = flow(f"""
  - name: own
    inputs: {{parameters: [{{name: o, value: c}}, {{name: m, valueFrom: {{configMapKeyRef: {json.dumps(named)}}}}}]}}
    container: {{image: busybox, command: [echo]}}
  - name: main
    steps: [[{{name: a, template: own}}]]
""")

    done = await with_map(text, k="from the map", c="from the map")

    why = "failed to substitute configMapKeyRef: failed to resolve {{inputs.parameters.o}}"
    assert (nodes(done)["a"]["phase"], nodes(done)["a"]["message"]) == ("Error", why)


@pytest.mark.spec("PARAM-3")
async def test_a_workflow_argument_beside_a_missing_config_map_has_no_default_of_its_own() -> None:
    text = flow("  - {name: main, container: {image: b, command: [c]}}\n",
                arguments=f"{{parameters: [{{name: p, default: d, {MAP}}}]}}")  # fmt: skip

    done = await with_map(text)

    why = "failed to set global parameters: failed to set global parameter p from configmap with name c and key k: "
    assert done["status"]["phase"] == "Failed"
    assert why in done["status"]["message"]


@pytest.mark.spec("PARAM-3")
async def test_a_workflow_argument_that_nobody_supplies_fails_the_workflow_with_its_name() -> None:
    text = flow("  - {name: main, container: {image: b, command: [c]}}\n",
                arguments="{parameters: [{name: p, valueFrom: {supplied: {}}}]}")  # fmt: skip

    done = await run(text)

    why = "either value or valueFrom must be specified in order to set global parameter p"
    assert (done["status"]["phase"], done["status"]["message"]) == (
        "Failed",
        f"failed to set global parameters: {why}",
    )


@pytest.mark.spec("PARAM-3")
@pytest.mark.spec("KIND-9")
@pytest.mark.parametrize("whose", ["template", "workflow"])
async def test_a_config_map_that_nobody_labelled_for_it_gives_no_value(whose: str) -> None:
    """The controller reads it with its own rights: the author of a workflow may have none."""
    source = "valueFrom: {configMapKeyRef: {name: c, key: k}}"
    own = source if whose == "template" else 'value: "{{workflow.parameters.p}}"'
    text = flow(f"""
  - name: main
    inputs: {{parameters: [{{name: m, {own}}}]}}
    container: {{image: busybox, command: [echo]}}
""")
    if whose == "workflow":
        text += f"  arguments: {{parameters: [{{name: p, {source}}}]}}\n"
    meta = {"name": "c", "namespace": "default"}
    async with world(table()) as here:
        await here.api.create(
            CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"k": "not yours"}}
        )
        done = await here.end_of(await here.submit(text))
        pods = here.created

    assert done["status"]["phase"] in {"Error", "Failed"}
    why = "ConfigMap 'c' does not have the label workflows.argoproj.io/configmap-type: Parameter"
    assert why in str(done["status"])
    assert "not yours" not in str(done)
    assert pods == []


@pytest.mark.spec("PARAM-9")
@pytest.mark.spec("EXIT-1")
async def test_the_entrypoint_and_the_exit_handler_get_the_workflows_arguments() -> None:
    seen: dict[str, list[str]] = {}
    text = flow("""
  - name: main
    inputs: {parameters: [{name: who}]}
    container: {image: busybox, command: [echo], args: ["{{inputs.parameters.who}}"]}
""", arguments="{parameters: [{name: who, value: me}]}", onExit="main")  # fmt: skip
    await run(text, arguments_of(seen))

    assert seen == {"w": ["me"], "w.onExit": ["me"]}


@pytest.mark.spec("PARAM-7")
async def test_a_global_output_is_seen_by_whoever_starts_later_and_the_last_writer_wins() -> None:
    text = flow("""
  - name: give
    inputs: {parameters: [{name: v, default: x}]}
    container: {image: busybox, command: [echo]}
    outputs: {parameters: [{name: p, globalName: shared, valueFrom: {path: /tmp/p}}]}
  - name: main
    steps:
    - - {name: a, template: give}
    - - {name: b, template: leaf, arguments: {parameters: [{name: m, value: "{{workflow.outputs.parameters.shared}}"}]}}
    - - {name: c, template: give}
    - - {name: d, template: leaf, arguments: {parameters: [{name: m, value: "{{workflow.outputs.parameters.shared}}"}]}}
""")
    done = await run(text, table(a=Outcome(parameters={"p": "1"}), c=Outcome(parameters={"p": "2"})))

    assert (value(done, "b"), value(done, "d")) == ("1", "2")
    assert done["status"]["outputs"]["parameters"] == [{"name": "shared", "value": "2"}]


@pytest.mark.spec("PARAM-7")
@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize(
    "tag",
    [
        "{{workflow.outputs.parameters.g}}",
        "{{=workflow.outputs.parameters.g}}",
        "{{=workflow.outputs?.parameters?.g ?? 'none'}}",
        "{{workflow.outputs.parameters.{{inputs.parameters.which}}}}",
    ],
)
@pytest.mark.parametrize("body", ["steps: [[{%s}], [{%s}]]", "dag: {tasks: [{%s}, {depends: again, %s}]}"])
async def test_a_call_sees_the_newest_global_output_though_its_template_began_with_an_older_one(
    body: str, tag: str, dies: bool
) -> None:
    call = 'name: %s, template: %s, arguments: {parameters: [{name: m, value: "%s"}]}'
    calls = call % ("again", "told", "2"), call % ("b", "leaf", tag)
    text = flow(f"""
  - name: told
    inputs: {{parameters: [{{name: m}}]}}
    container: {{image: busybox, command: [echo]}}
    outputs: {{parameters: [{{name: p, globalName: g, value: "{{{{inputs.parameters.m}}}}"}}]}}
  - name: inner
    inputs: {{parameters: [{{name: which, value: g}}]}}
    {body % calls}
  - name: main
    steps:
    - - {{name: first, template: told, arguments: {{parameters: [{{name: m, value: "1"}}]}}}}
    - - {{name: deep, template: inner}}
""")
    async with world(table(again=Outcome(delay_s=60))) as here:
        ref = await here.submit(text)
        await here.after(30)
        if dies:
            here.die()
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert value(done, "b") == "2"


@pytest.mark.spec("PARAM-4")
async def test_an_output_that_was_not_written_is_its_default_or_an_error() -> None:
    text = flow("""
  - name: main
    steps:
    - - {name: a, template: make}
""")
    done = await run(text, table(a=Outcome(error="no such file: /tmp/p")))

    assert nodes(done)["a"]["phase"] == "Error"
    assert "no such file" in nodes(done)["a"]["message"]


@pytest.mark.spec("PARAM-4")
async def test_an_output_may_be_a_value_that_the_template_knows_and_needs_nothing_of_the_pod() -> None:
    text = flow("""
  - name: know
    inputs: {parameters: [{name: v}]}
    container: {image: busybox, command: [echo]}
    outputs: {parameters: [{name: p, globalName: shared, value: "it is {{inputs.parameters.v}}"}]}
  - name: main
    steps:
    - - {name: a, template: know, arguments: {parameters: [{name: v, value: "{{item}}"}]}, withItems: [1, 2]}
    - - name: b
        template: leaf
        arguments: {parameters: [{name: m, value: "{{steps.a.outputs.parameters.p}}"}]}
""")
    done = await run(text)

    assert value(done, "b") == '["it is 1","it is 2"]'
    assert nodes(done)["a(0:1)"]["outputs"]["parameters"] == [{"name": "p", "globalName": "shared", "value": "it is 1"}]


@pytest.mark.spec("EXPR-12")
@pytest.mark.spec("PARAM-2")
async def test_an_input_may_name_others_and_is_looked_at_once_more_for_it() -> None:
    seen: dict[str, list[str]] = {}
    text = flow("""
  - name: main
    inputs:
      parameters:
      - {name: a, value: A}
      - {name: b, value: "{{=inputs.parameters.a + '!'}}-{{inputs.parameters.c}}"}
      - {name: c, value: "{{inputs.parameters.b}}"}
    container: {image: busybox, command: [echo], args: ["{{inputs.parameters.b}}"]}
""")
    done = await run(text, arguments_of(seen))

    recorded = [entry["value"] for entry in nodes(done)["w"]["inputs"]["parameters"]]
    assert recorded == ["A", "A!-{{inputs.parameters.b}}", "{{=inputs.parameters.a + '!'}}-{{inputs.parameters.c}}"]
    assert seen["w"] == ["A!-{{=inputs.parameters.a + '!'}}-{{inputs.parameters.c}}"]


@pytest.mark.spec("EXPR-12")
async def test_what_an_input_works_out_of_others_is_known_to_the_conditions_of_its_steps() -> None:
    text = flow("""
  - name: main
    inputs:
      parameters:
      - {name: test, value: "true"}
      - name: list
        value: "{{= concat(['always'], inputs.parameters.test == 'true' ? ['test'] : []) | toJSON() }}"
    steps:
    - - name: s
        template: leaf
        when: |
          "{{= get(item, 'type') ?? 'always' }}" in ("{{= inputs.parameters.list | fromJSON() | join('","') }}","")
        withParam: '[{"name": "x", "type": "never"}, {"name": "y", "type": "always"}, {"name": "z"}]'
        arguments: {parameters: [{name: m, value: "{{item.name}} of {{inputs.parameters.list}}"}]}
""")
    done = await run(text)

    phases = {node["displayName"][:4]: node["phase"] for node in nodes(done).values()}
    assert [phases[f"s({index}:"] for index in range(3)] == ["Skipped", "Succeeded", "Succeeded"]
    said = [node["inputs"]["parameters"][0]["value"] for node in nodes(done).values() if node["type"] == "Pod"]
    assert sorted("".join(text.split()) for text in said) == ['yof["always","test"]', 'zof["always","test"]']


@pytest.mark.spec("PARAM-2")
async def test_an_input_that_nobody_supplies_fails_the_workflow_before_it_starts() -> None:
    done = await run(flow("""
  - name: wants
    inputs: {parameters: [{name: needed}]}
    container: {image: busybox, command: [echo]}
  - name: main
    steps:
    - - {name: a, template: wants}
"""))  # fmt: skip

    assert done["status"]["phase"] == "Failed"
    assert "inputs.parameters.needed was not supplied" in done["status"]["message"]


@pytest.mark.spec("EXPR-2")
@pytest.mark.spec("EXPR-3")
@pytest.mark.spec("EXPR-7")
@pytest.mark.spec("EXPR-8")
@pytest.mark.spec("EXPR-12")
async def test_tags_are_filled_in_and_what_nobody_knows_reaches_the_container() -> None:
    seen: dict[str, list[str]] = {}
    text = flow(r"""
  - name: main
    inputs: {parameters: [
      {name: x, default: 'a "quoted" {{workflow.name}}'}, {name: y, default: "{{inputs.parameters.x}}"}]}
    container:
      image: busybox
      command: [echo]
      args: ["{{ inputs.parameters.x }}", "{{inputs.parameters.y}}", "{{jinja}}", "{{workflow.scheduledTime}}",
             "{{=1 + 2}}", "{{= upper(workflow.name) + '!'}}", "{{= {'a': [1]} }}", "{{node.name}}", "{{pod.name}}"]
""")
    await run(text, arguments_of(seen))

    assert seen["w"] == [
        'a "quoted" w', 'a "quoted" w', "{{jinja}}", "{{workflow.scheduledTime}}", "3", "W!", '{"a":[1]}',
        "w", "w",
    ]  # fmt: skip


async def test_a_leaf_knows_its_step_and_all_of_its_inputs() -> None:
    seen: dict[str, list[str]] = {}
    text = flow("""
  - name: say
    inputs: {parameters: [{name: x, default: "1"}]}
    container: {image: busybox, command: [echo], args: ["{{steps.name}}", "{{node.name}}", "{{inputs.parameters}}"]}
  - name: main
    steps: [[{name: s, template: say}]]
""")
    await run(text, arguments_of(seen))

    name, node, inputs = seen["w[0].s"]
    assert (name, node) == ("s", "w[0].s")
    assert json.loads(inputs) == [{"name": "x", "default": "1", "value": "1"}]


@pytest.mark.spec("EXIT-3")
async def test_failures_are_encoded_twice_and_null_when_there_are_none() -> None:
    text = flow("""
  - name: main
    steps: [[{name: a, template: leaf}]]
  - name: leave
    container: {image: busybox, command: [echo], args: ["{{workflow.failures}}", "{{workflow.status}}"]}
""", onExit="leave")  # fmt: skip
    seen: dict[str, list[str]] = {}
    await run(text, arguments_of(seen))
    assert seen["w.onExit"] == ['"null"', "Succeeded"]

    done = await run(text, arguments_of(seen, table(a=FAIL)))
    failures = {entry["displayName"]: entry for entry in json.loads(json.loads(seen["w.onExit"][0]))}
    assert failures["a"] == {
        "displayName": "a", "message": "main: Error (exit code 1)", "templateName": "leaf", "phase": "Failed",
        "podName": f"w-leaf-{nodes(done)['a']['id'].rpartition('-')[2]}",
        "finishedAt": nodes(done)["a"]["finishedAt"],
    }  # fmt: skip
    assert seen["w.onExit"][1] == "Failed"


@pytest.mark.spec("SCR-2")
@pytest.mark.spec("SCR-5")
async def test_output_is_captured_only_when_somebody_refers_to_it() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: a, template: make}
      - {name: b, template: make}
    - - {name: c, template: leaf, arguments: {parameters: [
          {name: m, value: "{{steps.a.outputs.result}}{{steps.a.exitCode}}"}]}}
"""), table(a=Outcome(result="said", parameters={"p": ""}),
            b=Outcome(result="lost", parameters={"p": ""})))  # fmt: skip

    assert value(done, "c") == "said0"
    assert "result" not in nodes(done)["b"]["outputs"]
    assert nodes(done)["b"]["outputs"]["exitCode"] == "0"


async def test_node_data_can_be_referred_to() -> None:
    done = await run(flow("""
  - name: main
    dag:
      tasks:
      - {name: a-b, template: leaf}
      - {name: c, template: leaf, depends: a-b, arguments: {parameters: [{name: m, value:
          "{{tasks.a-b.id}} {{tasks.a-b.status}} {{tasks.a-b.startedAt}} {{=tasks['a-b'].exitCode}}"}]}}
"""))  # fmt: skip

    before = named(done)["w.a-b"]
    assert value(done, "c") == f"{before['id']} Succeeded {before['startedAt']} 0"


RETRIED = """
  - name: again
    retryStrategy: {{limit: 1}}
    container: {{image: busybox, command: [sh]}}
  - name: main
    {body}
"""


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("kind", ["steps", "tasks"])
async def test_the_node_data_of_a_retried_call_are_its_last_attempts(kind: str, dies: bool) -> None:
    tags = " ".join(f"{{{{{kind}.a.{name}}}}}" for name in ("id", "startedAt", "finishedAt"))
    after = f'template: leaf, arguments: {{parameters: [{{name: m, value: "{tags}"}}]}}'
    steps = f"steps: [[{{name: a, template: again}}], [{{name: b, template: leaf}}], [{{name: c, {after}}}]]"
    tasks = f"{{name: a, template: again}}, {{name: b, template: leaf, depends: a}}, {{name: c, depends: b, {after}}}"
    body = steps if kind == "steps" else f"dag: {{tasks: [{tasks}]}}"
    ends = {"a(0)": FAIL, "b": Outcome(delay_s=60)}
    async with world(table(**ends)) as here:
        ref = await here.submit(flow(RETRIED.format(body=body)))
        await here.after(40)
        if dies:
            here.die()
        await here.end_of(ref)
        done = await here.at_rest(ref)

    last = nodes(done)["a(1)"]
    assert value(done, "c") == f"{last['id']} {last['startedAt']} {last['finishedAt']}"


@pytest.mark.parametrize(("kind", "body"), [("steps", "steps: [[%s]]"), ("tasks", "dag: {tasks: [%s]}")])
async def test_the_name_of_a_pod_is_known_where_there_is_a_pod(kind: str, body: str) -> None:
    given = "arguments: {parameters: [{name: m, value: '{{=pod.name}}'}]}"
    calls = ", ".join(f"{{name: {name}, template: {name}, {given}}}" for name in ("leaf", "again"))
    done = await run(
        flow(f"""
  - name: again
    retryStrategy: {{limit: 1}}
    inputs: {{parameters: [{{name: m}}]}}
    container: {{image: busybox, command: [sh]}}
  - name: main
    {body % calls}
""")
    )

    said = {name: entry["inputs"]["parameters"][0]["value"] for name, entry in nodes(done).items() if "inputs" in entry}
    pods = {name: ids.pod_name("w", nodes(done)[name]["name"], name.partition("(")[0]) for name in ("leaf", "again(0)")}
    assert said == {**pods, "again": "{{=pod.name}}"}


@pytest.mark.parametrize(("kind", "body"), [("steps", "steps: [[%s]]"), ("tasks", "dag: {tasks: [%s]}")])
async def test_a_call_may_say_its_own_name(kind: str, body: str) -> None:
    call = f'{{name: me, template: leaf, arguments: {{parameters: [{{name: m, value: "I am {{{{{kind}.name}}}}"}}]}}}}'
    done = await run(flow(f"  - name: main\n    {body % call}\n"))

    assert value(done, "me") == "I am me"


@pytest.mark.spec("EXPR-7")
async def test_expressions_know_the_time_and_throw_the_same_dice_again() -> None:
    text = """
spec:
  entrypoint: main
  templates:
  - name: leaf
    inputs: {parameters: [{name: m}]}
    container: {image: busybox, command: [echo]}
  - name: main
    steps:
    - - name: a
        template: leaf
        arguments: {parameters: [{name: m, value: "{{= now().Year() }}-{{= len(sprig.uuidv4()) }}"}]}
"""
    async with world(lambda name, pod: Outcome()) as here:
        done = await here.end_of(await here.submit(text))

        assert nodes(done)["a"]["inputs"]["parameters"][0]["value"] == "2026-36"

"""Workloads that were invented to find differences from upstream: those that found one, and the most telling others."""

from __future__ import annotations

import json

import pytest

from tests.world.flows import FAIL, arguments_of, flow, named, phases, run, table
from tests.world.test_templates import library
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

NOTHING_MADE = "is an absent optional (skipped/omitted node output with no default)"


def made(name: str, pod: object) -> Outcome:
    """Every pod writes its node's name."""
    del pod
    return Outcome(parameters={"p": name})


@pytest.mark.spec("DAG-13")
async def test_what_follows_a_dag_whose_outputs_cannot_be_made_inherits_its_error() -> None:
    done = await run(flow("""
  - name: sub
    outputs: {parameters: [{name: o, valueFrom: {parameter: "{{tasks.a.outputs.parameters.p}}"}}]}
    dag: {tasks: [{name: a, template: make, when: "1 == 2"}]}
  - name: main
    dag: {tasks: [{name: s, template: sub}, {name: after, template: leaf, depends: s}]}
"""))  # fmt: skip

    assert phases(done) == {"w": "Error", "w.s": "Error", "w.s.a": "Skipped", "w.after": "Omitted"}
    assert named(done)["w.s"]["message"].endswith(NOTHING_MADE)


@pytest.mark.spec("SUS-2")
@pytest.mark.spec("SUS-3")
async def test_a_duration_that_passes_before_a_value_was_supplied_is_an_error() -> None:
    done = await run(flow("""
  - name: ask
    suspend: {duration: "10"}
    outputs: {parameters: [{name: answer, valueFrom: {supplied: {}}}]}
  - name: main
    steps: [[{name: a, template: ask}]]
"""))  # fmt: skip

    why = "raw output parameter 'answer' has not been set and does not have a default value"
    assert (named(done)["w[0].a"]["phase"], named(done)["w[0].a"]["message"]) == ("Error", why)
    assert done["status"]["message"] == f"step group deemed errored due to child w[0].a error: {why}"


FAILURES = """spec:
  entrypoint: main
  hooks:
    begun: {expression: 'workflow.status == "Running"', template: say}
    failed: {expression: 'workflow.status == "Failed" && workflow.failures contains "(exit code 2)"', template: say}
  onExit: say
  templates:
  - {name: say, container: {image: b, command: [c], args: ["{{workflow.failures}}"]}}
  - {name: bad, container: {image: b, command: [c]}}
  - {name: main, dag: {tasks: [{name: a, template: bad}]}}
"""


@pytest.mark.spec("HOOK-1")
@pytest.mark.spec("EXIT-3")
async def test_hooks_of_the_workflow_hear_what_has_failed_so_far_in_upstreams_words() -> None:
    seen: dict[str, list[str]] = {}
    done = await run(FAILURES, arguments_of(seen, table(a=Outcome(code=2))))

    failed = seen["w.hooks.failed"][0]
    assert seen["w.hooks.begun"] == ['"null"']
    assert seen["w.onExit"] == [failed]
    assert json.loads(json.loads(failed))[1]["message"] == "main: Error (exit code 2)"
    first = named(done)["w"]
    assert failed.startswith(
        '"[{\\"displayName\\":\\"w\\",\\"message\\":\\"\\",\\"templateName\\":\\"main\\",\\"phase\\":\\"Failed\\",'
        f'\\"podName\\":\\"w\\",\\"finishedAt\\":\\"{first["finishedAt"]}\\"}}'
    )


@pytest.mark.spec("RTY-9")
async def test_an_attempt_speaks_of_the_node_that_is_retried_and_of_its_own_pod() -> None:
    seen: dict[str, list[str]] = {}
    template = """
  - name: rt
    retryStrategy: {limit: 1}
    container: {image: b, command: [c], args: ["{{node.name}} {{pod.name}} {{retries}}"]}
  - name: main
    dag: {tasks: [{name: l, template: rt, withItems: [a]}]}
"""
    await run(flow(template), arguments_of(seen, lambda name, pod: FAIL if name.endswith("(0)") else Outcome()))

    assert seen == {
        "w.l(0:a)(0)": ["w.l(0:a) w-rt-2589933851 0"],
        "w.l(0:a)(1)": ["w.l(0:a) w-rt-4267842846 1"],
    }


@pytest.mark.spec("PARAM-1")
async def test_all_parameters_together_are_written_in_the_order_of_their_type() -> None:
    seen: dict[str, list[str]] = {}
    await run("""spec:
  entrypoint: main
  arguments: {parameters: [{name: a, value: 1, description: d, enum: [1, 2]}, {name: b, default: x, value: x}]}
  templates:
  - name: main
    inputs: {parameters: [{name: a, description: in, default: 5}, {name: c, default: cc, enum: [cc, 7]}]}
    container: {image: b, command: [c], args: ["{{inputs.parameters}}", "{{workflow.parameters.json}}"]}
""", arguments_of(seen))  # fmt: skip

    assert seen["w"] == [
        '[{"name":"a","default":"5","value":"1","description":"in"},'
        '{"name":"c","default":"cc","value":"cc","enum":["cc","7"]}]',
        '[{"name":"a","value":"1","enum":["1","2"],"description":"d"},{"name":"b","default":"x","value":"x"}]',
    ]


@pytest.mark.spec("LOOP-8")
@pytest.mark.spec("STEP-8")
async def test_a_loop_over_the_outputs_of_a_loop_in_a_dag_in_steps() -> None:
    text = flow("""
  - name: sub
    outputs: {parameters: [{name: all, valueFrom: {parameter: "{{tasks.l.outputs.parameters.p}}"}}]}
    dag: {tasks: [{name: l, template: make, withSequence: {count: "2", format: "n%02X"}}]}
  - name: main
    steps:
    - - {name: d, template: sub}
    - - name: use
        template: leaf
        withParam: "{{steps.d.outputs.parameters.all}}"
        arguments: {parameters: [{name: m, value: "{{item}}"}]}
""")
    async with world(made) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert [name for name in phases(done) if name.startswith("w[1].")] == [
        "w[1].use(0:w[0].d.l0:n00)",
        "w[1].use(1:w[0].d.l1:n01)",
    ]
    assert named(done)["w[1].use(1:w[0].d.l1:n01)"]["inputs"]["parameters"][0]["value"] == "w[0].d.l(1:n01)"


@pytest.mark.spec("COND-5")
@pytest.mark.spec("STEP-8")
async def test_what_an_output_expression_gives_is_written_as_go_prints_it() -> None:
    expressions = {
        "list": "['a', 1, true, nil]", "map": "{'b': 1.50, 'a': {'c': 'x'}}", "whole": "2 * 21", "half": "7 / 2",
        "large": "1000000.0", "truth": "1 == 1", "text": "'<' + 'b'", "json": "toJson(['a'])",
    }  # fmt: skip
    outputs = [{"name": name, "valueFrom": {"expression": text}} for name, text in expressions.items()]
    done = await run(
        flow(f"""
  - name: main
    outputs: {{parameters: {json.dumps(outputs)}}}
    steps: [[{{name: a, template: leaf}}]]
""")
    )

    assert {entry["name"]: entry["value"] for entry in named(done)["w"]["outputs"]["parameters"]} == {
        "list": "[a 1 true <nil>]", "map": "map[a:map[c:x] b:1.5]", "whole": "42", "half": "3.5",
        "large": "1e+06", "truth": "true", "text": "<b", "json": '["a"]',
    }  # fmt: skip


LIBRARY = "templates: [{name: say, container: {image: lib, command: [c]}}]"


@pytest.mark.spec("WFT-1")
async def test_hooks_of_the_workflow_refer_to_a_library_from_the_workflows_own_scope() -> None:
    async with world(table()) as here:
        await library(here, "lib", LIBRARY)
        ref = await here.submit("""spec:
  entrypoint: main
  hooks:
    begun: {expression: 'workflow.status == "Running"', templateRef: {name: lib, template: say}}
    exit: {templateRef: {name: lib, template: say}}
  templates: [{name: main, container: {image: b, command: [c]}}]
""")
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert {name: node["templateScope"] for name, node in named(done).items()} == {
        "w": "local/w",
        "w.hooks.begun": "local/w",
        "w.onExit": "local/w",
    }


@pytest.mark.spec("SUS-4")
async def test_the_first_choice_of_a_described_input_is_its_default_whatever_it_says_itself() -> None:
    done = await run(flow("""
  - {name: ask, inputs: {parameters: [{name: c}]}, suspend: {duration: "5"}}
  - name: main
    steps: [[{name: gate, template: ask, arguments: {parameters: [
      {name: c, value: '{"enum": ["a", "b"], "default": "b"}'}]}}]]
"""))  # fmt: skip

    (given,) = named(done)["w[0].gate"]["inputs"]["parameters"]
    assert (given["enum"], given["default"]) == (["a", "b"], "a")


@pytest.mark.spec("LOOP-5")
@pytest.mark.parametrize("kind", ["steps", "tasks"])
async def test_an_item_of_a_loop_is_called_by_its_expanded_name(kind: str) -> None:
    seen: dict[str, list[str]] = {}
    call = "{name: x, template: say, withItems: [a.b], arguments: {parameters: [{name: m, value: '{{KIND.name}}'}]}}"
    body = f"steps: [[{call}]]" if kind == "steps" else f"dag: {{tasks: [{call}]}}"
    text = """
  - name: say
    inputs: {parameters: [{name: m}]}
    container: {image: b, command: [c], args: ["{{KIND.name}} {{inputs.parameters.m}}"]}
  - {name: main, BODY}
"""
    await run(flow(text.replace("BODY", body).replace("KIND", kind)), arguments_of(seen))

    assert list(seen.values()) == [["x(0:a.b) x(0:a.b)"]]


@pytest.mark.spec("LOOP-2")
async def test_a_loop_that_cannot_be_read_and_need_not_runs_over_nothing() -> None:
    done = await run(flow("""
  - name: main
    steps: [[{name: s, template: sub}, {name: a, template: leaf, withParam: no list, when: "false"}]]
  - {name: sub, dag: {tasks: [{name: b, template: leaf, withParam: no list, when: "1 == 2"}]}}
"""))  # fmt: skip

    found = named(done)
    assert done["status"]["phase"] == "Succeeded"
    assert (found["w[0].a"]["phase"], found["w[0].a"]["message"]) == ("Skipped", "Skipped, empty params")
    assert (found["w[0].s.b"]["phase"], found["w[0].s.b"]["message"]) == ("Skipped", "Skipped, empty params")


PLACE = "s3: {bucket: b, endpoint: e, key: k}"
ARTIFACTS = f"""
  - name: mk
    outputs: {{artifacts: [{{name: a, path: /a, optional: true, {PLACE}}}]}}
    container: {{image: b, command: [c]}}
  - name: us
    inputs: {{artifacts: [{{name: i, path: /i, optional: true}}]}}
    container: {{image: b, command: [c]}}
"""


@pytest.mark.spec("ART-2")
@pytest.mark.spec("ART-5")
@pytest.mark.parametrize("optional", [True, False])
async def test_an_optional_argument_that_was_not_made_is_not_passed(optional: bool) -> None:
    said = ", optional: true" if optional else ""
    steps, dag = (f'{{name: i, from: "{{{{{kind}.n.outputs.artifacts.a}}}}"{said}}}' for kind in ("steps", "tasks"))
    done = await run(flow(f"""{ARTIFACTS}
  - name: sub
    dag:
      tasks:
      - {{name: n, template: mk}}
      - {{name: u, template: us, depends: n, arguments: {{artifacts: [{dag}]}}}}
  - name: main
    steps:
    - - {{name: n, template: mk}}
      - {{name: s, template: sub, continueOn: {{error: true}}}}
    - - {{name: u, template: us, arguments: {{artifacts: [{steps}]}}}}
"""))  # fmt: skip

    found, why = named(done), 'Unable to resolve: "{}.n.outputs.artifacts.a"'
    assert done["status"]["phase"] == ("Succeeded" if optional else "Failed")
    if not optional:
        assert (found["w[0].s.u"]["type"], found["w[0].s.u"]["message"]) == ("Skipped", why.format("tasks"))
        before = "failed to resolve references: unable to resolve references: "
        assert done["status"]["message"] == before + why.format("steps")

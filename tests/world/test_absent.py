"""What was never made: defaults of the producer, then of the consumer, then an error that says so."""

from __future__ import annotations

import pytest

from tests.world.flows import flow, named, nodes, run

pytestmark = pytest.mark.virtual_time

WITH_DEFAULT = """
  - name: defaulted
    container: {image: busybox, command: [echo]}
    outputs: {parameters: [{name: p, valueFrom: {path: /tmp/p, default: producer}}]}
  - name: wants
    inputs: {parameters: [{name: needed}]}
    container: {image: busybox, command: [echo]}
"""


def steps(producer: str, call: str) -> str:
    return flow(f"""{WITH_DEFAULT}
  - name: main
    steps:
    - - {{name: P, template: {producer}, when: "false"}}
    - - {{name: C, {call}}}
""")


def dag(producer: str, call: str) -> str:
    return flow(f"""{WITH_DEFAULT}
  - name: main
    dag:
      tasks:
      - {{name: P, template: {producer}, when: "false"}}
      - {{name: C, depends: P, {call}}}
""")


KINDS = pytest.mark.parametrize(("build", "kind", "phase"), [(steps, "steps", "Failed"), (dag, "tasks", "Error")])


def argument(kind: str, template: str = "leaf", name: str = "m", text: str = "{{%s.P.outputs.parameters.p}}") -> str:
    return f"template: {template}, arguments: {{parameters: [{{name: {name}, value: '{text % kind}'}}]}}"


@pytest.mark.spec("ABS-1")
@KINDS
async def test_the_producers_default_is_a_value(build: object, kind: str, phase: str) -> None:
    done = await run(build("defaulted", argument(kind)))  # type: ignore[operator]

    assert nodes(done)["C"]["inputs"]["parameters"][0]["value"] == "producer"


@pytest.mark.spec("ABS-1")
@pytest.mark.parametrize(("default", "text"), [("true", "true"), ("1.0", "1"), ("2.5e+7", "25000000")])
async def test_a_default_that_is_no_text_is_the_text_of_a_parameter(default: str, text: str) -> None:
    done = await run(
        flow(f"""
  - name: made
    outputs: {{parameters: [{{name: p, valueFrom: {{path: /tmp/p, default: {default}}}}}]}}
    container: {{image: busybox, command: [echo]}}
  - name: main
    steps:
    - - {{name: P, template: made, when: "false"}}
    - - {{name: C, {argument("steps")}}}
""")
    )

    assert nodes(done)["C"]["inputs"]["parameters"][0]["value"] == text


@pytest.mark.spec("ABS-2")
@KINDS
async def test_a_pure_reference_leaves_the_consumers_default(build: object, kind: str, phase: str) -> None:
    done = await run(build("make", argument(kind)))  # type: ignore[operator]

    assert nodes(done)["C"]["inputs"]["parameters"][0]["value"] == "x"
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("ABS-3")
@KINDS
async def test_without_any_default_it_is_an_error(build: object, kind: str, phase: str) -> None:
    done = await run(build("make", argument(kind, "wants", "needed")))  # type: ignore[operator]

    assert nodes(done)["C"]["phase"] == "Error"
    why = "argument references an absent optional (skipped/omitted node output with no default)"
    said = f"inputs.parameters.needed: {why}"
    assert nodes(done)["C"]["message"] == (said if kind == "steps" else f"task 'w.C' errored: {said}")
    assert done["status"]["phase"] == phase


@pytest.mark.spec("ABS-4")
@pytest.mark.spec("EXPR-6")
@KINDS
async def test_inside_a_longer_text_it_is_an_error_at_once(build: object, kind: str, phase: str) -> None:
    done = await run(build("make", argument(kind, text="a {{%s.P.outputs.parameters.p}}")))  # type: ignore[operator]

    refused = nodes(done)["C"] if kind == "tasks" else nodes(done)["[1]"]
    assert "output is an absent optional" in refused["message"]
    assert ("C" in nodes(done)) == (kind == "tasks")  # a group whose steps cannot all be read begins none
    assert done["status"]["phase"] == phase


@pytest.mark.spec("ABS-4")
@pytest.mark.parametrize("text", ["a {{%s.P.outputs.parameters.p}}", "{{item}} {{%s.P.outputs.parameters.p}}"])
async def test_of_a_loop_too_a_group_says_that_it_is_a_reference_which_is_absent(text: str) -> None:
    done = await run(steps("make", argument("steps", text=text) + ", withItems: [1]"))

    why = "output is an absent optional (skipped/omitted node with no default)"
    said = f"failed to resolve references: unable to substitute {{{{steps.P.outputs.parameters.p}}}}: {why}"
    assert (nodes(done)["[1]"]["phase"], nodes(done)["[1]"]["message"]) == ("Error", said)


@pytest.mark.spec("ABS-5")
@KINDS
async def test_an_expression_may_fall_back(build: object, kind: str, phase: str) -> None:
    done = await run(build("make", argument(kind, text='{{= %s.P.outputs.parameters.p ?? "d" }}')))  # type: ignore[operator]

    assert nodes(done)["C"]["inputs"]["parameters"][0]["value"] == "d"


@pytest.mark.spec("ABS-6")
@pytest.mark.parametrize("default", ["", "default: mine"])
async def test_a_template_output_that_points_at_it_has_its_own_default_or_is_an_error(default: str) -> None:
    done = await run(flow(f"""
  - name: inner
    steps: [[{{name: P, template: make, when: "false"}}]]
    outputs:
      parameters:
      - {{name: a, valueFrom: {{parameter: "{{{{steps.P.outputs.parameters.p}}}}", {default}}}}}
  - name: main
    steps: [[{{name: in, template: inner}}]]
"""))  # fmt: skip

    if default:
        assert nodes(done)["in"]["outputs"]["parameters"] == [{"name": "a", "value": "mine"}]
        assert done["status"]["phase"] == "Succeeded"
    else:
        why = "is an absent optional (skipped/omitted node output with no default)"
        said = f'output parameter "a": "{{{{steps.P.outputs.parameters.p}}}}" {why}'
        assert (nodes(done)["in"]["phase"], nodes(done)["in"]["message"]) == ("Error", said)
        assert done["status"]["phase"] == "Failed"
        assert done["status"]["message"] == f"step group deemed errored due to child w[0].in error: {said}"


@pytest.mark.spec("ABS-7")
@KINDS
@pytest.mark.parametrize("optional", ["true", "false"])
async def test_an_artifact_that_was_never_made_is_dropped_when_it_is_optional(
    build: object, kind: str, phase: str, optional: str
) -> None:
    text = build(
        "drop",
        f"template: takes, arguments: {{artifacts: [{{name: a, from: '{{{{{kind}.P.outputs.artifacts.a}}}}'}}]}}",
    )  # type: ignore[operator]
    text += f"""
  - name: drop
    container: {{image: busybox, command: [echo]}}
    outputs: {{artifacts: [{{name: a, path: /tmp/a}}]}}
  - name: takes
    inputs: {{artifacts: [{{name: a, path: /tmp/a, optional: {optional}}}]}}
    container: {{image: busybox, command: [echo]}}
"""
    done = await run(text)

    assert done["status"]["phase"] == ("Succeeded" if optional == "true" else phase)

    if optional == "false":
        assert nodes(done)["C"]["message"].endswith("inputs.artifacts.a missing location information")


@pytest.mark.spec("ABS-7")
@pytest.mark.spec("STEP-8")
@KINDS
@pytest.mark.parametrize("optional", [True, False])
async def test_of_an_artifact_that_a_template_hands_out_but_nobody_made_steps_keep_the_name(
    build: object, kind: str, phase: str, optional: bool
) -> None:
    said = ", optional: true" if optional else ""
    source = f"{kind}.P.outputs.artifacts.a"
    calls = 'steps: [[{name: P, template: drop, when: "false"}]]'
    if kind == "tasks":
        calls = 'dag: {tasks: [{name: P, template: drop, when: "false"}]}'
    done = await run(
        flow(f"""
  - name: drop
    container: {{image: busybox, command: [echo]}}
    outputs: {{artifacts: [{{name: a, path: /tmp/a}}]}}
  - name: main
    {calls}
    outputs: {{artifacts: [{{name: z, from: "{{{{{source}}}}}"{said}}}]}}
""")
    )

    whole = named(done)["w"]
    if kind == "tasks" and not optional:
        why = f'unable to resolve outputs from scope: Unable to resolve: "{source}"'
        assert (whole["phase"], whole["message"]) == ("Error", why)
    else:
        assert whole["phase"] == "Succeeded"
        assert whole.get("outputs") == ({"artifacts": [{"name": "z"}]} if kind == "steps" else None)


@pytest.mark.spec("ABS-9")
@KINDS
async def test_a_loop_over_it_is_an_error(build: object, kind: str, phase: str) -> None:
    done = await run(build("make", f"template: leaf, withParam: '{{{{{kind}.P.outputs.parameters.p}}}}'"))  # type: ignore[operator]

    assert done["status"]["phase"] == phase


@pytest.mark.parametrize("loop", ["", "withItems: [1]"])
async def test_of_an_artifact_whose_expression_fails_a_group_says_that_it_is_a_reference(loop: str) -> None:
    done = await run(
        flow(f"""
  - name: take
    inputs: {{artifacts: [{{name: a, path: /tmp/a}}]}}
    container: {{image: busybox, command: [echo]}}
  - name: main
    steps:
    - - {{name: P, template: leaf}}
    - - name: C
        template: take
        arguments: {{artifacts: [{{name: a, fromExpression: "steps.P.outputs.artifacts.a"}}]}}
        {loop}
""")
    )

    said = "failed to resolve references: unable to resolve references: cannot fetch artifacts from <nil> (1:17)"
    assert nodes(done)["[1]"]["message"].partition("\n")[0] == said

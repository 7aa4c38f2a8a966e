"""Steps templates: groups in order, their nodes, edges, phases and messages to the letter."""

from __future__ import annotations

import pytest

from tests.world.flows import FAIL, flow, named, node_id, nodes, phases, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

TWO_GROUPS = flow("""
  - name: main
    steps:
    - - {name: a, template: leaf}
      - {name: b, template: leaf}
    - - {name: c, template: leaf}
""")


@pytest.mark.spec("STEP-2")
@pytest.mark.spec("TMPL-6")
@pytest.mark.spec("TMPL-1")
async def test_a_group_hangs_on_the_ends_of_the_group_before_it() -> None:
    found = named(await run(TWO_GROUPS))

    assert found["w"]["type"] == "Steps"
    assert found["w"]["children"] == [node_id("w[0]")]
    assert found["w[0]"]["type"] == "StepGroup"
    assert found["w[0]"]["boundaryID"] == "w"
    assert found["w[0]"]["displayName"] == "[0]"
    assert found["w[0]"]["children"] == [node_id("w[0].a"), node_id("w[0].b")]
    for step in ("w[0].a", "w[0].b"):
        assert found[step]["children"] == [node_id("w[1]")]
        assert found[step]["boundaryID"] == "w"
        assert found[step]["type"] == "Pod"
    assert found["w"]["outboundNodes"] == [node_id("w[1].c")]
    assert found["w[1].c"]["templateName"] == "leaf"
    assert found["w[1].c"]["templateScope"] == "local/w"


@pytest.mark.spec("STEP-5")
@pytest.mark.parametrize(("outcome", "phase"), [(FAIL, "Failed"), (Outcome(vanishes=True), "Error")])
async def test_a_child_that_fails_or_errs_makes_group_and_steps_failed_with_its_id(
    outcome: Outcome, phase: str
) -> None:
    done = await run(TWO_GROUPS, table(b=outcome))

    told = f"child '{node_id('w[0].b')}' failed"
    found = named(done)
    assert found["w[0].b"]["phase"] == phase
    for name in ("w[0]", "w"):
        assert (found[name]["phase"], found[name]["message"]) == ("Failed", told)
    assert (done["status"]["phase"], done["status"]["message"]) == ("Failed", told)
    assert "w[1]" not in found


@pytest.mark.spec("STEP-4")
async def test_the_first_failed_child_in_order_names_the_group() -> None:
    found = named(await run(TWO_GROUPS, table(a=Outcome(code=1, delay_s=30), b=FAIL)))

    assert found["w[0]"]["message"] == f"child '{node_id('w[0].a')}' failed"


@pytest.mark.spec("STEP-6")
async def test_a_step_that_cannot_be_started_makes_its_group_an_error_and_the_steps_failed() -> None:
    done = await run(flow("""
  - name: wants
    inputs: {parameters: [{name: needed}]}
    container: {image: busybox, command: [echo]}
  - name: main
    steps:
    - - {name: make, template: make, when: "false"}
    - - {name: a, template: wants, arguments: {parameters: [
          {name: needed, value: "{{steps.make.outputs.parameters.p}}"}]}}
"""))  # fmt: skip

    found = named(done)
    assert (found["w[1].a"]["type"], found["w[1].a"]["phase"]) == ("Skipped", "Error")
    assert found["w[1]"]["phase"] == "Error"
    why = found["w[1].a"]["message"]
    assert "absent optional" in why
    assert found["w[1]"]["message"] == f"step group deemed errored due to child w[1].a error: {why}"
    assert (found["w"]["phase"], done["status"]["phase"]) == ("Failed", "Failed")


@pytest.mark.spec("STEP-9")
@pytest.mark.spec("COND-1")
async def test_a_skipped_step_says_which_condition_was_false() -> None:
    done = await run(flow("""
  - name: main
    inputs: {parameters: [{name: side, default: tails}]}
    steps:
    - - {name: a, template: leaf, when: "{{inputs.parameters.side}} == heads"}
      - {name: b, template: leaf, when: "{{inputs.parameters.side}} != heads && 3 > 2"}
"""))  # fmt: skip

    found = nodes(done)
    assert found["a"]["type"] == "Skipped"
    assert found["a"]["phase"] == "Skipped"
    assert found["a"]["message"] == "when 'tails == heads' evaluated false"
    assert found["a"]["templateName"] == "leaf"
    assert "progress" not in found["a"]
    assert found["b"]["phase"] == "Succeeded"
    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["progress"] == "1/1"


@pytest.mark.spec("COND-1")
@pytest.mark.spec("STEP-6")
async def test_a_condition_that_cannot_be_read_is_an_error_of_the_group_and_none_of_its_steps_begins() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: a, template: leaf, when: "1 +"}
      - {name: b, template: leaf}
"""))  # fmt: skip

    assert phases(done) == {"w": "Failed", "w[0]": "Error"}
    assert done["status"]["message"].startswith("failed to resolve references: Invalid 'when' expression '1 +'")
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("STEP-6")
@pytest.mark.parametrize("dies", [False, True])
async def test_of_an_item_whose_condition_cannot_be_read_the_group_says_no_more_than_that(dies: bool) -> None:
    text = flow("""
  - name: main
    steps:
    - - {name: a, template: leaf, withItems: ["b", "b b"], when: "a != {{item}}"}
""")
    async with world(table(a=Outcome(delay_s=60))) as here:
        ref = await here.submit(text)
        await here.after(20)
        if dies:
            here.die()
        await here.end_of(ref)
        done = await here.at_rest(ref)

    found = named(done)
    why = "Invalid 'when' expression 'a != b b': Cannot transition token types"
    for name in ("w[0].a(1:b b)", "w[0]", "w"):
        assert found[name]["message"].startswith(why)
    assert found["w[0].a(0:b)"]["phase"] == "Succeeded"
    assert done["status"]["message"].startswith(why)


@pytest.mark.spec("STEP-6")
async def test_a_loop_over_what_is_no_list_is_an_error_of_the_group_in_the_loops_own_words() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: b, template: leaf}
      - {name: a, template: leaf, withParam: nonsense}
"""))  # fmt: skip

    assert phases(done) == {"w": "Failed", "w[0]": "Error"}
    assert done["status"]["message"].startswith("withParam value could not be parsed as a JSON list: nonsense: ")


@pytest.mark.spec("DAG-10")
async def test_a_loop_over_nothing_is_drawn_before_the_steps_beside_it() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: b, template: leaf}
      - {name: a, template: leaf, withParam: "[]"}
"""))  # fmt: skip

    assert named(done)["w[0]"]["children"] == [node_id("w[0].a"), node_id("w[0].b")]


@pytest.mark.spec("COND-3")
@pytest.mark.spec("ABS-8")
async def test_a_step_that_does_not_run_need_not_resolve_its_arguments() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: a, template: make, when: "false"}
    - - {name: b, template: leaf, when: "1 == 2", arguments: {parameters: [
          {name: m, value: "x {{steps.a.outputs.parameters.p}}"}]}}
"""))  # fmt: skip

    assert phases(done)["w[1].b"] == "Skipped"
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("COND-2")
async def test_a_condition_may_be_an_expression() -> None:
    done = await run(flow("""
  - name: main
    inputs: {parameters: [{name: n, default: "7"}]}
    steps:
    - - {name: a, template: leaf, when: "{{= asInt(inputs.parameters.n) > 5 }}"}
      - {name: b, template: leaf, when: "{{= asInt(inputs.parameters.n) > 8 }} || false"}
"""))  # fmt: skip

    assert (phases(done)["w[0].a"], phases(done)["w[0].b"]) == ("Succeeded", "Skipped")


@pytest.mark.spec("STEP-8")
@pytest.mark.spec("PARAM-4")
@pytest.mark.spec("COND-5")
async def test_outputs_of_steps_are_taken_from_their_scope() -> None:
    done = await run(flow("""
  - name: inner
    steps:
    - - {name: a, template: make}
    - - {name: b, template: make, when: "false"}
    outputs:
      parameters:
      - {name: first, valueFrom: {parameter: "{{steps.a.outputs.parameters.p}}"}}
      - {name: other, valueFrom: {parameter: "{{steps.b.outputs.parameters.p}}", default: none}}
      - {name: either, valueFrom: {expression: "steps.b.outputs.parameters.p ?? steps.a.outputs.parameters.p"}}
  - name: main
    steps:
    - - {name: in, template: inner}
    - - {name: c, template: leaf, arguments: {parameters: [
          {name: m, value: "{{steps.in.outputs.parameters.first}}/{{steps.in.outputs.parameters.other}}"}]}}
"""), table(a=Outcome(parameters={"p": "made"})))  # fmt: skip

    outputs = {entry["name"]: entry["value"] for entry in nodes(done)["in"]["outputs"]["parameters"]}
    assert outputs == {"first": "made", "other": "none", "either": "made"}
    assert nodes(done)["c"]["inputs"]["parameters"][0]["value"] == "made/none"


@pytest.mark.spec("STEP-8")
@pytest.mark.spec("PARAM-4")
async def test_a_name_without_its_braces_is_the_output_of_that_name() -> None:
    done = await run(flow("""
  - name: main
    steps: [[{name: a, template: make}], [{name: b, template: make, when: "false"}]]
    outputs:
      parameters:
      - {name: made, valueFrom: {parameter: steps.a.outputs.parameters.p}}
      - {name: other, valueFrom: {parameter: steps.b.outputs.parameters.p, default: none}}
"""), table(a=Outcome(parameters={"p": "made"})))  # fmt: skip

    outputs = {entry["name"]: entry["value"] for entry in named(done)["w"]["outputs"]["parameters"]}
    assert outputs == {"made": "made", "other": "none"}


@pytest.mark.spec("STEP-8")
@pytest.mark.parametrize("calls", ["steps: [[{name: a, template: leaf}]]", "dag: {tasks: [{name: a, template: leaf}]}"])
async def test_what_a_template_knows_anyhow_it_may_hand_out(calls: str) -> None:
    done = await run(
        flow(f"""
  - name: main
    inputs: {{parameters: [{{name: i, value: of the input}}]}}
    {calls}
    outputs:
      parameters:
      - {{name: input, valueFrom: {{parameter: "{{{{inputs.parameters.i}}}}"}}}}
      - {{name: name, valueFrom: {{expression: workflow.name}}}}
""")
    )

    outputs = {entry["name"]: entry["value"] for entry in named(done)["w"]["outputs"]["parameters"]}
    assert outputs == {"input": "of the input", "name": "w"}


@pytest.mark.spec("STEP-7")
async def test_a_step_may_not_refer_to_a_step_beside_it() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: a, template: make}
      - {name: b, template: leaf, arguments: {parameters: [{name: m, value: "{{steps.a.outputs.parameters.p}}"}]}}
"""))  # fmt: skip

    assert done["status"]["phase"] == "Failed"
    assert done["status"]["message"].startswith("invalid spec: ")
    assert not done["status"].get("nodes")


@pytest.mark.spec("STEP-10")
@pytest.mark.spec("LOOP-5")
async def test_items_of_a_loop_hang_directly_on_the_group() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: a, template: leaf, withItems: ["x (y)", 2], arguments: {parameters: [{name: m, value: "{{item}}"}]}}
    - - {name: b, template: leaf}
"""))  # fmt: skip

    found = named(done)
    assert found["w[0]"]["children"] == [node_id("w[0].a(0:x y)"), node_id("w[0].a(1:2)")]
    assert "w[0].a" not in found
    assert found["w[0].a(0:x y)"]["displayName"] == "a(0:x y)"
    assert found["w[0].a(0:x y)"]["inputs"]["parameters"][0]["value"] == "x (y)"
    assert found["w[0].a(1:2)"]["children"] == [node_id("w[1]")]
    assert {entry["type"] for entry in found.values()} == {"Steps", "StepGroup", "Pod"}


@pytest.mark.spec("CONT-1")
@pytest.mark.parametrize(
    ("outcome", "proceed", "phase"),
    [
        (FAIL, "failed", "Succeeded"),
        (FAIL, "error", "Failed"),
        (Outcome(vanishes=True), "error", "Succeeded"),
        (Outcome(vanishes=True), "failed", "Failed"),
    ],
)
async def test_a_step_is_forgiven_only_the_phase_it_names(outcome: Outcome, proceed: str, phase: str) -> None:
    done = await run(flow(f"""
  - name: main
    steps:
    - - {{name: a, template: leaf, continueOn: {{{proceed}: true}}}}
    - - {{name: b, template: leaf}}
"""), table(a=outcome))  # fmt: skip

    assert done["status"]["phase"] == phase
    assert phases(done)["w[0].a"] in {"Failed", "Error"}
    assert ("w[1].b" in phases(done)) is (phase == "Succeeded")


async def test_an_empty_group_is_passed_at_once() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - []
    - - {name: b, template: leaf}
"""))  # fmt: skip

    assert named(done)["w[0]"]["children"] == [node_id("w[1]")]
    assert done["status"]["phase"] == "Succeeded"

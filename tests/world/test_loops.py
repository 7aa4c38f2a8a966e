"""Loops: what is expanded, what an item is, and what all of them are together afterwards."""

from __future__ import annotations

import pytest

from tests.world.flows import FAIL, arguments_of, flow, named, nodes, phases, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time


def looped(loop: str, value: str = "{{item}}", after: str = "", kind: str = "leaf") -> str:
    return flow(f"""
  - name: main
    steps:
    - - {{name: a, template: {kind}, {loop}, arguments: {{parameters: [{{name: m, value: '{value}'}}]}}}}
{after}""")


def given(done: object) -> dict[str, str]:
    return {
        name: entry["inputs"]["parameters"][0]["value"]
        for name, entry in nodes(done).items()  # type: ignore[arg-type]
        if entry.get("inputs")
    }


@pytest.mark.spec("LOOP-1")
@pytest.mark.spec("LOOP-4")
async def test_items_keep_the_spelling_they_were_written_with() -> None:
    done = await run(looped('withItems: [1, "1", true, [1, 2], hello world, 1.0]'))

    assert given(done) == {
        "a(0:1)": "1", "a(1:1)": "1", "a(2:true)": "true", "a(3:[1 2])": "[1,2]", "a(4:hello world)": "hello world",
        "a(5:1)": "1",
    }  # fmt: skip


@pytest.mark.spec("LOOP-4")
@pytest.mark.spec("LOOP-5")
async def test_a_map_is_its_json_and_its_fields_are_texts() -> None:
    done = await run(looped("withItems: [{os: debian, version: 9}]", "{{item.os}}-{{item.version}}-{{item}}"))

    assert given(done) == {"a(0:os:debian,version:9)": 'debian-9-{"os":"debian","version":9}'}


@pytest.mark.spec("LOOP-4")
@pytest.mark.spec("LOOP-5")
async def test_escapes_that_json_does_not_need_are_read() -> None:
    done = await run(looped(r"""withParam: '["\u00e9", {"k": "\u00e9"}]'""", "{{item}}"))

    assert given(done) == {"a(0:é)": "é", "a(1:k:é)": '{"k":"é"}'}


@pytest.mark.spec("LOOP-1")
async def test_an_empty_literal_list_is_no_loop() -> None:
    done = await run(looped("withItems: []"))

    assert given(done) == {"a": "{{item}}"}


@pytest.mark.spec("LOOP-2")
async def test_with_param_reads_what_a_step_has_printed() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: g, template: make}
    - - {name: a, template: leaf, withParam: "{{steps.g.outputs.result}}",
         arguments: {parameters: [{name: m, value: "{{item.n}}"}]}}
"""), table(g=Outcome(result='[{"n": "x"}, {"n": 5}]', parameters={"p": ""})))  # fmt: skip

    assert given(done) == {"a(0:n:x)": "x", "a(1:n:5)": "5"}


@pytest.mark.spec("LOOP-2")
@pytest.mark.parametrize(("when", "phase"), [("", "Failed"), (', when: "false"', "Succeeded")])
async def test_a_loop_over_what_is_no_list_is_an_error_unless_it_is_skipped(when: str, phase: str) -> None:
    done = await run(looped(f"withParam: 'nonsense'{when}", "x"))

    assert done["status"]["phase"] == phase
    if phase == "Failed":
        assert "withParam value could not be parsed as a JSON list" in nodes(done)["[0]"]["message"]


@pytest.mark.spec("LOOP-2")
@pytest.mark.spec("COND-3")
@pytest.mark.parametrize("kind", ["steps", "tasks"])
@pytest.mark.parametrize("loop", ["withParam: '[{{%s.a.exitCode}}, 1]'", "withSequence: {end: '{{%s.a.exitCode}}'}"])
async def test_of_a_loop_that_does_not_run_what_others_made_is_not_looked_at(kind: str, loop: str) -> None:
    looping = f'template: leaf, when: "1 == 2", {loop % kind}'
    body = f"steps: [[{{name: a, template: leaf}}], [{{name: b, {looping}}}]]"
    if kind == "tasks":
        after = f"{{name: b, depends: a, {looping}}}, {{name: c, template: leaf, depends: b.Skipped}}"
        body = f"dag: {{tasks: [{{name: a, template: leaf}}, {after}]}}"
    done = await run(flow(f"  - name: main\n    {body}\n"))

    assert (nodes(done)["b"]["phase"], nodes(done)["b"]["message"]) == ("Skipped", "Skipped, empty params")
    assert not any(name.startswith("b(") for name in nodes(done))
    assert kind == "steps" or nodes(done)["c"]["phase"] == "Succeeded"


@pytest.mark.spec("LOOP-3")
@pytest.mark.parametrize(
    ("sequence", "values"),
    [
        ('count: "3"', ["0", "1", "2"]),
        ('start: "1", end: "0"', ["1", "0"]),
        ('count: "-2", start: "5"', ["5", "4", "3", "2"]),
        ('start: "1", end: "2", format: "v%02X"', ["v01", "v02"]),
    ],
)
async def test_a_sequence_counts_either_way(sequence: str, values: list[str]) -> None:
    done = await run(looped(f"withSequence: {{{sequence}}}"))

    assert list(given(done).values()) == values


@pytest.mark.spec("LOOP-3")
async def test_a_sequence_of_none_is_skipped() -> None:
    done = await run(looped('withSequence: {count: "0"}'))

    assert nodes(done)["a"]["message"] == "Skipped, empty params"


@pytest.mark.spec("LOOP-6")
async def test_inside_a_loop_every_tag_must_resolve_and_outside_it_stays() -> None:
    done = await run(looped("withItems: [1]", "{{ jinja }}"))
    assert done["status"]["phase"] == "Failed"

    done = await run(looped("when: 'true'", "{{ jinja }}"))
    assert given(done) == {"a": "{{ jinja }}"}


@pytest.mark.spec("LOOP-6")
@pytest.mark.parametrize("loop", ["", "withItems: [1]"])
async def test_inside_a_loop_the_tags_of_an_artifact_must_resolve_too(loop: str) -> None:
    done = await run(
        flow(f"""
  - name: take
    inputs: {{artifacts: [{{name: a, path: /tmp/a}}]}}
    container: {{image: busybox, command: [echo]}}
  - name: main
    steps:
    - - name: a
        template: take
        arguments: {{artifacts: [{{name: a, raw: {{data: "{{{{ jinja }}}}"}}}}]}}
        {loop}
""")
    )

    assert done["status"]["phase"] == ("Failed" if loop else "Succeeded")
    assert nodes(done)["[0]"].get("message") == ("failed to resolve {{ jinja }}" if loop else None)


@pytest.mark.spec("LOOP-6")
@pytest.mark.parametrize(("kind", "refused"), [("steps", "[0]"), ("tasks", "a")])
async def test_a_condition_that_asks_for_what_an_item_does_not_have_cannot_be_resolved(kind: str, refused: str) -> None:
    looping = """{name: a, template: leaf, withParam: '[{"x": 1}]', when: "{{item.y}} == 1"}"""
    body = f"steps: [[{looping}]]" if kind == "steps" else f"dag: {{tasks: [{looping}]}}"
    done = await run(flow(f"  - name: main\n    {body}\n"))

    assert (nodes(done)[refused]["phase"], nodes(done)[refused]["message"]) == ("Error", "failed to resolve {{item.y}}")
    assert "a(0:x:1)" not in nodes(done)


@pytest.mark.spec("LOOP-7")
async def test_an_item_that_does_not_run_need_not_resolve_its_arguments() -> None:
    done = await run(looped("""withParam: '[{"x": 1, "y": 2}, {"x": 3}]', when: "{{item.x}} == 1\"""", "{{item.y}}"))

    assert (done["status"]["phase"], given(done)) == ("Succeeded", {"a(0:x:1,y:2)": "2"})
    assert nodes(done)["a(1:x:3)"]["phase"] == "Skipped"


@pytest.mark.spec("LOOP-6")
@pytest.mark.spec("DAG-14")
@pytest.mark.parametrize("dies", [False, True])
async def test_of_a_task_of_which_one_item_cannot_be_resolved_nothing_runs_but_its_exit_handler(dies: bool) -> None:
    text = flow("""
  - name: main
    dag:
      tasks:
      - {name: a, template: leaf, withItems: [1, {a: b}], hooks: {exit: {template: leaf}},
         arguments: {parameters: [{name: m, value: "{{item.a}}"}]}}
      - {name: b, template: leaf, depends: a.Errored}
""")
    async with world(table(b=Outcome(delay_s=60))) as here:
        ref = await here.submit(text)
        await here.after(20)
        if dies:
            here.die()
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert phases(done) == {"w": "Succeeded", "w.a": "Error", "w.a.onExit": "Succeeded", "w.b": "Succeeded"}
    assert (nodes(done)["a"]["type"], nodes(done)["a"]["message"]) == ("Skipped", "failed to resolve {{item.a}}")


@pytest.mark.spec("LOOP-7")
@pytest.mark.spec("LOOP-8")
async def test_skipped_and_failed_items_leave_no_hole_in_the_list() -> None:
    done = await run(looped(
        'withItems: [1, 2, 3, 4], when: "{{item}} != 2", continueOn: {failed: true}', after="""
    - - {name: z, template: leaf, arguments: {parameters: [{name: m, value: '{{steps.a.outputs.parameters.p}}'}]}}
""", kind="make"), table(**{"a(0:1)": Outcome(parameters={"p": "x"}), "a(2:3)": FAIL,
                            "a(3:4)": Outcome(parameters={"p": "y"})}))  # fmt: skip

    assert phases(done)["w[0].a(1:2)"] == "Skipped"
    assert nodes(done)["z"]["inputs"]["parameters"][0]["value"] == '["x","y"]'


@pytest.mark.spec("LOOP-8")
async def test_values_that_are_all_json_objects_are_embedded() -> None:
    done = await run(looped("withItems: [1, 2]", after="""
    - - {name: z, template: leaf, arguments: {parameters: [{name: m, value: '{{steps.a.outputs.parameters.p}}'}]}}
      - {name: y, template: leaf, arguments: {parameters: [{name: m, value: '{{steps.a.outputs.parameters}}'}]}}
""", kind="make"), table(a=Outcome(parameters={"p": '{"k": 1}'})))  # fmt: skip

    assert nodes(done)["z"]["inputs"]["parameters"][0]["value"] == '[{"k":1},{"k":1}]'
    assert nodes(done)["y"]["inputs"]["parameters"][0]["value"] == '[{"p":"{\\"k\\": 1}"},{"p":"{\\"k\\": 1}"}]'


@pytest.mark.spec("LOOP-8")
async def test_a_result_that_is_not_json_is_an_error_of_the_steps_and_not_of_their_group() -> None:
    done = await run(looped("withItems: [1]", after="""
    - - {name: z, template: leaf, arguments: {parameters: [{name: m, value: '{{steps.a.outputs.result}}'}]}}
""", kind="make"), table(a=Outcome(result="foo", parameters={"p": ""})))  # fmt: skip

    assert (phases(done)["w[0]"], phases(done)["w"]) == ("Succeeded", "Error")
    assert done["status"]["phase"] == "Error"
    assert done["status"]["message"].startswith("error in entry template execution: invalid character 'o'")


def unreadable(more: str = "") -> str:
    return flow(f"""
  - name: main
    dag:
      tasks:
      - {{name: a, template: make, withItems: [1, 2]}}
      - {{name: c, depends: a, template: leaf, hooks: {{exit: {{template: leaf}}}}, arguments: {{parameters: [
          {{name: m, value: '{{{{tasks.a.outputs.result}}}}'}}]}}}}
{more}""")


NO_JSON = "invalid character 'h' looking for beginning of value"
HELLO = Outcome(result="hello", parameters={"p": ""})


@pytest.mark.spec("LOOP-8")
@pytest.mark.spec("DAG-14")
async def test_a_result_that_is_not_json_is_an_error_of_the_task_that_follows_and_of_the_dag_not_of_the_loop() -> None:
    done = await run(unreadable("""
      - {name: d, depends: c, template: leaf}
      - {name: e, depends: c.Errored, template: leaf}
      - {name: f, template: leaf}
"""), table(a=HELLO))  # fmt: skip

    found = named(done)
    assert phases(done) == {
        "w": "Error", "w.a": "Succeeded", "w.a(0:1)": "Succeeded", "w.a(1:2)": "Succeeded", "w.c": "Error",
        "w.d": "Omitted", "w.e": "Error", "w.f": "Succeeded",
    }  # fmt: skip
    assert "message" not in found["w.a"]
    assert {found[name]["type"] for name in ("w.c", "w.d", "w.e")} == {"Skipped"}
    assert {found[name]["message"] for name in ("w", "w.c", "w.e")} == {NO_JSON}
    assert (done["status"]["phase"], done["status"]["message"]) == (
        "Error", f"error in entry template execution: {NO_JSON}",
    )  # fmt: skip


@pytest.mark.spec("LOOP-8")
@pytest.mark.spec("DAG-13")
@pytest.mark.parametrize(("outcome", "phase", "message"), [(Outcome(), "Error", NO_JSON), (FAIL, "Failed", None)])
async def test_a_dag_that_ends_with_a_loop_whose_results_are_not_json_is_an_error_unless_it_has_failed(
    outcome: Outcome, phase: str, message: str | None
) -> None:
    done = await run(flow("""
  - name: main
    outputs: {parameters: [{name: o, valueFrom: {parameter: '{{tasks.a.outputs.result}}'}}]}
    dag: {tasks: [{name: a, template: make, withItems: [1]}, {name: f, template: leaf}]}
"""), table(a=HELLO, f=outcome))  # fmt: skip

    assert (phases(done)["w.a"], phases(done)["w"]) == ("Succeeded", phase)
    assert named(done)["w"].get("message") == message


@pytest.mark.spec("LOOP-8")
async def test_a_result_that_is_not_json_is_an_error_of_the_dag_still_when_the_controllers_begin_again() -> None:
    text = unreadable("      - {name: f, template: leaf}\n      - {name: d, depends: c && f, template: leaf}\n")
    async with world(table(a=HELLO, f=Outcome(delay_s=60))) as here:
        ref = await here.submit(text)
        await here.after(20)
        assert nodes(await here.api.get(ref))["c"]["phase"] == "Error"
        here.die()
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert done["status"]["message"] == f"error in entry template execution: {NO_JSON}"
    assert (phases(done)["w.c"], phases(done)["w.d"]) == ("Error", "Omitted")


@pytest.mark.spec("LOOP-9")
async def test_a_dag_loop_of_which_all_are_skipped_has_empty_aggregates() -> None:
    done = await run(flow("""
  - name: main
    dag:
      tasks:
      - {name: L, template: make, withItems: [1, 2], when: "{{item}} == 3"}
      - {name: Z, template: leaf, depends: L, arguments: {parameters: [
          {name: m, value: "{{tasks.L.outputs.parameters}}"}]}}
"""))  # fmt: skip

    assert nodes(done)["Z"]["inputs"]["parameters"][0]["value"] == "[]"


@pytest.mark.spec("HOOK-5")
async def test_each_item_has_its_own_hooks_and_they_are_no_part_of_the_aggregate() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - name: a
        template: make
        withItems: [1, 2]
        hooks:
          exit: {template: make}
          up: {template: make, expression: 'steps.a.status == "Running"'}
    - - {name: z, template: leaf, arguments: {parameters: [{name: m, value: '{{steps.a.outputs.parameters.p}}'}]}}
"""), table(a=Outcome(parameters={"p": "x"}, delay_s=5), up=Outcome(parameters={"p": "h"}),
            onExit=Outcome(parameters={"p": "e"})))  # fmt: skip

    found = phases(done)
    for item in ("w[0].a(0:1)", "w[0].a(1:2)"):
        assert found[f"{item}.onExit"] == "Succeeded"
        assert found[f"{item}.hooks.up"] == "Succeeded"
    assert nodes(done)["z"]["inputs"]["parameters"][0]["value"] == '["x","x"]'


@pytest.mark.spec("HOOK-5")
@pytest.mark.spec("LOOP-6")
@pytest.mark.parametrize("when", ['"{{item}}" == "y"', 'steps["l(1:y)"]?.status == "Succeeded"'])
async def test_a_steps_hook_may_ask_which_item_it_is_for(when: str) -> None:
    done = await run(flow(f"""
  - name: main
    steps:
    - - name: l
        template: leaf
        withItems: [x, y]
        hooks:
          exit: {{template: leaf, expression: '{when}'}}
          done: {{template: leaf, expression: '{when.replace("Succeeded", "Running")}'}}
"""), table(l=Outcome(delay_s=5)))  # fmt: skip

    assert {name for name in phases(done) if "onExit" in name or "hooks" in name} == {
        "w[0].l(1:y).onExit", "w[0].l(1:y).hooks.done",
    }  # fmt: skip


@pytest.mark.spec("EXPR-4")
async def test_a_tag_inside_a_tag_is_completed_first() -> None:
    seen: dict[str, list[str]] = {}
    text = flow("""
  - name: say
    inputs: {parameters: [{name: x}, {name: which, default: x}]}
    container: {image: busybox, command: [echo], args: ["{{inputs.parameters.{{inputs.parameters.which}}}}"]}
  - name: main
    inputs: {parameters: [{name: a, default: "{{inputs.parameters.b}}"}, {name: b, default: two}]}
    steps:
    - - {name: s, template: say, withItems: [a, b],
         arguments: {parameters: [{name: x, value: "{{inputs.parameters.{{item}}}}"}]}}
""")
    await run(text, arguments_of(seen))

    assert seen == {"w[0].s(0:a)": ["two"], "w[0].s(1:b)": ["two"]}


@pytest.mark.spec("LOOP-10")
async def test_a_loop_of_two_hundred_is_two_hundred_nodes() -> None:
    done = await run(looped('withSequence: {count: "200"}'))

    assert done["status"]["progress"] == "200/200"


@pytest.mark.spec("LOOP-3")
@pytest.mark.parametrize("sequence", ["{start: '1'}", "{}"])
async def test_a_sequence_that_does_not_say_how_far_is_an_error_of_its_group_or_task(sequence: str) -> None:
    said = "neither end nor count was specified in withSequence"
    steps = await run(flow(f"""
  - name: main
    steps: [[{{name: a, template: leaf, withSequence: {sequence}}}]]
"""), table())  # fmt: skip
    assert phases(steps)["w[0]"] == "Error"
    assert said in named(steps)["w[0]"]["message"]
    assert steps["status"]["phase"] in {"Failed", "Error"}
    dag = await run(flow(f"""
  - name: main
    dag: {{tasks: [{{name: a, template: leaf, withSequence: {sequence}}}]}}
"""), table())  # fmt: skip
    task = named(dag)["w.a"]
    assert (task["type"], task["phase"]) == ("Skipped", "Error")
    assert said in task["message"]

"""Small things that upstream's controller was seen to do, run beside this one on the same manifests.

Each is what somebody's script may look at: the words of a message, an edge, a field that is there or is not.
"""

from __future__ import annotations

import pytest

from tests.world.flows import FAIL, flow, named, node_id, nodes, run, table
from tests.world.world import Outcome

pytestmark = pytest.mark.virtual_time


@pytest.mark.spec("LOOP-5")
@pytest.mark.spec("DAG-9")
async def test_the_group_of_a_looped_task_bears_the_name_of_its_template() -> None:
    done = await run(flow("""
  - name: main
    dag: {tasks: [{name: a, template: leaf, withItems: [1, 2]}]}
"""))  # fmt: skip

    group = nodes(done)["a"]
    assert (group["type"], group["templateName"], group["templateScope"]) == ("TaskGroup", "leaf", "local/w")


@pytest.mark.spec("STEP-8")
async def test_what_a_template_hands_out_is_a_name_and_a_value() -> None:
    done = await run(flow("""
  - name: inner
    outputs: {parameters: [{name: r, valueFrom: {parameter: "{{steps.m.outputs.parameters.p}}"}}]}
    steps: [[{name: m, template: make}]]
  - name: main
    steps: [[{name: i, template: inner}]]
"""), table(m=Outcome(parameters={"p": "v"})))  # fmt: skip

    assert nodes(done)["i"]["outputs"]["parameters"] == [{"name": "r", "value": "v"}]


@pytest.mark.spec("CSET-5")
async def test_what_follows_a_set_of_containers_hangs_on_its_last_ones() -> None:
    done = await run(flow("""
  - name: set
    containerSet:
      containers:
      - {name: a, image: busybox, command: [echo]}
      - {name: main, image: busybox, command: [echo], dependencies: [a]}
  - name: main
    steps: [[{name: s, template: set}], [{name: b, template: leaf}]]
"""))  # fmt: skip

    found = named(done)
    assert found["w[0].s"]["children"] == [node_id("w[0].s.a")]
    assert found["w[0].s.a"]["children"] == [node_id("w[0].s.main")]
    assert found["w[0].s.main"]["children"] == [node_id("w[1]")]


@pytest.mark.spec("RTY-4")
async def test_a_retry_expression_that_fails_is_told_with_its_text() -> None:
    done = await run(flow("""
  - name: main
    retryStrategy: {limit: 2, expression: lastRetry.exitCode + 1}
    container: {image: busybox, command: [echo]}
"""), table(**{"w(0)": FAIL}))  # fmt: skip

    assert nodes(done)["w"]["phase"] == "Error"
    assert nodes(done)["w"]["message"].startswith("unable to evaluate expression 'lastRetry.exitCode + 1': invalid op")


@pytest.mark.spec("SUS-2")
async def test_a_duration_that_cannot_be_read_is_an_error_that_the_group_speaks_of() -> None:
    done = await run(flow("""
  - name: nap
    suspend: {duration: soon}
  - name: main
    steps: [[{name: a, template: nap}]]
"""))  # fmt: skip

    said = 'unable to parse soon as a duration: time: invalid duration "soon"'
    assert (nodes(done)["a"]["phase"], nodes(done)["a"]["message"]) == ("Error", said)
    assert done["status"]["message"] == f"step group deemed errored due to child w[0].a error: {said}"


@pytest.mark.spec("TMO-3")
async def test_what_the_engine_cannot_run_is_said_of_the_entry_template() -> None:
    done = await run(flow("""
  - name: main
    timeout: 3x
    container: {image: busybox, command: [echo]}
"""))  # fmt: skip

    said = 'invalid timeout format unable to parse 3x as a duration: time: unknown unit "x" in duration "3x"'
    assert (nodes(done)["w"]["type"], nodes(done)["w"]["message"]) == ("Pod", said)
    assert done["status"]["phase"] == "Error"
    assert done["status"]["message"] == f"error in entry template execution: {said}"


@pytest.mark.spec("WMETA-1")
@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a ===", 'failed to compile function for expression "a ===": unexpected token'),
        ("1 + 2", 'failed to evaluate label "l" expression "1 + 2" evaluted to int but must be a string'),
        (
            "'not valid!'",
            'invalid label value "not valid!" for label "l" and expression "\'not valid!\'": a valid label',
        ),
    ],
)
async def test_a_label_that_no_object_can_bear_ends_the_workflow(expression: str, said: str) -> None:
    done = await run(flow("""
  - name: main
    container: {image: busybox, command: [echo]}
""", workflowMetadata=f'{{labelsFrom: {{l: {{expression: "{expression}"}}}}}}'))  # fmt: skip

    assert done["status"]["phase"] == "Error"
    assert done["status"]["message"].startswith(said)
    assert done["metadata"]["labels"]["workflows.argoproj.io/phase"] == "Error"


@pytest.mark.spec("WMETA-1")
async def test_a_label_that_is_written_and_that_no_object_can_bear_ends_the_workflow_likewise() -> None:
    main = "  - {name: main, container: {image: busybox, command: [echo]}}\n"
    done = await run(flow(main, workflowMetadata="{labels: {l: 'not valid!'}}"))

    assert done["status"]["phase"] == "Error"
    assert done["status"]["message"].startswith('invalid label value "not valid!" for label "l": a valid label')


async def test_a_workflow_without_pods_has_no_condition_of_running_pods() -> None:
    done = await run(flow("""
  - name: main
    steps: [[{name: a, template: leaf, when: "false"}]]
"""))  # fmt: skip

    assert done["status"]["conditions"] == [{"type": "Completed", "status": "True"}]


@pytest.mark.spec("LOOP-8")
async def test_of_a_looped_step_its_group_tells_how_it_ended() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: a, template: leaf, withItems: [1, 2], continueOn: {failed: true}}
    - - {name: b, template: leaf, arguments: {parameters: [{name: m, value: "{{steps.a.status}}"}]}}
"""), table(a=FAIL))  # fmt: skip

    assert nodes(done)["b"]["inputs"]["parameters"][0]["value"] == "Succeeded"


@pytest.mark.spec("EXIT-6")
async def test_an_exit_handler_to_which_nothing_is_passed_gets_the_workflows_arguments() -> None:
    done = await run(flow("""
  - name: wants
    inputs: {parameters: [{name: p}]}
    container: {image: busybox, command: [echo]}
  - name: main
    steps: [[{name: a, template: leaf, hooks: {exit: {template: wants}}}]]
""", arguments="{parameters: [{name: p, value: v}]}"))  # fmt: skip

    assert nodes(done)["a.onExit"]["inputs"]["parameters"][0]["value"] == "v"


@pytest.mark.spec("EXIT-1")
async def test_of_two_ways_to_name_an_exit_handler_the_older_one_wins() -> None:
    done = await run(flow("""
  - name: main
    steps: [[{name: a, template: leaf, onExit: make, hooks: {exit: {template: leaf}}}]]
""", onExit="make", hooks="{exit: {template: leaf}}"))  # fmt: skip

    assert nodes(done)["a.onExit"]["templateName"] == "make"
    assert nodes(done)["w.onExit"]["templateName"] == "make"


@pytest.mark.spec("STEP-6")
async def test_steps_whose_last_group_began_nothing_have_no_outbound_nodes() -> None:
    done = await run(flow("""
  - name: main
    steps: [[{name: a, template: leaf, when: "1 +"}]]
"""))  # fmt: skip

    assert "outboundNodes" not in named(done)["w"]

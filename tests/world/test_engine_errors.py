"""What the engine cannot run, in upstream's words at every level above it; limits of depth and time."""

from __future__ import annotations

from typing import Any

import pytest

from actors.run import DEPTH_MAX
from runtime.objects import Object
from tests.world.flows import FAIL, flow, named, node_id, nodes, phases, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

NO_VOLUME = """
  - name: broken
    container: {image: busybox, command: [sh], volumeMounts: [{name: nowhere, mountPath: /x}]}
"""
FAILED_FAST = "template has failed or errored children and failFast enabled"


def said(done: Object) -> tuple[str, str]:
    """Phase and message of the workflow."""
    return done["status"]["phase"], done["status"].get("message", "")


@pytest.mark.spec("STEP-6")
@pytest.mark.parametrize(("kind", "more"), [("Pod", ""), ("Retry", "retryStrategy: {limit: 2}")])
async def test_of_a_pod_that_cannot_be_made_the_group_says_whose_error_it_is(kind: str, more: str) -> None:
    broken = NO_VOLUME.replace("broken", f"broken\n    {more}")
    done = await run(flow(f"{broken}\n  - name: main\n    steps: [[{{name: a, template: broken}}]]\n"))

    found = named(done)
    why = found["w[0].a"]["message"]
    assert (found["w[0].a"]["type"], found["w[0].a"]["phase"]) == (kind, "Error")
    assert "nowhere" in why
    told = f"step group deemed errored due to child w[0].a error: {why}"
    assert (found["w[0]"]["phase"], found["w[0]"]["message"]) == ("Error", told)
    assert said(done) == ("Failed", told)


@pytest.mark.spec("STEP-6")
@pytest.mark.parametrize("more", ["", "retryStrategy: {limit: 2}"])
async def test_whose_error_it_was_is_still_known_when_the_controllers_begin_again(more: str) -> None:
    broken = NO_VOLUME.replace("broken", f"broken\n    {more}")
    calls = "[{name: a, template: broken}, {name: b, template: leaf}]"
    async with world(table(b=Outcome(delay_s=60))) as here:
        ref = await here.submit(flow(f"{broken}\n  - name: main\n    steps: [{calls}]\n"))
        await here.after(20)
        assert nodes(await here.api.get(ref))["a"]["phase"] == "Error"
        here.die()
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert said(done)[1].startswith("step group deemed errored due to child w[0].a error: ")


@pytest.mark.spec("DAG-14")
@pytest.mark.parametrize("more", ["", "retryStrategy: {limit: 2}"])
async def test_of_a_pod_that_cannot_be_made_the_task_says_that_it_erred(more: str) -> None:
    broken = NO_VOLUME.replace("broken", f"broken\n    {more}")
    done = await run(flow(f"{broken}\n  - name: main\n    dag: {{tasks: [{{name: a, template: broken}}]}}\n"))

    assert nodes(done)["a"]["message"].startswith("task 'w.a' errored: ")
    assert said(done) == ("Error", "")


@pytest.mark.spec("STEP-6")
async def test_a_step_that_waits_too_long_to_begin_makes_its_group_fail_of_the_time_out() -> None:
    done = await run(flow("""
  - name: slow
    pendingTimeout: 40s
    container: {image: busybox, command: [sh]}
  - name: main
    steps:
    - - {name: a, template: slow, continueOn: {failed: true}}
"""), table(a=Outcome(pending_s=300)))  # fmt: skip

    assert (nodes(done)["a"]["phase"], nodes(done)["a"]["message"]) == ("Failed", "timeout")
    assert said(done) == ("Failed", "timeout")


@pytest.mark.parametrize("retry", ["", "retryStrategy: {limit: 2}", "retryStrategy: {limit: 2, retryPolicy: OnError}"])
async def test_an_entry_whose_pod_cannot_be_made_says_so_before_the_reason(retry: str) -> None:
    done = await run(flow(NO_VOLUME.replace("broken", f"main\n    {retry}")))

    phase, message = said(done)
    assert phase == "Error"
    if "OnError" in retry:
        assert message == "No more retries left"
    else:
        assert message.startswith("error in entry template execution: ")
        assert "nowhere" in message


async def test_an_entry_whose_pod_is_taken_away_is_no_error_of_the_engine() -> None:
    done = await run(flow("  - {name: main, container: {image: b, command: [c]}}\n"), table(w=Outcome(vanishes=True)))

    assert said(done) == ("Error", "pod deleted")


@pytest.mark.spec("EXIT-5")
@pytest.mark.parametrize("outcome", [Outcome(), FAIL])
async def test_an_exit_handler_that_cannot_be_run_makes_the_workflow_an_error(outcome: Outcome) -> None:
    done = await run(flow(f"{NO_VOLUME}\n  - {{name: main, container: {{image: b, command: [c]}}}}\n", onExit="broken"),
                     table(w=outcome))  # fmt: skip

    phase, message = said(done)
    assert phase == "Error"
    assert message.startswith("error in exit template execution : ")
    assert "nowhere" in message


@pytest.mark.spec("EXIT-1")
@pytest.mark.parametrize("outcome", [Outcome(), FAIL])
async def test_an_exit_hook_of_the_workflow_may_have_a_condition(outcome: Outcome) -> None:
    hooks = "{exit: {template: leaf, expression: 'workflow.status == \"Failed\"'}}"
    done = await run(flow("  - {name: main, container: {image: b, command: [c]}}\n", hooks=hooks), table(w=outcome))

    assert ("w.onExit" in named(done)) == (outcome is FAIL)


@pytest.mark.spec("COND-4")
async def test_an_exit_hook_of_the_workflow_whose_expression_gives_no_bool_makes_it_an_error() -> None:
    hooks = "{exit: {template: leaf, expression: workflow.status}}"
    done = await run(flow("  - {name: main, container: {image: b, command: [c]}}\n", hooks=hooks))

    told = "error in exit template execution : unable to cast expression result 'Succeeded' to bool"
    assert said(done)[0] == "Error"
    assert said(done)[1].startswith(told)


@pytest.mark.spec("TMPL-13")
async def test_the_hundredth_nested_call_is_one_too_many() -> None:
    done = await run(flow("  - name: main\n    steps: [[{name: a, template: main}]]\n"))

    found = named(done)
    deepest = max(found.values(), key=lambda entry: len(entry["name"]))
    assert deepest["name"].count("[0].a") == DEPTH_MAX - 1  # the entrypoint is the first call
    assert deepest["phase"] == "Error"
    assert deepest["message"].startswith("Maximum recursion depth exceeded")
    above = deepest["name"].removesuffix(".a")
    assert (found[above]["phase"], found[above]["message"]) == ("Failed", f"child '{deepest['id']}' failed")
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("FF-2")
@pytest.mark.parametrize("more", ["", ", continueOn: {failed: true}"])
async def test_the_group_that_ran_says_that_its_template_fails_fast(more: str) -> None:
    done = await run(flow(f"""
  - name: main
    failFast: true
    steps:
    - - {{name: a, template: leaf{more}}}
      - {{name: b, template: leaf}}
    - - {{name: c, template: leaf}}
"""), table(a=FAIL, b=Outcome(delay_s=20)))  # fmt: skip

    found = named(done)
    for name in ("w[0]", "w"):
        assert (found[name]["phase"], found[name]["message"]) == ("Failed", FAILED_FAST)
    assert said(done) == ("Failed", FAILED_FAST)
    assert "w[1]" not in found


@pytest.mark.spec("DAG-11")
async def test_a_ready_task_that_a_limit_holds_back_runs_before_its_dag_is_declared_failed() -> None:
    done = await run(flow("""
  - name: main
    dag:
      tasks: [{name: a, template: leaf}, {name: b, template: leaf}, {name: c, template: leaf, depends: b}]
""", parallelism=1), table(a=FAIL))  # fmt: skip

    assert phases(done) == {"w": "Failed", "w.a": "Failed", "w.b": "Succeeded", "w.c": "Succeeded"}


@pytest.mark.spec("WFT-5")
@pytest.mark.parametrize("kind", ["steps", "dag"])
async def test_a_reference_to_nothing_is_said_as_upstream_says_it(kind: str) -> None:
    call = "{name: a, templateRef: {name: nowhere, template: t}}"
    body, place = (f"steps: [[{call}]]", "steps[0].a") if kind == "steps" else (f"dag: {{tasks: [{call}]}}", "tasks.a")
    done = await run(flow(f"  - name: main\n    {body}\n"))

    assert said(done) == ("Failed", f"invalid spec: templates.main.{place} template reference nowhere.t not found")


def _hooked(expression: str, where: str) -> str:
    hook = f"hooks: {{h: {{template: leaf, expression: '{expression}'}}}}"
    if where == "workflow":
        return flow("  - {name: main, container: {image: b, command: [c]}}\n").replace("spec:\n", f"spec:\n  {hook}\n")
    return flow(f"  - name: main\n    steps: [[{{name: a, template: leaf, {hook}}}]]\n")


@pytest.mark.spec("COND-4")
async def test_a_steps_hook_whose_expression_gives_no_bool_is_an_error_and_the_step_is_not() -> None:
    found: dict[str, Any] = named(await run(_hooked("steps.a.status", "step")))

    assert found["w[0].a.hooks.h"]["phase"] == "Error"
    assert "to bool" in found["w[0].a.hooks.h"]["message"]
    assert (found["w[0].a"]["phase"], found["w"]["phase"]) == ("Succeeded", "Succeeded")


@pytest.mark.spec("COND-4")
async def test_a_workflows_hook_whose_expression_gives_no_bool_is_told_in_its_conditions() -> None:
    done = await run(_hooked("workflow.status", "workflow"))

    told = [entry["message"] for entry in done["status"]["conditions"] if entry["type"] == "SpecWarning"]
    assert done["status"]["phase"] == "Succeeded"
    assert any("hook h" in message and "to bool" in message for message in told)
    assert node_id("w.hooks.h") not in done["status"]["nodes"]

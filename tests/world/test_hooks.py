"""Hooks and exit handlers: when they fire, who waits for them, and what they never change."""

from __future__ import annotations

import pytest

from tests.world.flows import FAIL, arguments_of, flow, named, node_id, nodes, phases, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

STEP = """
  - name: main
    steps:
    - - name: a
        template: leaf
        hooks: {%s}
    - - {name: b, template: leaf}
"""


SAY = """
  - name: say
    inputs: {parameters: [{name: x}]}
    container: {image: busybox, command: [echo], args: ["{{inputs.parameters.x}}"]}
"""


@pytest.mark.spec("EXIT-6")
@pytest.mark.parametrize(("outcome", "phase"), [(Outcome(), "Succeeded"), (FAIL, "Failed")])
async def test_a_steps_exit_handler_runs_whatever_became_of_it_and_is_waited_for(outcome: Outcome, phase: str) -> None:
    done = await run(flow(STEP % "exit: {template: leaf}"), table(a=outcome, onExit=Outcome(code=1, delay_s=30)))

    found = named(done)
    assert found["w[0].a.onExit"]["phase"] == "Failed"
    assert found["w[0].a.onExit"]["nodeFlag"] == {"hooked": True}
    assert found["w[0].a.onExit"]["displayName"] == "a.onExit"
    assert found["w[0].a.onExit"]["boundaryID"] == "w"
    assert node_id("w[0].a.onExit") in found["w[0].a"]["children"]
    assert found["w[0]"]["phase"] == phase, "its failure changes nothing"
    assert found["w[0]"]["finishedAt"] >= found["w[0].a.onExit"]["finishedAt"]
    assert done["status"]["phase"] == phase


@pytest.mark.spec("EXIT-6")
@pytest.mark.parametrize("dies", [False, True])
async def test_a_step_that_could_not_be_read_has_no_exit_whoever_looks_at_it_later(*, dies: bool) -> None:
    text = flow("""
  - name: main
    steps:
    - - {name: a, template: leaf, when: "{{item}} ==", withItems: [x], hooks: {exit: {template: leaf}}}
      - {name: b, template: leaf}
""")
    async with world(table(b=Outcome(delay_s=20))) as here:
        ref = await here.submit(text)
        await here.after(10)
        if dies:
            here.die()
        done = await here.end_of(ref)

    assert set(phases(done).items()) >= {("w[0].a(0:x)", "Error"), ("w[0].b", "Succeeded")}
    assert len(here.created) == 1


@pytest.mark.spec("EXIT-6")
async def test_a_skipped_step_has_no_exit() -> None:
    done = await run(flow("""
  - name: main
    dag:
      tasks:
      - {name: A, template: leaf, when: "false", hooks: {exit: {template: leaf}}}
      - {name: B, template: leaf, depends: A.Failed, onExit: leaf}
      - {name: C, template: leaf, onExit: leaf}
"""))  # fmt: skip

    assert set(phases(done)) == {"w", "w.A", "w.B", "w.C", "w.C.onExit"}


@pytest.mark.spec("EXIT-6")
@pytest.mark.spec("HOOK-4")
@pytest.mark.spec("COND-4")
async def test_an_exit_handler_may_use_the_outputs_of_its_step_and_have_a_condition() -> None:
    seen: dict[str, list[str]] = {}
    text = flow(
        SAY
        + """  - name: main
    steps:
    - - name: a
        template: make
        hooks:
          exit: {template: say, expression: 'steps.a.outputs.parameters.p == "made"',
                 arguments: {parameters: [{name: x, value: "{{steps.a.outputs.parameters.p}} {{steps.a.status}}"}]}}
      - name: b
        template: make
        hooks: {exit: {template: leaf, expression: 'steps.b.outputs.parameters.p == "other"'}}
"""
    )
    done = await run(
        text, arguments_of(seen, table(a=Outcome(parameters={"p": "made"}), b=Outcome(parameters={"p": "made"})))
    )

    assert seen["w[0].a.onExit"] == ["made Succeeded"]
    assert "w[0].b.onExit" not in phases(done)


@pytest.mark.spec("EXIT-6")
@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(code=1, error="no such file"), "got "),
        (Outcome(vanishes=True), "got {{steps.a.outputs.parameters.p}}"),
    ],
)
async def test_an_exit_handler_is_passed_nothing_for_an_output_that_was_not_made(outcome: Outcome, said: str) -> None:
    seen: dict[str, list[str]] = {}
    text = flow(
        SAY
        + """  - name: main
    steps:
    - - name: a
        template: make
        hooks: {exit: {template: say, arguments: {parameters: [
          {name: x, value: "got {{steps.a.outputs.parameters.p}}"}]}}}
"""
    )

    done = await run(text, arguments_of(seen, table(a=outcome)))

    assert done["status"]["phase"] == "Failed"
    assert seen["w[0].a.onExit"] == [said]


@pytest.mark.spec("HOOK-2")
async def test_a_hook_fires_while_its_step_runs_and_once() -> None:
    hooks = 'up: {template: leaf, expression: \'steps["a"].status == "Running"\'}, down: {template: leaf, expression: \'steps.a.status == "Failed"\'}'  # noqa: E501
    done = await run(flow(STEP % hooks), table(a=Outcome(delay_s=20)))

    found = named(done)
    assert found["w[0].a.hooks.up"]["startedAt"] < found["w[0].a"]["finishedAt"]
    assert found["w[0].a.hooks.up"]["nodeFlag"] == {"hooked": True}
    assert "w[0].a.hooks.down" not in found


@pytest.mark.spec("HOOK-2")
@pytest.mark.spec("RTY-1")
async def test_a_retried_hook_and_its_attempts_are_marked_as_both() -> None:
    again = "  - {name: again, retryStrategy: {limit: 1}, container: {image: b, command: [c]}}\n"
    done = await run(flow(again + STEP % "exit: {template: again}"), table(**{"onExit(0)": FAIL}))

    found = named(done)
    for name in ("", "(0)", "(1)"):
        assert found[f"w[0].a.onExit{name}"]["nodeFlag"] == {"hooked": True, "retried": True}
    assert "nodeFlag" not in found["w[0].a"]


@pytest.mark.spec("HOOK-2")
async def test_the_next_group_waits_for_a_hook_of_this_one() -> None:
    hooks = "done: {template: leaf, expression: 'steps.a.status == \"Succeeded\"'}"
    done = await run(flow(STEP % hooks), table(done=Outcome(code=3, delay_s=60)))

    found = named(done)
    assert found["w[1].b"]["startedAt"] >= found["w[0].a.hooks.done"]["finishedAt"]
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("HOOK-1")
async def test_hooks_of_the_workflow_fire_once_hang_on_its_first_node_and_are_waited_for() -> None:
    text = flow("  - name: main\n    steps: [[{name: a, template: leaf}], [{name: b, template: leaf}]]\n", hooks="""
    running: {template: leaf, expression: 'workflow.status == "Running"'}
    over: {template: leaf, expression: 'workflow.status == "Succeeded"'}
    failed: {template: leaf, expression: 'workflow.status == "Failed"'}""")  # fmt: skip
    done = await run(text, table(running=Outcome(code=1, delay_s=60)))

    found = named(done)
    assert found["w.hooks.running"]["phase"] == "Failed"
    assert found["w.hooks.running"]["nodeFlag"] == {"hooked": True}
    assert found["w"]["children"] == [node_id("w[0]"), node_id("w.hooks.running"), node_id("w.hooks.over")]
    assert "w.hooks.failed" not in found
    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["finishedAt"] >= found["w.hooks.running"]["finishedAt"]


@pytest.mark.spec("HOOK-1")
@pytest.mark.parametrize("dies", [False, True])
async def test_the_status_of_which_hooks_of_the_workflow_speak_is_that_of_its_first_node(*, dies: bool) -> None:
    text = flow("  - name: main\n    container: {image: busybox, command: [sh]}\n", hooks="""
    pending: {template: leaf, expression: 'workflow.status == "Pending"'}
    running: {template: leaf, expression: 'workflow.status == "Running"'}""")  # fmt: skip
    async with world(table(w=Outcome(pending_s=60, delay_s=60))) as here:
        ref = await here.submit(text)
        await here.after(30)
        early = phases(await here.api.get(ref))
        if dies:
            here.die()
        done = await here.end_of(ref)

    assert early == {"w": "Pending", "w.hooks.pending": "Succeeded"}
    assert phases(done) == dict.fromkeys(("w", "w.hooks.pending", "w.hooks.running"), "Succeeded")
    assert len(here.created) == 3


@pytest.mark.spec("HOOK-1")
async def test_a_hook_of_the_workflow_may_wait_for_a_global_output() -> None:
    text = flow("""
  - name: give
    container: {image: busybox, command: [echo]}
    outputs: {parameters: [{name: p, globalName: g, valueFrom: {path: /tmp/p}}]}
  - name: main
    steps: [[{name: a, template: give}], [{name: b, template: leaf}]]
""", hooks="{seen: {template: leaf, expression: 'workflow.outputs?.parameters?.g == \"v\"'}}")  # fmt: skip
    done = await run(text, table(a=Outcome(parameters={"p": "v"}), b=Outcome(delay_s=60)))

    assert named(done)["w.hooks.seen"]["startedAt"] < named(done)["w[1].b"]["finishedAt"]


@pytest.mark.spec("HOOK-3")
async def test_a_hook_without_a_condition_is_refused() -> None:
    done = await run(flow(STEP % "up: {template: leaf}"))

    assert done["status"]["phase"] == "Failed"
    assert "xpression" in done["status"]["message"]


@pytest.mark.spec("EXIT-2")
@pytest.mark.parametrize(
    ("main", "leave", "phase", "message"),
    [
        (Outcome(), FAIL, "Failed", "main: Error (exit code 1)"),
        (Outcome(), Outcome(vanishes=True), "Error", "pod deleted"),
        (Outcome(code=5), FAIL, "Failed", "main: Error (exit code 5)"),
        (Outcome(vanishes=True), FAIL, "Error", "pod deleted"),
        (Outcome(), Outcome(), "Succeeded", ""),
    ],
)
async def test_an_exit_handlers_end_counts_only_after_a_success(
    main: Outcome, leave: Outcome, phase: str, message: str
) -> None:
    text = flow("  - name: main\n    container: {image: busybox, command: [sh]}\n", onExit="leaf")
    done = await run(text, table(w=main, onExit=leave))

    assert (done["status"]["phase"], done["status"].get("message", "")) == (phase, message)
    assert named(done)["w.onExit"]["displayName"] == "w.onExit"
    assert not named(done)["w"].get("children")


@pytest.mark.spec("EXIT-1")
@pytest.mark.spec("EXIT-3")
async def test_an_exit_handler_may_be_steps_and_decide_by_the_status() -> None:
    done = await run(flow("""
  - name: main
    container: {image: busybox, command: [sh]}
  - name: leave
    steps:
    - - {name: good, template: leaf, when: "{{workflow.status}} == Succeeded"}
      - {name: bad, template: leaf, when: "{{workflow.status}} != Succeeded"}
""", hooks="{exit: {template: leave}}"), table(w=FAIL))  # fmt: skip

    assert (nodes(done)["good"]["phase"], nodes(done)["bad"]["phase"]) == ("Skipped", "Succeeded")


@pytest.mark.spec("EXIT-4")
@pytest.mark.parametrize(("strategy", "step"), [("Stop", True), ("Terminate", False)])
async def test_a_stop_lets_the_exit_handlers_of_steps_run_and_a_terminate_does_not(strategy: str, step: bool) -> None:
    text = flow("""
  - name: main
    dag: {tasks: [{name: A, template: leaf, hooks: {exit: {template: leaf}}}]}
""", onExit="leaf")  # fmt: skip
    async with world(table(A=Outcome(delay_s=500), onExit=Outcome(delay_s=20))) as here:
        ref = await here.submit(text)
        await here.after(10)
        await here.api.patch(ref, {"spec": {"shutdown": strategy}})
        await here.end_of(ref, limit_s=120)
        found = phases(await here.at_rest(ref))

    assert found["w.A"] == "Failed"
    assert ("w.A.onExit" in found) is ("w.onExit" in found) is step
    assert set(found.values()) - {"Failed"} == ({"Succeeded"} if step else set())


@pytest.mark.spec("EXIT-4")
@pytest.mark.parametrize("main", [Outcome(), FAIL])
async def test_a_terminate_ends_a_running_exit_handler(main: Outcome) -> None:
    text = flow("  - name: main\n    container: {image: busybox, command: [sh]}\n", onExit="leaf")
    async with world(table(w=main, onExit=Outcome(delay_s=500))) as here:
        ref = await here.submit(text)
        await here.after(20)
        await here.api.patch(ref, {"spec": {"shutdown": "Terminate"}})
        done = await here.end_of(ref, limit_s=60)
        await here.at_rest(ref)

    assert done["status"]["phase"] == "Failed"
    assert named(done)["w.onExit"]["message"] == "workflow shutdown with strategy:  Terminate"


@pytest.mark.spec("EXIT-5")
async def test_an_exit_handler_that_is_not_there_makes_the_workflow_unfit() -> None:
    done = await run(flow("  - name: main\n    container: {image: busybox, command: [sh]}\n", onExit="nobody"))

    assert done["status"]["phase"] in {"Failed", "Error"}
    assert "nobody" in done["status"]["message"]


NEVER = """
  - name: main
    dag:
      tasks:
      - {name: a, template: leaf, when: "false", hooks: {%s}}
      - {name: b, template: leaf, depends: a.Failed, hooks: {%s}}
      - {name: c, template: leaf, depends: "a && !b.Failed"}
"""


@pytest.mark.spec("HOOK-2")
@pytest.mark.parametrize("dies", [False, True])
async def test_the_hooks_of_a_task_that_never_runs_may_say_what_is_done_then(*, dies: bool) -> None:
    """Those of a step may not; and its exit handler has nothing to leave."""
    said = "note: {template: leaf, expression: 'tasks.%s.status == \"%s\"'}"
    outputs = "asks: {template: leaf, expression: 'tasks.a.outputs.parameters.x == \"1\"'}"
    more = f"{said % ('a', 'Skipped')}, {outputs}, exit: {{template: leaf}}"
    async with world(table(note=Outcome(delay_s=20))) as here:
        ref = await here.submit(flow(NEVER % (more, said % ("b", "Omitted"))))
        await here.after(10)
        if dies:
            here.die()
        done = await here.end_of(ref)

    assert {name: phase for name, phase in phases(done).items() if name != "w"} == {
        "w.a": "Skipped", "w.a.hooks.note": "Succeeded", "w.b": "Omitted", "w.b.hooks.note": "Succeeded",
        "w.c": "Succeeded",
    }  # fmt: skip
    found = named(done)
    assert node_id("w.a.hooks.note") in found["w.a"]["children"]
    assert found["w.c"]["startedAt"] >= found["w.a.hooks.note"]["finishedAt"]
    assert len(here.created) == 3


UNREADABLE = {"condition": "when: 'a =='", "loop": "withParam: '[1'", "tag": "when: '{{=nobody()}}'"}


@pytest.mark.spec("EXIT-6")
@pytest.mark.parametrize("why", UNREADABLE)
@pytest.mark.parametrize("dies", [False, True])
async def test_a_task_that_cannot_be_read_is_an_error_with_hooks_and_an_exit_handler(why: str, *, dies: bool) -> None:
    hooks = "note: {template: leaf, expression: 'tasks.a.status == \"Error\"'}, exit: {template: leaf}"
    task = f"{{name: a, template: leaf, {UNREADABLE[why]}, hooks: {{{hooks}}}}}"
    async with world(table(note=Outcome(delay_s=20))) as here:
        ref = await here.submit(flow(f"  - name: main\n    dag: {{tasks: [{task}]}}\n"))
        await here.after(10)
        if dies:
            here.die()
        done = await here.end_of(ref)

    assert phases(done) == {
        "w": "Error", "w.a": "Error", "w.a.hooks.note": "Succeeded", "w.a.onExit": "Succeeded",
    }  # fmt: skip
    assert len(here.created) == 2


@pytest.mark.spec("HOOK-2")
async def test_the_hooks_of_a_skipped_step_do_not_fire() -> None:
    never = "    - - {name: a, template: leaf, when: 'false', hooks: {note: {template: leaf, expression: 'true'}}}\n"
    done = await run(flow("  - name: main\n    steps:\n" + never), table())

    assert set(phases(done)) == {"w", "w[0]", "w[0].a"}

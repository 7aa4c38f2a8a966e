"""Suspended nodes and suspended workflows: who waits, for what, and what resumes them."""

from __future__ import annotations

import pytest

from runtime.api import Unavailable
from runtime.objects import Object
from tests.kernel.coat import Coat
from tests.world.flows import flow, named, node_id, nodes, phases, run, table
from tests.world.test_deleted import living
from tests.world.world import Outcome, World, world

pytestmark = pytest.mark.virtual_time

GATE = flow("""
  - name: ask
    inputs: {parameters: [{name: answer, default: "yes", enum: ["yes", "no"]}]}
    suspend: {}
    outputs: {parameters: [
      {name: answer, valueFrom: {supplied: {}}}, {name: why, valueFrom: {supplied: {}, default: so}}]}
  - name: main
    steps:
    - - {name: gate, template: ask}
    - - {name: after, template: leaf, arguments: {parameters: [
          {name: m, value: "{{steps.gate.outputs.parameters.answer}} {{steps.gate.outputs.parameters.why}}"}]}}
""")
ID = node_id("w[0].gate")
END = "2026-01-01T00:00:20Z"


@pytest.mark.spec("OP-8")
async def test_who_ends_a_node_before_its_own_end_is_on_record_is_heeded() -> None:
    """Its duration had passed, and what follows had begun: all that is taken back by what is on record."""
    short = flow("""
  - name: nap
    suspend: {duration: "10"}
  - name: main
    steps: [[{name: gate, template: nap}], [{name: after, template: leaf}]]
""")
    async with world(table()) as here:
        here.replaced = True
        here.die()
        coat = Coat(here.api)
        async with living(here, coat):
            ref = await here.submit(short)
            await here.after(5)
            coat.fault = lambda verb, subject: Unavailable("away") if (verb, subject) == ("patch", "w") else None
            await here.after(10)
            await edit(here, ref, lambda entry: entry.update(phase="Failed", message="enough", finishedAt=END))
            coat.fault = lambda verb, subject: None
            done = await here.end_of(ref)

    assert phases(done)["w[0].gate"] == "Failed"
    assert named(done)["w[0].gate"]["message"] == "enough"
    assert done["status"]["phase"] == "Failed"
    assert "w[1].after" not in named(done)


ONE_AT_A_TIME = flow("""
  - name: ask
    retryStrategy: {limit: 1}
    suspend: {}
  - name: main
    parallelism: 1
    dag:
      tasks:
      - name: T
        template: ask
        withItems: [a, b]
        hooks: {done: {template: leaf, expression: 'tasks["T"].status == "Succeeded"'}}
""")


@pytest.mark.spec("SUS-5")
@pytest.mark.spec("PAR-2")
@pytest.mark.parametrize("dies", [False, True])
async def test_a_node_that_is_resumed_before_a_new_life_has_a_place_for_it_is_resumed(*, dies: bool) -> None:
    """In the new life the first one's hook has the only place, and nobody waits in the second one's node."""
    first, second = (node_id(f"w.T({item})(0)") for item in ("0:a", "1:b"))

    def resume(entry: Object) -> None:
        entry |= {"phase": "Succeeded", "message": "; Resumed by: map[User:me]", "finishedAt": END}

    async with world(table(done=Outcome(delay_s=60))) as here:
        ref = await here.submit(ONE_AT_A_TIME)
        await here.after(5)
        await edit(here, ref, resume, first)
        await here.after(3)
        if dies:
            here.die()
        await here.after(20)
        await edit(here, ref, resume, second)
        await here.after(20)
        thing = await here.api.get(ref)
        assert thing["status"]["nodes"][second]["phase"] == "Succeeded"
        done = await here.end_of(ref)

    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["nodes"][second]["message"] == "; Resumed by: map[User:me]"
    assert phases(done)["w.T(1:b).hooks.done"] == "Succeeded"


async def edit(here: World, ref: object, change: object, who: str = ID) -> None:
    """Change a node's entry as upstream's CLI does: read the whole object, write the whole object."""
    thing: Object = await here.api.get(ref)  # type: ignore[arg-type]
    entry = thing["status"]["nodes"][who]
    change(entry)  # type: ignore[operator]
    await here.api.replace(here.workflows, thing)


@pytest.mark.spec("TMPL-8")
@pytest.mark.spec("SUS-1")
async def test_a_suspended_node_runs_without_a_pod_until_it_is_resumed() -> None:
    async with world(table()) as here:
        ref = await here.submit(flow("  - name: main\n    suspend: {}\n"))
        await here.after(3600)
        thing = await here.api.get(ref)

        assert here.created == []
        assert (named(thing)["w"]["type"], named(thing)["w"]["phase"]) == ("Suspend", "Running")
        assert named(thing)["w"]["progress"] == "0/1"


@pytest.mark.spec("SUS-3")
@pytest.mark.spec("OP-8")
async def test_values_are_supplied_by_writing_the_whole_object_and_then_it_is_resumed() -> None:
    def answer(entry: Object) -> None:
        entry["outputs"]["parameters"][0]["value"] = "no"

    def resume(entry: Object) -> None:
        entry |= {"phase": "Succeeded", "message": "; Resumed by: map[User:me]", "finishedAt": "2026-01-01T00:01:00Z"}

    async with world(table()) as here:
        ref = await here.submit(GATE)
        await here.after(10)
        await edit(here, ref, answer)
        await here.after(10)
        await edit(here, ref, resume)
        await here.end_of(ref, limit_s=60)
        done = await here.at_rest(ref)

    assert nodes(done)["after"]["inputs"]["parameters"][0]["value"] == "no so"
    assert nodes(done)["gate"]["message"] == "; Resumed by: map[User:me]"
    assert [entry["value"] for entry in nodes(done)["gate"]["outputs"]["parameters"]] == ["no", "so"]
    assert nodes(done)["gate"]["progress"] == "1/1"


@pytest.mark.spec("SUS-3")
async def test_a_resume_without_the_value_is_undone() -> None:
    async with world(table()) as here:
        ref = await here.submit(GATE.replace('default: "yes"', 'value: "yes"'))
        await here.after(10)
        await edit(here, ref, lambda entry: entry.update(phase="Succeeded"))
        await here.after(60)
        found = nodes(await here.api.get(ref))

    assert found["gate"]["phase"] == "Running"
    told = "raw output parameter 'answer' has not been set and does not have a default value"
    assert found["gate"]["message"] == told
    assert "after" not in found


@pytest.mark.spec("SUS-4")
async def test_an_input_may_bring_the_choices() -> None:
    text = flow("""
  - name: ask
    inputs: {parameters: [{name: c}]}
    suspend: {duration: "5"}
  - name: main
    steps: [[{name: gate, template: ask, arguments: {parameters: [{name: c, value: '{"enum": ["a", "b"]}'}]}}]]
""")
    done = await run(text)

    (given,) = nodes(done)["gate"]["inputs"]["parameters"]
    assert (given["enum"], given["default"]) == (["a", "b"], "a")


@pytest.mark.spec("SUS-5")
async def test_a_stopped_node_fails_its_group() -> None:
    async with world(table()) as here:
        ref = await here.submit(GATE)
        await here.after(10)
        await edit(here, ref, lambda entry: entry.update(phase="Failed", message="enough", finishedAt=END))
        await here.end_of(ref, limit_s=60)
        done = await here.at_rest(ref)

    assert done["status"]["message"] == f"child '{ID}' failed"
    assert (nodes(done)["gate"]["phase"], nodes(done)["gate"]["message"]) == ("Failed", "enough")


@pytest.mark.spec("SUS-7")
@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
async def test_a_stop_fails_a_suspended_node(strategy: str) -> None:
    async with world(table()) as here:
        ref = await here.submit(GATE)
        await here.after(10)
        await here.api.patch(ref, {"spec": {"shutdown": strategy}})
        await here.end_of(ref, limit_s=60)
        done = await here.at_rest(ref)

    assert nodes(done)["gate"]["message"] == f"Stopped with strategy '{strategy}'"
    assert done["status"]["message"] == f"Stopped with strategy '{strategy}'"


@pytest.mark.spec("SUS-2")
async def test_a_duration_that_cannot_be_read_is_an_error() -> None:
    done = await run(flow("""
  - name: main
    inputs: {parameters: [{name: d, default: soon}]}
    suspend: {duration: "{{inputs.parameters.d}}"}
"""))  # fmt: skip

    assert done["status"]["phase"] == "Error"


@pytest.mark.spec("SUS-6")
@pytest.mark.spec("OP-3")
async def test_a_workflow_suspended_from_its_start_begins_when_it_is_resumed() -> None:
    async with world(table()) as here:
        ref = await here.submit(flow("  - name: main\n    steps: [[{name: a, template: leaf}]]\n", suspend="true"))
        await here.after(600)
        assert not (await here.api.get(ref))["status"].get("nodes")
        await here.api.patch(ref, {"spec": {"suspend": None}})
        await here.end_of(ref, limit_s=60)
        done = await here.at_rest(ref)

    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("SUS-6")
@pytest.mark.spec("OP-3")
@pytest.mark.parametrize("then", ["resume", "Stop"])
async def test_a_workflow_suspended_on_its_way_lets_run_what_runs_and_starts_nothing(then: str) -> None:
    text = flow("  - name: main\n    steps: [[{name: a, template: leaf}], [{name: b, template: leaf}]]\n")
    async with world(table(a=Outcome(delay_s=30))) as here:
        ref = await here.submit(text)
        await here.after(5)
        await here.api.patch(ref, {"spec": {"suspend": True}})
        await here.after(600)
        assert len(here.created) == 1
        assert phases(await here.api.get(ref))["w[0].a"] == "Succeeded"
        change = {"suspend": None} if then == "resume" else {"shutdown": "Stop"}
        await here.api.patch(ref, {"spec": change})
        await here.end_of(ref, limit_s=60)
        done = await here.at_rest(ref)

    assert done["status"]["phase"] == ("Succeeded" if then == "resume" else "Failed")
    assert len(here.created) == (2 if then == "resume" else 1)


@pytest.mark.spec("SUS-3")
async def test_an_output_that_nobody_was_to_supply_keeps_no_suspended_node_waiting() -> None:
    done = await run(flow("""
  - name: main
    suspend: {duration: "10"}
    outputs: {parameters: [{name: p, valueFrom: {path: /tmp/p}}]}
"""), table())  # fmt: skip

    assert done["status"]["phase"] == "Succeeded"
    assert named(done)["w"]["outputs"]["parameters"] == [{"name": "p", "valueFrom": {"path": "/tmp/p"}}]

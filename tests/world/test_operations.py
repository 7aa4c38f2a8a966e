"""What people and their tools do to a running workflow, and what limits do to it."""

from __future__ import annotations

import pytest

from runtime.objects import PODS
from tests.world.flows import FAIL, flow, named, node_id, nodes, phases, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

LONG = Outcome(delay_s=500)
NESTED = flow("""
  - name: again
    retryStrategy: {limit: 3, retryPolicy: Always}
    container: {image: busybox, command: [sh]}
  - name: inner
    steps:
    - - {name: p, template: leaf}
      - {name: r, template: again}
      - {name: s, template: rest}
    - - {name: never, template: leaf}
  - name: graph
    dag:
      tasks:
      - {name: A, template: inner}
      - {name: L, template: leaf, withItems: [1, 2],
         hooks: {up: {template: leaf, expression: 'tasks.L.status == "Running"'}}}
      - {name: B, template: leaf, depends: A || L.Failed}
  - name: main
    steps: [[{name: d, template: graph}], [{name: last, template: leaf}]]
""")


@pytest.mark.spec("OP-1")
@pytest.mark.spec("OP-2")
@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
@pytest.mark.parametrize("after_s", [0.0, 0.3, 2.0, 20.0])
async def test_a_stop_at_any_time_leaves_nothing_running(strategy: str, after_s: float) -> None:
    async with world(lambda name, pod: LONG) as here:
        ref = await here.submit(NESTED)
        await here.after(after_s)
        await here.api.patch(ref, {"spec": {"shutdown": strategy}})
        await here.end_of(ref, limit_s=60)
        done = await here.at_rest(ref)

        assert done["status"]["phase"] == "Failed"
        assert done["status"]["message"] == f"Stopped with strategy '{strategy}'"
        assert set(phases(done).values()) <= {"Failed"}
        assert "w[1]" not in phases(done)
        await here.after(60)
        left = [
            pod["metadata"]["name"] for pod in (await here.api.list(PODS)).items if pod["status"]["phase"] == "Running"
        ]
        assert not left
    if after_s > 1:
        found = named(done)
        assert found["w[0].d.A[0].s"]["message"] == f"Stopped with strategy '{strategy}'"
        assert found["w[0].d.A[0].r"]["message"] == f"Stopped with strategy '{strategy}'"
        assert found["w[0].d.A[0].r(0)"]["message"] == f"workflow shutdown with strategy:  {strategy}"


@pytest.mark.spec("OP-2")
async def test_a_stop_then_a_terminate_ends_the_exit_handler_too() -> None:
    text = flow("  - name: main\n    container: {image: busybox, command: [sh]}\n", onExit="leaf")
    async with world(lambda name, pod: LONG) as here:
        ref = await here.submit(text)
        for strategy in ("Stop", "Terminate"):
            await here.after(20)
            await here.api.patch(ref, {"spec": {"shutdown": strategy}})
        await here.end_of(ref, limit_s=60)
        done = await here.at_rest(ref)

    assert phases(done) == {"w": "Failed", "w.onExit": "Failed"}


@pytest.mark.spec("OP-1")
@pytest.mark.spec("OP-2")
@pytest.mark.spec("EXIT-4")
@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
async def test_a_workflow_that_is_created_stopped_makes_no_pod_but_that_of_its_exit_handler(strategy: str) -> None:
    text = flow("  - name: main\n    steps: [[{name: a, template: leaf}]]\n", onExit="leaf", shutdown=strategy)
    async with world(table()) as here:
        done = await here.end_of(await here.submit(text))
        created = len(here.created)

    assert (done["status"]["phase"], done["status"]["message"]) == ("Failed", f"Stopped with strategy '{strategy}'")
    left = {"w.onExit": "Succeeded"} if strategy == "Stop" else {}
    assert phases(done) == {"w": "Failed", "w[0]": "Failed", "w[0].a": "Failed"} | left
    assert named(done)["w[0].a"]["message"] == f"workflow shutdown with strategy: {strategy}"
    assert created == len(left)


@pytest.mark.spec("FF-2")
@pytest.mark.parametrize("kind", ["steps", "dag"])
async def test_a_template_that_fails_fast_starts_nothing_more_and_says_so(kind: str) -> None:
    calls = "withSequence: {count: '6'}"
    body = (
        f"steps: [[{{name: a, template: leaf, {calls}, continueOn: {{failed: true}}}}], [{{name: b, template: leaf}}]]"
        if kind == "steps"
        else f"dag: {{tasks: [{{name: a, template: leaf, {calls}}}, {{name: b, template: leaf, depends: a.Failed}}]}}"
    )
    done = await run(flow(f"""
  - name: inner
    parallelism: 2
    failFast: true
    {body}
  - name: main
    steps: [[{{name: in, template: inner}}]]
"""), table(**{"a(0:0)": FAIL, "a(1:1)": Outcome(delay_s=20)}))  # fmt: skip

    found = named(done)
    assert found["w[0].in"]["message"] == "template has failed or errored children and failFast enabled"
    assert found["w[0].in"]["phase"] == "Failed"
    assert sorted(entry["displayName"] for entry in found.values() if entry["type"] == "Pod") == ["a(0:0)", "a(1:1)"]
    assert nodes(done)["a(1:1)"]["phase"] == "Succeeded"
    assert done["status"]["message"] == f"child '{node_id('w[0].in')}' failed"


@pytest.mark.spec("FF-2")
async def test_failing_fast_ends_what_merely_waits() -> None:
    done = await run(flow("""
  - name: again
    retryStrategy: {limit: 3, backoff: {duration: 1h}}
    container: {image: busybox, command: [sh]}
  - name: main
    failFast: true
    parallelism: 5
    steps: [[{name: a, template: again}, {name: s, template: rest}, {name: b, template: leaf}]]
"""), table(a=FAIL, b=Outcome(delay_s=30)))  # fmt: skip

    found = phases(done)
    assert (found["w[0].a"], found["w[0].s"], found["w[0].b"]) == ("Failed", "Failed", "Succeeded")
    assert done["status"]["message"] == "template has failed or errored children and failFast enabled"


@pytest.mark.spec("FF-2")
@pytest.mark.parametrize("retried", ["", "retryStrategy: {limit: 0}, "], ids=["once", "retried"])
@pytest.mark.parametrize("dies", [False, True])
async def test_what_makes_no_pod_may_fail_in_a_template_that_fails_fast(retried: str, *, dies: bool) -> None:
    """Neither this life nor the next one sees a reason to keep anybody from beginning."""
    text = flow(f"""
  - {{name: ask, {retried}suspend: {{}}}}
  - name: main
    failFast: true
    dag:
      tasks:
      - {{name: a, template: ask, hooks: {{exit: {{template: leaf}}}}}}
      - {{name: b, template: leaf, depends: a.Failed}}
""")
    asked = node_id("w.a(0)" if retried else "w.a")
    async with world(table()) as here:
        ref = await here.submit(text)
        await here.after(5)
        thing = await here.api.get(ref)
        thing["status"]["nodes"][asked] |= {"phase": "Failed", "message": "no", "finishedAt": "2026-01-01T00:00:05Z"}
        await here.api.replace(here.workflows, thing)
        if dies:
            await here.after(0.1)
            here.die()
        done = await here.end_of(ref)

    found = phases(done)
    assert (found["w.a"], found["w.a.onExit"], found["w.b"]) == ("Failed", "Succeeded", "Succeeded")
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("PAR-4")
@pytest.mark.parametrize("kind", ["steps", "dag"])
async def test_a_nested_template_counts_as_one(kind: str) -> None:
    calls = "{name: a, template: inner, withItems: [1, 2, 3]}"
    body = f"steps: [[{calls}]]" if kind == "steps" else f"dag: {{tasks: [{calls}]}}"
    text = flow(f"""
  - name: inner
    steps: [[{{name: p, template: leaf}}], [{{name: q, template: leaf}}, {{name: r, template: leaf}}]]
  - name: main
    parallelism: 1
    {body}
""")
    async with world(table()) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

        assert here.most_running == 2
    found = named(done)
    a = "w[0].a" if kind == "steps" else "w.a"
    assert found[f"{a}(0:1)"]["finishedAt"] <= found[f"{a}(1:2)"]["startedAt"]


@pytest.mark.spec("PAR-3")
async def test_no_parallelism_at_all_blocks_everything_until_it_is_stopped() -> None:
    async with world(table()) as here:
        ref = await here.submit(flow("  - name: main\n    steps: [[{name: a, template: leaf}]]\n", parallelism=0))
        await here.after(600)
        assert here.created == []
        await here.api.patch(ref, {"spec": {"shutdown": "Stop"}})
        await here.end_of(ref, limit_s=60)
        done = await here.at_rest(ref)

    assert nodes(done)["a"]["message"] == "workflow shutdown with strategy: Stop"


@pytest.mark.spec("TMPL-13")
async def test_an_endless_recursion_is_an_error() -> None:
    done = await run(flow("  - name: main\n    steps: [[{name: a, template: main}]]\n"))

    assert done["status"]["phase"] == "Failed"
    deepest = max(named(done).values(), key=lambda entry: len(entry["name"]))
    assert deepest["message"].startswith("Maximum recursion depth exceeded")


@pytest.mark.spec("TMPL-13")
async def test_a_template_may_call_itself_until_a_condition_stops_it() -> None:
    done = await run(flow("""
  - name: main
    inputs: {parameters: [{name: n, default: "3"}]}
    steps:
    - - {name: p, template: leaf}
    - - {name: again, template: main, when: "{{inputs.parameters.n}} > 1",
         arguments: {parameters: [{name: n, value: "{{=asInt(inputs.parameters.n) - 1}}"}]}}
"""))  # fmt: skip

    assert [entry["phase"] for entry in named(done).values() if entry["name"].endswith(".p")] == ["Succeeded"] * 3
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("OP-4")
async def test_a_finished_workflow_whose_failed_nodes_are_taken_away_runs_them_again() -> None:
    text = flow("""
  - name: main
    dag: {tasks: [{name: A, template: make}, {name: B, template: leaf, depends: A, arguments: {parameters: [
        {name: m, value: "{{tasks.A.outputs.parameters.p}}"}]}}]}
""", onExit="leaf", ttlStrategy="{secondsAfterCompletion: 3600}")  # fmt: skip
    tries: list[str] = []

    def script(name: str, pod: object) -> Outcome:
        tries.append(name)
        good = name != "w.B" or tries.count("w.B") > 1
        return Outcome(code=0 if good else 1, parameters={"p": "made"})

    async with world(script) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        thing = await here.at_rest(ref)
        await here.api.delete(next(pod_ref for pod_ref in await here.pod_refs() if "B" in pod_ref[1])[0])
        status = thing["status"]
        for gone in (node_id("w.B"), node_id("w.onExit")):
            del status["nodes"][gone]
        status["nodes"]["w"] |= {"phase": "Running"}
        status["nodes"]["w"].pop("finishedAt")
        status |= {"phase": "Running"}
        status.pop("finishedAt")
        thing["metadata"]["labels"].pop("workflows.argoproj.io/completed")
        await here.api.delete(next(pod_ref for pod_ref in await here.pod_refs() if "onExit" in pod_ref[1])[0])
        await here.api.replace(here.workflows, thing)
        await here.end_of(ref, limit_s=120)
        done = await here.at_rest(ref)

    assert done["status"]["phase"] == "Succeeded"
    assert tries == ["w.A", "w.B", "w.onExit", "w.B", "w.onExit"]
    assert named(done)["w.B"]["inputs"]["parameters"][0]["value"] == "made"


@pytest.mark.spec("EXPR-1")
@pytest.mark.parametrize("dies", [False, True])
async def test_how_long_the_workflow_has_run_is_told_as_of_now(*, dies: bool) -> None:
    """To arguments, conditions and the pod itself, not only in an exit handler."""
    says = "arguments: {parameters: [{name: m, value: '{{workflow.duration}}'}]}"
    text = flow(f"""
  - name: main
    steps:
    - [{{name: a, template: leaf, {says}}}]
    - - {{name: b, template: leaf, {says}}}
      - {{name: c, template: leaf, when: "{{{{workflow.duration}}}} > 15", {says}}}
      - {{name: d, template: leaf, when: "{{{{workflow.duration}}}} < 15"}}
""")
    async with world(table(a=Outcome(delay_s=20))) as here:
        ref = await here.submit(text)
        await here.after(10)
        if dies:
            here.die()
        done = await here.end_of(ref)

    said = {
        name: float(node["inputs"]["parameters"][0]["value"]) for name, node in nodes(done).items() if name in "abc"
    }
    assert said["a"] < 1
    assert 20 <= said["b"] < 25
    assert 20 <= said["c"] < 25
    assert nodes(done)["d"]["phase"] == "Skipped"

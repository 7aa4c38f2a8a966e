"""Deadlines and time-outs: who ends when, in which phase, with which words."""

from __future__ import annotations

import pytest

from actors.names.timestamps import rfc3339, seconds
from runtime.objects import PODS, Object
from tests.world.flows import flow, named, nodes, phases, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

LONG = Outcome(delay_s=500)


@pytest.mark.spec("TMO-1")
@pytest.mark.spec("SUS-7")
async def test_a_deadline_goes_through_all_that_is_nested() -> None:
    done = await run(flow("""
  - name: inner
    steps: [[{name: p, template: leaf}, {name: s, template: rest}]]
  - name: main
    dag:
      tasks:
      - {name: A, template: inner}
      - {name: B, template: leaf, depends: A.Failed}
      - {name: L, template: leaf, withItems: [1, 2]}
""", activeDeadlineSeconds=20), table(p=LONG, L=LONG))  # fmt: skip

    found = named(done)
    for name in ("w.A[0].p", "w.A[0].s", "w.L(0:1)", "w.L(1:2)"):
        assert (found[name]["phase"], found[name]["message"]) == ("Failed", "Step exceeded its deadline")
    assert found["w.B"]["message"] == "Step exceeded its deadline"
    assert done["status"]["phase"] == "Failed"
    assert done["status"]["finishedAt"] < "2026-01-01T00:00:25Z"


@pytest.mark.spec("TMO-3")
async def test_where_a_time_out_leaves_a_pod_no_time_it_is_an_error() -> None:
    done = await run(flow("  - {name: main, timeout: 1s, container: {image: b, command: [c]}}\n"))

    said = "w exceeded its deadline"
    assert (phases(done), named(done)["w"]["message"]) == ({"w": "Error"}, said)
    assert done["status"]["message"] == f"error in entry template execution: {said}"


@pytest.mark.spec("TMO-1")
@pytest.mark.spec("RTY-7")
async def test_a_pod_is_told_when_workflow_or_retries_end_and_an_exit_handler_of_no_end() -> None:
    told: dict[str, str] = {}

    def note(name: str, pod: Object) -> Outcome:
        (main,) = pod["spec"]["containers"]
        told[name] = next(entry["value"] for entry in main["env"] if entry["name"] == "ARGO_DEADLINE")
        return Outcome(code=0 if name == "w.onExit" else 1)

    retry = "{limit: 1, backoff: {duration: 1s, maxDuration: 30s}}"
    text = flow(f"  - {{name: main, retryStrategy: {retry}, container: {{image: b, command: [c]}}}}\n",
                activeDeadlineSeconds=90, onExit="leaf")  # fmt: skip
    done = await run(text, note)

    first = named(done)["w(0)"]["startedAt"]
    assert told == {
        "w(0)": rfc3339(seconds(done["status"]["startedAt"]) + 90),
        "w(1)": rfc3339(seconds(first) + 30),
        "w.onExit": "0001-01-01T00:00:00Z",
    }


@pytest.mark.spec("TMO-1")
async def test_what_a_step_was_forgiven_for_does_not_outlive_the_deadline() -> None:
    done = await run(flow("""
  - name: main
    steps:
    - - {name: a, template: leaf, continueOn: {failed: true}}
    - - {name: b, template: leaf}
""", activeDeadlineSeconds=20), table(a=LONG, b=LONG))  # fmt: skip

    assert nodes(done)["b"]["message"] == "Step exceeded its deadline"
    assert done["status"]["finishedAt"] < "2026-01-01T00:00:25Z"


@pytest.mark.spec("TMO-2")
async def test_a_templates_deadline_is_the_pods() -> None:
    text = flow("""
  - name: main
    inputs: {parameters: [{name: s, default: "30"}]}
    activeDeadlineSeconds: "{{inputs.parameters.s}}"
    container: {image: busybox, command: [sh]}
""")
    async with world(table()) as here:
        await here.end_of(await here.submit(text))
        (pod,) = (await here.api.list(PODS)).items

    assert pod["spec"]["activeDeadlineSeconds"] == 30


@pytest.mark.spec("TMO-3")
@pytest.mark.spec("TMO-5")
@pytest.mark.parametrize("limit", ["timeout: 40s", "pendingTimeout: 40s", "pendingTimeout: '40'"])
async def test_a_pod_that_stays_pending_times_out_as_a_failure(limit: str) -> None:
    text = flow(f"""
  - name: slow
    {limit}
    container: {{image: busybox, command: [sh]}}
  - name: main
    steps:
    - - {{name: a, template: slow, continueOn: {{error: true}}}}
    - - {{name: b, template: leaf}}
""")
    async with world(table(a=Outcome(pending_s=300))) as here:
        ref = await here.submit(text)
        done = await here.end_of(ref)
        await here.at_rest(ref)

    assert (nodes(done)["a"]["phase"], nodes(done)["a"]["message"]) == ("Failed", "timeout")
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("TMO-4")
async def test_a_pending_time_out_is_of_no_concern_to_a_pod_that_runs() -> None:
    done = await run(flow("""
  - name: main
    pendingTimeout: 10s
    container: {image: busybox, command: [sh]}
"""), table(w=Outcome(delay_s=60)))  # fmt: skip

    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("TMO-3")
async def test_a_time_out_counts_the_time_a_pod_was_pending() -> None:
    text = flow("""
  - name: main
    timeout: 40s
    container: {image: busybox, command: [sh]}
""")
    async with world(table()) as here:
        await here.end_of(await here.submit(text))
        (pod,) = (await here.api.list(PODS)).items

    assert pod["spec"]["activeDeadlineSeconds"] == 40


@pytest.mark.spec("TMO-3")
@pytest.mark.spec("TMO-4")
@pytest.mark.parametrize("field", ["timeout", "pendingTimeout"])
async def test_a_time_out_without_a_unit_that_only_a_run_knows_is_seconds(field: str) -> None:
    text = flow(f"""
  - name: main
    inputs: {{parameters: [{{name: t, default: "40"}}]}}
    {field}: "{{{{inputs.parameters.t}}}}"
    container: {{image: busybox, command: [sh]}}
""")
    async with world(table()) as here:
        done = await here.end_of(await here.submit(text))
        (pod,) = (await here.api.list(PODS)).items
    late = await run(text, table(w=Outcome(pending_s=300)))

    assert done["status"]["phase"] == "Succeeded"
    assert pod["spec"].get("activeDeadlineSeconds") == (40 if field == "timeout" else None)
    assert (nodes(late)["w"]["phase"], nodes(late)["w"]["message"]) == ("Failed", "timeout")


@pytest.mark.spec("TMO-3")
@pytest.mark.spec("TMO-4")
@pytest.mark.parametrize("field", ["timeout", "pendingTimeout"])
@pytest.mark.parametrize("retried", ["", "retryStrategy: {limit: 2}"])
async def test_a_time_out_ends_the_wait_for_a_lock_also_of_what_is_retried(field: str, retried: str) -> None:
    text = flow(f"""
  - name: main
    {field}: 40s
    {retried}
    synchronization: {{mutexes: [{{name: m}}]}}
    container: {{image: busybox, command: [sh]}}
""")
    async with world(table(one=Outcome(delay_s=200))) as here:
        await here.submit(text.replace(f"{field}: 40s", ""), "one")
        await here.after(5)
        done = await here.end_of(await here.submit(text, "two"), limit_s=60)

    assert (nodes(done)["two"]["phase"], nodes(done)["two"]["message"]) == ("Failed", "timeout")
    assert [node["type"] for node in nodes(done).values()] == ["Retry" if retried else "Pod"]


@pytest.mark.spec("SUS-6")
async def test_a_suspended_workflow_is_still_ended_by_its_deadline() -> None:
    done = await run(flow("  - name: main\n    steps: [[{name: a, template: leaf}]]\n",
                          activeDeadlineSeconds=60, suspend="true"))  # fmt: skip

    assert done["status"]["phase"] == "Failed"
    assert phases(done)["w[0].a"] == "Failed"
    assert nodes(done)["a"]["message"] == "Step exceeded its deadline"


@pytest.mark.spec("EXIT-7")
@pytest.mark.spec("EXIT-6")
async def test_exit_handlers_of_steps_and_workflow_ignore_the_deadline() -> None:
    done = await run(flow("""
  - name: main
    steps: [[{name: a, template: leaf, hooks: {exit: {template: leaf}}}]]
""", activeDeadlineSeconds=10, onExit="leaf"), table(a=LONG, onExit=Outcome(delay_s=40)))  # fmt: skip

    assert phases(done)["w[0].a"] == "Failed"
    assert phases(done)["w[0].a.onExit"] == "Succeeded"
    assert phases(done)["w.onExit"] == "Succeeded"
    assert done["status"]["phase"] == "Failed"

"""Whole workflows in virtual time: what ran, in which order, with which outputs, and what was left."""

from __future__ import annotations

import anyio
import pytest

from actors.names import ids, labels
from actors.names.timestamps import seconds
from actors.workflow.retention import expires_at
from runtime.api import Gone
from runtime.objects import Object
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

LEAF = "{name: leaf, inputs: {parameters: [{name: m, default: x}]}, container: {image: busybox, command: [echo]}}"


def nodes(workflow: Object) -> dict[str, Object]:
    """The nodes by display name."""
    return {entry["displayName"]: entry for entry in workflow["status"]["nodes"].values()}


def workflow(templates: str, **spec: object) -> str:
    more = "".join(f"\n  {key}: {value}" for key, value in spec.items())
    return f"spec:\n  entrypoint: main{more}\n  templates:\n  - {LEAF}\n{templates}"


STEPS = workflow("""
  - name: main
    steps:
    - - {name: a, template: leaf}
    - - {name: b, template: leaf}
      - {name: c, template: leaf}
""")


@pytest.mark.spec("STEP-1")
async def test_steps_run_one_group_after_the_other_and_every_pod_once() -> None:
    async with world(lambda name, pod: Outcome()) as here:
        done = await here.end_of(await here.submit(STEPS))

        assert done["status"]["phase"] == "Succeeded"
        assert done["status"]["progress"] == "3/3"
        assert len(here.created) == 3
        assert here.created[0] == ids.pod_name("w", "w[0].a", "leaf")
        assert nodes(done)["[0]"]["children"] == [ids.node_id("w", "w[0].a")]
        assert done["metadata"]["labels"][labels.COMPLETED] == "true"


async def test_pods_are_released_only_when_all_is_on_record() -> None:
    async with world(lambda name, pod: Outcome(result="x")) as here:
        await here.end_of(await here.submit(STEPS))
        pods = await here.settled_pods()

        assert {pod["metadata"]["labels"][labels.COMPLETED] for pod in pods} == {"true"}
        assert not any(pod["metadata"].get("finalizers") for pod in pods)


@pytest.mark.spec("STEP-3")
@pytest.mark.spec("STEP-4")
async def test_a_failed_step_waits_for_its_siblings_and_nothing_follows() -> None:
    def script(name: str, pod: Object) -> Outcome:
        return Outcome(code=1) if name.endswith(".b") else Outcome(delay_s=30)

    text = STEPS + "    - - {name: d, template: leaf}\n"
    async with world(script) as here:
        done = await here.end_of(await here.submit(text))

        found = nodes(done)
        assert done["status"]["phase"] == "Failed"
        assert done["status"]["message"] == f"child '{ids.node_id('w', 'w[1].b')}' failed"
        assert found["b"]["message"] == "main: Error (exit code 1)"
        assert found["c"]["phase"] == "Succeeded"
        assert "d" not in found


@pytest.mark.spec("RTY-1")
@pytest.mark.spec("RTY-9")
async def test_a_retry_ends_with_its_first_success() -> None:
    text = workflow("""
  - name: main
    retryStrategy: {limit: 5}
    container: {image: busybox, command: [sh], args: ["{{retries}}"]}
""")
    async with world(lambda name, pod: Outcome(code=0 if name.endswith("(2)") else 1)) as here:
        done = await here.end_of(await here.submit(text))

        found = nodes(done)
        assert done["status"]["phase"] == "Succeeded"
        assert [found[f"w({n})"]["phase"] for n in range(3)] == ["Failed", "Failed", "Succeeded"]
        assert found["w(0)"]["nodeFlag"] == {"retried": True}
        assert "nodeFlag" not in found["w"]
        assert done["status"]["progress"] == "1/3"


@pytest.mark.spec("RTY-6")
async def test_a_backoff_of_an_hour_is_waited_for() -> None:
    text = workflow("""
  - name: main
    retryStrategy: {limit: 1, backoff: {duration: 1h}}
    container: {image: busybox, command: [sh]}
""")
    async with world(lambda name, pod: Outcome(code=0 if name.endswith("(1)") else 1)) as here:
        ref = await here.submit(text)
        done = await here.end_of(ref, limit_s=2 * 3600)

        assert done["status"]["phase"] == "Succeeded"
        assert done["status"]["startedAt"][11:13] != done["status"]["finishedAt"][11:13]


@pytest.mark.spec("PAR-3")
async def test_parallelism_holds_pods_back() -> None:
    text = workflow("""
  - name: main
    steps:
    - - {name: p, template: leaf, withSequence: {count: "9"}}
""", parallelism=2)  # fmt: skip
    async with world(lambda name, pod: Outcome()) as here:
        done = await here.end_of(await here.submit(text))

        assert done["status"]["phase"] == "Succeeded"
        assert len(here.created) == 9
        assert here.most_running == 2


@pytest.mark.spec("EXIT-1")
@pytest.mark.spec("EXIT-3")
async def test_an_exit_handler_runs_after_a_failure_and_sees_it() -> None:
    text = workflow("""
  - name: main
    container: {image: busybox, command: [sh]}
  - name: leave
    container: {image: busybox, command: [echo], args: ["{{workflow.status}}"]}
""", onExit="leave")  # fmt: skip
    seen: list[str] = []

    def script(name: str, pod: Object) -> Outcome:
        if name.endswith(".onExit"):
            seen.extend(pod["spec"]["containers"][0]["args"])
            return Outcome()
        return Outcome(code=7)

    async with world(script) as here:
        done = await here.end_of(await here.submit(text))

        assert done["status"]["phase"] == "Failed"
        assert done["status"]["message"] == "main: Error (exit code 7)"
        assert nodes(done)["w.onExit"]["nodeFlag"] == {"hooked": True}
        assert seen == ["Failed"]


@pytest.mark.spec("TMO-1")
async def test_a_deadline_fails_what_runs_and_spares_the_exit_handler() -> None:
    text = workflow("""
  - name: main
    container: {image: busybox, command: [sh]}
""", activeDeadlineSeconds=10, onExit="leaf")  # fmt: skip
    async with world(lambda name, pod: Outcome(delay_s=500 if name == "w" else 20)) as here:
        done = await here.end_of(await here.submit(text))

        assert done["status"]["phase"] == "Failed"
        assert nodes(done)["w"]["message"] == "Step exceeded its deadline"
        assert nodes(done)["w.onExit"]["phase"] == "Succeeded"


@pytest.mark.spec("OP-1")
@pytest.mark.parametrize(("strategy", "leaves"), [("Stop", True), ("Terminate", False)])
async def test_a_stop_ends_what_runs_and_only_a_stop_leaves_by_the_exit_handler(strategy: str, leaves: bool) -> None:
    async with world(lambda name, pod: Outcome(delay_s=5 if "onExit" in name else 500)) as here:
        ref = await here.submit(workflow("""
  - name: main
    steps:
    - - {name: a, template: leaf}
    - - {name: b, template: leaf}
""", onExit="leaf"))  # fmt: skip
        await anyio.sleep(5)
        await here.api.patch(ref, {"spec": {"shutdown": strategy}})
        done = await here.end_of(ref, limit_s=120)

        found = nodes(done)
        assert done["status"]["phase"] == "Failed"
        assert done["status"]["message"] == f"Stopped with strategy '{strategy}'"
        assert found["a"]["message"] == f"workflow shutdown with strategy:  {strategy}"
        assert ("w.onExit" in found) is leaves
        assert "b" not in found


@pytest.mark.spec("SUS-5")
async def test_a_suspended_node_goes_on_when_somebody_writes_that_it_succeeded() -> None:
    text = workflow("""
  - name: wait
    suspend: {}
  - name: main
    steps:
    - - {name: gate, template: wait}
    - - {name: after, template: leaf}
""")
    async with world(lambda name, pod: Outcome()) as here:
        ref = await here.submit(text)
        await anyio.sleep(30)
        gate = ids.node_id("w", "w[0].gate")
        assert here.created == []
        edit = {"status": {"nodes": {gate: {"phase": "Succeeded", "finishedAt": "2026-01-01T00:00:30Z"}}}}
        await here.api.patch(ref, edit)
        done = await here.end_of(ref)

        assert done["status"]["phase"] == "Succeeded"
        assert len(here.created) == 1


@pytest.mark.spec("SUS-2")
async def test_a_suspended_node_goes_on_after_its_duration() -> None:
    text = workflow("""
  - name: main
    suspend: {duration: "1h30m"}
""")
    async with world(lambda name, pod: Outcome()) as here:
        done = await here.end_of(await here.submit(text), limit_s=6000)

        assert done["status"]["startedAt"] == "2026-01-01T00:00:00Z"
        assert done["status"]["finishedAt"] == "2026-01-01T01:30:00Z"


@pytest.mark.spec("LOOP-8")
@pytest.mark.spec("SCR-2")
async def test_results_of_a_loop_are_a_list_for_whoever_follows() -> None:
    text = workflow("""
  - name: say
    inputs: {parameters: [{name: n}]}
    script: {image: python, command: [python], source: "print({{inputs.parameters.n}})"}
  - name: main
    steps:
    - - {name: many, template: say, arguments: {parameters: [{name: n, value: "{{item}}"}]}, withItems: [1, 2, 3]}
    - - {name: all, template: leaf, arguments: {parameters: [{name: m, value: "{{steps.many.outputs.result}}"}]}}
""")
    async with world(lambda name, pod: Outcome(result=name[-2] if "many" in name else None)) as here:
        done = await here.end_of(await here.submit(text))

        assert done["status"]["phase"] == "Succeeded"
        assert nodes(done)["all"]["inputs"]["parameters"] == [{"name": "m", "value": "[1,2,3]"} | {"default": "x"}]


async def test_a_pod_that_vanishes_is_an_error() -> None:
    text = workflow("""
  - name: main
    container: {image: busybox, command: [sh]}
""")
    async with world(lambda name, pod: Outcome(vanishes=True)) as here:
        done = await here.end_of(await here.submit(text))

        assert done["status"]["phase"] == "Error"
        assert nodes(done)["w"]["message"] == "pod deleted"


@pytest.mark.spec("VAL-1")
@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{templates: [{name: a, container: {image: x}}]}", "entrypoint"),
        ("{entrypoint: nobody, templates: [{name: a, container: {image: x}}]}", "nobody"),
        ("{entrypoint: a, templates: [{name: a, steps: [[{name: s, template: nobody}]]}]}", "nobody"),
    ],
)
async def test_an_unfit_workflow_fails_with_a_sentence_and_runs_nothing(spec: str, says: str) -> None:
    async with world(lambda name, pod: Outcome()) as here:
        done = await here.end_of(await here.submit(f"spec: {spec}"))

        assert done["status"]["phase"] == "Failed"
        assert done["status"]["message"].startswith("invalid spec: ")
        assert says in done["status"]["message"]
        assert here.created == []


@pytest.mark.spec("TTL-1")
@pytest.mark.parametrize(("code", "after_s"), [(0, 60), (1, 600)])
async def test_a_finished_workflow_goes_when_its_time_has_come(code: int, after_s: int) -> None:
    text = workflow(
        """
  - name: main
    container: {image: busybox, command: [sh]}
""",
        ttlStrategy="{secondsAfterSuccess: 60, secondsAfterFailure: 600}",
    )
    async with world(lambda name, pod: Outcome(code=code)) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        await anyio.sleep(after_s - 5)
        await here.api.get(ref)
        await anyio.sleep(10)

        with pytest.raises(Gone):
            await here.api.get(ref)


MADE_OF_TEMPLATE: Object = {
    "metadata": {"name": "w"},
    "status": {
        "phase": "Succeeded",
        "finishedAt": "2026-01-01T00:00:00Z",
        "storedWorkflowTemplateSpec": {"ttlStrategy": {"secondsAfterCompletion": 60}},
    },
}


@pytest.mark.spec("TTL-1")
@pytest.mark.parametrize(
    ("own", "after_s"),
    [
        ({}, 60),
        ({"ttlStrategy": {"secondsAfterSuccess": 5}}, 5),  # also one that was written when it was over
        ({"ttlStrategy": {"secondsAfterFailure": 5}}, None),  # taken whole: of success it says nothing
    ],
)
async def test_a_workflows_own_ttl_strategy_takes_the_place_of_its_templates(own: Object, after_s: int | None) -> None:
    expiry = expires_at({**MADE_OF_TEMPLATE, "spec": {"workflowTemplateRef": {"name": "lib"}, **own}})

    assert expiry == (None if after_s is None else seconds("2026-01-01T00:00:00Z") + after_s)


@pytest.mark.spec("TMPL-12")
@pytest.mark.parametrize(("wished", "shown", "phase"), [("Say-{{inputs.parameters.m}}", "Say-x", "Succeeded"),
                                                        ("no spaces", "w", "Error")])  # fmt: skip
async def test_a_template_may_name_its_nodes(wished: str, shown: str, phase: str) -> None:
    text = workflow(
        f"""
  - name: main
    inputs: {{parameters: [{{name: m, default: x}}]}}
    annotations: {{workflows.argoproj.io/display-name: "{wished}"}}
    container: {{image: busybox, command: [sh]}}
"""
    )
    async with world(lambda name, pod: Outcome()) as here:
        done = await here.end_of(await here.submit(text))

        assert nodes(done)[shown]["phase"] == phase

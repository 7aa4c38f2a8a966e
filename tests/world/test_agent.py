"""Http and plugin nodes: the agent works them off, what it answers becomes the node, and nothing of it stays."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from actors.contract.instructions import from_env
from actors.names import labels
from actors.names.timestamps import seconds
from actors.node.manifest_request import PodSettings
from actors.node.task_set import TASK_SETS
from runtime.objects import PODS, SERVICE_ACCOUNTS, Object, Reference, reference
from tests.world import retries
from tests.world.flows import flow, named, phases, table
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings
from tiphys.executor import agent

pytestmark = pytest.mark.virtual_time

GET = "{name: get, inputs: {parameters: [{name: u, default: x}]}, http: {url: 'http://{{inputs.parameters.u}}'}}"
TWO = flow(f"""
  - {GET}
  - name: main
    steps:
    - - {{name: a, template: get, arguments: {{parameters: [{{name: u, value: one}}]}}}}
      - {{name: b, template: get, continueOn: {{failed: true}}, arguments: {{parameters: [{{name: u, value: bad}}]}}}}
    - - {{name: c, template: leaf, arguments: {{parameters: [{{name: m, value: "{{{{steps.a.outputs.result}}}}"}}]}}}}
""")
ONE = flow(f"  - {GET}\n  - name: main\n    steps: [[{{name: a, template: get}}]]\n")
Answers = Callable[[str], agent.Answer]


def answered(url: str) -> agent.Answer:
    if "bad" in url:
        return agent.Answer({"phase": "Failed", "message": "received non-2xx response code: 500"})
    return agent.Answer({"phase": "Succeeded", "outputs": {"result": json.dumps(f"body of {url}")}})


def agents_stay(name: str, pod: Object) -> Outcome:
    if pod["metadata"]["labels"].get(labels.COMPONENT) == "agent":
        return Outcome(delay_s=1e6)
    return table()(name, pod)


@asynccontextmanager
async def with_agent(
    answers: Answers = answered, work_s: float = 0.1, **options: Any
) -> AsyncIterator[tuple[World, list[str]]]:
    """A world in which the program of every agent's pod runs while the pod does; and the requests that were made."""
    asked: list[str] = []

    async def execute(template: agent.Template) -> agent.Answer:
        url = (template.get("http") or {}).get("url") or json.dumps(template.get("plugin"))
        asked.append(url)
        await anyio.sleep(work_s)
        return answers(url)

    async def serve(here: World, pod: Object) -> None:
        main = next(entry for entry in pod["spec"]["containers"] if entry["name"] == "main")
        order = from_env({entry["name"]: entry["value"] for entry in main["env"]})["agent"]
        with anyio.CancelScope() as life:
            lives[pod["metadata"]["uid"]] = life
            await agent.run(here.api, order, execute)

    async def watch(here: World) -> None:
        async with anyio.create_task_group() as pods:
            while True:
                version = (await here.api.list(PODS)).resource_version
                async with here.api.watch(PODS, resource_version=version) as events:
                    async for event in events:
                        if event.object["metadata"].get("labels", {}).get(labels.COMPONENT) != "agent":
                            continue
                        if event.type == "ADDED":
                            pods.start_soon(serve, here, event.object)
                        if event.type == "DELETED" and (life := lives.pop(event.object["metadata"]["uid"], None)):
                            life.cancel()

    lives: dict[str, anyio.CancelScope] = {}
    async with world(options.pop("script", agents_stay), **options) as here, anyio.create_task_group() as tasks:
        tasks.start_soon(watch, here)
        await anyio.sleep(0.01)
        yield here, asked
        tasks.cancel_scope.cancel()


async def left(here: World) -> list[str]:
    """What of any agent is still there: pods, and task sets that are not closed and empty."""
    pods = [pod["metadata"]["name"] for pod in (await here.api.list(PODS)).items]
    sets = [thing["metadata"]["name"] for thing in (await here.api.list(TASK_SETS)).items if not is_closed(thing)]
    return [name for name in pods if name.endswith("-agent")] + sets


def is_closed(task_set: Object) -> bool:
    done = task_set["metadata"]["labels"].get(labels.COMPLETED) == "true"
    return done and not task_set["spec"].get("tasks") and not (task_set.get("status") or {}).get("nodes")


@pytest.mark.spec("TMPL-9", "AGENT-3", "AGENT-4", "KIND-6", "SCR-4")
async def test_answers_become_the_nodes_and_the_agent_goes_with_the_workflow() -> None:
    async with with_agent() as (here, asked):
        ref = await here.submit(TWO)
        done = await here.end_of(ref)
        await here.at_rest(ref)
        remains = await left(here)

    nodes = named(done)
    assert (nodes["w[0].a"]["type"], nodes["w[0].a"]["phase"]) == ("HTTP", "Succeeded")
    assert nodes["w[0].a"]["outputs"] == {"result": '"body of http://one"'}
    assert nodes["w[0].b"]["message"] == "received non-2xx response code: 500"
    assert nodes["w[1].c"]["inputs"]["parameters"][0]["value"] == '"body of http://one"'
    assert sorted(asked) == ["http://bad", "http://one"]
    assert remains == []
    assert done["status"]["progress"] == "2/3"


@pytest.mark.spec("AGENT-3", "KIND-6")
async def test_the_task_set_is_named_after_the_workflow_and_its_pod_by_upstreams_formula() -> None:
    async with with_agent(work_s=20) as (here, _):
        ref = await here.submit(ONE)
        await here.after(5)
        (task_set,) = (await here.api.list(TASK_SETS)).items
        (pod,) = (await here.api.list(PODS)).items
        waiting = named(await here.api.get(ref))["w[0].a"]

    assert task_set["metadata"]["name"] == "w"
    assert list(task_set["spec"]["tasks"]) == [waiting["id"]]
    assert pod["metadata"]["name"] == "w-1340600742-agent"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert waiting["phase"] == "Pending"


@pytest.mark.spec("AGENT-3", "KIND-6")
async def test_the_task_set_stays_with_its_workflow_empty_and_completed() -> None:
    async with with_agent() as (here, _):
        ref = await here.submit(ONE)
        await here.end_of(ref)
        await here.at_rest(ref)
        (task_set,) = (await here.api.list(TASK_SETS)).items

    assert is_closed(task_set)
    assert [owner["uid"] for owner in task_set["metadata"]["ownerReferences"]] == [ref.uid]


@pytest.mark.spec("AGENT-3", "OP-4")
@pytest.mark.parametrize("seed", range(3))
async def test_a_workflow_that_is_retried_opens_its_task_set_again_and_asks_anew(seed: int) -> None:
    good: list[str] = []

    def first_fails(url: str) -> agent.Answer:
        good.append(url)
        return answered("bad") if len(good) == 1 else answered(url)

    async with with_agent(first_fails, seed=seed) as (here, asked):
        ref = await here.submit(ONE)
        failed = await here.end_of(ref)
        await here.at_rest(ref)
        await retries.retried(here, ref, seconds(failed["status"]["finishedAt"]) + 60)
        done = await here.end_of(ref)
        await here.at_rest(ref)
        remains = await left(here)

    assert (failed["status"]["phase"], done["status"]["phase"]) == ("Failed", "Succeeded")
    assert asked == ["http://x", "http://x"]
    assert remains == []


async def test_a_task_set_that_another_controller_made_for_the_workflow_is_taken_over() -> None:
    async with with_agent() as (here, _):
        ref = await here.submit(ONE)
        uid = ref.uid
        owner = {"apiVersion": TASK_SETS.api_version, "kind": "Workflow", "name": "w", "uid": uid}
        meta = {"name": "w", "namespace": "default", "ownerReferences": [owner], "labels": {labels.COMPLETED: "true"}}
        thing = {"apiVersion": TASK_SETS.api_version, "kind": TASK_SETS.kind, "metadata": meta, "spec": {}}
        await here.api.create(TASK_SETS, thing)
        done = await here.end_of(ref)
        await here.at_rest(ref)
        remains = await left(here)

    assert done["status"]["phase"] == "Succeeded"
    assert remains == []


@pytest.mark.spec("AGENT-3")
async def test_a_template_with_an_account_of_its_own_is_worked_off_under_that_account() -> None:
    text = flow("""
  - {name: get, http: {url: "http://mine"}}
  - {name: other, serviceAccountName: else, http: {url: "http://theirs"}}
  - name: main
    steps: [[{name: a, template: get}, {name: b, template: other}]]
""", serviceAccountName="own")  # fmt: skip
    async with with_agent(work_s=20) as (here, asked):
        for name in ("own", "else"):
            meta = {"name": name, "namespace": "default"}
            await here.api.create(SERVICE_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
        ref = await here.submit(text)
        await here.after(5)
        pods = (await here.api.list(PODS)).items
        done = await here.end_of(ref)
        await here.at_rest(ref)
        remains = await left(here)

    assert sorted(pod["spec"]["serviceAccountName"] for pod in pods) == ["else", "own"]
    assert sorted(asked) == ["http://mine", "http://theirs"]
    assert done["status"]["phase"] == "Succeeded"
    assert remains == []


@pytest.mark.spec("AGENT-4")
async def test_an_agent_that_fails_makes_its_nodes_errors_and_the_next_attempt_has_another() -> None:
    lived = []

    def first_fails(name: str, pod: Object) -> Outcome:
        if pod["metadata"]["labels"].get(labels.COMPONENT) != "agent":
            return table()(name, pod)
        lived.append(pod["metadata"]["uid"])
        return Outcome(code=1, delay_s=2) if len(lived) == 1 else Outcome(delay_s=1e6)

    retried = ONE.replace("{name: get, inputs", "{name: get, retryStrategy: {limit: 2, retryPolicy: Always}, inputs")
    async with with_agent(work_s=10, script=first_fails) as (here, _):
        ref = await here.submit(retried)
        done = await here.end_of(ref)
        await here.at_rest(ref)
        remains = await left(here)

    assert phases(done)["w[0].a(0)"] == "Error"
    assert named(done)["w[0].a(0)"]["message"] == 'agent pod failed with reason:"main: Error (exit code 1)"'
    assert phases(done)["w[0].a(1)"] == "Succeeded"
    assert len(lived) == 2
    assert remains == []


def crashing(reason: str, restarts: int) -> Object:
    """The status of an agent's pod of which a container is started again and again."""
    last = {"reason": reason, "exitCode": 128, "message": "it mounts a volume"}
    waits = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}
    entry = {"name": "hello", "restartCount": restarts, "state": {"waiting": waits}, "lastState": {"terminated": last}}
    return {"phase": "Running", "containerStatuses": [entry]}


@pytest.mark.spec("AGENT-4")
@pytest.mark.parametrize(("reason", "restarts"), [("ContainerCannotRun", 1), ("StartError", 1), ("Error", 5)])
async def test_an_agent_that_only_crashes_is_given_up_and_the_next_attempt_has_another(
    reason: str, restarts: int
) -> None:
    retried = ONE.replace("{name: get, inputs", "{name: get, retryStrategy: {limit: 2, retryPolicy: Always}, inputs")
    async with with_agent(work_s=20) as (here, _):
        ref = await here.submit(retried)
        await here.after(5)
        (pod,) = (await here.api.list(PODS)).items
        await here.api.patch(reference(PODS, pod), {"status": crashing("Error", 1)}, subresource="status")
        await here.after(2)
        patient = named(await here.api.get(ref))["w[0].a(0)"]
        await here.api.patch(reference(PODS, pod), {"status": crashing(reason, restarts)}, subresource="status")
        done = await here.end_of(ref)
        await here.at_rest(ref)
        remains = await left(here)

    said = f'agent pod failed with reason:"hello: {reason} (exit code 128): it mounts a volume"'
    assert (patient["phase"], patient["message"]) == (
        "Pending", "CrashLoopBackOff: back-off 10s restarting failed container",
    )  # fmt: skip
    assert (phases(done)["w[0].a(0)"], named(done)["w[0].a(0)"]["message"]) == ("Error", said)
    assert phases(done)["w[0].a(1)"] == "Succeeded"
    assert remains == []


@pytest.mark.spec("AGENT-4")
async def test_an_agents_pod_that_somebody_deletes_is_made_anew_and_asks_again() -> None:
    async with with_agent(work_s=10) as (here, asked):
        ref = await here.submit(ONE)
        await here.after(5)
        (pod,) = (await here.api.list(PODS)).items
        await here.api.delete(reference(PODS, pod), grace_s=0)
        done = await here.end_of(ref)

    assert done["status"]["phase"] == "Succeeded"
    assert asked == ["http://x", "http://x"]


@pytest.mark.spec("AGENT-3")
async def test_a_stopped_workflow_takes_its_tasks_back() -> None:
    async with with_agent(work_s=1000) as (here, asked):
        ref = await here.submit(ONE)
        await here.after(5)
        await here.api.patch(ref, {"spec": {"shutdown": "Stop"}})
        done = await here.end_of(ref, limit_s=60)
        await here.at_rest(ref)
        remains = await left(here)

    assert named(done)["w[0].a"]["message"] == "Stopped with strategy 'Stop'"
    assert named(done)["w[0].a"]["phase"] == "Failed"
    assert asked == ["http://x"]
    assert remains == []


@pytest.mark.spec("AGENT-3")
@pytest.mark.parametrize("seed", range(2))
async def test_nothing_is_lost_when_the_controllers_die(seed: int) -> None:
    many = flow(f"""
  - {GET}
  - name: main
    steps: [[{{name: a, template: get, withSequence: {{count: 20}}}}], [{{name: b, template: get}}]]
""")
    async with with_agent(seed=seed, deaths_every_s=0.7) as (here, _):
        ref = await here.submit(many)
        done = await here.end_of(ref, limit_s=600)
        await here.after(120)
        remains = await left(here)

    assert {node["message"] for node in named(done).values() if node.get("message")} == set()
    assert len([node for node in named(done).values() if node["type"] == "HTTP"]) == 21
    assert here.deaths
    assert remains == []


@pytest.mark.spec("AGENT-7")
async def test_a_plugin_may_go_through_phases_before_the_last_one() -> None:
    text = flow("""
  - {name: mine, plugin: {mine: {a: 1}}}
  - name: main
    steps: [[{name: a, template: mine}]]
""")
    count = []

    def slowly(url: str) -> agent.Answer:
        count.append(url)
        if len(count) < 3:
            return agent.Answer({"phase": "Running", "message": f"part {len(count)}", "progress": "1/3"}, again_s=10)
        said = {"parameters": [{"name": "p", "value": "v"}]}
        return agent.Answer({"phase": "Succeeded", "message": "did it", "outputs": said})

    async with with_agent(slowly) as (here, _):
        ref = await here.submit(text)
        await here.after(8)
        between = named(await here.api.get(ref))["w[0].a"]
        done = named(await here.end_of(ref))["w[0].a"]

    assert (between["type"], between["phase"], between["message"]) == ("Plugin", "Running", "part 1")
    assert between["progress"] == "1/3"
    assert (done["phase"], done["message"]) == ("Succeeded", "did it")
    assert done["outputs"]["parameters"] == [{"name": "p", "value": "v"}]


async def test_a_foreign_task_set_is_not_touched_and_the_node_says_so() -> None:
    async with with_agent() as (here, _):
        meta = {"name": "w", "namespace": "default"}
        await here.api.create(
            TASK_SETS, {"apiVersion": TASK_SETS.api_version, "kind": TASK_SETS.kind, "metadata": meta}
        )
        done = await here.end_of(await here.submit(ONE), limit_s=60)
        await here.after(30)
        kept = await here.api.get(Reference(TASK_SETS, "default", "w"))

    assert "is not this workflow's" in named(done)["w[0].a"]["message"]
    assert kept["metadata"]["name"] == "w"


async def test_a_crash_of_the_agents_actor_is_an_error_of_the_nodes_that_wait_for_it() -> None:
    unfit = ControllerSettings(pods=PodSettings(executor_command=None))  # type: ignore[arg-type]  # a bug, so to say
    async with with_agent(settings=unfit) as (here, _):
        done = await here.end_of(await here.submit(ONE), limit_s=60)

    assert named(done)["w[0].a"]["phase"] == "Error"
    assert named(done)["w[0].a"]["message"].startswith("TypeError")


@pytest.mark.spec("AGENT-4")
async def test_where_somebody_elses_agent_works_only_the_task_set_is_made() -> None:
    elsewhere = ControllerSettings(pods=PodSettings(agent_pods=False))
    async with with_agent(settings=elsewhere) as (here, asked):
        ref = await here.submit(ONE)
        await here.after(5)
        (task_set,) = (await here.api.list(TASK_SETS)).items
        (node,) = task_set["spec"]["tasks"]
        said = {"phase": "Succeeded", "outputs": {"result": "1"}}
        await here.api.patch(reference(TASK_SETS, task_set), {"status": {"nodes": {node: said}}}, subresource="status")
        done = await here.end_of(ref)
        await here.at_rest(ref)
        pods = (await here.api.list(PODS)).items
        remains = await left(here)

    assert named(done)["w[0].a"]["outputs"] == {"result": "1"}
    assert (pods, asked, remains) == ([], [], [])

"""Kubernetes Events tell how workflows and nodes fare, and nothing depends on them."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.messages import NodeStatus
from actors.workflow.events import of_node
from actors.workflow.journal import Turn
from runtime.api import Api, Refused
from runtime.objects import EVENTS, PODS, Object, Resource
from tests.world.test_runs import STEPS, workflow
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

NODE = "workflows.argoproj.io/"
FAN = workflow("""
  - name: main
    steps:
    - - {name: a, template: leaf, withItems: [0, 1]}
      - {name: b, template: leaf, when: "1 == 2"}
""")


async def events(here: World) -> list[Object]:
    """Events of the workflow room, once none is under way."""
    await anyio.sleep(1)
    found = (await here.api.list(EVENTS)).items
    return [entry for entry in found if entry["source"]["component"] == "workflow-controller"]


def told(found: list[Object]) -> list[str]:
    return sorted(f"{entry['type']} {entry['reason']}: {entry['message']}" for entry in found)


@pytest.mark.spec("EVT-5")
async def test_a_workflow_and_its_nodes_tell_of_their_phases_once_each() -> None:
    def script(name: str, pod: Object) -> Outcome:
        return Outcome(code=2 if "(1:1)" in name else 0, pending_s=0.0, delay_s=0.01)

    async with world(script) as here:
        ref = await here.submit(FAN)
        await here.end_of(ref)
        found = await events(here)

    names = ["w", "w[0]", "w[0].a(0:0)", "w[0].a(1:1)"]
    assert told(found) == sorted(
        [
            "Normal WorkflowRunning: Workflow Running",
            *(f"Normal WorkflowNodeRunning: Running node {name}" for name in names),
            "Normal WorkflowNodeSucceeded: Succeeded node w[0].a(0:0)",
            "Warning WorkflowNodeFailed: Failed node w[0].a(1:1): main: Error (exit code 2)",
            f"Warning WorkflowNodeFailed: Failed node w[0]: {failed_child(found)}",
            f"Warning WorkflowNodeFailed: Failed node w: {failed_child(found)}",
            f"Warning WorkflowFailed: {failed_child(found)}",
        ]
    )
    assert {entry["involvedObject"]["uid"] for entry in found} == {ref.uid}
    noted = next(entry for entry in found if entry["message"] == "Succeeded node w[0].a(0:0)")["metadata"]
    prefix = "workflows.argoproj.io/node-"
    assert {key.removeprefix(prefix) for key in noted["annotations"]} == {"name", "id", "type", "start-time"}
    assert noted["annotations"][prefix + "type"] == "Pod"
    assert noted["annotations"][prefix + "name"] == "w[0].a(0:0)"


def failed_child(found: list[Object]) -> str:
    failed = next(entry for entry in found if entry["message"].startswith("Failed node w[0].a(1:1)"))
    return f"child '{failed['metadata']['annotations']['workflows.argoproj.io/node-id']}' failed"


@pytest.mark.spec("EVT-5")
async def test_the_deadline_of_a_workflow_is_an_event_of_its_own() -> None:
    text = workflow("\n  - {name: main, container: {image: busybox, command: [sleep]}}\n", activeDeadlineSeconds=5)
    async with world(lambda name, pod: Outcome(delay_s=60.0)) as here:
        await here.end_of(await here.submit(text))
        found = told(await events(here))

    assert "Warning WorkflowTimedOut: Workflow timed out" in found
    assert "Warning WorkflowNodeFailed: Failed node w: Step exceeded its deadline" in found


@pytest.mark.spec("EVT-5")
async def test_an_unfit_workflow_says_so_in_an_event() -> None:
    async with world(lambda name, pod: Outcome()) as here:
        done = await here.end_of(await here.submit("spec: {entrypoint: none, templates: []}"))

        assert told(await events(here)) == [f"Warning WorkflowFailed: {done['status']['message']}"]


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize("seed", range(4))
async def test_whoever_dies_no_event_is_told_twice(seed: int) -> None:
    async with world(lambda name, pod: Outcome(), seed=seed, deaths_every_s=1.0) as here:
        await here.end_of(await here.submit(STEPS))
        found = told(await events(here))

        assert here.deaths
        assert len(set(found)) == len(found)
        assert set(found) <= {
            "Normal WorkflowRunning: Workflow Running",
            "Normal WorkflowSucceeded: Workflow completed",
            *(
                f"Normal WorkflowNode{phase}: {phase} node {name}"
                for phase in ("Running", "Succeeded")
                for name in ("w", "w[0]", "w[1]", "w[0].a", "w[1].b", "w[1].c")
            ),
        }


class NoEvents:
    """An API whose server takes no Events."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        if resource == EVENTS:
            raise Refused("events is forbidden", code=403)
        return await self._api.create(resource, thing, dry_run=dry_run)


@pytest.mark.spec("EVT-5")
async def test_a_server_that_takes_no_events_changes_nothing() -> None:
    async with world(lambda name, pod: Outcome(), coat=NoEvents) as here:
        ref = await here.submit(STEPS)
        assert (await here.end_of(ref))["status"]["phase"] == "Succeeded"
        await here.at_rest(ref)
        assert not await events(here)


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    ("settings", "left"),
    [(ControllerSettings(node_events=False), "Workflow"), (ControllerSettings(workflow_events=False), "WorkflowNode")],
)
async def test_each_kind_of_event_can_be_switched_off(settings: ControllerSettings, left: str) -> None:
    async with world(lambda name, pod: Outcome(), settings=settings) as here:
        await here.end_of(await here.submit(STEPS))
        reasons = {entry["reason"] for entry in await events(here)}

    assert reasons == {f"{left}Running", f"{left}Succeeded"}


@pytest.mark.spec("EVT-5")
async def test_events_of_nodes_that_have_a_pod_may_be_about_the_pod() -> None:
    async with world(lambda name, pod: Outcome(), settings=ControllerSettings(node_events_as_pod=True)) as here:
        ref = await here.submit(STEPS)
        await here.end_of(ref)
        pods = {entry["metadata"]["uid"]: entry["metadata"]["name"] for entry in (await here.api.list(PODS)).items}
        found = await events(here)

    about = [(entry["involvedObject"], entry["metadata"].get("annotations") or {}) for entry in found]
    of_pods = [(thing, notes) for thing, notes in about if notes.get(NODE + "node-type") == "Pod"]
    assert len(of_pods) == 2 * len(pods) == 6
    for thing, notes in of_pods:
        assert (thing["apiVersion"], thing["kind"], thing["name"]) == ("v1", "Pod", pods[thing["uid"]])
        assert (notes[NODE + "workflow-name"], notes[NODE + "workflow-uid"]) == (ref.name, ref.uid)
    others = [(thing, notes) for thing, notes in about if (thing, notes) not in of_pods]
    assert {(thing["kind"], thing["uid"]) for thing, _ in others} == {("Workflow", ref.uid)}
    assert not any(NODE + "workflow-name" in notes for _, notes in others)


@pytest.mark.parametrize("phase", ["Pending", "Skipped", "Omitted"])
def test_what_does_not_run_is_no_event(phase: str) -> None:
    assert of_node(Turn(NodeStatus(id="n", name="n", phase=phase), "")) == []


@pytest.mark.spec("EVT-5")
@pytest.mark.spec("FF-2")
async def test_a_group_whose_end_its_template_overrules_has_one_end() -> None:
    def script(name: str, pod: Object) -> Outcome:
        return Outcome(code=1 if name.endswith(".a") else 0)

    text = workflow("""
  - name: main
    failFast: true
    steps: [[{name: a, template: leaf, continueOn: {failed: true}}], [{name: b, template: leaf}]]
""")
    async with world(script) as here:
        await here.end_of(await here.submit(text))
        ends = [line for line in told(await events(here)) if "node w[0]:" in line or line.endswith("node w[0]")]

    why = "template has failed or errored children and failFast enabled"
    assert ends == [
        "Normal WorkflowNodeRunning: Running node w[0]",
        f"Warning WorkflowNodeFailed: Failed node w[0]: {why}",
    ]


class OldServer:
    """An API server that knows no resources of whole pods and no claims to devices."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        if resource == PODS:
            spec = {key: value for key, value in thing["spec"].items() if key not in ("resources", "resourceClaims")}
            thing = {**thing, "spec": spec}
        return await self._api.create(resource, thing, dry_run=dry_run)


@pytest.mark.spec("POD-4")
@pytest.mark.spec("POD-5")
@pytest.mark.parametrize("old", [True, False])
async def test_what_the_server_leaves_out_of_a_pod_is_told(old: bool) -> None:
    asked = {
        "podResources": "{limits: {cpu: 1}}",
        "resourceClaims": "[{name: gpu, resourceClaimTemplateName: gpu}]",
    }
    text = workflow("\n  - {name: main, steps: [[{name: a, template: leaf}]]}\n", **asked)
    async with world(lambda name, pod: Outcome(), coat=OldServer if old else None) as here:
        await here.end_of(await here.submit(text))
        found = [entry for entry in await events(here) if entry["reason"].endswith("Dropped")]
        (pod,) = (await here.api.list(PODS)).items

    name = pod["metadata"]["name"]
    said = [
        f'Warning PodLevelResourcesDropped: pod "{name}": the API server dropped podResources; the PodLevelResources '
        "feature gate (beta since Kubernetes v1.34) is not enabled on this cluster",
        f'Warning ResourceClaimsDropped: pod "{name}": the API server dropped resourceClaims; check that the '
        "DynamicResourceAllocation feature gate is enabled on this cluster and that no admission webhook removed the "
        "field",
    ]
    assert told(found) == (said if old else [])

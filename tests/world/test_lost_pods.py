"""Pods that clusters lose in all their ways: what becomes of the node, and what the user reads there."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.node.image_question import ImageQuestion
from actors.node.manifest_request import PodSettings
from runtime.api import Refused, Unavailable
from runtime.objects import PODS, Object, reference
from tests.world.flows import flow, named, phases, table
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

ONE = flow("  - {name: main, container: {image: busybox, command: [echo]}}\n")
SET = flow("""
  - name: main
    containerSet: {containers: [{name: a, image: x, command: [y]}, {name: main, image: x, command: [y]}]}
""")
FOREVER = Outcome(pending_s=1e6)


async def meets(status: Object, *, text: str = ONE, then: Object | None = None, wait_s: float = 20) -> Object:
    """The workflow some time after its first pod has this status (and then that one)."""
    async with world(lambda name, pod: FOREVER) as here:
        ref = await here.submit(text)
        await here.after(2)
        for one in [status, *([then] if then else [])]:
            for pod in (await here.api.list(PODS)).items:
                await here.api.patch(reference(PODS, pod), {"status": one}, subresource="status")
            await here.after(wait_s)
        return await here.api.get(ref)


def terminated(name: str, code: int, reason: str = "Error", **more: Any) -> Object:
    return {"name": name, "state": {"terminated": {"exitCode": code, "reason": reason, **more}}}


@pytest.mark.parametrize(
    ("status", "phase", "message"),
    [
        ({"phase": "Failed", "reason": "Preempted", "message": "Preempted in order to admit critical pod"}, "Failed",
         "Preempted in order to admit critical pod"),
        ({"phase": "Failed", "reason": "NodeLost", "message": "Node n is unresponsive"}, "Failed",
         "Node n is unresponsive"),
        ({"phase": "Failed", "containerStatuses": [terminated("main", 137, "OOMKilled")]}, "Failed",
         "main: OOMKilled (exit code 137)"),
        ({"phase": "Failed", "initContainerStatuses": [terminated("init", 64, message="input a was not found")]},
         "Error", "init: Error (exit code 64): input a was not found"),
        ({"phase": "Failed", "initContainerStatuses": [terminated("mine", 3)]}, "Failed", "mine: Error (exit code 3)"),
        ({"phase": "Failed", "reason": "DeadlineExceeded",
          "message": "Pod was active on the node longer than the specified deadline"}, "Failed",
         "Pod was active on the node longer than the specified deadline"),
        ({"phase": "Unknown"}, "Error", "Unexpected pod phase for w: Unknown"),
    ],
)  # fmt: skip
async def test_an_end_is_told_as_the_cluster_tells_it(status: Object, phase: str, message: str) -> None:
    done = await meets(status)

    assert (named(done)["w"]["phase"], named(done)["w"]["message"]) == (phase, message)
    assert done["status"]["phase"] == phase


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ErrImagePull", "message": "no x"}}}]},
         "ErrImagePull: no x"),
        ({"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
         "ImagePullBackOff"),
        ({"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "CreateContainerConfigError",
                                                                      "message": "secret \"s\" not found"}}}]},
         'CreateContainerConfigError: secret "s" not found'),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                          "message": "0/3 nodes are available"}]}, "Unschedulable: 0/3 nodes are available"),
    ],
)  # fmt: skip
async def test_what_never_starts_says_why_while_it_is_pending_and_ends_well_when_it_does(
    status: Object, message: str
) -> None:
    waiting = await meets({"phase": "Pending", **status})
    end = {"phase": "Succeeded", "conditions": None, "containerStatuses": [terminated("main", 0, "Completed")]}
    done = await meets({"phase": "Pending", **status}, then=end)

    assert (named(waiting)["w"]["phase"], named(waiting)["w"]["message"]) == ("Pending", message)
    assert (named(done)["w"]["phase"], named(done)["w"].get("message", "")) == ("Succeeded", "")


async def test_a_pod_that_never_starts_is_given_up_when_the_template_says_so() -> None:
    text = flow("  - {name: main, pendingTimeout: 30s, container: {image: busybox, command: [echo]}}\n")
    async with world(lambda name, pod: FOREVER) as here:
        done = await here.end_of(await here.submit(text), limit_s=60)

    assert phases(done)["w"] == "Failed"


async def test_a_pod_that_somebody_deletes_is_an_error_its_containers_too() -> None:
    async with world(lambda name, pod: Outcome(delay_s=5, vanishes=True)) as here:
        plain = await here.end_of(await here.submit(ONE))
        a_set = await here.end_of(await here.submit(SET, name="v"))

    assert (named(plain)["w"]["phase"], named(plain)["w"]["message"]) == ("Error", "pod deleted")
    assert named(a_set)["v.a"]["message"] == "container deleted"


EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}


async def struck(here: World, status: Object) -> None:
    """Give every pod that has no end this status."""
    for pod in (await here.api.list(PODS)).items:
        if (pod.get("status") or {}).get("phase", "Pending") in ("Pending", "Running"):
            await here.api.patch(reference(PODS, pod), {"status": status}, subresource="status")


@pytest.mark.spec("RTY-13")
@pytest.mark.parametrize("reason", ["Evicted", "NodeShutdown", "NodeAffinity", "UnexpectedAdmissionError"])
async def test_a_pod_lost_before_it_began_is_made_again_and_that_is_no_attempt(reason: str) -> None:
    lives: list[str] = []

    def first_waits(name: str, pod: Object) -> Outcome:
        lives.append(pod["metadata"]["uid"])
        return FOREVER if len(lives) == 1 else Outcome()

    async with world(first_waits) as here:
        ref = await here.submit(ONE)
        await here.after(2)
        await struck(here, {"phase": "Failed", "reason": reason, "message": "m"})
        done = await here.end_of(ref)
        await here.at_rest(ref)

    node = named(done)["w"]
    assert (node["phase"], node["failedPodRestarts"]) == ("Succeeded", 1)
    assert node["restartingPodUID"] == lives[0]
    assert len(lives) == 2


@pytest.mark.spec("RTY-13")
async def test_a_captured_pod_is_let_go_before_it_is_made_again() -> None:
    text = flow("  - name: main\n    steps: [[{name: m, template: make}]]\n")
    lives: list[str] = []

    def first_waits(name: str, pod: Object) -> Outcome:
        lives.append(pod["metadata"]["uid"])
        return FOREVER if len(lives) == 1 else Outcome(parameters={"p": "v"})

    async with world(first_waits) as here:
        ref = await here.submit(text)
        await here.after(2)
        await struck(here, EVICTED)
        done = await here.end_of(ref)

    assert named(done)["w[0].m"]["phase"] == "Succeeded"
    assert len(lives) == 2


@pytest.mark.spec("RTY-13")
async def test_the_budget_is_three_and_then_the_node_fails_with_the_reason() -> None:
    async with world(lambda name, pod: FOREVER) as here:
        ref = await here.submit(ONE)
        for _ in range(6):
            await here.after(5)
            await struck(here, EVICTED)
        done = await here.end_of(ref, limit_s=60)

    node = named(done)["w"]
    assert (node["phase"], node["failedPodRestarts"], node["message"]) == ("Failed", 3, EVICTED["message"])
    assert len(here.created) == 4


@pytest.mark.spec("RTY-13")
async def test_the_message_tells_of_the_restart_while_the_other_pod_is_awaited() -> None:
    async with world(lambda name, pod: FOREVER) as here:
        ref = await here.submit(ONE)
        await here.after(2)
        await struck(here, EVICTED)
        await here.after(0.3)
        node = named(await here.api.get(ref))["w"]

    assert node["phase"] == "Pending"
    assert node.get("message", "") in ("Pod auto-restarting due to Evicted: The node was low on resource: memory.", "")


@pytest.mark.spec("RTY-13")
async def test_a_pod_whose_program_ran_is_not_made_again() -> None:
    began = {**EVICTED, "containerStatuses": [terminated("main", 137, startedAt="2026-01-01T00:00:00Z")]}
    done = await meets(began)

    assert (named(done)["w"]["phase"], named(done)["w"]["message"]) == ("Failed", EVICTED["message"])
    assert "failedPodRestarts" not in named(done)["w"]


@pytest.mark.spec("RTY-13")
@pytest.mark.parametrize("seed", range(3))
async def test_restarts_outlive_the_controllers(seed: int) -> None:
    async with world(table(), seed=seed, deaths_every_s=0.4) as here:
        here.script = lambda name, pod: FOREVER if len(here.created) <= 2 else Outcome()
        ref = await here.submit(ONE)
        async with anyio.create_task_group() as tasks:

            async def strike() -> None:
                while True:
                    await anyio.sleep(2)
                    if len(here.created) <= 2:
                        await struck(here, EVICTED)

            tasks.start_soon(strike)
            done = await here.end_of(ref, limit_s=300)
            tasks.cancel_scope.cancel()

    node = named(done)["w"]
    assert node["phase"] == "Succeeded"
    assert node["failedPodRestarts"] in (1, 2)  # what nobody had written down when they died is not counted


# ------------------------------------------------------------------------------------------------ images


async def with_registry(*answers: Any) -> Object:
    """A workflow whose image has to be looked up, and a registry that answers so."""

    async def registry(query: ImageQuestion) -> Any:
        asked.append(query.image)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    asked: list[str] = []
    text = flow("""
  - name: quiet
    container: {image: mine}
    outputs: {parameters: [{name: p, valueFrom: {path: /p}}]}
  - name: main
    steps: [[{name: a, template: quiet}]]
""")
    seen: list[Object] = []

    def script(name: str, pod: Object) -> Outcome:
        seen.append(pod)
        return Outcome(parameters={"p": "v"})

    settings = ControllerSettings(pods=PodSettings(ask_registries=True), registry=registry)
    async with world(script, settings=settings) as here:
        done = await here.end_of(await here.submit(text))
    assert set(asked) == {"mine"}
    assert len(asked) >= len(answers)
    done["commands"] = [entry["command"] for pod in seen for entry in pod["spec"]["containers"]]
    return done


@pytest.mark.spec("TMPL-14")
async def test_an_unknown_command_is_asked_of_the_images_registry() -> None:
    done = await with_registry((["/app"], ["serve"]))

    assert phases(done)["w[0].a"] == "Succeeded"
    assert done["commands"][0][1:] == ["--", "/app"]


@pytest.mark.spec("TMPL-14")
async def test_a_registry_that_does_not_answer_is_asked_again() -> None:
    done = await with_registry(Unavailable("busy"), Unavailable("busy"), (["/app"], []))

    assert phases(done)["w[0].a"] == "Succeeded"


@pytest.mark.spec("TMPL-14")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Refused("registry r has no mine for everybody (404)"), "no mine for everybody"),
        (([], []), "set `command`"),
        (Unavailable("registry r does not answer"), "does not answer"),
    ],
)
async def test_what_no_registry_knows_is_an_error_with_the_reason(answer: Any, words: str) -> None:
    done = await with_registry(answer)

    assert phases(done)["w[0].a"] == "Error"
    assert words in named(done)["w[0].a"]["message"]

"""The generated roles are enough: the controller runs examples under an API that refuses everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
import yaml

from actors.node.manifest_request import PodSettings
from actors.rollout import wire
from runtime.api import Selection
from runtime.clock import SystemClock
from runtime.election import Election
from runtime.objects import LEASES, NAMESPACES, Reference, Resource
from runtime.system import Settings, System
from tests.e2e.conftest import EXAMPLES
from tests.installation.judge import Judged, bound
from tiphys.cli.session import Session, SessionSettings, opened
from tiphys.controller.leading import rooms_of
from tiphys.controllers import METRICS, ControllerSettings, rooms
from tiphys.devcluster.controllers import rooms as built_in
from tiphys.installation.choice import NAME, Choice
from tiphys.installation.roles import controller_roles, people_roles

WORKFLOWS = Resource("argoproj.io/v1alpha1", "Workflow", "workflows")
END_S = 30
RUN = (
    "diamond",
    "five-tasks",
    "exit-handler",
    "loop",
    "retry",
    "steps",
    "suspend-duration",
    "work-avoidance",
    "daemon",
)


def settings(choice: Choice) -> ControllerSettings:
    return ControllerSettings(pods=PodSettings(executor_image="x"), whole_cluster=choice.scope == "cluster")


async def play(choice: Choice, namespace: str) -> tuple[Judged, list[str]]:
    """Run examples in `namespace` as somebody with `edit`, controlled by the installation's service account."""
    edit = next(thing for thing in people_roles() if thing["metadata"]["name"].endswith("to-edit"))
    async with opened(SessionSettings(mode="simulated", controllers=False, serving=False)) as session:
        await session.api.create(NAMESPACES, {"metadata": {"name": choice.namespace}})
        if namespace not in ("default", choice.namespace):
            await session.api.create(NAMESPACES, {"metadata": {"name": namespace}})
        judged = Judged(session.api, bound(controller_roles(choice), (choice.namespace, NAME)))
        user = Judged(session.api, [("", rule) for rule in edit["rules"]])
        lease = Election(judged, Reference(LEASES, choice.namespace, "workflow-controller"), "me", SystemClock())
        ours = System(
            judged,
            rooms_of(choice.parts, rooms(settings(choice))),
            settings=Settings(choice.watched or None, metrics=METRICS, election=lease),
        )
        kubernetes = System(session.api, built_in())
        async with anyio.create_task_group() as tasks:
            await tasks.start(kubernetes.run)
            with anyio.fail_after(END_S):
                await tasks.start(ours.run)
                found = await run_all(session, user, namespace, RUN if "workflows" in choice.parts else ())
            tasks.cancel_scope.cancel()
        assert user.refused == set()
        return judged, found


async def run_all(session: Session, user: Judged, namespace: str, names: Sequence[str]) -> list[str]:
    for name in names:
        (thing,) = yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text())
        thing["metadata"] = {"name": name, "namespace": namespace}
        await user.create(WORKFLOWS, thing)
    for thing in yaml.safe_load_all((EXAMPLES / "rollouts" / "canary.yaml").read_text()):
        if thing["kind"] == "Rollout":
            thing["metadata"]["namespace"] = namespace
            await user.create(wire.ROLLOUTS, thing)
    while True:
        things: list[Any] = (await user.list(WORKFLOWS, Selection(namespace))).items
        phases = [(thing.get("status") or {}).get("phase") for thing in things]
        sets = (await session.api.list(wire.REPLICA_SETS, Selection(namespace))).items
        if all(phase in ("Succeeded", "Failed", "Error") for phase in phases) and sets:
            return sorted(str(phase) for phase in phases)
        await anyio.sleep(0.05)


@pytest.mark.parametrize(
    ("choice", "namespace"),
    [
        (Choice(), "default"),
        (Choice(scope="namespaced"), NAME),
        (Choice(scope="managed", managed="team"), "team"),
        (Choice(parts=("rollouts",)), "default"),
    ],
    ids=["cluster", "namespaced", "managed", "rollouts"],
)
@pytest.mark.spec("OPS-2")
async def test_the_generated_roles_are_all_that_the_controller_and_its_users_need(
    choice: Choice, namespace: str
) -> None:
    judged, phases = await play(choice, namespace)

    assert judged.refused == set()
    assert phases.count("Succeeded") >= (6 if "workflows" in choice.parts else 0), phases
    assert ("", "secrets", "get") not in judged.used

"""`rollouts status` watches: it hears of every phase, and ends with the verdict."""

from __future__ import annotations

from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

import crds
from runtime.api import Gone
from runtime.objects import CRDS, Reference
from tests.cli.rollouts.family import rollout
from tiphys.cli.connect import Connection
from tiphys.cli.problems import EXIT_FAILED, EXIT_SUCCEEDED, InputError
from tiphys.cli.rollouts import verbs
from tiphys.cli.rollouts.objects import ROLLOUTS
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

REF = Reference(ROLLOUTS, "default", "demo")


class Here:
    """Where a connection leads to."""

    namespace = "default"

    def __init__(self, api: InProcessApi) -> None:
        self.api = api

    async def phase(self, phase: str, message: str = "") -> None:
        generation = (await self.api.get(REF))["metadata"]["generation"]
        status = {"phase": phase, "message": message, "observedGeneration": str(generation), "pauseConditions": None}
        await self.api.patch(REF, {"status": {**status, "controllerPause": False}}, subresource="status")


@pytest.fixture
async def here() -> Here:
    server = ApiServer()
    server.start()
    found = Here(InProcessApi(server))
    for definition in crds.manifests():
        await found.api.create(CRDS, definition)
    thing: dict[str, Any] = rollout()
    labels = {"app": "demo"}
    thing["metadata"] = {"name": "demo", "namespace": "default"}
    thing["spec"]["selector"] = {"matchLabels": labels}
    thing["spec"]["template"]["metadata"] = {"labels": labels}
    await found.api.create(ROLLOUTS, thing)
    await found.phase("Progressing", "more replicas need to be updated")
    return found


async def status(here: Here, limit_s: float = 20.0) -> int:
    return await verbs.status(cast("Connection", here), REF, watch=True, limit_s=limit_s)


@pytest.mark.spec("RO-1.14-status")
async def test_every_phase_is_told_until_it_is_healthy(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    async def walk() -> None:
        await anyio.lowlevel.checkpoint()
        await here.phase("Paused", "CanaryPauseStep")
        await here.phase("Healthy")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(walk)
        assert await status(here) == EXIT_SUCCEEDED
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "Progressing - more replicas need to be updated"
    assert told[-1] == "Healthy"


async def test_a_degraded_one_is_a_failure_and_says_why(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    await here.phase("Degraded", "RolloutAborted: somebody did")
    assert await status(here) == EXIT_FAILED
    assert "degraded state with message: RolloutAborted: somebody did" in capsys.readouterr().err


async def test_it_ends_at_its_limit(here: Here) -> None:
    with pytest.raises(InputError, match="exceeded timeout"):
        await status(here, limit_s=0.05)


async def test_a_rollout_that_goes_meanwhile_is_gone(here: Here) -> None:
    async def delete() -> None:
        await anyio.lowlevel.checkpoint()
        await here.api.delete(REF)

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012  two tasks at once
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(delete)
            await status(here)
    assert caught.group_contains(Gone)

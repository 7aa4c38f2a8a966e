"""Steps that a plugin does, with a plugin that says what the test wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from actors.rollout.plan import PluginAnswer, PluginCall, PluginQuery
from actors.rollout.state import RolloutSettings
from runtime.objects import Object
from tests.rollouts.world import RolloutWorld, rollout, rollout_world
from tiphys import step_plugins

pytestmark = pytest.mark.virtual_time

STEP = {"plugin": {"name": "x/y", "config": {"a": 1}}}


class Plugin:
    """Answers with what `says` returns, and remembers the questions."""

    def __init__(self, says: Callable[[PluginQuery], PluginAnswer]) -> None:
        self.says = says
        self.asked: list[PluginQuery] = []

    async def __call__(self, query: PluginQuery) -> PluginAnswer:
        self.asked.append(query)
        return self.says(query)

    def calls(self) -> list[tuple[int, str]]:
        return [(query.call.step, query.call.operation) for query in self.asked]


def statuses(here: RolloutWorld) -> list[Object]:
    return (here.status().get("canary") or {}).get("stepPluginStatuses") or []


def phases(here: RolloutWorld) -> list[tuple[int, str, str]]:
    return [(each["index"], each["operation"], each.get("phase", "")) for each in statuses(here)]


def world(plugin: Plugin, **more: frozenset[str]):  # type: ignore[no-untyped-def]
    settings = RolloutSettings(step_plugins=frozenset({"x/y"}), **more)
    return rollout_world(settings=settings, services={"step-plugin": plugin})


async def started(here: RolloutWorld, *steps: Object, **spec: int) -> None:
    await here.apply(rollout(canary={"steps": list(steps)}, **spec))
    await here.until_phase("Healthy")
    await here.image("v2")


@pytest.mark.spec("RO-1.13-plugins")
@pytest.mark.spec("RO-1.4-plugin")
async def test_steps_that_succeed() -> None:
    plugin = Plugin(lambda query: PluginAnswer("Successful", status={"seen": query.config}))
    async with world(plugin) as here:
        await started(here, STEP, STEP)
        await here.until(lambda: here.status().get("currentStepIndex") == 2 and here.phase() == "Healthy")
        assert plugin.calls() == [(0, "Run"), (1, "Run")]
        assert here.events("RolloutStepCompleted") == [
            "Rollout step 1/2 completed (plugin: x/y)", "Rollout step 2/2 completed (plugin: x/y)"
        ]  # fmt: skip


async def test_a_step_that_fails_aborts_and_undoes_what_was_done() -> None:
    plugin = Plugin(
        lambda query: PluginAnswer("Failed" if query.call[:3] == (1, "x/y", "Run") else "Successful", "broken")
    )
    async with world(plugin) as here:
        await started(here, STEP, STEP)
        await here.until_phase("Degraded")
        await here.settle(3)
        assert phases(here) == [(0, "Run", "Successful"), (1, "Run", "Failed"), (0, "Abort", "Successful")]
        assert "Step Plugin 2 (x/y) failed: broken" in here.status()["message"]


@pytest.mark.spec("RO-2.20-plugins")
async def test_an_abort_undoes_in_reverse_and_a_retry_begins_anew() -> None:
    plugin = Plugin(lambda query: PluginAnswer("Successful"))
    async with world(plugin) as here:
        await started(here, STEP, STEP, {"pause": {}})
        await here.until_phase("Paused")
        await here.abort()
        await here.until_phase("Degraded")
        await here.settle(3)
        assert plugin.calls()[2:] == [(1, "Abort"), (0, "Abort")]
        await here.retry()
        await here.until_phase("Paused")
        assert phases(here) == [(0, "Run", "Successful"), (1, "Run", "Successful")]


async def test_full_promotion_terminates_what_runs() -> None:
    plugin = Plugin(lambda query: PluginAnswer("Running" if query.call.operation == "Run" else "Successful"))
    async with world(plugin) as here:
        await started(here, {"setWeight": 50}, STEP)
        await here.until(lambda: bool(statuses(here)))
        await here.promote_full()
        await here.until_phase("Healthy")
        assert (1, "Terminate") in plugin.calls()


async def test_a_running_step_is_asked_again_after_its_pause_until_the_deadline() -> None:
    plugin = Plugin(lambda query: PluginAnswer("Running", requeue_after_s=17, status={"n": query.call.executions}))
    async with world(plugin) as here:
        await started(here, STEP, progressDeadlineSeconds=45)
        await here.until_phase("Degraded")
        [entry] = statuses(here)
        assert (entry["executions"], entry["backoff"]) == (3, "17s")
        assert [query.status for query in plugin.asked] == [None, {"n": 0}, {"n": 1}]


async def test_an_error_waits_half_a_minute_and_keeps_the_state() -> None:
    plugin = Plugin(lambda query: PluginAnswer(error="no connection"))
    async with world(plugin) as here:
        await started(here, STEP, progressDeadlineSeconds=45)
        await here.until_phase("Degraded")
        [entry] = statuses(here)
        assert (entry["phase"], entry["backoff"], entry["executions"]) == ("Error", "30s", 2)


async def test_an_unknown_plugin_is_told_and_the_deadline_ends_it() -> None:
    async with rollout_world() as here:
        await started(here, STEP, progressDeadlineSeconds=30)
        await here.until_phase("Degraded")
        assert "ReconciliationError" in here.events()
        assert here.status()["currentStepIndex"] == 0


async def test_a_new_template_begins_without_the_state_of_the_one_before() -> None:
    plugin = Plugin(lambda query: PluginAnswer("Successful", status={"seen": len(plugin.asked)}))
    async with world(plugin) as here:
        await started(here, STEP)
        await here.until(lambda: len(plugin.asked) == 1 and here.phase() == "Healthy")
        await here.image("v3")
        await here.until(lambda: len(plugin.asked) == 2 and here.phase() == "Healthy")
        assert phases(here) == [(0, "Run", "Successful")]
        assert plugin.asked[1].status is None


async def test_a_disabled_plugin_is_skipped() -> None:
    plugin = Plugin(lambda query: PluginAnswer("Failed"))
    async with world(plugin, disabled_plugins=frozenset({"x/y"})) as here:
        await started(here, STEP, {"pause": {}})
        await here.until_phase("Paused")
        assert statuses(here) == [{"index": 0, "name": "x/y", "operation": "Run", "disabled": True}]
        assert plugin.asked == []


async def test_a_package_brings_a_plugin_along(monkeypatch: pytest.MonkeyPatch) -> None:
    async def good(query: PluginQuery) -> PluginAnswer:
        return PluginAnswer("Successful", status={"seen": query.config})

    async def bad(query: PluginQuery) -> PluginAnswer:
        raise ValueError(query.call.operation)

    @dataclass
    class Point:
        name: str
        function: object

        def load(self) -> object:
            return self.function

    found = [Point("x/good", good), Point("x/bad", bad)]
    monkeypatch.setattr(step_plugins, "entry_points", lambda group: found if group == step_plugins.GROUP else [])
    step_plugins.load.cache_clear()

    async def answer(name: str) -> PluginAnswer:
        return await step_plugins.ask(PluginQuery(PluginCall(0, name, "Run", 1), {}, config=7))

    assert step_plugins.rollout_settings().step_plugins == {"x/good", "x/bad"}
    assert await answer("x/good") == PluginAnswer("Successful", status={"seen": 7})
    assert (await answer("x/bad")).error == "step plugin x/bad broke: ValueError: Run"
    assert (await answer("x/none")).error == "step plugin x/none is not installed"
    step_plugins.load.cache_clear()

"""What finished workflows leave behind: those that are kept, what they say of the next one, what is remembered."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from actors.cache.mind import CacheSettings
from actors.history.decide import Retention
from runtime.api import Gone
from runtime.objects import CONFIGMAPS, Reference
from tests.world.flows import FAIL, flow, named, table
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

ONE = flow("  - {name: main, steps: [[{name: a, template: leaf}]]}")
BAD = flow("  - {name: main, steps: [[{name: bad, template: leaf}]]}")


async def names(here: World) -> list[str]:
    return sorted(thing["metadata"]["name"] for thing in (await here.api.list(here.workflows)).items)


@pytest.mark.spec("TTL-3")
async def test_the_newest_of_each_phase_are_kept() -> None:
    settings = ControllerSettings(retention=Retention(completed=2, failed=1, errored=0))
    async with world(table(bad=FAIL), settings=settings) as here:
        for number in range(4):
            await here.end_of(await here.submit(ONE, f"good-{number}"))
            await here.end_of(await here.submit(BAD, f"bad-{number}"))
            await here.after(2)
        running = await here.submit(flow("  - {name: main, suspend: {}}"), "running")
        await here.after(60)

        assert await names(here) == ["bad-3", "good-2", "good-3", "running"]
        assert running


@pytest.mark.spec("TTL-3")
async def test_what_a_dead_controller_owed_is_deleted_by_the_next() -> None:
    async with world(table()) as here:
        for number in range(3):
            await here.end_of(await here.submit(ONE, f"w{number}"))
            await here.after(1)
        here.settings = ControllerSettings(retention=Retention(completed=1))
        here.die()
        await here.after(30)

        assert await names(here) == ["w2"]


LIBRARY = "{entrypoint: main, templates: [{name: main, steps: [[{name: a, template: leaf}]]}, {name: leaf, container: {image: i, command: [c]}}]}"  # noqa: E501


async def create_library(here: World) -> None:
    meta = {"name": "lib", "namespace": "default"}
    thing: dict[str, Any] = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": meta}
    await here.api.create(here.templates, {**thing, "spec": yaml.safe_load(LIBRARY)})


@pytest.mark.spec("EST-1")
async def test_a_run_is_expected_to_take_as_long_as_the_last_successful_one_of_its_template() -> None:
    delays = iter([20.0, 40.0, 10.0, 5.0])
    codes = iter([0, 1, 0, 0])
    async with world(lambda *_: Outcome(delay_s=next(delays), code=next(codes))) as here:
        await create_library(here)
        ran = [
            await here.end_of(await here.submit("spec: {workflowTemplateRef: {name: lib}}", f"w{number}"))
            for number in range(3)
        ]
        other = await here.end_of(await here.submit(ONE, "other"))

    assert "estimatedDuration" not in ran[0]["status"]
    assert ran[1]["status"]["estimatedDuration"] == pytest.approx(20, abs=2)
    assert ran[2]["status"]["estimatedDuration"] == pytest.approx(20, abs=2), "one that failed says nothing"
    assert named(ran[2])["w2[0].a"]["estimatedDuration"] == pytest.approx(20, abs=2)
    assert named(ran[2])["w2"]["estimatedDuration"] == pytest.approx(20, abs=2)
    assert "estimatedDuration" not in other["status"]


@pytest.mark.spec("EST-1")
async def test_estimates_outlive_a_controller_and_can_be_switched_off() -> None:
    async with world(table(a=Outcome(delay_s=20))) as here:
        await create_library(here)
        spec = "spec: {workflowTemplateRef: {name: lib}}"
        await here.end_of(await here.submit(spec, "w0"))
        ref = await here.submit(spec, "w1")
        await here.after(5)
        here.die()
        ended = await here.end_of(ref)
        here.settings = ControllerSettings(estimates=False)
        here.die()
        off = await here.end_of(await here.submit(spec, "w2"))

    assert ended["status"]["estimatedDuration"] > 15
    assert all(node["estimatedDuration"] > 15 for node in ended["status"]["nodes"].values())
    assert "estimatedDuration" not in off["status"]


REMEMBERED = """
spec:
  entrypoint: main
  arguments: {parameters: [{name: key}]}
  templates:
  - name: main
    memoize: {key: "{{workflow.parameters.key}}", cache: {configMap: {name: results}}}
    container: {image: busybox, command: [echo]}
"""


@pytest.mark.spec("MEMO-6")
async def test_results_that_nobody_asks_for_are_forgotten_and_an_empty_cache_is_deleted() -> None:
    settings = ControllerSettings(caches=CacheSettings(period_s=10, not_hit_s=300))
    async with world(table(), settings=settings) as here:

        async def work(key: str) -> None:
            thing = yaml.safe_load(REMEMBERED)
            thing["spec"]["arguments"]["parameters"][0]["value"] = key
            await here.end_of(await here.submit(yaml.safe_dump(thing), f"w{len(await names(here))}"))

        cache = Reference(CONFIGMAPS, "default", "results")
        await work("old")
        await here.after(200)
        await work("young")
        await here.after(120)
        assert list((await here.api.get(cache))["data"]) == ["young"]
        await here.after(60)
        await work("young")  # a hit: it is in use
        await here.after(200)
        assert list((await here.api.get(cache))["data"]) == ["young"]
        await here.after(200)
        with pytest.raises(Gone):
            await here.api.get(cache)

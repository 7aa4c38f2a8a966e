"""Agents and collectors in rough weather: writes fail, or succeed without an answer, and the controllers die."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from runtime.api import Api, Throttled, Unavailable
from runtime.objects import Object
from tests.world.flows import flow, named, phases
from tests.world.test_agent import GET, left, with_agent
from tests.world.test_artifact_gc import BOTH, SETTINGS, artifacts, discards, gone, script
from tests.world.world import world

pytestmark = pytest.mark.virtual_time
SEEDS = range(2)


class Rough:
    """An API of which every fifth call fails: before it was carried out, or after."""

    def __init__(self, api: Api, dice: Random) -> None:
        self._api = api
        self._dice = dice

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._api, name)
        if name not in ("create", "patch", "delete", "get"):
            return call

        async def tried(*arguments: Any, **options: Any) -> Any:
            luck = self._dice.random()
            if luck < 0.05:
                raise Throttled("later", after_s=0.3)
            if luck < 0.1:
                raise Unavailable("not carried out")
            answer = await call(*arguments, **options)
            if luck < 0.2:
                raise Unavailable("carried out, and the answer lost")
            return answer

        return tried


@pytest.mark.spec("AGENT-3", "AGENT-4")
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_request_is_answered_and_no_agent_stays(seed: int) -> None:
    many = flow(f"""
  - {GET}
  - name: main
    steps: [[{{name: a, template: get, withSequence: {{count: 12}}}}], [{{name: b, template: get}}]]
""")
    dice = Random(seed)
    async with with_agent(seed=seed, deaths_every_s=3, coat=lambda api: Rough(api, dice)) as (here, asked):
        ref = await here.submit(many)
        done = await here.end_of(ref, limit_s=600)
        await here.after(300)
        remains = await left(here)

    assert set(phases(done).values()) == {"Succeeded"}
    assert len([node for node in named(done).values() if node["type"] == "HTTP"]) == 13
    assert len(asked) >= 13
    assert remains == []


@pytest.mark.spec("AGC-2", "AGC-5")
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_artifact_goes_and_so_does_its_workflow(seed: int) -> None:
    seen: list[Object] = []
    dice = Random(seed)
    weather = {"seed": seed, "deaths_every_s": 4.0, "coat": lambda api: Rough(api, dice)}
    async with world(script(seen), settings=SETTINGS, **weather) as here:  # type: ignore[arg-type]
        ref = await here.submit(BOTH)
        await here.end_of(ref)
        await here.after(200)
        marks = await artifacts(here, ref)
        await here.api.delete(ref)
        await here.after(300)
        went = await gone(here, ref)

    assert marks == {"early": True, "late": False, "kept": False}
    assert went
    assert "kept" not in [key for pod in seen for key in discards(pod)]

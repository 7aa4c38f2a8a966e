"""One random workflow from a seed, run in one of three kinds of weather and compared with the oracle."""

from __future__ import annotations

import json
from random import Random
from typing import Literal

from runtime.objects import Object
from tests.world.flows import phases
from tests.world.oracle import Oracle
from tests.world.random_flows import random_outcomes, random_spec
from tests.world.weather import Weather
from tests.world.world import Outcome, world

Kind = Literal["quiet", "bad", "deadly"]


async def trial(seed: int, kind: Kind) -> None:
    """Raises AssertionError, with the workflow, when it does not end as it must."""
    dice = Random(seed)
    spec = random_spec(dice)
    outcomes = random_outcomes(seed)
    oracle = Oracle(spec, outcomes)
    wanted = oracle.end()

    made: list[str] = []  # nodes whose pods stay; one that vanished before it was seen to run is made again

    def script(name: str, pod: Object) -> Outcome:
        del pod
        made.extend([name] if outcomes(name) != "Error" else [])
        end = outcomes(name)
        return Outcome(code=1 if end == "Failed" else 0, vanishes=end == "Error", delay_s=dice.choice([0.2, 1.0, 3.0]))

    coat = None if kind == "quiet" else lambda api: Weather(api, Random(seed))
    deaths = 4.0 if kind == "deadly" else None
    async with world(script, seed=seed, coat=coat, deaths_every_s=deaths) as here:
        ref = await here.submit(json.dumps({"spec": spec}))
        done = await here.end_of(ref, limit_s=4 * 3600)
        if kind == "quiet":
            done = await here.at_rest(ref)
        about = f"seed {seed} {kind}: {json.dumps(spec)}"
        assert len(set(made)) == len(made), f"a pod was made twice; {about}"
    found = phases(done)
    assert found == oracle.phases, f"{_difference(found, oracle.phases)}; {about}"
    assert done["status"]["phase"] == wanted, f"{done['status']['phase']}, not {wanted}; {about}"


def _difference(found: dict[str, str], wanted: dict[str, str]) -> str:
    names = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    return ", ".join(f"{name}: {found.get(name)}, not {wanted.get(name)}" for name in names[:8])

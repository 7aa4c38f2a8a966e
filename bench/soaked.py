"""The controllers of a soak, in a process of their own: as `tiphys controller` runs them, over an API that fails.

    python bench/soaked.py KUBECONFIG SAMPLES [--faults 0.01] [--rough 0] [--seed 1]

Started by `bench/soak.py`. Once a second a line of JSON is added to SAMPLES: memory, CPU, how late the loop was, which
faults there were.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import anyio
import anyio.abc

from runtime.client import HttpApi
from runtime.log import configure
from runtime.system import Settings, System
from tiphys.bench import lateness
from tiphys.bench.faulty import Faulty
from tiphys.bench.processes import cost_of
from tiphys.controller.shapes import shapes
from tiphys.controllers import ControllerSettings, rooms


class Ready(anyio.abc.TaskStatus[None]):
    """Says so when all caches are filled."""

    def started(self, value: None = None) -> None:
        del value
        sys.stdout.write("ready\n")
        sys.stdout.flush()


async def control(chosen: argparse.Namespace) -> None:
    """Run until killed."""
    async with HttpApi.from_kubeconfig(chosen.kubeconfig) as api:
        api.shapes = shapes()
        decided = ControllerSettings()
        faulty = Faulty(api, chosen.faults, Random(chosen.seed))  # noqa: S311  chance, no secret
        settings = Settings(manager="tiphys", collect=True, series=decided.series)
        system = System(faulty, rooms(decided), settings=settings)

        async def note(sample: dict[str, Any]) -> None:
            actors = sum(system.statistics().registry.actors.values())
            more = {"pid": os.getpid(), "mib": cost_of(os.getpid()).mib, "actors": actors, "faults": faulty.counts}
            with chosen.samples.open("a") as out:
                out.write(json.dumps(sample | more) + "\n")

        async def calm_down() -> None:
            faulty.rough = True
            await anyio.sleep(chosen.rough)
            faulty.rough = False

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lateness.sample, note)
            tasks.start_soon(calm_down)
            await system.run(task_status=Ready())


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kubeconfig")
    parser.add_argument("samples", type=Path)
    parser.add_argument("--faults", type=float, default=0.01)
    parser.add_argument("--rough", type=float, default=0.0, help="seconds from the start in which streams break often")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    configure(level="error")
    anyio.run(control, chosen, backend_options={"use_uvloop": True})


if __name__ == "__main__":
    main()

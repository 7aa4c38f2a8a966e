"""`python -m tests.golden.record [NAME…]` runs the scenarios in the simulator again and writes what was decided.

Do so when a mind was changed on purpose, and look at what changed: `git diff --stat tests/golden`.
"""

from __future__ import annotations

import gzip
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import anyio
import structlog

from runtime.api import Api, Conflict
from runtime.recorder import Recorder
from runtime.system import Settings, System
from tests.definitions import serve_our_kinds
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock, VirtualLoop
from tests.world.world import Outcome, Script, World
from tiphys.controller.recordings import about
from tiphys.controllers import ControllerSettings, rooms
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

FOLDER = Path(__file__).parent
SETTINGS = ControllerSettings(zone="UTC")

HELLO = """
spec:
  entrypoint: main
  templates:
    - name: main
      container: {image: alpine, command: [echo, hello]}
"""
RETRY = """
spec:
  entrypoint: main
  templates:
    - name: main
      retryStrategy: {limit: "3", backoff: {duration: "10", factor: "2"}}
      container: {image: alpine, command: ["false"]}
"""
QUEUE = """
spec:
  entrypoint: main
  templates:
    - name: main
      steps: [[{name: s, template: locked, withItems: [a, b, c]}]]
    - name: locked
      synchronization: {mutexes: [{name: door}]}
      container: {image: alpine, command: ["true"]}
"""
DIAMOND = """
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        tasks:
          - {name: a, template: leaf}
          - {name: b, template: leaf, depends: a}
          - {name: c, template: leaf, depends: a}
          - {name: d, template: leaf, depends: b && c}
    - name: leaf
      container: {image: alpine, command: ["true"]}
"""


def succeeds(name: str, pod: Any) -> Outcome:
    """Every pod ends well after a second."""
    del name, pod
    return Outcome()


def third_time(name: str, pod: Any) -> Outcome:
    """The third attempt succeeds."""
    del pod
    return Outcome(code=0 if name.endswith("(2)") else 1)


def stormy(api: Api) -> Api:
    """A server on which every other patch of a workflow loses against somebody else's."""
    patches = [0]

    def fault(verb: str, subject: Any) -> BaseException | None:
        patches[0] += verb == "patch" and subject == "w"
        lost = verb == "patch" and subject == "w" and patches[0] % 2 == 1
        return Conflict("the object has been modified", code=409, reason="Conflict") if lost else None

    return Coat(api, fault=fault)


SCENARIOS: dict[str, tuple[str, Script, Callable[[Api], Api] | None]] = {
    "hello-world": (HELLO, succeeds, None),
    "retry-with-backoff": (RETRY, third_time, None),
    "lock-queue": (QUEUE, succeeds, None),
    "conflict-storm": (DIAMOND, succeeds, stormy),
}


async def record(text: str, script: Script, coat: Callable[[Api], Api] | None) -> list[str]:
    """Run one workflow to its end; every message and decision of its actors."""
    clock = VirtualClock()
    server = ApiServer(now=clock.wall, random=Random(7))
    server.start()
    api = InProcessApi(server)
    serve_our_kinds(server)
    recorder = Recorder(about(SETTINGS))
    here = World(api, script, Random(7))
    seen = coat(api) if coat else api
    here.system = System(seen, rooms(SETTINGS), settings=Settings(recorder=recorder), clock=clock, dice=Random(7))
    async with anyio.create_task_group() as tasks:
        await tasks.start(here.play)
        await tasks.start(here.system.run)
        done = await here.end_of(await here.submit(text))
        assert done["status"]["phase"] == "Succeeded"
        await here.settled_pods()
        tasks.cancel_scope.cancel()
    return list(recorder.lines())


def path_of(name: str) -> Path:
    """Where the recording of a scenario is kept."""
    return FOLDER / f"{name}.jsonl.gz"


def read(name: str) -> list[str]:
    """The lines of a recording."""
    return gzip.decompress(path_of(name).read_bytes()).decode().splitlines()


def main(names: list[str]) -> None:
    """Record the scenarios of these names, or all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for name in names or SCENARIOS:
        lines = anyio.run(record, *SCENARIOS[name], backend_options={"loop_factory": VirtualLoop})
        raw = ("\n".join(lines) + "\n").encode()
        path_of(name).write_bytes(gzip.compress(raw, 9, mtime=0))
        sys.stdout.write(f"{path_of(name).name}: {len(lines) - 1} entries, {len(raw) // 1024} KB\n")


if __name__ == "__main__":
    main(sys.argv[1:])

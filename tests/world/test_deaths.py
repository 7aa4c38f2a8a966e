"""The controllers die at any moment and start again: every workflow ends as if nothing had happened."""

from __future__ import annotations

import pytest

from runtime.objects import Object
from tests.world.test_runs import LEAF, nodes
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

SEEDS = range(8)

MIXED = f"""
spec:
  entrypoint: main
  onExit: leaf
  templates:
  - {LEAF}
  - name: make
    script: {{image: python, command: [python], source: "print(1)"}}
    outputs: {{parameters: [{{name: p, valueFrom: {{path: /tmp/p}}}}]}}
  - name: flaky
    retryStrategy: {{limit: 3, backoff: {{duration: "3"}}}}
    container: {{image: busybox, command: [sh]}}
  - name: inner
    steps:
    - - {{name: one, template: leaf}}
      - {{name: two, template: leaf, when: "a == b"}}
    - - {{name: wait, template: rest}}
  - name: rest
    suspend: {{duration: "4"}}
  - name: main
    dag:
      tasks:
      - {{name: A, template: make}}
      - {{name: B, template: flaky, depends: A}}
      - {{name: C, template: leaf, depends: A, withItems: [x, y], hooks: {{exit: {{template: leaf}}}},
          arguments: {{parameters: [{{name: m, value: "{{{{tasks.A.outputs.parameters.p}}}}-{{{{item}}}}"}}]}}}}
      - {{name: D, template: inner, depends: "B && C"}}
      - {{name: E, template: leaf, depends: "B.Failed"}}
"""


def script(name: str, pod: Object) -> Outcome:
    if name.endswith("B(0)"):
        return Outcome(code=1)
    if name.endswith(".A"):
        return Outcome(result="r", parameters={"p": "made"})
    return Outcome()


async def outcome(seed: int, deaths_every_s: float | None) -> tuple[dict[str, tuple[str, str]], list[str], int]:
    """Phases and messages of all nodes, all pods that ever were, and how often the controllers died."""
    async with world(script, seed=seed, deaths_every_s=deaths_every_s) as here:
        done = await here.end_of(await here.submit(MIXED))
        told = {name: (entry["phase"], entry.get("message", "")) for name, entry in nodes(done).items()}
        told["workflow"] = (done["status"]["phase"], done["status"]["progress"])
        inputs = nodes(done)["C(0:x)"]["inputs"]["parameters"][0]["value"]
        assert inputs == "made-x"
        pods = await here.settled_pods()
        assert {pod["metadata"]["labels"]["workflows.argoproj.io/completed"] for pod in pods} == {"true"}
        assert not any(pod["metadata"].get("finalizers") for pod in pods)
        return told, sorted(here.created), here.deaths


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_dies_when_the_end_is_the_same_and_no_pod_is_made_twice(seed: int) -> None:
    quiet, quiet_pods, _ = await outcome(seed, None)
    told, pods, deaths = await outcome(seed, 1.5)

    assert deaths > 0
    assert told == quiet
    assert pods == quiet_pods
    assert len(set(pods)) == len(pods)

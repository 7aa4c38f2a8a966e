"""A large status is written compressed while the workflow runs, and read back after a death of the controllers."""

from __future__ import annotations

import json
import string
from random import Random
from typing import Any

import anyio
import pytest

from actors.packing import nodes_of
from actors.workflow.state import WORKFLOWS
from runtime.objects import PODS
from tests.world.test_runs import workflow
from tests.world.world import Outcome, finished, world

pytestmark = pytest.mark.virtual_time

WIDE = workflow(
    """
  - name: main
    dag:
      tasks:
      - {name: t, template: leaf, withSequence: {count: "500"}}
      - {name: last, template: leaf, dependencies: [t]}
"""
)


@pytest.mark.spec("OFF-1")
@pytest.mark.parametrize("deaths_every_s", [None, 2.0])
async def test_many_nodes_travel_compressed_and_end_inline(deaths_every_s: float | None) -> None:
    async with world(lambda name, pod: Outcome(delay_s=3), deaths_every_s=deaths_every_s) as here:
        ref = await here.submit(WIDE)
        compressed = 0
        with anyio.fail_after(600):
            while not finished(thing := await here.api.get(ref)):
                status = thing.get("status") or {}
                if status.get("compressedNodes"):
                    compressed += 1
                    assert "nodes" not in status
                    assert all(entry["id"] == node_id for node_id, entry in nodes_of(status).items())
                await anyio.sleep(0.5)

        done = await here.api.get(ref)
        assert compressed > 0
        assert done["status"]["phase"] == "Succeeded"
        assert done["status"]["progress"] == "501/501"
        assert len(done["status"]["nodes"]) == 503
        assert "compressedNodes" not in done["status"]
        assert len(set(here.created)) == len(here.created) == 501
        assert (await here.api.list(WORKFLOWS)).items[0]["metadata"]["labels"]["workflows.argoproj.io/completed"]


def _many_large_parameters(how_large: int, letters: str = string.ascii_letters + string.digits) -> dict[str, Any]:
    """A template with 100 parameters, which of many letters cannot be made smaller."""
    dice = Random(1)
    names = [f"p{number}" for number in range(100)]
    values = ["".join(dice.choices(letters, k=how_large)) for _ in names]
    tags = [f"{{{{inputs.parameters.{name}}}}}" for name in names]
    main = {
        "name": "main",
        "inputs": {"parameters": [{"name": name} for name in names]},
        "container": {"image": "busybox", "command": ["echo"], "args": tags},
    }
    arguments = {"parameters": [{"name": n, "value": value} for n, value in zip(names, values, strict=True)]}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "w"},
        "spec": {"entrypoint": "main", "arguments": arguments, "templates": [main]},
    }


@pytest.mark.spec("OFF-1")
@pytest.mark.spec("PARAM-10")
async def test_a_workflow_that_outgrows_its_object_ends_as_an_error_that_says_so() -> None:
    async with world(lambda name, pod: Outcome(delay_s=3)) as here:
        ref = await here.submit(json.dumps(_many_large_parameters(10 << 10)))
        await here.after(60)
        done = await here.api.get(ref)
        pods = (await here.api.list(PODS)).items

    assert done["status"]["phase"] == "Error"
    assert done["status"]["message"].startswith("workflow is longer than maximum allowed size. etcdserver: request is")
    assert done["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"
    assert not any(pod["metadata"].get("finalizers") for pod in pods)


@pytest.mark.spec("PARAM-10")
@pytest.mark.parametrize(("how_large", "letters"), [(7 << 10, string.ascii_letters), (10 << 10, "ab")])
async def test_parameters_of_a_megabyte_that_fit_travel_with_their_pod(how_large: int, letters: str) -> None:
    async with world(lambda name, pod: Outcome(delay_s=3)) as here:
        ref = await here.submit(json.dumps(_many_large_parameters(how_large, letters)))
        await here.after(60)
        done = await here.api.get(ref)
        (pod,) = (await here.api.list(PODS)).items

    assert done["status"]["phase"] == "Succeeded"
    (node,) = nodes_of(done["status"]).values()
    assert [len(one["value"]) for one in node["inputs"]["parameters"]] == [how_large] * 100
    assert [len(text) for text in pod["spec"]["containers"][0]["args"]] == [how_large] * 100

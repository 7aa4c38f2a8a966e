"""The record: what a workflow's status says while it runs and when it is over."""

from __future__ import annotations

import pytest

from runtime.objects import PODS
from tests.world.flows import flow, named, nodes, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

TWO = flow("  - name: main\n    steps: [[{name: a, template: leaf}], [{name: b, template: leaf, when: 'false'}]]\n")


@pytest.mark.spec("KIND-1")
async def test_a_finished_workflow_says_so_everywhere() -> None:
    done = await run(TWO)

    status = done["status"]
    assert (status["phase"], status["progress"]) == ("Succeeded", "1/1")
    assert status["startedAt"] <= status["finishedAt"]
    assert {"type": "Completed", "status": "True"} in status["conditions"]
    assert {"type": "PodRunning", "status": "False"} in status["conditions"]
    labels = done["metadata"]["labels"]
    assert labels["workflows.argoproj.io/phase"] == "Succeeded"
    assert labels["workflows.argoproj.io/completed"] == "true"
    assert done["metadata"]["annotations"]["workflows.argoproj.io/pod-name-format"] == "v2"


async def test_a_running_workflow_is_labelled_so_from_its_first_write() -> None:
    async with world(table(a=Outcome(delay_s=100))) as here:
        ref = await here.submit(TWO)
        await here.after(10)
        thing = await here.api.get(ref)

        assert thing["status"]["phase"] == "Running"
        assert thing["metadata"]["labels"]["workflows.argoproj.io/phase"] == "Running"
        assert thing["metadata"]["labels"]["workflows.argoproj.io/completed"] == "false"
        assert thing["status"]["conditions"] == [{"type": "PodRunning", "status": "True"}]
        assert named(thing)["w[0].a"]["phase"] == "Running"
        assert thing["status"]["progress"] == "0/1"


@pytest.mark.spec("PROG-1")
async def test_progress_is_summed_up_the_tree() -> None:
    done = await run(flow("""
  - name: inner
    steps: [[{name: x, template: leaf}, {name: y, template: rest2}, {name: z, template: leaf, when: "false"}]]
  - {name: rest2, suspend: {duration: "2"}}
  - name: main
    dag: {tasks: [{name: A, template: inner}, {name: L, template: leaf, withItems: [1, 2, 3], depends: A}]}
"""), table(L=Outcome(code=1)))  # fmt: skip

    found = nodes(done)
    assert found["A"]["progress"] == "2/2"
    assert found["L"]["progress"] == "0/3"
    assert found["w"]["progress"] == done["status"]["progress"] == "2/5"
    assert "progress" not in found["z"]


@pytest.mark.spec("RDUR-1")
async def test_a_pod_that_took_no_time_has_used_nothing_and_so_say_those_above_it() -> None:
    done = await run(TWO, table(a=Outcome(delay_s=0.1)))

    found = nodes(done)
    nothing = {"cpu": 0, "memory": 0}
    assert [each["resourcesDuration"] for each in (found["a"], found["[0]"], found["w"], done["status"])] == [
        nothing
    ] * 4
    assert "resourcesDuration" not in found["b"], "it was skipped"


@pytest.mark.spec("OPS-6")
async def test_an_edit_of_the_object_meanwhile_is_kept() -> None:
    async with world(table(a=Outcome(delay_s=5))) as here:
        ref = await here.submit(TWO)
        for number in range(30):
            await here.after(0.2)
            await here.api.patch(ref, {"metadata": {"labels": {"mine": str(number)}}})
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert done["metadata"]["labels"]["mine"] == "29"
    assert done["status"]["phase"] == "Succeeded"


async def test_a_stale_write_of_somebody_else_is_refused_and_ours_stands() -> None:
    async with world(table(a=Outcome(delay_s=20))) as here:
        ref = await here.submit(TWO)
        await here.after(5)
        thing = await here.api.get(ref)
        thing["metadata"].setdefault("labels", {})["mine"] = "x"
        await here.api.replace(here.workflows, thing)
        await here.end_of(ref)
        done = await here.at_rest(ref)

        assert len((await here.api.list(PODS)).items) == 1
    assert done["metadata"]["labels"]["mine"] == "x"
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("STEP-11")
async def test_a_recorded_group_whose_step_is_gone_runs_it_again() -> None:
    async with world(table()) as here:
        ref = await here.submit(flow("  - name: main\n    steps: [[{name: a, template: leaf}]]\n"))
        await here.end_of(ref)
        thing = await here.at_rest(ref)
        (pod,) = await here.pod_refs()
        await here.api.delete(pod[0])
        status = thing["status"]
        found = named(thing)
        del status["nodes"][found["w[0].a"]["id"]]
        status["nodes"]["w"]["phase"] = status["phase"] = "Running"
        status.pop("finishedAt")
        thing["metadata"]["labels"].pop("workflows.argoproj.io/completed")
        await here.api.replace(here.workflows, thing)
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert len(here.created) == 2
    assert named(done)["w[0]"]["phase"] == "Succeeded"
    assert named(done)["w[0]"]["finishedAt"] >= named(done)["w[0].a"]["finishedAt"]

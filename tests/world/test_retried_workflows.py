"""A finished workflow that is retried, resubmitted or begun again from a node runs on to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
import yaml

from actors.names import ids, labels
from actors.names.timestamps import seconds
from actors.operations import resubmit, selector
from runtime.objects import Object, reference
from tests.world import retries
from tests.world.flows import FAIL, flow, named, node_id, phases
from tests.world.world import Outcome, Script, world

pytestmark = pytest.mark.virtual_time


@pytest.mark.spec("OP-4")
@pytest.mark.parametrize("seed", [2, 3, 4, 5, 6, 12, 15, 18])  # of those that fail at first
async def test_a_retried_workflow_succeeds_and_runs_only_what_was_taken_away(seed: int) -> None:
    text = yaml.safe_dump(retries.workflow(Random(seed)))
    healed = False

    def script(name: str, pod: Object) -> Outcome:
        del pod
        bad = not healed and Random(f"{seed}{name.partition('(')[0]}").random() < 0.25
        return FAIL if bad else Outcome()

    async with world(script, seed=seed) as here:
        ref = await here.submit(text)
        first = await here.end_of(ref)
        if first["status"]["phase"] == "Succeeded":
            return
        first = await here.at_rest(ref)
        ran, healed = len(here.created), True
        begun, _ = await retries.retried(here, ref, seconds(first["status"]["finishedAt"]) + 60)
        await here.end_of(ref, limit_s=600)
        done = await here.at_rest(ref)

    assert done["status"]["phase"] == "Succeeded", phases(done)
    new = Counter(here.created[ran:])
    assert max(new.values()) == 1
    kept = begun["status"]["nodes"]
    again = [node for node in done["status"]["nodes"].values() if node["type"] == "Pod" and node["id"] not in kept]
    assert len(new) == len(again)
    for key, node in kept.items():
        if node["phase"] != "Running":
            before, after = first["status"]["nodes"][key], done["status"]["nodes"][key]
            assert (after["phase"], after.get("outputs")) == (before["phase"], before.get("outputs")), before["name"]


LINES = flow("""
  - name: main
    dag:
      tasks:
      - {name: A, template: make}
      - {name: L, template: leaf, withItems: [1, 2]}
      - {name: B, template: leaf, depends: A.Succeeded && L, arguments: {parameters: [
          {name: m, value: "{{tasks.A.outputs.parameters.p}}"}]}}
      - {name: C, template: leaf, depends: B}
""", onExit="leaf")  # fmt: skip


async def _failed_and_resubmitted(memory: Callable[[Object], Object]) -> tuple[Object, list[str]]:
    """Run LINES, where B fails, submit it memoized and run that. The second workflow, and the nodes that had pods."""
    tries: list[str] = []

    def script(name: str, pod: Object) -> Outcome:
        tries.append(name)
        return FAIL if name == "w.B" else Outcome(parameters={"p": "made"})

    async with world(script) as here:
        ref = await here.submit(LINES)
        await here.end_of(ref)
        old = await here.at_rest(ref)
        tries.clear()
        new = resubmit.resubmit(old, "again", seconds(old["status"]["finishedAt"]) + 60, memoized=True)
        again = reference(here.workflows, await here.api.create(here.workflows, memory(new)))
        await here.end_of(again, limit_s=120)
        return await here.at_rest(again), tries


@pytest.mark.spec("OP-5")
async def test_a_memoized_resubmission_runs_only_what_had_not_succeeded() -> None:
    done, tries = await _failed_and_resubmitted(lambda new: new)

    assert done["metadata"]["labels"][labels.RESUBMITTED_FROM] == "w"
    assert done["status"]["phase"] == "Succeeded"
    assert tries == ["w-again.B", "w-again.C", "w-again.onExit"]
    found = named(done)
    a = found["w-again.A"]
    assert (a["type"], a["phase"], a["message"]) == ("Skipped", "Skipped", f"original pod: {node_id('w.A')}")
    assert found["w-again.B"]["inputs"]["parameters"][0]["value"] == "made"
    assert found["w-again"]["phase"] == "Succeeded"


@pytest.mark.spec("OP-5")
async def test_a_memory_as_upstreams_client_writes_it_is_understood() -> None:
    """It leaves every composite and every failed pod as Pending, with the times of the copy."""

    def pending(new: Object) -> Object:
        for node in new["status"]["nodes"].values():
            if node["phase"] != "Skipped":
                node |= {"phase": "Pending", "finishedAt": node["startedAt"]}
        b = {"id": "w-again-" + str(ids.fnv1a("w-again.B")), "name": "w-again.B", "displayName": "B", "type": "Pod"}
        template = {"templateName": "leaf", "templateScope": "local/w-again"}
        new["status"]["nodes"][b["id"]] = {**b, **template, "phase": "Pending", "boundaryID": "w-again"}
        return new

    done, tries = await _failed_and_resubmitted(pending)

    assert done["status"]["phase"] == "Succeeded"
    assert tries == ["w-again.B", "w-again.C", "w-again.onExit"]


@pytest.mark.spec("OP-4")
async def test_a_node_that_succeeded_runs_again_with_what_follows_it() -> None:
    seen: list[str] = []
    async with world(noting(seen)) as here:
        ref = await here.submit(LINES)
        await here.end_of(ref)
        first = await here.at_rest(ref)
        seen.clear()
        terms = selector.parse("displayName=B")
        now = seconds(first["status"]["finishedAt"]) + 60
        await retries.retried(here, ref, now, restart_successful=True, selector=terms)
        await here.end_of(ref, limit_s=120)
        done = await here.at_rest(ref)

    assert seen == ["w.B", "w.C", "w.onExit"]
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("OP-4")
@pytest.mark.spec("DMN-2")
async def test_a_daemon_serves_again_when_its_boundary_runs_again() -> None:
    text = flow("""
  - name: serve
    daemon: true
    container: {image: busybox, command: [sh]}
  - name: main
    steps: [[{name: d, template: serve}], [{name: a, template: leaf}], [{name: b, template: leaf}]]
""")
    seen: list[str] = []

    def script(name: str, pod: Object) -> Outcome:
        seen.append(name)
        if name.endswith(".d"):
            return Outcome(delay_s=500)
        return FAIL if name == "w[2].b" and seen.count(name) == 1 else Outcome()

    async with world(script) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        first = await here.at_rest(ref)
        seen.clear()
        seen.append("w[2].b")
        await retries.retried(here, ref, seconds(first["status"]["finishedAt"]) + 60)
        await here.end_of(ref, limit_s=120)
        done = await here.at_rest(ref)

    assert seen[1:] == ["w[0].d", "w[2].b"]
    assert set(phases(done).values()) == {"Succeeded"}


@pytest.mark.spec("OP-4")
async def test_a_parameter_of_the_retry_reaches_what_runs_again_and_loops_are_made_anew() -> None:
    text = flow("""
  - name: main
    steps: [[{name: a, template: leaf, withParam: "{{workflow.parameters.list}}", arguments: {parameters: [
        {name: m, value: "{{item}}"}]}}]]
""", arguments='{parameters: [{name: list, value: \'["x", "bad"]\'}]}')  # fmt: skip
    seen: list[str] = []
    async with world(noting(seen, lambda name: FAIL if "bad" in name else Outcome())) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        first = await here.at_rest(ref)
        seen.clear()
        now = seconds(first["status"]["finishedAt"]) + 60
        await retries.retried(here, ref, now, parameters={"list": '["x", "good", "more"]'})
        await here.end_of(ref, limit_s=120)
        done = await here.at_rest(ref)

    assert sorted(seen) == ["w[0].a(0:x)", "w[0].a(1:good)", "w[0].a(2:more)"]
    assert "w[0].a(1:bad)" not in phases(done)
    assert done["status"]["phase"] == "Succeeded"


def noting(seen: list[str], then: Callable[[str], Outcome] = lambda name: Outcome()) -> Script:
    """A script that notes the nodes whose pods run."""

    def script(name: str, pod: Object) -> Outcome:
        del pod
        seen.append(name)
        outcome = then(name)
        return Outcome(outcome.code, parameters={"p": "made"})

    return script

"""What a later life makes of the record is what this one would have made of it: of what passed through nodes that did
not run, of crashes, and of a deadline. What a template that failed fast kept from beginning is done by a retry."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from actors.names import ids
from actors.names.timestamps import seconds
from runtime.api import Unavailable
from runtime.objects import Object, Reference, Resource
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tests.world import retries
from tests.world.flows import FAIL, flow, named, phases, table
from tests.world.lives import SkewedClock
from tests.world.world import Outcome, World, world
from tiphys.controllers import rooms

pytestmark = pytest.mark.virtual_time

BINDINGS = Resource("v1", "Binding", "bindings")
SLOW = Outcome(delay_s=60)
FAILED_FAST = "template has failed or errored children and failFast enabled"
THROUGH_TASKS = """
  - name: inner
    dag:
      tasks:
      - {name: bad, template: leaf, continueOn: {failed: true}}
      - {name: skipped, template: leaf, dependencies: [bad], when: "false", continueOn: {failed: true}}
"""
THROUGH_STEPS = """
  - name: nested
    dag: {tasks: [{name: bad, template: leaf}]}
  - name: inner
    steps: [[{name: a, template: nested, continueOn: {failed: true}}], [{name: skipped, template: leaf, when: "false"}]]
"""
HANDLED = """
  - name: errs
    retryStrategy: {limit: 0}
    dag: {tasks: [{name: x, template: leaf, when: "a =="}]}
  - name: inner
    dag: {tasks: [{name: e, template: errs, hooks: {exit: {template: leaf}}}]}
  - name: main
    dag:
      tasks:
      - {name: A, template: inner}
      - {name: bad, template: leaf}
      - {name: b, template: leaf}
      - {name: C, template: leaf, depends: "A.Failed && b"}
"""
OUTER = """
  - name: main
    dag:
      tasks:
      - {name: A, template: inner}
      - {name: b, template: leaf}
      - {name: C, template: leaf, when: "false", depends: "A && b"}
"""


class Unheard:
    """A word that nobody can make sense of: whose actor is told so crashes."""

    @property
    def __class__(self) -> Any:
        """Whoever asks what it is."""
        raise ValueError("nobody knows this word")

    @__class__.setter
    def __class__(self, kind: type) -> None:
        raise ValueError(f"no {kind}")


async def crash(here: World, ref: Reference, name: str) -> None:
    """Have the actor of a node crash."""
    assert here.system is not None
    (address,) = [one for one in here.system.addresses("node") if one.part == ids.node_id(ref.name, name)]
    here.system.tell(address, Unheard())


@pytest.mark.spec("DAG-11")
@pytest.mark.parametrize("dies", [False, True], ids=["in one life", "in two"])
@pytest.mark.parametrize(("inner", "phase"), [(THROUGH_TASKS, "Failed"), (THROUGH_STEPS, "Succeeded")])
async def test_a_failure_that_passed_through_a_skipped_end_still_does(inner: str, phase: str, *, dies: bool) -> None:
    async with world(table(bad=FAIL, b=SLOW)) as here:
        ref = await here.submit(flow(inner + OUTER))
        await here.after(20)
        assert phases(await here.api.get(ref))["w.A"] == "Succeeded"
        if dies:
            here.die()
        done = await here.end_of(ref)

    assert phases(done)["w.C"] == "Skipped"
    assert done["status"]["phase"] == phase


@pytest.mark.spec("DAG-11")
@pytest.mark.parametrize("dies", [False, True], ids=["in one life", "in two"])
async def test_an_error_whose_exit_handler_succeeds_is_not_passed_on_by_the_dag_around_it(*, dies: bool) -> None:
    """What hangs on A hangs on that handler; so the omitted C is a success, and only `bad` fails the workflow."""
    async with world(table(bad=FAIL, b=SLOW)) as here:
        ref = await here.submit(flow(HANDLED))
        await here.after(20)
        assert phases(await here.api.get(ref))["w.A"] == "Error"
        if dies:
            here.die()
        done = await here.end_of(ref)

    assert phases(done)["w.C"] == "Omitted"
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("STEP-6")
@pytest.mark.parametrize("dies", [False, True], ids=["in one life", "in two"])
@pytest.mark.parametrize("bound", [False, True], ids=["nowhere", "on a host"])
async def test_a_crashed_attempt_is_an_error_of_its_group_whoever_judges_it(*, dies: bool, bound: bool) -> None:
    steps = "[[{name: a, template: again, continueOn: {error: true}}, {name: b, template: leaf}]]"
    again = "  - {name: again, retryStrategy: {limit: 2}, container: {image: busybox}}\n"
    async with world(table(a=SLOW, b=SLOW)) as here:
        ref = await here.submit(flow(f"{again}  - {{name: main, steps: {steps}}}\n"))
        await here.after(2)
        for pod, _ in await here.pod_refs() if bound else ():
            place = {"metadata": {"name": pod.name, "namespace": pod.namespace}, "target": {"name": "north"}}
            await here.api.create(BINDINGS, place)
        await here.after(2)
        await crash(here, ref, "w[0].a(0)")
        await here.after(10)
        if dies:
            here.die()
        done = await here.end_of(ref)

    said = "step group deemed errored due to child w[0].a error: "
    assert phases(done)["w[0].a"] == "Error"
    assert (phases(done)["w[0]"], named(done)["w[0]"]["message"][: len(said)]) == ("Error", said)


@pytest.mark.spec("DMN-4")
async def test_a_daemon_that_is_tried_again_and_whose_actor_crashes_serves_nobody() -> None:
    text = flow("""
  - name: server
    daemon: true
    retryStrategy: {limit: 1}
    container: {image: busybox, command: [serve]}
  - {name: main, steps: [[{name: d, template: server}], [{name: a, template: leaf}]]}
""")
    async with world(table(d=Outcome(delay_s=1000), a=SLOW)) as here:
        ref = await here.submit(text)
        await here.after(10)
        assert named(await here.api.get(ref))["w[0].d"]["daemoned"] is True
        await crash(here, ref, "w[0].d")
        done = await here.end_of(ref)

    assert phases(done)["w[0].d"] == "Error"
    assert "daemoned" not in named(done)["w[0].d"]


@pytest.mark.spec("FF-2")
@pytest.mark.spec("OP-4")
@pytest.mark.parametrize("limit", ["", "\n    parallelism: 1"], ids=["only the hooks", "the items, too"])
async def test_what_a_template_that_failed_fast_kept_a_loop_from_is_done_when_it_is_tried_again(limit: str) -> None:
    text = flow(f"""
  - name: main
    failFast: true{limit}
    dag:
      failFast: false
      tasks:
      - {{name: bad, template: leaf}}
      - {{name: l, template: leaf, withItems: [x, y], hooks: {{exit: {{template: leaf}}}}}}
""")
    healed = False

    def script(name: str, pod: Object) -> Outcome:
        del pod
        return FAIL if name.endswith(".bad") and not healed else Outcome(delay_s=9 if "(" in name else 1)

    async with world(script) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        first = await here.at_rest(ref)
        healed = True
        await retries.retried(here, ref, seconds(first["status"]["finishedAt"]) + 60)
        done = await here.end_of(ref)

    assert (phases(first)["w.l"], named(first)["w.l"]["message"]) == ("Failed", FAILED_FAST)
    assert not [name for name in phases(first) if name.endswith(".onExit") or (limit and "(" in name)]
    assert set(phases(done).values()) == {"Succeeded"}
    assert {"w.l(0:x)", "w.l(1:y)", "w.l(0:x).onExit", "w.l(1:y).onExit"} <= phases(done).keys()


@pytest.mark.spec("TMO-1")
async def test_nothing_begins_in_a_life_that_finds_the_deadline_passed() -> None:
    """Neither what was to follow, nor a pod that was made before and is no more. What has ended meanwhile has ended,
    and a daemon has done its work."""
    text = flow("""
  - name: main
    steps:
    - - {name: s, template: inner}
      - {name: lost, template: leaf}
      - {name: d, template: server}
  - name: inner
    steps: [[{name: a, template: leaf}], [{name: b, template: leaf}]]
  - {name: server, daemon: true, container: {image: nginx, command: [nginx]}}
""", activeDeadlineSeconds=10)  # fmt: skip
    async with world(table(a=Outcome(delay_s=8), lost=Outcome(pending_s=1000), d=Outcome(delay_s=1000))) as here:
        ref = await here.submit(text)
        await here.after(3)
        here.replaced = True
        here.die()
        await here.after(20)
        for pod, name in await here.pod_refs():
            if name.endswith(".lost"):
                await here.api.patch(pod, {"metadata": {"finalizers": None}})
                await here.api.delete(pod, grace_s=0)
        system = System(here.api, rooms(here.settings), settings=Settings(), clock=VirtualClock(), dice=Random(1))
        async with here.instead(system):
            done = await here.end_of(ref)
            pods = await here.settled_pods()

    found = named(done)
    for name in ("w[0].lost", "w[0].s[1].b"):
        assert (found[name]["phase"], found[name]["message"]) == ("Failed", "Step exceeded its deadline")
    assert (found["w[0].s[0].a"]["phase"], found["w[0].d"]["phase"]) == ("Succeeded", "Succeeded")
    assert done["status"]["phase"] == "Failed"
    assert len(here.created) == 3
    assert {pod["status"]["phase"] for pod in pods} == {"Succeeded", "Failed"}
    assert {pod["metadata"]["labels"]["workflows.argoproj.io/completed"] for pod in pods} == {"true"}


@pytest.mark.spec("TMO-1", "TMO-3")
@pytest.mark.parametrize("limit", ["deadline", "timeout"])
async def test_a_life_whose_clock_is_behind_makes_no_pod_again_that_was_out_of_time_for_the_one_before(
    limit: str,
) -> None:
    """Nothing of that was on record yet: so nothing of it was done."""
    timeout = "timeout: 40s, " if limit == "timeout" else ""
    spec = {"activeDeadlineSeconds": 40} if limit == "deadline" else {}
    text = flow(f"  - {{name: main, {timeout}container: {{image: busybox, command: [x]}}}}", **spec)
    unwritten = False

    def fault(verb: str, subject: str) -> BaseException | None:
        return Unavailable("connection refused") if unwritten and (verb, subject) == ("patch", "w") else None

    async with world(lambda name, pod: Outcome(pending_s=50), coat=lambda api: Coat(api, fault=fault)) as here:
        ref = await here.submit(text)
        await here.after(30)
        unwritten = True
        await here.after(15)
        behind = SkewedClock(VirtualClock(), -20)
        system = System(here.api, rooms(here.settings), settings=Settings(), clock=behind, dice=Random(1))
        async with here.instead(system):
            done = await here.end_of(ref)

    assert len(here.created) == 1
    assert done["status"]["phase"] == "Succeeded"

"""`spec.parallelism`: what it holds back, and what becomes of that when somebody edits it while the workflow runs."""

from __future__ import annotations

from itertools import permutations

import pytest

from runtime.objects import Object
from tests.world.flows import flow, named, phases, table
from tests.world.test_templates import library
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time

WIDE = """
  - name: again
    retryStrategy: {limit: 3, backoff: {duration: "5"}}
    container: {image: alpine, command: [sh]}
  - name: main
    dag:
      tasks:
      - {name: b, template: again}
      - {name: a, template: leaf, withItems: [0, 1, 2, 3, 4, 5]}
      - {name: c, template: leaf, withItems: [0, 1, 2, 3], depends: a}
"""
MANY = 7  # pods of it run at once, if all may


def ten_seconds(name: str, pod: Object) -> Outcome:
    """The first two attempts at `b` fail."""
    del pod
    return Outcome(delay_s=10, code=int(name in {"w.b(0)", "w.b(1)"}))


@pytest.mark.spec("PAR-3")
@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize(("before", "after"), [(1, 3), (4, 2), (None, 2), (None, 1), (2, None), (3, 0)])
async def test_who_edits_the_parallelism_of_what_runs_is_heeded(
    before: int | None, after: int | None, *, dies: bool
) -> None:
    async with world(ten_seconds) as here:
        ref = await here.submit(flow(WIDE, **({} if before is None else {"parallelism": before})))
        await here.after(5)
        assert len(here.running) == (before or MANY)
        await here.api.patch(ref, {"spec": {"parallelism": after}})
        if dies:
            here.die()
        await here.after(6)  # what ran has ended
        here.most_running = len(here.running)
        await here.after(60)
        if after == 0:
            assert (here.most_running, here.running) == (0, set())
            await here.api.patch(ref, {"spec": {"parallelism": 2}})
        done = await here.end_of(ref, limit_s=300)

    assert done["status"]["phase"] == "Succeeded"
    assert here.most_running == (MANY - 2 if after is None else after or 2)


@pytest.mark.spec("PAR-3")
@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("long", ["leaf", "again"])
async def test_what_ran_before_there_was_a_limit_counts_for_it(long: str, *, dies: bool) -> None:
    text = flow(f"""
  - name: again
    retryStrategy: {{limit: 1}}
    container: {{image: alpine, command: [sh]}}
  - name: main
    dag:
      tasks:
      - {{name: long, template: {long}}}
      - {{name: a, template: leaf}}
      - {{name: b, template: leaf, depends: a}}
""")
    ends = {"w.long": Outcome(delay_s=100), "w.long(0)": Outcome(code=1, delay_s=60)}
    async with world(lambda name, pod: ends.get(name, Outcome(delay_s=10))) as here:
        ref = await here.submit(text)
        await here.after(5)
        await here.api.patch(ref, {"spec": {"parallelism": 1}})
        await here.after(2)
        if dies:
            here.die()
        await here.after(6)  # `a` has ended
        here.most_running = len(here.running)
        done = await here.end_of(ref, limit_s=300)

    assert here.most_running == 1
    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("PAR-3")
@pytest.mark.parametrize("dies", [False, True])
async def test_an_edit_outranks_the_limit_of_the_template_that_a_workflow_was_made_from(*, dies: bool) -> None:
    async with world(ten_seconds) as here:
        await library(here, "lib", flow(WIDE, parallelism=1).removeprefix("spec:\n"))
        ref = await here.submit("spec: {workflowTemplateRef: {name: lib}}")
        await here.after(5)
        assert len(here.running) == 1
        await here.api.patch(ref, {"spec": {"parallelism": 3}})
        await here.after(1)
        if dies:
            here.die()
        await here.after(8)
        assert len(here.running) == 3


KINDS = ["leaf", "deep", "again", "flow"]


@pytest.mark.spec("PAR-3")
@pytest.mark.spec("PAR-4")
@pytest.mark.parametrize("where", ["workflow", "template"])
@pytest.mark.parametrize("order", list(permutations(KINDS))[::5])
async def test_places_are_given_in_the_order_of_writing_whatever_wants_them(order: list[str], where: str) -> None:
    """Nested templates, too, and what is retried: whoever comes first in the list begins first."""
    tasks = ", ".join(f"{{name: t{at}, template: {kind}}}" for at, kind in enumerate([*order, *order]))
    text = flow(f"""
  - name: again
    retryStrategy: {{limit: 1}}
    container: {{image: alpine, command: [sh]}}
  - name: deep
    steps: [[{{name: in, template: leaf}}]]
  - name: flow
    dag: {{tasks: [{{name: in, template: leaf}}]}}
  - name: main
    {"parallelism: 1" if where == "template" else "failFast: false"}
    dag: {{tasks: [{tasks}]}}
""", **({"parallelism": 1} if where == "workflow" else {}))  # fmt: skip
    async with world(table()) as here:
        ref = await here.submit(text)
        done = await here.end_of(ref)
        most = here.most_running

    begun = sorted((node["startedAt"], name) for name, node in named(done).items() if node["type"] == "Pod")
    assert most == 1
    assert [name[3] for _, name in begun] == [str(at) for at in range(8)]


@pytest.mark.spec("PAR-3")
@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("loop", ["steps: [[{%s}]]", "dag: {tasks: [{%s}]}"])
async def test_what_has_begun_goes_on_before_more_is_begun(loop: str, *, dies: bool) -> None:
    """Who makes something, uses it and removes it, a hundred times, has never made more than there are places."""
    text = flow(f"""
  - name: one
    steps: [[{{name: make, template: leaf}}], [{{name: use, template: leaf}}], [{{name: remove, template: leaf}}]]
  - name: main
    {loop % "name: all, template: one, withSequence: {count: 12}"}
""", parallelism=2)  # fmt: skip
    async with world(table()) as here:
        ref = await here.submit(text)
        await here.after(5)
        if dies:
            here.die()
        done = await here.end_of(ref, limit_s=300)

    pods = [node for node in named(done).values() if node["type"] == "Pod"]
    turns = sorted((node["startedAt"], node["displayName"]) for node in pods)
    made = [sum(1 if name == "make" else -1 if name == "remove" else 0 for _, name in turns[:at]) for at in range(37)]
    assert done["status"]["phase"] == "Succeeded"
    assert max(made) <= (4 if dies else 3)  # who removes shows the same second as who makes next


@pytest.mark.spec("PAR-4")
@pytest.mark.parametrize("dies", [False, True])
async def test_of_the_tasks_that_a_template_holds_back_those_go_first_that_follow_on_others(*, dies: bool) -> None:
    tasks = "".join(
        f"""
      - {{name: make-{n}, template: leaf}}
      - {{name: remove-{n}, template: leaf, depends: make-{n}}}""" for n in range(6)
    )  # fmt: skip
    async with world(table()) as here:
        ref = await here.submit(flow(f"  - name: main\n    parallelism: 1\n    dag:\n      tasks:{tasks}\n"))
        await here.after(5)
        if dies:
            here.die()
        done = await here.end_of(ref, limit_s=300)

    pods = [node for node in named(done).values() if node["type"] == "Pod"]
    turns = [name for _, name in sorted((node["startedAt"], node["displayName"]) for node in pods)]
    assert turns == [f"{what}-{n}" for n in range(6) for what in ("make", "remove")]
    assert here.most_running == 1


@pytest.mark.spec("PAR-3")
@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("kind", ["steps: [[{name: a, template: leaf}]]", "suspend: {duration: 1s}"])
async def test_a_parallelism_of_nothing_holds_back_the_first_node_until_it_is_raised(kind: str, *, dies: bool) -> None:
    async with world(table()) as here:
        ref = await here.submit(flow(f"  - name: main\n    {kind}\n", parallelism=0))
        await here.after(600)
        waiting = (await here.api.get(ref))["status"]
        assert (waiting["phase"], waiting.get("nodes")) == ("Running", None)
        if dies:
            here.die()
            await here.after(60)
        await here.api.patch(ref, {"spec": {"parallelism": 1}})
        done = await here.end_of(ref, limit_s=60)

    assert done["status"]["phase"] == "Succeeded"
    assert set(phases(done).values()) == {"Succeeded"}


@pytest.mark.spec("PAR-3")
async def test_what_a_parallelism_of_nothing_holds_back_may_be_terminated() -> None:
    async with world(table()) as here:
        ref = await here.submit(flow("  - {name: main, steps: [[{name: a, template: leaf}]]}\n", parallelism=0))
        await here.after(60)
        await here.api.patch(ref, {"spec": {"shutdown": "Terminate"}})
        done = await here.end_of(ref, limit_s=60)
        assert here.created == []

    assert done["status"]["message"] == "Stopped with strategy 'Terminate'"

"""DAG templates: what runs, what is omitted, what the DAG's phase follows from."""

from __future__ import annotations

import pytest

from tests.world.flows import FAIL, flow, named, node_id, nodes, phases, run, table
from tests.world.world import Outcome, world

pytestmark = pytest.mark.virtual_time


def dag(tasks: str, more: str = "", templates: str = "") -> str:
    listed = "\n".join(f"      - {{{task}}}" for task in tasks.strip().splitlines())
    return flow(f"{templates}\n  - name: main\n    dag:\n{more}      tasks:\n{listed}\n")


def task_phases(done: object) -> dict[str, str]:
    return {name[2:]: phase for name, phase in phases(done).items() if name.startswith("w.")}  # type: ignore[arg-type]


DIAMOND = dag("""
name: A, template: leaf
name: B, template: leaf, dependencies: [A]
name: C, template: leaf, dependencies: [A]
name: D, template: leaf, dependencies: [B, C]
""")


@pytest.mark.spec("TMPL-7")
@pytest.mark.spec("DAG-2")
@pytest.mark.spec("DAG-5")
async def test_a_diamond_runs_in_order_and_draws_its_edges() -> None:
    done = await run(DIAMOND)

    found = named(done)
    assert found["w"]["type"] == "DAG"
    assert found["w"]["children"] == [node_id("w.A")]
    assert found["w.A"]["children"] == [node_id("w.B"), node_id("w.C")]
    assert found["w.B"]["children"] == found["w.C"]["children"] == [node_id("w.D")]
    assert found["w"]["outboundNodes"] == [node_id("w.D")]
    assert found["w.D"]["startedAt"] >= max(found["w.B"]["finishedAt"], found["w.C"]["finishedAt"])
    assert {entry["boundaryID"] for name, entry in found.items() if name != "w"} == {"w"}


@pytest.mark.spec("DAG-4")
@pytest.mark.spec("DAG-7")
@pytest.mark.spec("DAG-13")
async def test_omission_cascades_and_the_dag_has_the_failed_phase_and_no_message() -> None:
    done = await run(dag("""
name: A, template: leaf
name: B, template: leaf, depends: A
name: C, template: leaf, depends: B
"""), table(A=FAIL))  # fmt: skip

    found = named(done)
    for name in ("w.B", "w.C"):
        assert (found[name]["type"], found[name]["phase"]) == ("Skipped", "Omitted")
        assert found[name]["message"] == "omitted: depends condition not met"
    assert found["w"]["phase"] == "Failed"
    assert "message" not in found["w"]
    assert done["status"]["phase"] == "Failed"
    assert "message" not in done["status"]
    assert done["status"]["progress"] == "0/1"


@pytest.mark.spec("DAG-13")
async def test_a_dag_keeps_an_error_an_error() -> None:
    done = await run(DIAMOND, table(A=Outcome(vanishes=True)))

    assert named(done)["w"]["phase"] == "Error"
    assert done["status"]["phase"] == "Error"


@pytest.mark.spec("DAG-13")
async def test_a_later_success_on_the_branch_repairs_it() -> None:
    done = await run(dag("""
name: A, template: leaf
name: B, template: leaf, depends: A.Failed
"""), table(A=FAIL))  # fmt: skip

    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("DAG-13")
async def test_an_omitted_target_inherits_a_failure_before_a_success() -> None:
    done = await run(dag("""
name: A, template: leaf
name: B, template: leaf
name: C, template: leaf, depends: A && B
"""), table(B=FAIL))  # fmt: skip

    assert task_phases(done) == {"A": "Succeeded", "B": "Failed", "C": "Omitted"}
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("DAG-13")
async def test_a_skipped_target_inherits_what_the_ends_of_a_nested_template_pass_on() -> None:
    text = dag("""
name: A, template: inner
name: B, template: leaf, depends: A, when: "false"
""", templates="""
  - name: inner
    steps:
    - - {name: x, template: leaf, continueOn: {failed: true}}
""")  # fmt: skip
    done = await run(text, table(x=FAIL))

    assert task_phases(done)["A"] == "Succeeded"
    assert task_phases(done)["B"] == "Skipped"
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("DAG-4")
async def test_a_skipped_task_satisfies_a_bare_dependency() -> None:
    done = await run(dag("""
name: A, template: leaf, when: "false"
name: B, template: leaf, depends: A
"""))  # fmt: skip

    assert task_phases(done) == {"A": "Skipped", "B": "Succeeded"}


@pytest.mark.spec("CONT-2")
@pytest.mark.spec("DAG-12")
@pytest.mark.parametrize(
    ("proceed", "b", "phase"), [("failed", "Succeeded", "Succeeded"), ("error", "Omitted", "Failed")]
)
async def test_continue_on_widens_a_bare_dependency_and_excuses_a_target(proceed: str, b: str, phase: str) -> None:
    done = await run(dag(f"""
name: A, template: leaf, continueOn: {{{proceed}: true}}
name: B, template: leaf, dependencies: [A]
name: T, template: leaf, continueOn: {{{proceed}: true}}
"""), table(A=FAIL, T=FAIL))  # fmt: skip

    assert task_phases(done)["B"] == b
    assert done["status"]["phase"] == phase


@pytest.mark.spec("DAG-1")
async def test_only_what_the_targets_need_runs() -> None:
    done = await run(dag("""
name: A, template: leaf
name: B, template: leaf, dependencies: [A]
name: C, template: leaf, dependencies: [A]
""", more="      target: \"{{workflow.parameters.only}}\"\n").replace(
        "entrypoint: main", "entrypoint: main\n  arguments: {parameters: [{name: only, value: B}]}"))  # fmt: skip

    assert set(task_phases(done)) == {"A", "B"}
    assert named(done)["w"]["outboundNodes"] == [node_id("w.B")]


@pytest.mark.spec("DAG-3")
@pytest.mark.spec("DAG-6")
async def test_every_result_can_be_asked_for() -> None:
    done = await run(dag("""
name: ok, template: leaf
name: bad, template: leaf
name: gone, template: leaf
name: skip, template: leaf, when: "false"
name: never, template: leaf, depends: bad
name: s1, template: leaf, depends: ok.Succeeded && bad.Failed && gone.Errored && skip.Skipped && never.Omitted
name: s2, template: leaf, depends: "!ok.Failed && (bad.Succeeded || gone.Errored)"
name: s3, template: leaf, depends: ok.Failed || gone.Failed
"""), table(bad=FAIL, gone=Outcome(vanishes=True)))  # fmt: skip

    found = task_phases(done)
    assert (found["s1"], found["s2"], found["s3"]) == ("Succeeded", "Succeeded", "Omitted")


@pytest.mark.spec("DAG-6")
@pytest.mark.parametrize(
    ("outcome", "any_ok", "all_bad"),
    [
        ({"L(0:a)": FAIL, "L(1:b)": FAIL}, "Omitted", "Succeeded"),
        ({"L(0:a)": FAIL}, "Succeeded", "Omitted"),
        ({"L(0:a)": FAIL, "L(1:b)": Outcome(vanishes=True)}, "Omitted", "Omitted"),
    ],
)
async def test_a_loop_may_be_asked_for_any_success_or_only_failures(
    outcome: dict[str, Outcome], any_ok: str, all_bad: str
) -> None:
    done = await run(dag("""
name: L, template: leaf, withItems: [a, b]
name: X, template: leaf, depends: L.AnySucceeded
name: Y, template: leaf, depends: L.AllFailed
"""), table(**outcome))  # fmt: skip

    assert (task_phases(done)["X"], task_phases(done)["Y"]) == (any_ok, all_bad)


@pytest.mark.spec("DAG-9")
async def test_a_looped_task_is_a_task_group_that_ignores_continue_on() -> None:
    done = await run(dag("""
name: L, template: leaf, withItems: [a, b, c], continueOn: {failed: true, error: true}
name: Z, template: leaf, dependencies: [L]
"""), table(**{"L(0:a)": Outcome(vanishes=True), "L(1:b)": FAIL}))  # fmt: skip

    found = named(done)
    assert found["w.L"]["type"] == "TaskGroup"
    assert found["w.L"]["phase"] == "Failed"
    assert found["w.L"]["children"] == [node_id(f"w.L({i}:{c})") for i, c in enumerate("abc")]
    assert found["w.L(2:c)"]["boundaryID"] == "w"
    assert found["w.L(2:c)"]["children"] == [node_id("w.Z")]
    assert found["w.Z"]["phase"] == "Succeeded"


@pytest.mark.spec("DAG-10")
@pytest.mark.spec("LOOP-2")
async def test_a_loop_over_nothing_is_skipped_and_passed() -> None:
    done = await run(dag("""
name: L, template: leaf, withParam: "[]"
name: Z, template: leaf, dependencies: [L]
"""))  # fmt: skip

    found = named(done)
    assert (found["w.L"]["type"], found["w.L"]["phase"]) == ("Skipped", "Skipped")
    assert found["w.L"]["message"] == "Skipped, empty params"
    assert found["w.Z"]["phase"] == "Succeeded"


@pytest.mark.spec("DAG-14")
@pytest.mark.spec("ABS-3")
async def test_a_task_that_cannot_be_resolved_is_an_error_of_the_dag() -> None:
    done = await run(dag("""
name: A, template: make, when: "false"
name: B, template: leaf, depends: A, arguments: {parameters: [{name: m, value: "x{{tasks.A.outputs.parameters.p}}"}]}
"""))  # fmt: skip

    found = named(done)
    assert (found["w.B"]["type"], found["w.B"]["phase"]) == ("Skipped", "Error")
    assert "absent optional" in found["w.B"]["message"]
    assert done["status"]["phase"] == "Error"


@pytest.mark.spec("DAG-15")
@pytest.mark.spec("DAG-17")
@pytest.mark.parametrize(
    "tasks",
    [
        "name: A, template: make\n"
        'name: B, template: leaf, arguments: {parameters: [{name: m, value: "{{tasks.A.outputs.parameters.p}}"}]}',
        "name: A, template: leaf, depends: B\nname: B, template: leaf, depends: A",
    ],
)
async def test_a_task_may_refer_to_its_ancestors_only_and_to_no_cycle(tasks: str) -> None:
    done = await run(dag(tasks))

    assert done["status"]["phase"] == "Failed"
    assert done["status"]["message"].startswith("invalid spec: ")


@pytest.mark.spec("FF-1")
@pytest.mark.spec("DAG-11")
@pytest.mark.parametrize("fast", ["true", "false"])
async def test_a_dag_that_fails_fast_kills_nothing(fast: str) -> None:
    done = await run(dag("""
name: A, template: leaf
name: B, template: leaf
name: C, template: leaf, dependencies: [B]
""", more=f"      failFast: {fast}\n"), table(A=FAIL, B=Outcome(delay_s=60)))  # fmt: skip

    assert task_phases(done)["B"] == "Succeeded"
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("DAG-16")
@pytest.mark.spec("OP-1")
async def test_what_follows_in_a_stopped_dag_is_omitted_and_it_is_failed() -> None:
    async with world(table(A=Outcome(delay_s=500))) as here:
        ref = await here.submit(DIAMOND)
        await here.after(5)
        await here.api.patch(ref, {"spec": {"shutdown": "Stop"}})
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert task_phases(done) == {"A": "Failed", "B": "Omitted", "C": "Omitted", "D": "Omitted"}
    assert nodes(done)["A"]["message"] == "workflow shutdown with strategy:  Stop"
    assert done["status"]["phase"] == "Failed"
    assert done["status"]["message"] == "Stopped with strategy 'Stop'"


@pytest.mark.spec("DAG-8")
async def test_a_bad_result_name_is_caught_before_anything_runs() -> None:
    done = await run(dag("name: A, template: leaf\nname: B, template: leaf, depends: A.Foo"))

    assert done["status"]["message"].endswith("task result 'Foo' for task 'A' is invalid")


@pytest.mark.spec("DAG-11")
async def test_steps_that_end_with_a_group_without_calls_pass_their_own_end_on() -> None:
    """The group is an Error, the steps have failed, and so has what hangs on them: not the group, which is no end."""
    inner = '  - {name: inner, steps: [[{name: s, template: leaf, withParam: "[1"}]]}\n'
    done = await run(dag("name: A, template: inner\nname: B, template: leaf, dependencies: [A]", templates=inner))

    assert phases(done) == {"w": "Failed", "w.A": "Failed", "w.A[0]": "Error", "w.B": "Omitted"}


@pytest.mark.spec("DAG-11")
async def test_a_retried_task_passes_on_what_its_last_attempt_came_to() -> None:
    """Its strategy cannot be read once the attempt has failed: the Retry node is an Error, the attempt a failure."""
    again = "  - {name: again, retryStrategy: {limit: 1, backoff: {factor: 2}}, container: {image: busybox}}\n"
    tasks = "name: A, template: again\nname: B, template: leaf, dependencies: [A]"
    done = await run(dag(tasks, templates=again), table(A=FAIL))

    assert phases(done) == {"w": "Failed", "w.A": "Error", "w.A(0)": "Failed", "w.B": "Omitted"}


@pytest.mark.spec("DAG-11")
async def test_a_task_that_waited_for_nothing_and_did_not_run_passes_on_what_became_of_its_dag() -> None:
    """The step is an Error, which its steps, a failure, pass on; the inner dag has failed, and the skipped task is an
    end of it, too: of both that reach the outer dag's target, Failed decides."""
    inner = """
  - {name: sub, steps: [[{name: x, template: leaf}]]}
  - name: inner
    dag: {tasks: [{name: a, template: sub}, {name: b, template: leaf, when: "false"}]}
"""
    done = await run(
        dag("name: A, template: inner\nname: B, template: leaf, dependencies: [A]", templates=inner),
        table(x=Outcome(vanishes=True)),
    )

    found = phases(done)
    assert (found["w.A.a[0].x"], found["w.A.a"], found["w.A"]) == ("Error", "Failed", "Failed")
    assert found["w"] == "Failed"

"""Retries: attempts, limits, policies, waits, and what an attempt may know of the one before it."""

from __future__ import annotations

import pytest

from runtime.objects import PODS, Object
from tests.world.flows import FAIL, arguments_of, flow, named, node_id, nodes, phases, run, table
from tests.world.world import Outcome, Script, world

pytestmark = pytest.mark.virtual_time

GONE = Outcome(vanishes=True)


def retried(strategy: str, body: str = "container: {image: busybox, command: [sh]}") -> str:
    return flow(f"  - name: main\n    retryStrategy: {strategy}\n    {body}\n")


def until(number: int, bad: Outcome = FAIL) -> Script:
    """The attempts before `number` end badly."""

    def script(name: str, pod: Object) -> Outcome:
        del pod
        return Outcome() if f"({number})" in name else bad

    return script


@pytest.mark.spec("RTY-2")
@pytest.mark.parametrize(("limit", "attempts"), [("0", 1), ("2", 3), ('"1"', 2)])
async def test_a_limit_counts_what_comes_after_the_first_attempt(limit: str, attempts: int) -> None:
    done = await run(retried(f"{{limit: {limit}}}"), table(w=FAIL))

    found = named(done)
    assert len(found) == attempts + 1
    assert found["w"]["type"] == "Retry"
    assert (found["w"]["phase"], found["w"]["message"]) == ("Failed", "No more retries left")
    assert done["status"]["message"] == "No more retries left"
    assert found["w"]["children"] == [node_id(f"w({n})") for n in range(attempts)]
    assert done["status"]["progress"] == f"0/{attempts}"
    assert "nodeFlag" not in found["w"]
    assert found["w(0)"]["nodeFlag"] == {"retried": True}
    assert found["w(0)"]["displayName"] == "w(0)"


@pytest.mark.spec("RTY-3")
@pytest.mark.parametrize(
    ("policy", "outcome", "again"),
    [
        ("", FAIL, True),
        ("", GONE, False),
        (", retryPolicy: OnError", FAIL, False),
        (", retryPolicy: OnError", GONE, True),
        (", retryPolicy: Always", GONE, True),
        (', expression: "true"', GONE, True),
    ],
)
async def test_a_policy_says_which_ends_are_tried_again(policy: str, outcome: Outcome, again: bool) -> None:
    done = await run(retried(f"{{limit: 1{policy}}}"), until(1, outcome))

    assert done["status"]["phase"] == ("Succeeded" if again else named(done)["w(0)"]["phase"])
    assert ("w(1)" in named(done)) is again
    if not again:
        assert named(done)["w"]["message"] == named(done)["w(0)"]["message"]


@pytest.mark.spec("RTY-4")
@pytest.mark.parametrize(
    ("expression", "attempts"),
    [("asInt(lastRetry.exitCode) > 1", 1), ('lastRetry.status == \\"Failed\\"', 3), ("asInt(retries) < 1", 2)],
)
async def test_an_expression_is_asked_beside_the_limit(expression: str, attempts: int) -> None:
    done = await run(retried(f'{{limit: 2, expression: "{expression}"}}'), table(w=FAIL))

    assert len(named(done)) == attempts + 1
    told = "retryStrategy.expression evaluated to false" if attempts < 3 else "No more retries left"
    assert named(done)["w"]["message"] == told


@pytest.mark.spec("RTY-4")
async def test_an_exit_code_that_nobody_knows_is_minus_one_in_an_expression() -> None:
    done = await run(retried("{limit: 3, expression: 'lastRetry.exitCode == \"-1\"'}"), table(w=GONE))

    assert len(named(done)) == 5


@pytest.mark.spec("RTY-5")
@pytest.mark.spec("RTY-7")
async def test_the_longest_duration_ends_all_attempts() -> None:
    strategy = "{limit: 10, backoff: {duration: 20s, maxDuration: 45s}}"
    done = await run(retried(strategy), table(w=Outcome(code=1, delay_s=5)))

    assert named(done)["w"]["message"] == "Backoff would exceed max duration limit"
    assert len(named(done)) == 3


@pytest.mark.spec("RTY-7")
async def test_the_longest_duration_is_a_deadline_of_every_attempt_but_the_first() -> None:
    strategy = "{limit: 10, backoff: {duration: 5s, maxDuration: 45s}}"
    async with world(until(1, Outcome(code=1, delay_s=10))) as here:
        await here.end_of(await here.submit(retried(strategy)))
        pods = (await here.api.list(PODS)).items

    first, second = sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    assert "activeDeadlineSeconds" not in first["spec"]
    assert 15 <= second["spec"]["activeDeadlineSeconds"] < 35


@pytest.mark.spec("RTY-7")
@pytest.mark.spec("TMO-2")
async def test_the_longest_duration_takes_no_attempt_its_own_deadline() -> None:
    strategy = "{limit: 10, backoff: {duration: 5s, maxDuration: 45s}}"
    text = retried(strategy).replace("    retryStrategy:", "    activeDeadlineSeconds: 12\n    retryStrategy:")
    async with world(until(1, Outcome(code=1, delay_s=10))) as here:
        await here.end_of(await here.submit(text))
        pods = (await here.api.list(PODS)).items

    assert [pod["spec"]["activeDeadlineSeconds"] for pod in pods] == [12, 12]


@pytest.mark.spec("RTY-6")
async def test_waits_grow_by_the_factor_and_the_node_says_so() -> None:
    async with world(until(2)) as here:
        ref = await here.submit(retried("{limit: 3, backoff: {duration: '10', factor: 3}}"))
        await here.after(20)
        now = named(await here.api.get(ref))
        assert (now["w"]["phase"], now["w"]["message"]) == ("Running", "Backoff for 30 seconds")
        await here.end_of(ref)
        done = named(await here.at_rest(ref))

    assert done["w"]["phase"] == "Succeeded"
    assert "message" not in done["w"]


@pytest.mark.spec("RTY-6")
async def test_without_a_limit_nobody_waits() -> None:
    done = await run(retried("{backoff: {duration: 1h}}"), until(1))

    assert done["status"]["finishedAt"] < "2026-01-01T00:10:00Z"


@pytest.mark.spec("RTY-6")
async def test_a_backoff_without_a_duration_is_an_error() -> None:
    done = await run(retried("{limit: 2, backoff: {factor: 2}}"), table(w=FAIL))

    assert (named(done)["w"]["phase"], named(done)["w"]["message"]) == (
        "Error", "no base duration specified for retryStrategy"
    )  # fmt: skip
    told = "error in entry template execution: no base duration specified for retryStrategy"
    assert (done["status"]["phase"], done["status"]["message"]) == ("Error", told)


@pytest.mark.spec("RTY-8")
async def test_the_last_attempts_outputs_are_the_nodes_even_after_a_failure() -> None:
    done = await run(retried("{limit: 1}"), table(w=Outcome(code=7)))

    assert named(done)["w"]["outputs"] == {"exitCode": "7"}


@pytest.mark.spec("RTY-9")
async def test_an_attempt_knows_the_one_before_it() -> None:
    seen: dict[str, list[str]] = {}
    args = (
        '"{{retries}} {{lastRetry.exitCode}} {{lastRetry.status}} {{lastRetry.message}}", "{{pod.name}}", '
        '"{{=asInt(retries) + 1}}"'
    )
    text = retried("{limit: 1}", f"container: {{image: busybox, command: [sh], args: [{args}]}}")
    done = await run(text, arguments_of(seen, until(1, Outcome(code=3))))

    names = {name: entry["id"].rpartition("-")[2] for name, entry in named(done).items()}
    assert seen["w(0)"] == ["0 0  ", f"w-main-{names['w(0)']}", "1"]
    assert seen["w(1)"] == ["1 3 Failed main: Error (exit code 3)", f"w-main-{names['w(1)']}", "2"]


@pytest.mark.spec("RTY-1")
@pytest.mark.spec("RTY-12")
@pytest.mark.parametrize(
    ("body", "kind"),
    [("steps: [[{name: a, template: leaf}]]", "Steps"), ("dag: {tasks: [{name: a, template: leaf}]}", "DAG")],
)
async def test_steps_and_dags_are_retried_as_a_whole(body: str, kind: str) -> None:
    done = await run(retried("{limit: 2}", body), until(1))

    found = named(done)
    assert found["w"]["type"] == "Retry"
    assert [found[f"w({n})"]["type"] for n in (0, 1)] == [kind, kind]
    assert [found[f"w({n})"]["phase"] for n in (0, 1)] == ["Failed", "Succeeded"]
    assert done["status"]["phase"] == "Succeeded"
    inner = next(entry for name, entry in found.items() if name.startswith("w(1)") and name.endswith(".a"))
    assert inner["boundaryID"] == node_id("w(1)")
    assert inner["displayName"] == "a"


@pytest.mark.spec("TMPL-12")
async def test_the_name_that_a_template_gives_is_the_retried_calls_and_attempts_keep_their_numbers() -> None:
    named_so = 'annotations: {workflows.argoproj.io/display-name: "shown"}'
    body = f"{named_so}\n    container: {{image: busybox, command: [sh]}}"
    done = await run(retried("{limit: 2}", body), until(1))

    assert {name: entry["displayName"] for name, entry in named(done).items()} == {
        "w": "shown", "w(0)": "w(0)", "w(1)": "w(1)",
    }  # fmt: skip


@pytest.mark.spec("RTY-1")
async def test_the_workflows_strategy_is_that_of_every_template_without_one() -> None:
    text = flow("  - name: main\n    steps: [[{name: a, template: leaf}]]\n", retryStrategy="{limit: 1}")
    done = await run(text, table(w=FAIL, a=FAIL))

    types = {name: entry["type"] for name, entry in named(done).items()}
    assert types["w"] == "Retry"
    assert types["w(0)"] == "Steps"
    assert types["w(0)[0].a"] == "Retry"
    assert types["w(0)[0].a(1)"] == "Pod"


async def test_what_follows_a_retried_call_hangs_on_its_last_attempt() -> None:
    done = await run(flow("""
  - name: again
    retryStrategy: {limit: 1}
    container: {image: busybox, command: [sh]}
  - name: main
    steps:
    - - {name: a, template: again}
    - - {name: b, template: leaf}
"""), until(1))  # fmt: skip

    found = named(done)
    assert "children" not in found["w[0].a"] or found["w[0].a"]["children"] == [
        node_id("w[0].a(0)"),
        node_id("w[0].a(1)"),
    ]
    assert found["w[0].a(1)"]["children"] == [node_id("w[1]")]
    assert found["w[0].a(0)"]["boundaryID"] == "w"


@pytest.mark.spec("RTY-5")
@pytest.mark.spec("OP-1")
async def test_a_stop_ends_a_wait_between_attempts() -> None:
    async with world(table(w=Outcome(code=4))) as here:
        ref = await here.submit(retried("{limit: 5, backoff: {duration: 1h}}"))
        await here.after(60)
        await here.api.patch(ref, {"spec": {"shutdown": "Stop"}})
        await here.end_of(ref, limit_s=60)
        found = named(await here.at_rest(ref))

    assert (found["w"]["phase"], found["w"]["message"]) == ("Failed", "Stopped with strategy 'Stop'")
    assert found["w"]["outputs"] == {"exitCode": "4"}


@pytest.mark.spec("RTY-5")
@pytest.mark.spec("TMO-1")
@pytest.mark.parametrize("runs", [True, False])
async def test_a_deadline_ends_all_attempts(runs: bool) -> None:
    text = retried("{limit: 5, backoff: {duration: 1h}}").replace("spec:", "spec:\n  activeDeadlineSeconds: 30")
    done = await run(text, table(w=Outcome(code=1, delay_s=500 if runs else 1)))

    found = named(done)
    assert len(found) == 2
    assert found["w"]["message"] == "retry exceeded workflow deadline 2026-01-01 00:00:30 +0000 UTC"
    assert found["w"]["phase"] == "Failed"
    assert done["status"]["phase"] == "Failed"


@pytest.mark.spec("PAR-4")
async def test_attempts_count_against_parallelism_and_a_wait_does_not() -> None:
    text = flow("""
  - name: again
    retryStrategy: {limit: 1, backoff: {duration: 30s}}
    container: {image: busybox, command: [sh]}
  - name: main
    parallelism: 1
    steps: [[{name: a, template: again}, {name: b, template: again}, {name: c, template: leaf}]]
""")
    async with world(until(1, Outcome(code=1, delay_s=4))) as here:
        ref = await here.submit(text)
        await here.end_of(ref)
        done = await here.at_rest(ref)

        assert here.most_running == 1
    found = named(done)
    assert found["w[0].c"]["phase"] == "Failed"
    assert found["w[0].b(0)"]["finishedAt"] < found["w[0].a(1)"]["startedAt"]


async def test_a_suspended_attempt_can_be_resumed() -> None:
    async with world(table()) as here:
        ref = await here.submit(retried("{limit: 2}", "suspend: {duration: '3'}"))
        done = await here.end_of(ref)
        await here.at_rest(ref)

    assert phases(done) == {"w": "Succeeded", "w(0)": "Succeeded"}
    assert nodes(done)["w(0)"]["type"] == "Suspend"


@pytest.mark.spec("RTY-4")
async def test_an_expression_that_cannot_be_read_is_of_no_concern_to_who_succeeds() -> None:
    text = flow("""
  - name: main
    retryStrategy: {limit: 1, expression: 'a ==='}
    container: {image: busybox, command: [c]}
""")
    assert (await run(text, table()))["status"]["phase"] == "Succeeded"

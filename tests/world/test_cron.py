"""Schedules over hours and days: what runs, what does not, and what the CronWorkflow says about it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from actors.cron.child import WORKFLOWS, submitted_manifest
from actors.names import labels
from runtime.api import Gone
from runtime.messages import Address
from runtime.objects import Object, Reference
from tests.world.cron_world import CronWorld, cron, cron_world
from tests.world.world import Outcome

pytestmark = pytest.mark.virtual_time


def lasting(delay_s: float, code: int = 0) -> Any:
    return lambda name, pod: Outcome(code=code, delay_s=delay_s)


def conditions(status: Object) -> dict[str, str]:
    return {entry["type"]: entry["message"] for entry in status.get("conditions") or ()}


KEEP: dict[str, Any] = {"successfulJobsHistoryLimit": 1000, "failedJobsHistoryLimit": 1000}

# -------------------------------------------------------------------------------------------- timetables


@pytest.mark.spec("CRON-1", "CRON-9", "CRON-10")
@pytest.mark.spec("KIND-4", "UI-3")
async def test_a_run_is_a_workflow_named_after_its_hour_with_all_that_upstream_gives_it() -> None:
    metadata = {"labels": {labels.CREATOR: "ada", "team": "x", labels.CONTROLLER_INSTANCE_ID: "i"}}
    wanted = {"labels": {"of": "run"}, "annotations": {"a": "b"}, "finalizers": ["example.com/hold"]}
    async with cron_world(alive=False) as here:
        here.instance_id = "i"
        await here.start()
        ref = await here.create(cron(metadata=metadata, workflowMetadata=wanted))
        await here.until("2026-01-01T00:01:00.5Z")
        run = await here.api.get(Reference(WORKFLOWS, "default", "c-1767225660"))

        meta = run["metadata"]
        assert {"of": "run", labels.CREATOR: "ada", labels.CRON_WORKFLOW: "c"}.items() <= meta["labels"].items()
        assert meta["labels"][labels.CONTROLLER_INSTANCE_ID] == "i"
        assert "team" not in meta["labels"]
        assert meta["annotations"]["a"] == "b"
        assert meta["annotations"][labels.SCHEDULED_TIME] == "2026-01-01T00:01:00Z"
        assert "example.com/hold" in meta["finalizers"]
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "name": "c", "uid": ref.uid}
        assert meta["ownerReferences"] == [{**owner, "controller": True, "blockOwnerDeletion": True}]
        assert run["spec"]["entrypoint"] == "m"

        status = await here.status(ref)
        assert [entry["name"] for entry in status["active"]] == ["c-1767225660"]
        assert status["active"][0]["uid"] == meta["uid"]
        assert (status["lastScheduledTime"], status["phase"]) == ("2026-01-01T00:01:00Z", "Active")
        await here.until("2026-01-01T00:01:30Z")
        status = await here.status(ref)
        assert (status["succeeded"], status["failed"], status.get("active")) == (1, 0, None)


@pytest.mark.spec("CRON-1")
async def test_schedules_that_name_the_same_minute_run_once() -> None:
    async with cron_world() as here:
        await here.create(cron(schedules="*/3 * * * *; */2 * * * *", **KEEP))
        await here.until("2026-01-01T00:09:30Z")
        assert [run[:5] for run in await here.runs()] == ["00:02", "00:03", "00:04", "00:06", "00:08", "00:09"]


@pytest.mark.spec("CRON-1")
async def test_every_keeps_its_step_through_restarts() -> None:
    async with cron_world() as here:
        await here.create(cron(schedules="@every 90s", **KEEP))
        await here.until("2026-01-01T00:02:00Z")
        here.die()
        await here.start()
        await here.until("2026-01-01T00:05:00Z")
        assert await here.runs() == ["00:01:30", "00:03:00", "00:04:30"]


@pytest.mark.spec("CRON-2")
async def test_in_spring_the_skipped_hour_does_not_run_and_in_autumn_the_repeated_one_runs_twice() -> None:
    for schedules, start, end, runs in (
        ("30 2 * * *", "2026-03-08T06:00:00Z", "2026-03-08T08:00:00Z", []),
        ("30 2 * * *", "2026-03-09T06:00:00Z", "2026-03-09T07:00:00Z", ["06:30:00"]),  # at UTC-4
        ("30 1 * * *", "2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z", ["05:30:00", "06:30:00"]),
        ("30 1 * * *", "2026-11-02T05:00:00Z", "2026-11-02T07:00:00Z", ["06:30:00"]),
    ):
        async with cron_world(start=start) as here:
            await here.create(cron(schedules=schedules, timezone="America/New_York", **KEEP))
            await here.until(end)
            assert await here.runs() == runs


# ------------------------------------------------------------------------------------- concurrency, suspension


@pytest.mark.spec("CRON-3")
async def test_allow_lets_runs_overlap() -> None:
    async with cron_world(lasting(150)) as here:
        ref = await here.create(cron())
        await here.until("2026-01-01T00:02:30Z")
        assert len((await here.status(ref))["active"]) == 2


@pytest.mark.spec("CRON-3")
async def test_forbid_skips_what_comes_while_a_run_is_active() -> None:
    async with cron_world(lasting(90)) as here:
        ref = await here.create(cron(concurrencyPolicy="Forbid", **KEEP))
        await here.until("2026-01-01T00:06:30Z")
        assert [run[:5] for run in await here.runs()] == ["00:01", "00:03", "00:05"]
        assert (await here.status(ref))["lastScheduledTime"] == "2026-01-01T00:05:00Z"
        metrics = here.system.metrics if here.system else None
        assert metrics is not None
        policy = (("name", "c"), ("namespace", "default"), ("concurrency_policy", "Forbid"))
        assert metrics.value("cronworkflows_concurrencypolicy_triggered", policy) == 3
        assert metrics.value("cronworkflows_triggered_total", policy[:2]) == 3


@pytest.mark.spec("CRON-3", "CRON-4")
async def test_forbid_lets_one_skipped_run_begin_late_within_the_deadline() -> None:
    async with cron_world(lasting(90)) as here:
        await here.create(cron(concurrencyPolicy="Forbid", startingDeadlineSeconds=50, **KEEP))
        await here.until("2026-01-01T00:03:00Z")
        late = await here.api.get(Reference(WORKFLOWS, "default", "c-1767225720"))
        assert late["metadata"]["creationTimestamp"].startswith("2026-01-01T00:02:3")


@pytest.mark.spec("CRON-3", "8.23")
async def test_replace_terminates_the_active_run_first() -> None:
    async with cron_world(lasting(90)) as here:
        ref = await here.create(cron(concurrencyPolicy="Replace", **KEEP))
        await here.until("2026-01-01T00:03:30Z")
        found = {thing["metadata"]["name"]: thing for thing in (await here.api.list(WORKFLOWS)).items}
        assert len(found) == 3
        *replaced, last = (found[name] for name in sorted(found))
        assert [thing["spec"]["shutdown"] for thing in replaced] == ["Terminate", "Terminate"]
        assert [thing["status"]["phase"] for thing in replaced] == ["Failed", "Failed"]
        assert "shutdown" not in last["spec"]
        status = await here.status(ref)
        assert (status["failed"], len(status["active"])) == (2, 1)


@pytest.mark.spec("CRON-5")
async def test_a_suspended_one_does_not_run_but_can_be_submitted_by_hand() -> None:
    async with cron_world() as here:
        ref = await here.create(cron(suspend=True))
        await here.until("2026-01-01T00:03:30Z")
        assert here.seen == {}
        await here.api.create(WORKFLOWS, submitted_manifest(await here.api.get(ref), here.clock.wall()))
        await anyio.sleep(10)
        assert (await here.status(ref))["succeeded"] == 1
        await here.edit(ref, suspend=False)
        await here.until("2026-01-01T00:05:30Z")
        await here.edit(ref, suspend=True)
        await here.until("2026-01-01T00:09:30Z")
        assert [run for run in sorted(here.seen) if run.startswith("c-1767")] == ["c-1767225840", "c-1767225900"]
        assert (await here.status(ref))["succeeded"] == 3


# ------------------------------------------------------------------------------------------ missed runs


async def downtime(here: CronWorld, ref: Reference, *, suspended: bool = False) -> None:
    """Nobody looks from 00:02:30 to 00:06:20."""
    await here.until("2026-01-01T00:02:30Z")
    if suspended:
        await here.edit(ref, suspend=True)
    else:
        here.die()
    await here.until("2026-01-01T00:06:20Z")
    if suspended:
        await here.edit(ref, suspend=None)
    else:
        await here.start()
    await here.until("2026-01-01T00:06:50Z")


@pytest.mark.spec("CRON-4", "8.23")
@pytest.mark.parametrize("suspended", [False, True])
@pytest.mark.parametrize(
    ("deadline", "caught_up"), [(None, []), (0, []), (20, []), (21, ["00:06:00"]), (1000, ["00:06:00"])]
)
async def test_the_latest_missed_run_is_made_up_for_when_it_is_younger_than_the_deadline(
    suspended: bool, deadline: int | None, caught_up: list[str]
) -> None:
    async with cron_world() as here:
        ref = await here.create(cron(startingDeadlineSeconds=deadline, **KEEP))
        await downtime(here, ref, suspended=suspended)
        assert await here.runs() == ["00:01:00", "00:02:00", *caught_up]


@pytest.mark.spec("CRON-4")
async def test_a_schedule_that_has_changed_meanwhile_has_missed_nothing() -> None:
    async with cron_world() as here:
        ref = await here.create(cron(startingDeadlineSeconds=1000, **KEEP))
        await here.until("2026-01-01T00:02:30Z")
        here.die()
        await here.edit(ref, schedules=["*/2 * * * *"])
        await here.until("2026-01-01T00:06:20Z")
        await here.start()
        await here.until("2026-01-01T00:08:30Z")
        assert await here.runs() == ["00:01:00", "00:02:00", "00:08:00"]


CATCH_UP = [
    ("all", None, ["00:03:00", "00:04:00", "00:05:00", "00:06:00"]),
    ("2", None, ["00:05:00", "00:06:00"]),
    ("latest", None, ["00:06:00"]),
    ("0", None, []),
    ("all", 150, ["00:04:00", "00:05:00", "00:06:00"]),
]


@pytest.mark.spec("CRON-4")
@pytest.mark.parametrize("policy", ["Allow", "Forbid"])
@pytest.mark.parametrize(("wish", "deadline", "caught_up"), CATCH_UP)
async def test_as_many_missed_runs_are_made_up_for_as_the_annotation_says(
    policy: str, wish: str, deadline: int | None, caught_up: list[str]
) -> None:
    metadata = {"annotations": {labels.CRON_CATCH_UP: wish}}
    async with cron_world() as here:
        spec: dict[str, Any] = {"startingDeadlineSeconds": deadline, "concurrencyPolicy": policy}
        ref = await here.create(cron(metadata=metadata, **spec, **KEEP))
        await downtime(here, ref)
        assert await here.runs() == ["00:01:00", "00:02:00", *caught_up]
        if policy == "Forbid":
            assert here.player.most_running == 1


@pytest.mark.spec("CRON-4")
async def test_what_was_suspended_is_not_caught_up_with() -> None:
    metadata = {"annotations": {labels.CRON_CATCH_UP: "all"}}
    async with cron_world() as here:
        ref = await here.create(cron(metadata=metadata, **KEEP))
        await downtime(here, ref, suspended=True)
        assert await here.runs() == ["00:01:00", "00:02:00"]


@pytest.mark.spec("CRON-3", "CRON-4")
async def test_with_catch_up_a_slow_run_delays_the_next_ones_and_none_is_lost() -> None:
    metadata = {"annotations": {labels.CRON_CATCH_UP: "all"}}
    script = lambda name, pod: Outcome(delay_s=150 if name.endswith("1767225660") else 1)  # noqa: E731
    async with cron_world(script) as here:
        await here.create(cron(metadata=metadata, concurrencyPolicy="Forbid", **KEEP))
        await here.until("2026-01-01T00:05:30Z")
        assert [run[:5] for run in await here.runs()] == ["00:01", "00:02", "00:03", "00:04", "00:05"]
        assert here.player.most_running == 1


# --------------------------------------------------------------------------------- when, stop strategy, history


@pytest.mark.spec("CRON-6", "COND-6")
async def test_when_decides_each_run() -> None:
    since = "(now() - cronworkflow.lastScheduledTime).Seconds()"
    when = f"{{{{= cronworkflow.lastScheduledTime == nil || {since} > 359 }}}}"
    async with cron_world() as here:
        await here.create(cron(when=when, **KEEP))
        await here.until("2026-01-01T00:16:30Z")
        assert [run[:5] for run in await here.runs()] == ["00:01", "00:07", "00:13"]


@pytest.mark.spec("CRON-6", "COND-6", "CRON-10")
async def test_a_when_that_cannot_be_evaluated_is_a_submission_error_each_time() -> None:
    async with cron_world() as here:
        ref = await here.create(cron(when="heads == heads", startingDeadlineSeconds=600))
        await here.until("2026-01-01T00:02:30Z")
        status = await here.status(ref)
        assert conditions(status) == {"SubmissionError": "run policy error: No parameter 'heads' found."}
        assert status["failed"] == 2
        await here.edit(ref, when="{{= cronworkflow.failed == 2 }}")
        await here.until("2026-01-01T00:03:30Z")
        assert conditions(await here.status(ref)) == {}
        assert [run[:5] for run in await here.runs()] == ["00:03"]


@pytest.mark.spec("CRON-7", "8.23")
async def test_the_stop_strategy_ends_it_for_good() -> None:
    async with cron_world(lasting(5, code=1)) as here:
        ref = await here.create(cron(stopStrategy={"expression": "cronworkflow.failed >= 3"}, **KEEP))
        await here.until("2026-01-01T00:03:30Z")
        found = await here.api.get(ref)
        assert found["status"]["phase"] == "Stopped"
        assert found["metadata"]["labels"][labels.CRON_COMPLETED] == "true"
        here.die()
        await here.start()
        await here.until("2026-01-01T00:09:30Z")
        assert len(await here.runs()) == 3


@pytest.mark.spec("CRON-7")
async def test_a_stop_strategy_that_holds_before_the_first_run_stops_it_and_a_bad_one_says_so() -> None:
    async with cron_world() as here:
        done = await here.create(cron("done", stopStrategy={"expression": "cronworkflow.succeeded == 0"}))
        bad = await here.create(cron("bad", stopStrategy={"expression": "cronworkflow.name"}))
        await here.until("2026-01-01T00:01:30Z")
        assert (await here.status(done))["phase"] == "Stopped"
        text = conditions(await here.status(bad))["SpecError"]
        assert text.startswith(
            "failed to check CronWorkflow 'bad' stopping condition: failed to evaluate stop expression"
        )
        assert here.seen == {}


@pytest.mark.spec("CRON-8")
async def test_three_successes_and_one_failure_are_kept_unless_the_limits_say_otherwise() -> None:
    script = lambda name, pod: Outcome(code=int(name.rpartition("-")[2]) // 60 % 2)  # noqa: E731
    async with cron_world(script) as here:
        ref = await here.create(cron())
        await here.until("2026-01-01T00:10:30Z")
        assert [run[:5] for run in await here.runs()] == ["00:06", "00:08", "00:09", "00:10"]
        assert (await here.status(ref))["succeeded"] == 5
        await here.edit(ref, successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0)
        await here.until("2026-01-01T00:10:45Z")
        assert [run[:5] for run in await here.runs()] == ["00:10"]
        await here.until("2026-01-01T00:13:30Z")
        assert [run[:5] for run in await here.runs()] == ["00:12"]
        status = await here.status(ref)
        assert (status["succeeded"], status["failed"]) == (6, 7)


# ------------------------------------------------------------------------------------------- errors, edits


@pytest.mark.spec("CRON-1", "CRON-10", "VAL-11")
async def test_one_that_cannot_run_says_so_until_it_is_mended() -> None:
    async with cron_world() as here:
        ref = await here.create(cron(schedules="61 * * * *"))
        await anyio.sleep(1)
        text = "cron schedule 61 * * * * is malformed: end of range (61) above maximum (59): 61"
        assert conditions(await here.status(ref)) == {"SpecError": text}
        await here.edit(ref, schedules=["* * * * *"], timezone="Mars/Olympus")
        await anyio.sleep(1)
        text = 'invalid timezone "Mars/Olympus": unknown time zone Mars/Olympus'
        assert conditions(await here.status(ref)) == {"SpecError": text}
        await here.edit(ref, timezone=None, workflowSpec={"entrypoint": "nobody"})
        await anyio.sleep(1)
        text = "cannot validate Workflow: template name 'nobody' undefined"
        assert conditions(await here.status(ref)) == {"SpecError": text}
        await here.until("2026-01-01T00:01:30Z")
        assert here.seen == {}
        await here.edit(ref, workflowSpec={"entrypoint": "m"})
        await here.until("2026-01-01T00:02:30Z")
        assert conditions(await here.status(ref)) == {}
        assert [run[:5] for run in await here.runs()] == ["00:02"]


@pytest.mark.spec("CRON-10")
async def test_a_template_that_comes_later_mends_it_at_the_next_run() -> None:
    async with cron_world() as here:
        ref = await here.create(cron(workflowSpec={"workflowTemplateRef": {"name": "t"}}))
        await here.until("2026-01-01T00:01:30Z")
        assert "not found" in conditions(await here.status(ref))["SpecError"]
        template = cron()["spec"]["workflowSpec"]
        thing = {"apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "spec": template}
        resource = WORKFLOWS._replace(kind="WorkflowTemplate", plural="workflowtemplates")
        await here.api.create(resource, {**thing, "metadata": {"name": "t", "namespace": "default"}})
        await here.until("2026-01-01T00:02:30Z")
        status = await here.status(ref)
        assert (conditions(status), status["succeeded"]) == ({}, 1)


@pytest.mark.spec("CRON-10")
async def test_somebody_elses_workflow_of_the_runs_name_is_an_error_and_stays_untouched() -> None:
    async with cron_world() as here:
        other = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": cron()["spec"]["workflowSpec"]}
        await here.api.create(WORKFLOWS, {**other, "metadata": {"name": "c-1767225660", "namespace": "default"}})
        ref = await here.create(cron())
        await here.until("2026-01-01T00:01:30Z")
        status = await here.status(ref)
        assert "c-1767225660 exists and is not a run of this" in conditions(status)["SubmissionError"]
        assert (status["failed"], status.get("active")) == (1, None)


@pytest.mark.spec("CRON-10")
async def test_a_run_that_is_deleted_leaves_the_active_ones_uncounted() -> None:
    async with cron_world(lasting(300)) as here:
        ref = await here.create(cron(schedules="1 * * * *"))
        await here.until("2026-01-01T00:01:30Z")
        await here.api.delete(Reference(WORKFLOWS, "default", "c-1767225660"))
        await anyio.sleep(5)
        status = await here.status(ref)
        assert (status.get("active"), status["succeeded"], status["failed"]) == (None, 0, 0)


async def test_one_that_is_deleted_runs_no_more() -> None:
    async with cron_world() as here:
        ref = await here.create(cron())
        await here.until("2026-01-01T00:01:30Z")
        await here.api.delete(ref)
        await here.until("2026-01-01T00:05:30Z")
        assert len(here.seen) == 1
        with pytest.raises(Gone):
            await here.api.get(ref)


async def test_it_can_say_what_it_waits_for() -> None:
    async with cron_world(lasting(90)) as here:
        ref = await here.create(
            cron(metadata={"annotations": {labels.CRON_CATCH_UP: "all"}}, concurrencyPolicy="Forbid")
        )

        async def waits(after_s: float) -> str:
            await anyio.sleep(after_s)
            assert here.system is not None
            return here.system.explain(Address("cron", "default", "c", ref.uid))

        assert "until 2026-01-01T00:01:00Z" in await waits(5)
        assert "for active runs to end, before that of 2026-01-01T00:02:00Z begins" in await waits(120)
        await here.edit(ref, suspend=True)
        assert "to be resumed (spec.suspend)" in await waits(240)
        await here.edit(ref, suspend=False, schedules=["never"])
        assert "for schedules that can be read" in await waits(5)
        await here.edit(ref, schedules=["0 0 30 2 *"])
        assert "for nothing: it is never due" in await waits(5)
        await here.edit(ref, schedules=["* * * * *"], stopStrategy={"expression": "true"})
        assert "for nothing: its stop strategy has ended it" in await waits(65)

"""The rules of a CronWorkflow, one by one: what was missed, what may begin, what is kept, what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.cron.backlog import missed
from actors.cron.child import Child, child_manifest, child_of
from actors.cron.decide import Run, Skip, Stop, Verdict, Wrong, outlived, variables, verdict
from actors.cron.record import Note, Record, patch_to, record, says
from actors.cron.timetable import CATCH_UP_MAX, timetable
from actors.language.schedule import ScheduleError
from actors.names import labels
from actors.names.timestamps import rfc3339
from runtime.objects import Object
from tiphys.localzone import local_zone

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
MINUTE = 60.0


def cron(status: Object | None = None, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    meta = {"name": "c", "namespace": "n", "uid": "u", "resourceVersion": "7", "labels": {"team": "x"}}
    stamped = {**meta, "creationTimestamp": rfc3339(NOW - 3600), "annotations": annotations or {}}
    return {"metadata": stamped, "spec": {"schedules": ["* * * * *"], **spec}, "status": status or {}}


def child(number: int, phase: str = "Running", **fields: Any) -> Child:
    at = NOW + number * MINUTE
    made = Child(
        f"u{number}",
        f"c-{int(at)}",
        "n",
        "1",
        phase,
        rfc3339(at),
        rfc3339(at + 5),
        at,
        is_history=True,
        is_stopping=False,
    )
    return made._replace(**fields)


# ------------------------------------------------------------------------------------------------ timetable


@pytest.mark.spec("CRON-1")
@settings(deadline=None)
@given(
    after=st.integers(0, 86_400),
    span=st.integers(0, 86_400),
    most=st.integers(1, 300),
    texts=st.lists(st.sampled_from(["* * * * *", "*/7 * * * *", "0 5 * * *", "@every 40m", "@hourly"]), min_size=1),
)
def test_looking_back_finds_what_looking_forward_would_have(after: int, span: int, most: int, texts: list[str]) -> None:
    table = timetable({"schedules": texts}, "UTC", 0.0)
    forward, at = [], table.next(after)
    while at is not None and at < after + span:
        forward.append(at)
        at = table.next(at)
    assert table.between(after, after + span, most) == forward[-most:]


@pytest.mark.spec("CRON-1")
def test_looking_back_over_years_of_minutes_costs_what_it_finds() -> None:
    table = timetable({"schedules": ["* * * * *"]}, "UTC", 0.0)
    assert table.between(0.0, NOW, 1) == [NOW - MINUTE]


@pytest.mark.spec("CRON-4")
def test_the_annotation_of_the_last_used_schedules_is_written_as_upstream_writes_it() -> None:
    both = {"schedules": ["* * * * *", "@daily"]}
    assert timetable(both, "UTC", 0.0).text == "* * * * *,@daily"
    zoned = timetable({**both, "timezone": "Asia/Tokyo"}, "UTC", 0.0)
    assert zoned.text == "CRON_TZ=Asia/Tokyo * * * * *,CRON_TZ=Asia/Tokyo @daily"


@pytest.mark.spec("CRON-1", "CRON-2")
def test_a_timetable_that_cannot_be_read_is_explained() -> None:
    with pytest.raises(ScheduleError, match="cron workflow must have at least one schedule"):
        timetable({}, "UTC", 0.0)
    with pytest.raises(ScheduleError, match='invalid timezone "Mars": unknown time zone Mars'):
        timetable({"schedules": ["@daily"]}, "Mars", 0.0)


@pytest.mark.spec("CRON-2")
def test_the_machines_own_zone_is_that_of_TZ_or_of_its_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "localtime"
    monkeypatch.setenv("TZ", ":Europe/Paris")
    assert local_zone(link) == "Europe/Paris"
    monkeypatch.setenv("TZ", "nonsense/zone")
    assert local_zone(link) == "UTC"
    monkeypatch.delenv("TZ")
    link.symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    assert local_zone(link) == "Asia/Tokyo"


# --------------------------------------------------------------------------------------------------- missed

USED = {labels.CRON_LAST_USED_SCHEDULE: "* * * * *"}


def missed_of(thing: Object, now: float = NOW + 30, decided: float = 0.0) -> list[float]:
    return missed(thing, thing["status"], timetable(thing["spec"], "UTC", 0.0), decided, now)


@pytest.mark.spec("CRON-4")
@given(deadline=st.integers(0, 400), slept=st.integers(0, 600))
def test_at_most_the_latest_missed_run_is_made_up_for(deadline: int, slept: int) -> None:
    last = NOW - slept * 1.0
    thing = cron({"lastScheduledTime": rfc3339(last)}, USED, startingDeadlineSeconds=deadline)
    latest, now = NOW, NOW + 30
    expected = [latest] if latest > last and now - latest < deadline else []
    assert missed_of(thing) == expected
    assert missed_of(thing, decided=NOW) == []
    assert missed_of({**thing, "spec": {**thing["spec"], "suspend": True}}) == []
    assert missed_of({**thing, "spec": {**thing["spec"], "schedules": ["*/1 * * * *"]}}) == []
    assert missed_of({**thing, "status": {}}) == []


@pytest.mark.spec("CRON-4")
def test_with_catch_up_all_is_due_since_the_last_that_was_decided() -> None:
    wish = {labels.CRON_CATCH_UP: "all"}
    assert len(missed_of(cron(annotations=wish))) == 60  # since it was created, an hour ago
    five = rfc3339(NOW - 5 * MINUTE)
    expected = [NOW - minute * MINUTE for minute in (4, 3, 2, 1, 0)]
    assert missed_of(cron({"lastScheduledTime": five}, {**wish, **USED})) == expected
    assert missed_of(cron({}, {**wish, **USED, labels.CRON_CAUGHT_UP_TO: five})) == expected
    assert missed_of(cron({"lastScheduledTime": five}, {**wish, **USED}), decided=NOW - MINUTE) == [NOW]
    long_ago = cron({"lastScheduledTime": rfc3339(NOW - 1e7)}, {**wish, **USED})
    assert len(missed_of(long_ago)) == CATCH_UP_MAX
    young = cron({"lastScheduledTime": five}, {**wish, **USED}, startingDeadlineSeconds=100)
    assert missed_of(young) == [NOW - MINUTE, NOW]
    assert missed_of(young, now=NOW) == [NOW - MINUTE, NOW]  # the moment itself is due
    assert missed_of(young, now=NOW, decided=NOW) == []
    assert missed_of(cron({"lastScheduledTime": five}, {labels.CRON_CATCH_UP: "soon", **USED})) == []


# --------------------------------------------------------------------------------------------------- verdict


def verdict_of(status: Object | None = None, active: tuple[Child, ...] = (), **spec: Any) -> Verdict:
    return verdict(cron(**spec), status or {}, active, NOW)


@pytest.mark.spec("CRON-3", "CRON-5", "CRON-7")
def test_the_rules_are_asked_in_upstreams_order() -> None:
    done = {"expression": "cronworkflow.failed >= 1"}
    assert verdict_of({"failed": 1}, stopStrategy=done, suspend=True) == Stop()
    assert verdict_of(stopStrategy=done, suspend=True) == Skip("it is suspended", for_good=False)
    assert isinstance(verdict_of({"phase": "Stopped"}, when="broken ("), Skip)
    assert isinstance(verdict_of(when="broken (", concurrencyPolicy="Forbid", active=(child(1),)), Wrong)
    assert verdict_of(when="1 == 2") == Skip("its `when` is false", for_good=True)
    assert verdict_of() == verdict_of(when="1 == 1", concurrencyPolicy="Allow", active=(child(1),)) == Run()


@pytest.mark.spec("CRON-3")
def test_forbid_waits_and_replace_terminates_what_has_not_been_told_yet() -> None:
    told, active = child(1, is_stopping=True), child(2)
    found = verdict_of(active=(told, active), concurrencyPolicy="Forbid")
    assert isinstance(found, Skip)
    assert (found.for_good, found.policy) == (False, "Forbid")
    assert verdict_of(active=(told, active), concurrencyPolicy="Replace") == Run((active,))
    assert verdict_of(concurrencyPolicy="Forbid") == Run()


@pytest.mark.spec("CRON-6", "COND-6", "1.9")
@pytest.mark.parametrize(
    ("when", "allowed"),
    [
        ("{{= cronworkflow.lastScheduledTime == nil }}", True),
        ("{{= cronworkflow.failed == 2 && cronworkflow.succeeded == 3 }}", True),
        ("{{= cronworkflow.labels['team'] == 'x' }}", True),
        ("{{= cronworkflow.annotations['a'] == 'b' }}", True),
        ("{{= fromJSON(cronworkflow.labels.json).team == 'x' }}", True),
        ("'{{cronworkflow.name}}' == 'c' && '{{cronworkflow.namespace}}' == 'n'", True),
        ("{{= now().Year() }} < 2026", False),
        ("{{= cronworkflow.failed }} > 2", False),
    ],
)
def test_when_knows_the_cronworkflow(when: str, allowed: bool) -> None:
    thing = cron(annotations={"a": "b"}, when=when)
    found = verdict(thing, {"failed": 2, "succeeded": 3}, (), NOW)
    assert isinstance(found, Run) is allowed


@pytest.mark.spec("CRON-6", "COND-6")
@pytest.mark.parametrize("when", ["yes", "yes == yes", "{{cronworkflow.age}} == 1", "1 + 1", "{{= nobody }} == 1"])
def test_a_when_that_is_no_condition_is_wrong(when: str) -> None:
    found = verdict_of(when=when)
    assert isinstance(found, Wrong)
    assert found.condition == "SubmissionError"
    assert found.message.startswith("run policy error: ")


@pytest.mark.spec("1.9")
def test_the_last_time_is_a_time_or_nil() -> None:
    at = variables(cron(), {"lastScheduledTime": rfc3339(NOW)})["cronworkflow.lastScheduledTime"]
    assert at.timestamp() == NOW
    assert variables(cron(), {})["cronworkflow.lastScheduledTime"] is None


# --------------------------------------------------------------------------------------------------- history


@pytest.mark.spec("CRON-8")
@given(
    phases=st.lists(st.sampled_from(["Succeeded", "Failed", "Error", "Running", ""]), max_size=12),
    succeeded=st.none() | st.integers(-1, 5),
    failed=st.none() | st.integers(-1, 5),
)
def test_the_newest_of_each_kind_are_kept(phases: list[str], succeeded: int | None, failed: int | None) -> None:
    children = [child(number, phase) for number, phase in enumerate(phases)]
    limits: dict[str, Any] = {"successfulJobsHistoryLimit": succeeded, "failedJobsHistoryLimit": failed}
    gone = outlived(cron(**limits), children)
    kept = [one for one in children if one not in gone]
    good = 3 if succeeded is None or succeeded < 0 else succeeded
    bad = 1 if failed is None or failed < 0 else failed
    for limit, kinds in ((good, {"Succeeded"}), (bad, {"Failed", "Error"})):
        of_kind = [one for one in children if one.phase in kinds]
        assert [one for one in kept if one.phase in kinds] == of_kind[max(0, len(of_kind) - limit) :]
    assert all(one.ended for one in gone)


# ---------------------------------------------------------------------------------------------------- record


@pytest.mark.spec("CRON-10")
@given(
    phases=st.lists(st.sampled_from(["Succeeded", "Failed", "Error", "Running", ""]), max_size=8),
    recorded=st.integers(0, 8),
)
def test_every_run_counts_once_however_often_the_status_is_computed(phases: list[str], recorded: int) -> None:
    children = {one.uid: one for one in (child(number, phase) for number, phase in enumerate(phases))}
    thing = cron()
    for count in (recorded, len(phases), len(phases)):  # some are recorded, then all, then nothing has changed
        known = dict(list(children.items())[:count])
        wanted = record(thing, [], known, NOW)
        assert record(thing, [], known, NOW) == wanted
        thing = {**thing, "status": wanted.status}
        assert says(thing, wanted)
    status = thing["status"]
    ended = [one for one in children.values() if one.ended]
    assert status.get("succeeded", 0) == sum(one.phase == "Succeeded" for one in ended)
    assert status.get("failed", 0) == sum(one.phase != "Succeeded" for one in ended)
    active = [entry["uid"] for entry in status.get("active") or ()]
    assert active == [one.uid for one in children.values() if not one.ended]
    if children:
        assert status["lastScheduledTime"] == rfc3339(NOW + (len(children) - 1) * MINUTE)


@pytest.mark.spec("CRON-10")
def test_what_was_recorded_and_deleted_is_not_counted_again() -> None:
    old = child(1, "Failed")
    thing = cron({"failed": 1, "succeeded": 0, "lastScheduledTime": rfc3339(NOW + 2 * MINUTE)})
    assert record(thing, [], {old.uid: old}, NOW).status == thing["status"]
    by_hand = child(1, "Running", scheduled=None, name="c-abcde")
    assert [entry["name"] for entry in record(thing, [], {by_hand.uid: by_hand}, NOW).status["active"]] == ["c-abcde"]


@pytest.mark.spec("CRON-7", "CRON-10")
def test_notes_become_conditions_counters_labels_and_annotations() -> None:
    notes = [
        Note(wrong="SubmissionError", message="a"),
        Note(wrong="SubmissionError", message="b"),
        Note(wrong="SpecError", message="c"),
        Note(right="SpecError"),
        Note(stopped=True, used="* * * * *", decided=NOW),
    ]
    found = record(cron(), notes, {}, NOW)
    condition = {"type": "SubmissionError", "status": "True", "message": "b"}
    assert found.status == {"conditions": [condition], "failed": 2, "succeeded": 0, "phase": "Stopped"}
    assert found.labels == {labels.CRON_COMPLETED: "true"}
    assert found.annotations == {**USED, labels.CRON_CAUGHT_UP_TO: "2026-01-01T00:00:00Z"}
    began = child(1)
    again = record(cron(found.status), [], {began.uid: began}, NOW)
    assert "conditions" not in again.status
    assert again.status["phase"] == "Stopped"
    assert patch_to(cron(found.status), again)["status"]["conditions"] is None


def test_nothing_is_written_when_nothing_has_happened() -> None:
    assert patch_to(cron(), record(cron(), [Note(right="SpecError")], {}, NOW)) == {}
    assert record(cron(), [], {}, NOW) == Record({})


@pytest.mark.spec("CRON-9")
def test_a_child_is_known_by_its_name_and_hour() -> None:
    thing = cron(workflowSpec={"entrypoint": "m"})
    made = child_manifest(thing, NOW)
    made["metadata"] |= {"uid": "x", "resourceVersion": "1"}
    assert child_of(made, "c").scheduled == NOW
    assert child_of({**made, "metadata": {**made["metadata"], "name": "c-abcde"}}, "c").scheduled is None

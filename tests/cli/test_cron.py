"""`tiphys cron`: what each verb does to a cluster and prints, in upstream's forms."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

import crds
from actors.language.tags import substitute
from actors.names import labels
from actors.workflow.validation import validate
from runtime.objects import CRDS, Object, Reference
from tests.virtual_time import HandClock
from tiphys.cli import cron_backfill, cron_show, cron_verbs, main, submission
from tiphys.cli.connect import Connection
from tiphys.cli.cron_backfill import Backfill
from tiphys.cli.documents import Document, parse
from tiphys.cli.kinds import CRON_WORKFLOWS, WORKFLOWS
from tiphys.cli.overrides import Overrides
from tiphys.cli.problems import InputError
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

NOW = 1_767_225_700.0  # 2026-01-01T00:01:40Z

TEXT = """
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {name: c}
spec:
  schedules: ["*/5 * * * *", "@daily"]
  timezone: America/Los_Angeles
  startingDeadlineSeconds: 0
  concurrencyPolicy: Forbid
  workflowSpec:
    entrypoint: m
    arguments: {parameters: [{name: p, value: "1"}, {name: q, valueFrom: {configMapKeyRef: {name: x, key: y}}}]}
    templates: [{name: m, container: {image: busybox, args: ["{{workflow.parameters.p}} {{workflow.name}}"]}}]
"""


def documents(text: str = TEXT, **wishes: Any) -> list[Document]:
    return cron_verbs.chosen(parse(text, "c.yaml"), cron_verbs.Wishes(**wishes))


@asynccontextmanager
async def cluster() -> AsyncIterator[Connection]:
    server = ApiServer(now=HandClock(NOW).wall, random=Random(0))
    server.start()
    api = InProcessApi(server)
    for definition in crds.manifests():
        await api.create(CRDS, definition)
    yield Connection(api, "default")


REF = Reference(CRON_WORKFLOWS, "default", "c")


def cron(**status: Any) -> Object:
    thing: Object = yaml.safe_load(TEXT)
    thing["metadata"] |= {"namespace": "default", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {**thing, "status": status}


@pytest.mark.spec("CLI-16")
def test_get_prints_the_facts_in_upstreams_lines() -> None:
    status = {
        "active": [{"name": "c-1"}, {"name": "c-2"}],
        "lastScheduledTime": "2026-01-01T00:00:00Z",
        "conditions": [{"type": "SubmissionError", "status": "True", "message": "no"}],
    }
    assert cron_show.block(cron(**status), NOW) == [
        "Name:                          c",
        "Namespace:                     default",
        "Created:                       Thu Jan 01 00:00:00 +0000 (1 minute ago)",
        "Schedules:                     */5 * * * *,@daily",
        "Suspended:                     false",
        "Timezone:                      America/Los_Angeles",
        "StartingDeadlineSeconds:       0",
        "ConcurrencyPolicy:             Forbid",
        "LastScheduledTime:             Thu Jan 01 00:00:00 +0000 (1 minute ago)",
        "NextScheduledTime:             Thu Jan 01 00:05:00 +0000 (3 minutes from now)"
        " (assumes workflow-controller is in UTC)",
        "Active Workflows:              c-1, c-2",
        "Conditions:",
        "✖ SubmissionError              no",
        "Workflow Parameters:",
        "  p:                           1",
    ]
    assert "Wed Dec 31 16:00:00 -0800" in cron_show.block(cron(), NOW, ZoneInfo("America/Los_Angeles"))[2]


@pytest.mark.spec("CLI-16")
def test_list_prints_a_row_for_each() -> None:
    never = cron()
    never["spec"] |= {"schedules": ["61 * * * *"], "suspend": True, "timezone": None}
    lines = cron_show.rows([cron(lastScheduledTime="2025-12-20T00:01:40Z"), never], NOW, everywhere=True)
    assert [line.split() for line in lines] == [
        ["NAMESPACE", "NAME", "AGE", "LAST", "RUN", "NEXT", "RUN", "SCHEDULES", "TIMEZONE", "SUSPENDED"],
        ["default", "c", "1m", "12d", "3m", "*/5", "*", "*", "*", "*,@daily", "America/Los_Angeles", "false"],
        ["default", "c", "1m", "N/A", "N/A", "61", "*", "*", "*", "*", "true"],
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (3599, "59 minutes"), (3600, "1 hour"),
     (86_400, "1 day"), (7 * 86_400, "1 week"), (59 * 86_400, "1 month"), (400 * 86_400, "1 year"),
     (600 * 86_400, "2 years"), (10**10, "a long while")],
)  # fmt: skip
def test_a_distance_in_time_is_said_as_people_do(seconds: int, text: str) -> None:
    assert cron_show.relative(NOW - seconds, NOW) == (text if seconds == 0 else f"{text} ago")


@pytest.mark.spec("CLI-16")
async def test_create_suspend_resume_and_delete(capsys: pytest.CaptureFixture[str]) -> None:
    wishes = Overrides(entrypoint="m", service_account="sa", parameters={"p": "2"}, labels={"a": "b"})
    async with cluster() as at:
        await cron_verbs.create(at, documents(overrides=wishes, schedule="1 2 3 4 *"), "name")
        made = await at.api.get(REF)
        assert made["spec"]["schedules"] == ["1 2 3 4 *"]
        assert made["spec"]["workflowSpec"]["serviceAccountName"] == "sa"
        assert made["spec"]["workflowSpec"]["arguments"]["parameters"][0]["value"] == "2"
        assert made["metadata"]["labels"] == {"a": "b"}
        with pytest.raises(InputError, match=r"failed to create cron workflow: .* already exists"):
            await cron_verbs.create(at, documents(), "")

        await cron_verbs.suspend(at, ["c"], suspended=True)
        assert (await at.api.get(REF))["spec"]["suspend"] is True
        await cron_verbs.suspend(at, ["c"], suspended=False)
        assert (await at.api.get(REF))["spec"]["suspend"] is False
        await cron_verbs.list_(at, "a=b", "name", everywhere=False)
        await cron_verbs.list_(at, "a=c", "name", everywhere=False)
        await cron_verbs.get(at, ["c"], "name")
        await cron_verbs.delete(at, [], everything=True)
        assert (await at.api.list(CRON_WORKFLOWS)).items == []
    said = ["c", "CronWorkflow 'c' suspended", "CronWorkflow 'c' resumed", "c", "c", "CronWorkflow 'c' deleted"]
    assert capsys.readouterr().out.splitlines() == said


@pytest.mark.spec("CLI-16")
async def test_an_update_keeps_what_has_happened_unless_it_had_stopped() -> None:
    past = {"lastScheduledTime": "2026-01-01T00:00:00Z", "succeeded": 4, "failed": 1, "phase": "Active"}
    async with cluster() as at:
        with pytest.raises(InputError, match='failed to get existing cron workflow "c" to update'):
            await cron_verbs.update(at, documents(), "name")
        await cron_verbs.create(at, documents(), "name")
        written = {labels.CRON_LAST_USED_SCHEDULE: "x"}
        await at.api.patch(REF, {"metadata": {"annotations": {**written, "mine": "y"}}, "status": past})
        await cron_verbs.update(at, documents(TEXT.replace("*/5", "*/7")), "name")
        found = await at.api.get(REF)
        assert found["spec"]["schedules"][0] == "*/7 * * * *"
        assert found["status"] == past
        assert found["metadata"]["annotations"] == written
        await at.api.patch(
            REF, {"metadata": {"labels": {labels.CRON_COMPLETED: "true"}}, "status": {"phase": "Stopped"}}
        )
        await cron_verbs.update(at, documents(), "name")
        found = await at.api.get(REF)
        assert found["status"] == {"lastScheduledTime": past["lastScheduledTime"]}
        assert not found["metadata"].get("labels")


@pytest.mark.spec("CLI-16")
def test_what_is_no_cronworkflow_is_left_alone_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    assert [document.title for document in documents(f"{other}---{TEXT}")] == ["CronWorkflow/c"]
    assert "ConfigMap/x: left alone" in capsys.readouterr().err
    with pytest.raises(InputError, match="No CronWorkflows found in given files"):
        documents(other)


@pytest.mark.spec("CLI-16", "VAL-11")
def test_lint_judges_the_schedules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.yaml"
    text = (
        TEXT.replace("*/5 *", "*/5 25")
        .replace("America/", "Mars/")
        .replace("{name: c}", "{name: c, annotations: {workflows.tiphys.dev/catch-up: soon}}")
    )
    file.write_text(text)
    assert main(["cron", "lint", str(file), "-o", "simple"]) == 1
    out = capsys.readouterr().out
    assert f"{file}:6: CronWorkflow/c: cron schedule */5 25 * * * is malformed: end of range (25) above maximum" in out
    assert f'{file}:7: CronWorkflow/c: invalid timezone "Mars/Los_Angeles": unknown time zone Mars/Los_Angeles' in out
    assert "'soon' says how many missed runs are caught up: latest, all, or a number" in out
    file.write_text(TEXT)
    assert main(["cron", "lint", str(file), "-o", "simple"]) == 0


def test_the_group_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("create", "update", "get", "list", "delete", "lint", "suspend", "resume", "backfill"):
        assert main(["cron", command, "--help"]) == 0
    assert main(["cron", "delete"]) == 2
    assert "which CronWorkflows?" in capsys.readouterr().err


@pytest.mark.spec("CRON-5", "CRON-9")
def test_a_run_submitted_by_hand_is_one_of_its_runs() -> None:
    run = submission.workflow_of(cron(), REF)
    assert run["metadata"]["generateName"] == "c-"
    assert run["metadata"]["labels"] == {labels.CRON_WORKFLOW: "c"}
    assert run["metadata"]["ownerReferences"][0]["uid"] == "u"


# ---------------------------------------------------------------------------------------------- backfill

PERIOD: dict[str, Any] = {
    "start": "2026-01-01T00:00:00Z",
    "end": "2026-01-01T00:20:00Z",
    "layout": "2006-01-02T15:04:05Z07:00",
}


def run_of(maker: Object, hour: str) -> Object:
    """What the manifest of a maker becomes for an hour."""
    (parameter,) = maker["spec"]["arguments"]["parameters"]
    (template,) = (entry for entry in maker["spec"]["templates"] if "resource" in entry)
    values = {"workflow.parameters.run": parameter["value"], "inputs.parameters.backfillscheduletime": hour}
    text = substitute(template["resource"]["manifest"], values, unresolved="fail")
    made: Object = json.loads(text)
    return made


@pytest.mark.spec("CRON-11", "CLI-17")
def test_a_backfill_is_a_workflow_that_makes_a_run_for_each_hour() -> None:
    (maker,), count = cron_backfill.workflows(cron(), Backfill("Jan", **PERIOD), NOW)
    assert count == 4
    assert maker["metadata"]["labels"] == {labels.CRON_BACKFILL: "c"}
    step = maker["spec"]["templates"][0]["steps"][0][0]
    hours = json.loads(step["withParam"])
    assert hours == [f"2026-01-01 00:{minute:02d}:00 +0000 UTC" for minute in (5, 10, 15, 20)]
    assert [problem for problem in validate(maker, lookup=lambda _: None) if problem.severity == "error"] == []

    run = run_of(maker, hours[0])
    assert run["metadata"]["generateName"] == "c-backfill-jan-"
    parameters = run["spec"]["arguments"]["parameters"]
    assert parameters[-1] == {"name": "cronScheduleTime", "value": hours[0]}
    assert run["spec"]["templates"] == cron()["spec"]["workflowSpec"]["templates"]  # its tags are its own
    assert (run["spec"]["priority"], run["spec"]["synchronization"]) == (2**31 - 1, {"mutexes": [{"name": "Jan"}]})


@pytest.mark.spec("CRON-11", "CLI-17")
def test_a_backfill_has_parts_of_a_size_and_may_run_at_once() -> None:
    makers, count = cron_backfill.workflows(cron(), Backfill("x", **PERIOD, parallel=True, most=3, argument="at"), NOW)
    assert (len(makers), count) == (2, 4)
    run = run_of(makers[1], "h")
    assert not {"priority", "synchronization"} & run["spec"].keys()
    assert run["spec"]["arguments"]["parameters"][-1] == {"name": "at", "value": "h"}
    assert len(base64.b64decode(makers[0]["spec"]["arguments"]["parameters"][0]["value"])) > 0


@pytest.mark.spec("CLI-17")
async def test_backfill_prints_what_it_has_made(capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        await cron_verbs.create(at, documents(), "name")
        await cron_verbs.backfill(at, "c", Backfill("x", **PERIOD), NOW)
        (made,) = (await at.api.list(WORKFLOWS)).items
        nothing = Backfill("x", **{**PERIOD, "end": PERIOD["start"]})
        await cron_verbs.backfill(at, "c", nothing, NOW)
    out = capsys.readouterr().out.splitlines()[1:]
    assert out == [
        "Created x Backfill task for Cronworkflow c ",
        "=" * 50,
        "Backfill Period :",
        "Start Time : 2026-01-01T00:00:00Z ",
        "  End Time : 2026-01-01T00:20:00Z ",
        "Total Backfill Schedule: 4 ",
        "=" * 50,
        "Backfill Workflows: ",
        "   NAMESPACE\t WORKFLOW: ",
        f"1. default \t {made['metadata']['name']} ",
        "There is no suitable scheduling time.",
    ]


@pytest.mark.spec("CLI-17")
@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Backfill("x", ""), "start date should not be empty"),
        (Backfill("x", "yesterday"), '--start: parsing time "yesterday" as "Mon, 02 Jan 2006 15:04:05 MST"'),
        (Backfill("x", "Thu, 01 Jan 2026 00:00:00 UTC", most=0), "--maxworkflowcount: at least 1"),
    ],
)
def test_a_period_that_cannot_be_read_is_said(wish: Backfill, message: str) -> None:
    with pytest.raises(InputError) as caught:
        cron_backfill.workflows(cron(), wish, NOW)
    assert message in str(caught.value)

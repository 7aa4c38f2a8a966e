"""`explain` has one answer to why a workflow is where it is."""

from __future__ import annotations

from typing import Any

import pytest

from tiphys.cli import explain

NOW = 1_767_225_700.0
BEGAN = {"startedAt": "2026-01-01T00:00:40Z"}  # a minute ago


def node(name: str, kind: str = "Pod", phase: str = "Running", **fields: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "displayName": name, "type": kind, "phase": phase, **BEGAN, **fields}


def lines(
    *nodes: dict[str, Any], phase: str = "Running", spec: dict[str, Any] | None = None, **status: Any
) -> list[str]:
    state = {"phase": phase, **BEGAN, "nodes": {entry["id"]: entry for entry in nodes}, **status}
    meta = {"name": "w", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return explain.lines({"metadata": meta, "spec": spec or {}, "status": state}, NOW)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (node("w.a", "Suspend"), "w.a waits to be resumed (tiphys resume), since 1m0s; ends by tiphys resume"),
        (
            node("w.a", "Suspend", outputs={"parameters": [{"name": "x", "valueFrom": {"supplied": {}}}]}),
            "w.a waits to be resumed with values for x (tiphys node set), since 1m0s;"
            " ends when all are given by tiphys node set, and resumed",
        ),
        (
            node("w.a", synchronizationStatus={"waiting": "n/Mutex/m"}),
            "w.a waits for the lock n/Mutex/m, since 1m0s; ends when a holder releases it",
        ),
        (
            node(
                "w.a",
                synchronizationStatus={"waiting": "n/Database/m"},
                message="Waiting to acquire the synchronization lock. the database does not answer",
            ),
            "w.a waits for the lock n/Database/m, since 1m0s (Waiting to acquire the synchronization lock."
            " the database does not answer); ends when a holder releases it",
        ),
        (
            node("w.a", phase="Pending", message="ImagePullBackOff: no such image"),
            "w.a waits for its pod w-205987851 to start, since 1m0s: ImagePullBackOff: no such image;"
            " ends when its containers start, or its deadline passes",
        ),
        (node("w.a", hostNodeName="n1"), "w.a runs since 1m0s in pod w-205987851 on n1; ends when its containers do"),
        (
            node("w.a", daemoned=True),
            "w.a serves since 1m0s, until its boundary ends; ends with the template that started it",
        ),
        (
            node("w.a", "Retry", message="Backoff for 1h"),
            "w.a waits for its next attempt: Backoff for 1h; ends when the back-off is over",
        ),
    ],
)
def test_a_node_says_what_it_waits_for_and_since_when(entry: dict[str, Any], said: str) -> None:
    assert lines(node("w", "DAG"), entry) == ["w is Running for 1m0s and waits for 1 node", f"  {said}"]


def test_a_retry_whose_attempt_runs_waits_for_nothing_itself() -> None:
    found = lines(node("w", "Retry", children=["w(0)"]), node("w(0)"))
    assert found[1:] == ["  w(0) runs since 1m0s in pod w-724911797; ends when its containers do"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"phase": ""}, "w waits for a controller to take it in, since 2026-01-01T00:00:00Z: is one running?"),
        (
            {"spec": {"suspend": True}},
            "w is suspended and starts nothing new until it is resumed; its next node under way",
        ),
        ({"spec": {"shutdown": "Stop"}}, "w is being stopped (Stop) and waits for its next node"),
        ({"phase": "Pending", "message": "its turn comes"}, "w waits: its turn comes"),
        (
            {"phase": "Pending", "synchronization": {"mutex": {"waiting": [{"mutex": "n/Mutex/m"}]}}},
            "w waits: the locks n/Mutex/m",
        ),
    ],
)
def test_the_workflow_itself_may_be_what_waits(options: dict[str, Any], said: str) -> None:
    assert lines(**options) == [said]


def test_an_end_names_the_leaves_that_brought_it_about() -> None:
    found = lines(
        node("w", "Steps", "Failed", message="child failed"), node("w.a", phase="Failed", message="exit code 1"),
        phase="Failed", message="child failed", finishedAt="2026-01-01T00:01:00Z",
    )  # fmt: skip
    assert found == ["w is Failed since 2026-01-01T00:01:00Z: child failed", "  w.a is Failed: exit code 1"]
    assert lines(node("w.a", phase="Failed"), phase="Succeeded", finishedAt="x") == ["w is Succeeded since x"]


def test_many_nodes_are_counted() -> None:
    found = lines(*(node(f"w.n{number:03}") for number in range(50)))
    assert (len(found), found[0], found[-1]) == (22, "w is Running for 1m0s and waits for 50 nodes", "  … and 30 more")


def test_a_limit_of_time_is_named() -> None:
    found = lines(node("w.a"), spec={"activeDeadlineSeconds": 3600})
    assert found[0] == "w is Running for 1m0s and waits for 1 node; ends by 2026-01-01T01:00:40Z at the latest"
    spec = {"templates": [{"name": "pause", "suspend": {"duration": "2h"}}]}
    (_, said) = lines(node("w.a", "Suspend", templateName="pause"), spec=spec)
    assert said.endswith("since 1m0s, until 2026-01-01T02:00:40Z; ends by itself then, or before by tiphys resume")


CRON = {"metadata": {"name": "c", "namespace": "n"}, "spec": {"schedules": ["0 * * * *"], "timezone": "UTC"}}


@pytest.mark.parametrize(
    ("spec", "status", "said"),
    [
        ({}, {}, "c waits for its next run, until 2026-01-01T01:00:00Z"),
        ({"suspend": True}, {}, "c is suspended; ends by tiphys cron resume"),
        ({}, {"phase": "Stopped"}, "c waits for nothing: its stop strategy has ended it"),
        (
            {"concurrencyPolicy": "Forbid"},
            {"active": [{"name": "c-1"}], "lastScheduledTime": "2026-01-01T00:00:00Z"},
            "c waits for its next run, since 2026-01-01T00:00:00Z, until 2026-01-01T01:00:00Z; running: c-1;"
            " with Forbid, it is left out while c-1 runs",
        ),
    ],
)
def test_a_cron_workflow_says_when_it_runs_next(spec: dict[str, Any], status: dict[str, Any], said: str) -> None:
    assert explain.cron_lines({**CRON, "spec": {**CRON["spec"], **spec}, "status": status}, NOW) == [said]

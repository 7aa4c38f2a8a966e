"""A Rollout is shown as upstream's plugin shows it: head, revisions, ReplicaSets, pods, analyses, experiments."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.rollouts import family
from tests.cli.rollouts.family import CREATED, NOW, pod, replica_set, rollout, run
from tiphys.cli.rollouts import facts, rows, show
from tiphys.cli.rollouts.objects import Around, experiment, revisions
from tiphys.cli.screen import Screen

PLAIN = Screen()


def drawn(thing: dict[str, Any], around: Around, screen: Screen = PLAIN) -> list[str]:
    return show.rollout(thing, revisions(thing, around), NOW, screen)


@pytest.mark.spec("RO-1.14-get")
def test_a_paused_canary_with_its_pods_and_an_analysis() -> None:
    around = Around(
        sets=[replica_set(1, 4), replica_set(2, 1), replica_set(9, 1) | {"metadata": {"name": "other", "uid": "x"}}],
        pods=[pod("demo-h2-a", "h2", restarts=2), pod("demo-h1-a", "h1")],
        runs=[run("demo-h2-2", successful=3, failed=1)],
    )
    assert drawn(rollout(), around) == [
        "Name:            demo",
        "Namespace:       web",
        "Status:          ॥ Paused",
        "Message:         CanaryPauseStep",
        "Strategy:        Canary",
        "  Step:          1/3",
        "  SetWeight:     20",
        "  ActualWeight:  20",
        "Images:          app:1 (stable)",
        "                 app:2 (canary)",
        "Replicas:",
        "  Desired:       5",
        "  Current:       5",
        "  Updated:       1",
        "  Ready:         5",
        "  Available:     5",
        "",
        "NAME                  KIND         STATUS     AGE    INFO",
        "⟳ demo                Rollout      ॥ Paused   10m0s",
        "├──# revision:2",
        "│  ├──⧉ demo-h2       ReplicaSet   ✔ Healthy  10m0s  canary",
        "│  │  └──□ demo-h2-a  Pod          ✔ Running  10m0s  ready:1/1,restarts:2",
        "│  └──α demo-h2-2     AnalysisRun  ◌ Running  10m0s  ✔ 3,✖ 1",
        "└──# revision:1",
        "   └──⧉ demo-h1       ReplicaSet   ✔ Healthy  10m0s  stable",
        "      └──□ demo-h1-a  Pod          ✔ Running  10m0s  ready:1/1",
    ]


def test_letters_beyond_ascii_are_left_out_where_the_screen_has_none() -> None:
    lines = drawn(rollout(), Around(sets=[replica_set(1, 4)]), Screen(utf8=False))
    assert all(line.isascii() for line in lines)


def test_a_screen_with_colours_shows_the_same_letters() -> None:
    around = Around(sets=[replica_set(1, 4)])
    coloured = drawn(rollout(), around, Screen(colour=True))
    plain = drawn(rollout(), around)
    assert coloured != plain
    assert [_without_colour(line) for line in coloured] == plain


def _without_colour(line: str) -> str:
    import re  # noqa: PLC0415

    return re.sub(r"\x1b\[\d*m", "", line)


@pytest.mark.spec("RO-1.14-get-experiment")
def test_an_experiment_has_its_sets_and_runs_below_it() -> None:
    thing = {"metadata": {"name": "e", "uid": "e", "namespace": "web"}, "status": {"phase": "Running"}}
    owned = replica_set(3, 2) | {"metadata": {"name": "e-canary", "uid": "s", "ownerReferences": [_by("e")]}}
    member = experiment(thing, Around(sets=[owned], runs=[run("e-check", owner="e")]))
    assert [(row.prefix, row.mark, row.name) for row in rows.experiment(member, NOW)] == [
        ("", "Σ", "e"),
        ("├──", "⧉", "e-canary"),
        ("└──", "α", "e-check"),
    ]
    assert "Images:          app:3" in show.experiment(member, NOW, Screen())


def _by(uid: str) -> dict[str, Any]:
    return {"controller": True, "uid": uid}


@pytest.mark.parametrize(
    ("change", "phase", "message"),
    [
        ({"observedGeneration": "1"}, "Progressing", "waiting for rollout spec update to be observed"),
        ({"pauseConditions": None}, "Progressing", "waiting for rollout to unpause"),
        ({}, "Paused", "CanaryPauseStep"),
    ],
)
def test_a_phase_is_believed_only_when_it_speaks_of_the_newest_spec(
    change: dict[str, Any], phase: str, message: str
) -> None:
    assert facts.phase(rollout(**change)) == (phase, message)


@pytest.mark.parametrize(
    ("change", "canary_available", "weights"),
    [
        ({}, 1, (20, 20)),
        ({}, 2, (20, 40)),
        ({"currentStepIndex": 3}, 5, (100, 100)),
        ({"abort": True, "currentStepIndex": 0}, 0, (0, 0)),
        ({"availableReplicas": 0}, 0, (20, 0)),
        ({"stableRS": "h2", "currentStepIndex": 3}, 0, (100, 100)),
    ],
)
def test_weights_of_a_basic_canary_are_shares_of_available_pods(
    change: dict[str, Any], canary_available: int, weights: tuple[int, int]
) -> None:
    assert facts.weights(rollout(**change), canary_available) == weights


def test_the_weight_of_a_routed_canary_is_what_the_router_was_given() -> None:
    thing = rollout(canary={"weights": {"canary": {"weight": 15}}})
    thing["spec"]["strategy"]["canary"]["trafficRouting"] = {"nginx": {}}
    assert facts.weights(thing, 1).actual == 15


def test_the_sets_of_a_blue_green_are_told_by_their_services() -> None:
    thing = rollout(blueGreen={"activeSelector": "h1", "previewSelector": "h2"})
    thing["spec"]["strategy"] = {"blueGreen": {}}
    assert facts.roles(thing, replica_set(1, 5)) == ("stable", "active")
    assert facts.roles(thing, replica_set(2, 5)) == ("preview",)


def test_a_set_that_is_to_be_scaled_down_says_when() -> None:
    waiting = replica_set(1, 4, annotations={"scale-down-deadline": "2023-11-14T22:23:50Z"})
    over = replica_set(1, 4, annotations={"scale-down-deadline": "2023-11-14T22:23:00Z"})
    assert [_info(waiting), _info(over)] == ["stable,delay:30s", "stable,delay:passed"]


def _info(member: dict[str, Any]) -> str:
    thing = rollout()
    return rows.rollout(thing, revisions(thing, Around(sets=[member])), NOW)[2].info


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "Healthy"),
        ({"availableReplicas": 3}, "Progressing"),
        ({"observedGeneration": 0}, "Progressing"),
        ({"conditions": [{"type": "ReplicaFailure", "status": "True"}]}, "ReplicaFailure"),
    ],
)
def test_a_sets_status(change: dict[str, Any], status: str) -> None:
    assert rows.replica_set_status(replica_set(1, 4, **change)) == status


def test_a_set_without_pods_to_run_is_scaled_down() -> None:
    assert rows.replica_set_status(replica_set(1, 0)) == "ScaledDown"


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]}, "ErrImagePull"),
        ({"phase": "Running", "containerStatuses": [{"state": {"terminated": {"reason": "Error"}}}]}, "Error"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Pending", "initContainerStatuses": [{"state": {"terminated": {"exitCode": 1}}}]}, "Init:Error"),
        ({}, "Unknown"),
    ],
)  # fmt: skip
def test_a_pods_word_is_kubectls(status: dict[str, Any], word: str) -> None:
    assert rows.pod_status({"metadata": {"name": "p"}, "status": status}) == word


@pytest.mark.spec("RO-1.14-list")
def test_a_list_shows_dashes_where_there_are_no_steps() -> None:
    blue = family.rollout()
    blue["spec"]["strategy"] = {"blueGreen": {}}
    assert show.listing([rollout(), blue], everywhere=False) == [
        "NAME  STRATEGY   STATUS  STEP  SET-WEIGHT  READY  DESIRED  UP-TO-DATE  AVAILABLE",
        "demo  Canary     Paused  1/3   20          5/5    5        1           5",
        "demo  BlueGreen  Paused  -     -           5/5    5        1           5",
    ]


@pytest.mark.spec("RO-1.14-list-experiments")
def test_experiments_are_listed_with_what_is_left_of_their_time() -> None:
    def one(name: str, phase: str, **spec: str) -> dict[str, Any]:
        meta = {"name": name, "namespace": "web", "creationTimestamp": CREATED}
        return {"metadata": meta, "spec": spec, "status": {"phase": phase, "availableAt": "2023-11-14T22:20:20Z"}}

    things = [one("a", "Running", duration="5m"), one("b", "Successful", duration="90s"), one("c", "Running")]
    things.append({**one("d", ""), "status": {}})
    assert show.experiments(things, NOW, everywhere=False) == [
        "NAME  STATUS      DURATION  REMAINING  AGE",
        "a     Running     5m0s      2m0s       10m0s",
        "b     Successful  1m30s     -          10m0s",
        "c     Running     -         -          10m0s",
        "d     Pending     -         -          10m0s",
    ]
    assert show.experiments(things[:1], NOW, everywhere=True)[1].startswith("web")

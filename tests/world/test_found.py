"""Cases in which something went wrong once: what it was, and the seed that showed it."""

from __future__ import annotations

import pytest

from tests.world.shrunk import Case
from tests.world.trial import run

DEATHS = "death,death_between,death_after_create"
FOUND = [
    (5018, DEATHS, "a daemon was killed before its end was on record, and the next life took that for a failure"),
    (5001, DEATHS, "after a restart nobody told the group that its daemon serves: it waited for ever"),
    (5031, "actor_death", "locks that a crashed workflow's actor had been given were never given back"),
    (5047, "actor_death", "likewise, of another workflow"),
    (1017, "death_between,user_stop", "a workflow stopped before its first record left the pods it had made behind"),
    (1033, "conflict,server_error,lost_answer,away", "what a user had written was overwritten before its node knew"),
    (6053, "away,conflict,lost_answer,throttled", "a create whose answer was lost took a running node back to Pending"),
    (
        6203,
        "expired,late,server_error,stale_list",
        "a pod missing in a stale list was believed to be gone",
    ),
    (6050, "conflict,throttled,server_error,lost_answer,hung,away", "a kill that failed was forgotten with its actor"),
    (5021, "user_retry", "the former life of a retried workflow marked it as completed again"),
    (5017, "death,hand_over", "pods that the record did not know yet had no place in the limit after a restart"),
    (5002, "node_death", "a node whose actor had crashed kept its permit, and its pod, for ever"),
    (1000, "away", "a result could not be remembered while the API server was away, and its node became an Error"),
]


@pytest.mark.parametrize(("seed", "kinds", "what"), FOUND, ids=[f"{seed} {what}" for seed, _, what in FOUND])
def test_it_goes_well(seed: int, kinds: str, what: str) -> None:
    report = run(Case(seed, frozenset(kinds.split(","))))

    assert report.wrong == [], what

"""What a person asks of a Rollout becomes upstream's patches, no more and no less."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.rollouts.family import rollout
from tiphys.cli.problems import InputError
from tiphys.cli.rollouts import actions
from tiphys.cli.rollouts.actions import Patch


def status(**fields: Any) -> Patch:
    return Patch({"status": fields}, status=True)


@pytest.mark.spec("RO-1.14-promote", "RO-7-6")
def test_promoting_a_paused_rollout_takes_the_pause_away_and_leaves_the_index_to_the_controller() -> None:
    assert actions.promote(rollout()) == [status(pauseConditions=None)]


def test_promoting_what_is_not_paused_skips_the_step() -> None:
    assert actions.promote(rollout(pauseConditions=None)) == [status(currentStepIndex=2, pauseConditions=None)]


def test_promoting_past_the_last_step_does_nothing() -> None:
    assert actions.promote(rollout(pauseConditions=None, currentStepIndex=3)) == []


def test_promoting_an_inconclusive_analysis_skips_it_and_ends_the_pause() -> None:
    run = {"currentStepAnalysisRunStatus": {"status": "Inconclusive"}}
    assert actions.promote(rollout(canary=run)) == [
        status(currentStepIndex=2, pauseConditions=None, controllerPause=False)
    ]


def test_promoting_a_rollout_that_a_person_paused_resumes_it_first() -> None:
    held = rollout()
    held["spec"]["paused"] = True
    assert actions.promote(held) == [Patch({"spec": {"paused": False}}), status(pauseConditions=None)]


def test_skipping_a_step_or_all_sets_the_index() -> None:
    assert actions.promote(rollout(), skip_step=True) == [status(currentStepIndex=2, pauseConditions=None)]
    assert actions.promote(rollout(), skip_all=True) == [status(currentStepIndex=3, pauseConditions=None)]


@pytest.mark.parametrize("strategy", [{"blueGreen": {}}, {"canary": {}}])
def test_steps_that_are_not_there_cannot_be_skipped(strategy: dict[str, Any]) -> None:
    thing = rollout()
    thing["spec"]["strategy"] = strategy
    with pytest.raises(InputError):
        actions.promote(thing, skip_step=True)


def test_promoting_fully_is_asked_for_only_while_there_is_something_to_promote() -> None:
    assert actions.promote_fully(rollout()) == [status(promoteFull=True)]
    assert actions.promote_fully(rollout(stableRS="h2")) == []


@pytest.mark.spec("RO-1.14-abort", "RO-1.14-retry", "RO-1.14-pause", "RO-1.14-restart", "RO-1.14-terminate")
def test_the_other_actions_are_one_patch_each() -> None:
    assert actions.abort() == [status(abort=True)]
    assert actions.retry() == [status(abort=False)]
    assert actions.pause() == [Patch({"spec": {"paused": True}})]
    assert actions.restart(0.0) == [Patch({"spec": {"restartAt": "1970-01-01T00:00:00Z"}})]
    assert actions.terminate() == [Patch({"spec": {"terminate": True}})]
    assert actions.retry_experiment() == [Patch({"status": None})]


def test_what_would_change_nothing_says_why() -> None:
    done, aborted = rollout(stableRS="h2"), rollout(abort=True)
    assert actions.nothing_to_promote(rollout()) == ""
    assert actions.nothing_to_promote(done) == "no update is under way: the newest version is stable already"
    assert actions.nothing_to_promote(aborted).startswith("it is aborted: `tiphys rollouts retry demo` tries again")
    assert (actions.nothing_under_way(rollout()), actions.nothing_under_way(aborted)) == ("", "")
    assert actions.nothing_to_retry(rollout()) == "it was not aborted"
    assert actions.nothing_to_retry(aborted) == ""
    done["spec"]["paused"] = True  # promote takes that away
    assert actions.nothing_to_promote(done) == ""

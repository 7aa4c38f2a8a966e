"""What a benchmark says is computed from what the API showed, whatever the order in which it came."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.bench.observation import Observation, percentile


def workflow(uid: str, phase: str = "") -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": uid}, "status": {"phase": phase}}


def pod(uid: str, owner: str, phase: str = "Pending", name: str = "") -> dict[str, Any]:
    owners = [{"controller": True, "kind": "Workflow", "uid": owner}] if owner else []
    return {"metadata": {"uid": uid, "name": name or uid, "ownerReferences": owners}, "status": {"phase": phase}}


def test_a_workflow_of_two_pods_gives_every_latency_once() -> None:
    seen = Observation()
    seen.submitted(workflow("w"), 1.0)
    seen.workflow(workflow("w", "Running"), 1.5)
    seen.pod(pod("a", "w"), 2.0)
    seen.pod(pod("a", "w", "Succeeded"), 5.0)
    seen.pod(pod("b", "w"), 5.25)
    seen.pod(pod("b", "w", "Succeeded"), 6.0)
    seen.workflow(workflow("w", "Succeeded"), 6.5)
    found = seen.latencies()
    assert (found.to_first_pod, found.hop, found.to_end) == ([1.0], [0.25], [0.5])
    assert (seen.finished, seen.failed, seen.duplicates) == (1, 0, 0)


def test_an_answer_that_comes_after_the_watchs_event_still_tells_when_it_was_submitted() -> None:
    seen = Observation()
    seen.workflow(workflow("w"), 1.0)
    seen.submitted(workflow("w"), 1.25)
    seen.pod(pod("a", "w"), 1.75)
    assert seen.latencies().to_first_pod == [0.5]


def test_a_pod_of_the_same_name_with_another_uid_is_a_duplicate() -> None:
    seen = Observation()
    seen.pod(pod("a", "w", name="n"), 1.0)
    seen.pod(pod("b", "w", name="n"), 2.0)
    seen.pod(pod("c", "v", name="n"), 2.0)
    assert seen.duplicates == 1


def test_pods_of_nobody_are_passed_over() -> None:
    seen = Observation()
    seen.pod(pod("a", ""), 1.0)
    assert not seen.pods


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_workflow_that_did_not_succeed_counts_as_failed(phase: str) -> None:
    seen = Observation()
    seen.workflow(workflow("w", phase), 1.0)
    seen.workflow(workflow("w", phase), 2.0)
    assert (seen.finished, seen.failed, seen.workflows["w"].finished) == (1, 1, 1.0)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_splits_them_at_its_share(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(1 for value in values if value < (found or 0.0)) <= share * len(values)


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([], 0.5) is None

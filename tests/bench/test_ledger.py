"""The ledger of a long run finds what was lost and what was doubled, in whatever order it hears, and then forgets."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tiphys.bench.ledger import Ledger


def workflow(uid: str, phase: str = "") -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": uid}, "status": {"phase": phase}}


def pod(name: str, owner: str, uid: str = "") -> dict[str, Any]:
    owners = [{"controller": True, "kind": "Workflow", "uid": owner}]
    return {"metadata": {"uid": uid or f"uid of {name}", "name": name, "ownerReferences": owners}}


def settled(pods: list[str], phase: str = "Succeeded", expected: int = 2) -> dict[str, int]:
    ledger = Ledger()
    ledger.submit(workflow("w"), expected, 0.0)
    for number, name in enumerate(pods):
        ledger.see("pod", pod(name, "w", uid=str(number)), 1.0)
    ledger.see("workflow", workflow("w", phase), 2.0)
    ledger.settle("w")
    assert not ledger.open
    return dict(ledger.faults)


def test_a_workflow_that_made_each_pod_once_is_in_order() -> None:
    assert settled(["a", "b"]) == {}


def test_a_pod_that_was_made_twice_is_found() -> None:
    assert settled(["a", "b", "b"]) == {"pod made twice": 1}


def test_a_pod_that_was_never_made_is_found() -> None:
    assert settled(["a"]) == {"pod lost": 1}


def test_a_pod_that_nobody_asked_for_is_found() -> None:
    assert settled(["a", "b", "c"]) == {"pod too many": 1}


def test_a_workflow_that_ended_badly_is_found() -> None:
    assert settled(["a", "b"], phase="Error") == {"not succeeded": 1}


def test_a_workflow_that_did_not_end_is_found_and_told_in_words() -> None:
    ledger = Ledger()
    ledger.submit(workflow("w"), 1, 0.0)
    ledger.see("workflow", workflow("w", "Running"), 1.0)
    ledger.settle("w")
    assert ledger.faults == {"not ended": 1}
    assert ledger.examples == ["not ended: w is Running, with 0 pods"]


def test_a_pod_that_comes_after_its_workflow_was_settled_is_found() -> None:
    ledger = Ledger()
    ledger.submit(workflow("w"), 0, 0.0)
    ledger.see("workflow", workflow("w", "Succeeded"), 1.0)
    ledger.settle("w")
    ledger.see("pod", pod("a", "w"), 2.0)
    ledger.see("workflow", workflow("w", "Succeeded"), 2.0)
    assert ledger.faults == {"pod after the end": 1}


def test_a_pod_that_is_shown_again_is_the_same_pod() -> None:
    ledger = Ledger()
    ledger.submit(workflow("w"), 1, 0.0)
    for _ in range(2):
        ledger.see("pod", pod("a", "w"), 1.0)
    ledger.see("workflow", workflow("w", "Succeeded"), 2.0)
    ledger.settle("w")
    assert (ledger.pods, ledger.faults) == (1, {})


def test_what_the_observer_may_have_overlooked_is_part_of_the_verdict() -> None:
    ledger = Ledger()
    ledger.overlooked("the watch fell behind")
    assert ledger.verdict()["wrong"] == {"overlooked": 1}


def test_an_end_is_told_once() -> None:
    ledger = Ledger()
    ledger.submit(workflow("w"), 0, 0.0)
    ends = [ledger.see("workflow", workflow("w", phase), 1.0) for phase in ("Running", "Succeeded", "Succeeded")]
    assert ends == ["", "w", ""]
    assert (ledger.submitted, ledger.ended) == (1, 1)


@given(st.permutations(["submitted", "a", "b", "ended"]))
def test_what_is_seen_before_the_answer_to_a_submission_counts(order: list[str]) -> None:
    ledger = Ledger()
    for what in order:
        if what == "submitted":
            ledger.submit(workflow("w"), 2, 0.0)
        elif what == "ended":
            ledger.see("workflow", workflow("w", "Succeeded"), 1.0)
        else:
            ledger.see("pod", pod(what, "w"), 1.0)
    ledger.settle("w")
    assert not ledger.faults
    assert ledger.verdict() == {"workflows": 1, "ended": 1, "pods": 2, "wrong": {}}

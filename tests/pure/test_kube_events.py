"""An Event's name says whether it is the same one: twice at once it is, later it is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.kube_events import SAME_S, Said, event
from runtime.objects import Reference, Resource

ABOUT = Reference(Resource("argoproj.io/v1alpha1", "Experiment", "experiments"), "n", "e", "uid")


def name(reason: str, message: str, now: float) -> str:
    return str(event(ABOUT, Said(reason, message), now).object["metadata"]["name"])


def test_a_sentence_that_is_said_again_later_is_told_again() -> None:
    assert name("Paused", "it waits", 100.0) == name("Paused", "it waits", 104.0)
    assert name("Paused", "it waits", 100.0) != name("Paused", "it waits", 100.0 + SAME_S)


@given(st.text(), st.text(), st.text(), st.text())
def test_other_sentences_are_other_events(reason: str, message: str, other: str, text: str) -> None:
    is_same = (reason, message) == (other, text)
    assert (name(reason, message, 0.0) == name(other, text, 0.0)) == is_same or "\0" in reason + message + other + text

"""Which ReplicaSets are looked for."""

from __future__ import annotations

import pytest

from actors.rollout.claims import selection


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({}, "rollouts-pod-template-hash"),
        ({"b": "2", "a.io/x": "1"}, "rollouts-pod-template-hash,a.io/x=1,b=2"),
        ({"a b": "1", "c": "d e", "e": "f/g", "h": "i"}, "rollouts-pod-template-hash,h=i"),
    ],
)
def test_what_is_no_label_is_left_out_of_the_selection(labels: dict[str, str], text: str) -> None:
    assert (
        selection(
            {"metadata": {"namespace": "n", "name": "r", "uid": "u"}, "spec": {"selector": {"matchLabels": labels}}}
        )
        == text
    )

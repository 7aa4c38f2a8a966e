"""A steady load is a fixed mixture of workflows that upstream would take."""

from __future__ import annotations

import pytest

from actors.workflow.validation import validate
from tiphys.bench import steady


@pytest.mark.parametrize("number", range(10))
def test_each_workflow_of_the_mixture_is_fit_to_run(number: int) -> None:
    made, pods = steady.of_number(number)
    assert [problem for problem in validate(made, lookup=lambda _: None) if problem.severity == "error"] == []
    assert pods >= 1


def test_ten_in_a_row_hold_the_whole_mixture() -> None:
    assert sorted(pods for _, pods in map(steady.of_number, range(7, 17))) == [1] * 7 + [2, 3, 3]

"""The table of upstream's cases names tests that exist, leaves none out without a reason, and is in the documents."""

from __future__ import annotations

from collections import Counter

from tests.rollouts.cases import EXCEPTED, ROOT, cases, functions, place, table


def test_every_case_is_kept_by_a_test_that_exists_or_has_a_reason() -> None:
    missing = [
        f"{case.name}: {test}"
        for case in cases()
        for test in case.tests
        if place(test)[1] not in functions(place(test)[0])
    ]
    assert missing == []
    assert {case.name for case in cases() if not case.tests} == set(EXCEPTED)
    assert not [case.name for case in cases() if not case.tests and case.mark in ("K", "I", "I+C")]


def test_all_of_upstreams_suites_are_there() -> None:
    assert Counter(case.suite for case in cases()) == {
        "functional": 33, "canary": 17, "bluegreen": 4, "analysis": 19, "duration": 25, "experiment": 6,
        "rollback_window": 2, "istio": 11, "header_route": 1, "mirror_route": 1, "smi": 1, "smi_ingress": 1,
        "apisix": 2, "appmesh": 1, "aws": 12, "step_plugin": 10,
    }  # fmt: skip


def test_the_document_has_the_table() -> None:
    document = (ROOT / "docs/rollouts.md").read_text(encoding="utf-8").splitlines()
    lines = list(table())
    assert [line for line in document if line in lines] == lines, "python -m tests.rollouts --cases prints it"

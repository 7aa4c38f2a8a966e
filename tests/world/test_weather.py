"""Random workflows on bad days, with dying controllers: every node and the whole end as the oracle says.

The runs are a process of their own, in which strings are hashed alike every time: what a seed decides there it decides
on every machine, and what is printed reproduces it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import faults
from tests.world.decisions import DECIDING, ELSEWHERE, elsewhere
from tests.world.random_flows import random_spec, size_of
from tests.world.shrunk import Case, shrink
from tests.world.soak import Sums, command, too_tame
from tests.world.trial import Report, case_of, run

ROOT = Path(__file__).resolve().parents[2]


def simulate(*options: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tests.world", *options]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)


@pytest.mark.parametrize(
    ("kind", "first", "seeds"),
    [
        ("quiet", 300, 8),
        ("bad", 300, 12),
        ("mixed", 300, 15),
        ("deadly", 320, 10),
        ("mixed", faults.FIRST_NAMED_LATER, 30),
    ],
)
def test_a_random_workflow_ends_as_the_oracle_says_and_no_promise_is_broken(kind: str, first: int, seeds: int) -> None:
    done = simulate("--kind", kind, "--seeds", str(seeds), "--first", str(first), "--quick")

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    one, other = (simulate("--first", "311", "--seeds", "1", "--trace") for _ in range(2))

    def commits(done: subprocess.CompletedProcess[str]) -> list[str]:
        return done.stdout.splitlines()[:-1]  # the last line says how long it took

    assert len(commits(one)) > 20
    assert commits(one) == commits(other)


def test_random_workflows_are_large_enough() -> None:
    sizes = sorted(size_of(random_spec(seed)) for seed in range(40))

    assert sizes[len(sizes) // 2] >= 25


def test_without_faults_a_soak_is_too_tame() -> None:
    report = run(Case(17, frozenset()))
    sums = Sums()
    sums.add([report], None)

    assert report.wrong == []
    reasons = too_tame(sums)
    assert [
        kind for kind in faults.ALL - {"user_resume"} if not any(reason.startswith(kind) for reason in reasons)
    ] == []
    assert any("died between" in reason for reason in reasons)
    assert any("branches" in reason for reason in reasons)


@pytest.mark.parametrize("name", DECIDING)
def test_what_is_not_counted_is_there(name: str) -> None:
    assert len(elsewhere(name)) == len(ELSEWHERE.get(name, ()))
    assert ELSEWHERE.keys() <= set(DECIDING)


def test_the_latest_seeds_know_all_faults_and_the_earliest_only_theirs() -> None:
    assert faults.known_to(faults.FIRST_FURTHER) == faults.ALL
    assert faults.known_to(faults.FIRST_LATER) == faults.ALL - faults.FURTHER
    assert faults.known_to(0) == faults.ALL - faults.FURTHER - faults.LATER
    drawn = {kind for seed in range(20) for kind in case_of(faults.FIRST_FURTHER + seed, "mixed").kinds}
    assert drawn == faults.ALL


def test_a_failing_case_is_made_smaller_and_said_in_one_line() -> None:
    """The bug of this test shows when events are late and the workflow has an exit handler."""
    seed = next(seed for seed in range(100) if "onExit" in Case(seed, frozenset()).flows()["w"])

    def wrong(case: Case) -> list[str]:
        return ["it broke"] if "late" in case.kinds and "onExit" in case.flows()["w"] else []

    least = shrink(Case(seed, faults.ALL), ["it broke"], wrong)

    assert least.kinds == {"late"}
    assert len(least.parts()) < len(Case(seed, faults.ALL).parts()) / 2
    assert command(least).startswith(f"python -m tests.world --first {seed} --seeds 1 --only 'late' --drop '")


def test_the_kinds_of_a_seed_are_its_own() -> None:
    assert case_of(5, "mixed") == case_of(5, "mixed")
    assert len({case_of(seed, "mixed").kinds for seed in range(20)}) > 10
    assert isinstance(run(Case(3, frozenset({"late"}))), Report)

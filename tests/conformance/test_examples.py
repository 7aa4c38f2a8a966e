"""The conformance examples end as they must, with real pods behind their nodes; broken, they fail as they must."""

from __future__ import annotations

import os
import re

import pytest

from tests.conformance import corpus, table
from tests.conformance.campaign import Results
from tests.conformance.table import Entry, Trial
from tests.conformance.verdict import problems

ABSENT = corpus.absent()
pytestmark = pytest.mark.skipif(bool(ABSENT), reason=ABSENT)
ENTRIES = {} if ABSENT else table.entries()
READ_AS_ROOT = {
    "artifact-disable-archive.yaml": "saves all of /etc, which here is the machine's: only root can read it"
}


def _trials(*, twins: bool) -> list[object]:
    found = [one for entry in ENTRIES.values() if entry.runs for one in table.trials_of(entry) if one.twin == twins]
    return [pytest.param(one, id=one.file, marks=[*_marks(one)]) for one in found]


def _marks(one: Trial) -> list[pytest.MarkDecorator]:
    marks = [pytest.mark.slow] if one.slow else []
    if one.file in READ_AS_ROOT and os.geteuid() != 0:
        marks.append(pytest.mark.skip(reason=READ_AS_ROOT[one.file]))
    return marks


@pytest.mark.parametrize("trial", _trials(twins=False))
def test_an_example_ends_as_expected(trial: Trial, results: Results) -> None:
    assert problems(results.outcomes[trial.name], trial.expect) == []


@pytest.mark.parametrize("trial", _trials(twins=True))
def test_an_example_with_a_broken_command_fails_as_expected(trial: Trial, results: Results) -> None:
    assert problems(results.outcomes[trial.name], trial.expect) == []


def test_no_process_of_a_pod_outlives_its_workflow(results: Results) -> None:
    assert results.processes_left == {}


# ------------------------------------------------------------------------------------------------ the table itself


def test_the_table_has_every_example_that_needs_no_internet() -> None:
    assert set(ENTRIES) == set(corpus.offline_examples())


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.file)
def test_the_table_says_what_the_corpus_says(entry: Entry) -> None:
    """The corpus says it in words: `Succeeded; prints 123`, `Random: Failed 51 %`, `n/a (cron); …`."""
    words = corpus.offline_examples()[entry.file]
    if not entry.runs:
        assert entry.why_not_run
        return
    phase = entry.raw["expect"]["phase"]
    if "submit" in entry.raw:  # a definition, which the corpus expects nothing of
        assert (words.partition(" ")[0], phase) == ("n/a", "Succeeded")
        return
    assert phase in (_phase(words), ["Succeeded", "Failed"] if _by_chance(words) else None)
    assert isinstance(phase, str) or entry.raw["random"], "two ends are possible only where chance decides"


@pytest.mark.parametrize("entry", [e for e in ENTRIES.values() if e.has_twin], ids=lambda entry: entry.file)
def test_a_twin_differs_from_its_example_in_one_command_and_fails(entry: Entry) -> None:
    own, other = table.trial(entry).things, table.twin(entry).things
    if entry.raw.get("submit", {}).get("from", "").startswith("cron"):
        own, other = own[:-1], other[:-1]  # its run differs too
    assert sum(mine != theirs for mine, theirs in zip(own, other, strict=True)) == 1
    expect = entry.raw["twin"]["expect"]
    assert expect["phase"] == "Failed"
    broken = [wish for wish in expect.get("nodes", {}).values() if "(exit code 3)" in str(wish)]
    assert expect["failed"] or broken, "some node must tell of the exit code"


def test_enough_examples_can_count() -> None:
    able = [entry for entry in ENTRIES.values() if not entry.fits or (entry.runs and not entry.why_not_counted)]
    assert len(able) >= table.GOAL


def _phase(words: str) -> str:
    return re.sub(r"^(Running until.*?then |v1: )", "", words).split()[0].strip(";,")


def _by_chance(words: str) -> bool:
    return any(sign in words for sign in ("Random", "usually", "~"))

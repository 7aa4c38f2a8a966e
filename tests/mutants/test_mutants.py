"""The named bugs still fit the tree that they are to be found in."""

from __future__ import annotations

import pytest

from tests.mutants.bugs import Bug, apply, bugs, unfit

NAMED = {
    "adopt_without_uid", "status_write_without_version", "release_pod_before_write", "parallelism_from_the_cache",
    "no_resubscribe_after_relist", "new_uid_is_an_update", "lock_freed_before_status", "retry_after_ignored",
    "timer_lost_on_restart", "child_counted_twice", "hook_again_after_restart", "stale_leader_keeps_writing",
}  # fmt: skip


def test_the_twelve_are_there() -> None:
    assert {bug.name for bug in bugs()} == NAMED


@pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)
def test_every_bug_fits_the_tree_and_changes_it(bug: Bug) -> None:
    assert unfit(bug) == []
    assert all(edit.find != edit.replace for edit in bug.edits)


def test_a_bug_that_does_not_fit_is_refused(tmp_path) -> None:
    bug = bugs()[0]
    for edit in bug.edits:
        (tmp_path / edit.file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / edit.file).write_text("something else")

    with pytest.raises(ValueError, match=bug.name):
        apply(bug, tmp_path)

"""Cases in which something went wrong once: what it was, and the seed that showed it."""

from __future__ import annotations

import pytest

from tests.world.shrunk import Case
from tests.world.trial import case_of, run

DEATHS = "death,death_between,death_after_create"
FOUND = [
    (5018, DEATHS, "a daemon was killed before its end was on record, and the next life took that for a failure"),
    (5001, DEATHS, "after a restart nobody told the group that its daemon serves: it waited for ever"),
    (5031, "actor_death", "locks that a crashed workflow's actor had been given were never given back"),
    (5047, "actor_death", "likewise, of another workflow"),
    (1017, "death_between,user_stop", "a workflow stopped before its first record left the pods it had made behind"),
    (1033, "conflict,server_error,lost_answer,away", "what a user had written was overwritten before its node knew"),
    (6053, "away,conflict,lost_answer,throttled", "a create whose answer was lost took a running node back to Pending"),
    (
        6203,
        "expired,late,server_error,stale_list",
        "a pod missing in a stale list was believed to be gone",
    ),
    (6050, "conflict,throttled,server_error,lost_answer,hung,away", "a kill that failed was forgotten with its actor"),
    (5021, "user_retry", "the former life of a retried workflow marked it as completed again"),
    (5017, "death,hand_over", "pods that the record did not know yet had no place in the limit after a restart"),
    (5002, "node_death", "a node whose actor had crashed kept its permit, and its pod, for ever"),
    (1031, "mixed", "a stale list took the cache back, and a finished workflow began again beside the next holder"),
    (407, "mixed", "a pod found at a restart kept the place that the node before its own waited for"),
    (557, "mixed", "a pod that came and went before the cache had seen it was waited for"),
    (496, "mixed", "a second request for a pod, kept waiting by a 429, was granted after the pod's end"),
    (19, "mixed", "a node asked for its pod before it was told that the cache had it"),
    (358, "mixed", "the crash of an attempt that had ended made an Error of it"),
    (704, "mixed", "a crashed attempt lost its template on record, and a retry did not find its pod"),
    (754, "mixed", "an attempt on record was left Running when the workflow was stopped across a restart"),
    (624, "mixed", "a node that a user's retry left Running went back to Pending for its lock"),
    (958, "mixed", "a pod that never starts kept the only place from the node before its own"),
    (1020, "mixed", "after a restart the end of a forgiven step was no longer what it had been to the dag's verdict"),
    (1037, "mixed", "places kept for nodes that a stop kept from asking were never free again"),
    (1112, "mixed", "pods of a finished workflow that the record never knew were never let go"),
    (1454, "mixed", "nodes of a stopped workflow waited for a lock whose holder would not begin again"),
    (1630, "mixed", "what a write without an answer had put on record was not taken off it"),
    (1709, "mixed", "a pod that an old list did not have was an Error although it was there"),
    (2016, "mixed", "a node that crashed before its first word counted twice in the progress"),
    (2782, "mixed", "a retried node kept its lock between attempts, and who got its place waited for that lock"),
    (8001, "group_death,user_resume", "nodes below one whose actor had crashed were never ended, nor their workflow"),
    (3112, "mixed", "a workflow that a user began anew asked for its turn before the queue knew that it runs again"),
    (3147, "mixed", "pods that a user had deleted for a retry were believed, because the cache still had them"),
    (2995, "mixed", "a hook that crashed before its first word lost its type on record, and the progress its sum"),
    (2914, "mixed", "a daemon in the last group of failed steps passed their failure on to the dag around them"),
    (8007, "user_delete,user_resume", "a pod held for its outputs stayed for ever when its workflow was deleted"),
    (8586, "mixed", "locks that were given back were held for ever when the room of locks crashed beside an old cache"),
    (8564, "mixed", "a permit given to a node in the moment in which its group's actor crashed was never given back"),
    (8292, "mixed", "after a restart a template that failed fast ended in a group before the one that was under way"),
    (8156, "mixed", "a retried task with an unreadable strategy passed its own end on, not its last attempt's"),
    (8104, "mixed", "pods were lost, lists stale and controllers dead, and it did not go well"),
    (8056, "mixed", "all that may go wrong went wrong, with a standby and a user who deletes, and it did not go well"),
    (8205, "mixed", "actors of groups crashed, and the workflow was deleted"),
    (34263, "actor_death,group_death,silent", "a group crashed after its end, and a pod below it was never let go"),
    (500653, "mixed", "a pod came and went unseen, after the cache had shown one that was no more, and was waited for"),
    (500769, "mixed", "a loop whose hooks a failing template had kept back was a success, and ran again when retried"),
    (500913, "mixed", "after a restart a failure that passed through a skipped end no longer did"),
    (501142, "mixed", "a life that found the deadline passed made a pod before it was told so"),
    (501412, "mixed", "a create whose answer was lost took a node back to Pending whose pod was gone again"),
    (501911, "actor_death,group_death,user_resume", "a lock of a node that its record did not know was never free"),
    (502146, "mixed", "a pod that the cache showed after its crashed workflow's end was never let go"),
    (503840, "mixed", "pods below an exit handler that the record did not know had no place in its limit"),
    (503944, "mixed", "a pod was labelled as completed before it was told to end, and its controller died between"),
    (505225, "mixed", "an attempt that ended unheard lost its place, and the next began beside who had got it"),
    (504992, "mixed", "pods out of time were ended unrecorded, and made again by a life whose clock was behind"),
    (512375, "mixed", "a lock of a node on no record, in a template that had failed, was kept from all who wanted it"),
    (513815, "mixed", "pods of a run that failed stayed when its retry succeeded, though podGC wanted them away"),
    (620287, "mixed", "the last words of a former life arrived late, and a running node went back to Pending"),
    (606894, "mixed", "a crash that was no failure to a later life closed a template that fails fast"),
    (961061, "mixed", "a node that was resumed before it had begun again after a restart was taken back"),
    (1000466, "mixed", "a skipped task without needs passed a success on from a dag that had failed"),
    (1506916, "mixed", "of a retried daemon that had ended with what it served, the next life said that it serves"),
    (1509837, "mixed", "after a restart an older cache took the containers of a set back to Pending"),
    (1511155, "mixed", "a pod that was lost in another life left the containers of its set running"),
    (1533851, "mixed", "after an outage pods were made again for a workflow that its crashed actor had found deleted"),
    (1565657, "mixed", "the pod of a crashed node stayed, because the cache still had one of its name before it"),
    (1622055, "mixed", "pods of a deleted workflow were made again, as long as the cache had not heard of it"),
    (1653799, "mixed", "after a stop a new life took a pod that the cache had never shown for none at all"),
    (1656640, "mixed", "after a restart a daemon was ended before it was on record that it had served"),
    (1657299, "mixed", "after a restart a pod was let go before the end of its node, below one over, was on record"),
    (1659462, "mixed", "a loop that failFast had ended before any item began was Running again after a restart"),
    (2024084, "mixed", "a live read told of a retry before the room that gives turns was there, and no turn came"),
    (2400000, "mixed", "a template whose actor crashed before its first word had no scope and no boundary on record"),
    (2400028, "mixed", "the first node, whose actor crashed before its first word, had no name to be shown by"),
    (2400148, "mixed", "after a restart what followed a retried daemon hung on its Retry node, not on its attempt"),
    (1000, "away", "a result could not be remembered while the API server was away, and its node became an Error"),
]


@pytest.mark.parametrize(("seed", "kinds", "what"), FOUND, ids=[f"{seed} {what}" for seed, _, what in FOUND])
def test_it_goes_well(seed: int, kinds: str, what: str) -> None:
    case = case_of(seed, "mixed") if kinds == "mixed" else Case(seed, frozenset(kinds.split(",")))
    report = run(case)

    assert report.wrong == [], what

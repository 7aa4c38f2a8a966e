"""A node makes its pod once: what is there already, what nobody answered, and what came and went unseen."""

from __future__ import annotations

import msgspec
import pytest

from actors.messages import DeadlineExceeded, Edited, NodeChanged, NodeStatus, Phase, Recorded, Shutdown, WorkflowEnded
from actors.names import ids, labels
from actors.node.pod_look import CONFIRM, DOUBT
from actors.node.pod_maker import ADOPT, CREATE
from actors.node.pod_release import COLLECT, KILL
from runtime.api import Gone as NotFound
from runtime.api import Throttled, Unavailable, Withdrawn
from runtime.messages import (
    Command,
    Create,
    Delete,
    Done,
    Failed,
    Gone,
    Message,
    Patch,
    Read,
    Tell,
    Told,
    WakeAt,
    Withdraw,
    Woke,
)
from runtime.objects import PODS, Object, reference
from tests.pure.engine.nodes import LEAF, NOW, WORKFLOW, Played, a_call, a_pod, a_run, of


def phases(commands: list[Command]) -> list[str]:
    return [tell.word.status.phase for tell in of(Tell, commands) if isinstance(tell.word, NodeChanged)]


def a_node() -> Played:
    return Played(a_call(a_run()))


def test_a_pod_that_was_there_is_not_asked_for_again() -> None:
    node = a_node()
    pod = a_pod(node.call, "Succeeded")
    begun = [*node.hears_of_birth(), *node.sees(pod), *node.hears_begin()]
    (look,) = of(Read, begun)  # the cache may lag behind a user who has deleted it, to begin anew
    found = node.hears(Done(look, pod))

    assert of(Create, [*begun, *found]) == []
    assert phases(found)[-1] == "Succeeded"


def on_its_way_out(pod: Object, state: Object) -> Object:
    """Deleted while no controller lived, and still held by our finalizer."""
    pod["metadata"] |= {"deletionTimestamp": "2026-11-22T00:00:00Z", "finalizers": [labels.FINALIZER_POD_STATUS]}
    pod["status"] |= {"phase": "Failed", "containerStatuses": [{"name": "main", "state": state}]}
    return pod


@pytest.mark.spec("PGC-4")
def test_a_deleted_pod_that_never_began_is_let_go_and_made_again() -> None:
    """It waits for our finalizer: to wait for it in turn would be for ever."""
    node = a_node()
    pod = on_its_way_out(a_pod(node.call), {"waiting": {"reason": "PodInitializing"}})
    (look,) = of(Read, [*node.hears_of_birth(), *node.sees(pod), *node.hears_begin()])
    found = node.hears(Done(look, pod))
    (freed,) = of(Patch, found)
    (again,) = of(WakeAt, found)

    assert freed.body["metadata"]["finalizers"] is None
    assert node.hears(Done(freed, pod)) == []
    (second,) = of(Read, node.hears(Woke(again.tag)))
    assert len(of(Create, node.hears(Failed(second, NotFound("gone", code=404))))) == 1


@pytest.mark.spec("PGC-4")
def test_a_deleted_pod_that_ran_is_heard_out() -> None:
    node = a_node()
    ran = {"terminated": {"exitCode": 3, "reason": "Error", "startedAt": "2026-11-22T00:00:00Z"}}
    pod = on_its_way_out(a_pod(node.call), ran)
    (look,) = of(Read, [*node.hears_of_birth(), *node.sees(pod), *node.hears_begin()])

    assert phases(node.hears(Done(look, pod)))[-1] == "Failed"


@pytest.mark.parametrize(("since", "heard_out"), [("2026-11-22T00:00:00Z", True), ("2026-11-22T00:00:01Z", False)])
def test_a_deleted_pod_that_ran_and_is_not_held_is_heard_out_if_its_node_had_begun(
    since: str, *, heard_out: bool
) -> None:
    """One that is older than that is of a run that a user has begun anew."""
    call = a_call(a_run(a=NodeStatus(id=ids.node_id("w", "w.A"), name="w.A", phase="Pending", started_at=since)))
    node = Played(call)
    pod = on_its_way_out(a_pod(call), {"terminated": {"exitCode": 3, "startedAt": "2026-11-22T00:00:02Z"}})
    pod["metadata"] |= {"finalizers": [], "creationTimestamp": "2026-11-22T00:00:00Z"}
    (look,) = of(Read, [*node.hears_of_birth(), *node.sees(pod), *node.hears_begin()])
    found = node.hears(Done(look, pod))

    assert (phases(found)[-1:] == ["Failed"]) is heard_out
    assert bool([wake for wake in of(WakeAt, found) if wake.tag == ADOPT]) is not heard_out


def test_what_nobody_answered_is_looked_for_before_it_is_asked_for_again() -> None:
    node = a_node()
    (create,) = of(Create, node.begins())
    (again,) = of(WakeAt, node.hears(Failed(create, Unavailable("timed out"))))
    assert again.tag == ADOPT
    (look,) = of(Read, node.hears(Woke(ADOPT)))

    assert of(Create, node.hears(Failed(look, NotFound("no such pod")))) == [create]


def test_one_request_for_a_pod_is_under_way_at_a_time() -> None:
    node = a_node()
    (create,) = of(Create, node.begins())
    pod = a_pod(node.call)
    assert of(Create, [*node.sees(pod), *node.hears(Gone(reference(PODS, pod), pod))]) == []

    (look,) = of(Read, node.hears(Done(create, pod)))  # the answer tells of a pod that is no more
    assert of(Create, node.hears(Failed(look, NotFound("no such pod")))) == [create]


def test_a_pod_that_an_old_list_did_not_have_is_believed_when_it_is_looked_at() -> None:
    node = a_node()
    node.begins()
    pod = a_pod(node.call, "Running")
    node.sees(pod)
    (look,) = of(Read, node.hears(Gone(reference(PODS, pod), pod)))
    (again,) = of(Read, node.hears(Done(look, pod)))
    node.hears(Done(again, pod))

    assert phases(node.sees(a_pod(node.call, "Succeeded", version="9"))) == ["Succeeded"]


def test_a_refusal_that_passes_does_not_make_a_second_pod() -> None:
    node = a_node()
    (create,) = of(Create, node.begins())
    node.hears(Failed(create, Throttled("quota")))
    node.sees(a_pod(node.call))  # a former life had asked for it

    assert of(Create, node.hears(Woke(CREATE))) == []


def test_a_pod_is_not_collected_while_another_may_still_be_granted() -> None:
    node = Played(a_call(a_run()))
    node.call.run.spec["podGC"] = {"strategy": "OnPodCompletion", "deleteDelayDuration": "0s"}
    (create,) = of(Create, node.begins())
    node.sees(a_pod(node.call, "Succeeded"))
    node.told(Recorded())
    assert of(Delete, node.hears(Woke(COLLECT))) == []

    node.hears(Failed(create, Unavailable("timed out")))
    assert [delete.tag for delete in of(Delete, node.hears(Woke(COLLECT)))] == [COLLECT]


@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_pod_that_came_and_went_unseen_is_missed(phase: str) -> None:
    node = a_node()
    (create,) = of(Create, node.begins())
    doubt = next(wake for wake in of(WakeAt, node.hears(Done(create, a_pod(node.call, phase)))) if wake.tag == DOUBT)
    assert doubt.at > NOW
    (look,) = of(Read, node.hears(Woke(DOUBT)))
    assert look.tag == CONFIRM
    after = node.hears(Failed(look, NotFound("no such pod")))

    assert of(Create, after) == [create] if phase == "Pending" else phases(after) == ["Error"]


def test_a_pod_that_the_cache_shows_is_not_doubted() -> None:
    node = a_node()
    (create,) = of(Create, node.begins())
    node.hears(Done(create, a_pod(node.call)))
    node.sees(a_pod(node.call, "Running", version="8"))

    assert of(Read, node.hears(Woke(DOUBT))) == []


@pytest.mark.spec("OP-1")
def test_a_stop_that_overtakes_the_beginning_is_heeded_by_it() -> None:
    node = a_node()
    node.call.run.shutdown = "Terminate"
    assert node.told(Shutdown("Terminate")) == []
    begun = node.begins()

    assert of(Create, begun) == []
    assert phases(begun) == ["Failed"]


def said_by_another(node: Played) -> Told:
    """The last words of a former life arrive: to that one the pod ran."""
    return Told(WORKFLOW, Edited(msgspec.structs.replace(node.state.status, phase="Running", host_node_name="north")))


def test_a_pod_that_ran_as_the_last_words_of_a_former_life_say_is_not_made_again() -> None:
    node = a_node()
    begun = [*node.hears_of_birth(), *node.sees(a_pod(node.call)), *node.hears_begin()]
    (look,) = of(Read, begun)
    heard = node.hears(said_by_another(node))
    assert phases(heard) == ["Running"]
    (second,) = of(Read, heard)
    ended = [*node.hears(Failed(look, NotFound("no such pod", code=404))), *node.hears(Failed(second, NotFound("no")))]

    assert of(Create, [*begun, *heard, *ended]) == []
    assert phases(ended) == ["Error"]


def test_nor_is_it_when_they_arrive_before_all_that_there_was_has_been_told() -> None:
    node = a_node()
    node.hears_of_birth()
    (again,) = of(Tell, node.hears(said_by_another(node)))
    assert again.to == node.call.address
    node.hears_begin()
    heard = node.told(again.word, again.to)

    assert (phases(heard), [look.tag for look in of(Read, heard)]) == (["Running"], [CONFIRM])


def kills(commands: list[Command]) -> list[Command]:
    """The commands that end a pod."""
    return [command for command in of(Patch, commands) + of(Delete, commands) if command.tag == KILL]


@pytest.mark.spec("TMO-1", "TMO-3")
@pytest.mark.parametrize("word", [Told(WORKFLOW, DeadlineExceeded()), Woke("timeout")], ids=["deadline", "time-out"])
def test_what_the_clock_ends_is_ended_once_that_is_on_record(word: Message) -> None:
    """Another clock may be behind: a life that came after a kill and before its record would make the pod again."""
    node = a_node()
    (create,) = of(Create, node.begins())
    node.hears(Done(create, a_pod(node.call)))
    ended = node.hears(word)
    if isinstance(word, Woke):
        (look,) = of(Read, ended)
        ended = node.hears(Done(look, a_pod(node.call)))

    assert phases(ended) == ["Failed"]
    assert kills(ended) == []
    assert len(kills(node.told(Recorded()))) == 1


@pytest.mark.spec("TMO-1")
def test_a_pod_that_is_granted_after_the_deadline_is_ended_once_that_is_on_record() -> None:
    node = a_node()
    (create,) = of(Create, node.begins())
    granted = [*node.told(DeadlineExceeded()), *node.hears(Done(create, a_pod(node.call)))]

    assert kills(granted) == []
    assert len(kills(node.told(Recorded()))) == 1


@pytest.mark.spec("OP-1")
def test_a_stop_which_is_on_record_ends_a_pod_at_once() -> None:
    node = a_node()
    node.begins()
    node.sees(a_pod(node.call, "Running"))
    node.call.run.shutdown = "Terminate"

    assert len(kills(node.told(Shutdown("Terminate")))) == 1


@pytest.mark.spec("PGC-1")
@pytest.mark.parametrize(
    ("rule", "labelled", "deleted"),
    [
        (None, True, False),
        ({"strategy": "OnPodCompletion"}, False, True),
        ({"strategy": "OnPodCompletion", "deleteDelayDuration": "1h"}, False, True),
        ({"strategy": "OnWorkflowCompletion"}, False, False),
        ({"strategy": "OnWorkflowSuccess"}, False, False),
        ({"strategy": "OnPodCompletion", "labelSelector": {"matchLabels": {"not": "this"}}}, True, False),
    ],
)
def test_a_pod_that_is_to_be_deleted_is_not_labelled_before(
    rule: dict[str, str] | None, *, labelled: bool, deleted: bool
) -> None:
    node = a_node()
    if rule is not None:
        node.call.run.spec["podGC"] = rule
    node.begins()
    node.sees(a_pod(node.call, "Succeeded"))
    released = node.told(Recorded())

    assert bool(of(Patch, released)) is labelled
    assert bool([wake for wake in of(WakeAt, released) if wake.tag == COLLECT]) is deleted


@pytest.mark.spec("PGC-1")
@pytest.mark.parametrize(("phase", "labelled"), [("Succeeded", False), ("Failed", True)])
def test_a_pod_that_is_kept_because_its_workflow_failed_is_labelled_then(phase: Phase, *, labelled: bool) -> None:
    node = a_node()
    node.call.run.spec["podGC"] = {"strategy": "OnWorkflowSuccess", "deleteDelayDuration": "0s"}
    node.begins()
    node.sees(a_pod(node.call, "Succeeded"))
    node.told(Recorded())
    over = node.told(WorkflowEnded(phase))

    assert bool(of(Patch, over)) is labelled
    assert bool([wake for wake in of(WakeAt, over) if wake.tag == COLLECT]) is not labelled


def test_what_holds_a_pod_is_taken_off_even_when_it_is_deleted_in_a_moment() -> None:
    node = a_node()
    node.call.run.spec["podGC"] = {"strategy": "OnPodCompletion"}
    node.begins()
    pod = a_pod(node.call, "Succeeded")
    pod["metadata"]["finalizers"] = [labels.FINALIZER_POD_STATUS]
    node.sees(pod)

    (patch,) = of(Patch, node.told(Recorded()))
    assert patch.body["metadata"]["finalizers"] is None


def a_collected_node() -> tuple[Played, Delete]:
    node = a_node()
    node.call.run.spec["podGC"] = {"strategy": "OnPodCompletion", "deleteDelayDuration": "0s"}
    (create,) = of(Create, node.begins())
    node.hears(Done(create, a_pod(node.call)))
    node.sees(a_pod(node.call, "Succeeded"))
    node.told(Recorded())
    (delete,) = of(Delete, node.hears(Woke(COLLECT)))
    return node, delete


def test_a_pods_deletion_is_asked_for_once_whatever_is_heard_of_the_pod_meanwhile() -> None:
    node, _ = a_collected_node()
    heard = [*node.sees(a_pod(node.call, "Succeeded", version="9")), *node.hears(Woke(COLLECT))]

    assert of(Delete, heard) == []


def test_a_deletion_that_failed_is_asked_for_again() -> None:
    node, delete = a_collected_node()
    (again,) = of(WakeAt, node.hears(Failed(delete, Unavailable("timed out"))))

    assert of(Delete, node.hears(Woke(again.tag))) == [delete]


def test_a_deleted_pod_whose_end_is_never_heard_of_is_looked_for() -> None:
    node, delete = a_collected_node()
    (doubt,) = of(WakeAt, node.hears(Done(delete, None)))
    assert doubt.tag == DOUBT
    (look,) = of(Read, node.hears(Woke(DOUBT)))
    node.hears(Failed(look, NotFound("no such pod")))

    assert node.state.waiting() == "for nothing"


LIMITED = {**LEAF, "timeout": "3h"}


@pytest.mark.spec("TMO-3")
@pytest.mark.parametrize(("there", "phase"), [("Succeeded", "Succeeded"), ("Pending", "Failed"), ("", "Failed")])
def test_a_pod_whose_time_is_up_in_the_cache_is_looked_at_before_it_has_failed(there: str, phase: Phase) -> None:
    """While the API server was away it may have run and ended: then that counts."""
    node = Played(a_call(a_run(), LIMITED))
    (create,) = of(Create, node.begins())
    node.hears(Done(create, a_pod(node.call)))
    (look,) = of(Read, node.hears(Woke("timeout")))
    again = of(WakeAt, node.hears(Failed(look, Unavailable("away"))))
    assert (node.state.status.phase, [wake.tag for wake in again]) == ("Pending", ["pendingTimeout"])

    absent = Failed(look, NotFound("gone", code=404))
    node.hears(Done(look, a_pod(node.call, there, version="9")) if there else absent)
    assert node.state.status.phase == phase


def test_a_pod_that_is_there_is_not_made_by_what_was_asked_for_before_it_was_seen() -> None:
    """A life before has made it, and the server has put this one's request off: when its time comes the pod may have
    ended, and its user may have deleted it."""
    node = a_node()
    (create,) = of(Create, node.begins())
    seen = node.sees(a_pod(node.call, "Succeeded"))
    assert [command.ref.name for command in of(Withdraw, seen)] == [node.state.pod_name]

    assert of(Create, node.hears(Failed(create, Withdrawn("withdrawn")))) == []
    assert of(Withdraw, node.sees(a_pod(node.call, "Succeeded", version="8"))) == []


def test_who_ends_before_its_pod_is_made_does_not_make_it_any_more() -> None:
    node = a_node()
    (create,) = of(Create, node.begins())
    assert len(of(Withdraw, node.told(DeadlineExceeded()))) == 1
    (look,) = of(Read, node.hears(Failed(create, Withdrawn("withdrawn"))))  # an earlier life may have made it
    node.hears(Failed(look, NotFound("no such pod", code=404)))
    node.told(Recorded())

    assert node.state.waiting() == "for nothing"


def test_a_pod_that_was_deleted_before_it_was_withdrawn_is_made_if_nothing_of_it_is_on_record() -> None:
    node = a_node()
    (create,) = of(Create, node.begins())
    pod = a_pod(node.call)
    assert len(of(Withdraw, node.sees(pod))) == 1
    node.hears(Gone(reference(PODS, pod)))
    (look,) = of(Read, node.hears(Failed(create, Withdrawn("withdrawn"))))

    assert len(of(Create, node.hears(Failed(look, NotFound("no such pod", code=404))))) == 1

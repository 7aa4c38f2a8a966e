"""The mind that all owners share, message by message: what it does not know, it looks up before it decides."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.api import AlreadyExists, Conflict, Refused, Unavailable
from runtime.api import Gone as Absent
from runtime.messages import (
    Address,
    Command,
    Create,
    Delete,
    Done,
    Failed,
    Gone,
    Message,
    Observed,
    Patch,
    Read,
    Started,
    Stop,
    Tell,
    Told,
    WakeAt,
    Woke,
    WriteStatus,
)
from runtime.objects import PODS, Object, Reference, reference
from tests.virtual_time import WALL_START
from tiphys.devcluster.controllers.adoption import Adoptable, Introduced, Seeking, matchmaker
from tiphys.devcluster.controllers.events import EVENT_TAG
from tiphys.devcluster.controllers.family import UNSEEN_S
from tiphys.devcluster.controllers.owners import REPLICA_SETS, controller_reference
from tiphys.devcluster.controllers.reconciler import DECIDE, INTRODUCTION_S, Reconciler, Trade
from tiphys.devcluster.controllers.replicaset import plan

ADDRESS = Address("replicaset", "default", "r", "u")
INTRODUCED = Told(matchmaker("default"), Introduced())


class Owner:
    """A replica set's actor outside any kernel: `tell` answers with the commands that matter."""

    def __init__(self, replicas: int = 1) -> None:
        self.mind = Reconciler(Trade(REPLICA_SETS, PODS, plan))
        self.state = self.mind.birth(ADDRESS, None)
        self.now = WALL_START
        self.version = 100
        own = self.own(replicas)
        for message in (Started(), Observed(reference(REPLICA_SETS, own), own), INTRODUCED):
            list(self.mind.receive(self.state, message, self.now))
        self.first = self.tell(Told(ADDRESS, DECIDE))

    def own(self, replicas: int) -> Object:
        """The replica set."""
        self.version += 1
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}}
        return {
            "metadata": {"name": "r", "namespace": "default", "uid": "u", "resourceVersion": str(self.version)},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"a": "b"}}, "template": template},
        }

    def tell(self, message: Message, *, later_s: float = 1.0) -> list[Command]:
        """Tell it and let it decide; without Events, wake-ups and what it says to itself."""
        self.now += later_s
        found: list[Command] = []
        waiting = [message]
        while waiting:
            for command in self.mind.receive(self.state, waiting.pop(0), self.now):
                if isinstance(command, Tell) and command.word is DECIDE:
                    waiting.append(Told(ADDRESS, DECIDE))
                elif not isinstance(command, WakeAt | Tell) and getattr(command, "tag", "") != EVENT_TAG:
                    found.append(command)
        return found

    def stored(self, command: Command, **meta: Any) -> Object:
        """What a creation makes."""
        assert isinstance(command, Create)
        self.version += 1
        thing = command.object
        given = {"uid": thing["metadata"]["name"], "resourceVersion": str(self.version), **meta}
        return {**thing, "metadata": {**thing["metadata"], **given}, "status": {"phase": "Pending"}}

    def wrote(self, command: Command, replicas: int) -> list[Command]:
        """Tell it that its status was written."""
        assert isinstance(command, WriteStatus)
        stored = self.own(replicas)
        stored["status"] = {name: value for name, value in command.patch["status"].items() if value is not None}
        return self.tell(Done(command, stored))


def test_it_asks_what_it_may_adopt_and_waits_for_the_answer_but_not_for_ever() -> None:
    mind = Reconciler(Trade(REPLICA_SETS, PODS, plan))
    state = mind.birth(ADDRESS, None)
    first = list(mind.receive(state, Started(), WALL_START))
    assert Tell(matchmaker("default"), Seeking(ADDRESS)) in first
    own = Owner().own(1)
    at = WALL_START + INTRODUCTION_S
    list(mind.receive(state, Observed(reference(REPLICA_SETS, own), own), WALL_START))
    assert list(mind.receive(state, Told(ADDRESS, DECIDE), WALL_START)) == [WakeAt(at, "again")]
    late = list(mind.receive(state, Told(ADDRESS, DECIDE), at))
    assert any(isinstance(command, Create) for command in late)


def test_nothing_is_decided_while_an_answer_is_due() -> None:
    owner = Owner(2)
    assert [type(command) for command in owner.first] == [Create, Create]
    assert owner.tell(Observed(reference(REPLICA_SETS, owner.own(5)), owner.own(5))) == []
    assert owner.mind.waiting(owner.state) == "for the answer to 2 of its commands"
    assert owner.tell(Done(owner.first[0], owner.stored(owner.first[0]))) == []
    after = owner.tell(Done(owner.first[1], owner.stored(owner.first[1])), later_s=1)
    assert [type(command) for command in after] == [Create] * 3


def test_a_creation_whose_answer_was_lost_is_looked_up_before_anything_else() -> None:
    owner = Owner()
    (create,) = owner.first
    owner.tell(Failed(create, Unavailable("lost")))
    (read,) = owner.tell(Woke("again"), later_s=1)
    assert isinstance(read, Read)
    assert isinstance(create, Create)
    assert read.ref.name == create.object["metadata"]["name"]
    after = owner.tell(Done(read, owner.stored(create)), later_s=1)
    assert [type(command) for command in after] == [WriteStatus]


def test_a_creation_that_was_not_done_is_asked_for_again_by_the_same_name() -> None:
    owner = Owner()
    (create,) = owner.first
    owner.tell(Failed(create, Unavailable("lost")))
    (read,) = owner.tell(Woke("again"), later_s=1)
    assert owner.tell(Failed(read, Absent("none")), later_s=1) == [create]


def test_a_deletion_whose_answer_was_lost_is_looked_up_and_nobody_else_is_deleted_instead() -> None:
    owner = Owner(2)
    for command in owner.first:
        last = owner.tell(Done(command, owner.stored(command)), later_s=1)
    assert [type(command) for command in last] == [WriteStatus]
    assert owner.wrote(last[0], 2) == []
    fewer = owner.own(1)
    (delete,) = owner.tell(Observed(reference(REPLICA_SETS, fewer), fewer))
    assert isinstance(delete, Delete)
    owner.tell(Failed(delete, Unavailable("lost")))
    (read,) = owner.tell(Woke("again"), later_s=1)
    assert read == Read(delete.ref, "missing")
    after = owner.tell(Failed(read, Absent("gone")), later_s=1)
    assert [type(command) for command in after] == [WriteStatus]


def test_a_pod_that_was_gone_before_its_creation_was_answered_is_not_remembered() -> None:
    owner = Owner()
    (create,) = owner.first
    pod = owner.stored(create)
    owner.tell(Observed(reference(PODS, pod), pod))
    owner.tell(Gone(reference(PODS, pod), pod))
    (again,) = owner.tell(Done(create, pod), later_s=1)
    assert isinstance(again, Create)
    assert owner.state.children == {}


def test_a_pod_that_never_came_through_the_watch_is_looked_for() -> None:
    owner = Owner()
    (create,) = owner.first
    (write,) = owner.tell(Done(create, owner.stored(create)), later_s=1)
    assert owner.wrote(write, 1) == []
    (read,) = owner.tell(Woke("again"), later_s=UNSEEN_S)
    assert isinstance(read, Read)
    (again,) = owner.tell(Failed(read, Absent("gone")), later_s=1)
    assert isinstance(again, Create)


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_name_that_is_there_is_ours_or_another_is_chosen(is_ours: bool) -> None:
    owner = Owner()
    (create,) = owner.first
    (read,) = owner.tell(Failed(create, AlreadyExists("there")))
    assert isinstance(create, Create)
    assert read == Read(Reference(PODS, "default", create.object["metadata"]["name"]), "whose")
    there = owner.stored(create, **({} if is_ours else {"ownerReferences": []}))
    (after,) = owner.tell(Done(read, there), later_s=1)
    if is_ours:
        assert isinstance(after, WriteStatus)
    else:
        assert isinstance(after, Create)
        assert after.object["metadata"]["name"] != create.object["metadata"]["name"]


def test_a_refusal_is_told_in_the_status_first_and_tried_again_later_each_time() -> None:
    owner = Owner(3)
    for command in owner.first:
        assert owner.tell(Failed(command, Refused("no room"))) == []
    (write,) = owner.tell(Woke("again"), later_s=1)
    assert isinstance(write, WriteStatus)
    assert write.patch["status"]["conditions"][0]["message"] == "no room"
    assert [type(command) for command in owner.wrote(write, 3)] == [Create]


def test_after_a_conflict_it_looks_again_with_the_newer_state() -> None:
    owner = Owner(0)
    (write,) = owner.first
    assert isinstance(write, WriteStatus)
    newer = owner.own(1)
    owner.tell(Observed(reference(REPLICA_SETS, newer), newer))
    assert owner.tell(Failed(write, Conflict("older"))) == []
    assert [type(command) for command in owner.tell(Woke("again"), later_s=1)] == [Create]


def test_an_orphan_is_adopted_before_a_pod_is_created() -> None:
    owner = Owner(0)
    assert owner.wrote(owner.first[0], 0) == []
    meta = {"name": "p", "namespace": "default", "uid": "p", "resourceVersion": "1", "labels": {"a": "b"}}
    (adopting,) = owner.tell(Told(matchmaker("default"), Adoptable({"metadata": meta, "spec": {}})))
    assert isinstance(adopting, Patch)
    assert adopting.ref == Reference(PODS, "default", "p", "p")
    owners = [controller_reference(REPLICA_SETS, owner.own(1))]
    assert adopting.body["metadata"] == {"ownerReferences": owners, "resourceVersion": "1"}
    adopted = {"metadata": {**meta, "resourceVersion": "2", "ownerReferences": owners}, "spec": {}}
    owner.tell(Done(adopting, adopted))
    assert list(owner.state.children) == ["p"]
    assert owner.state.orphans == {}


def test_it_stops_when_its_object_is_gone() -> None:
    owner = Owner(0)
    assert owner.wrote(owner.first[0], 0) == []
    assert owner.tell(Gone(owner.state.ref), later_s=1) == [Stop()]

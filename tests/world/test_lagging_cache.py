"""What a cache shows that lags behind: pods that are no more, and pods as they were a while ago."""

from __future__ import annotations

import pytest

from actors.messages import NodeChanged
from actors.node.pod_look import CONFIRM, DOUBT
from runtime.api import Gone as NotFound
from runtime.api import Unavailable
from runtime.messages import Command, Create, Done, Failed, Gone, Patch, Read, Tell, WakeAt, Woke
from runtime.objects import PODS, Object, reference
from tests.pure.engine.nodes import LEAF, Played, a_call, a_pod, a_run, of


def doubts(node: Played, told: list[Command]) -> bool:
    """Whether it is going to look whether its pod is still there."""
    woken = [wake for wake in of(WakeAt, told) if wake.tag == DOUBT]
    return bool(woken) and [look.tag for look in of(Read, node.hears(Woke(DOUBT)))] == [CONFIRM]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_pod_that_came_and_went_unseen_is_missed_though_the_cache_has_one_that_is_no_more(when: str) -> None:
    node = Played(a_call(a_run()))
    old = a_pod(node.call, uid="old")
    end = Gone(reference(PODS, old), old)
    (look,) = of(Read, [*node.hears_of_birth(), *node.sees(old), *node.hears_begin()])
    (create,) = of(Create, node.hears(Failed(look, NotFound("no such pod", code=404))))
    if when == "before":
        node.hears(end)
    told = node.hears(Done(create, a_pod(node.call, uid="new")))
    if when == "after":
        node.hears(end)

    assert doubts(node, told)


def test_it_is_missed_too_when_the_one_before_it_had_been_on_its_way_out() -> None:
    node = Played(a_call(a_run()))
    old = a_pod(node.call, uid="old")
    old["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
    (look,) = of(Read, [*node.hears_of_birth(), *node.sees(old), *node.hears_begin()])
    waits = node.hears(Done(look, old))
    assert of(Patch, waits) == [] or of(WakeAt, waits)
    (again,) = of(Read, node.hears(Woke(of(WakeAt, waits)[0].tag)))
    (create,) = of(Create, node.hears(Failed(again, NotFound("no such pod", code=404))))

    assert doubts(node, node.hears(Done(create, a_pod(node.call, uid="new"))))


def test_a_pod_that_the_cache_shows_while_it_is_looked_for_is_not_doubted() -> None:
    node = Played(a_call(a_run()))
    (look,) = of(Read, [*node.hears_of_birth(), *node.sees(a_pod(node.call, uid="old")), *node.hears_begin()])
    node.sees(a_pod(node.call, uid="new"))

    assert of(WakeAt, node.hears(Done(look, a_pod(node.call, uid="new")))) == []


def serving(pod: Object) -> Object:
    pod["status"] |= {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [{"name": "main", "ready": True}]}
    return pod


@pytest.mark.spec("DMN-1")
@pytest.mark.parametrize("older", ["Pending", "Running"])
def test_a_daemon_that_serves_is_shown_as_it_was_before_and_serves_all_the_same(older: str) -> None:
    """Of what the cache has and what a live look finds nobody knows which is newer."""
    node = Played(a_call(a_run(), {**LEAF, "daemon": True}))
    (look,) = of(Read, [*node.hears_of_birth(), *node.sees(a_pod(node.call, older)), *node.hears_begin()])
    found = node.hears(Done(look, serving(a_pod(node.call, version="9"))))
    later = node.sees(a_pod(node.call, "Running", version="8"))

    said = [tell.word.status for tell in of(Tell, [*found, *later]) if isinstance(tell.word, NodeChanged)]
    assert (said[-1].phase, said[-1].daemoned, said[-1].pod_ip) == ("Running", True, "10.0.0.1")


def test_a_request_whose_answer_is_lost_does_not_take_a_node_back_whose_pod_has_run() -> None:
    """Its pod was made, was seen to run and is gone before anybody says that nobody knows whether it was made."""
    node = Played(a_call(a_run()))
    (create,) = of(Create, node.begins())
    pod = a_pod(node.call, "Running")
    node.sees(pod)
    (look,) = of(Read, node.hears(Gone(reference(PODS, pod), pod)))

    assert node.hears(Failed(create, Unavailable("timed out"))) == []
    ended = node.hears(Failed(look, NotFound("no such pod", code=404)))
    assert [tell.word.status.phase for tell in of(Tell, ended) if isinstance(tell.word, NodeChanged)] == ["Error"]

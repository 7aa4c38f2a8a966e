"""A pod that still works when its node's end is on record: first it is ended, then it is let go.

Whoever lives next thinks no more of a pod that is labelled as completed: it would work for ever."""

from __future__ import annotations

from typing import Any

import pytest

from actors.messages import DeadlineExceeded, Recorded
from actors.names import labels
from actors.node.pod_release import KILL
from runtime.api import Gone as NotFound
from runtime.api import Unavailable
from runtime.messages import Command, Create, Done, Failed, Patch, Read, Stop, WakeAt, Woke
from tests.pure.engine.nodes import Played, a_call, a_pod, a_run, of


def ended_on_record() -> tuple[Played, list[Command]]:
    """A node whose deadline has passed while its pod runs, and what it does when that is on record."""
    node = Played(a_call(a_run()))
    (create,) = of(Create, node.begins())
    node.hears(Done(create, a_pod(node.call)))
    node.sees(a_pod(node.call, "Running"))
    node.told(DeadlineExceeded())
    return node, node.told(Recorded())


def labelled(commands: list[Command]) -> list[Any]:
    """The pods that are labelled as completed."""
    return [one for one in of(Patch, commands) if "labels" in one.body.get("metadata", {})]


@pytest.mark.spec("PGC-4")
def test_a_pod_that_works_is_labelled_as_completed_once_it_has_been_told_to_end() -> None:
    node, ended = ended_on_record()
    (kill,) = of(Patch, ended)
    assert (kill.tag, labelled(ended)) == (KILL, [])
    meanwhile = node.sees(a_pod(node.call, "Running", version="8"))
    assert meanwhile == []

    (release,) = labelled(node.hears(Done(kill, a_pod(node.call, "Running", version="8"))))
    assert release.body["metadata"]["labels"] == {labels.COMPLETED: "true"}


@pytest.mark.spec("PGC-4")
def test_it_is_told_so_again_before_it_is_labelled_when_nobody_heard_it() -> None:
    node, ended = ended_on_record()
    (kill,) = of(Patch, ended)
    unheard = node.hears(Failed(kill, Unavailable("no answer")))
    (again,) = of(WakeAt, unheard)
    (second,) = of(Patch, node.hears(Woke(again.tag)))

    assert (second, labelled(unheard)) == (kill, [])
    assert len(labelled(node.hears(Done(second, a_pod(node.call))))) == 1


@pytest.mark.spec("PGC-4")
def test_a_pod_that_ends_by_itself_meanwhile_is_labelled_at_once() -> None:
    node, ended = ended_on_record()
    (kill,) = of(Patch, ended)

    assert len(labelled(node.sees(a_pod(node.call, "Succeeded", version="9")))) == 1
    assert of(WakeAt, node.hears(Failed(kill, NotFound("gone", code=404)))) == []


@pytest.mark.spec("OP-1")
def test_a_node_that_may_not_begin_any_more_looks_for_its_pod_before_it_is_over() -> None:
    """It may be there from before a restart, though the cache has never shown it, and the record be quicker."""
    run = a_run()
    run.shutdown = "Terminate"
    node = Played(a_call(run))
    (look,) = of(Read, node.begins())
    assert of(Stop, node.told(Recorded())) == []

    assert len(labelled(node.hears(Done(look, a_pod(node.call, "Succeeded"))))) == 1

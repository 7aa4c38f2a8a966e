"""A Rollout's actor decides nothing on a state from before a write of its own."""

from __future__ import annotations

import pytest

from actors.rollout import wire
from actors.rollout.mind import DECIDE, LOOK, RolloutMind
from actors.rollout.state import RolloutState
from runtime.api import ApiError, Conflict, Gone, Unavailable
from runtime.messages import Address, Command, Done, Failed, Message, Patch, Read, Told
from runtime.objects import Object, Reference

NOW = 1_800_000_000.0
HERE = Address("rollout", "default", "r", "uid-of-r")
SET = Reference(wire.REPLICA_SETS, "default", "r-1", "uid-of-set")
WRITE = Patch(SET, {"spec": {"replicas": 2}}, tag="set")


def replica_set(version: str, replicas: int) -> Object:
    meta = {"name": "r-1", "namespace": "default", "uid": SET.uid, "resourceVersion": version}
    return {"metadata": meta, "spec": {"replicas": replicas}}


class Played:
    """A Rollout that has asked for a write, and is told one thing after the other."""

    def __init__(self) -> None:
        self.mind = RolloutMind()
        self.state: RolloutState = self.mind.birth(HERE, None)
        self.state.object = {"metadata": {"name": "r", "namespace": "default", "uid": HERE.uid, "generation": 1}}
        self.state.sets[SET.uid] = replica_set("7", 0)
        self.state.outstanding = 1

    def hears(self, message: Message) -> list[Command]:
        return list(self.mind.receive(self.state, message, NOW))

    def decides(self, later_s: float) -> list[Command]:
        return list(self.mind.receive(self.state, Told(HERE, DECIDE), NOW + later_s))


def reads(commands: list[Command]) -> list[Command]:
    return [command for command in commands if isinstance(command, Read)]


def test_a_write_whose_outcome_nobody_knows_is_looked_at_before_anything_is_decided() -> None:
    here = Played()
    here.hears(Failed(WRITE, Unavailable("timed out")))
    assert here.decides(60) == [Read(SET, LOOK)]

    here.hears(Failed(Read(SET, LOOK), Unavailable("timed out")))
    assert here.decides(120) == [Read(SET, LOOK)]

    here.hears(Done(Read(SET, LOOK), replica_set("8", 2)))
    assert here.state.sets[SET.uid]["spec"]["replicas"] == 2
    assert reads(here.decides(180)) == []


@pytest.mark.parametrize("answer", [Gone("not found"), None])
def test_a_conflict_is_looked_at_until_there_is_an_answer(answer: ApiError | None) -> None:
    here = Played()
    look = Read(SET, LOOK)
    assert reads(here.hears(Failed(WRITE, Conflict("somebody wrote in between")))) == [look]
    here.hears(Failed(look, Unavailable("timed out")))
    assert here.decides(60) == [look]

    here.hears(Failed(look, answer) if answer else Done(look, replica_set("8", 1)))
    assert reads(here.decides(120)) == []

"""Places below a limit that pods have which a life before made and did not live to put on record."""

from __future__ import annotations

from random import Random

import pytest

from runtime.api import Api, Unavailable
from runtime.objects import Object
from runtime.system import Settings, System
from tests.kernel.coat import Coat
from tests.virtual_time import VirtualClock
from tests.world.flows import flow, named, phases
from tests.world.world import Outcome, world
from tiphys.controllers import rooms

pytestmark = pytest.mark.virtual_time

LIMITED = """
  - name: limited
    parallelism: 1
    steps: [[{name: a, template: leaf, withItems: [1, 2, 3], hooks: {exit: {template: leaf}}}]]
"""
ALONE = """
  - name: alone
    retryStrategy: {limit: 1}
    synchronization: {mutexes: [{name: m}]}
    container: {image: busybox, command: [sh]}
  - name: main
    parallelism: 1
    dag:
      tasks:
      - {name: A, template: leaf, hooks: {exit: {template: leaf}}}
      - {name: B, template: alone}
"""


class Mute:
    """An API to which nothing of the workflow is written any more once it is mute."""

    mute = False

    def over(self, api: Api) -> Api:
        def fault(verb: str, subject: object) -> BaseException | None:
            lost = self.mute and verb in {"patch", "replace"} and subject == "w"
            return Unavailable("no answer") if lost else None

        coat: Api = Coat(api, fault=fault)
        return coat


def slow(name: str, pod: Object) -> Outcome:
    del pod
    return Outcome(code=int(name.endswith("B(0)")), delay_s=10)


@pytest.mark.spec("PAR-4")
@pytest.mark.parametrize("handler", [False, True], ids=["first", "exit handler"])
async def test_a_pod_that_is_on_no_record_has_its_place_in_the_next_life(*, handler: bool) -> None:
    """The first item has ended on record and its hook waits, the second runs on record, the third was made since."""
    main = "  - {name: main, steps: [[{name: s, template: %s}]]}\n" % ("leaf" if handler else "limited")
    mute = Mute()
    async with world(slow, coat=mute.over) as here:
        ref = await here.submit(flow(LIMITED + main, **({"onExit": "limited"} if handler else {})))
        await here.after(25 if handler else 15)
        mute.mute = True
        await here.after(10)
        items = [name for name in phases(await here.api.get(ref)) if name.endswith(("1)", "2)", "3)"))]
        assert (len(items), len(here.running)) == (2, 1)
        here.die()
        mute.mute = False
        done = await here.end_of(ref)

    assert (done["status"]["phase"], here.most_running) == ("Succeeded", 1)


@pytest.mark.spec("PAR-4")
@pytest.mark.spec("RTY-11")
async def test_who_has_a_lock_keeps_its_place_though_its_attempt_has_ended_while_nobody_lived() -> None:
    """It would be let in again before others whatever is inside, since whoever is might wait for its lock."""
    mute = Mute()
    async with world(slow, coat=mute.over) as here:
        ref = await here.submit(flow(ALONE))
        while len(here.created) < 2:  # the lock is on record, and of its pod nothing yet
            await here.after(0.05)
        mute.mute = True
        await here.after(1)
        assert "w.B" not in named(await here.api.get(ref))
        here.replaced = True
        here.die()
        await here.after(20)
        mute.mute = False
        system = System(here.api, rooms(here.settings), settings=Settings(), clock=VirtualClock(), dice=Random(1))
        async with here.instead(system):
            done = await here.end_of(ref)

    assert {"w.B(0)": "Failed", "w.B(1)": "Succeeded", "w.A.onExit": "Succeeded"}.items() <= phases(done).items()
    assert here.most_running == 1

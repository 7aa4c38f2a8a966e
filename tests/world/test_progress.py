"""What a program says of its progress while it runs is read once a minute, and whatever becomes of the reading is
no matter of the node's phase."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import anyio
import pytest

from runtime.api import Api, ApiError, LogOptions, Refused, Unavailable
from runtime.objects import Object, Reference
from tests.world.flows import flow, nodes, table
from tests.world.world import Outcome, World, world
from tiphys.controllers import ControllerSettings

pytestmark = pytest.mark.virtual_time

SAYS = """
  - name: says
    container: {image: busybox, command: [sh, -c, "echo 1/4 > $ARGO_PROGRESS_FILE"]}
  - name: main
    steps: [[{name: a, template: says}, {name: b, template: leaf}]]
"""
LONG = table(a=Outcome(delay_s=600.0))


class Teller:
    """An API whose pods' sidecars have said `said` (an error: their logs cannot be read), and who asked them when."""

    def __init__(self) -> None:
        self.said: bytes | ApiError = b""
        self.asked: list[tuple[float, LogOptions]] = []
        self._api: Any = None

    def over(self, api: Api) -> Any:
        self._api = api
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def log(self, ref: Reference, options: LogOptions) -> Any:
        del ref
        self.asked.append((anyio.current_time(), options))
        return self._lines()

    @asynccontextmanager
    async def _lines(self) -> AsyncIterator[AsyncIterator[bytes]]:
        if isinstance(self.said, ApiError):
            raise self.said
        chunks = anyio.create_memory_object_stream[bytes](1)
        chunks[0].send_nowait(self.said)
        chunks[0].close()
        async with chunks[1]:
            yield chunks[1]


async def progress(here: World, ref: Reference) -> tuple[str, str, str]:
    """Of the pod's node, of the template around it, of the workflow."""
    thing: Object = await here.api.get(ref)
    found = nodes(thing)
    return found["a"]["progress"], found["w"]["progress"], thing["status"]["progress"]


@pytest.mark.spec("PROG-2")
async def test_a_running_pod_is_asked_once_a_tick_and_its_answer_travels_up_the_tree() -> None:
    teller = Teller()
    async with world(LONG, coat=teller.over) as here:
        ref = await here.submit(flow(SAYS))
        await here.after(30)
        assert (teller.asked, await progress(here, ref)) == ([], ("0/1", "1/2", "1/2"))
        teller.said = b"1/4\n"
        await here.after(60)
        assert await progress(here, ref) == ("1/4", "2/5", "2/5")
        teller.said = b"3/4\n"
        await here.after(60)
        assert await progress(here, ref) == ("3/4", "4/5", "4/5")
        await here.end_of(ref)
        done = await here.at_rest(ref)

    assert {options for _, options in teller.asked} == {LogOptions("tiphys-progress", tail_lines=1)}
    times = [time for time, _ in teller.asked]
    assert len(times) == 10  # in ten minutes, of one pod of two
    assert all(later - earlier == pytest.approx(60, abs=0.1) for earlier, later in pairwise(times))
    assert nodes(done)["a"]["progress"] == "4/4"


@pytest.mark.spec("PROG-2")
@pytest.mark.parametrize(
    "bad", [b"", b"half\n", b"5/4\n", b"\xff\xfe", Refused("container is waiting to start"), Unavailable("away")]
)
async def test_an_answer_that_says_nothing_changes_nothing_and_the_next_tick_asks_again(bad: bytes | ApiError) -> None:
    teller = Teller()
    teller.said = bad
    async with world(LONG, coat=teller.over) as here:
        ref = await here.submit(flow(SAYS))
        await here.after(150)
        assert await progress(here, ref) == ("0/1", "1/2", "1/2")
        assert nodes(await here.api.get(ref))["a"]["phase"] == "Running"
        teller.said = b"2/4\n"
        await here.after(60)
        assert await progress(here, ref) == ("2/4", "3/5", "3/5")
        done = await here.end_of(ref)

    assert done["status"]["phase"] == "Succeeded"


@pytest.mark.spec("PROG-2")
async def test_who_takes_over_keeps_what_is_on_record_and_goes_on_asking() -> None:
    teller = Teller()
    teller.said = b"1/4\n"
    said = SAYS.replace("container:", "metadata: {annotations: {workflows.argoproj.io/progress: 0/8}}\n    container:")
    async with world(LONG, coat=teller.over) as here:
        ref = await here.submit(flow(said))
        await here.after(10)
        assert await progress(here, ref) == ("0/8", "1/9", "1/9")
        await here.after(60)
        assert await progress(here, ref) == ("1/4", "2/5", "2/5")
        here.die()
        await here.after(10)
        assert await progress(here, ref) == ("1/4", "2/5", "2/5")
        teller.said = b"2/4\n"
        await here.after(60)
        assert await progress(here, ref) == ("2/4", "3/5", "3/5")


@pytest.mark.spec("PROG-2")
async def test_an_installation_may_ask_more_often_or_not_at_all() -> None:
    for tick_s, times in ((7.0, 14), (0.0, 0)):
        teller, settings = Teller(), ControllerSettings()
        settings = replace(settings, pods=replace(settings.pods, progress_tick_s=tick_s))
        async with world(LONG, coat=teller.over, settings=settings) as here:
            await here.submit(flow(SAYS))
            await here.after(100)
        assert len(teller.asked) == times

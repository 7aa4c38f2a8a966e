"""Questions to services and logs of pods: they answer, fail, break or hang, and hold up nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from runtime import calls, perform
from runtime.api import Conflict, LogOptions, Refused, Unavailable
from runtime.messages import Ask, Done, Failed, Read, ReadLog
from runtime.objects import PODS, Reference
from runtime.registry import DEAD
from tests.kernel.bench import at, bench

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]


async def test_services_answer_fail_and_break():
    async with bench() as b:
        b.submit(
            Ask("echo", 42, "fine"),
            Ask("echo", Conflict("look again"), "api"),
            Ask("echo", ValueError("no"), "broke"),
            Ask("nobody", 1, "unknown"),
            Ask("echo", 10_000.0, "slow"),
        )
        await anyio.sleep(perform.ASK_TIMEOUT_S + 1)
        heard = b.heard()
        assert heard[0] == Done(Ask("echo", 42, "fine"), 42)
        errors = {m.command.tag: m.error for m in heard if isinstance(m, Failed)}
        assert {tag: type(error) for tag, error in errors.items()} == {
            "api": Conflict, "broke": Refused, "unknown": Refused, "slow": Unavailable,
        }  # fmt: skip
        assert str(errors["unknown"]) == "room a has no service 'nobody', only echo"
        assert str(errors["broke"]) == "ValueError: no"


async def test_slow_services_do_not_hold_up_the_api():
    async with bench() as b:
        b.submit(*(Ask("echo", 100.0) for _ in range(200)), Read(at("a"), "r"))
        await anyio.sleep(1.5)
        assert b.results() == [("Gone", "r")]


async def test_slow_services_do_not_hold_up_quick_ones_until_there_are_too_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(perform, "ASK_CONCURRENCY", 300)
    async with bench() as b:
        b.submit(*(Ask("echo", 100.0) for _ in range(200)), Ask("echo", 1.0, "quick"))
        await anyio.sleep(1.5)
        assert [done.command.tag for done in b.heard()] == ["quick"]
        b.submit(*(Ask("echo", 100.0) for _ in range(100)), Ask("echo", 1.0, "waits"))
        await anyio.sleep(50)
        assert b.performers.statistics().asking == 300
        await anyio.sleep(60)
        assert "waits" in [done.command.tag for done in b.heard()]


async def test_a_log_is_read_once_and_its_end_is_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(calls, "READ_LOG_BYTES_MAX", 10)

    @asynccontextmanager
    async def stream(ref: Any, options: LogOptions) -> AsyncIterator[AsyncIterator[bytes]]:
        async def chunks() -> AsyncIterator[bytes]:
            assert not options.follow
            for number in range(8):
                yield b"%04d" % number

        yield chunks()

    async with bench() as b:
        b.api.log = stream
        b.submit(ReadLog(Reference(PODS, "default", "p"), LogOptions(follow=True)))
        await anyio.sleep(1)
        (message,) = b.heard()
        assert message.result.endswith(b"00060007")
        assert 10 <= len(message.result) < 14


async def test_no_service_is_asked_for_a_dead_actor():
    asked: list[Any] = []

    async def note(query: Any) -> None:
        asked.append(query)

    async with bench() as b:
        b.performers._services["a"] = {"note": note}
        b.submit(Ask("note", 1))
        b.registry.remove(b.actor, DEAD)
        await anyio.sleep(5)
        assert asked == []

"""Commands to calls: order, urgency, limits, and what each failure becomes."""

from __future__ import annotations

import anyio
import pytest

from runtime import perform
from runtime.api import AlreadyExists, Conflict, Gone, Refused, Throttled
from runtime.messages import (
    Address,
    Ask,
    Create,
    Delete,
    Done,
    Patch,
    Read,
    Withdraw,
    WriteStatus,
)
from runtime.objects import CONFIGMAPS, EVENTS, Reference, reference
from runtime.orders import Order, Orders
from runtime.registry import DEAD, STOPPED, Actor
from tests.kernel.bench import at, bench
from tests.kernel.kernel import Scripted
from tests.kernel.objects import configmap

pytestmark = [pytest.mark.virtual_time, pytest.mark.usefixtures("quiet")]


async def test_a_result_is_the_object_as_stored():
    async with bench() as b:
        b.submit(Create(CONFIGMAPS, configmap("a"), "c"))
        await anyio.sleep(1.5)
        (message,) = b.heard()
        assert message.result["metadata"]["uid"]
        ref = reference(CONFIGMAPS, message.result)
        b.submit(Patch(ref, {"data": {"k": "v"}}), Read(ref), Delete(ref))
        await anyio.sleep(3.5)
        patched, read, deleted = b.heard()
        assert patched.result["data"] == read.result["data"] == {"k": "v"}
        assert deleted.result is None


async def test_an_event_is_written_and_nobody_is_told_what_became_of_it():
    """It is for people; an actor that read of each would wake up for nothing, four times for a small workflow."""
    event = {"metadata": {"name": "e", "namespace": "default"}, "involvedObject": {"kind": "Pod", "name": "p"}}
    async with bench() as b:
        b.submit(Create(EVENTS, event), Create(EVENTS, event), Create(CONFIGMAPS, configmap("a"), "c"))
        await anyio.sleep(3.5)
        assert b.results() == [("done", "c")]
        assert (await b.api.get(Reference(EVENTS, "default", "e")))["involvedObject"]["name"] == "p"
        counted = b.performers.statistics()
        assert (counted.performed, counted.failed) == (2, 1)  # the second one was there already


async def test_commands_about_one_object_are_performed_one_by_one_in_order_of_asking():
    async with bench() as b:
        b.submit(Create(CONFIGMAPS, configmap("a")), *(Patch(at("a"), {"data": {"k": str(n)}}) for n in range(20)))
        await anyio.sleep(30)
        assert [m.result["data"]["k"] for m in b.heard()[1:]] == [str(n) for n in range(20)]
        assert not b.api.together


async def test_while_the_fence_is_shut_nothing_is_begun_and_nobody_is_asked():
    async with bench() as b:
        is_open = False

        def fence() -> bool:
            return is_open

        b.performers.fence_of = lambda room: fence
        b.submit(Create(CONFIGMAPS, configmap("a")), Ask("echo", 1))
        await anyio.sleep(10)
        assert (b.api.calls, b.heard()) == ([], [])
        is_open = True
        b.performers.rouse()
        await anyio.sleep(2)
        assert [type(message) for message in b.heard()] == [Done, Done]


async def test_the_same_patch_asked_for_twice_while_it_waits_is_made_once_and_answered_twice():
    async with bench() as b:
        ref = at("a")
        label = {"metadata": {"labels": {"done": "true"}}}
        b.submit(Create(CONFIGMAPS, configmap("a")), Patch(ref, label), Patch(ref, {**label}))
        await anyio.sleep(10)
        assert [verb for verb, _ in b.api.calls] == ["create", "patch"]
        assert [type(message) for message in b.heard()] == [Done, Done, Done]


async def test_the_same_patch_is_made_again_when_the_first_has_begun_or_another_stands_between():
    """What has begun may have been overtaken by somebody else's write, which the actor may have seen."""
    async with bench() as b:
        ref = at("a")
        b.submit(Create(CONFIGMAPS, configmap("a")))
        await anyio.sleep(2)
        one, other = Patch(ref, {"data": {"k": "1"}}), Patch(ref, {"data": {"k": "2"}})
        b.submit(one)
        await anyio.sleep(0.5)
        b.submit(one, other, one, Read(ref), Read(ref))
        await anyio.sleep(10)
        assert [verb for verb, _ in b.api.calls] == ["create", "patch", "patch", "patch", "patch", "get", "get"]
        assert len(b.performers._orders) == 0


async def test_commands_about_different_objects_travel_together_up_to_the_limit():
    async with bench(concurrency=4) as b:
        b.submit(*(Create(CONFIGMAPS, configmap(f"c{n}")) for n in range(12)))
        await anyio.sleep(3.1)
        assert len(b.heard()) == 12
        assert b.api.most == 4


async def test_status_writes_come_first_and_creations_last():
    orders = Orders()
    actor = Actor(Address("a", "", "", ""), Scripted(), None)
    commands = [
        Create(CONFIGMAPS, configmap("new")),
        Patch(at("b"), {}),
        Delete(at("c")),
        WriteStatus(at("d"), {}, "1"),
        Read(at("e")),
        WriteStatus(at("b"), {}, "1"),  # stands behind the patch of the same object
    ]
    for command in commands:
        orders.add(Order(actor, command))
    order_of_names = []
    while (order := orders.take()) is not None:
        order_of_names.append(type(order.command).__name__ + ":" + (order.key or ("", "", "?"))[2])
        orders.done(order)

    assert order_of_names == [
        "WriteStatus:d", "Patch:b", "WriteStatus:b", "Delete:c", "Read:e", "Create:new",
    ]  # fmt: skip
    assert len(orders) == 0
    assert not orders._lines


async def test_every_failure_comes_back_as_what_to_do_next():
    async with bench() as b:
        await b.api.api.create(CONFIGMAPS, configmap("a"))
        b.submit(
            Create(CONFIGMAPS, configmap("a"), "exists"),
            Read(at("absent"), "gone"),
            Patch(at("a")._replace(uid="another"), {}, tag="uid"),
            WriteStatus(at("a"), {"data": {}}, "1", tag="old"),
        )
        await anyio.sleep(5)
        assert sorted(b.results()) == [
            ("AlreadyExists", "exists"), ("Conflict", "old"), ("Conflict", "uid"), ("Gone", "gone"),
        ]  # fmt: skip


async def test_a_status_write_is_conditional_on_the_version_and_uid_it_was_computed_from():
    async with bench() as b:
        stored = await b.api.api.create(CONFIGMAPS, configmap("a"))
        ref = reference(CONFIGMAPS, stored)
        b.submit(
            WriteStatus(
                ref, {"data": {"n": "1"}, "metadata": {"labels": {"l": "1"}}}, stored["metadata"]["resourceVersion"]
            )
        )
        await anyio.sleep(1.5)
        (message,) = b.heard()
        assert (message.result["data"], message.result["metadata"]["labels"]) == ({"n": "1"}, {"l": "1"})


async def test_deleting_what_is_absent_is_done():
    async with bench() as b:
        stored = await b.api.api.create(CONFIGMAPS, configmap("a"))
        other = reference(CONFIGMAPS, stored)._replace(uid="an-older-one")
        b.submit(Delete(at("absent"), tag="absent"), Delete(other, tag="older"))
        await anyio.sleep(5)
        assert b.results() == [("done", "absent"), ("done", "older")]
        assert await b.api.api.get(at("a"))


async def test_a_json_patch_tests_the_uid():
    async with bench() as b:
        stored = await b.api.api.create(CONFIGMAPS, configmap("a", k="1"))
        ref = reference(CONFIGMAPS, stored)
        change = [{"op": "replace", "path": "/data/k", "value": "2"}]
        b.submit(Patch(ref, change, "json", tag="mine"), Patch(ref._replace(uid="x"), change, "json", tag="other"))
        await anyio.sleep(3)
        mine, other = b.results()
        assert mine == ("done", "mine")
        assert other in {("Refused", "other"), ("Conflict", "other")}  # servers differ in what a failed test is


async def test_throttled_waits_as_told_and_keeps_the_order_of_its_object():
    async with bench() as b:
        await b.api.api.create(CONFIGMAPS, configmap("a"))
        refused = iter([Throttled("slow down", after_s=30.0)])
        b.api.fault = lambda verb, subject: next(refused, None)
        b.submit(Patch(at("a"), {"data": {"k": "1"}}, tag="first"), Patch(at("a"), {"data": {"k": "2"}}, tag="second"))
        await anyio.sleep(30)
        assert b.results() == []
        await anyio.sleep(12)
        assert b.results() == [("done", "first"), ("done", "second")]
        assert b.performers.statistics().throttled == 1


async def test_what_waits_and_is_withdrawn_by_who_asked_is_never_made():
    """One is put off by the server, one waits for its turn; another actor's is none of its business."""
    async with bench(concurrency=1) as b:
        refused = iter([Throttled("slow down", after_s=30.0)])
        b.api.fault = lambda verb, subject: next(refused, None)
        b.submit(Create(CONFIGMAPS, configmap("a"), "put off"), Patch(at("a"), {}, tag="behind"))
        b.submit(Create(CONFIGMAPS, configmap("b"), "waits"))
        await anyio.sleep(5)
        b.submit(Create(CONFIGMAPS, configmap("c"), "wanted"))
        stranger = Actor(Address("a", "default", "y", ""), Scripted(), None)
        for who, name in ((b.actor, "a"), (b.actor, "b"), (b.actor, "nobody's"), (stranger, "c")):
            b.performers.submit(who, Withdraw(at(name)))
        await anyio.sleep(60)
        assert b.results() == [("Withdrawn", "put off"), ("Gone", "behind"), ("Withdrawn", "waits"), ("done", "wanted")]
        assert b.performers.statistics().busy == 0


async def test_what_is_in_flight_is_not_called_back():
    async with bench() as b:
        b.submit(Create(CONFIGMAPS, configmap("a"), "begun"))
        await anyio.sleep(0.5)
        b.submit(Withdraw(at("a")))
        await anyio.sleep(5)
        assert b.results() == [("done", "begun")]


async def test_a_throttling_server_is_asked_less_and_less_at_once_then_more_again():
    async with bench(concurrency=16) as b:
        closed = True
        b.api.fault = lambda verb, subject: Throttled("slow down", after_s=10.0) if closed else None
        b.submit(*(Create(CONFIGMAPS, configmap(f"c{n}")) for n in range(200)))
        await anyio.sleep(40)
        assert b.performers.statistics().window <= 2
        assert len(b.api.calls) < 16 * 5
        closed = False
        await anyio.sleep(600)
        assert len(b.heard()) == 200
        assert b.performers.statistics().window > 8


async def test_the_refusals_of_one_burst_count_once_and_what_waits_counts_as_in_flight():
    async with bench(concurrency=16) as b:
        b.api.fault = lambda verb, subject: Throttled("slow down", after_s=10.0)
        b.submit(*(Create(CONFIGMAPS, configmap(f"c{n}")) for n in range(200)))
        await anyio.sleep(9)
        assert b.performers.statistics().window == 8
        assert len(b.api.calls) == 16


async def test_a_command_throttled_for_ever_is_told_in_the_end():
    async with bench() as b:
        b.api.fault = lambda verb, subject: Throttled("never", after_s=1.0)
        b.submit(Read(at("a"), "r"))
        await anyio.sleep(3 * perform.THROTTLED_TRIES_MAX)
        assert b.results() == [("Throttled", "r")]


async def test_a_call_without_an_answer_is_unavailable():
    async with bench() as b:
        b.api.delay_s = 10_000.0
        b.submit(Read(at("a"), "r"))
        await anyio.sleep(perform.PERFORM_TIMEOUT_S + perform.PERFORM_LATE_S + 1)
        assert b.results() == [("Unavailable", "r")]


async def test_who_waited_for_an_answer_in_vain_performs_the_next_command():
    async with bench(concurrency=1) as b:
        b.api.delay_s = 10_000.0
        b.submit(Read(at("a"), "late"), Read(at("b"), "later"))
        await anyio.sleep(2 * (perform.PERFORM_TIMEOUT_S + perform.PERFORM_LATE_S) + 1)
        b.api.delay_s = 0.0
        b.submit(Read(at("c"), "in time"))
        await anyio.sleep(5)
        assert b.results() == [("Unavailable", "late"), ("Unavailable", "later"), ("Gone", "in time")]


async def test_a_call_has_its_whole_time_however_long_ago_the_one_before_was():
    async with bench(concurrency=1) as b:
        b.submit(Read(at("a"), "quick"))
        await anyio.sleep(perform.PERFORM_LATE_S + 1)
        b.api.delay_s = perform.PERFORM_TIMEOUT_S - 1
        b.submit(Read(at("b"), "slow"))
        await anyio.sleep(2 * perform.PERFORM_TIMEOUT_S)  # the limit of what was performed last comes while it idles
        b.submit(Read(at("c"), "slow, too"))
        await anyio.sleep(perform.PERFORM_TIMEOUT_S)
        assert b.results() == [("Gone", "quick"), ("Gone", "slow"), ("Gone", "slow, too")]


async def test_a_bug_in_the_api_is_unavailable_and_costs_nobody_else():
    async with bench(concurrency=1) as b:
        b.api.fault = lambda verb, subject: ZeroDivisionError("oops") if subject == "a" else None
        b.submit(Read(at("a"), "bug"), Read(at("b"), "fine"))
        await anyio.sleep(5)
        assert b.results() == [("Unavailable", "bug"), ("Gone", "fine")]


async def test_nothing_of_a_dead_actor_is_begun_and_no_result_of_it_arrives():
    async with bench(concurrency=1) as b:
        b.submit(Create(CONFIGMAPS, configmap("begun")), Create(CONFIGMAPS, configmap("waiting")))
        await anyio.sleep(0.5)
        b.registry.remove(b.actor, DEAD)
        await anyio.sleep(5)
        assert [subject for _, subject in b.api.calls] == ["begun"]
        assert b.heard() == []
        assert b.registry.statistics().dead_letters == 0


async def test_what_a_stopped_actor_asked_for_is_done_and_nobody_hears_of_it():
    async with bench(concurrency=1) as b:
        b.submit(Create(CONFIGMAPS, configmap("a")), Create(CONFIGMAPS, configmap("b")))
        b.registry.remove(b.actor, STOPPED)
        await anyio.sleep(5)
        assert [subject for _, subject in b.api.calls] == ["a", "b"]


async def test_draining_finishes_what_is_begun_and_status_writes_and_begins_nothing_else():
    async with bench(concurrency=1) as b:
        stored = await b.api.api.create(CONFIGMAPS, configmap("a"))
        b.submit(Create(CONFIGMAPS, configmap("begun")))
        await anyio.sleep(0.5)
        b.submit(
            Create(CONFIGMAPS, configmap("late")),
            WriteStatus(at("a"), {"data": {"k": "v"}}, stored["metadata"]["resourceVersion"]),
        )
        await b.performers.drain()
        assert b.api.calls == [("create", "begun"), ("patch", "a")]


async def test_a_name_may_be_generated():
    async with bench() as b:
        thing = configmap("x")
        thing["metadata"] = {"generateName": "x-", "namespace": "default"}
        b.submit(Create(CONFIGMAPS, thing), Create(CONFIGMAPS, thing))
        await anyio.sleep(2)
        first, second = (m.result["metadata"]["name"] for m in b.heard())
        assert first != second


def test_the_errors_are_all_told_apart():
    assert not issubclass(AlreadyExists, Conflict)
    assert not issubclass(Gone, Refused)

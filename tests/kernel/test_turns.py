"""Namespaces take turns, at reading and at writing; what a fence holds back holds up nobody else."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from runtime.actor import Room
from runtime.messages import Address, Create, Patch, Told, WriteStatus
from runtime.objects import CONFIGMAPS, EVENTS, Reference
from runtime.orders import Order, Orders
from runtime.registry import Actor
from runtime.turns import LANES_KEPT, Fenced, Turns
from tests.kernel.kernel import Kernel, Scripted

OUTSIDE = Address("outside", "", "", "")


def test_the_first_of_another_namespace_waits_for_one_and_not_for_ten_thousand():
    turns: Turns[str] = Turns()
    for number in range(10_000):
        turns.append("many", f"many {number}")
    turns.append("few", "few 0")

    assert [turns.popleft() for _ in range(4)] == ["many 0", "few 0", "many 1", "many 2"]
    assert len(turns) == 9_997


def test_namespaces_that_were_are_forgotten_when_there_are_many():
    turns: Turns[int] = Turns()
    for number in range(5 * LANES_KEPT):
        turns.append(str(number), number)
        assert turns.popleft() == number
    assert len(turns._lanes) <= LANES_KEPT


def test_beside_those_in_which_something_waits_few_are_kept():
    turns: Turns[str] = Turns()
    busy = 3 * LANES_KEPT
    for number in range(busy):
        turns.append(f"busy {number}", "waits")
    for number in range(5 * LANES_KEPT):
        turns.append(str(number), "once")
        assert turns.seek(lambda lane: "once" in lane)
        assert turns.popleft() == "once"
    assert len(turns._lanes) <= busy + LANES_KEPT
    assert len(turns) == busy


@given(st.lists(st.none() | st.tuples(st.sampled_from("abc"), st.booleans())))
def test_within_a_namespace_the_order_is_that_of_a_queue_and_none_has_two_turns_while_another_waits(steps):
    turns: Turns[tuple[str, int]] = Turns()
    model: dict[str, deque[int]] = {lane: deque() for lane in "abc"}
    passed: dict[str, set[str]] = {}  # by lane that waits: who has had a turn meanwhile
    for number, step in enumerate(steps):
        if step is not None:
            lane, first = step
            passed.setdefault(lane, set())
            (turns.appendleft if first else turns.append)(lane, (lane, number))
            (model[lane].appendleft if first else model[lane].append)(number)
        elif turns:
            lane, found = turns.popleft()
            assert model[lane].popleft() == found
            passed.pop(lane)
            for others in passed.values():
                assert lane not in others, "twice, while another one waited"
                others.add(lane)
            if model[lane]:
                passed[lane] = set()
        assert len(turns) == sum(map(len, model.values())) == len(list(turns))


def test_behind_a_shut_fence_things_wait_and_behind_an_open_one_they_do_not():
    fenced: Fenced[str] = Fenced()
    is_open = {"x": False, "y": True}
    fences = {name: lambda name=name: is_open[name] for name in is_open}
    for number in range(3):
        for name, fence in fences.items():
            fenced.append(fence, "n", f"{name}{number}")

    assert [fenced.take(), fenced.take()] == ["y0", "y1"]
    assert (list(map(list, fenced.open())), len(fenced)) == ([["y2"]], 4)
    is_open["x"] = True
    assert [fenced.take() for _ in range(5)] == ["x0", "y2", "x1", "x2", None]


def test_actors_of_namespaces_read_by_turns():
    order: list[str] = []
    kernel = Kernel(Room("a", Scripted(lambda state, message, now: order.append(message.word) or ())))
    many = [Address("a", "many", str(number), "") for number in range(1000)]
    few = Address("a", "few", "x", "")
    actors = {address: Actor(address, kernel.lives._minds["a"], None) for address in (*many, few)}
    for address, actor in actors.items():
        actor.state = []
        kernel.registry.post(actor, Told(OUTSIDE, address.namespace))
    kernel.run()

    assert order.index("few") == 1
    assert len(order) == 1001


def test_namespaces_take_turns_at_commands_and_within_one_the_most_urgent_goes_first():
    orders = Orders()
    actor = Actor(Address("a", "", "", ""), Scripted(), None)
    for number in range(50):
        orders.add(Order(actor, Create(EVENTS, {"metadata": {"namespace": "many", "generateName": f"{number}-"}})))
        orders.add(Order(actor, WriteStatus(Reference(CONFIGMAPS, "many", str(number)), {}, "1")))
    orders.add(Order(actor, Create(CONFIGMAPS, {"metadata": {"namespace": "few", "name": "x"}})))
    orders.add(Order(actor, Patch(Reference(CONFIGMAPS, "few", "y"), {})))
    orders.add(Order(actor, WriteStatus(Reference(CONFIGMAPS, "few", "z"), {}, "1")))
    taken = []
    while (order := orders.take()) is not None:
        where = "few" if "few" in str(order.command) else "many"
        taken.append((where, "Event" if "Event" in str(order.command) else type(order.command).__name__))
        orders.done(order)

    assert taken[:6] == [
        ("many", "WriteStatus"), ("few", "WriteStatus"), ("many", "WriteStatus"), ("few", "Patch"),
        ("many", "WriteStatus"), ("few", "Create"),
    ]  # fmt: skip
    assert taken[-50:] == [("many", "Event")] * 50, "Events wait for all else"
    assert len(orders) == 0


def test_at_the_end_only_status_writes_are_begun_whoever_elses_turn_it_is():
    orders = Orders()
    actor = Actor(Address("a", "", "", ""), Scripted(), None)
    for namespace in "abc":
        orders.add(Order(actor, Patch(Reference(CONFIGMAPS, namespace, "p"), {})))
    orders.add(Order(actor, WriteStatus(Reference(CONFIGMAPS, "b", "s"), {}, "1")))

    assert orders.statuses() == 1
    found = orders.take(statuses_only=True)
    assert found is not None
    assert isinstance(found.command, WriteStatus)
    assert (orders.take(statuses_only=True), orders.statuses(), len(orders)) == (None, 0, 3)


def test_what_one_room_may_not_write_holds_up_no_other_room():
    orders = Orders()
    actor = Actor(Address("a", "n", "", ""), Scripted(), None)
    shut, mine = Reference(CONFIGMAPS, "n", "shut"), Reference(CONFIGMAPS, "n", "mine")
    orders.add(Order(actor, WriteStatus(shut, {}, "1"), lambda: False))
    orders.add(Order(actor, Patch(mine, {})))

    found = orders.take()
    assert found is not None
    assert found.command == Patch(mine, {})
    assert orders.take() is None
    assert (len(orders), orders.statuses()) == (1, 0)

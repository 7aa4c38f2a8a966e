"""What a mailbox promises, as examples and as properties of random sequences."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from runtime.api import Unavailable
from runtime.mailbox import Mailbox
from runtime.messages import Address, Done, Down, Failed, Gone, Observed, Read, Started, Told
from runtime.objects import CONFIGMAPS, Reference

SENDER = Address("room", "default", "sender", "")


def seen(name: str, uid: str, version: int) -> Observed:
    thing = {"metadata": {"name": name, "uid": uid, "resourceVersion": str(version)}}
    return Observed(Reference(CONFIGMAPS, "default", name, uid), thing)


def emptied(box: Mailbox) -> list:
    found = []
    while (message := box.take()) is not None:
        found.append(message)
    return found


def test_a_newer_state_takes_the_place_of_the_older_one():
    box = Mailbox()
    box.put(seen("a", "1", 1))
    box.put(Told(SENDER, "x"))
    box.put(seen("a", "1", 2))

    assert emptied(box) == [seen("a", "1", 2), Told(SENDER, "x")]


def test_a_state_already_taken_is_not_replaced_but_followed():
    box = Mailbox()
    box.put(seen("a", "1", 1))
    assert box.take() == seen("a", "1", 1)
    box.put(seen("a", "1", 2))

    assert emptied(box) == [seen("a", "1", 2)]


def test_another_uid_is_preceded_by_the_end_of_the_older_object():
    box = Mailbox()
    box.put(seen("a", "1", 1))
    box.put(seen("a", "2", 5))

    old = seen("a", "1", 1)
    assert emptied(box) == [old, Gone(old.ref, old.object), seen("a", "2", 5)]


def test_the_end_already_told_is_not_told_twice():
    box = Mailbox()
    old = seen("a", "1", 1)
    for message in (old, Gone(old.ref, old.object), seen("a", "2", 5)):
        box.put(message)

    assert emptied(box) == [old, Gone(old.ref, old.object), seen("a", "2", 5)]


def test_an_object_that_comes_back_after_its_end_is_told_after_it():
    """It left the selector of a watch and returned: the order matters."""
    box = Mailbox()
    first, again = seen("a", "1", 1), seen("a", "1", 3)
    for message in (first, Gone(first.ref), again):
        box.put(message)

    assert emptied(box) == [first, Gone(first.ref), again]


def test_urgent_words_overtake_all_others_and_keep_their_own_order():
    box = Mailbox()
    box.put(Told(SENDER, "first"))
    box.put(Told(SENDER, "stop"), urgent=True)
    box.put(Told(SENDER, "terminate"), urgent=True)

    assert [message.word for message in emptied(box)] == ["stop", "terminate", "first"]


def test_results_of_commands_are_never_refused():
    box = Mailbox(limit=2)
    assert box.put(Told(SENDER, 1))
    assert box.put(Told(SENDER, 2))
    assert not box.put(Told(SENDER, 3))
    assert not box.put(Told(SENDER, 3), urgent=True)
    assert not box.put(seen("a", "1", 1))
    read = Read(Reference(CONFIGMAPS, "default", "a"))
    results = [Done(read), Failed(read, Unavailable("gone fishing")), Down(SENDER, "normal"), Started(1)]

    assert all(box.put(result) for result in results)
    assert emptied(box)[2:] == results


def test_a_full_mailbox_still_takes_newer_states_of_what_waits():
    box = Mailbox(limit=1)
    assert box.put(seen("a", "1", 1))
    assert box.put(seen("a", "1", 2))
    assert emptied(box) == [seen("a", "1", 2)]


def test_statistics_count_what_waits():
    box = Mailbox()
    box.put(seen("a", "1", 1))
    box.put(Told(SENDER, 1), urgent=True)

    assert box.statistics() == (2, 1, 1)
    assert box.waiting() == [Told(SENDER, 1), seen("a", "1", 1)]
    emptied(box)
    assert box.statistics() == (0, 0, 0)


actions = st.lists(
    st.one_of(
        st.tuples(st.just("see"), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.just("end"), st.sampled_from("ab"), st.integers(1, 3)),
        st.tuples(st.just("tell"), st.sampled_from("xy"), st.booleans()),
        st.tuples(st.just("take"), st.just(""), st.just(0)),
    ),
    max_size=60,
)


@given(actions)
def test_any_sequence_keeps_the_newest_state_the_order_of_senders_and_a_bounded_size(sequence):
    box, taken, told = Mailbox(), [], 0
    newest: dict[tuple[str, str], int] = {}
    for number, (what, name, which) in enumerate(sequence):
        if what == "see":
            newest[name, str(which)] = number
            box.put(seen(name, str(which), number))
        elif what == "end":
            newest.pop((name, str(which)), None)
            box.put(Gone(seen(name, str(which), 0).ref))
        elif what == "tell":
            told += 1
            box.put(Told(SENDER._replace(name=name), (bool(which), number)), urgent=bool(which))
        elif (message := box.take()) is not None:
            taken.append(message)
        waiting = [message for message in box.waiting() if isinstance(message, Observed)]
        assert len(box) == len(box.waiting())
        assert len(waiting) <= 2 * len(box)
    taken += emptied(box)

    assert sum(isinstance(message, Told) for message in taken) == told
    by_sender = defaultdict(list)
    last: dict[tuple[str, str], int] = {}
    for message in taken:
        if isinstance(message, Told):
            urgent, number = message.word
            by_sender[message.sender, urgent].append(number)
        elif isinstance(message, Observed):
            key = message.ref.name, message.ref.uid
            version = int(message.object["metadata"]["resourceVersion"])
            assert version >= last.get(key, -1), "an older state after a newer one"
            last[key] = version
    assert all(numbers == sorted(numbers) for numbers in by_sender.values())
    for key, version in newest.items():
        assert last[key] == version, "the newest state was lost"

"""The cache: right before anyone is told, and indexed by whom it concerns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.messages import Address, Gone, Observed
from runtime.objects import CONFIGMAPS, Object, reference
from runtime.store import Change, Store


def thing(name: str, uid: str = "u", version: int = 1, owner: str = "") -> dict:
    meta = {"namespace": "default", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": {**meta, "labels": {"owner": owner}}}


def own(thing: dict) -> Address:
    meta = thing["metadata"]
    return Address("own", meta["namespace"], meta["name"], meta["uid"])


def owners(thing: dict) -> Address | None:
    owner = thing["metadata"]["labels"]["owner"]
    return Address("owner", "default", owner, "") if owner else None


def store() -> Store:
    return Store(CONFIGMAPS, lambda thing: (own(thing), owners(thing)))


def told(changes) -> list[tuple[int, str, str]]:
    return [(change.watch, change.address.name, type(change.message).__name__) for change in changes]


def test_every_watch_is_told_of_what_concerns_it():
    cache = store()
    assert told(cache.put(thing("a"))) == [(0, "a", "Observed")]
    assert told(cache.put(thing("b", owner="x"))) == [(0, "b", "Observed"), (1, "x", "Observed")]
    assert cache.get("default", "a") == thing("a")
    assert len(cache) == 2


def test_objects_of_an_address_are_what_routes_there():
    cache = store()
    for name in "abc":
        cache.put(thing(name, owner="x" if name != "b" else "y"))

    address = Address("owner", "default", "x", "")
    assert [message.ref.name for message in cache.objects_of(address)] == ["a", "c"]
    assert cache.addresses(1) == [address, Address("owner", "default", "y", "")]


def test_another_uid_is_another_object():
    cache = store()
    cache.put(thing("a", "1"))
    changes = cache.put(thing("a", "2"))

    assert [(change.address.uid, type(change.message)) for change in changes] == [("1", Gone), ("2", Observed)]
    assert not cache.objects_of(own(thing("a", "1")))


def test_the_late_end_of_an_older_object_does_not_touch_its_successor():
    cache = store()
    cache.put(thing("a", "2"))

    assert cache.drop(thing("a", "1")) == []
    assert cache.drop(thing("absent")) == []
    assert cache.get("default", "a") == thing("a", "2")


def test_the_end_of_an_object_is_also_that_of_the_one_before_it():
    cache = store()
    cache.put(thing("a", "1", version=5))
    (change,) = cache.drop(thing("a", "2", version=10))

    assert change.message == Gone(reference(CONFIGMAPS, thing("a", "1")), thing("a", "1", version=5))
    assert len(cache) == 0


def test_the_end_carries_the_last_state():
    cache = store()
    cache.put(thing("a", version=1))
    (change,) = cache.drop(thing("a", version=9))

    assert change.message == Gone(reference(CONFIGMAPS, thing("a")), thing("a", version=9))
    assert len(cache) == 0


def test_who_an_object_no_longer_concerns_hears_that_it_is_gone():
    cache = store()
    cache.put(thing("a", owner="x", version=1))
    changes = cache.put(thing("a", owner="y", version=2))

    assert told(changes) == [(1, "x", "Gone"), (0, "a", "Observed"), (1, "y", "Observed")]
    assert not cache.objects_of(Address("owner", "default", "x", ""))


def replaced(cache: Store, *things: Object) -> list[Change]:
    return [change for changes in cache.replace(things) for change in changes]


def test_a_list_is_taken_in_object_by_object_each_before_it_is_told():
    cache = store()
    for name in "abc":
        cache.put(thing(name))
    for changes in cache.replace([thing("b", version=2), thing("c", version=2)]):
        for change in changes:
            kept = cache.objects_of(change.address)
            assert kept == ([change.message] if isinstance(change.message, Observed) else [])


def test_a_list_tells_who_is_gone_new_or_changed_and_nobody_else():
    cache = store()
    for name in "abc":
        cache.put(thing(name))
    changes = replaced(cache, thing("b"), thing("c", version=2), thing("d"))

    assert told(changes) == [(0, "a", "Gone"), (0, "c", "Observed"), (0, "d", "Observed")]


def test_the_cache_is_right_before_anyone_is_told():
    cache = store()
    for change in cache.put(thing("a", version=7)):
        assert cache.objects_of(change.address) == [change.message]


events = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "list"]),
        st.sampled_from("abc"),
        st.sampled_from("12"),
        st.sampled_from(["", "x", "y"]),
    ),
    max_size=40,
)


@given(events)
def test_who_listens_knows_what_the_cache_knows(sequence):
    """Replaying the messages of one address gives what `objects_of` says."""
    cache = store()
    heard: dict[Address, dict] = {}
    for version, (what, name, uid, owner) in enumerate(sequence):
        state = thing(name, uid, version, owner)
        if what == "list":
            kept = [item for item in cache.objects() if item["metadata"]["name"] != name]
            changes = replaced(cache, *kept, state)
        else:
            changes = cache.put(state) if what == "put" else cache.drop(state)
        for change in changes:
            mine = heard.setdefault(change.address, {})
            if isinstance(change.message, Observed):
                mine[change.message.ref] = change.message.object
            else:
                del mine[change.message.ref]
    for address, mine in heard.items():
        assert {message.ref: message.object for message in cache.objects_of(address)} == mine

"""What the journal sends, applied to what is on record, is what the journal knows."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.messages import NodeStatus
from actors.workflow.journal import WHOLE, Journal, merge_patch, parent_of

JSON = st.recursive(
    st.booleans() | st.integers(-3, 3) | st.text(max_size=3) | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


def apply(target: Any, patch: Any) -> Any:
    """RFC 7396, as the RFC writes it."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply(result.get(key), value)
    return result


@given(old=OBJECTS, new=OBJECTS)
def test_a_merge_patch_turns_the_old_into_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = copy.deepcopy(old)

    assert apply(old, merge_patch(old, new)) == new
    assert old == before
    assert merge_patch(new, new) == {}


def node(node_id: str, phase: str = "Running", **more: Any) -> NodeStatus:
    return NodeStatus(id=node_id, name=node_id, type="Pod", phase=phase, **more)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["Pending", "Running", "Succeeded"]), st.booleans())))
def test_whatever_writes_fail_the_record_ends_as_the_journal(changes: list[tuple[str, str, bool]]) -> None:
    journal = Journal()
    record: dict[str, Any] = {}
    for name, phase, works in changes:
        if name in journal.statuses and journal.statuses[name].ended:
            continue  # phases only move forward
        journal.change(node(name, phase, message=phase if phase == "Pending" else ""), "")
        patch = journal.take()
        if works:
            record = apply(record, patch)
            journal.acknowledged()
        else:
            journal.refused()
    record = apply(record, journal.take())

    assert record == {name: journal.entry(name) for name in journal.statuses}


@pytest.mark.spec("PROG-1")
def test_progress_sums_up_the_tree_and_counts_every_change_once() -> None:
    journal = Journal()
    journal.change(NodeStatus(id="dag", type="DAG", phase="Running"), "")
    for leaf in ("a", "b"):
        journal.change(node(leaf, "Pending", progress="0/1"), "dag")
    journal.change(node("a", "Succeeded", progress="1/1"), "dag")
    journal.change(node("a", "Succeeded", progress="1/1"), "dag")

    assert journal.total() == "1/2"
    assert journal.entry("dag")["progress"] == "1/2"


@pytest.mark.spec("RDUR-1")
def test_resources_durations_sum_up_the_tree() -> None:
    journal = Journal()
    journal.change(NodeStatus(id="dag", type="DAG", phase="Running"), "")
    journal.change(node("a", "Succeeded", resources_duration={"cpu": 2}), "dag")
    journal.change(node("b", "Succeeded", resources_duration={"cpu": 3, "memory": 1}), "dag")

    assert journal.entry("dag")["resourcesDuration"] == {"cpu": 5, "memory": 1}
    assert journal.durations[""] == {"cpu": 5, "memory": 1}


def test_a_node_is_told_only_when_its_final_state_is_on_record() -> None:
    journal = Journal()
    journal.change(node("a", "Running"), "")
    journal.take()
    journal.change(node("a", "Succeeded"), "", wants_record=True)

    assert journal.acknowledged() == []
    journal.take()
    assert journal.acknowledged() == ["a"]


def test_an_edit_is_told_once_and_our_own_echo_never() -> None:
    journal = Journal()
    journal.change(node("a", "Running"), "")
    journal.take()
    journal.acknowledged()
    echo = {"a": journal.entry("a")}
    theirs = {"a": {**echo["a"], "phase": "Succeeded"}}

    assert journal.edits(echo) == []
    assert [edit.phase for edit in journal.edits(theirs)] == ["Succeeded"]
    assert journal.edits(theirs) == []


@pytest.mark.parametrize(
    ("name", "starter"),
    [
        ("w.hooks.late(0)", "w.hooks.late"),  # a hook that is tried again: its attempts are its own
        ("w.hooks.late", ""),
        ("w.a.hooks.late", "w"),
        ("w.a.hooks.late(1).b", "w.a.hooks.late(1)"),
        ("w.a.onExit(0)", "w.a.onExit"),
        ("w.a.onExit", "w"),
        ("w.a(0)", "w.a"),
        ("w[0].s(1:x)", "w[0].s"),
        ("w[0].s", "w[0]"),
    ],
)
def test_a_later_life_knows_by_its_name_who_started_a_node(name: str, starter: str) -> None:
    composites = {one: f"id of {one}" for one in ("w", "w[0]", "w[0].s", "w.a", "w.hooks.late", "w.a.onExit")}
    composites |= {one: f"id of {one}" for one in ("w.a.hooks.late", "w.a.hooks.late(1)")}

    assert parent_of(name, composites) == (f"id of {starter}" if starter else WHOLE)


@pytest.mark.parametrize(
    ("type_", "ours", "theirs", "other"),
    [
        ("Retry", "Running", "Failed", True), ("Pod", "Pending", "Failed", True), ("Pod", "Succeeded", "Failed", True),
        ("Pod", "Failed", "Failed", False), ("Pod", "Running", "Pending", False),
        ("Suspend", "Running", "Failed", False),
    ],
)  # fmt: skip
def test_an_end_that_somebody_puts_on_record_is_another_than_ours(
    type_: str, ours: Any, theirs: str, *, other: bool
) -> None:
    """A former life's last words, when its write arrives late: the record never goes back. Suspend nodes hear of it."""
    node = NodeStatus(id="w-1", name="w.A", type=type_, phase="Running")
    journal = Journal.of({"nodes": {"w-1": msgspec.to_builtins(node)}})
    journal.change(msgspec.structs.replace(node, phase=ours), WHOLE)
    written = next(iter(Journal.of({"nodes": {"w-1": msgspec.to_builtins(node)}}).written.values()))
    journal.edits({"w-1": {**written, "phase": theirs}})

    assert journal.contradicted == ("w.A" if other else "")


def test_edges_are_kept_in_order_and_once() -> None:
    journal = Journal()
    journal.change(node("a"), "")
    for child in ("x", "y", "x", "z"):
        journal.edge(("a",), child)
    journal.change(node("y"), "a")
    journal.change(node("x"), "a")

    assert journal.entry("a")["children"] == ["x", "y"], "z has not begun"


@given(phase=st.sampled_from(["Succeeded", "Failed"]), text=st.text(max_size=20))
def test_a_status_survives_its_json(phase: str, text: str) -> None:
    status = node("a", phase, message=text, outputs={"result": text}, outbound_nodes=("x",))

    assert msgspec.convert(status.to_json(), NodeStatus) == status

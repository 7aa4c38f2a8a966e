"""A spec over another: lists with a key are merged by it in an API server's order, and all others are replaced."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.merging import in_order, merged, merged_specs


@pytest.mark.spec("WFT-2")
@pytest.mark.spec("TDEF-1")
@pytest.mark.parametrize(
    ("over", "under", "found"),
    [
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 1, "b": 3}),
        ({"nodeSelector": {"a": "x"}}, {"nodeSelector": {"a": "y", "b": "z"}}, {"nodeSelector": {"a": "x", "b": "z"}}),
        (
            {"tolerations": [{"key": "b"}]},
            {"tolerations": [{"key": "a"}, {"key": "b", "operator": "Exists"}]},
            {"tolerations": [{"key": "a"}, {"key": "b", "operator": "Exists"}]},
        ),
        (
            {"tolerations": [{"key": "b"}]},
            {"tolerations": [{"key": "a"}]},
            {"tolerations": [{"key": "b"}, {"key": "a"}]},
        ),
        (
            {"synchronization": {"mutexes": [{"name": "a"}]}},
            {"synchronization": {"mutexes": [{"name": "b"}]}},
            {"synchronization": {"mutexes": [{"name": "a"}]}},
        ),
        (
            {"container": {"env": [{"name": "A", "value": "1"}], "args": ["x"]}},
            {"container": {"env": [{"name": "A", "value": "0"}, {"name": "B", "value": "2"}], "args": ["y", "z"]}},
            {"container": {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "args": ["x"]}},
        ),
        (
            {"hooks": {"a": {"template": "x"}}},
            {"hooks": {"a": {"template": "y", "expression": "true"}, "b": {"template": "z"}}},
            {"hooks": {"a": {"template": "x"}, "b": {"template": "z"}}},
        ),
    ],
)
def test_each_rule(over: dict[str, Any], under: dict[str, Any], found: dict[str, Any]) -> None:
    assert merged(over, under) == found


@pytest.mark.spec("WFT-2")
@pytest.mark.parametrize(
    ("over", "under", "found"),
    [
        ([{"name": "p", "value": "1"}], [{"name": "p", "valueFrom": {"configMapKeyRef": {}}, "enum": ["2"]}],
         [{"name": "p", "value": "1"}]),
        ([{"name": "p"}], [{"name": "p", "value": "2"}], [{"name": "p", "value": "2"}]),
        ([{"name": "q", "value": "1"}, {"name": "n", "value": "2"}],
         [{"name": "p", "value": "3"}, {"name": "q", "value": "4"}],
         [{"name": "p", "value": "3"}, {"name": "q", "value": "1"}, {"name": "n", "value": "2"}]),
    ],
)  # fmt: skip
def test_an_argument_with_a_value_is_taken_whole(over: list[Any], under: list[Any], found: list[Any]) -> None:
    spec = merged_specs({"arguments": {"parameters": over}}, {"arguments": {"parameters": under}})
    assert spec == {"arguments": {"parameters": found}}


@pytest.mark.spec("WFT-2")
@pytest.mark.parametrize(
    ("over", "found"),
    [
        ({"name": "a", "s3": {"key": "mine"}}, {"name": "a", "s3": {"bucket": "b", "key": "mine"}}),
        ({"name": "a", "raw": {"data": "x"}}, {"name": "a", "raw": {"data": "x"}}),
    ],
)
def test_an_artifact_adds_to_a_store_of_its_kind_and_takes_the_place_of_others(
    over: dict[str, Any], found: dict[str, Any]
) -> None:
    under = {"arguments": {"artifacts": [{"name": "a", "s3": {"bucket": "b", "key": "k"}}]}}
    assert merged_specs({"arguments": {"artifacts": [over]}}, under) == {"arguments": {"artifacts": [found]}}


names = st.lists(st.sampled_from("abcdef"), unique=True)


@given(names, names)
def test_an_order_loses_nothing_and_keeps_the_order_of_either_side(wanted: list[str], old: list[str]) -> None:
    every = [*old, *(name for name in wanted if name not in old)]
    found = [entry["k"] for entry in in_order([{"k": name} for name in every], wanted, old, "k")]

    assert sorted(found) == sorted(every)
    assert [name for name in found if name in wanted] == wanted
    assert [name for name in found if name not in wanted] == [name for name in old if name not in wanted]

"""A strategic merge changes what it names and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.node.patches import BadPatch, parse_patch, strategic_merge

POD = {
    "containers": [{"name": "a", "image": "x", "env": [{"name": "E", "value": "1"}], "ports": [{"containerPort": 80}]}],
    "tolerations": [{"key": "t"}],
    "volumes": [{"name": "v", "emptyDir": {}}],
    "nodeSelector": {"a": "b", "c": "d"},
}
scalars = st.one_of(st.integers(), st.text(max_size=5), st.booleans())
specs = st.fixed_dictionaries(
    {
        "containers": st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("abc"), "image": st.text(max_size=3)}),
            max_size=3,
            unique_by=lambda c: c["name"],
        ),
        "nodeSelector": st.dictionaries(st.sampled_from("xyz"), st.text(max_size=3)),
    },
    optional={
        "hostNetwork": st.booleans(),
        "tolerations": st.lists(st.fixed_dictionaries({"key": st.text(max_size=3)})),
    },
)


@pytest.mark.parametrize(
    ("patch", "path", "value"),
    [
        ({"containers": [{"name": "a", "image": "y"}]}, ["containers", 0, "image"], "y"),
        ({"containers": [{"name": "a", "image": "y"}]}, ["containers", 0, "env"], [{"name": "E", "value": "1"}]),
        (
            {"containers": [{"name": "a", "env": [{"name": "F"}]}]},
            ["containers", 0, "env"],
            [{"name": "F"}, {"name": "E", "value": "1"}],
        ),
        (
            {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "p"}]}]},
            ["containers", 0, "ports", 0, "name"],
            "p",
        ),
        ({"containers": [{"name": "b"}]}, ["containers", 0], {"name": "b"}),
        ({"containers": [{"name": "a", "$patch": "delete"}]}, ["containers"], []),
        ({"containers": [{"$patch": "replace"}, {"name": "b"}]}, ["containers"], [{"name": "b"}]),
        ({"tolerations": [{"key": "u"}]}, ["tolerations"], [{"key": "u"}]),
        ({"nodeSelector": {"a": None, "e": "f"}}, ["nodeSelector"], {"c": "d", "e": "f"}),
        ({"nodeSelector": {"$patch": "replace", "e": "f"}}, ["nodeSelector"], {"e": "f"}),
        (
            {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {}}]},
            ["volumes", 0],
            {"name": "v", "hostPath": {}},
        ),
        ({"affinity": {"x": {"containers": [{"a": 1}]}}}, ["affinity", "x", "containers"], [{"a": 1}]),
    ],
)
def test_each_rule(patch: dict[str, Any], path: list[Any], value: Any) -> None:
    found: Any = strategic_merge(POD, patch)
    for step in path:
        found = found[step]
    assert found == value


@pytest.mark.parametrize(
    ("old", "patch", "merged"),
    [("ab", "c", "cab"), ("ab", "ba", "ba"), ("abc", "bd", "abdc"), ("abc", "dc", "dabc"), ("ab", "", "ab")],
)
def test_what_a_patch_names_comes_in_its_order_and_before_what_it_does_not_name(
    old: str, patch: str, merged: str
) -> None:
    """As an API server merges lists: an entry that the patch does not name goes first only if it did before."""
    variables = [[{"name": name} for name in names] for names in (old, patch)]
    found = strategic_merge({"env": variables[0]}, {"env": variables[1]})
    assert "".join(entry["name"] for entry in found["env"]) == merged


@given(specs, specs)
def test_a_patch_applied_twice_is_a_patch_applied_once(pod: dict[str, Any], patch: dict[str, Any]) -> None:
    once = strategic_merge(pod, patch)
    assert strategic_merge(once, patch) == once


@given(specs)
def test_an_empty_patch_changes_nothing(pod: dict[str, Any]) -> None:
    assert strategic_merge(pod, {}) == pod


@pytest.mark.parametrize("text", ['{"a": 1}', "a: 1", "{a: 1}", "---\na: 1\n"])
def test_a_patch_is_json_or_yaml(text: str) -> None:
    assert parse_patch(text, "podSpecPatch") == {"a": 1}


def test_a_patch_in_yaml_is_read_as_the_json_it_would_be() -> None:
    text = "nodeSelector: {1: a, b: 2026-01-01}"

    assert parse_patch(text, "podSpecPatch") == {"nodeSelector": {"1": "a", "b": "2026-01-01"}}


WRONG_SHAPES = [
    "containers: foo", "containers: [foo]", "containers: [[]]", "initContainers: {a: b}", "hostname: [a]",
    "hostNetwork: 'true'", "volumes: [{name: 1}]", "containers: [{name: main, env: [{name: A, value: 1}]}]",
    "nodeSelector: {a: {b: c}}",
]  # fmt: skip


@pytest.mark.spec("POD-3")
@pytest.mark.parametrize(
    "text", ["{", "a: [", "[1]", "text", "'\\x01", "a: !!binary ////", "? [a]\n: b", *WRONG_SHAPES]
)
def test_what_is_no_patch_names_its_field(text: str) -> None:
    with pytest.raises(BadPatch, match=r"^spec\.podSpecPatch: "):
        parse_patch(text, "spec.podSpecPatch")


@pytest.mark.parametrize(
    "patch", [{"a": {"$retainKeys": 1}}, {"$deleteFromPrimitiveList/a": 1}, {"$deleteFromPrimitiveList/volumes": "v"}]
)
def test_a_directive_of_the_wrong_shape_is_refused(patch: dict[str, Any]) -> None:
    with pytest.raises(BadPatch, match="a list of"):
        strategic_merge(POD, patch)


def test_an_entry_without_its_key_is_refused() -> None:
    with pytest.raises(BadPatch, match="lacks 'name'"):
        strategic_merge(POD, {"containers": [{"image": "x"}]})

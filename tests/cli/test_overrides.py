"""The command line wins over the file, and never changes the file's object."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.names import labels
from tiphys.cli import overrides, selection
from tiphys.cli.overrides import Overrides
from tiphys.cli.problems import InputError

WORKFLOW = {
    "metadata": {"generateName": "a-", "labels": {"x": "1"}},
    "spec": {
        "entrypoint": "main",
        "arguments": {
            "parameters": [{"name": "p", "value": "old"}, {"name": "q", "valueFrom": {"configMapKeyRef": {}}}]
        },
    },
}


def test_nothing_wished_is_nothing_changed() -> None:
    assert overrides.applied(WORKFLOW, Overrides()) == WORKFLOW


@pytest.mark.spec("OP-7")
def test_every_wish_is_applied_to_a_copy() -> None:
    before = copy.deepcopy(WORKFLOW)
    changed = overrides.applied(
        WORKFLOW, Overrides("b", "", "other", "robot", 3, {"q": "new", "r": "added"}, {"x": "2", "y": "3"})
    )
    assert before == WORKFLOW
    assert changed == {
        "metadata": {"name": "b", "labels": {"x": "2", "y": "3"}},
        "spec": {
            "entrypoint": "other",
            "serviceAccountName": "robot",
            "priority": 3,
            "arguments": {
                "parameters": [
                    {"name": "p", "value": "old"},
                    {"name": "q", "value": "new"},
                    {"name": "r", "value": "added"},
                ]
            },
        },
    }


def test_a_workflow_without_arguments_gets_them() -> None:
    changed = overrides.applied({"metadata": {"name": "a"}, "spec": None}, Overrides(parameters={"p": "v"}))
    assert changed["spec"] == {"arguments": {"parameters": [{"name": "p", "value": "v"}]}}


def test_a_generated_name_takes_the_place_of_a_name() -> None:
    assert overrides.applied({"metadata": {"name": "a"}}, Overrides(generate_name="b-"))["metadata"] == {
        "generateName": "b-"
    }


def test_a_spec_that_is_no_mapping_is_said() -> None:
    with pytest.raises(InputError, match="spec must be a mapping"):
        overrides.applied({"metadata": {}, "spec": []}, Overrides(entrypoint="x"))


@given(st.text(min_size=1).filter(lambda name: "=" not in name), st.text())
def test_a_value_arrives_to_the_letter(name: str, value: str) -> None:
    assert overrides.parameters([f"{name}={value}"]) == {name: value}


def test_a_parameter_file_gives_text_and_json(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("a: text\nb: 3\nc: true\nd: [1.0, {y: 1, x: é}]\ne: ~\n")
    assert overrides.parameters(["b=4"], str(file)) == {
        "a": "text",
        "b": "4",
        "c": "true",
        "d": '[1,{"x":"é","y":1}]',  # as Go writes JSON
        "e": "null",
    }


def test_a_parameter_that_no_json_can_hold_is_said() -> None:
    with pytest.raises(InputError, match="parameter 'a'"):
        overrides.as_text("a", float("nan"))


def test_a_parameter_file_that_is_a_list_is_said(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("- a\n")
    with pytest.raises(InputError, match=r"p\.yaml:1: a parameter file is a mapping of names to values"):
        overrides.parameters([], str(file))


@pytest.mark.spec("CLI-12")
@pytest.mark.parametrize(
    ("written", "value"), [('"a\\nb"', "a\nb"), ("`a`", "a"), ('"', '"'), ('"a', '"a'), ('"a"b"', '"a"b"'), ("a", "a")]
)
def test_a_value_of_a_node_may_stand_in_quotes(written: str, value: str) -> None:
    assert overrides.unquoted(written) == value


@pytest.mark.spec("CLI-1")
def test_a_run_by_hand_may_stand_for_another_time() -> None:
    made = overrides.applied({"metadata": {"generateName": "w-"}}, Overrides(scheduled="2006-01-02T15:04:05-07:00"))
    assert made["metadata"]["annotations"] == {labels.SCHEDULED_TIME: "2006-01-02T15:04:05-07:00"}


def test_labels_are_separated_by_commas() -> None:
    assert overrides.labels(["a=b,c=d", "e=f"]) == {"a": "b", "c": "d", "e": "f"}


@pytest.mark.parametrize(("text", "seconds"), [("", None), ("90", 90), ("10m", 600), ("2h", 7200), ("7d", 604_800)])
def test_a_length_of_time_is_read_as_people_write_it(text: str, seconds: float | None) -> None:
    assert selection.seconds(text, "--older") == seconds


def test_what_is_no_length_of_time_is_said() -> None:
    with pytest.raises(InputError, match="--older 'soon': expected a duration"):
        selection.seconds("soon", "--older")

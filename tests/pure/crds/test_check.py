"""Typos and wrong types are found, with their path and a remedy; nothing that comes in raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crds import KINDS
from crds.check import check
from crds.coerce import coerced
from crds.features import unsupported

WORDS = st.sampled_from(["", "a", "templates", "steps", "inline", "container", "é☃", "{{x}}", "name", "a.b[0]"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=10,
)


def workflow(template: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    templates = [{"name": "main", "container": {"image": "busybox"}} | (template or {})]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "hello-"},
        "spec": {"entrypoint": "main", "templates": templates} | spec,
    }


def only(thing: Any) -> tuple[str, str, str]:
    [problem] = check(thing)
    return problem.path, problem.message, problem.remedy


def test_a_right_workflow_has_no_problems():
    assert check(workflow()) == []


def test_an_unknown_field_is_reported_with_its_path_and_what_was_meant():
    path, message, remedy = only(workflow({"container": {"image": "busybox", "imagee": "x"}}))

    assert path == "spec.templates[0].container.imagee"
    assert message == "is not a known field"
    assert remedy == "did you mean image?"


def test_an_unknown_field_can_be_told_from_a_wrong_one():
    [problem] = check(workflow({"sidecar": []}))

    assert problem.unknown
    assert problem.remedy == "did you mean sidecars?"


def test_a_field_one_level_too_high_is_sent_where_it_belongs():
    assert only(workflow({"args": ["x"]}))[2] == "it belongs in container"


@pytest.mark.parametrize(
    ("template", "path", "message"),
    [
        ({"container": {"command": "sh"}}, "container.command", "must be a list, not the string 'sh'"),
        ({"container": []}, "container", "must be an object, not a list"),
        ({"daemon": "yes"}, "daemon", "must be true or false, not the string 'yes'"),
        ({"parallelism": "2"}, "parallelism", "must be a whole number, not the string '2'"),
        ({"parallelism": 1.5}, "parallelism", "must be a whole number, not the number 1.5"),
        ({"timeout": 10}, "timeout", "must be a string, not the number 10"),
        ({"steps": [{"name": "a"}]}, "steps[0]", "must be a list, not an object"),
        ({"steps": [[None]]}, "steps[0][0]", "must be an object, not null"),
        ({"inputs": {"parameters": [{"value": "x"}]}}, "inputs.parameters[0].name", "is required"),
        ({"activeDeadlineSeconds": []}, "activeDeadlineSeconds", "must be a whole number or a string, not a list"),
        (
            {"retryStrategy": {"retryPolicy": "OnFailur"}},
            "retryStrategy.retryPolicy",
            "'OnFailur' is none of Always, OnFailure, OnError, OnTransientError",
        ),
    ],
)
def test_a_wrong_type_is_told_in_words(template, path, message):
    assert only(workflow(template))[:2] == (f"spec.templates[0].{path}", message)


def test_a_number_where_text_belongs_comes_with_its_remedy():
    env = {"container": {"image": "x", "env": [{"name": "N", "value": 3}]}}

    assert only(workflow(env))[2] == 'quote it: "3"'


@pytest.mark.parametrize(
    ("template", "remedy"),
    [
        ({"timeout": 10}, 'quote it: "10"'),
        ({"timeout": True}, 'quote it: "true"'),
        ({"timeout": []}, ""),
        ({"volumes": {"name": "v"}}, "begin each entry with a dash"),
        ({"volumes": "v"}, ""),
        ({"daemon": "true"}, "write it without quotes"),
        ({"daemon": 1}, ""),
        ({"container": "x"}, ""),
        ({"labels": {}}, "it belongs in metadata"),
        ({"image": "x"}, "it belongs in container"),
        ({"nonsense": "x"}, ""),
    ],
)
def test_a_remedy_is_told_when_there_is_one(template, remedy):
    assert only(workflow(template))[2] == remedy


def test_every_value_of_a_map_is_judged():
    assert only(workflow({"nodeSelector": {"a": "b", "c": 1}}))[0] == "spec.templates[0].nodeSelector.c"


def test_a_kind_unlike_all_others_comes_with_the_list_of_those_that_are():
    thing = workflow() | {"kind": "Pod"}

    assert only(thing)[2].startswith("known are Workflow, WorkflowTemplate, ")


@pytest.mark.parametrize("deadline", [10, "10", "{{inputs.parameters.deadline}}"])
def test_int_or_string_takes_both(deadline):
    assert check(workflow({"activeDeadlineSeconds": deadline})) == []


@pytest.mark.parametrize("cpu", [1, 0.5, "500m"])
def test_quantities_are_numbers_or_text(cpu):
    assert check(workflow({"container": {"image": "x", "resources": {"limits": {"cpu": cpu}}}})) == []


@pytest.mark.parametrize("value", ["a", 1, 1.5, True])
def test_a_parameters_value_is_any_scalar(value):
    assert check(workflow(arguments={"parameters": [{"name": "p", "value": value}]})) == []


@pytest.mark.spec("PARAM-1")
def test_a_list_as_a_parameters_value_is_worth_a_warning():
    [problem] = check(workflow(arguments={"parameters": [{"name": "p", "value": [1]}]}))

    assert problem.severity == "warning"
    assert "becomes the empty string" in problem.message


def test_items_are_any_json():
    step = {"name": "a", "template": "main", "withItems": [1, "a", True, None, [1], {"a": {"b": 1}}]}

    assert check(workflow({"steps": [[step]], "container": None})) == []


def test_fields_of_inline_templates_and_of_template_defaults_are_checked():
    step = {"name": "a", "inline": {"container": {"imagee": "x"}}}
    found = check(workflow({"steps": [[step]]}, templateDefaults={"contaner": {}}))

    assert [problem.path for problem in found] == [
        "spec.templates[0].steps[0][0].inline.container.imagee",
        "spec.templateDefaults.contaner",
    ]


def test_null_is_as_good_as_absent():
    assert check(workflow({"inputs": None, "dag": None})) == []


def test_a_status_may_have_fields_of_the_future():
    assert check(workflow() | {"status": {"phase": "Running", "mood": {"good": True}}}) == []


@pytest.mark.parametrize(
    ("thing", "path", "remedy"),
    [
        ([], "", ""),
        ({"kind": "Workflow"}, "apiVersion", "write apiVersion: argoproj.io/v1alpha1"),
        ({"apiVersion": "argoproj.io/v1", "kind": "Workflow"}, "apiVersion", "known is argoproj.io/v1alpha1"),
        ({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflo"}, "kind", "did you mean Workflow?"),
        ({"apiVersion": "argoproj.io/v1alpha1"}, "kind", "write for example kind: Workflow"),
    ],
)
def test_what_is_no_object_of_ours_says_so(thing, path, remedy):
    assert (only(thing)[0], only(thing)[2]) == (path, remedy)


def test_an_object_needs_a_name():
    thing = workflow()
    thing["metadata"] = {"labels": {"a": "b"}}

    assert only(thing)[:2] == ("metadata", "has neither name nor generateName")


@given(
    kind=st.sampled_from(list(KINDS)), parts=st.dictionaries(st.sampled_from(["metadata", "spec", "status", "x"]), JSON)
)
def test_no_json_makes_it_raise(kind, parts):
    thing = {"apiVersion": "argoproj.io/v1alpha1", "kind": kind} | parts

    assert all(problem.message for problem in check(thing))
    assert isinstance(unsupported(thing), list)
    assert check(coerced(thing)) is not None


@given(JSON)
def test_nothing_at_all_makes_it_raise(thing):
    check(thing)
    unsupported(thing)
    coerced(thing)


def test_a_document_may_nest_deeper_than_the_stack():
    template: dict[str, Any] = {"container": {"image": "x", "oops": 1}}
    for _ in range(3000):
        template = {"steps": [[{"name": "a", "inline": template}]]}

    [problem] = check(workflow(template | {"container": None}))
    assert problem.path.endswith("inline.container.oops")


def test_numbers_in_files_become_text_where_text_belongs():
    written = workflow({"timeout": 10, "container": {"image": "x", "env": [{"name": "A", "value": True}], "args": [1]}})
    read = coerced(written)

    assert check(read) == []
    assert read["spec"]["templates"][0]["timeout"] == "10"
    assert read["spec"]["templates"][0]["container"]["env"][0]["value"] == "true"
    assert written["spec"]["templates"][0]["timeout"] == 10


def test_fields_without_a_value_are_left_out_of_what_is_read():
    read = coerced(workflow({"inputs": None, "volumes": [{"name": "v", "emptyDir": None}]}, withWhat=None))

    assert "inputs" not in read["spec"]["templates"][0]
    assert read["spec"]["templates"][0]["volumes"] == [{"name": "v"}]
    assert read["spec"]["withWhat"] is None  # an unknown field: the check will say so


def test_coercion_leaves_right_types_alone(examples):
    assert all(coerced(thing) == thing for _, thing in examples)

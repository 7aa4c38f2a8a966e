"""Tags are replaced in the tree, never in its text: no value can break a document."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.language import tags
from actors.language.functions import Functions
from actors.language.tags import (
    AbsentOptional,
    BadExpression,
    NotText,
    Tag,
    Unresolved,
    results_referenced,
    substitute,
    tags_in,
)


@pytest.mark.spec("EXPR-2")
@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("{{x}}", {"x": "1"}, "1"),
        ("{{ inputs.parameters.x }}", {"inputs.parameters.x": "v"}, "v"),
        ("a{{x}}b{{y}}c", {"x": "1", "y": "2"}, "a1b2c"),
        ("{{workflow.labels.a.b/c}}", {"workflow.labels.a.b/c": "v"}, "v"),
        ("{{{x}}}", {"{x": "v"}, "v}"),
        ("no tags", {}, "no tags"),
        ("", {}, ""),
    ],
)
def test_a_tag_becomes_the_text_of_its_name(text, values, expected):
    assert substitute(text, values) == expected


@pytest.mark.spec("EXPR-3")
@pytest.mark.parametrize(
    "text", ["{{ foo }}", "{{workflow.scheduledTime}}", "a {{b}} {{ c", "}} {{", "{{}}", "{{ =1}}"]
)
def test_an_unknown_tag_stays_to_the_letter(text):
    assert substitute(text, {"x": "1"}) == text


@pytest.mark.spec("EXPR-1")
def test_keys_are_replaced_as_well_as_values():
    tree = {"k-{{x}}": ["{{x}}", {"n": 1, "b": True, "z": None}]}
    assert substitute(tree, {"x": "v"}) == {"k-v": ["v", {"n": 1, "b": True, "z": None}]}


def test_what_has_no_tags_is_shared_not_copied():
    tree = {"a": [{"b": "c"}], "d": {"e": "{{x}}"}}
    result = substitute(tree, {"x": "1"})
    assert result["a"] is tree["a"]
    assert substitute(tree, {}) is tree
    assert tree == {"a": [{"b": "c"}], "d": {"e": "{{x}}"}}


@pytest.mark.spec("EXPR-4")
def test_of_nested_tags_the_inner_one_is_replaced_first_one_level_a_pass():
    values = {"item": "a", "inputs.parameters.a": "done"}
    once = substitute("{{inputs.parameters.{{item}}}}", values)
    assert once == "{{inputs.parameters.a}}"
    assert substitute(once, values) == "done"


@pytest.mark.spec("EXPR-4")
def test_an_absent_optional_inside_another_tag_is_an_error_for_good():
    with pytest.raises(AbsentOptional, match=r'unable to substitute nested tag .* "item" is an absent optional'):
        substitute("{{inputs.parameters.{{item}}}}", {"item": None})


@pytest.mark.spec("EXPR-5")
def test_references_must_resolve_except_those_to_artifacts():
    keep = "{{inputs.parameters.y}} {{foo}} {{steps.a.outputs.artifacts.x}} {{stepsX}}"
    assert substitute(keep, {}, unresolved="references") == keep
    for tag in ("steps.a.outputs.result", "tasks.b.status", "steps"):
        with pytest.raises(Unresolved, match=re.escape(f"failed to resolve {{{{{tag}}}}}")) as caught:
            substitute({"a": ["{{" + tag + "}}"]}, {}, unresolved="references")
        assert caught.value.tag == tag


@pytest.mark.spec("LOOP-6")
@pytest.mark.parametrize("text", ["{{ x }}", "{{steps.a.outputs.artifacts.x}}", "{{= x}}", "{{= item.a}}", "{{ open"])
def test_in_a_loops_body_every_tag_must_resolve(text):
    with pytest.raises(Unresolved):
        substitute(text, {"item": "1"}, unresolved="fail")


@pytest.mark.spec("EXPR-6", "ABS-4")
@pytest.mark.parametrize("mode", ["keep", "fail", "references"])
def test_an_absent_optional_is_an_error_in_every_pass(mode):
    with pytest.raises(AbsentOptional, match=r"^unable to substitute {{t}}: output is an absent optional"):
        substitute("x {{t}}", {"t": None}, unresolved=mode)


def test_a_plain_tag_takes_text_only():
    with pytest.raises(NotText, match=r"^failed to resolve {{n}} to string$"):
        substitute("{{n}}", {"n": 5})


@pytest.mark.spec("EXPR-7", "EXPR-8")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{=asInt(inputs.parameters.n) + 1}}", "6"),
        ("{{= steps['a-b'].outputs.result }}", "r"),
        ('{{=inputs.parameters["x-y"]}}', "q"),
        ("{{='<' + inputs.parameters.n}}", "<5"),
        ("{{=toJson({'a': '<'})}}", '{"a":"\\u003c"}'),
        ("{{={'a': [1, 2.5, '<']} }}", '{"a":[1,2.5,"\\u003c"]}'),
        ("{{=[1,2] | map(# * 2)}}", "[2,4]"),
        ("{{=1 == 1}}", "true"),
        ("{{=7 / 2}}-{{=6 / 2}}", "3.5-3"),
        ("{{=\n  inputs.parameters.n\n}}", "5"),
        ("{{=workflow.parameters.p}}", "v"),
        ("{{=inputs.parameters.multi}}", 'a "b"\n\\c'),
    ],
)
def test_an_expression_tag_becomes_the_text_of_its_result(text, expected):
    values = {
        "inputs.parameters.n": "5",
        "inputs.parameters.x-y": "q",
        "inputs.parameters.multi": 'a "b"\n\\c',
        "steps.a-b.outputs.result": "r",
        "workflow.parameters": "[]",
        "workflow.parameters.p": "v",
    }
    assert substitute(text, values, unresolved="fail") == expected


@pytest.mark.spec("EXPR-9")
@pytest.mark.parametrize(
    "text",
    [
        "{{=item}}",
        "{{=item.a + inputs.x}}",
        "{{=asInt(retries) > 1}}",
        "{{=lastRetry.exitCode}}",
        "{{=workflow.status == 'Failed'}}",
        "{{=workflow.failures}}",
        "{{=item == nil ? 'a' : 'b'}}",
    ],
)
def test_an_expression_over_a_late_name_waits_for_it(text):
    assert substitute(text, {"inputs.x": "1", "workflow.name": "w"}) == text
    assert substitute(text, {"inputs.x": "1", "workflow.name": "w"}, unresolved="references") == text


@pytest.mark.spec("EXPR-10")
def test_what_cannot_be_evaluated_yet_stays_and_where_all_is_known_it_is_an_error():
    unknown = "{{=nowhere.x + 1}}"
    assert substitute(unknown, {}) == unknown
    assert substitute("{{=1 + 'a'}}", {}) == "{{=1 + 'a'}}"
    assert substitute("{{=nil}}", {}) == "{{=nil}}"
    for text in ("{{=1 + 'a'}}", "{{=nil}}", "{{=asInt('x')}}"):
        with pytest.raises(BadExpression, match=r"^failed to evaluate expression"):
            substitute(text, {}, unresolved="fail")
        with pytest.raises(BadExpression):
            substitute(text, {}, unresolved="references")
    with pytest.raises(BadExpression, match="unexpected token"):
        substitute("{{=1 +}}", {})


@pytest.mark.spec("EXPR-5", "EXPR-10")
def test_a_missing_reference_inside_an_expression_is_one_to_wait_for():
    values = {"steps.b.status": "Running", "steps.a.status": "Running"}
    with pytest.raises(Unresolved, match=r"steps\.a\.outputs is missing"):
        substitute("{{=steps.a.outputs.result}}", values, unresolved="references")
    assert substitute("{{=foo.bar}}", {}, unresolved="references") == "{{=foo.bar}}"


@pytest.mark.spec("ABS-5")
def test_a_fallback_takes_the_place_of_what_is_absent():
    values = {"tasks.P.outputs.parameters.x": None, "tasks.P.status": "Skipped"}
    text = "{{= tasks.P.outputs.parameters.x ?? 'd' }}"
    assert substitute(text, values, unresolved="references") == "d"
    text = "{{= tasks.P.outputs.parameters.none ?? 'd' }}"
    assert substitute(text, values, unresolved="references") == "d"
    with pytest.raises(Unresolved, match="tasks is missing"):
        substitute(text, {}, unresolved="references")


@pytest.mark.spec("EXPR-12")
def test_a_value_that_looks_like_a_tag_is_not_read_again():
    values = {"a": "{{b}}", "b": "no", "c": "{{=1+1}}"}
    assert substitute("{{a}} {{=a}} {{c}} {{=c}}", values) == "{{b}} {{b}} {{=1+1}} {{=1+1}}"


def test_time_and_chance_come_in_from_outside():
    assert substitute("{{=now().Unix()}}", {}, functions=Functions(now=1622865782.0)) == "1622865782"
    with pytest.raises(BadExpression, match="no clock"):
        substitute("{{=now().Unix()}}", {}, unresolved="fail")


@pytest.mark.spec("EXPR-1")
@given(st.text(), st.text())
def test_any_value_arrives_as_it_is(value, other):
    tree = {"a": "{{x}}", "b": ["<{{x}}>", "{{=x}}"], "c{{y}}": 1}
    result = substitute(tree, {"x": value, "y": other}, unresolved="fail")
    assert result == {"a": value, "b": [f"<{value}>", value], f"c{other}": 1}
    if "\ud800" not in json.dumps(value, ensure_ascii=False):
        assert json.loads(json.dumps(result)) == result


@given(
    st.recursive(
        st.text() | st.integers() | st.none() | st.booleans(),
        lambda t: st.lists(t) | st.dictionaries(st.text(), t),
        max_leaves=12,
    )
)
def test_without_values_nothing_changes(tree):
    try:
        assert substitute(tree, {}) == tree
    except BadExpression:
        assert tags_in(tree)


@given(st.text(alphabet="{}=ax. "))
def test_cutting_a_string_at_its_tags_loses_nothing(text):
    try:
        assert substitute(text, {}) == text
    except BadExpression:
        assert "{{=" in text


def test_tags_are_listed_with_the_place_they_stand_in():
    tree = {"steps": [[{"when": "{{a}} == {{= b }}", "{{k}}": 1}]], "n": 1}
    assert tags_in(tree) == [
        Tag("a", "steps[0][0].when", False, "a"),
        Tag("b", "steps[0][0].when", True, " b "),
        Tag("k", "steps[0][0].{{k}}", False, "k"),
    ]
    assert tags_in({"a": "{{x{{y}}}}"})[0].name == "x{{y"


@pytest.mark.spec("SCR-2")
@pytest.mark.parametrize(
    ("tree", "name", "captured"),
    [
        ({"steps": [[{"a": "{{steps.gen.outputs.result}}"}]]}, "gen", True),
        ({"steps": [[{"a": "{{steps.gen.outputs.result}}"}]]}, "ge", False),
        ({"steps": [[{"a": "{{steps.gen2.outputs.result}}"}]]}, "gen", False),
        ({"steps": [[{"a": "{{=steps['gen-1'].outputs.result}}"}]]}, "gen-1", True),
        ({"steps": [[{"a": '{{=steps["gen-1"].outputs.result}}'}]]}, "gen-1", True),
        ({"dag": {"tasks": [{"a": "{{tasks.gen.outputs.result}}"}]}}, "gen", True),
        ({"dag": {"tasks": [{"a": "{{steps.gen.outputs.result}}"}]}}, "gen", False),
        ({"outputs": {"x": "tasks.gen.outputs.result"}, "dag": {}}, "gen", True),
        ({"steps": [[{"a": "{{steps.gen.outputs.parameters.x}}"}]]}, "gen", False),
    ],
)
def test_a_result_is_captured_when_its_parent_mentions_it(tree, name, captured):
    assert (name in results_referenced(tree)) is captured


def test_long_strings_are_read_without_being_remembered():
    text = "x" * (tags.CACHED_TEXT_MAX + 1) + "{{a}}"
    before = tags._cached_parts.cache_info().currsize
    assert substitute(text, {"a": "1"}).endswith("x1")
    assert tags._cached_parts.cache_info().currsize == before


@pytest.mark.spec("EXPR-3")
@pytest.mark.spec("EXPR-10")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{{ x | default("<y>") }}', r"failed to resolve {{ x | default(\"\u003cy\u003e\") }}"),
        ('{{=get(m, "<y>")}}', r'failed to evaluate expression "get(m, \\\"<y>\\\")"'),
    ],
)
def test_a_tag_is_told_as_it_stands_in_json(text: str, said: str) -> None:
    with pytest.raises(tags.SubstitutionError) as refused:
        substitute(text, {"m.k": "v"}, unresolved="fail")
    assert str(refused.value) == said


@pytest.mark.spec("EXPR-3")
@pytest.mark.parametrize("name", ["inputs.artifacts.a", "steps.s.outputs.artifacts.a"])
def test_an_artifact_in_a_text_is_a_name_that_nobody_knows(name: str) -> None:
    values = {name: {"name": "a", "s3": {"key": "k"}}}
    assert substitute(f"at {{{{{name}}}}}", values, unresolved="references") == f"at {{{{{name}}}}}"
    with pytest.raises(tags.Unresolved, match=re.escape(f"failed to resolve {{{{{name}}}}}") + "$"):
        substitute(f"at {{{{{name}}}}}", values, unresolved="fail")

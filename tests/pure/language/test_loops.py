"""Loops give items with upstream's texts, names and variables."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.language.aggregate import AggregateError, aggregate
from actors.language.loops import ITEMS_MAX, LoopError, expand, is_loop, limit_items


def texts(step):
    return [item.text for item in expand(step)]


def descriptions(step):
    return [item.description for item in expand(step)]


@pytest.mark.spec("LOOP-1")
def test_an_empty_list_of_items_is_no_loop():
    for step in ({}, {"withItems": []}, {"withParam": ""}, {"name": "x"}):
        assert expand(step) is None
        assert not is_loop(step)
    assert expand({"withParam": "[]"}) == []
    assert expand({"withSequence": {"count": 0}}) == []


@pytest.mark.spec("LOOP-4")
def test_items_keep_their_json_spelling():
    step = {"withItems": [1, "1", 1.0, True, "", None]}
    assert texts(step) == ["1", "1", "1", "true", "", "null"]
    step = {"withParam": '[1, "1", 1.0, 1e3, true, 12345678901234567890, "<a>"]'}
    assert texts(step) == ["1", "1", "1.0", "1e3", "true", "12345678901234567890", "<a>"]


@pytest.mark.spec("LOOP-4")
def test_a_maps_keys_become_variables_and_its_json_the_item():
    (item,) = expand({"withItems": [{"name": "jesse", "n": 1, "deep": {"x": [1, "<"]}}]})
    assert item.text == '{"deep":{"x":[1,"\\u003c"]},"n":1,"name":"jesse"}'
    assert item.variables == {
        "item": item.text,
        "item.name": "jesse",
        "item.n": "1",
        "item.deep": '{"x":[1,"<"]}',
    }
    assert item.value["name"] == "jesse"


@pytest.mark.spec("LOOP-5")
def test_descriptions_print_as_go_does_without_parentheses():
    step = {"withItems": ["a(b)c", {"b": "2", "a": "(1)"}, ["a", 1, ["x"]], 'q"', "a.b é"]}
    assert descriptions(step) == ["abc", "a:1,b:2", '[a 1 ["x"]]', 'q\\"', "a.b é"]


@pytest.mark.spec("LOOP-2")
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("foo", "invalid character 'o' in literal false (expecting 'a')"),
        ("hello", "invalid character 'h' looking for beginning of value"),
        ("[1,", "unexpected end of JSON input"),
        ("{}", "json: cannot unmarshal object into Go value of type []v1alpha1.Item"),
        ("3", "json: cannot unmarshal number into Go value of type []v1alpha1.Item"),
        ('"x"', "json: cannot unmarshal string into Go value of type []v1alpha1.Item"),
    ],
)
def test_text_that_is_no_json_list_is_refused_in_upstreams_words(text, reason):
    with pytest.raises(LoopError) as caught:
        expand({"withParam": f" {text} "})
    assert str(caught.value) == f"withParam value could not be parsed as a JSON list: {text}: {reason}"


@pytest.mark.spec("LOOP-3")
@pytest.mark.parametrize(
    ("sequence", "items"),
    [
        ({"count": 3}, ["0", "1", "2"]),
        ({"count": "3", "start": "5"}, ["5", "6", "7"]),
        ({"start": 1, "end": 3}, ["1", "2", "3"]),
        ({"start": "1", "end": "0"}, ["1", "0"]),
        ({"end": 2, "count": 9}, ["0", "1", "2"]),
        ({"count": -2}, ["0", "-1", "-2", "-3"]),
        ({"start": 3, "end": 3}, ["3"]),
        ({"count": 2, "format": "host-%02X.x"}, ["host-00.x", "host-01.x"]),
        ({"count": 1, "format": "%d-%d"}, ["0-%!d(MISSING)"]),
        ({"count": 1, "format": "x"}, ["x%!(EXTRA int=0)"]),
    ],
)
def test_sequences_count_up_or_down_in_a_format(sequence, items):
    assert texts({"withSequence": sequence}) == items
    assert all(isinstance(item.value, str) for item in expand({"withSequence": sequence}))


@pytest.mark.spec("LOOP-3")
def test_bad_bounds_are_named():
    with pytest.raises(LoopError, match=r'strconv\.Atoi: parsing "x": invalid syntax'):
        expand({"withSequence": {"count": "x"}})
    with pytest.raises(LoopError, match="neither end nor count"):
        expand({"withSequence": {"start": 1}})
    with pytest.raises(LoopError, match=r'strconv\.Atoi: parsing "1(0+)": value out of range'):
        expand({"withSequence": {"end": 10**30}})


@pytest.mark.spec("LOOP-10")
def test_a_loop_has_at_most_a_hundred_thousand_items_unless_told_otherwise():
    assert len(expand({"withSequence": {"count": ITEMS_MAX}})) == 100_000
    with pytest.raises(LoopError, match="withSequence makes 100001 items, more than 100000: split the loop"):
        expand({"withSequence": {"start": -ITEMS_MAX, "end": 0}})
    try:
        limit_items(3)
        for loop in ({"withItems": [1, 2, 3, 4]}, {"withParam": "[1, 2, 3, 4]"}, {"withSequence": {"count": 4}}):
            with pytest.raises(LoopError, match="makes 4 items, more than 3"):
                expand(loop)
        assert len(expand({"withItems": [1, 2, 3]})) == 3
    finally:
        limit_items(ITEMS_MAX)


@pytest.mark.spec("LOOP-4")
@pytest.mark.spec("LOOP-5")
def test_inside_an_item_of_a_text_keys_stay_in_their_order_and_those_of_a_spec_are_sorted():
    written = '[{"o": {"b": 1, "a": 2}, "l": [{"d": 1, "c": 2}]}, [{"b": 1, "a": 2}]]'
    mapped, listed = expand({"withParam": written})
    assert mapped.text == '{"l":[{"d":1,"c":2}],"o":{"b":1,"a":2}}'
    assert (mapped.variables["item.o"], mapped.variables["item.l"]) == ('{"b":1,"a":2}', '[{"d":1,"c":2}]')
    assert (mapped.description, listed.description) == ('l:[{"d":1,"c":2}],o:{"b":1,"a":2}', '[{"b":1,"a":2}]')
    assert listed.text == '[{"b":1,"a":2}]'

    kept, _ = expand({"withItems": json.loads(written)})
    assert (kept.text, kept.variables["item.o"]) == ('{"l":[{"c":2,"d":1}],"o":{"a":2,"b":1}}', '{"a":2,"b":1}')


@pytest.mark.spec("LOOP-8")
def test_results_of_a_loop_keep_the_order_of_their_keys_and_embedded_parameters_do_not():
    found = aggregate([([{"name": "p", "value": '{"b": 1, "a": 2}'}], '{"b": 1, "a": {"d": 1, "c": "<"}}')])
    assert found.result == '[{"b":1,"a":{"d":1,"c":"\\u003c"}}]'
    assert found.by_name == {"p": '[{"a":2,"b":1}]'}


scalars = st.text() | st.integers(-(2**53), 2**53) | st.booleans() | st.none()
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4), max_leaves=10
)


@given(st.lists(values, min_size=1))
def test_any_list_expands_and_its_items_are_what_they_were(items):
    found = expand({"withParam": json.dumps(items)})
    assert len(found) == len(items)
    for item, value in zip(found, items, strict=True):
        if isinstance(value, str):
            assert item.text == value
        elif "\ufffd" not in item.text:
            assert json.loads(item.text) == value
        assert "(" not in item.description
        assert ")" not in item.description
        assert item.variables["item"] == item.text


@pytest.mark.spec("LOOP-8")
def test_aggregates_are_lists_of_what_the_succeeded_children_gave():
    found = aggregate(
        [
            ([{"name": "p", "value": "a"}, {"name": "q", "value": "1"}], '{"x": 1.0}'),
            ([{"name": "p", "value": "<b>"}], "7"),
            (None, None),
        ]
    )
    assert found.parameters == '[{"p":"a","q":"1"},{"p":"\\u003cb\\u003e"}]'
    assert found.by_name == {"p": '["a","\\u003cb\\u003e"]', "q": '["1"]'}
    assert found.result == '[{"x":1.0},7]'
    assert found.variables("steps.X") == {
        "steps.X.outputs.parameters": found.parameters,
        "steps.X.outputs.result": found.result,
        "steps.X.outputs.parameters.p": found.by_name["p"],
        "steps.X.outputs.parameters.q": found.by_name["q"],
    }


@pytest.mark.spec("LOOP-8")
def test_values_are_embedded_when_all_of_them_are_objects_or_arrays():
    def column(*texts):
        return aggregate([([{"name": "p", "value": text}], None) for text in texts]).by_name["p"]

    assert column('{"a": 1.0}', "[2]") == '[{"a":1},[2]]'
    assert column('{"a": 1}', "2") == '["{\\"a\\": 1}","2"]'
    assert column('{"a": 1}', "{bad") == '["{\\"a\\": 1}","{bad"]'


@pytest.mark.spec("LOOP-8")
def test_a_result_that_is_not_json_is_an_error():
    with pytest.raises(AggregateError, match="invalid character 'o' in literal false"):
        aggregate([(None, "foo")])
    assert aggregate([]).result == aggregate([]).parameters == "[]"

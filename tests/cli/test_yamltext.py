"""YAML is read as Kubernetes reads it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.cli import yamltext
from tiphys.cli.problems import InputError


def value(text: str) -> object:
    (parsed,) = yamltext.parse(text, "file.yaml")
    return parsed.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 2020-01-01", "2020-01-01"),
        ("a: 2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z"),
        ("a: 1:30", "1:30"),
        ("a: 1e3", 1000.0),
        ("a: 0777", 511),
        ("a: 0o17", 15),
        ("a: 0x1F", 31),
        ("a: -12", -12),
        ("a: 1.5", 1.5),
        ("a: '1'", "1"),
        ('a: "true"', "true"),
        ("a: yes", True),
        ("a: off", False),
        ("a: ~", None),
        ("a: .inf", ".inf"),
        ("a: 1.2.3", "1.2.3"),
        ("a: |\n  x\n  y\n", "x\ny\n"),
    ],
)
def test_a_scalar_is_what_kubernetes_makes_of_it(text: str, expected: object) -> None:
    assert value(text) == {"a": expected}


def test_keys_become_text() -> None:
    assert value("1: a\ntrue: b\n~: c\n") == {"1": "a", "true": "b", "null": "c"}


def test_merge_keys_fill_what_is_missing() -> None:
    assert value("base: &b {x: 1, y: 2}\nmine:\n  <<: *b\n  y: 3\n") == {
        "base": {"x": 1, "y": 2},
        "mine": {"x": 1, "y": 3},
    }


def test_a_key_given_twice_names_both_lines() -> None:
    with pytest.raises(InputError, match=r"file.yaml:3: the key 'image' is given twice \(first on line 2\)"):
        value("a:\n  image: x\n  image: y\n")


def test_a_text_that_is_not_yaml_names_file_and_line() -> None:
    with pytest.raises(InputError, match=r"file\.yaml:3: this is not YAML"):
        value("a: 1\nb: 2\n  c: 3\n")


def test_a_tab_as_indentation_names_its_line() -> None:
    with pytest.raises(InputError, match=r"file\.yaml:2: this is not YAML"):
        value("a:\n\tb: 1\n")


def test_aliases_cannot_blow_a_small_file_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(InputError, match="values when its aliases are expanded"):
        value("\n".join(lines))


def test_nesting_has_a_limit() -> None:
    with pytest.raises(InputError, match="nested deeper than"):
        value("[" * 300 + "]" * 300)


def test_an_alias_inside_its_own_value_is_refused() -> None:
    with pytest.raises(InputError, match="an alias refers to the value that it is part of"):
        value("a: &a\n  b: *a\n")


def test_an_unknown_tag_is_refused() -> None:
    with pytest.raises(InputError, match="means nothing to Kubernetes"):
        value("a: !!python/name:os.system x")


def test_documents_know_the_line_they_begin_on() -> None:
    parsed = list(yamltext.parse("---\na: 1\n---\n# nothing\n---\nb:\n  c: 2\n", "f"))
    assert [(document.value, document.line) for document in parsed] == [({"a": 1}, 2), ({"b": {"c": 2}}, 6)]


def test_the_line_of_a_field_is_that_of_its_key() -> None:
    (parsed,) = yamltext.parse("spec:\n  templates:\n    - name: a\n      container:\n        image: x\n", "f")
    assert yamltext.line_of(parsed.node, ("spec", "templates", 0, "container", "image")) == 5
    assert yamltext.line_of(parsed.node, ("spec", "templates", 0, "container", "missing")) == 4
    assert yamltext.line_of(parsed.node, ("spec", "templates", 7)) == 2
    assert yamltext.line_of(parsed.node, ()) == 1


def test_a_field_path_is_read_as_validators_write_it() -> None:
    path = yamltext.path_of("spec.templates[0].dag.tasks[12].name")
    assert path == ("spec", "templates", 0, "dag", "tasks", 12, "name")
    assert yamltext.path_of("metadata.labels['a.b/c']") == ("metadata", "labels", "a.b/c")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_json_is_read_as_json(written: object) -> None:
    text = json.dumps({"value": written})
    (parsed,) = yamltext.parse(text, "f")
    assert parsed.value == {"value": written}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_problem(text: str) -> None:
    try:
        values = [parsed.value for parsed in yamltext.parse(text, "f")]
    except InputError as e:
        values = [problem.message for problem in e.problems]
        assert all(values)
    json.dumps(values)

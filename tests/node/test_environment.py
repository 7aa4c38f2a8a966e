"""The environment, `$(NAME)`, limits and remarks, as functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiphys.devcluster.node.containers import CannotCreate
from tiphys.devcluster.node.downward import Surroundings, field_value, resource_value
from tiphys.devcluster.node.environment import Source, environment, expand, references
from tiphys.devcluster.node.images import repository, same_image
from tiphys.devcluster.node.launch import memory_limit
from tiphys.devcluster.node.quantity import divide_up, parse_quantity
from tiphys.devcluster.node.remarks import unhonoured

POD = {"metadata": {"name": "p", "namespace": "ns", "uid": "u", "labels": {"a": 'x"y'}}, "spec": {"nodeName": "n"}}
AROUND = Surroundings(POD, {"cpu": "2"})


def test_references_are_expanded_once_and_unknown_ones_stay() -> None:
    env = {"A": "$(B)", "B": "b"}
    assert expand("$(A) $(B) $(C) $$(B) $B ${B} $(", env) == "$(B) b $(C) $(B) $B ${B} $("


@given(st.text().filter(lambda t: "$" not in t), st.dictionaries(st.text(min_size=1), st.text()))
def test_text_without_a_dollar_is_left_alone(text: str, env: dict[str, str]) -> None:
    assert expand(text, env) == text


@given(st.text())
def test_a_value_is_never_looked_at_again(value: str) -> None:
    assert expand("<$(A)>", {"A": value}) == f"<{value}>"


def test_later_variables_win_and_see_earlier_ones() -> None:
    container = {
        "name": "c",
        "envFrom": [{"configMapRef": {"name": "m"}}],
        "env": [{"name": "A", "value": "own"}, {"name": "B", "value": "$(A)$(LATER)"}, {"name": "LATER", "value": "x"}],
    }
    found = {Source("ConfigMap", "m"): {"data": {"A": "map", "not valid": "x", "C": "c"}}}
    assert references(container) == {Source("ConfigMap", "m")}
    env = environment(container, found, {"PATH": "/bin"}, AROUND)
    assert env == {"PATH": "/bin", "A": "own", "C": "c", "B": "own$(LATER)", "LATER": "x"}


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ({"configMapKeyRef": {"name": "m", "key": "k"}}, "couldn't find key k in ConfigMap ns/m"),
        ({"secretKeyRef": {"name": "s", "key": "k"}}, 'secret "s" not found'),
        ({"fieldRef": {"fieldPath": "spec.nonsense"}}, "unsupported fieldPath: spec.nonsense"),
    ],
)
def test_what_is_missing_is_named(variable: dict, words: str) -> None:
    container = {"name": "c", "env": [{"name": "V", "valueFrom": variable}]}
    found = {Source("ConfigMap", "m"): {"data": {}}, Source("Secret", "s"): None}
    with pytest.raises(CannotCreate, match=words):
        environment(container, found, {}, AROUND)


def test_a_pod_knows_itself() -> None:
    assert field_value(AROUND, "metadata.namespace") == "ns"
    assert field_value(AROUND, "metadata.labels['a']") == 'x"y'
    assert field_value(AROUND, "metadata.labels") == 'a="x\\"y"'
    assert field_value(AROUND, "status.podIP") == "127.0.0.1"
    assert field_value(AROUND, "spec.serviceAccountName") == "default"
    assert resource_value(AROUND, {"resource": "limits.cpu"}, "c") == "2"


@pytest.mark.parametrize(
    ("text", "millis"), [("1", 1000), ("250m", 250), ("1.5", 1500), ("1Ki", 1024000), ("2e3", 2000000)]
)
def test_quantities_are_exact(text: str, millis: int) -> None:
    assert parse_quantity(text) * 1000 == millis


def test_a_senseless_quantity_is_named() -> None:
    with pytest.raises(ValueError, match="'lots'"):
        parse_quantity("lots")


def test_dividing_rounds_up() -> None:
    assert divide_up(parse_quantity("1500m"), parse_quantity("1")) == 2
    assert divide_up(parse_quantity("1Gi"), parse_quantity("1Mi")) == 1024


def test_images_are_known_whatever_their_registry_and_tag() -> None:
    assert repository("docker.io/library/python:3.12@sha256:abc") == "python"
    assert repository("localhost:5000/busybox") == "busybox"
    assert same_image("localhost:5000/tiphys/executor:1", "localhost:5000/tiphys/executor")
    assert not same_image("other/executor", "tiphys/executor")


def test_what_a_node_of_processes_does_not_do_is_said_in_one_sentence() -> None:
    container = {"name": "main", "readinessProbe": {"grpc": {"port": 1}}, "securityContext": {"runAsUser": 7}}
    thing = {"spec": {"containers": [container], "shareProcessNamespace": True}}
    assert unhonoured(thing, isolated=True, any_user=True) == (
        "On this node of processes the readinessProbe of main only connects: the health protocol is not spoken; "
        "its containers do not share processes."
    )
    assert "not as 7" in unhonoured(thing, isolated=True, any_user=False)
    assert unhonoured({"spec": {"containers": [{"name": "main"}]}}, isolated=True, any_user=False) == ""


def test_a_memory_limit_is_read_as_bytes() -> None:
    assert memory_limit({"name": "m", "resources": {"limits": {"memory": "64Mi"}}}) == 64 << 20
    assert memory_limit({"name": "m"}) is None
    with pytest.raises(CannotCreate, match="memory limit of container m: quantity 'much'"):
        memory_limit({"name": "m", "resources": {"limits": {"memory": "much"}}})

"""Hashes are upstream's to the byte: each vector was asserted by upstream's own tests, or computed from its encoder."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.names.gojson import encode, table
from actors.names.podhash import dated_pod_hash, pod_hash, typed_template
from actors.names.quantities import amount, canonical
from actors.rollout.step_fields import step_hash


def template(name: str, **spec: Any) -> dict[str, Any]:
    container = {
        "name": name,
        "image": "nginx:1.19-alpine",
        "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
    }
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **spec}}


@pytest.mark.spec("RO-2.3-hash")
def test_the_vectors_of_pod_templates() -> None:
    delayed = template("canary-scaledowndelay")
    assert pod_hash(delayed) == "674d8cf959"
    assert (pod_hash(delayed, 0), pod_hash(delayed, 1)) == ("68785fb4f5", "dbc977b9d")
    assert dated_pod_hash(delayed) == "66597877b7"
    gated = template("dynamic-stable-scale", readinessGates=[{"conditionType": "argoproj.io/e2e-readiness"}])
    assert pod_hash(gated) == "6b56c8cdb4"
    demo = template("rollout-canary")
    port = {"containerPort": 8080, "protocol": "TCP"}
    demo["spec"]["containers"] = [
        {"name": "rollouts-demo", "image": "argoproj/rollouts-demo:blue", "imagePullPolicy": "Always", "ports": [port]}
    ]
    assert pod_hash(demo) == "854b969787"


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        (None, "5ffbfbbd64"),
        ([], "5ffbfbbd64"),  # a list without steps is none
        ([{"pause": {}}], "6b9b86fbd5"),
        ([{"pause": {}}, {"pause": {}}], "79c9b9f6bf"),
        ([{"setWeight": 20}, {"pause": {}}], "54649b9f5c"),
        ([{"setWeight": 20}, {"pause": {"duration": "10s"}}, {"setWeight": 50}], "675dd9d874"),
    ],
)
@pytest.mark.spec("RO-2.3-steps")
def test_the_vectors_of_steps(steps: Any, value: str) -> None:
    assert step_hash(steps) == value


@pytest.mark.spec("RO-7-1")
def test_the_order_of_keys_and_unknown_fields_do_not_matter() -> None:
    one = template("x")
    other = json.loads(json.dumps(one, sort_keys=True))
    other["spec"]["containers"][0]["noSuchField"] = 1
    other["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "0.005"
    other["metadata"]["creationTimestamp"] = None
    assert pod_hash(one) == pod_hash(other)


def test_empty_values_are_left_out_and_structs_are_not() -> None:
    types = table("T s?:s n?:i p?:*i l?:[]s m?:{}s inner?:U must:s many:[]s\nU a?:s")
    assert encode(types, "T", {}) == b'{"inner":{},"must":"","many":null}'
    given_ = {"s": "", "n": 0, "p": 0, "l": [], "m": {}, "inner": {"a": ""}, "must": "<&>\u2028", "many": []}
    assert encode(types, "T", given_) == b'{"p":0,"inner":{},"must":"\\u003c\\u0026\\u003e\\u2028","many":[]}'


def test_malformed_values_are_dropped() -> None:
    bad = template("x")
    bad["spec"]["containers"][0]["resources"] = {"requests": {"memory": "10MB!", "cpu": "1"}, "limits": "none"}
    found = typed_template(bad)["spec"]["containers"][0]["resources"]
    assert found == {"requests": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.001", "1m"), ("1000m", "1"), ("1.5Gi", "1536Mi"), ("1000Ki", "1000Ki"), ("1024Mi", "1Gi"),
        ("100000", "100k"), ("1e3", "1e3"), ("0", "0"), ("0.5", "500m"), ("0.5Gi", "512Mi"), ("1023", "1023"),
    ],
)  # fmt: skip
def test_quantities_are_canonical(text: str, written: str) -> None:
    assert canonical(text) == written


@given(st.integers(0, 10**9), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "Gi"]))
def test_a_canonical_quantity_is_the_same_amount_and_stays_as_it_is(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    assert amount(canonical(text)) == amount(text)
    assert canonical(canonical(text)) == canonical(text)

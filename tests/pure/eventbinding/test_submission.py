"""What a binding makes of an event is what upstream's server would make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.eventbinding.submission import (
    Occasion,
    TemplateRef,
    Undispatched,
    by_reference,
    means,
    template_of,
    workflow,
)
from actors.eventbinding.variables import variables
from actors.names import labels

INSTANCE = labels.CONTROLLER_INSTANCE_ID
PAYLOAD = {
    "foo": {"bar": "baz", "numeric": 8675309, "bool": True, "pr": 112},
    "list": ["one", "two"],
    "formatted": "My%Test%",
    "html": "<b>",
}


def binding(selector: str = "true", **submit: Any) -> dict[str, Any]:
    spec = {"event": {"selector": selector}, "submit": {"workflowTemplateRef": {"name": "t"}, **submit}}
    return {"metadata": {"name": "b", "namespace": "n"}, "spec": spec}


def template(labelled: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "t", "labels": labelled or {}}, "spec": spec}


def occasion(payload: Any = PAYLOAD, **more: Any) -> Occasion:
    headers = [("X-GitHub-Event", "push"), ("Authorization", "Bearer secret"), ("x-github-event", "again")]
    return Occasion(variables("n", "d", headers, json.dumps(payload).encode()), "abcde", **more)


def argument(expression: str, **occasions: Any) -> Any:
    parameters = [{"name": "p", "valueFrom": {"event": expression}}]
    made = workflow(binding(arguments={"parameters": parameters}), template(), occasion(**occasions))
    (found,) = made["spec"]["arguments"]["parameters"]
    return found["value"]


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize(
    ("selector", "meant"),
    [
        ("true", True),
        ("false", False),
        ('payload.foo.bar == "baz"', True),
        ('payload.missing == "baz"', False),
        ('discriminator == "d" && namespace == "n"', True),
        ('metadata["x-github-event"] == ["push", "again"]', True),
        ('metadata["authorization"] == nil', True),
        ("payload.foo.numeric == 8675309", True),
    ],
)
def test_a_selector_sees_the_payload_the_open_headers_and_where_it_was_sent(selector: str, meant: bool) -> None:
    assert means(binding(selector), occasion()) is meant


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("", "unexpected token EOF"),
        ("garbage!!!!!!", 'unexpected token Operator("!") (1:8)\n | garbage!!!!!!\n | .......^'),
        ('"garbage"', "unable to cast expression result 'garbage' to bool"),
    ],
)
def test_a_selector_that_is_no_condition_is_said_in_upstreams_words(selector: str, why: str) -> None:
    with pytest.raises(Undispatched) as raised:
        means(binding(selector), occasion())

    assert str(raised.value).startswith(f"failed to evaluate workflow template expression: {why}")


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("payload.foo.bar", "baz"),
        ("payload.formatted", "My%Test%"),
        ("payload.foo.pr", "112"),
        ("payload.foo.bool", "true"),
        ("payload.missing", "null"),
        ("payload.list", '["one","two"]'),
        ("payload.html", "<b>"),
        ("[payload.html]", '["\\u003cb\\u003e"]'),
        ('sprig.upper(payload.foo.bar) + "-" + discriminator', "BAZ-d"),
    ],
)
def test_an_argument_is_a_text_as_it_is_and_anything_else_its_json(expression: str, value: str) -> None:
    assert argument(expression) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.spec("EVT-2")
@given(JSON)
def test_the_whole_payload_can_be_an_argument(payload: Any) -> None:
    value = argument("payload", payload=payload)

    assert (value if isinstance(payload, str) else json.loads(value, parse_int=float)) == payload


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ({"name": "payload.......foo[.numeric]"}, "failed to evaluate workflow name expression: unexpected token"),
        ({"generateName": "!"}, "failed to evaluate workflow generateName expression: unexpected token"),
        ({"labels": {"a": "foo...bar"}}, 'failed to evaluate workflow label "a" expression: unexpected token'),
        ({"annotations": {"a": "foo.[..]b"}}, 'failed to evaluate workflow annotation "a" expression: '),
        ({"name": "payload.foo.numeric"}, "workflow name expression must evaluate to a string, not a float64"),
        ({"name": "payload.foo.bool"}, "workflow name expression must evaluate to a string, not a bool"),
        ({"name": "payload.foo"}, "workflow name expression must evaluate to a string, not a map[string]interface {}"),
        ({"name": "payload.list"}, "workflow name expression must evaluate to a string, not a []interface {}"),
        ({"name": "payload.nothing"}, "workflow name expression must evaluate to a string, not a <nil>"),
    ],
)
def test_metadata_that_is_no_text_is_said_in_upstreams_words(metadata: dict[str, Any], why: str) -> None:
    with pytest.raises(Undispatched) as raised:
        workflow(binding(metadata=metadata), template(), occasion())

    assert str(raised.value).startswith(why)


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize(
    ("parameter", "why"),
    [
        ({"name": "p"}, 'malformed workflow template parameter "p": valueFrom is nil'),
        ({"name": "p", "valueFrom": {"event": "rubbish!!!"}}, 'failed to evaluate workflow template parameter "p"'),
        ({"name": "p", "valueFrom": {"event": "0.0 / 0"}}, 'failed to convert result to JSON "p" expression'),
    ],
)
def test_an_argument_that_cannot_be_evaluated_is_named(parameter: dict[str, Any], why: str) -> None:
    with pytest.raises(Undispatched) as raised:
        workflow(binding(arguments={"parameters": [parameter]}), template(), occasion())

    assert str(raised.value).startswith(why)


@pytest.mark.spec("EVT-3")
def test_a_workflow_without_a_name_gets_the_templates_and_says_which_binding_made_it() -> None:
    made = workflow(binding(), template(), occasion(creator={labels.CREATOR: "me"}))

    assert made == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "generateName": "t-",
            "name": "t-abcde",
            "namespace": "n",
            "labels": {labels.WORKFLOW_TEMPLATE: "t", labels.CREATOR: "me", labels.WORKFLOW_EVENT_BINDING: "b"},
        },
        "spec": {"workflowTemplateRef": {"name": "t"}},
    }


@pytest.mark.spec("EVT-3")
@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"name": '"b-" + payload.foo.bar'}, "b-baz"),
        ({"generateName": '"pr-" + sprig.toString(payload.foo.pr) + "-"'}, "pr-112-abcde"),
        ({"name": '"one"', "generateName": '"two-"'}, "one"),
    ],
)
def test_a_workflows_name_is_what_the_binding_makes_of_the_event(metadata: dict[str, Any], name: str) -> None:
    assert workflow(binding(metadata=metadata), template(), occasion())["metadata"]["name"] == name


@pytest.mark.spec("EVT-2")
def test_the_templates_workflow_metadata_gives_way_to_the_bindings() -> None:
    wanted = {"labels": {"env": "theirs", "only": "yes"}, "annotations": {"note": "theirs"}}
    given_ = {"labels": {"env": '"mine"'}, "annotations": {"other": "payload.list[1]"}}

    meta = workflow(binding(metadata=given_), template(workflowMetadata=wanted), occasion())["metadata"]

    assert meta["labels"]["env"] == "mine"
    assert meta["labels"]["only"] == "yes"
    assert meta["annotations"] == {"note": "theirs", "other": "two"}


@pytest.mark.spec("EVT-3")
def test_what_says_who_made_it_cannot_be_claimed_by_the_binding() -> None:
    forged = {"labels": {labels.CREATOR: '"root"', labels.WORKFLOW_EVENT_BINDING: '"other"'}}

    made = workflow(binding(metadata=forged), template(), occasion(creator={labels.CREATOR: "me"}))["metadata"]

    assert made["labels"][labels.CREATOR] == "me"
    assert made["labels"][labels.WORKFLOW_EVENT_BINDING] == "b"


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize(("instance", "marked"), [("", "other"), ("mine", ""), ("mine", "other")])
def test_a_template_of_another_instance_is_not_submitted(instance: str, marked: str) -> None:
    with pytest.raises(Undispatched) as raised:
        workflow(binding(), template({INSTANCE: marked} if marked else {}), occasion(instance_id=instance))

    why = "failed to validate workflow template instanceid: 't' is not managed by the current Argo Server"
    assert str(raised.value) == why


@pytest.mark.spec("EVT-2")
def test_a_workflow_belongs_to_the_instance_that_submits_it() -> None:
    other = {"labels": {INSTANCE: "other"}}
    made = workflow(binding(), template({INSTANCE: "mine"}, workflowMetadata=other), occasion(instance_id="mine"))
    of_none = workflow(binding(), template(workflowMetadata=other), occasion())

    assert made["metadata"]["labels"][INSTANCE] == "mine"
    assert INSTANCE not in of_none["metadata"]["labels"]


@pytest.mark.spec("EVT-2")
def test_a_cluster_template_is_referred_to_as_one() -> None:
    one = binding(workflowTemplateRef={"name": "c", "clusterScope": True})

    assert template_of(one) == TemplateRef("c", cluster=True)
    made = by_reference(TemplateRef("c", cluster=True))
    assert made["spec"]["workflowTemplateRef"] == {"name": "c", "clusterScope": True}
    assert made["metadata"]["labels"] == {labels.CLUSTER_WORKFLOW_TEMPLATE: "c"}


@pytest.mark.spec("EVT-2")
def test_a_binding_may_only_listen() -> None:
    listens = {"metadata": {}, "spec": {"event": {"selector": "true"}}}

    assert template_of(listens) is None
    with pytest.raises(LookupError):
        workflow(listens, template(), occasion())


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_an_event_without_a_body_has_no_payload(body: bytes) -> None:
    assert variables("n", "", [], body) == {"namespace": "n", "discriminator": "", "metadata": {}, "payload": None}


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize("body", [b"{", b"\xff", b"NaN"])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        variables("n", "", [], body)

"""`x-kubernetes-validations`: what the author of a custom kind demands holds, in Kubernetes' words."""

from __future__ import annotations

import sys

import aiohttp
import anyio
import pytest

from runtime.api import Api, Refused
from runtime.objects import CRDS, Reference, reference
from tests.contract.conftest import definition
from tests.contract.teapots import NUMBER, TEAPOTS, TEXT, define, refusal, ruled, spec_schema, teapot
from tiphys.devcluster.validations import identifier, unusable


async def test_a_rule_refuses_with_its_message_at_its_field(api: Api) -> None:
    least = {"rule": "self.min <= self.max", "message": "min is at most max", "fieldPath": ".min"}
    told = {"rule": "self.size() < 4", "messageExpression": "'no more than 3 letters, not ' + string(self.size())"}
    bare = {"rule": "self != 'x'", "reason": "FieldValueForbidden"}
    schema = spec_schema(
        range=ruled({"type": "object", "properties": {"min": NUMBER, "max": NUMBER}}, least),
        names={"type": "array", "items": ruled(TEXT, told)},
        word=ruled(TEXT, bare),
    )
    await define(api, schema)
    await api.create(TEAPOTS, teapot(range={"min": 1, "max": 2}, names=["abc"], word="y"))
    wrong = await refusal(api, teapot(range={"min": 3, "max": 2}, names=["abc", "abcde"], word="x"))
    assert [(c["field"], c["reason"], c["message"]) for c in wrong.status["details"]["causes"]] == [
        ("spec.range.min", "FieldValueInvalid", "Invalid value: min is at most max"),
        ("spec.names[1]", "FieldValueInvalid", 'Invalid value: "abcde": no more than 3 letters, not 5'),
        ("spec.word", "FieldValueForbidden", "Forbidden: failed rule: self != 'x'"),
    ]
    broken = await refusal(api, teapot(range={"min": 3}))
    assert 'spec.range: Invalid value: "object": Key not found in map : "max" evaluating rule: min is' in str(broken)


async def test_what_a_rule_says_of_the_old_value_holds_for_changes_only(api: Api) -> None:
    frozen = {"rule": "self == oldSelf", "message": "selector is immutable"}
    grows = {"rule": "self >= oldSelf", "message": "only grows"}
    item = {"type": "object", "required": ["name"], "properties": {"name": TEXT, "n": ruled(NUMBER, grows)}}
    schema = spec_schema(
        selector=ruled({"type": "object", "additionalProperties": TEXT}, frozen),
        items={"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        free=NUMBER,
    )
    await define(api, schema)
    ref = reference(TEAPOTS, await api.create(TEAPOTS, teapot(selector={"a": "b"}, items=[{"name": "x", "n": 2}])))
    await api.patch(ref, {"spec": {"free": 1}})
    with pytest.raises(Refused, match=r"spec\.selector: Invalid value: selector is immutable"):
        await api.patch(ref, {"spec": {"selector": {"a": "c"}}})
    with pytest.raises(Refused, match=r"spec.items\[1\].n: Invalid value: 1: only grows"):
        await api.patch(ref, {"spec": {"items": [{"name": "y", "n": 0}, {"name": "x", "n": 1}]}})
    await api.patch(ref, {"spec": {"items": [{"name": "y", "n": 0}, {"name": "x", "n": 3}]}})


async def test_an_optional_old_value_is_absent_at_the_creation(api: Api) -> None:
    rule = {"rule": "oldSelf.hasValue() ? self == oldSelf.value() + 1 : self == 1", "optionalOldSelf": True}
    await define(api, spec_schema(n=ruled(NUMBER, rule)))
    assert "failed rule" in str(await refusal(api, teapot(n=2)))
    ref = reference(TEAPOTS, await api.create(TEAPOTS, teapot(n=1)))
    await api.patch(ref, {"spec": {"n": 2}})
    with pytest.raises(Refused, match="failed rule"):
        await api.patch(ref, {"spec": {"n": 9}})


async def test_values_are_what_the_schema_says_and_names_what_rules_can_spell(api: Api) -> None:
    rules = (
        {"rule": "self.share * 2.0 == 2.0"},
        {"rule": "timestamp(self.at) < timestamp('2030-01-01T00:00:00Z')"},
        {"rule": "self.__namespace__ == 'n' && self.a__dash__b == 'm'"},
        {"rule": "self.labels['a-b'] == 'c'"},
        {"rule": "self.words.isSorted() && 'id 12'.find('[0-9]+') == '12' && isURL('https://example.com')"},
    )
    properties = {
        "share": {"type": "number"},
        "at": {"type": "string", "format": "date-time"},
        "namespace": TEXT,
        "a-b": TEXT,
        "labels": {"type": "object", "additionalProperties": TEXT},
        "words": {"type": "array", "items": TEXT},
    }
    schema = spec_schema()
    schema["properties"]["spec"] = ruled({"type": "object", "properties": properties}, *rules)
    await define(api, schema)
    spec = {
        "share": 1,
        "at": "2026-01-01T00:00:00Z",
        "namespace": "n",
        "a-b": "m",
        "labels": {"a-b": "c"},
        "words": ["a", "b"],
    }
    await api.create(TEAPOTS, teapot(**spec))
    assert identifier("x/y.z__") == "x__slash__y__dot__z__underscores__"


async def test_what_was_stored_before_a_rule_came_may_stay_and_not_come_again(api: Api) -> None:
    await define(api, spec_schema(word=TEXT, other=TEXT))
    ref = reference(TEAPOTS, await api.create(TEAPOTS, teapot(word="long", other="x")))
    strict = definition(
        "Teapot", "teapots", spec_schema(word={**TEXT, "maxLength": 3}, other=ruled(TEXT, {"rule": "self != 'x'"}))
    )
    definitions = Reference(CRDS, "", "teapots.lab.example.com")
    await api.patch(definitions, {"spec": strict["spec"]})
    assert (await api.patch(ref, {"metadata": {"labels": {"a": "b"}}}))["spec"]["word"] == "long"
    with pytest.raises(Refused, match=r"spec\.word: Too long"):
        await api.patch(ref, {"spec": {"word": "longer"}})
    await api.patch(ref, {"spec": {"word": "ok", "other": "y"}})
    with pytest.raises(Refused, match=r"failed rule: self != 'x'"):
        await api.patch(ref, {"spec": {"other": "x"}})


async def test_rules_are_not_asked_when_the_shape_is_wrong(api: Api) -> None:
    await define(api, spec_schema(n=ruled(NUMBER, {"rule": "self > 1"})))
    wrong = await refusal(api, teapot(n="x"))
    assert wrong.status["details"]["causes"][-1]["field"] == "<nil>"
    assert "some validation rules were not checked because the object was invalid" in str(wrong)


async def test_a_rule_that_cannot_be_judged_is_said_when_the_definition_is_written(
    session: aiohttp.ClientSession,
) -> None:
    made = definition("Teapot", "teapots", spec_schema(n=ruled(NUMBER, {"rule": "quantity(self) > 1"})))
    async with session.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=made) as response:
        assert response.status == 201
        said = response.headers["Warning"]
    assert "v1.spec.n: the validation rule" in said
    assert "is not judged" in said
    assert list(unusable(definition("A", "as", spec_schema(n=ruled(NUMBER, {"rule": "self == oldSelf"}))))) == []


WITHOUT_LIBRARY = """
import sys
sys.modules["cel_expr_python"] = None
from tiphys.devcluster.expressions import Unusable, compiled
assert compiled(" self==oldSelf ")({"self": [1], "oldSelf": [1]}) is True
assert compiled("oldSelf == self")({"self": [1], "oldSelf": [2]}) is False
try:
    compiled("self > 1")
except Unusable as e:
    print(e)
"""


async def test_without_the_library_what_never_changes_is_judged_and_the_rest_says_what_helps() -> None:
    done = await anyio.run_process([sys.executable, "-c", WITHOUT_LIBRARY])
    assert done.stdout.decode() == "no library for CEL is installed: pip install 'tiphys[cel]'\n"

"""A template's instance is the run's own, whether there was anything to fill in or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from actors.arguments import BadOutput, composite_outputs
from actors.node.inputs import instantiate
from tests.pure.engine.nodes import a_call, a_run


@pytest.mark.parametrize("image", ["busybox", "{{workflow.name}}"])
def test_what_becomes_of_an_instance_is_not_seen_in_the_template(image: str) -> None:
    call = a_call(a_run())
    template: dict[str, Any] = {"name": "t", "container": {"image": image, "args": ["a"], "env": [{"name": "E"}]}}
    call = replace(call, resolved=replace(call.resolved, template=template))
    made = instantiate(call).template
    made["container"]["args"].append("b")
    made["container"]["env"][0]["value"] = "changed"
    assert template == {"name": "t", "container": {"image": image, "args": ["a"], "env": [{"name": "E"}]}}


@pytest.mark.parametrize("number", [1, 1 << 70])
def test_inputs_and_the_rest_stand_in_an_instance_with_and_without_tags(number: int) -> None:
    call = a_call(a_run())
    template: dict[str, Any] = {
        "name": "t",
        "inputs": {"parameters": [{"name": "p", "default": "d"}]},
        "container": {"image": "busybox"},
        "priority": number,
    }
    made = instantiate(replace(call, resolved=replace(call.resolved, template=template)))
    assert made.inputs == {"parameters": [{"name": "p", "default": "d", "value": "d"}]}
    assert made.template == {**template, "inputs": made.inputs}
    assert made.variables["inputs.parameters.p"] == "d"


@pytest.mark.spec("STEP-8")
@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        ({"parameter": "{{steps.a.outputs.parameters.o}}"}, '^Unable to resolve: "steps.a.outputs.parameters.o"$'),
        ({"expression": "none ?? nil"}, '^failed to evaluate expression "none'),
        ({"expression": 'get(nil, "x")'}, r'^failed to evaluate expression "get\(nil, \\"x\\"\)"$'),
        ({"expression": "1 +"}, "^(?!outputs)"),
    ],
)
def test_what_a_template_cannot_hand_out_is_told_in_upstreams_words(outputs: dict[str, str], says: str) -> None:
    with pytest.raises(BadOutput, match=says):
        composite_outputs({"outputs": {"parameters": [{"name": "o", "valueFrom": outputs}]}}, {"none": None})


def test_an_artifact_that_a_template_cannot_hand_out_is_told_as_upstream_tells_it() -> None:
    name = "steps.a.outputs.artifacts.o"
    why = f'^unable to resolve outputs from scope: Unable to resolve: "{name}"$'
    with pytest.raises(BadOutput, match=why):
        composite_outputs({"outputs": {"artifacts": [{"name": "o", "from": f"{{{{{name}}}}}"}]}}, {})


@pytest.mark.spec("ART-9")
@pytest.mark.parametrize("optional", [False, True])
def test_a_part_of_what_has_no_parts_cannot_be_handed_out(optional: bool) -> None:
    given = {"name": "o", "from": "{{inputs.artifacts.g}}", "subPath": "x", "optional": optional}
    with pytest.raises(BadOutput, match=r"^unable to resolve outputs from scope: subPath 'x'"):
        composite_outputs({"outputs": {"artifacts": [given]}}, {"inputs.artifacts.g": {"raw": {"data": "x"}}})

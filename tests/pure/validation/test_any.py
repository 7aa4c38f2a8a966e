"""Whatever is asked gets an answer."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from actors.workflow.validation import validate
from actors.workflow.validation.cycles import cycle

JSON_SPECS = st.fixed_dictionaries(
    {
        "entrypoint": st.sampled_from(["t", "u", "", "{{x}}"]),
        "templates": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["t", "u", "v.w", ""])},
                optional={
                    "container": st.sampled_from([None, {}, {"image": "x", "args": ["{{steps.a.status}}"]}]),
                    "steps": st.lists(
                        st.lists(
                            st.fixed_dictionaries(
                                {"name": st.sampled_from(["a", "b"]), "template": st.sampled_from(["t", "u", None])},
                                optional={
                                    "inline": st.sampled_from([{}, {"suspend": {}}, {"steps": [[{"name": "c"}]]}]),
                                    "hooks": st.sampled_from([{}, {"exit": {"template": "t"}}, {"x": {}}]),
                                    "withItems": st.sampled_from([[], [1], [{"a": [None]}], [[]]]),
                                },
                            ),
                            max_size=3,
                        ),
                        max_size=3,
                    ),
                    "dag": st.fixed_dictionaries(
                        {
                            "tasks": st.lists(
                                st.fixed_dictionaries(
                                    {"name": st.sampled_from(["a", "b", "c"])},
                                    optional={
                                        "template": st.sampled_from(["t", "u"]),
                                        "depends": st.sampled_from(["a", "b && c", "(", "a.X", "{{x}}"]),
                                        "when": st.sampled_from(
                                            ["{{tasks.a.status}}", "{{tasks.}}", "{{tasks}}", "{{"]
                                        ),
                                    },
                                ),
                                max_size=4,
                            )
                        }
                    ),
                },
            ),
            max_size=3,
        ),
    },
    optional={"arguments": st.sampled_from([None, {}, {"parameters": None}, {"artifacts": [{"name": "a"}]}])},
)


@given(JSON_SPECS, st.booleans(), st.booleans())
def test_no_spec_makes_it_raise(spec, lint, thorough):
    broken = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "x"}, "spec": spec}
    found = validate(broken, lookup=lambda _: None, lint=lint, thorough=thorough)

    assert all(problem.message and problem.path for problem in found)


TEXTS = st.text(st.sampled_from("ab1{}=\"'<&|!.()[]?:- \n\\\u00e9,%"), max_size=12)


@given(st.lists(TEXTS, min_size=8, max_size=8))
def test_no_text_makes_it_raise(texts):
    when, value, limit, duration, condition, patch, loop, count = texts
    step = {"name": "a", "template": "t", "when": when, "withParam": loop,
            "arguments": {"parameters": [{"name": "p", "value": "{{=" + value + "}}"}]}}  # fmt: skip
    templates = [
        {"name": "m", "steps": [[step, {"name": "b", "template": "t", "withSequence": {"count": count}}]]},
        {"name": "t", "resource": {"action": "get", "manifest": "a: b", "successCondition": condition},
         "retryStrategy": {"limit": limit, "backoff": {"duration": duration, "factor": limit}}, "podSpecPatch": patch},
    ]  # fmt: skip
    thing = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "x"}}
    spec = {"entrypoint": "m", "templates": templates, "podGC": {"deleteDelayDuration": duration}}

    validate(thing | {"spec": spec}, lookup=lambda _: None, thorough=True)


@given(st.lists(st.lists(st.integers(0, 6), max_size=3), min_size=1, max_size=7))
def test_a_cycle_is_found_exactly_when_there_is_no_order(needs):
    graph = {str(node): [str(need) for need in wanted if need < len(needs)] for node, wanted in enumerate(needs)}
    left = dict(graph)
    while ready := [name for name, wanted in left.items() if not any(need in left for need in wanted)]:
        for name in ready:
            del left[name]
    found = cycle(graph)

    assert bool(found) == bool(left)
    assert not found or found[0] == found[-1]
    assert all(need in graph[name] for name, need in itertools.pairwise(found))

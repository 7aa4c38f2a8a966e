"""What upstream's validation lets pass and a run would fail of: found by a thorough look, each where it is written."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from actors.workflow.validation import validate
from crds.problems import Problem
from tests.pure.validation.written import thing


def late(spec: str, *, thorough: bool = True) -> list[Problem]:
    """The late problems of a spec in YAML; there are no others."""
    found = validate(thing(yaml.safe_load(spec)), lookup=lambda _: None, thorough=thorough)
    assert [problem for problem in found if not problem.late] == []
    return found


def step(fields: str) -> str:
    """A spec with one step that has these fields, and inputs to refer to."""
    inputs = "inputs: {parameters: [{name: n, value: '1'}]}"
    return f"{{templates: [{{name: t, {inputs}, steps: [[{{name: a, template: ok, {fields}}}]]}}]}}"


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (step("when: 'a =='"), "spec.templates[0].steps[0][0].when"),
        (step("when: foo"), "spec.templates[0].steps[0][0].when"),
        (step("when: '{{inputs.parameters.n}} =='"), "spec.templates[0].steps[0][0].when"),
        (step("when: '({{inputs.parameters.n}} == 1'"), "spec.templates[0].steps[0][0].when"),
        (step("when: '{{=}} == 1'"), "spec.templates[0].steps[0][0].when"),
        (step("when: '{{=asInt(}} == 1'"), "spec.templates[0].steps[0][0].when"),
        (step("withParam: '[1, 2'"), "spec.templates[0].steps[0][0].withParam"),
        (step("withParam: '7'"), "spec.templates[0].steps[0][0].withParam"),
        (step("withSequence: {start: '1'}"), "spec.templates[0].steps[0][0].withSequence"),
        (step("withSequence: {}"), "spec.templates[0].steps[0][0].withSequence"),
        (step("withSequence: {count: lots}"), "spec.templates[0].steps[0][0].withSequence"),
        (step("withSequence: {end: '1000000000000000000000000'}"), "spec.templates[0].steps[0][0].withSequence"),
        (step("arguments: {parameters: [{name: p, value: '{{=asInt(}}'}]}"),
         "spec.templates[0].steps[0][0].arguments.parameters[0].value"),
        (step("arguments: {parameters: [{name: p, value: '{{=nosuch + 1}}'}]}"),
         "spec.templates[0].steps[0][0].arguments.parameters[0].value"),
        (step("arguments: {parameters: [{name: p, value: '{{=inputs.parameters.m}}'}]}"),
         "spec.templates[0].steps[0][0].arguments.parameters[0].value"),
        (step("arguments: {parameters: [{name: p, value: '{{=steps.later.outputs.result}}'}]}"),
         "spec.templates[0].steps[0][0].arguments.parameters[0].value"),
        (step("arguments: {parameters: [{name: p, value: '{{=workflow.parameters.absent}}'}]}"),
         "spec.templates[0].steps[0][0].arguments.parameters[0].value"),
        (step("hooks: {h: {template: ok, expression: 'a', arguments: {parameters: [{name: p, value: '{{=1 +}}'}]}}}"),
         "spec.templates[0].steps[0][0].hooks.h.arguments.parameters[0].value"),
        ("{templates: [{name: t, container: {image: x, args: ['{{=sprig.nosuch(1)}}']}}]}",
         "spec.templates[0].container.args[0]"),
        ("{templates: [{name: t, suspend: {}, metadata: {labels: {a: '{{=1 +}}'}}}]}",
         "spec.templates[0].metadata.labels.a"),
        ("{templates: [{name: t, steps: [], metadata: {labels: {a: '{{=1 +}}'}}}]}",
         "spec.templates[0].metadata.labels.a"),
        ("{retryStrategy: {limit: lots}}", "spec.retryStrategy.limit"),
        ("{templateDefaults: {retryStrategy: {limit: '1.5'}}}",
         "spec.templateDefaults.retryStrategy.limit"),
        ("{templates: [{name: t, suspend: {}, retryStrategy: {limit: no1}}]}", "spec.templates[0].retryStrategy.limit"),
        ("{retryStrategy: {backoff: {factor: '2'}}}", "spec.retryStrategy.backoff"),
        ("{retryStrategy: {backoff: {duration: 2x}}}", "spec.retryStrategy.backoff.duration"),
        ("{retryStrategy: {backoff: {duration: '2', maxDuration: soon}}}", "spec.retryStrategy.backoff.maxDuration"),
        ("{retryStrategy: {backoff: {duration: '2', cap: soon}}}", "spec.retryStrategy.backoff.cap"),
        ("{retryStrategy: {backoff: {duration: '2', factor: two}}}", "spec.retryStrategy.backoff.factor"),
        ("{templates: [{name: t, suspend: {duration: soon}}]}", "spec.templates[0].suspend.duration"),
        ("{templates: [{name: t, container: {image: x}, timeout: 3x}]}", "spec.templates[0].timeout"),
        ("{templates: [{name: t, container: {image: x}, pendingTimeout: 3x}]}", "spec.templates[0].pendingTimeout"),
        ("{templates: [{name: t, suspend: {}, memoize: {key: k, maxAge: old, cache: {configMap: {name: c, key: k}}}}]}",
         "spec.templates[0].memoize.maxAge"),
        ("{podGC: {deleteDelayDuration: later}}", "spec.podGC.deleteDelayDuration"),
        ("{podSpecPatch: '{a: ['}", "spec.podSpecPatch"),
        ("{workflowMetadata: {labels: {a: 'b c'}}}", "spec.workflowMetadata.labels"),
        ("{templates: [{name: t, suspend: {}, podSpecPatch: '- a'}]}", "spec.templates[0].podSpecPatch"),
        ("{templates: [{name: t, resource: {action: get, manifest: 'a: b', successCondition: 'a in b'}}]}",
         "spec.templates[0].resource.successCondition"),
        ("{templates: [{name: t, resource: {action: get}}]}", "spec.templates[0].resource"),
        ("{templates: [{name: t, resource: {action: patch, manifest: 'a: b', mergeStrategy: any}}]}",
         "spec.templates[0].resource.mergeStrategy"),
        ("{templates: [{name: t, resource: {action: delete, flags: [pod], successCondition: a == b}}]}",
         "spec.templates[0].resource"),
        ("{templates: [{name: t, resource: {action: delete, flags: [a]},"
         " outputs: {parameters: [{name: p, valueFrom: {jsonPath: x}}]}}]}", "spec.templates[0].outputs.parameters"),
        ("{metrics: {prometheus: [{name: m, help: h, when: 'a ==', counter: {value: '1'}}]}}", ""),
        ("{metrics: {prometheus: [{name: a.b, help: h, counter: {value: '1'}}]}}", "spec.metrics.prometheus[0].name"),
        ("{templates: [{name: t, suspend: {}, metrics: {prometheus: [{name: m, help: h}]}}]}",
         "spec.templates[0].metrics.prometheus[0]"),
        ("{activeDeadlineSeconds: 0}", "spec.activeDeadlineSeconds"),
        ("{templates: [{name: t, suspend: {}, activeDeadlineSeconds: 0}]}", "spec.templates[0].activeDeadlineSeconds"),
        ("{templates: [{name: t, script: {image: x, source: y, volumeMounts: [{name: v, mountPath: /a},"
         " {name: w, mountPath: /a}]}}]}", "spec.templates[0].script.volumeMounts[1].mountPath"),
        ("{templates: [{name: t, script: {image: x, source: y}, inputs: {artifacts:"
         " [{name: a, path: /a, optional: true}, {name: b, path: /a, optional: true}]}}]}",
         "spec.templates[0].inputs.artifacts[1].path"),
        ("{templates: [{name: t, inputs: {parameters: [{name: p, value: b, enum: [a]}]}, suspend: {}}]}",
         "spec.templates[0].inputs.parameters[0].value"),
    ],
)  # fmt: skip
def test_what_a_run_would_fail_of_is_found_where_it_is_written(spec: str, path: str) -> None:
    assert late(spec, thorough=False) == []
    if path:
        assert path in [problem.path for problem in late(spec)]
        assert all(problem.remedy and problem.severity == "error" for problem in late(spec))


@pytest.mark.parametrize(
    "spec",
    [
        step("when: heads == heads"), step("when: '{{inputs.parameters.n}}'"),
        step("when: '{{inputs.parameters.n}} 1'"),  # a value may end in an operator
        step("when: '\"{{inputs.parameters.n}}\" == \"a b\"'"), step("when: '{{inputs.parameters.n}} in (1, 2)'"),
        step("when: '{{= asInt(inputs.parameters.n) > 3 }}'"), step("when: '{{={\"a\": true}.a}}'"),
        step("withParam: '{{inputs.parameters.n}}'"), step("withParam: '[]'"), step("withSequence: {count: '0'}"),
        step("withSequence: {count: '{{inputs.parameters.n}}'}"), step("withSequence: {start: '1', end: '3'}"),
        step("arguments: {parameters: [{name: p, value: '{{=sprig.trim(inputs.parameters.n)}}'}]}"),
        step("arguments: {parameters: [{name: p, value: '{{=inputs.parameters.m ?? \"d\"}}'}]}"),
        step("arguments: {parameters: [{name: p, value: '{{=inputs.parameters[\"n\"]}}'}]}"),
        step("arguments: {parameters: [{name: p, value: '{{=let x = 1; x + len(inputs.parameters)}}'}]}"),
        step("arguments: {parameters: [{name: p, value: '{{=map([1, 2], # * 2)}}'}]}"),
        step("withItems: [{a: 1}], arguments: {parameters: [{name: p, value: '{{=item.a}}'}]}"),
        step("hooks: {exit: {template: ok, arguments: {parameters: [{name: p, value: '{{=steps.a.status}}'}]}}}"),
        "{retryStrategy: {limit: '{{workflow.parameters.n}}', backoff: {duration: '{{workflow.parameters.n}}'}}}",
        "{retryStrategy: {limit: 3, backoff: {duration: '5', factor: 2, cap: 1h, maxDuration: 1h}}}",
        "{templates: [{name: t, suspend: {duration: '20'}, activeDeadlineSeconds: 5}]}",
        "{templates: [{name: t, container: {image: x}, timeout: 1m30s, pendingTimeout: '2'}]}",
        "{templates: [{name: t, suspend: {}, outputs: {parameters: [{name: p, valueFrom: {path: /x}},"
        " {name: q, valueFrom: {expression: workflow.name}}]}}]}",
        "{templates: [{name: t, suspend: {}, podSpecPatch: '{\"containers\": []}'}]}",
        "{templates: [{name: t, container: {image: x, args: ['{{=retries}}']}, retryStrategy: {limit: 1}}]}",
    ],
)  # fmt: skip
def test_what_may_be_meant_is_left_alone(spec: str) -> None:
    assert late(spec) == []


def cron(**spec: Any) -> list[Problem]:
    body = {"schedules": ["@daily"], "workflowSpec": thing({})["spec"], **spec}
    found = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": "x"}, "spec": body}
    return validate(found, lookup=lambda _: None, thorough=True)


def test_conditions_of_a_cron_workflow_can_be_read() -> None:
    assert cron(when="{{= cronworkflow.lastScheduledTime == nil }}", stopStrategy={"expression": "failed >= 3"}) == []
    assert [(each.path, each.late) for each in cron(when="1 ==", stopStrategy={"expression": "failed >="})] == [
        ("spec.when", True), ("spec.stopStrategy.expression", True),
    ]  # fmt: skip

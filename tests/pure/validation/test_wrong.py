"""What is wrong with a workflow or a template is told by a sentence that names the place as its author did."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from actors.workflow.validation import validate
from crds.problems import Problem
from tests.pure.validation.written import first, first_of_template, thing

LONG = "n" * 129
PORT = {"name": "c", "image": "x", "ports": [{"containerPort": 1}]}
TYPES = "container, containerSet, steps, script, resource, dag, suspend, template, template ref"


@pytest.mark.spec("VAL-1")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{entrypoint: ''}", "spec.entrypoint is required"),
        ("{entrypoint: nobody}", "template name 'nobody' undefined"),
        ("{onExit: nobody}", "template name 'nobody' undefined"),
        ("{templates: [{name: ok, suspend: {}}]}", "spec.templates[2].name 'ok' is not unique"),
        (
            "{templates: [{name: a_b, suspend: {}}]}",
            "spec.templates[0].name: 'a_b' is invalid: name must consist of alpha-numeric characters or '-', "
            "and must start with an alpha-numeric character (e.g. My-name1-2, 123-NAME)",
        ),
        ("{templates: [{suspend: {}}]}", "spec.templates[0].name is required"),
        (
            f"{{templates: [{{name: {LONG}, suspend: {{}}}}]}}",
            f"spec.templates[0].name: '{LONG}' is invalid: must be no more than 128 characters",
        ),
        ("{templates: [{name: t}]}", "template 't' type is unknown"),
        (
            "{templates: [{name: t, suspend: {}, container: {image: x}}]}",
            f"templates.t multiple template types specified. choose one of: {TYPES}",
        ),
    ],
)
def test_templates_are_there_once_and_of_one_kind(spec, message):
    assert first(spec)[1] == message


def test_a_wrong_type_anywhere_is_all_there_is_to_say():
    problems = validate(thing({"entrypoint": 3, "parallelism": "x"}), lookup=lambda _: None)

    assert [problem.message for problem in problems] == [
        "spec.entrypoint must be a string, not the number 3",
        "spec.parallelism must be a whole number, not the string 'x'",
    ]


@pytest.mark.spec("KIND-1")
def test_a_name_becomes_a_label_so_it_is_short():
    [problem] = validate(thing({}, name="n" * 64), lookup=lambda _: None)

    assert problem.message == f'workflow name "{"n" * 64}" must not be more than 63 characters long (currently 64)'
    assert problem.path == "metadata.name"


@pytest.mark.spec("KIND-2", "KIND-3", "VAL-11")
@pytest.mark.parametrize(
    ("kind", "called", "longest"),
    [
        ("WorkflowTemplate", "workflow template", 63),
        ("ClusterWorkflowTemplate", "cluster workflow template", 63),
        ("CronWorkflow", "cron workflow", 52),
    ],
)
def test_each_kind_is_called_by_its_name_when_its_own_is_too_long(kind, called, longest):
    name = "n" * (longest + 1)
    [problem] = _of_kind(kind, name)

    assert problem.message == (
        f'{called} name "{name}" must not be more than {longest} characters long (currently {longest + 1})'
    )
    assert _of_kind(kind, name[1:]) == []


def _of_kind(kind: str, name: str) -> list[Problem]:
    spec = thing({})["spec"]
    spec = {"schedules": ["@daily"], "workflowSpec": spec} if kind == "CronWorkflow" else spec
    return validate(thing({}, name=name) | {"kind": kind, "spec": spec}, lookup=lambda _: None)


@pytest.mark.spec("VAL-2")
@pytest.mark.parametrize(
    "tag",
    [
        "inputs.parameters.other",
        "inputs.artifacts.nothing.path",
        "steps.a.outputs.result",
        "workflow.parameters.nothing",
        "workflow.labels.nothing",
        "workflow.priority",
        "workflow.failures",
        "workflow.nonsense",
        "workflow.outputs.parameters.nothing",
        "item.key",
    ],
)
def test_a_tag_of_a_known_family_resolves_or_is_refused(tag):
    template = {"name": "t", "script": {"image": "x", "source": f"echo {{{{ {tag} }}}}"}}
    path, message = first(yaml.dump({"templates": [template]}))

    assert message == f"templates.t: failed to resolve {{{{ {tag} }}}}"
    assert path == "spec.templates[0].script.source"


@pytest.mark.spec("VAL-3", "PARAM-2")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{entrypoint: echo}", "templates.echo inputs.parameters.message was not supplied"),
        (
            "{templates: [{name: t, steps: [[{name: a, template: echo}]]}]}",
            "templates.t.steps[0].a templates.echo inputs.parameters.message was not supplied",
        ),
        (
            "{templates: [{name: t, dag: {tasks: [{name: a, template: echo}]}}]}",
            "templates.t.tasks.a templates.echo inputs.parameters.message was not supplied",
        ),
        (
            "{templates: [{name: t, inputs: {parameters: [{name: n, value: a}]}, steps: [[{name: a, template: echo,"
            " arguments: {parameters: [{name: message, value: '{{inputs.parameters.n}}', enum: [a]}]}}]]}]}",
            "templates.t.steps[0].a.arguments.message.value should be present in"
            " templates.t.steps[0].a.arguments.message.enum list",
        ),
        (
            "{entrypoint: t, templates: [{name: t, inputs: {artifacts: [{name: x, path: /x, from: y}]}, container:"
            " {image: x}}]}",
            "templates.t.inputs.artifacts.x.from not valid in inputs",
        ),
        ("{arguments: {parameters: [{name: p, default: x}]}}",
         "spec.arguments.p.value or spec.arguments.p.valueFrom is required"),
        (
            "{templates: [{name: t, steps: [[{name: a, template: echo,"
            " arguments: {parameters: [{name: message, default: x}]}}]]}]}",
            "templates.t.steps[0].a.arguments.message.value or templates.t.steps[0].a.arguments.message.valueFrom"
            " is required",
        ),
        (
            "{arguments: {parameters: [{name: p, valueFrom: {supplied: {}}, enum: [a]}]}}",
            "spec.arguments.p.value is required",
        ),
        (
            "{arguments: {parameters: [{name: p, value: c, enum: [a, b]}]}}",
            "spec.arguments.p.value should be present in spec.arguments.p.enum list",
        ),
        (
            "{arguments: {parameters: [{name: p, value: c, enum: []}]}}",
            "spec.arguments.p.enum should contain at least one value",
        ),
        (
            "{arguments: {parameters: [{name: p, valueFrom: {path: /x}}]}}",
            "spec.arguments.p.valueFrom only allows: default, configMapKeyRef and supplied",
        ),
        (
            "{arguments: {parameters: [{name: p, valueFrom: {default: x}}]}}",
            "spec.arguments.p.valueFrom only allows: default, configMapKeyRef and supplied",
        ),
        ("{arguments: {artifacts: [{name: a}]}}", "spec.arguments.a.from, artifact location, or key is required"),
        ("{arguments: {parameters: [{name: p, value: a}, {name: p, value: a}]}}",
         "spec.arguments.parameters[1].name 'p' is not unique"),
        (
            "{templates: [{name: t, inputs: {artifacts: [{name: f, path: /f}]}, container: {image: x}},"
            " {name: u, steps: [[{name: a, template: t}]]}]}",
            "templates.u.steps[0].a templates.t inputs.artifacts.f was not supplied",
        ),
        (
            "{templates: [{name: t, inputs: {parameters: [{name: p, valueFrom: {path: /x}}]}, container: {image: x}},"
            " {name: u, steps: [[{name: a, template: t}]]}]}",
            "templates.u.steps[0].a templates.t inputs.parameters.p was not supplied",
        ),
    ],
)  # fmt: skip
@pytest.mark.spec("PARAM-6")
def test_what_a_template_needs_is_supplied(spec, message):
    assert first(spec)[1] == message


@pytest.mark.spec("VAL-4")
@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{container: {image: x}, outputs: {parameters: [{name: p}]}}", " does not have valueFrom or value specified"),
        ("{container: {image: x}, outputs: {parameters: [{name: p, valueFrom: {jsonPath: x}}]}}",
         ".path must be specified for Container templates"),
        ("{resource: {action: get, flags: [pod]}, outputs: {parameters: [{name: p, valueFrom: {path: /x}}]}}",
         " .jqFilter or jsonPath must be specified for Resource templates"),
        ("{dag: {tasks: [{name: a, template: ok}]}, outputs: {parameters: [{name: p, valueFrom: {path: /x}}]}}",
         ".parameter or expression must be specified for DAG templates"),
        ("{container: {image: x}, outputs: {parameters: [{name: p, value: x, valueFrom: {path: /x}}]}}",
         " has both valueFrom and value specified, choose one"),
        ("{container: {image: x}, outputs: {parameters: [{name: p, globalName: a.b, valueFrom: {path: /x}}]}}",
         ".globalName: Parameter/Artifact name must consist of "
         "alpha-numeric characters, '_' or '-' e.g. my_param_1, MY-PARAM-1"),
    ],
)  # fmt: skip
def test_an_output_comes_from_where_its_template_has_something(template, message):
    assert first_of_template(template) == f"templates.t.outputs.parameters.p{message}"


@pytest.mark.spec("VAL-4")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{}", "valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, parameter, raw, expression"),
        ("{path: /x, expression: y}",
         "multiple valueFrom types specified. choose one of: path, jqFilter, jsonPath, parameter, raw"),
    ],
)  # fmt: skip
def test_an_output_comes_from_one_place(source, message):
    outputs = f"{{parameters: [{{name: p, valueFrom: {source}}}]}}"
    assert first_of_template(f"{{container: {{image: x}}, outputs: {outputs}}}") == message


@pytest.mark.spec("VAL-4")
def test_a_global_name_is_given_once_in_a_template():
    outputs = "[{name: p, globalName: g, valueFrom: {path: /p}}, {name: q, globalName: g, valueFrom: {path: /q}}]"
    message = first_of_template(f"{{container: {{image: x}}, outputs: {{parameters: {outputs}}}}}")

    assert message == "templates.t.outputs.parameters.q.globalName 'g' is not unique in this template"


@pytest.mark.spec("VAL-5")
@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{container: {image: x, volumeMounts: [{name: v, mountPath: /a}]},"
            " inputs: {artifacts: [{name: f, path: /a, raw: {data: x}}]}}",
            "inputs.artifacts[0].path '/a' already mounted in container.volumeMounts.v",
        ),
        (
            "{container: {image: x, volumeMounts: [{name: v, mountPath: /a}, {name: w, mountPath: /a}]}}",
            "container.volumeMounts[1].mountPath '/a' already mounted in container.volumeMounts.v",
        ),
        (
            "{container: {image: x}, inputs: {artifacts:"
            " [{name: f, path: /a, raw: {data: x}}, {name: g, path: /a, raw: {data: x}}]}}",
            "inputs.artifacts[1].path '/a' already mounted in inputs.artifacts.f",
        ),
        (
            "{container: {image: x}, outputs: {artifacts: [{name: f, path: /a/../b}]}}",
            "outputs.artifacts.f: Artifact 'f' attempted to use a path containing '..'. "
            "Directory traversal is not permitted",
        ),
        (
            "{steps: [], inputs: {artifacts: [{name: f, path: /a, raw: {data: x}}]}}",
            "inputs.artifacts.f.path only valid in container/script templates",
        ),
        (
            "{container: {image: x}, inputs: {artifacts: [{name: f, path: /a, from: x, optional: true}]}}",
            "inputs.artifacts.f.from not valid in inputs",
        ),
    ],
)
def test_artifacts_have_a_place_of_their_own(template, message):
    assert first_of_template(template).removeprefix("error in ") == f"templates.t.{message}"


@pytest.mark.spec("VAL-6")
@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{steps: [], timeout: 10s}", "Steps template doesn't support timeout field"),
        ("{suspend: {}, timeout: 10s}", "Suspend template doesn't support timeout field"),
        ("{suspend: {}, pendingTimeout: 10s}", "Suspend template doesn't support pendingTimeout field"),
        ("{container: {image: x}, timeout: '10'}", "t has invalid duration format in timeout"),
        ("{container: {image: x}, timeout: '-10'}", "t has invalid duration format in timeout"),
        ("{dag: {tasks: [{name: a, template: ok}]}, pendingTimeout: 10s}",
         "DAG template doesn't support pendingTimeout field"),
        ("{steps: [], activeDeadlineSeconds: 1}", "activeDeadlineSeconds is only valid for leaf templates"),
        ("{container: {image: x}, parallelism: 1}", "parallelism is only valid for steps and dag templates"),
        ("{container: {image: x}, activeDeadlineSeconds: -1}",
         "activeDeadlineSeconds must be a positive integer > 0 or an argo variable"),
        ("{container: {image: x}, activeDeadlineSeconds: soon}",
         "activeDeadlineSeconds must be a positive integer > 0 or an argo variable"),
    ],
)  # fmt: skip
def test_a_limit_fits_its_template(template, message):
    assert first_of_template(template).removeprefix("templates.t.") == message


@pytest.mark.spec("VAL-8")
@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{container: {command: [sh]}}", ".container.image may not be empty"),
        ("{script: {source: x}}", ".script.image may not be empty"),
        ("{containerSet: {containers: [{name: a}]}}", ".containerSet.containers.a.image may not be empty"),
        ("{container: {image: x}, sidecars: [{name: wait, image: x}]}",
         '.sidecars: "wait" is a reserved Argo container name'),
        ("{container: {image: x}, sidecars: [{name: main, image: x}]}",
         '.sidecars[0] "main" is the name of another container of the pod'),
        ("{container: {image: x}, sidecars: [{image: x}]}", ".sidecars[0] must have a container name"),
        ("{containerSet: {containers: [{name: a, image: x}], volumeMounts: [{name: a, mountPath: /x},"
         " {name: b, mountPath: /x}]}}",
         ".containerSet.volumeMounts[1].mountPath '/x' already mounted in volumeMounts.a"),
        ("{containerSet: {containers: [{name: artifact-plugin-x, image: x}]}}",
         '.containerSet.containers: "artifact-plugin-x" is a reserved Argo container name'),
        ("{containerSet: {containers: [{name: a, image: x, dependencies: [b]}, {name: b, image: x,"
         " dependencies: [a]}]}}", ".containerSet.containers dependency cycle detected: a->b->a"),
        ("{containerSet: {containers: [{name: a, image: x, dependencies: [b]}]}}",
         ".containerSet.containers.a dependency 'b' not defined"),
        ("{containerSet: {containers: [{name: a, image: x}]}, outputs: {artifacts: [{name: f, path: /f}]}}",
         '.containerSet.containers must have a container named "main" for input or output'),
    ],
)  # fmt: skip
def test_containers_have_images_and_names_of_their_own(template, message):
    assert first_of_template(template) == f"templates.t{message}"


@pytest.mark.spec("RES-1", "RES-2")
@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("{action: make}", "resource.action must be one of: get, create, apply, delete, replace, patch"),
        ("{action: create, manifest: 'a: [b'}", "resource.manifest must be a valid yaml"),
    ],
)  # fmt: skip
def test_a_resource_template_says_one_thing(resource, message):
    assert first_of_template(f"{{resource: {resource}}}") == f"templates.t.{message}"


@pytest.mark.spec("RES-2", "VAL-5")
@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{resource: {action: create}}",
         "either templates.t.resource.manifest or templates.t.resource.manifestFrom must be specified"),
        ("{resource: {action: patch, flags: [pod, a]}}",
         "either templates.t.resource.manifest or templates.t.resource.manifestFrom must be specified"),
        ("{resource: {action: create, manifestFrom: {artifact: {name: f}}}}",
         "artifact f in `manifestFrom` refer to a non-exist artifact"),
        ("{resource: {action: create, manifest: 'a: b', manifestFrom: {artifact: {name: f}}}}",
         "shouldn't have both `manifest` and `manifestFrom` specified in `Manifest` for resource template"),
        ("{container: {image: x}, initContainers: [{image: x}]}", "initContainers must all have container name"),
        ("{container: {image: x}, outputs: {artifacts: [{name: f}]}}",
         "error in templates.t.outputs.artifacts.f: Artifact 'f' did not specify a path"),
    ],
)  # fmt: skip
def test_some_sentences_begin_otherwise_as_upstreams_do(template, message):
    assert first_of_template(template) == message


@pytest.mark.spec("MET-1")
def test_a_metric_has_a_name_and_a_help():
    metric = "{name: a.b, gauge: {value: '1'}, counter: {value: '1'}}"
    spec = yaml.safe_load(f"{{templates: [{{name: t, suspend: {{}}, metrics: {{prometheus: [{metric}]}}}}]}}")

    assert [problem.message for problem in validate(thing(spec), lookup=lambda _: None)] == [
        "templates.t metric name 'a.b' is invalid. Metric names must contain alphanumeric characters or '_'",
        "templates.t metric 'a.b' must contain a help string under 'help: ' field",
    ]


@pytest.mark.spec("VAL-12")
def test_templates_that_nobody_calls_are_judged_too():
    assert first("{templates: [{name: t, container: {}}]}")[1] == "templates.t.container.image may not be empty"


def test_all_problems_are_told_and_the_first_is_the_entrypoints():
    spec = "{entrypoint: nobody, templates: [{name: t, container: {}}, {name: u, script: {}}]}"
    problems = validate(thing(yaml.safe_load(spec)), lookup=lambda _: None)

    assert [problem.path for problem in problems] == [
        "spec.entrypoint",
        "spec.templates[0].container.image",
        "spec.templates[1].script.image",
    ]


@pytest.mark.spec("VAL-11")
def test_a_schedule_is_judged_with_the_workflow_it_starts():
    cron = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": {"name": "x"},
        "spec": {
            "concurrencyPolicy": "Sometimes",
            "startingDeadlineSeconds": -1,
            "workflowSpec": {"entrypoint": "nobody", "templates": []},
        },
    }

    assert [problem.message for problem in validate(cron, lookup=lambda _: None)] == [
        "cron workflow must have at least one schedule",
        "'Sometimes' is not a valid concurrencyPolicy",
        "startingDeadlineSeconds must be positive",
        "template name 'nobody' undefined",
    ]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{plugin: {a: {}, b: {}}}", "plugin must have exactly one key: the plugin's name"),
        ("{http: {url: ''}}", "http.url is required"),
        ("{containerSet: {containers: []}}", "containerSet.containers must have at least one container"),
        ("{container: {image: x}, podResources: {claims: [{name: c}]}}",
         "podResources.claims is not supported for pod-level resources"),
        ("{container: {image: x}, podResources: {limits: {gpu: 1, cpu: 1, hugepages-2Mi: 1}}}",
         'podResources: "gpu" is not a valid pod-level resource, only cpu, memory and hugepages-* are supported'),
        ("{container: {image: x}, outputs: {parameters: [{name: p, value: a}, {name: p, value: a}]}}",
         "outputs.parameters [1].name 'p' is not unique"),
        ("{container: {image: x}, outputs: {artifacts: [{name: f, path: /a}, {name: f, path: /b}]}}",
         "outputs.artifacts [1].name 'f' is not unique"),
        ("{suspend: {}, metrics: {prometheus: [{name: ab, help: h, gauge: {value: ''}}]}}",
         " metric 'ab' error: missing gauge.value"),
        ("{container: {image: x}, inputs: {artifacts: [{name: f, path: /f, git: {repo: ''}}]}}",
         "inputs.artifacts.f.git.repo is required"),
        ("{steps: [], resourceClaims: [{name: c}]}",
         "resourceClaims is not supported for Steps templates, which do not create a pod"),
        ("{http: {url: x}, podResources: {limits: {cpu: 1}}}", "podResources is not supported for HTTP templates"),
        ("{suspend: {}, metrics: {prometheus: [{name: m, help: h,"
         " gauge: {realtime: true, value: '{{resourcesDuration.cpu}}'}}]}}",
         " metric 'm' error: 'resourcesDuration.*' metrics cannot be used in real-time"),
    ],
)  # fmt: skip
def test_a_field_fits_its_kind_of_template(template, message):
    dot = "" if message.startswith(" ") else "."
    assert first_of_template(template) == f"templates.t{dot}{message}"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{arguments: {artifacts: [{name: a, from: x, fromExpression: y}]}}",
         "spec.arguments.a shouldn't have both `from` and `fromExpression` in Artifact"),
        ("{podGC: {labelSelector: {matchExpressions: [{key: a, operator: Foo}]}}}",
         'podGC.labelSelector invalid: "Foo" is not a valid label selector operator'),
        ("{workflowMetadata: {labelsFrom: {a: {expression: ''}}}}",
         "spec.workflowMetadata.labelsFrom.a.expression is required"),
        ("{retryStrategy: {retryPolicy: Sometimes}}",
         "spec.retryStrategy.retryPolicy 'Sometimes' is none of Always, OnFailure, OnError, OnTransientError"),
        ("{artifactGC: {strategy: Later}}",
         "spec.artifactGC.strategy 'Later' is none of OnWorkflowCompletion, OnWorkflowDeletion, Never"),
    ],
)  # fmt: skip
def test_a_field_of_the_workflow_has_a_meaning(spec, message):
    assert first(spec)[1] == message


def test_a_template_to_be_made_of_exists():
    made_of = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "x"}}

    def said(ref: dict[str, Any]) -> list[str]:
        found = validate(made_of | {"spec": {"workflowTemplateRef": ref}}, lookup=lambda _: None)
        return [problem.message for problem in found]

    assert said({"name": "lib"}) == ["spec.workflowTemplateRef workflowtemplates/lib not found"]
    assert said({"name": "lib", "clusterScope": True}) == [
        "spec.workflowTemplateRef clusterworkflowtemplates/lib not found"
    ]
    assert said({"clusterScope": True}) == ["spec.workflowTemplateRef.name is required"]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"container": {"image": "x"}, "failFast": True},
         "templates.t.failFast does something for steps and dag templates only"),
        ({"steps": [], "outputs": {"artifacts": [{"name": "f"}]}},
         "templates.t.outputs.artifacts.f has neither from nor fromExpression, and is left out"),
        ({"steps": [[{"name": "a", "inline": {"steps": [[{"name": "b", "inline": {"suspend": {}}}]]}}]]},
         "templates.t.steps[0].a.inline has inline templates of its own"),
    ],
)  # fmt: skip
def test_what_runs_but_hardly_as_meant_is_worth_a_warning(template, message):
    [problem] = validate(thing({"templates": [{"name": "t"} | template]}), lookup=lambda _: None)

    assert (problem.severity, problem.message) == ("warning", message)


@pytest.mark.spec("AGENT-6")
@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ({}, "executor plugin metadata name is mandatory"),
        ({"metadata": {"name": "p"}}, "at least one port is mandatory"),
        ({"metadata": {"name": "p"}, "spec": {"sidecar": {"container": PORT}}}, "resources requests are mandatory"),
    ],
)
def test_a_plugin_of_the_workflow_says_what_it_needs(plugin, message):
    found = validate(thing({"executorPlugins": [plugin]}), lookup=lambda _: None)

    assert [problem.message for problem in found] == [f"spec.executorPlugins: {message}"]

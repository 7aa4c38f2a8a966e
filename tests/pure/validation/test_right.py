"""What is right is accepted: upstream's examples, and the less usual ways of naming things."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from actors.workflow.validation import LibraryRef, validate

NAMELESS = {"fun-with-gifs.yaml", "k8s-jobs.yaml"}


def workflow(text: str, kind: str = "Workflow") -> dict[str, Any]:
    """A workflow with the given spec in YAML; a leaf template `echo` with an input `message` is added."""
    spec = yaml.safe_load(text)
    echo = {
        "name": "echo",
        "inputs": {"parameters": [{"name": "message"}]},
        "container": {"image": "busybox", "args": ["{{inputs.parameters.message}}"]},
    }
    spec["templates"] = [*spec.get("templates", []), echo]
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}


def messages(thing: dict[str, Any], *, lint: bool = False) -> list[str]:
    return [problem.message for problem in validate(thing, lookup=lambda _: None, lint=lint)]


def test_every_example_is_valid_but_for_the_two_without_a_name(examples):
    kinds = {"WorkflowTemplate": False, "ClusterWorkflowTemplate": True}
    library = {
        LibraryRef(thing["metadata"]["name"], kinds[thing["kind"]]): thing
        for _, thing in examples
        if thing["kind"] in kinds
    }
    wrong = {file: validate(thing, lookup=library.get, thorough=True) for file, thing in examples}

    assert {file for file, problems in wrong.items() if problems} == NAMELESS
    for file, thing in examples:
        if file in NAMELESS:
            thing["metadata"]["name"] = "named"
            assert validate(thing, lookup=library.get) == []


@pytest.mark.spec("VAL-2")
@pytest.mark.parametrize(
    "tag",
    [
        "inputs.parameters.given",
        " inputs.parameters.given ",
        "inputs.parameters",
        "inputs.artifacts.file.path",
        "outputs.artifacts.left.path",
        "workflow.name",
        "workflow.creationTimestamp.RFC3339",
        "workflow.parameters.top",
        "workflow.labels.app",
        "workflow.annotations.example.io/owner",
        "workflow.scheduledTime",
        "workflow.outputs.parameters.exported",
        "pod.name",
        "node.name",
        "steps.name",
        "somebody.elses.braces",
        "= inputs.parameters.given + 'x'",
        "inputs.parameters.{{inputs.parameters.given}}",
    ],
)
def test_a_tag_resolves_in_a_leaf(tag):
    thing = workflow(
        """
        entrypoint: main
        arguments: {parameters: [{name: top, value: a}]}
        templates:
        - name: main
          inputs:
            parameters: [{name: given, value: a}]
            artifacts: [{name: file, path: /file, raw: {data: x}}]
          outputs:
            parameters: [{name: p, globalName: exported, valueFrom: {path: /p}}]
            artifacts: [{name: left, path: /left}]
          script: {image: busybox, source: SOURCE}
        """
    )
    thing["metadata"] |= {"labels": {"app": "a"}, "annotations": {"example.io/owner": "me"}}
    thing["spec"]["templates"][0]["script"]["source"] = f"echo {{{{{tag}}}}}"

    assert messages(thing) == []


@pytest.mark.spec("VAL-2")
def test_a_step_sees_earlier_groups_its_item_and_in_its_hooks_itself():
    thing = workflow(
        """
        entrypoint: main
        templates:
        - name: main
          steps:
          - - {name: a, template: echo, arguments: {parameters: [{name: message, value: x}]}}
          - - name: b
              template: echo
              withItems: [{k: 1}, {k: 2}]
              when: "{{steps.a.status}} == Succeeded"
              arguments: {parameters: [{name: message, value: "{{item.k}} {{steps.a.outputs.result}}"}]}
              hooks:
                exit:
                  template: echo
                  arguments: {parameters: [{name: message, value: "{{steps.b.outputs.result}} {{item.k}}"}]}
          - - name: c
              template: echo
              withParam: "{{steps.b.outputs.parameters}}"
              arguments: {parameters: [{name: message, value: "{{item.anything}}"}]}
          outputs:
            parameters: [{name: o, valueFrom: {parameter: "{{steps.c.outputs.result}}"}}]
        """
    )

    assert messages(thing) == []


@pytest.mark.spec("VAL-2", "TMPL-11")
def test_an_inline_template_sees_what_its_step_sees():
    thing = workflow(
        """
        entrypoint: main
        templates:
        - name: main
          inputs: {parameters: [{name: outer, value: a}]}
          dag:
            tasks:
            - {name: a, template: echo, arguments: {parameters: [{name: message, value: x}]}}
            - name: b
              depends: a
              withItems: [1, 2]
              arguments: {parameters: [{name: own, value: "{{item}}"}]}
              inline:
                inputs: {parameters: [{name: own}]}
                container:
                  image: busybox
                  args: ["{{inputs.parameters.own}}{{inputs.parameters.outer}}{{tasks.a.outputs.result}}"]
        """
    )

    assert messages(thing) == []


@pytest.mark.spec("VAL-12")
def test_lint_waits_for_values_that_a_submission_gives():
    thing = workflow("{entrypoint: echo, arguments: {parameters: [{name: message}]}}")

    assert messages(thing, lint=True) == []
    assert messages(thing) == ["spec.arguments.message.value or spec.arguments.message.valueFrom is required"]


@pytest.mark.spec("VAL-12")
def test_a_library_needs_no_entrypoint_and_its_users_may_have_more_parameters():
    thing = workflow(
        """
        templates:
        - name: other
          container: {image: busybox, args: ["{{workflow.parameters.from-the-user}}"]}
        """,
        kind="WorkflowTemplate",
    )

    assert messages(thing) == []


def test_names_that_only_the_run_knows_are_left_to_it():
    thing = workflow(
        """
        entrypoint: main
        templates:
        - name: main
          inputs: {parameters: [{name: which, value: echo}]}
          steps:
          - - {name: "say-{{inputs.parameters.which}}", template: "{{inputs.parameters.which}}"}
          - - {name: b, templateRef: {name: "{{inputs.parameters.which}}", template: t}}
        - name: tasks
          inputs: {parameters: [{name: other, value: a}]}
          dag:
            tasks:
            - {name: a, template: main}
            - {name: b, template: main, depends: "{{inputs.parameters.other}}.Failed"}
        - name: more-tasks
          inputs: {parameters: [{name: other, value: a}]}
          dag:
            tasks:
            - {name: a, template: main}
            - {name: b, template: main, dependencies: ["{{inputs.parameters.other}}"]}
        """
    )

    assert messages(thing) == []


@pytest.mark.spec("TMPL-15", "VAL-8")
def test_an_image_may_come_from_the_template_defaults():
    thing = workflow(
        """
        entrypoint: main
        templateDefaults: {container: {image: busybox}}
        templates: [{name: main, container: {command: [sh]}}]
        """
    )

    assert messages(thing) == []


@pytest.mark.spec("WFT-1", "WFT-2")
def test_a_workflow_made_of_a_template_is_judged_with_it():
    template = workflow(
        "{entrypoint: echo, arguments: {parameters: [{name: message}]}, templates: []}", kind="WorkflowTemplate"
    )
    user = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "user"},
        "spec": {"workflowTemplateRef": {"name": "x"}},
    }
    library = {LibraryRef("x"): template}

    [missing] = validate(user, lookup=library.get)
    assert missing.message.startswith("spec.arguments.message.value or ")
    user["spec"]["arguments"] = {"parameters": [{"name": "message", "value": "hello"}]}
    assert validate(user, lookup=library.get) == []


def test_long_chains_of_tasks_are_judged_in_a_moment():
    tasks: list[dict[str, Any]] = [
        {
            "name": f"t{number}",
            "template": "echo",
            "arguments": {"parameters": [{"name": "message", "value": "x"}]},
            "dependencies": [f"t{number - 1}"] if number else [],
        }
        for number in range(1500)
    ]
    thing = workflow("{entrypoint: main, templates: [{name: main, dag: {tasks: []}}]}")
    thing["spec"]["templates"][0]["dag"]["tasks"] = tasks

    assert messages(thing) == []


def test_a_status_is_not_judged():
    assert messages(workflow("{entrypoint: echo, templates: []}") | {"status": {"phase": 3}}, lint=True) == [
        "templates.echo inputs.parameters.message was not supplied"
    ]


def test_an_input_with_an_empty_default_is_supplied_and_one_with_null_is_not():
    thing = workflow("{entrypoint: echo}")
    message = thing["spec"]["templates"][0]["inputs"]["parameters"][0]

    assert messages(thing | {}) == ["templates.echo inputs.parameters.message was not supplied"]
    message["default"] = None
    assert messages(thing) == ["templates.echo inputs.parameters.message was not supplied"]
    message["default"] = ""
    assert messages(thing) == []


@pytest.mark.spec("DAG-6")
@pytest.mark.parametrize("loop", ["withItems: [1]", "withParam: '[1]'", "withSequence: {count: 1}"])
def test_every_kind_of_loop_has_items_to_ask_about(loop):
    thing = workflow(
        f"""
        entrypoint: main
        templates:
        - {{name: nap, suspend: {{}}}}
        - name: main
          dag:
            tasks:
            - {{name: a, template: nap, {loop}}}
            - {{name: b, template: nap, depends: a.AnySucceeded}}
        """
    )

    assert messages(thing) == []


@pytest.mark.spec("CRON-9", "VAL-11")
@pytest.mark.parametrize(
    ("tag", "is_known"),
    [
        ("workflow.labels.run", True),
        ("workflow.annotations.note", True),
        ("workflow.labels.workflows.argoproj.io/cron-workflow", True),
        ("workflow.scheduledTime", True),
        ("workflow.labels.own", False),
    ],
)
def test_a_schedules_templates_speak_of_the_metadata_of_its_runs(tag, is_known):
    """Not of the schedule's own labels: its runs do not have them."""
    container = {"image": "x", "command": ["c"], "args": [f"{{{{{tag}}}}}"]}
    workflow = {"entrypoint": "t", "templates": [{"name": "t", "container": container}]}
    metadata = {"labels": {"run": "x"}, "annotations": {"note": "y"}}
    spec = {"schedules": ["* * * * *"], "workflowMetadata": metadata, "workflowSpec": workflow}
    cron = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow",
        "metadata": {"name": "c", "labels": {"own": "z"}}, "spec": spec,
    }  # fmt: skip

    found = validate(cron, lookup=lambda _: None)

    assert [problem.message for problem in found] == (
        [] if is_known else [f"templates.t: failed to resolve {{{{{tag}}}}}"]
    )

"""What is wrong with a step, a task or a hook is told by a sentence that names the place as its author did."""

from __future__ import annotations

import pytest
import yaml

from actors.workflow.validation import LibraryRef, validate
from tests.pure.validation.written import first, first_of_dag, first_of_steps, first_of_template, thing

LOOPS = "withItems, withParam, withSequence"


@pytest.mark.spec("VAL-1")
def test_steps_are_named_and_named_once():
    assert first_of_steps("[[{template: ok}]]") == "templates.t.steps[0].name is required"
    twice = "[[{name: a, template: ok}], [{name: a, template: ok}]]"
    assert first_of_steps(twice) == "templates.t.steps[1].name 'a' is not unique"
    assert first_of_steps("[[{name: a.b, template: ok}]]").startswith("templates.t.steps[0].name 'a.b' is invalid")


@pytest.mark.spec("VAL-2", "STEP-7")
@pytest.mark.parametrize(
    ("reference", "unresolved"),
    [
        ("steps.same.outputs.result", "steps.same.outputs.result"),
        ("steps.later.status", "steps.later.status"),
        ("steps.self.outputs.result", "steps.self.outputs.result"),
        ("steps.before.outputs.parameters.nothing", "steps.before.outputs.parameters.nothing"),
        ("steps.before.ip", "steps.before.ip"),
        ("steps.nap.outputs.result", "steps.nap.outputs.result"),
        ("tasks.before.status", "tasks.before.status"),
        ("item.key", "item.key"),
    ],
)
def test_a_step_sees_only_what_is_over(reference, unresolved):
    steps = f"""
    - [{{name: before, template: ok}}, {{name: nap, inline: {{suspend: {{}}}}}}]
    - - {{name: same, template: ok}}
      - name: self
        template: echo
        arguments: {{parameters: [{{name: message, value: "{{{{{reference}}}}}"}}]}}
    - [{{name: later, template: ok}}]
    """
    assert first_of_steps(steps) == f"templates.t.steps failed to resolve {{{{{unresolved}}}}}"


@pytest.mark.spec("VAL-2")
def test_retries_without_a_retry_strategy_are_worth_a_warning():
    template = {"name": "t", "container": {"image": "x", "args": ["{{retries}} {{lastRetry.exitCode}}"]}}
    problems = validate(thing({"templates": [template]}), lookup=lambda _: None)

    assert [(problem.severity, problem.message) for problem in problems] == [
        ("warning", "templates.t {{retries}} stays as it is without a retryStrategy"),
        ("warning", "templates.t {{lastRetry.exitCode}} stays as it is without a retryStrategy"),
    ]
    assert validate(thing({"templates": [template], "retryStrategy": {}}), lookup=lambda _: None) == []


@pytest.mark.spec("VAL-7", "DAG-5", "DAG-6", "DAG-17")
@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ("[]", " must have at least one task"),
        ("[{name: a, template: ok, dependencies: [b]}]", " sorting failed: invalid dependency b"),
        ("[{name: a, template: ok, depends: b.Failed}]", " sorting failed: invalid dependency b"),
        (
            "[{name: a, template: ok, depends: c}, {name: b, template: ok, depends: a},"
            " {name: c, template: ok, depends: b}]",
            " sorting failed: graph with cycle",
        ),
        ("[{name: a, template: ok, depends: a}]", " sorting failed: graph with cycle"),
        (
            "[{name: a, template: ok}, {name: b, template: ok, depends: a},"
            " {name: c, template: ok, dependencies: [a]}]",
            " cannot use both 'depends' and 'dependencies' in the same DAG template",
        ),
        (
            "[{name: a, template: ok, continueOn: {failed: true}}, {name: b, template: ok, depends: a}]",
            " cannot use 'continueOn' when using 'depends'. Instead use 'dep-task.Failed'/'dep-task.Errored'",
        ),
        (
            "[{name: a, template: ok}, {name: b, template: ok, depends: a.AllFailed}]",
            ".tasks.a dependency 'a' uses an items-based condition such as .AnySucceeded or .AllFailed "
            "but does not contain any items",
        ),
        (
            "[{name: a, template: ok}, {name: b, template: ok, depends: a.Foo}]",
            ".tasks.b task result 'Foo' for task 'a' is invalid",
        ),
        (
            "[{name: 1a, template: ok}, {name: b, template: ok, depends: 1a}]",
            ".tasks.1a name cannot begin with a digit when using either 'depends' or 'dependencies'",
        ),
        (
            "[{name: 1a, template: ok}, {name: 2b, template: ok, dependencies: [1a]}]",
            ".tasks.2b name cannot begin with a digit when using either 'depends' or 'dependencies'",
        ),
        ("[{name: b, template: ok, depends: a.AllFailed}]", " sorting failed: invalid dependency a"),
        ("[{name: a, template: ok}, {name: a, template: ok}]", " sorting failed: duplicated nodeName a"),
        (
            "[{name: a, template: ok}, {name: b, template: echo, arguments:"
            " {parameters: [{name: message, value: '{{tasks.a.outputs.result}}'}]}}]",
            ".tasks.b missing dependency 'a' for parameter 'message'",
        ),
        (
            "[{name: a, template: ok}, {name: b, template: ok, when: '{{tasks.a.status}} == Succeeded'}]",
            ".tasks.b failed to resolve {{tasks.a.status}}",
        ),
        (
            "[{name: a, template: ok}, {name: b, template: ok, when: '{{tasks.a.outputs.result}} == x'}]",
            ".tasks.b missing dependency 'a'",
        ),
    ],
)
def test_tasks_need_what_exists_and_not_each_other(tasks, message):
    assert first_of_dag(tasks) == f"templates.t{message}"


@pytest.mark.spec("DAG-1", "VAL-7")
def test_a_target_is_a_task():
    message = first_of_template("{dag: {target: b, tasks: [{name: a, template: ok}]}}")

    assert message == "templates.t.targets: target 'b' is not defined"


@pytest.mark.spec("VAL-9")
@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ("{withItems: [a], withParam: x}", f" only one of {LOOPS} can be specified"),
        ("{withSequence: {count: 1, end: 2}}", " only one of count or end can be defined in withSequence"),
        ("{withItems: [a], withSequence: {}}", f" only one of {LOOPS} can be specified"),
    ],
)
def test_a_loop_has_one_source(loop, message):
    step = {"name": "a", "template": "ok"} | yaml.safe_load(loop)

    assert first_of_steps(yaml.dump([[step]])) == f"templates.t.steps[0].a{message}"


@pytest.mark.spec("LOOP-1")
def test_an_empty_list_of_items_is_no_loop():
    step = {"name": "a", "template": "ok", "withItems": [], "withParam": "[1]"}

    assert validate(thing({"templates": [{"name": "t", "steps": [[step]]}]}), lookup=lambda _: None) == []


@pytest.mark.spec("VAL-10", "HOOK-3")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{hooks: {running: {template: ok}}}", "hooks.running Expression required"),
        ("{hooks: {exit: {template: nobody}}}", "spec.hooks.exit template name 'nobody' undefined"),
        ("{templates: [{name: t, steps: [[{name: a, template: ok, hooks: {running: {template: ok}}}]]}]}",
         "templates.t.steps[0].a.running Expression required"),
        ("{templates: [{name: t, steps: [[{name: a, template: ok, onExit: nobody}]]}]}",
         "templates.t.steps[0].a.onExit template name 'nobody' undefined"),
        ("{podGC: {strategy: Never}}",
         "spec.podGC.strategy 'Never' is none of OnPodCompletion, OnPodSuccess, OnWorkflowCompletion, "
         "OnWorkflowSuccess"),
        ("{workflowMetadata: {labels: {'a b': c}}}",
         "spec.workflowMetadata.labels 'a b' is no valid name of a label or annotation"),
    ],
)  # fmt: skip
def test_hooks_and_collectors_say_what_they_do(spec, message):
    assert first(spec)[1] == message


@pytest.mark.spec("WFT-5")
def test_a_reference_to_nowhere_is_told():
    step = "{name: a, templateRef: {name: lib, template: t}}"

    assert first_of_steps(f"[[{step}]]") == "templates.t.steps[0].a template reference lib.t not found"
    assert first("{workflowTemplateRef: {name: lib}}")[1] == (
        "Templates is invalid field in spec if workflow referred WorkflowTemplate reference"
    )


@pytest.mark.spec("WFT-1")
def test_local_names_of_another_library_are_looked_up_there():
    library = thing({"templates": [{"name": "t", "steps": [[{"name": "a", "template": "gone"}]]}]})
    user = thing(
        {"templates": [{"name": "u", "steps": [[{"name": "a", "templateRef": {"name": "l", "template": "t"}}]]}]}
    )

    [problem] = validate(user, lookup={LibraryRef("l"): library}.get)
    assert problem.message == "workflowtemplates/l templates.t.steps[0].a template name 'gone' undefined"
    assert problem.path == "workflowtemplates/l spec.templates[0].steps[0][0]"


def test_a_call_without_a_template_is_told():
    assert first_of_steps("[[{name: a}]]") == "templates.t.steps[0].a failed to get a template"
    both = "[[{name: a, template: ok, inline: {suspend: {}}}]]"
    assert first_of_steps(both) == "templates.t.steps[0].a has inline beside template or templateRef"
    both = "[[{name: a, templateRef: {name: x, template: y}, inline: {suspend: {}}}]]"
    assert first_of_steps(both) == "templates.t.steps[0].a has inline beside template or templateRef"


@pytest.mark.spec("COND-4", "COND-5", "RTY-4")
@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ("{hooks: {running: {template: ok, expression: 'a =='}}}", "spec.hooks.running.expression"),
        ("{templates: [{name: t, suspend: {}, retryStrategy: {expression: 'a =='}}]}",
         "templates.t.retryStrategy.expression"),
        ("{templates: [{name: t, steps: [], outputs: {parameters: [{name: p, valueFrom: {expression: 'a =='}}]}}]}",
         "templates.t.outputs.parameters.p.valueFrom.expression"),
        ("{workflowMetadata: {labelsFrom: {a: {expression: 'a =='}}}}",
         "spec.workflowMetadata.labelsFrom.a.expression"),
    ],
)  # fmt: skip
def test_an_expression_that_cannot_be_read_is_for_the_run_to_find(spec, place):
    written = thing(yaml.safe_load(spec))
    assert validate(written, lookup=lambda _: None) == []
    [problem] = validate(written, lookup=lambda _: None, thorough=True)

    assert (problem.severity, problem.late) == ("error", True)
    assert problem.message.startswith(f"{place} is no expression: ")


def test_a_tag_that_cannot_be_read_is_for_the_run_to_find():
    template = {"name": "t", "script": {"image": "x", "source": "echo {{= a == }}"}}
    assert validate(thing({"templates": [template]}), lookup=lambda _: None) == []
    [problem] = validate(thing({"templates": [template]}), lookup=lambda _: None, thorough=True)

    assert (problem.severity, problem.late) == ("error", True)
    assert problem.message.startswith("templates.t: {{=a ==}} is no expression: ")

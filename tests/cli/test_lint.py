"""Every problem of a manifest is found before it runs, with its file and line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from crds.features import MISSING, Missing
from tiphys.cli import lint, lint_forms, main
from tiphys.cli.documents import parse, read
from tiphys.cli.problems import InputError
from tiphys.cli.screen import Screen

ROOT = Path(__file__).resolve().parents[2]
OURS = sorted(path for folder in ("", "events") for path in (ROOT / "examples" / folder).glob("*.yaml"))
CALLER = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: caller}
spec:
  entrypoint: main
  templates:
    - name: main
      steps:
        - - name: one
            templateRef: {name: library, template: hello}
"""
BINDING = """apiVersion: argoproj.io/v1alpha1
kind: WorkflowEventBinding
metadata: {name: binding}
spec: {event: {selector: "true"}, submit: {workflowTemplateRef: {name: library}}}
"""

LIBRARY = """apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: library}
spec:
  templates:
    - name: hello
      container: {image: busybox, command: [echo]}
"""


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_every_good_example_has_no_problem(path: Path) -> None:
    assert lint.check_or_raise(read([str(path)]), lint.RUNNING) == []


def test_a_template_beside_the_workflow_is_found() -> None:
    assert lint.check_or_raise(parse(CALLER + "---\n" + LIBRARY, "f"), lint.RUNNING) == []


def test_a_template_that_is_nowhere_stops_a_run_and_only_warns_a_submission() -> None:
    documents = parse(CALLER, "f.yaml")
    with pytest.raises(InputError, match=r"f\.yaml:\d+: Workflow/caller: .*template reference library.hello not found"):
        lint.check_or_raise(documents, lint.RUNNING)
    (warning,) = lint.check_or_raise(documents, lint.SUBMITTING)
    assert "not found among these files" in warning.message


def test_an_unknown_field_passes_only_when_asked() -> None:
    documents = parse(LIBRARY.replace("command:", "comand:"), "f.yaml")
    with pytest.raises(InputError, match=r"f\.yaml:7: WorkflowTemplate/library: .*did you mean command\?"):
        lint.check_or_raise(documents, lint.RUNNING)
    assert lint.check_or_raise(documents, lint.RUNNING._replace(strict=False))


@pytest.mark.spec("CLI-13")
def test_a_folder_is_judged_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "caller.yaml").write_text(CALLER)
    (tmp_path / "library.yaml").write_text(LIBRARY)
    (tmp_path / "broken.yaml").write_text("a: [")
    reports = lint.reports([str(tmp_path)])
    assert [(Path(report.source).name, report.fails) for report in reports] == [
        ("broken.yaml", True),
        ("caller.yaml", False),
        ("library.yaml", False),
    ]
    pretty = lint.pretty(reports, Screen(utf8=False))
    assert pretty[0].startswith("x ")
    assert pretty[-2:] == ["1 of 3 files have errors", "x 1 linting errors found!"]
    assert lint.simple(reports)[0].startswith(f"{tmp_path}/broken.yaml:1: this is not YAML")


def test_kinds_narrow_what_is_judged(tmp_path: Path) -> None:
    (tmp_path / "caller.yaml").write_text(CALLER)
    assert lint.reports([str(tmp_path)], ["workflowtemplates"])[0].findings == []
    assert lint.reports([str(tmp_path)], ["workflows"])[0].findings != []


@pytest.mark.spec("CLI-13")
def test_a_kind_may_have_its_short_name_and_one_that_nobody_knows_is_said(tmp_path: Path) -> None:
    (tmp_path / "caller.yaml").write_text(CALLER)
    assert lint.reports([str(tmp_path)], ["wftmpl"])[0].findings == []
    assert lint.reports([str(tmp_path)], ["wf"])[0].findings == lint.reports([str(tmp_path)], ["all"])[0].findings != []
    with pytest.raises(InputError, match="unknown kind: gadgets"):
        lint.reports([str(tmp_path)], ["gadgets"])


@pytest.mark.spec("CLI-13")
def test_nothing_to_judge_is_a_failure_and_no_error_is_said_in_upstreams_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "library.yaml"
    file.write_text(LIBRARY)
    said = []
    for options in ([], ["--kinds", "wf"]):
        for form in ("pretty", "simple"):
            code = main(["lint", str(file), *options, "-o", form, "--no-color"])
            said.append((code, capsys.readouterr().out.splitlines()[-1]))
    nothing = "found nothing to lint in the specified paths, failing..."
    assert said == [
        (0, "✔ no linting errors found!"),
        (0, "no linting errors found!"),
        (1, f"✖ {nothing}"),
        (1, nothing),
    ]


WRONG = LIBRARY.replace("command:", "comand:")


@pytest.mark.spec("CLI-13")
def test_every_finding_has_file_line_column_rule_and_remedy_for_programs(tmp_path: Path) -> None:
    file = tmp_path / "library.yaml"
    file.write_text(WRONG)
    found = lint.reports([str(file)])
    (entry,) = json.loads(lint_forms.as_json(found))
    assert entry == {
        "file": str(file), "line": 7, "column": 35, "rule": "unknown-field", "severity": "error",
        "object": "WorkflowTemplate/library", "field": "spec.templates[0].container.comand",
        "message": "spec.templates[0].container.comand: is not a known field (did you mean command?)",
        "remedy": "did you mean command?",
    }  # fmt: skip
    log = json.loads(lint_forms.as_sarif(found))
    run = log["runs"][0]
    assert (log["version"], [rule["id"] for rule in run["tool"]["driver"]["rules"]]) == ("2.1.0", list(lint.RULES))
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("unknown-field", "error")
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": str(file)}, "region": {"startLine": 7, "startColumn": 35}}


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("dag: {tasks: [{name: a, template: main, depends: a.Succeded}]}", "write Succeeded, Failed,"),
        ("steps: [[{name: a, template: nowhere}]]", "define it under templates"),
        ("container: {image: x, args: ['{{inputs.parameters.a}}']}", "known here are"),
        ("container: {image: x, command: sh}", "begin each entry with a dash"),
    ],
)
def test_what_upstream_says_without_a_remedy_has_one_for_programs(tmp_path: Path, line: str, remedy: str) -> None:
    file = tmp_path / "w.yaml"
    head = "apiVersion: argoproj.io/v1alpha1\nkind: WorkflowTemplate\nmetadata: {name: w}\nspec:\n  templates:\n"
    file.write_text(f"{head}  - name: main\n    {line}\n")
    entries = json.loads(lint_forms.as_json(lint.reports([str(file)])))
    assert any(entry["remedy"].startswith(remedy) for entry in entries), entries


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a: [", "not-readable"),
        (WRONG, "unknown-field"),
        (LIBRARY.replace("[echo]", "7"), "wrong-value"),
        (LIBRARY.replace("templates:", "entrypoint: nowhere\n  templates:"), "invalid-workflow"),
        (CALLER, "template-elsewhere"),
        (BINDING.replace('"true"', '"payload."'), "invalid-binding"),
    ],
)
def test_each_finding_belongs_to_a_rule(text: str, rule: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(text)
    (report,) = lint.reports([str(tmp_path)])
    assert {finding.rule for finding in report.findings} == {rule}


def test_what_this_version_does_not_do_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MISSING, "kind.WorkflowEventBinding", Missing("EVT-2", "event bindings"))
    (tmp_path / "f.yaml").write_text(BINDING)
    (report,) = lint.reports([str(tmp_path)])
    assert {finding.rule for finding in report.findings} == {"not-supported"}


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("spec.event.selector", 'selector: "payload.a =="', "unexpected token EOF"),
        ("spec.event.selector", 'selector: "body.a == 1"', "unknown name body: an event has payload, metadata,"),
        ("spec.submit.metadata.name", "name: hello world", "unexpected token"),
        ("spec.submit.metadata.labels.a", 'labels: {a: "=x"}', "unexpected token"),
        ("spec.submit.arguments.parameters[0]", "parameters: [{name: p, value: x}]", "write valueFrom.event"),
        ("spec.submit.arguments.parameters[0].valueFrom.event", "event: payload +", "unexpected token EOF"),
    ],
)
def test_what_cannot_be_evaluated_in_a_binding_is_found_at_its_place(
    field: str, text: str, said: str, tmp_path: Path
) -> None:
    key = text.partition(":")[0]
    given = {
        "selector": 'selector: "true"',
        "name": "name: payload.name",
        "labels": "labels: {}",
        "parameters": "parameters: []",
        "event": "parameters: []",
    } | {key: f"parameters: [{{name: p, valueFrom: {{{text}}}}}]" if key == "event" else text}
    lines = ["apiVersion: argoproj.io/v1alpha1", "kind: WorkflowEventBinding", "metadata: {name: b}", "spec:"]
    lines += ["  event:", f"    {given['selector']}", "  submit:", "    workflowTemplateRef: {name: t}"]
    lines += ["    metadata:", f"      {given['name']}", f"      {given['labels']}", "    arguments:"]
    lines += [f"      {given['event' if key == 'event' else 'parameters']}"]
    (tmp_path / "f.yaml").write_text("\n".join(lines) + "\n")

    (report,) = lint.reports([str(tmp_path)])

    (found,) = report.findings
    assert (found.rule, found.path) == ("invalid-binding", field)
    assert said in found.problem.message
    assert lint.check_or_raise(read([str(tmp_path / "f.yaml")]), lint.SUBMITTING) == [found.problem]


BROKEN = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: broken}
spec:
  entrypoint: main
  typo: 3
  retryStrategy:
    limit: lots
  templates:
    - name: main
      steps:
        - - name: a
            template: leaf
            when: "a =="
            arguments:
              parameters: [{name: m, value: "{{=asInt(}}"}]
        - - {name: b, template: nowhere}
    - name: leaf
      inputs: {parameters: [{name: m}]}
      container: {image: 7, command: [sh], args: [1, "{{=nosuch}}"]}
"""
PLACES = [
    ("unknown-field", 6, 3, "spec.typo"),
    ("fails-later", 8, 5, "spec.retryStrategy.limit"),
    ("fails-later", 14, 13, "spec.templates[0].steps[0][0].when"),
    ("fails-later", 16, 38, "spec.templates[0].steps[0][0].arguments.parameters[0].value"),
    ("invalid-workflow", 17, 13, "spec.templates[0].steps[1][0]"),
    ("wrong-value", 20, 19, "spec.templates[1].container.image"),
    ("wrong-value", 20, 51, "spec.templates[1].container.args[0]"),
    ("fails-later", 20, 54, "spec.templates[1].container.args[1]"),
]


@pytest.mark.spec("CLI-13")
def test_what_would_only_fail_later_is_found_with_all_else_and_nothing_hides_it(tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(BROKEN)
    found = lint.reports([str(file)])
    entries = json.loads(lint_forms.as_json(found))
    assert [(e["rule"], e["line"], e["column"], e["field"]) for e in entries] == PLACES
    assert all(entry["remedy"] and entry["severity"] == "error" for entry in entries)
    results = json.loads(lint_forms.as_sarif(found))["runs"][0]["results"]
    regions = [result["locations"][0]["physicalLocation"]["region"] for result in results]
    assert [(r["ruleId"], place["startLine"], place["startColumn"], r["properties"]["field"])
            for r, place in zip(results, regions, strict=True)] == PLACES  # fmt: skip


def test_what_upstream_would_run_is_no_reason_not_to_run_it() -> None:
    later = LIBRARY.replace("command: [echo]", "command: [echo, 3], args: ['{{=nosuch}}']")
    (warning,) = lint.check_or_raise(parse(later, "f.yaml"), lint.RUNNING)
    assert "names nosuch" in warning.message


NOT_TAKEN = {
    "fun-with-gifs.yaml": "no metadata.name", "k8s-jobs.yaml": "no metadata.name",
    "k8s-patch-json-workflow.yaml": "given twice", "workflow-count-resourcequota.yaml": "unknown kind 'ResourceQuota'",
}  # fmt: skip
EXAMPLES = Path(os.environ.get("TIPHYS_CONFORMANCE", ROOT / "../shared/conformance")) / "workflows/examples"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the conformance examples are not there: set TIPHYS_CONFORMANCE")
def test_no_example_of_upstreams_has_an_error_but_those_that_are_known_to() -> None:
    failing = {Path(report.source).name: report for report in lint.reports([str(EXAMPLES)]) if report.fails}
    assert failing.keys() == NOT_TAKEN.keys()
    for name, why in NOT_TAKEN.items():
        (finding,) = failing[name].findings
        assert why in finding.problem.message


def test_numbers_where_text_belongs_are_text() -> None:
    (document,) = parse(LIBRARY.replace("[echo]", "[echo, 3, true]"), "f")
    assert document.object["spec"]["templates"][0]["container"]["command"] == ["echo", "3", "true"]

"""Bad input is answered by a sentence that says where, what and what to do; never by a traceback or a silence."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.e2e.conftest import EXAMPLES, Refusal, Run

Tiphys = Callable[..., Refusal]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("bad/does-not-parse.yaml", "does-not-parse.yaml:8: this is not YAML"),
        ("bad/duplicate-key.yaml", "duplicate-key.yaml:13: the key 'image' is given twice (first on line 11)"),
        ("bad/no-entrypoint.yaml", "spec.entrypoint is required"),
        (
            "bad/unknown-template.yaml",
            "unknown-template.yaml:7: Workflow/unknown-template-: template name 'helo' undefined",
        ),
        ("bad/cycle.yaml", "sorting failed: graph with cycle (A->B->A depend on each other"),
        (
            "bad/duplicate-names.yaml",
            "duplicate-names.yaml:13: Workflow/duplicate-names-: spec.templates[1].name 'hello'",
        ),
        ("bad/missing-argument.yaml", "inputs.parameters.message was not supplied"),
        ("bad/unknown-field.yaml", "spec.templates[0].container.comand: is not a known field (did you mean command?)"),
        ("bad/unknown-kind.yaml", "unknown-kind.yaml:3: unknown kind 'Worklfow' in argoproj.io/v1alpha1; did you mean"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_starts(tiphys: Tiphys, file: str, message: str) -> None:
    refused = tiphys("run", str(EXAMPLES / file))
    assert (refused.code, refused.out) == (2, "")
    assert message in refused.err
    assert refused.err.startswith("error: ")
    assert "Traceback" not in refused.err


def test_lint_finds_the_same_and_fails(tiphys: Tiphys) -> None:
    linted = tiphys("lint", str(EXAMPLES / "bad/unknown-field.yaml"), str(EXAMPLES / "hello-world.yaml"))
    assert linted.code == 1
    assert "✖ " in linted.out
    assert "line 12: Workflow/unknown-field-" in linted.out
    assert "1 of 2 files have errors" in linted.out


def test_a_file_that_is_not_there_is_said(tiphys: Tiphys) -> None:
    refused = tiphys("run", "no-such-file.yaml")
    assert (refused.code, refused.err) == (2, "error: no-such-file.yaml: cannot be read: No such file or directory\n")


def test_a_parameter_without_a_value_is_said(tiphys: Tiphys) -> None:
    refused = tiphys("run", str(EXAMPLES / "hello-parameter.yaml"), "-p", "message")
    assert refused.code == 2
    assert "parameter 'message': expected name=value" in refused.err


def test_a_folder_of_templates_alone_has_nothing_to_run(
    tiphys: Tiphys, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("t") / "c.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n")
    refused = tiphys("run", str(file))
    assert refused.code == 2
    assert "nothing to run: the files hold ConfigMap" in refused.err


def test_a_command_that_is_not_on_this_machine_fails_its_node_with_a_sentence(run: Run) -> None:
    ended = run("bad/missing-command.yaml")
    assert (ended.code, ended.phase) == (1, "Failed")
    assert "no-such-program-anywhere" in ended.nodes[""]["message"] + ended.err


def test_a_pod_that_the_server_refuses_is_an_error_with_the_servers_words(run: Run) -> None:
    ended = run("bad/refused-pod.yaml")
    assert ended.code == 1
    assert ended.phases[""] == "Error"
    assert "nowhere" in ended.nodes[""]["message"]


@pytest.mark.spec("SCR-3")
def test_a_script_that_prints_ten_megabytes_keeps_its_log_and_the_end_of_its_result(run: Run) -> None:
    ended = run("bad/ten-megabytes.yaml")
    talk = ended.nodes["[0].talk"]
    assert sum(line == "x" * 99 for line in ended.log) == 105_000
    if ended.code == 0:
        assert len(talk["outputs"]["result"]) <= 256 * 1024
    else:
        assert talk["message"]


def test_a_hard_parameter_arrives_unharmed(run: Run) -> None:
    hard = "quotes \" and ', a backslash \\ and \\n, braces {x} {{ }} }}, a\nnewline, a\ttab, $HOME `id` and ⛵🐏"
    ended = run("bad/hard-parameter.yaml")
    assert ended.code == 0
    (parameter,) = ended.nodes[""]["inputs"]["parameters"]
    assert parameter["value"] == hard
    said = ended.err[ended.err.index("quotes") :]
    assert said.startswith(hard.replace("\n", f"\n{ended.workflow['metadata']['name']}: "))


def test_a_port_in_use_is_said_with_the_remedy(tiphys: Tiphys) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = tiphys("dev", "--port", str(port))
    assert refused.code == 2
    assert refused.err == f"error: port {port} is in use: choose another with --port, or --port 0 for any free one\n"

"""Every example runs on a bare machine and does what its first line says: nodes and outputs, not only the phase."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import EXAMPLES, Run
from tests.machine import needs_namespaces


def pods(nodes: dict[str, dict[str, Any]]) -> set[str]:
    return {name for name, node in nodes.items() if node["type"] == "Pod"}


def started(node: dict[str, Any]) -> str:
    return str(node["startedAt"])


def outputs(node: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in node["outputs"]["parameters"]}


@pytest.mark.spec("TMPL-1")
def test_hello_world_prints_its_line(run: Run) -> None:
    ended = run("hello-world.yaml")
    assert (ended.code, ended.phase) == (0, "Succeeded")
    assert ended.phases == {"": "Succeeded"}
    assert ended.nodes[""]["type"] == "Pod"
    assert ended.nodes[""]["outputs"]["exitCode"] == "0"
    assert ended.log == ["hello from the helm"]
    assert ended.workflow["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true"


def test_hello_parameter_has_a_default_and_takes_another(run: Run) -> None:
    assert run("hello-parameter.yaml").log == ["hello, Colchis"]
    ended = run("hello-parameter.yaml", "-p", "message=good = morning")
    assert ended.log == ["good = morning"]
    assert ended.nodes[""]["inputs"]["parameters"] == [{"name": "message", "value": "good = morning"}]


def test_parameters_come_from_a_file_and_options_win(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("message: from the file\n")
    assert run("hello-parameter.yaml", "--parameter-file", str(file)).log == ["from the file"]
    assert run("hello-parameter.yaml", "--parameter-file", str(file), "-p", "message=x").log == ["x"]


@pytest.mark.spec("STEP-1")
def test_step_1_ends_before_2a_and_2b_begin(run: Run) -> None:
    ended = run("steps.yaml")
    assert ended.code == 0
    assert ended.phases == dict.fromkeys(["", "[0]", "[0].step1", "[1]", "[1].step2a", "[1].step2b"], "Succeeded")
    nodes = ended.nodes
    assert nodes["[0]"]["type"] == "StepGroup"
    assert nodes["[0].step1"]["finishedAt"] <= min(started(nodes["[1].step2a"]), started(nodes["[1].step2b"]))
    assert ended.log[0] == "cast off"
    assert sorted(ended.log[1:]) == ["row port", "row starboard"]


@pytest.mark.spec("DAG-1")
def test_the_diamond_runs_a_first_and_d_last(run: Run) -> None:
    ended = run("diamond.yaml")
    assert ended.code == 0
    assert pods(ended.nodes) == {".A", ".B", ".C", ".D"}
    assert set(ended.phases.values()) == {"Succeeded"}
    assert (ended.log[0], sorted(ended.log[1:3]), ended.log[3]) == ("A", ["B", "C"], "D")
    children = {name: len(node.get("children", [])) for name, node in ended.nodes.items()}
    assert children == {"": 1, ".A": 2, ".B": 1, ".C": 1, ".D": 0}


@pytest.mark.spec("DAG-2")
def test_task_4_waits_for_2_and_3_and_task_5_for_4(run: Run) -> None:
    ended = run("five-tasks.yaml")
    assert ended.code == 0
    nodes = ended.nodes
    assert pods(nodes) == {f".task-{number}" for number in range(1, 6)}
    assert started(nodes[".task-4"]) >= max(nodes[".task-2"]["finishedAt"], nodes[".task-3"]["finishedAt"])
    assert started(nodes[".task-5"]) >= nodes[".task-4"]["finishedAt"]
    assert ended.log[0] == "task 1 done"
    assert ended.log[3:] == ["task 4 done", "task 5 done"]


@pytest.mark.spec("COND-1")
def test_the_coin_decides_which_step_is_skipped(run: Run) -> None:
    ended = run("coinflip.yaml")
    assert ended.code == 0
    result = ended.nodes["[0].flip"]["outputs"]["result"]
    other = {"heads": "tails", "tails": "heads"}[result]
    assert ended.phases[f"[1].{result}"] == "Succeeded"
    skipped = ended.nodes[f"[1].{other}"]
    assert (skipped["type"], skipped["phase"]) == ("Skipped", "Skipped")
    assert skipped["message"] == f"when '{result} == {other}' evaluated false"
    assert ended.log[-1] == f"it was {result}"


@pytest.mark.parametrize(("limit", "runs", "skipped"), [("1000", "low", "high"), ("1", "high", "low")])
def test_numbers_are_compared_as_numbers(run: Run, limit: str, runs: str, skipped: str) -> None:
    ended = run("number-compare.yaml", "-p", f"limit={limit}")
    assert ended.code == 0
    assert (ended.phases[f"[1].{runs}"], ended.phases[f"[1].{skipped}"]) == ("Succeeded", "Skipped")
    assert ended.log[-1] == f"{ended.nodes['[0].roll']['outputs']['result']} is {runs}"


@pytest.mark.spec("LOOP-1")
def test_a_loop_makes_a_node_of_each_item(run: Run) -> None:
    ended = run("loop.yaml")
    assert ended.code == 0
    assert pods(ended.nodes) == {"[0].oars(0:port side)", "[0].oars(1:starboard side)"}
    assert sorted(ended.log) == ["pulling on the port side", "pulling on the starboard side"]


@pytest.mark.spec("OUT-1")
def test_an_output_parameter_is_read_from_its_file(run: Run) -> None:
    ended = run("output-parameter.yaml")
    assert ended.code == 0
    assert outputs(ended.nodes["[0].measure"]) == {"depth": "12 fathoms", "current": "unknown"}
    assert ended.log == ["the sea is 12 fathoms deep"]


@needs_namespaces
@pytest.mark.spec("ART-1")
@pytest.mark.spec("ART-2")
def test_an_artifact_arrives_where_the_next_step_wants_it(run: Run) -> None:
    ended = run("artifact-passing.yaml")
    assert ended.code == 0
    (letter,) = (a for a in ended.nodes["[0].write"]["outputs"]["artifacts"] if a["name"] == "letter")
    assert letter["path"] == "/tmp/letter.txt"
    assert letter["s3"]["key"].endswith("/letter.tgz")
    assert ended.log == ["the fleece is in the grove"]


@pytest.mark.spec("RES-1")
@pytest.mark.spec("TMPL-3")
def test_a_resource_template_creates_an_object_that_belongs_to_the_workflow(run: Run) -> None:
    ended = run("resource-configmap.yaml")
    assert ended.code == 0
    name = outputs(ended.nodes["[0].create"])["name"]
    assert name.startswith("logbook-")
    assert len(name) > len("logbook-")
    assert f"created {name}" in ended.log


@pytest.mark.spec("SUS-2")
def test_a_pause_lasts_as_long_as_it_says_and_has_no_pod(run: Run) -> None:
    ended = run("suspend-duration.yaml")
    assert ended.code == 0
    assert (ended.nodes["[1].pause"]["type"], ended.phases["[1].pause"]) == ("Suspend", "Succeeded")
    assert started(ended.nodes["[2].after"]) > started(ended.nodes["[1].pause"])
    assert ended.log == ["anchored", "under sail"]


@pytest.mark.spec("DMN-1")
def test_a_daemon_answers_while_it_is_needed_and_is_gone_at_the_end(run: Run) -> None:
    ended = run("daemon.yaml")
    assert ended.code == 0
    assert "aye aye" in ended.log
    server = ended.nodes["[0].server"]
    assert server["phase"] in ("Succeeded", "Failed")
    assert not server.get("daemoned")


@pytest.mark.spec("EXIT-1")
def test_the_exit_handler_runs_after_a_failure_and_knows_of_it(run: Run) -> None:
    ended = run("exit-handler.yaml")
    assert (ended.code, ended.phase) == (1, "Failed")
    assert ended.phases == {"": "Failed", ".onExit": "Succeeded"}
    assert ended.nodes[""]["message"] == "main: Error (exit code 1)"
    assert "the voyage ended: Failed" in ended.log
    assert "│ we hit a rock" in ended.err  # the log of what failed


@pytest.mark.spec("RTY-1")
def test_the_third_attempt_succeeds(run: Run) -> None:
    ended = run("retry.yaml")
    assert ended.code == 0
    assert ended.phases == {"": "Succeeded", "(0)": "Failed", "(1)": "Failed", "(2)": "Succeeded"}
    assert ended.nodes[""]["type"] == "Retry"
    assert sorted(ended.log) == ["this is attempt 0", "this is attempt 1", "this is attempt 2"]


def test_every_example_has_a_test_of_its_own() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))
    examples = [path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*.yaml")]
    assert [path for path in examples if f'{path.name}"' not in text] == []


def test_a_namespace_that_a_file_or_an_option_names_is_there(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.yaml"
    text = (EXAMPLES / "hello-world.yaml").read_text()
    file.write_text(text.replace("metadata:\n", "metadata:\n  namespace: colchis\n", 1))
    assert run(file).workflow["metadata"]["namespace"] == "colchis"
    assert run("hello-world.yaml", "-n", "iolcus").workflow["metadata"]["namespace"] == "iolcus"

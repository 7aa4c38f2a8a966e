"""`tiphys simulate` plays whole updates with the real controllers; hours pass in a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiphys.cli.app import run_app

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "rollouts"
EXAMPLE = EXAMPLES / "istio-analysis.yaml"
CANARY = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: demo}
spec:
  replicas: 5
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec: {containers: [{name: app, image: "app:1"}]}
  strategy:
    canary:
      steps: [{setWeight: 20}, {pause: {}}, {setWeight: 60}, {pause: {duration: 1h}}]
"""
SMOKE = """
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: smoke}
spec:
  metrics:
  - name: smoke
    provider:
      job: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "smoke:1"}]}}}}
"""
BLUE_GREEN = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec: {containers: [{name: app, image: "app:1"}]}
  strategy: {blueGreen: {activeService: active, autoPromotionSeconds: 30}}
---
apiVersion: v1
kind: Service
metadata: {name: active}
spec: {selector: {app: demo}, ports: [{port: 80}]}
"""


def simulate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str], str]:
    code = run_app(["simulate", *arguments])
    told = capsys.readouterr()
    return code, told.out.splitlines(), told.err


@pytest.fixture
def canary(tmp_path: Path) -> str:
    path = tmp_path / "canary.yaml"
    path.write_text(CANARY)
    return str(path)


def test_a_canary_stops_where_it_needs_a_person(capsys: pytest.CaptureFixture[str], canary: str) -> None:
    code, lines, warnings = simulate(capsys, canary, "--set", "image=app:2")
    assert code == 1
    assert lines[0].split() == ["TIME", "PHASE", "STEP", "WEIGHT", "STABLE", "NEW"]
    assert any("Paused" in line and "1/4" in line and "20 %" in line and "4/4" in line for line in lines)
    assert lines[-1].startswith("demo: here it waits for a person: a pause without duration")
    assert "steps[1]: a pause without duration" in warnings


def test_a_person_who_promotes_sees_it_through(capsys: pytest.CaptureFixture[str], canary: str) -> None:
    code, lines, _ = simulate(capsys, canary, "--set", "app=app:2", "--promote-after", "10m")
    assert (code, lines[-1]) == (0, "demo: the update ends Healthy")
    assert any(line.startswith("10m") and "a person promotes" in line for line in lines)
    assert any(line.startswith("1h10m") and "Healthy" in line for line in lines)


def test_pods_that_are_never_ready_end_in_the_deadline(capsys: pytest.CaptureFixture[str], canary: str) -> None:
    code, lines, _ = simulate(capsys, canary, "--set", "image=app:2", "--never-ready")
    assert code == 1
    assert "ends Degraded: ProgressDeadlineExceeded" in lines[-1]


def test_metrics_that_fail_take_a_routed_canary_back(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, _ = simulate(capsys, str(EXAMPLE), "--set", "image=web:2", "--metrics", "fail at 3m")
    assert code == 1
    assert 'Metric "success-rate" assessed Failed due to failed (4) > failureLimit (3)' in lines[-1]
    assert any(line.startswith("6m") and "Degraded" in line and "0 %" in line for line in lines)


def test_metrics_from_a_file_are_judged_by_the_templates_conditions(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    series = tmp_path / "metrics.yaml"
    series.write_text("success-rate: [{from: 0s, value: [0.99]}, {from: 2m, value: [0.9]}]")
    code, lines, _ = simulate(capsys, str(EXAMPLE), "--set", "image=web:2", "--metrics", str(series))
    assert code == 1
    assert "ends Degraded" in lines[-1]
    assert simulate(capsys, str(EXAMPLE), "--set", "image=web:2")[0] == 0


def test_a_metric_of_which_nothing_is_said_is_taken_as_good_and_the_timeline_says_so_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assumed = "metric success-rate is taken as good each time"
    code, lines, _ = simulate(capsys, str(EXAMPLE), "--set", "image=web:2")
    assert (code, sum(assumed in line for line in lines)) == (0, 1)
    _, lines, _ = simulate(capsys, str(EXAMPLE), "--set", "image=web:2", "--metrics", "fail at 1h")
    assert not any(assumed in line for line in lines)


def test_a_job_fails_when_metrics_say_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(CANARY.replace("{pause: {}}", "{analysis: {templates: [{templateName: smoke}]}}") + SMOKE)
    assert simulate(capsys, str(path), "--set", "image=app:2")[0] == 0
    code, lines, _ = simulate(capsys, str(path), "--set", "image=app:2", "--metrics", "fail at 1s")
    assert code == 1
    assert 'Metric "smoke" assessed Failed' in lines[-1]


def test_a_blue_green_update_switches_its_service(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bg.yaml"
    path.write_text(BLUE_GREEN)
    code, lines, _ = simulate(capsys, str(path), "--set", "image=app:2")
    assert code == 0
    assert any("Switched selector for service 'active'" in line for line in lines)


@pytest.mark.parametrize("example", ["canary.yaml", "blue-green.yaml"])
def test_the_examples_end_healthy_when_a_person_promotes(capsys: pytest.CaptureFixture[str], example: str) -> None:
    code, lines, _ = simulate(capsys, str(EXAMPLES / example), "--set", "image=busybox:2", "--promote-after", "1m")
    assert (code, lines[-1].endswith("the update ends Healthy")) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--set", "nobody=app:2"], "unable to find container named 'nobody'"),
        (["--set", "image"], "write CONTAINER=IMAGE"),
        (["--metrics", "break at 3m"], "--metrics"),
        (["--name", "other"], "which Rollout? There are: demo"),
    ],
)
def test_bad_wishes_are_sentences(
    capsys: pytest.CaptureFixture[str], canary: str, arguments: list[str], sentence: str
) -> None:
    code, _, told = simulate(capsys, canary, *arguments)
    assert code == 2
    assert sentence in told

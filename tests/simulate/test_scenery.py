"""A Rollout's file alone can be played: what stands around it in a cluster is put there, and that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiphys.cli.app import run_app

ALONE = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: demo, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec: {containers: [{name: app, image: "app:1"}]}
  strategy: {blueGreen: {activeService: active, previewService: preview, autoPromotionSeconds: 30}}
"""
MESH = """
---
apiVersion: networking.example.com/v1
kind: Gatehouse
metadata: {name: door}
spec: {}
"""
PREVIEW = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: demo}
spec:
  replicas: 2
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec: {containers: [{name: app, image: "app:1"}]}
  strategy:
    canary: {steps: [{experiment: {templates: [{name: look, specRef: canary}]}}]}
"""
REFERRED = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "app:1"}]}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 5
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  strategy: {canary: {steps: [{setWeight: 20}, {pause: {duration: 10s}}]}}
"""
ANALYSED = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: demo}
spec:
  replicas: 1
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec: {containers: [{name: app, image: "app:1"}]}
  strategy: {canary: {steps: [{analysis: {templates: [{templateName: elsewhere}]}}]}}
"""


def simulate(
    capsys: pytest.CaptureFixture[str], folder: Path, text: str, *arguments: str
) -> tuple[int, list[str], str]:
    path = folder / "rollout.yaml"
    path.write_text(text)
    code = run_app(["simulate", str(path), *arguments])
    told = capsys.readouterr()
    return code, told.out.splitlines(), told.err


def test_services_that_are_not_in_the_files_are_played_by_stand_ins(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, lines, told = simulate(capsys, tmp_path, ALONE, "--set", "image=app:2")
    assert (code, lines[-1]) == (0, "demo: the update ends Healthy")
    assert any("Switched selector for service 'active'" in line for line in lines)
    assert "warning: Service active is not in the files: one that selects the Rollout's pods plays it" in told
    assert "warning: Service preview is not in the files" in told


def test_kinds_that_no_controller_here_reads_are_left_out_and_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, told = simulate(capsys, tmp_path, ALONE + MESH, "--set", "image=app:2")
    assert code == 0
    assert "rollout.yaml:15: left out: unknown kind 'Gatehouse'" in told


def test_a_rollout_that_takes_its_template_from_a_deployment_is_updated_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, lines, _ = simulate(capsys, tmp_path, REFERRED, "--set", "image=app:2")
    assert (code, lines[-1]) == (0, "web: the update ends Healthy")
    assert any("20 %" in line and "1/1" in line for line in lines)


def test_a_referenced_workload_that_is_not_in_the_files_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, told = simulate(capsys, tmp_path, REFERRED.partition("---")[2], "--set", "image=app:2")
    assert code == 2
    assert "spec.workloadRef: Deployment web is not in the files: add the one that has it" in told


def test_an_experiment_without_an_end_waits_for_a_person(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, lines, told = simulate(capsys, tmp_path, PREVIEW, "--set", "image=app:2")
    assert code == 1
    assert lines[-1].startswith("demo: here it waits for a person: an experiment without duration")
    assert "steps[0].experiment: without a duration or an analysis that completes it" in told


def test_a_person_who_promotes_goes_past_an_experiment_without_an_end(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, lines, _ = simulate(capsys, tmp_path, PREVIEW, "--set", "image=app:2", "--promote-after", "5m")
    assert (code, lines[-1]) == (0, "demo: the update ends Healthy")
    assert any("a person promotes" in line for line in lines)


def test_a_template_that_is_not_in_the_files_is_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, told = simulate(capsys, tmp_path, ANALYSED, "--set", "image=app:2")
    assert code == 2
    assert "AnalysisTemplate 'elsewhere' not found" in told
    assert "(name the file that has it too)" in told


def test_a_routers_object_that_is_not_in_the_files_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = ALONE.replace("{blueGreen: {activeService: active, previewService: preview, autoPromotionSeconds: 30}}", "")
    routed = """{canary: {canaryService: new, stableService: old, steps: [{setWeight: 20}],
      trafficRouting: {apisix: {route: {name: way}}}}}"""
    code, _, told = simulate(
        capsys, tmp_path, text.replace("strategy: ", f"strategy: {routed}"), "--set", "image=app:2"
    )
    assert code == 2
    assert 'apisixroutes.apisix.apache.org "way" not found: create it, or name another' in told

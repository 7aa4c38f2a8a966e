"""`rollouts lint` judges as the controller would, with what the files have; what they lack may be in the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiphys.cli.lint import Finding, reports

ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: demo}
spec:
  selector: {matchLabels: {app: demo}}
  template:
    metadata: {labels: {app: demo}}
    spec: {containers: [{name: app, image: "demo:1"}]}
  strategy:
    canary:
      stableService: stable
      canaryService: canary
      steps:
      - setWeight: WEIGHT
      - analysis: {templates: [{templateName: check}]}
"""
SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: stable}
spec: {selector: {app: other}, ports: [{port: 80}]}
"""
TEMPLATE = """---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: check}
spec:
  metrics:
  - {name: m, SETTINGS, successCondition: "result > 1", provider: {web: {url: "http://x"}}}
"""
MESHES = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app}
spec: {http: [{route: [{destination: {host: stable}}, {destination: {host: canary}}]}]}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualService
metadata: {name: app}
spec: {provider: {virtualRouter: {virtualRouterRef: {name: app}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: VirtualRouter
metadata: {name: app}
spec: {routes: [{name: main, httpRoute: {action: {weightedTargets: TARGETS}}}]}
"""
MESHED = """
      trafficRouting:
        istio: {virtualService: {name: app}}
        appMesh:
          virtualService: {name: app}
          virtualNodeGroup: {canaryVirtualNodeRef: {name: new}, stableVirtualNodeRef: {name: old}}
"""


def found(tmp_path: Path, text: str) -> list[Finding]:
    path = tmp_path / "demo.yaml"
    path.write_text(text)
    [report] = reports([str(path)])
    return report.findings


def test_what_the_controller_takes_is_fine_whatever_is_not_in_the_files(tmp_path: Path) -> None:
    assert found(tmp_path, ROLLOUT.replace("WEIGHT", "20")) == []


@pytest.mark.spec("RO-1.14-lint")
def test_a_wrong_weight_is_told_in_upstreams_words_at_its_line(tmp_path: Path) -> None:
    [wrong] = found(tmp_path, ROLLOUT.replace("WEIGHT", "120"))
    assert wrong.error
    assert wrong.problem.message.endswith("Invalid value: 120: SetWeight needs to be between 0 and 100")
    assert wrong.problem.line == ROLLOUT.splitlines().index("      - setWeight: WEIGHT") + 1


def test_objects_of_the_files_are_judged_with_it(tmp_path: Path) -> None:
    [wrong] = found(tmp_path, ROLLOUT.replace("WEIGHT", "20") + SERVICE)
    assert 'Service "stable" has unmatch label "app" in rollout' in wrong.problem.message
    endless = TEMPLATE.replace("SETTINGS", "interval: 5s")
    [wrong] = found(tmp_path, ROLLOUT.replace("WEIGHT", "20") + endless)
    assert "has metric m which runs indefinitely" in wrong.problem.message


@pytest.mark.parametrize(("settings", "serious", "sentence"), [
    ("count: 3", True, "metrics[0]: interval must be specified when count > 1"),
    ("count: 1, failureLimit: 1", False, "metric m cannot fail: failureLimit 1 forgives as many failures"),
])  # fmt: skip
def test_an_analysis_is_judged_by_itself(tmp_path: Path, settings: str, serious: bool, sentence: str) -> None:
    [wrong] = found(tmp_path, TEMPLATE.replace("SETTINGS", settings))
    assert (wrong.error, sentence in wrong.problem.message) == (serious, True)


def test_what_is_an_argument_is_judged_later(tmp_path: Path) -> None:
    assert found(tmp_path, TEMPLATE.replace("SETTINGS", 'count: "{{args.n}}", interval: "{{args.i}}"')) == []


def test_a_workload_of_the_files_gives_the_template(tmp_path: Path) -> None:
    deployment = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: demo}
spec:
  selector: {matchLabels: {app: demo}}
  template: {metadata: {labels: {app: demo}}, spec: {containers: []}}
"""
    rollout = """---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: demo}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}
  strategy: {canary: {}}
"""
    assert found(tmp_path, rollout) == []
    assert [wrong.problem.message for wrong in found(tmp_path, deployment + rollout)] == [
        "spec.template.spec.containers: Required value"
    ]


def test_two_meshes_may_have_a_virtual_service_of_one_name(tmp_path: Path) -> None:
    text = ROLLOUT.replace("WEIGHT", "20").rstrip() + MESHED + MESHES
    node = "{virtualNodeRef: {name: new}, weight: 0}"
    assert found(tmp_path, text.replace("TARGETS", f"[{node}, {node}]")) == []
    [wrong] = found(tmp_path, text.replace("TARGETS", f"[{node}]"))
    assert (
        "Invalid number of weightedTargets (1) for AppMesh virtual-router app and route main" in wrong.problem.message
    )

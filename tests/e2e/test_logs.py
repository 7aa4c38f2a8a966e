"""Logs are shown to their end, whatever became of the pods."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import Run

MANIFEST = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: never-began-}
spec:
  entrypoint: main
  templates:
    - name: main
      initContainers: [{name: first, image: busybox, command: [sh, -c, exit 3]}]
      container: {image: busybox, command: [echo, never printed]}
"""


def test_following_ends_with_a_pod_whose_main_container_never_began(run: Run, tmp_path: Path) -> None:
    """The container waits to start for ever: its pod has ended."""
    file = tmp_path / "workflow.yaml"
    file.write_text(MANIFEST)
    ended = run(file)
    assert (ended.code, ended.phase) == (1, "Failed")
    (line,) = ended.log
    assert line.endswith("is waiting to start: PodInitializing)")

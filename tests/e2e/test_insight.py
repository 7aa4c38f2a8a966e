"""`tiphys dev` answers for its controllers: the tree can be drawn, a wait explained, a recording taken and replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import EXAMPLES
from tests.e2e.test_controller import ask, controller, process, read, url_of


def test_the_tree_of_a_dev_cluster_and_what_waits_in_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kubeconfig = str(tmp_path / "kubeconfig")
    with process("dev", "--runtime", "simulated", "--kubeconfig", kubeconfig):
        example = str(EXAMPLES / "suspend-approve.yaml")
        name = ask(capfd, "submit", example, "-o", "name", "--kubeconfig", kubeconfig)
        said = ""
        while "resume" not in said:
            said = ask(capfd, "explain", name, "--kubeconfig", kubeconfig)
        assert "ends " in said
        tree = ask(capfd, "actors", "--kubeconfig", kubeconfig)
        assert tree.startswith("system: ")
        assert f"workflow:default/{name}" in tree
    assert list(tmp_path.iterdir()) == [], "neither the kubeconfig nor the note of the door is left"


def test_what_a_controller_has_recorded_is_decided_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kubeconfig = str(tmp_path / "kubeconfig")
    with (
        process("dev", "--no-controllers", "--runtime", "simulated", "--kubeconfig", kubeconfig),
        controller(kubeconfig, "--record", "5000") as started,
    ):
        url = url_of(started)
        name = ask(capfd, "submit", str(EXAMPLES / "diamond.yaml"), "-o", "name", "--kubeconfig", kubeconfig)
        ask(capfd, "wait", name, "--kubeconfig", kubeconfig)
        (tmp_path / "recording").write_text(read(f"{url}/debug/recording"))
    assert "decisions, all the same" in ask(capfd, "replay", str(tmp_path / "recording"))

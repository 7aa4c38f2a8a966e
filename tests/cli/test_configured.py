"""`--config`: a configuration that cannot be used is said key by key before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from tiphys.cli import main
from tiphys.cli.configured import configuration_of
from tiphys.cli.problems import InputError

WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w}
spec: {entrypoint: main, templates: [{name: main, container: {image: busybox, command: ["true"]}}]}
"""


@pytest.mark.parametrize("command", ["run", "dev", "controller"])
def test_a_mistake_in_it_ends_every_command_with_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, config = tmp_path / "w.yaml", tmp_path / "config.yaml"
    file.write_text(WORKFLOW)
    config.write_text("paralellism: 3\nnamespaceParallelism: many\n")
    arguments = [str(file)] if command == "run" else []

    assert main([command, *arguments, "--config", str(config)]) == 2
    printed = capsys.readouterr().err
    assert f"{config}: paralellism: there is no such key: check its spelling" in printed
    assert f"{config}: namespaceParallelism: input should be a valid integer" in printed


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        configuration_of(tmp_path / "nowhere.yaml")
    assert configuration_of(None) is None


@pytest.mark.parametrize(
    "text",
    [
        "parallelism: 3",
        "kind: ConfigMap\ndata: {parallelism: '3'}",
        "kind: ConfigMap\ndata: {config: 'parallelism: 3'}",
    ],
)
def test_it_may_be_the_keys_or_upstreams_config_map(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    read = configuration_of(file)

    assert read is not None
    assert read.parallelism == 3

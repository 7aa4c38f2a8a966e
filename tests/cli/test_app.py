"""The command line as people type it: help, exit codes, and where it finds its cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiphys.cli import main, places
from tiphys.cli.app import spelled_out
from tiphys.cli.problems import InputError

COMMANDS = (
    *("run", "dev", "lint", "version", "submit", "get", "watch", "logs"),
    *("wait", "delete", "list", "stop", "terminate", "suspend", "resume"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"tiphys {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "--runtime", "magic", "x"],
        ["nonsense"],
        ["stop"],
        ["submit"],
        ["lint"],
        ["run", "x", "--timeout", "soon"],
    ],
    ids=" ".join,
)
def test_bad_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.err
    assert "Traceback" not in printed.err


@pytest.mark.spec("RO-1.14-version")
def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--short"]) == 0
    assert main(["--version"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("tiphys: ")


def test_flags_may_be_written_as_upstream_writes_them() -> None:
    assert spelled_out(["run", "--watch=false", "--strict=true", "-p", "a=false", "--", "--watch=false"]) == [
        "run",
        "--no-watch",
        "--strict",
        "-p",
        "a=false",
        "--",
        "--watch=false",
    ]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on it."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "run").mkdir()
    return tmp_path


def there(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return path


def test_the_nearest_kubeconfig_wins(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = there(machine / "home" / ".kube" / "config")
    assert places.kubeconfig() == own
    dev = there(places.dev_kubeconfig())
    assert dev == machine / "run" / "tiphys" / "kubeconfig"
    assert places.kubeconfig() == dev
    named = there(machine / "named")
    monkeypatch.setenv("KUBECONFIG", f"{machine / 'absent'}:{named}")
    assert places.kubeconfig() == named
    option = there(machine / "option")
    assert places.kubeconfig(str(option)) == option


def test_without_a_runtime_folder_the_cache_holds_the_kubeconfig(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert places.dev_kubeconfig() == machine / "home" / ".cache" / "tiphys" / "kubeconfig"


def test_no_cluster_is_said_with_the_remedy(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 2
    assert "Start one with `tiphys dev`" in capsys.readouterr().err


def test_a_kubeconfig_that_is_not_there_is_said(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="--kubeconfig: there is no file /nowhere"):
        places.kubeconfig("/nowhere")
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with pytest.raises(InputError, match=r"\$KUBECONFIG: there is no file /nowhere"):
        places.kubeconfig()


def test_a_cluster_that_does_not_answer_is_said(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = machine / "k"
    file.write_text(
        '{"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],'
        ' "users": [{"name": "u", "user": {}}],'
        ' "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}]}'
    )
    assert main(["get", "x", "--kubeconfig", str(file)]) == 2
    assert f"the cluster of {file} does not answer" in capsys.readouterr().err


@pytest.mark.spec("CLI-22")
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_commands(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_TIPHYS_COMPLETE" in capsys.readouterr().out


@pytest.mark.spec("CLI-1")
def test_a_dry_run_prints_what_would_be_sent_and_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: w}\nspec:\n  entrypoint: m\n"
        "  templates: [{name: m, container: {image: x, command: [y]}}]\n"
    )
    arguments = ["submit", str(file), "--dry-run", "-p", "a=b", "-o", "json", "--kubeconfig", str(tmp_path / "none")]
    assert main(arguments) == 0
    sent = json.loads(capsys.readouterr().out)
    assert sent["spec"]["arguments"] == {"parameters": [{"name": "a", "value": "b"}]}
    assert main([*arguments, "--server-dry-run"]) == 2

"""`tiphys dev` is a cluster that the other commands work against, until it is told to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import EXAMPLES, ROOT, Refusal

Tiphys = Callable[..., Refusal]
END_S = 20  # a session that has nothing left to do ends well within


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A dev cluster in a process of its own; when it is told to stop it ends with 0 and takes its kubeconfig away."""
    path = tmp_path_factory.mktemp("dev") / "kubeconfig"
    command = [sys.executable, "-m", "tiphys.cli", "dev", "--kubeconfig", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready https://127.0.0.1:"), process.stderr.read() if process.stderr else ""
        assert path.stat().st_mode & 0o777 == 0o600
        yield path
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=END_S)
        assert (process.returncode, "Traceback" in err) == (0, False)
        assert not path.exists()


@pytest.fixture
def at(tiphys: Tiphys, kubeconfig: Path) -> Tiphys:
    """A command on that cluster."""
    return lambda command, *arguments: tiphys(command, *arguments, "--kubeconfig", str(kubeconfig))


def submitted(at: Tiphys, file: str, *options: str) -> str:
    done = at("submit", str(EXAMPLES / file), "-o", "name", *options)
    assert done.code == 0, done.err
    return done.out.strip()


@pytest.mark.spec("CLI-1", "CLI-5")
def test_a_workflow_is_submitted_and_waited_for(at: Tiphys) -> None:
    name = submitted(at, "diamond.yaml")
    waited = at("wait", name)
    assert waited.code == 0
    assert waited.out.startswith(f"{name} Succeeded at 20")


@pytest.mark.spec("CLI-2", "CLI-3", "CLI-4", "SUS-1", "SUS-5")
def test_a_suspended_workflow_is_seen_resumed_and_read(at: Tiphys) -> None:
    name = submitted(at, "suspend-approve.yaml")
    shown = at("get", name)
    deadline = time.monotonic() + END_S
    while "ǁ approve" not in shown.out and time.monotonic() < deadline:
        shown = at("get", name)
    assert "Status:              Running (Suspended)" in shown.out
    assert any(line.split()[:3] == [name, "Running", "(Suspended)"] for line in at("list").out.splitlines())
    assert at("resume", name).out == f"workflow {name} resumed\n"
    assert at("wait", name).code == 0
    assert [line.partition(": ")[2] for line in at("logs", name).out.splitlines()] == ["built", "shipped"]
    assert [line.partition(": ")[2] for line in at("logs", name, "-f").out.splitlines()] == ["built", "shipped"]
    workflow = json.loads(at("get", name, "-o", "json").out)
    phases = {node["displayName"]: node["phase"] for node in workflow["status"]["nodes"].values()}
    assert phases["approve"] == "Succeeded"


@pytest.mark.spec("CLI-9", "OP-1")
def test_a_waiting_workflow_is_stopped(at: Tiphys) -> None:
    name = submitted(at, "suspend-approve.yaml")
    assert at("stop", name).out == f"workflow {name} stopped\n"
    waited = at("wait", name)
    assert (waited.code, waited.out.split()[:2]) == (1, [name, "Failed"])
    assert "Status:              Failed (Stopped)" in at("get", name).out
    again = at("stop", name)
    assert again.code == 1
    assert "cannot shutdown a completed workflow" in again.err


@pytest.mark.spec("CLI-6")
@pytest.mark.spec("OP-6")
def test_workflows_are_deleted(at: Tiphys) -> None:
    name = submitted(at, "hello-world.yaml")
    assert at("delete", name, "--dry-run").out == f"Workflow '{name}' deleted (dry-run)\n"
    assert at("delete", name).out == f"Workflow '{name}' deleted\n"
    assert at("delete", name).out == f"Workflow '{name}' not found\n"
    gone = at("get", name)
    assert (gone.code, name in gone.err) == (2, True)


def test_submit_with_wait_and_watch_tells_how_it_ended(at: Tiphys) -> None:
    assert at("submit", "--wait", str(EXAMPLES / "exit-handler.yaml")).code == 1
    watched = at("submit", "--watch", str(EXAMPLES / "steps.yaml"))
    assert watched.code == 0
    assert "✔ steps-" in watched.out


def test_a_server_dry_run_creates_nothing(at: Tiphys) -> None:
    name = submitted(at, "hello-world.yaml", "--server-dry-run", "--name", "only-asked")
    assert name == "only-asked"
    assert at("get", name).code == 2


SLEEPER = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: sleeper-}
spec:
  entrypoint: sleep
  templates:
    - name: sleep
      container:
        image: busybox
        command: [sh, -c]
        args: ["sleep SECONDS & sleep SECONDS"]
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> tuple[Path, str]:
    """A workflow that sleeps, with a child that sleeps, for a time that nobody else's sleep has."""
    seconds = f"{os.getpid()}{time.monotonic_ns() % 1_000_000}"
    path = tmp_path / "sleeper.yaml"
    path.write_text(SLEEPER.replace("SECONDS", seconds))
    return path, seconds


def sleeping(seconds: str) -> list[str]:
    """The processes of this machine that sleep for that time."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[:2] == ["sleep", seconds]:
            found.append(entry.parent.name)
    return found


def interrupted(sleeper: tuple[Path, str], *signals: int) -> tuple[int, str, str]:
    """Run the sleeper until it sleeps, then send the signals; the exit code and what was printed."""
    path, seconds = sleeper
    command = [sys.executable, "-m", "tiphys.cli", "run", str(path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    ) as process:
        assert until(lambda: len(sleeping(seconds)) == 2), "it never slept"
        for number in signals:
            process.send_signal(number)
        out, err = process.communicate(timeout=END_S)
        return process.returncode, out, err


def until(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold within the time that anything here may take."""
    deadline = time.monotonic() + END_S
    while not holds() and time.monotonic() < deadline:
        os.sched_yield()
    return holds()


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "Stopped"), (signal.SIGTERM, "Terminated")])
def test_an_interruption_stops_the_workflow_and_leaves_no_process(
    sleeper: tuple[Path, str], number: int, word: str
) -> None:
    code, out, err = interrupted(sleeper, number)
    assert (code, "Traceback" in err) == (1, False)
    assert f"Failed ({word})" in out
    assert sleeping(sleeper[1]) == []


def test_three_interruptions_end_it_at_once_and_leave_no_process(sleeper: tuple[Path, str]) -> None:
    code, _, err = interrupted(sleeper, signal.SIGINT, signal.SIGINT, signal.SIGINT)
    assert (code, "Traceback" in err) == (1, False)
    assert sleeping(sleeper[1]) == []


def test_a_run_that_is_killed_leaves_no_process(sleeper: tuple[Path, str]) -> None:
    code, _, _ = interrupted(sleeper, signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert until(lambda: sleeping(sleeper[1]) == [])


@pytest.mark.spec("CLI-7", "CLI-8", "OP-4", "OP-5")
def test_a_workflow_that_failed_is_retried_explained_and_resubmitted(at: Tiphys) -> None:
    name = submitted(at, "exit-handler.yaml")
    assert at("wait", name).code == 1
    again = at("retry", name, "--wait", "-o", "name")
    first, ended = again.out.splitlines()
    assert (again.code, first, ended.rpartition(" at ")[0]) == (1, name, f"{name} Failed")
    assert at("explain", name).out.startswith(f"{name} is Failed since 20")
    copied = at("resubmit", name, "--memoized", "--wait", "-o", "name")
    assert copied.code == 1
    assert copied.out.splitlines()[0] != name

"""The commands as people type them: what they print, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import pytest
import yaml

from tests.e2e.conftest import EXAMPLES
from tiphys.cli import main
from tiphys.devcluster.testing import devcluster

Ended = tuple[int, str, str]


@pytest.fixture
def tiphys(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def act(*arguments: str) -> Ended:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return act


def test_a_dry_run_needs_no_cluster_and_prints_what_kubectl_takes(tiphys: Callable[..., Ended]) -> None:
    code, out, _ = tiphys("install", "--dry-run", "--no-crds", "--namespaced", "-n", "mine", "--image", "r/t:1")
    things = list(yaml.safe_load_all(out))

    assert code == 0
    assert {thing["metadata"].get("namespace", "mine") for thing in things} == {"mine"}
    assert "# get: who leads" in out
    (controller,) = [thing for thing in things if thing["kind"] == "Deployment"]
    assert controller["spec"]["template"]["spec"]["containers"][0]["image"] == "r/t:1"


def test_half_of_it_is_named_rightly_or_refused(tiphys: Callable[..., Ended]) -> None:
    code, out, _ = tiphys("install", "--dry-run", "--no-crds", "--only", "rollouts")
    assert code == 0
    assert "--only=rollouts" in out
    assert "resources: [workflows]" not in out

    code, _, err = tiphys("install", "--dry-run", "--only", "rolouts")
    assert (code, "write workflows or rollouts" in err) == (2, True)


async def test_installing_checking_and_taking_it_out_again(tiphys: Callable[..., Ended]) -> None:
    async with devcluster() as cluster:
        where = ("--kubeconfig", str(cluster.kubeconfig))

        async def run(*arguments: str) -> Ended:
            return await anyio.to_thread.run_sync(lambda: tiphys(*arguments, *where))

        code, before, _ = await run("check")
        assert (code, "✖ workflows are not served" in before) == (1, True)

        code, out, _ = await run("install", "--network-policy")
        assert (code, "Deployment tiphys/tiphys-controller applied" in out) == (0, True)

        code, after, _ = await run("check", "--self")
        assert "✔ 13 kinds of argoproj.io/v1alpha1 are served" in after
        assert "✔ whoever asks has all" in after
        assert (code, "✖ there are no nodes" in after) == (1, True)

        code, out, _ = await run("uninstall", "--crds", "--delete-namespace")
        assert code == 0
        assert {"CustomResourceDefinition workflows.argoproj.io deleted", "Namespace tiphys deleted"} <= set(
            out.splitlines()
        )
        assert await run("uninstall") == (0, "", "")
        assert (await run("uninstall", "--finalizers-only"))[0] == 0


def test_a_cluster_that_is_not_there_is_a_sentence(tiphys: Callable[..., Ended], tmp_path: Path) -> None:
    code, _, err = tiphys("check", "--kubeconfig", str(tmp_path / "none"))

    assert code == 2
    assert "none" in err


@pytest.mark.parametrize("variable", ["TIPHYS_METRIC_SERIES_MAX", "OTEL_TRACES_EXPORTER"])
def test_a_variable_that_cannot_be_meant_is_a_sentence(
    tiphys: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "nonsense")
    code, _, err = tiphys("run", str(EXAMPLES / "hello-world.yaml"))

    assert code == 2
    assert "error: configuration: " in err
    assert "Traceback" not in err

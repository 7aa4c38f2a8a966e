"""Three processes, as in a cluster: the API, `tiphys node` with real pods, `tiphys controller`; who a pod is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import EXAMPLES
from tests.e2e.test_controller import ask, controller, process
from tests.machine import needs_namespaces
from tiphys.cli import main

WHO_AM_I = """
import json, os, ssl, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount"
server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
request = urllib.request.Request(
    f"{server}/apis/authentication.k8s.io/v1/selfsubjectreviews", data=b"{}", method="POST",
    headers={"Authorization": "Bearer " + open(f"{folder}/token").read(), "Content-Type": "application/json"},
)
answer = urllib.request.urlopen(request, context=ssl.create_default_context(cafile=f"{folder}/ca.crt"))
open("/tmp/who", "w").write(json.load(answer)["status"]["userInfo"]["username"])
"""

ASKING = {
    "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "who"},
    "spec": {
        "entrypoint": "main", "serviceAccountName": "default", "automountServiceAccountToken": True,
        "templates": [{
            "name": "main", "script": {"image": "python:3", "command": ["python"], "source": WHO_AM_I},
            "outputs": {"parameters": [{"name": "who", "valueFrom": {"path": "/tmp/who"}}]},
        }],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = str(tmp_path_factory.mktemp("joined") / "kubeconfig")
    with (
        process("dev", "--no-controllers", "--runtime", "none", "--kubeconfig", path),
        process("node", "--runtime", "auto", "--scheduler", "--kubeconfig", path),
        controller(path),
    ):
        yield path


def test_helpers_and_outputs_work_on_a_node_that_has_joined(kubeconfig: str, capfd: pytest.CaptureFixture[str]) -> None:
    name = ask(capfd, "submit", str(EXAMPLES / "output-parameter.yaml"), "-o", "name", "--kubeconfig", kubeconfig)
    ask(capfd, "wait", name, "--kubeconfig", kubeconfig)
    done = json.loads(ask(capfd, "get", name, "-o", "json", "--kubeconfig", kubeconfig))
    assert done["status"]["phase"] == "Succeeded"


@needs_namespaces
def test_a_pod_is_its_service_account_and_nobody_else(
    kubeconfig: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "who.json"
    file.write_text(json.dumps(ASKING))
    name = ask(capfd, "submit", str(file), "-o", "name", "--kubeconfig", kubeconfig)
    main(["wait", name, "--kubeconfig", kubeconfig])
    capfd.readouterr()
    done = json.loads(ask(capfd, "get", name, "-o", "json", "--kubeconfig", kubeconfig))
    (node,) = done["status"]["nodes"].values()
    assert node["phase"] == "Succeeded", node.get("message")
    assert node["outputs"]["parameters"][0]["value"] == "system:serviceaccount:default:default"

"""The pod that is built and the programs that run in it mean the same: whole pods, run as processes.

A few lines stand for a node without mounts: `$(VAR)` is expanded as Kubernetes does, and every `tiphys-` volume is a
directory that the environment names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.contract import paths
from actors.node.assess import assess
from actors.node.assessment import Assessment, Expectation
from actors.node.manifest import PodRequest, PodSettings, pod_for
from tests.executor.pod import ROOT

_REFERENCE = re.compile(r"\$(\$|\(([-._a-zA-Z0-9]+)\))")


class PlainNode:
    """Runs the containers of a pod one after the other where they do not wait for each other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs: dict[str, bytes] = {}

    def run(self, pod: dict[str, Any]) -> dict[str, Any]:
        """The pod with a status."""
        spec = pod["spec"]
        for volume in spec.get("volumes", ()):
            self._volume(pod, volume)
        inits = [
            self._ended(entry, *self._finish(entry, self._start(entry))) for entry in spec.get("initContainers", ())
        ]
        status: dict[str, Any] = {"phase": "Failed", "initContainerStatuses": inits}
        if all(entry["state"]["terminated"]["exitCode"] == 0 for entry in inits):
            running = [(entry, self._start(entry)) for entry in spec["containers"]]
            status["containerStatuses"] = [
                self._ended(entry, *self._finish(entry, program)) for entry, program in running
            ]
            codes = [entry["state"]["terminated"]["exitCode"] for entry in status["containerStatuses"]]
            status["phase"] = "Failed" if any(codes) else "Succeeded"
        return {**pod, "status": status}

    def _volume(self, pod: dict[str, Any], volume: dict[str, Any]) -> None:
        if "hostPath" in volume:
            self._place(volume["name"]).symlink_to(volume["hostPath"]["path"])
            return
        place = self._place(volume["name"])
        place.mkdir()
        for item in (volume.get("secret") or {}).get("items", ()):
            (place / item["path"]).write_text(f"{item['key']} of {volume['secret']['secretName']}")
        if "downwardAPI" in volume:
            source = pod["metadata"]["annotations"][paths.SOURCE_ANNOTATION]
            (place / paths.SCRIPT_FILE).write_text(source)
            (place / paths.SCRIPT_FILE).chmod(volume["downwardAPI"]["items"][0]["mode"])

    def _place(self, volume: str) -> Path:
        return self.folder / volume

    def _start(self, container: dict[str, Any]) -> subprocess.Popen[bytes]:
        env: dict[str, str] = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        mounted = {entry["name"] for entry in container.get("volumeMounts", ())}
        for variable in container.get("env", ()):
            env[variable["name"]] = expanded(variable["value"], env)
            for volume in mounted:
                if variable["name"] == paths.mount_env(volume):
                    env[variable["name"]] = str(self._place(volume))
        argv = [expanded(word, env) for word in [*container["command"], *container.get("args", ())]]
        return subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def _finish(self, container: dict[str, Any], program: subprocess.Popen[bytes]) -> tuple[int, str]:
        log, _ = program.communicate(timeout=60)
        self.logs[container["name"]] = log
        told = container.get("terminationMessagePath", "").replace(
            paths.SHIM_MOUNT, str(self._place(paths.SHIM_VOLUME))
        )
        return program.returncode, Path(told).read_text() if told and Path(told).exists() else ""

    def _ended(self, container: dict[str, Any], code: int, message: str) -> dict[str, Any]:
        reason = "Completed" if code == 0 else "Error"
        return {
            "name": container["name"],
            "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}},
        }


def expanded(text: str, env: dict[str, str]) -> str:
    """As the kubelet: `$$` is a dollar, `$(KNOWN)` its value, `$(UNKNOWN)` stays."""
    return _REFERENCE.sub(lambda m: "$" if m[1] == "$" else env.get(m[2], m[0]), text)


@pytest.fixture
def node(tmp_path: Path) -> PlainNode:
    return PlainNode(tmp_path)


def ran(node: PlainNode, template: dict[str, Any], **more: Any) -> Assessment:
    result, repository = more.pop("include_result", False), more.pop("repository", None)
    settings = PodSettings(
        executor_command=(sys.executable, "-m", "tiphys.executor"), repository_root=(repository or {}).get("root", "")
    )
    request = PodRequest(
        "wf", "ns", "uid", more, {"name": "t", **template}, "wf-1", "wf.x", "wf-t-1",
        include_result=result, settings=settings, repository=(repository or {}).get("config"),
    )  # fmt: skip
    pod = node.run(pod_for(request))
    expect = Expectation(outputs=template.get("outputs") or {}, include_result=result)
    verdict = assess(pod, expect)
    if verdict.needs_log is not None:
        lines = node.logs[verdict.needs_log.container].splitlines(keepends=True)
        verdict = assess(
            pod, expect, {verdict.needs_log.container: b"".join(lines[-(verdict.needs_log.tail_lines or 0) :])}
        )
    return verdict


def shell(text: str) -> dict[str, Any]:
    return {"container": {"image": "x", "command": ["sh", "-c"], "args": [text]}}


def test_a_bare_container(node: PlainNode) -> None:
    assert ran(node, shell("echo hello; exit 3")).message == "main: Error (exit code 3)"
    assert node.logs["main"] == b"hello\n"


@pytest.mark.spec("SCR-1", "SCR-2")
@pytest.mark.parametrize("result", [False, True])
def test_a_script_is_run_as_a_file(node: PlainNode, result: bool) -> None:
    source = "#!/bin/sh\necho $(echo '$(HOME)') $0 | sed 's,/.*/,,'\n"
    template = {"script": {"image": "x", "command": ["sh", "-c"], "source": source}}
    verdict = ran(node, template, include_result=result)
    assert (verdict.phase, verdict.message) == ("Succeeded", "")
    assert node.logs["main"] == b"$(HOME) script\n"
    assert verdict.outputs.get("result") == ("$(HOME) script" if result else None)


def test_a_large_script_is_run_as_a_file(node: PlainNode) -> None:
    source = "# 😀 $(x)\n" * 30_000 + "echo ran\n"
    assert ran(node, {"script": {"image": "x", "command": ["sh"], "source": source}}).phase == "Succeeded"
    assert node.logs["main"] == b"ran\n"


@pytest.mark.spec("PARAM-10")
@pytest.mark.parametrize("result", [False, True])
def test_an_argument_too_long_for_a_command_line_arrives_as_a_file(node: PlainNode, result: bool) -> None:
    text = "$(HOME) 😀" * 20_000
    template = shell('wc -c < "${1#@}"')
    template["container"]["args"] += ["x", text]
    assert ran(node, template, include_result=result).phase == "Succeeded"
    assert node.logs["main"].strip() == str(len(text.encode())).encode()


@pytest.mark.spec("PARAM-4")
def test_parameters_reach_the_node(node: PlainNode, tmp_path: Path) -> None:
    path = tmp_path / "out $(HOME) 'quoted'"
    outputs = {"parameters": [{"name": "p", "valueFrom": {"path": str(path)}, "globalName": "g"}]}
    value = '{{x}} "quoted" \\ $(HOME) $HOME `id` 😀\nline'
    (tmp_path / "value").write_text(value)
    template = shell(f'cat {tmp_path}/value > "$TARGET"') | {"outputs": outputs}
    template["container"]["env"] = [{"name": "TARGET", "value": str(path)}]
    verdict = ran(node, template)
    assert verdict.outputs["parameters"] == [{**outputs["parameters"][0], "value": value}]


def test_outputs_larger_than_the_frame_reach_the_node(node: PlainNode) -> None:
    verdict = ran(node, shell("seq 1 30000"), include_result=True)
    assert verdict.phase == "Succeeded"
    assert verdict.outputs["result"] == "\n".join(map(str, range(1, 30001)))


def test_a_missing_parameter_is_an_error_of_the_node(node: PlainNode) -> None:
    outputs = {"parameters": [{"name": "p", "valueFrom": {"path": "/nowhere/p"}}]}
    verdict = ran(node, shell("true") | {"outputs": outputs})
    assert verdict.phase == "Error"
    assert "'p'" in verdict.message
    assert "/nowhere/p" in verdict.message
    assert verdict.outputs == {"exitCode": "0", **outputs}  # what was declared stays to be seen


def test_a_command_that_is_not_there_is_a_failure_with_a_sentence(node: PlainNode) -> None:
    template = {"container": {"image": "x", "command": ["no-such-command"]}}
    verdict = ran(node, template, include_result=True)
    assert verdict.phase == "Failed"
    assert verdict.message.startswith("main: Error (exit code 64): cannot start 'no-such-command'")
    assert verdict.outputs["exitCode"] == "64"


@pytest.mark.spec("CSET-1", "CSET-2")
def test_a_container_set_in_order(node: PlainNode) -> None:
    group = [
        {"name": "c", "image": "x", "command": ["sh", "-c", "echo c"], "dependencies": ["a", "b"]},
        {"name": "a", "image": "x", "command": ["sh", "-c", "exit 0"]},
        {"name": "b", "image": "x", "command": ["sh", "-c", "exit 2"]},
    ]
    verdict = ran(node, {"containerSet": {"containers": group}})
    assert verdict.phase == "Failed"
    assert node.logs["c"].startswith(b'dependency "b" exited with non-zero code: 2')


@pytest.mark.spec("ART-11", "CSET-6")
@pytest.mark.parametrize("kept", [False, True])
def test_outputs_of_a_set_are_read_when_all_its_containers_have_ended(
    node: PlainNode, tmp_path: Path, kept: bool
) -> None:
    """Whoever writes main's outputs may end long after main, and may even depend on it."""
    out = tmp_path / "out"
    group = [
        {"name": "main", "image": "x", "command": ["true"]},
        {"name": "late", "image": "x", "command": ["sh", "-c", f"until [ -e {out}.go ]; do :; done; echo late >{out}"]},
        {"name": "after", "image": "x", "command": ["sh", "-c", f"touch {out}.go"], "dependencies": ["main"]},
    ]
    outputs: dict[str, Any] = {"parameters": [{"name": "p", "valueFrom": {"path": str(out)}}]}
    if kept:
        outputs["artifacts"] = [{"name": "a", "path": str(out), "archive": {"none": {}}}]
    root = tmp_path / "kept"
    root.mkdir()
    config = {"s3": {"endpoint": f"file://{root}", "bucket": "b"}}
    template = {"containerSet": {"containers": group}, "outputs": outputs}
    verdict = ran(node, template, repository={"root": str(root), "config": config})
    assert verdict.phase == "Succeeded", verdict.message
    assert verdict.outputs["parameters"][0]["value"] == "late"
    assert not kept or (root / "b/wf/wf-t-1/out").read_text() == "late\n"


@pytest.mark.spec("ART-10", "ART-14")
@pytest.mark.parametrize("code", [0, 5])
def test_artifacts_and_logs_reach_the_repository(node: PlainNode, tmp_path: Path, code: int) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    config = {"s3": {"endpoint": f"file://{kept}", "bucket": "b"}, "archiveLogs": True}
    outputs = {"artifacts": [{"name": "a", "path": str(tmp_path / "out"), "archive": {"none": {}}}]}
    template = shell(f"echo said; echo content > {tmp_path}/out; exit {code}") | {"outputs": outputs}
    verdict = ran(node, template, repository={"root": str(kept), "config": config})
    assert verdict.phase == ("Failed" if code else "Succeeded"), verdict.message
    assert [entry["name"] for entry in verdict.outputs["artifacts"]] == ["a", "main-logs"]
    assert verdict.outputs["artifacts"][0]["s3"]["key"] == "wf/wf-t-1/out"
    assert (kept / "b" / "wf" / "wf-t-1" / "out").read_text() == "content\n"
    assert (kept / "b" / "wf" / "wf-t-1" / "main.log").read_text() == "said\n"


@pytest.mark.spec("DATA-1", "DATA-2", "DATA-3")
def test_a_data_template_lists_and_transforms(node: PlainNode, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for key in ("wf/a/main.log", "wf/b/main.log", "wf/b/other", "elsewhere", "wf/é&/main.log"):
        (kept / "b" / key).parent.mkdir(parents=True, exist_ok=True)
        (kept / "b" / key).write_text("x")
    repository = {"root": str(kept), "config": {"s3": {"endpoint": f"file://{kept}", "bucket": "b"}}}
    data = {
        "source": {"artifactPaths": {"name": "logs", "s3": {"key": "wf/"}}},
        "transformation": [
            {"expression": 'filter(data, {# endsWith "main.log"})'},
            {"expression": "map(data, {# + '!'})"},
        ],
    }
    verdict = ran(node, {"data": data}, include_result=True, repository=repository)
    assert (verdict.phase, verdict.message) == ("Succeeded", "")
    assert verdict.outputs["result"] == '["wf/a/main.log!","wf/b/main.log!","wf/é\\u0026/main.log!"]'  # as Go writes it
    assert node.logs["main"].decode().strip() == verdict.outputs["result"]


@pytest.mark.spec("DATA-2")
def test_a_transformation_that_fails_fails_the_node_with_its_reason(node: PlainNode, tmp_path: Path) -> None:
    repository = {"root": str(tmp_path), "config": {"s3": {"endpoint": f"file://{tmp_path}", "bucket": "b"}}}
    steps = [{"expression": "data"}, {"expression": "nothing.x + 1"}]
    data = {"source": {"artifactPaths": {"name": "all", "s3": {}}}, "transformation": steps}
    verdict = ran(node, {"data": data}, include_result=True, repository=repository)
    assert verdict.phase == "Failed"
    said = "unable to process data template: unable to process data transformation: error processing data step 1: "
    assert verdict.message.startswith(f"main: Error (exit code 64): {said}")
    assert "nothing" in verdict.message


def test_credentials_reach_init_alone(node: PlainNode, tmp_path: Path) -> None:
    """The store is not there: what matters is that init looked for it with the Secret, and main never had it."""
    secret = {"name": "creds", "key": "user"}
    git = {"repo": f"file://{tmp_path}/nowhere", "usernameSecret": secret, "passwordSecret": {**secret, "key": "word"}}
    template = shell("true") | {"inputs": {"artifacts": [{"name": "src", "path": str(tmp_path / "in"), "git": git}]}}
    verdict = ran(node, template)
    assert verdict.phase == "Error"
    assert "input artifact 'src' could not be loaded" in verdict.message
    assert "secret" not in verdict.message

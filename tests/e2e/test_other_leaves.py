"""Leaves that are no containers of the user's run on a bare machine too: http, plugin and data templates."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.conftest import Run
from tests.machine import needs_namespaces


class Hello(BaseHTTPRequestHandler):
    """Answers with the code that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()
        self.wfile.write(b'"ahoy"')

    def log_message(self, *words: object) -> None:
        del words


@pytest.fixture
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def flow(tmp_path: Path, templates: str, spec: str = "") -> Path:
    file = tmp_path / "flow.yaml"
    head = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: leaf-}\nspec:\n"
    file.write_text(f"{head}  entrypoint: main\n{spec}  templates:\n{templates}")
    return file


@pytest.mark.spec("TMPL-9")
def test_an_http_template_asks_and_its_answer_travels_on(run: Run, tmp_path: Path, port: int) -> None:
    templates = f"""
  - name: main
    steps:
    - - {{name: ask, template: ask}}
      - {{name: not, template: refused, continueOn: {{failed: true}}}}
    - - name: say
        template: say
        arguments: {{parameters: [{{name: m, value: "{{{{steps.ask.outputs.result}}}}"}}]}}
  - {{name: ask, http: {{url: "http://127.0.0.1:{port}/200", successCondition: "response.body contains 'ahoy'"}}}}
  - {{name: refused, http: {{url: "http://127.0.0.1:{port}/403"}}}}
  - name: say
    inputs: {{parameters: [{{name: m}}]}}
    container: {{image: busybox, command: [echo, "{{{{inputs.parameters.m}}}}"]}}
"""
    ended = run(flow(tmp_path, templates))
    assert (ended.code, ended.phase) == (0, "Succeeded")
    assert ended.nodes["[0].not"]["message"] == "received non-2xx response code: 403"
    assert '"ahoy"' in ended.log


PLUGIN = """
  executorPlugins:
  - metadata: {name: hello}
    spec:
      sidecar:
        container:
          name: hello
          image: python:alpine
          command: [python3, -c]
          args:
          - |
            import json
            from http.server import BaseHTTPRequestHandler, HTTPServer
            token = open("/var/run/argo/token").read()
            class Plugin(BaseHTTPRequestHandler):
                def do_POST(self):
                    asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                    good = self.headers["Authorization"] == "Bearer " + token and "hello" in asked["template"]["plugin"]
                    node = {"phase": "Succeeded", "message": "hello from " + asked["workflow"]["metadata"]["namespace"]}
                    self.send_response(200 if good else 403)
                    self.end_headers()
                    self.wfile.write(json.dumps({"node": node}).encode())
            HTTPServer(("127.0.0.1", 4356), Plugin).serve_forever()
          ports: [{containerPort: 4356}]
          resources: {requests: {cpu: 10m}, limits: {cpu: 200m}}
          securityContext: {allowPrivilegeEscalation: false}
"""


@needs_namespaces
@pytest.mark.spec("TMPL-10")
@pytest.mark.spec("AGENT-6")
def test_a_plugin_of_the_workflow_works_off_its_templates(run: Run, tmp_path: Path) -> None:
    ended = run(flow(tmp_path, "  - {name: main, plugin: {hello: {}}}\n", PLUGIN))
    assert (ended.code, ended.phase) == (0, "Succeeded")
    assert ended.nodes[""]["type"] == "Plugin"
    assert ended.nodes[""]["message"] == "hello from default"


@pytest.mark.spec("AGENT-4")
def test_a_plugin_that_cannot_be_started_here_fails_its_nodes_with_the_reason(run: Run, tmp_path: Path) -> None:
    ended = run(flow(tmp_path, "  - {name: main, plugin: {hello: {}}}\n", PLUGIN), "--runtime", "plain")
    said = ended.nodes[""]["message"]
    assert (ended.code, ended.nodes[""]["phase"]) == (1, "Error")
    assert said.startswith('agent pod failed with reason:"init: ContainerCannotRun (exit code 128): ')
    assert "allow user namespaces on this machine" in said


@pytest.mark.spec("TMPL-4")
@pytest.mark.spec("DATA-3")
def test_a_data_template_lists_what_was_saved_and_a_loop_takes_it(run: Run, tmp_path: Path) -> None:
    templates = """
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: list, template: list}
    - - name: each
        template: say
        withParam: "{{steps.list.outputs.result}}"
        arguments: {parameters: [{name: m, value: "{{item}}"}]}
  - name: make
    outputs:
      artifacts:
      - {name: a, path: /tmp/a.txt, archive: {none: {}}, s3: {key: folder/a.txt}}
      - {name: b, path: /tmp/b.pdf, archive: {none: {}}, s3: {key: folder/b.pdf}}
    container: {image: busybox, command: [sh, -c, "echo 1 >/tmp/a.txt; echo 2 >/tmp/b.pdf"]}
  - name: list
    data:
      source: {artifactPaths: {name: found, s3: {key: folder/}}}
      transformation:
      - {expression: "filter(data, {# endsWith '.pdf'})"}
      - {expression: "map(data, {'got ' + #})"}
  - name: say
    inputs: {parameters: [{name: m}]}
    container: {image: busybox, command: [echo, "{{inputs.parameters.m}}"]}
"""
    ended = run(flow(tmp_path, templates))
    assert (ended.code, ended.phase) == (0, "Succeeded")
    assert "got folder/b.pdf" in ended.log
    assert ended.nodes["[1].list"]["type"] == "Pod"

"""Retry, resubmit, node set and the template verbs against a cluster: what is written, and what is printed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

import crds
from actors.names import ids, labels
from actors.names.timestamps import rfc3339
from runtime.api import Gone, Selection
from runtime.objects import CRDS, PODS, Object, Reference, reference
from tests.virtual_time import HandClock
from tiphys.cli import control, main, nodeselector, rerun, selection, submission, template_verbs, verbs
from tiphys.cli.connect import Connection
from tiphys.cli.creation import Creation
from tiphys.cli.documents import parse
from tiphys.cli.kinds import CLUSTER_WORKFLOW_TEMPLATES, WORKFLOW_TEMPLATES, WORKFLOWS
from tiphys.cli.problems import InputError
from tiphys.cli.rerun import Again
from tiphys.cli.screen import Screen
from tiphys.cli.selection import Filter
from tiphys.cli.verbs import After
from tiphys.devcluster.inprocess import InProcessApi
from tiphys.devcluster.server import ApiServer

NOW = 1_767_225_700.0
PLAIN = Screen(utf8=False)
TEMPLATES = """apiVersion: argoproj.io/v1alpha1
kind: {kind}
metadata: {{name: lib}}
spec:
  entrypoint: main
  arguments: {{parameters: [{{name: who, value: {who}}}]}}
  templates: [{{name: main, container: {{image: busybox, command: [echo]}}}}]
"""


@asynccontextmanager
async def cluster() -> AsyncIterator[Connection]:
    server = ApiServer(now=HandClock(NOW).wall, random=Random(0))
    server.start()
    api = InProcessApi(server)
    for definition in crds.manifests():
        await api.create(CRDS, definition)
    yield Connection(api, "default")


def failed(phase: str = "Failed") -> Object:
    node = {"id": "w", "name": "w", "displayName": "w", "type": "Pod", "phase": phase, "templateName": "main"}
    spec = {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "x"}}]}
    meta = {"name": "w", "namespace": "default", "labels": {labels.COMPLETED: "true"}}
    status = {"phase": phase, "startedAt": rfc3339(NOW), "finishedAt": rfc3339(NOW), "nodes": {"w": node}}
    return {"apiVersion": WORKFLOWS.api_version, "kind": "Workflow", "metadata": meta, "spec": spec, "status": status}


def pod(workflow: str) -> Object:
    meta: dict[str, Any] = {"name": ids.pod_name("w", "w", "main"), "namespace": "default"}
    meta |= {"labels": {labels.WORKFLOW: workflow}, "finalizers": [labels.FINALIZER_POD_STATUS]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [{"name": "main", "image": "x"}]},
    }


@pytest.mark.spec("CLI-7", "OP-4")
async def test_a_retry_frees_the_names_of_the_pods_before_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        ref = reference(WORKFLOWS, await at.api.create(WORKFLOWS, failed()))
        old = reference(PODS, await at.api.create(PODS, pod("w")))
        assert await rerun.rerun(at, [ref], rerun.retrying(Again({"p": "1"})), After(), PLAIN) == 0
        with pytest.raises(Gone):
            await at.api.get(old)
        begun = await at.api.get(ref)
    assert begun["spec"]["arguments"] == {"parameters": [{"name": "p", "value": "1"}]}
    assert not begun["metadata"].get("labels")
    assert not begun["status"].get("nodes")
    assert capsys.readouterr().out.startswith("Name:                w\n")


@pytest.mark.spec("CLI-7")
async def test_a_pod_of_somebody_else_and_a_workflow_that_succeeded_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with cluster() as at:
        ref = reference(WORKFLOWS, await at.api.create(WORKFLOWS, failed()))
        await at.api.create(PODS, pod("other"))
        assert await rerun.rerun(at, [ref], rerun.retrying(Again()), After(), PLAIN) == 1
        assert "belongs to somebody else" in capsys.readouterr().err
        thing = await at.api.get(ref)
        thing["status"]["phase"] = "Succeeded"
        await at.api.replace(WORKFLOWS, thing)
        assert await rerun.rerun(at, [ref], rerun.retrying(Again()), After(), PLAIN) == 1
        assert "To retry a succeeded workflow" in capsys.readouterr().err


@pytest.mark.spec("CLI-8", "OP-5")
async def test_a_resubmission_is_created_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        ref = reference(WORKFLOWS, await at.api.create(WORKFLOWS, failed()))
        again = rerun.resubmitting(Again(memoized=True, priority=3))
        assert await rerun.rerun(at, [ref], again, After("name"), PLAIN) == 0
        name = capsys.readouterr().out.strip()
        made = await at.api.get(Reference(WORKFLOWS, "default", name))
    assert name.startswith("w-")
    assert len(name) == 7
    assert (made["spec"]["priority"], made["metadata"]["labels"]) == (3, {labels.RESUBMITTED_FROM: "w"})


@pytest.mark.spec("CLI-12", "OP-8")
async def test_values_are_set_on_a_suspended_node(capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        thing = failed("Running")
        thing["status"]["nodes"]["w"] |= {"type": "Suspend", "outputs": {"parameters": [_supplied()]}}
        ref = reference(WORKFLOWS, await at.api.create(WORKFLOWS, thing))
        terms = nodeselector.parse("displayName=w")
        await rerun.set_values(at, ref, rerun.setting(terms, "", "thanks", {"x": "7"}))
        node = (await at.api.get(ref))["status"]["nodes"]["w"]
        with pytest.raises(InputError, match="not expecting output parameter 'y'"):
            await rerun.set_values(at, ref, rerun.setting(terms, "", "", {"y": "7"}))
    assert (node["message"], node["outputs"]) == ("thanks", {"parameters": [{"name": "x", "value": "7"}]})
    assert capsys.readouterr().out == "workflow values set\n"


@pytest.mark.spec("CLI-3")
async def test_a_list_for_programs_is_an_array_of_workflows(capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        await verbs.list_(at, Filter(), "json", everywhere=False, head=True)
        none = capsys.readouterr().out
        await at.api.create(WORKFLOWS, failed())
        for form in ("json", "yaml", "name"):
            await verbs.list_(at, Filter(), form, everywhere=False, head=True)
    assert none == "[]\n"
    out = capsys.readouterr().out
    array, end = json.JSONDecoder().raw_decode(out)
    assert [thing["metadata"]["name"] for thing in array] == ["w"]
    assert out[end:].startswith("\n- apiVersion: ")
    assert out.endswith("\nw\n")


@pytest.mark.spec("CLI-5")
async def test_who_waits_is_told_phase_and_time_as_go_writes_them(capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        ref = reference(WORKFLOWS, await at.api.create(WORKFLOWS, failed()))
        assert await verbs.wait(at, [ref], ignore_missing=False) == 1
    assert capsys.readouterr().out == "w Failed at 2026-01-01 00:01:40 +0000 UTC\n"


@pytest.mark.spec("CLI-6", "CLI-9", "CLI-10")
async def test_a_dry_run_asks_nobody_whether_there_is_such_a_workflow(capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        assert await verbs.delete(at, [Reference(WORKFLOWS, "default", "no")], dry_run=True, force=False) == 0
    assert verbs.would_steer(["no", "@latest"], "stopped") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Workflow 'no' deleted (dry-run)"
    assert said[1:] == ["workflow no stopped (dry-run)", "workflow @latest stopped (dry-run)"]


@pytest.mark.spec("CLI-11")
async def test_names_and_selectors_together_mean_each_workflow_once(capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        thing = failed("Running")
        thing["metadata"]["labels"] = {"mine": "yes"}
        await at.api.create(WORKFLOWS, thing)
        found = await selection.meant(at.api, "default", ["@latest"], Filter(running=True, labels="mine"), NOW)
        assert [ref.name for ref in found] == ["w"]
        assert await verbs.steer(at, [*found], control.suspended, "suspended", found) == 0
        assert (await at.api.get(next(iter(found))))["spec"]["suspend"] is True
    assert capsys.readouterr().out == "workflow @latest suspended\n"


@pytest.mark.spec("CLI-1")
async def test_a_dry_run_from_a_template_prints_what_would_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    async with cluster() as at:
        (document,) = parse(TEMPLATES.format(kind="WorkflowTemplate", who="x"), "t.yaml")
        await at.api.create(
            WORKFLOW_TEMPLATES, {**document.object, "metadata": {"name": "lib", "namespace": "default"}}
        )
        chosen = [await submission.from_template(at.api, "default", "workflowtemplate/lib")]
        assert verbs.would_submit(chosen, Creation("default"), "yaml") == 0
        assert (await at.api.list(WORKFLOWS, Selection("default"))).items == []
    assert "generateName: lib-\n" in capsys.readouterr().out


def _supplied() -> dict[str, Any]:
    return {"name": "x", "valueFrom": {"supplied": {}}}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["retry"], "which workflows?"),
        (["retry", "w", "--restart-successful"], "--restart-successful needs --node-field-selector"),
        (["node", "set", "w", "--phase", "Failed"], "which nodes?"),
        (["node", "set", "w", "--node-field-selector", "a"], "expected key=value"),
        (["template", "delete"], "which WorkflowTemplates?"),
        (["cluster-template", "delete"], "which ClusterWorkflowTemplates?"),
    ],
)
def test_what_is_missing_is_asked_for(command: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 2
    assert said in capsys.readouterr().err


@pytest.mark.spec("CLI-18")
@pytest.mark.parametrize("resource", [WORKFLOW_TEMPLATES, CLUSTER_WORKFLOW_TEMPLATES], ids=lambda one: str(one.kind))
async def test_templates_are_created_updated_shown_and_deleted(
    resource: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (
        template_verbs.chosen(parse(TEMPLATES.format(kind=resource.kind, who=who), "f.yaml"), resource, {"a": "b"})
        for who in ("you", "all")
    )
    async with cluster() as at:
        await template_verbs.write(at, first, "name", update=False)
        with pytest.raises(InputError, match=r"f\.yaml:1: .*already exists"):
            await template_verbs.write(at, first, "", update=False)
        await template_verbs.write(at, second, "", update=True)
        await template_verbs.list_(at, resource, "a=b", "", everywhere=False)
        await template_verbs.get(at, resource, ["lib"], "json")
        await template_verbs.delete(at, resource, [], everything=True)
        await template_verbs.list_(at, resource, "", "", everywhere=False)
    out = capsys.readouterr().out
    assert out.startswith("lib\nName:                lib\n")
    assert "Templates:           main\nParameters:\n  who:               all\nNAME\nlib\n{" in out
    shown = json.loads(out[out.index("{") : out.rindex("}") + 1])
    assert shown["metadata"]["labels"] == {"a": "b"}
    assert out.endswith(f"{resource.kind} 'lib' deleted\nNo {resource.kind} found\n")


def test_a_file_without_a_template_is_refused() -> None:
    cron = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
    with pytest.raises(InputError, match="No WorkflowTemplate found in given files"):
        template_verbs.chosen(parse(cron, "f"), WORKFLOW_TEMPLATES, {})

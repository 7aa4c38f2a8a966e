"""The manifests are structural, small, and what the models say."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import yaml

import crds
from crds.generate import FOLDER, stale

COMPACT_BYTES_MAX = 250_000
ANY = {"x-kubernetes-preserve-unknown-fields": True}


def schema(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if "additionalProperties" in node:
        yield from nodes(node["additionalProperties"], f"{path}.*")


@pytest.fixture(params=crds.manifests(), ids=lambda manifest: manifest["metadata"]["name"])
def manifest(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


def test_generated_files_are_what_the_models_say():
    assert stale() == []


def test_what_a_program_loads_is_what_kubectl_applies():
    loaded = {manifest["spec"]["names"]["plural"]: manifest for manifest in crds.manifests()}
    written = {path.stem: yaml.load(path.read_bytes(), yaml.CSafeLoader) for path in FOLDER.glob("*.yaml")}

    assert loaded == written


def test_a_manifest_fits_into_the_annotation_of_client_side_apply(manifest):
    assert len(orjson.dumps(manifest)) < COMPACT_BYTES_MAX


def test_no_manifest_has_an_anchor():
    assert not [path.name for path in FOLDER.glob("*.yaml") if b"&id0" in path.read_bytes()]


def test_every_node_of_a_schema_has_a_type_or_says_why_it_has_none(manifest):
    for path, node in nodes(schema(manifest)):
        if "type" not in node:
            assert node in ({"x-kubernetes-int-or-string": True}, ANY), path


def test_a_schema_has_only_words_that_a_structural_schema_may_have(manifest):
    words = {"type", "properties", "items", "additionalProperties", "required", "enum"}
    words |= {"x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"}
    words |= {"default", "nullable"}
    for path, node in nodes(schema(manifest)):
        assert set(node) <= words, path
        assert not ("properties" in node and "additionalProperties" in node), path
        assert set(node.get("required", ())) <= set(node.get("properties", ())), path


def test_what_keeps_unknown_fields_is_an_object_or_any_value(manifest):
    for path, node in nodes(schema(manifest)):
        if "x-kubernetes-preserve-unknown-fields" in node:
            assert node == ANY or node["type"] == "object", path


@pytest.mark.spec("RO-1.1-defaults")
def test_only_a_rollouts_containers_have_defaults_and_they_are_upstreams(manifest):
    found = {path.rpartition("[].")[2]: node["default"] for path, node in nodes(schema(manifest)) if "default" in node}
    is_rollout = manifest["spec"]["names"]["kind"] == "Rollout"
    assert {path.rpartition(".")[2]: value for path, value in found.items()} == (
        {"protocol": "TCP", "optional": False, "service": ""} if is_rollout else {}
    )


@pytest.mark.spec("RO-1.1-scale")
def test_a_rollout_scales_and_keeps_its_selector():
    [rollout] = [each for each in crds.manifests() if each["spec"]["names"]["kind"] == "Rollout"]
    version = rollout["spec"]["versions"][0]
    assert version["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.HPAReplicas",
            "labelSelectorPath": ".status.selector",
        },
    }
    fields = dict(nodes(schema(rollout)))
    assert fields[".spec.selector"]["x-kubernetes-validations"] == [
        {"rule": "self == oldSelf", "message": ".spec.selector is immutable"}
    ]


def test_no_manifest_has_descriptions_unless_asked(manifest):
    assert not [path for path, node in nodes(schema(manifest)) if "description" in node]


def test_descriptions_change_nothing_else():
    for bare, described in zip(crds.manifests(), crds.manifests(descriptions=True), strict=True):
        texts = dict(nodes(schema(described)))
        assert any("description" in node for node in texts.values())
        for path, node in nodes(schema(bare)):
            assert {key: texts[path][key] for key in ("type", "required", "enum") if key in texts[path]} == {
                key: node[key] for key in ("type", "required", "enum") if key in node
            }


@pytest.mark.spec("RO-1.1-kind")
def test_the_words_of_kubectl_are_upstreams():
    names = {manifest["spec"]["names"]["kind"]: manifest["spec"] for manifest in crds.manifests()}

    assert {kind: tuple(spec["names"].get("shortNames", ())) for kind, spec in names.items()} == {
        "Workflow": ("wf",),
        "WorkflowTemplate": ("wftmpl",),
        "ClusterWorkflowTemplate": ("clusterwftmpl", "cwft"),
        "CronWorkflow": ("cwf", "cronwf"),
        "WorkflowEventBinding": ("wfeb",),
        "WorkflowTaskSet": ("wfts",),
        "WorkflowTaskResult": (),
        "WorkflowArtifactGCTask": ("wfat",),
        "Rollout": ("ro",),
        "AnalysisTemplate": ("at",),
        "ClusterAnalysisTemplate": ("cat",),
        "AnalysisRun": ("ar",),
        "Experiment": ("exp",),
    }
    assert [kind for kind, spec in names.items() if spec["scope"] == "Cluster"] == [
        "ClusterWorkflowTemplate",
        "ClusterAnalysisTemplate",
    ]
    columns = names["Workflow"]["versions"][0]["additionalPrinterColumns"]
    assert [(column["name"], column["jsonPath"]) for column in columns] == [
        ("Status", ".status.phase"),
        ("Age", ".status.startedAt"),
        ("Message", ".status.message"),
    ]


def test_a_workflows_status_is_written_by_put_of_the_whole_object():
    with_status = [
        manifest["spec"]["names"]["kind"]
        for manifest in crds.manifests()
        if "status" in manifest["spec"]["versions"][0].get("subresources", {})
    ]

    assert with_status == ["WorkflowTaskSet", "WorkflowArtifactGCTask", "Rollout"]


@pytest.mark.parametrize("kind", ["Workflow", "CronWorkflow"])
def test_status_and_template_defaults_keep_unknown_fields(kind):
    [manifest] = [each for each in crds.manifests() if each["spec"]["names"]["kind"] == kind]
    fields = dict(nodes(schema(manifest)))
    spec = ".spec" if kind == "Workflow" else ".spec.workflowSpec"

    kept = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    assert fields[".status"] == fields[f"{spec}.templateDefaults"] == fields[f"{spec}.templates[].steps[][].inline"]
    assert fields[".status"] == kept


def test_fields_are_described_by_the_comment_behind_them():
    [manifest] = [each for each in crds.manifests(descriptions=True) if each["spec"]["names"]["kind"] == "Workflow"]
    fields = dict(nodes(schema(manifest)))

    assert fields[".spec.entrypoint"]["description"] == "The template that starts"
    assert fields[".spec.templates[].container"]["description"] == "Runs a command in an image"


def test_neither_manifests_nor_checks_wait_for_pydantic():
    program = (
        "import sys, crds, crds.check, crds.features, crds.coerce\n"
        "crds.manifests(descriptions=True); crds.check.check({'apiVersion': crds.API_VERSION, 'kind': 'Workflow'})\n"
        "sys.exit('pydantic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_manifests_load_in_a_moment():
    crds.shapes.load.cache_clear()
    start = time.perf_counter()
    crds.manifests(descriptions=True)

    assert time.perf_counter() - start < 0.25  # measured 5 to 25 ms; a busy machine may take longer

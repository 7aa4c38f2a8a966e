"""A resource template's pod runs our own program as main: it talks to the API server under the template's account.

What it has to do is in its instructions; a manifest from an artifact is loaded by init onto the shared volume.
(RES-1..10)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.contract import paths
from actors.contract.documents import Instructions, Parameter, Transfer
from actors.language.jsontext import parameter_text
from actors.names.resources import ARGO_API_VERSION
from actors.node.assessment import promised_parameters
from actors.node.manifest_artifacts import manifest_input
from actors.node.manifest_containers import executor_container, mount
from actors.node.manifest_request import BadTemplate, PodRequest

ACTIONS = ("get", "create", "apply", "delete", "replace", "patch")
MANIFEST_FILE = "manifest.yaml"


def resource_inputs(request: PodRequest) -> list[Transfer]:
    """The artifact that holds the manifest, if the template takes it from one (RES-2)."""
    artifact = (_section(request).get("manifestFrom") or {}).get("artifact")
    if not artifact:
        return []
    name = artifact.get("name")
    known = (request.template.get("inputs") or {}).get("artifacts") or ()
    declared = next((entry for entry in known if entry.get("name") == name), artifact)
    return [manifest_input(request, declared, f"{paths.SHIM_MOUNT}/{MANIFEST_FILE}")]


def resource_container(request: PodRequest, nonce: str, limit: int, *, keep_log: bool) -> dict[str, Any]:
    """The main container of a resource template. Raises BadTemplate for what it cannot do."""
    section = _section(request)
    told: Instructions = {"container": paths.MAIN, "nonce": nonce, "budget": limit}
    promised = promised_parameters(request.template.get("outputs") or {})
    told["parameters"] = [_parameter(entry) for entry in promised]
    told["resource"] = _order(request, section)
    if keep_log:
        told["keep_log"] = True
    built = executor_container(request, paths.MAIN, ["resource", str(section["action"])], told)
    mount(built, paths.TOKEN_VOLUME, paths.TOKEN_MOUNT, read_only=True)
    return built


def _order(request: PodRequest, section: Mapping[str, Any]) -> dict[str, Any]:
    if section.get("action") not in ACTIONS:
        raise BadTemplate(f"resource.action: {section.get('action')!r} is none of {', '.join(ACTIONS)}")
    order: dict[str, Any] = {
        "action": section["action"],
        "namespace": request.namespace,
        "mergeStrategy": section.get("mergeStrategy") or "strategic",
        "flags": [str(flag) for flag in section.get("flags") or ()],
        "successCondition": section.get("successCondition") or "",
        "failureCondition": section.get("failureCondition") or "",
    }
    if (section.get("manifestFrom") or {}).get("artifact"):
        order["manifestFile"] = MANIFEST_FILE
    else:
        order["manifest"] = section.get("manifest") or ""
    if section.get("setOwnerReference"):
        order["owner"] = {
            "apiVersion": ARGO_API_VERSION,
            "kind": "Workflow",
            "name": request.workflow_name,
            "uid": request.workflow_uid,
        }
    return order


def _parameter(entry: Mapping[str, Any]) -> Parameter:
    source = entry.get("valueFrom") or {}
    told: Parameter = {"name": str(entry.get("name", ""))}
    if source.get("jsonPath"):
        told["jsonPath"] = str(source["jsonPath"])
    elif source.get("jqFilter"):
        told["jqFilter"] = str(source["jqFilter"])
    elif source.get("default") is None:
        raise BadTemplate(f"outputs.parameters.{told['name']}.valueFrom: jsonPath or jqFilter is needed")
    if source.get("default") is not None:
        told["default"] = parameter_text(source["default"])
    return told


def _section(request: PodRequest) -> Mapping[str, Any]:
    section: Mapping[str, Any] = request.template.get("resource") or {}
    return section

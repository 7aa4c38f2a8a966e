"""A template that does work itself: its containers have images and names of their own, its fields fit its kind."""

from __future__ import annotations

import re
from collections.abc import Iterable

import yaml

from actors.workflow.validation.cycles import cycle
from actors.workflow.validation.findings import (
    FIELD_NAME,
    TAG,
    Findings,
    Json,
    Place,
    entries,
    is_dynamic,
    is_given,
    mapping,
    text,
)

RESERVED_NAMES = ("init", "wait", "supervisor")
RESERVED_PREFIX = "artifact-plugin-"
ACTIONS = ("get", "create", "apply", "delete", "replace", "patch")
NAMING_ACTIONS = ("get", "delete")  # they may be told by flags alone which object is meant
MERGE_STRATEGIES = ("strategic", "merge", "json")
POD_RESOURCES = ("cpu", "memory")
WHOLE_NUMBER = re.compile(r"[0-9]+")
ELSEWHERE = "give one of them another path"


def judge_leaf(findings: Findings, place: Place, template: Json, defaults: Json) -> None:
    """Judge a container, script, container set, resource, suspend, http, data or plugin template."""
    for kind in ("container", "script"):
        if template.get(kind) is not None:
            _judge_container(findings, place.at(kind), template[kind], mapping(defaults.get(kind)))
            _judge_mounts(findings, place, kind, template)
    if template.get("containerSet") is not None:
        _judge_container_set(findings, place.at("containerSet"), template)
    if template.get("resource") is not None:
        _judge_resource(findings, place, template)
    if template.get("plugin") is not None and len(mapping(template["plugin"])) != 1:
        findings.error(place.at("plugin"), "must have exactly one key: the plugin's name")
    if template.get("http") is not None and not is_given(mapping(template["http"]), "url"):
        findings.error(place.at("http.url"), "is required")
    _judge_names(findings, place, template)
    _judge_deadline(findings, place, template)
    if template.get("parallelism") is not None:
        findings.error(place.at("parallelism"), "is only valid for steps and dag templates")
    if template.get("failFast") is not None:
        findings.warning(place.at("failFast"), "does something for steps and dag templates only")


def _judge_container(findings: Findings, where: Place, container: Json, default: Json) -> None:
    if not is_given(container, "image") and not is_given(default, "image"):
        findings.error(where.at("image"), "may not be empty")


def _judge_mounts(findings: Findings, place: Place, kind: str, template: Json) -> None:
    """No two things at one path of the container; of a script's it is the API server that says so."""
    mounts: dict[str, str] = {}
    tell = findings.error if kind == "container" else findings.late
    for index, mount in enumerate(entries(template[kind], "volumeMounts")):
        path = text(mount.get("mountPath"))
        where = place.at(kind).entry("volumeMounts", index)
        if path in mounts:
            tell(where.at("mountPath"), f"'{path}' already mounted in {mounts[path]}", ELSEWHERE)
        mounts[path] = f"{kind}.volumeMounts.{text(mount.get('name'))}"
    for index, artifact in enumerate(entries(template.get("inputs"), "artifacts")):
        path = text(artifact.get("path"))
        if path in mounts:
            where = place.at("inputs").entry("artifacts", index)
            tell(where.at("path"), f"'{path}' already mounted in {mounts[path]}", ELSEWHERE)
        mounts[path] = f"inputs.artifacts.{text(artifact.get('name'))}"


def _judge_mount(findings: Findings, where: Place, mount: Json, mounts: dict[str, str]) -> None:
    path = text(mount.get("mountPath"))
    if path in mounts:
        findings.error(where.at("mountPath"), f"'{path}' already mounted in {mounts[path]}", ELSEWHERE)
    mounts[path] = f"volumeMounts.{text(mount.get('name'))}"


def _judge_container_set(findings: Findings, where: Place, template: Json) -> None:
    containers = entries(template["containerSet"], "containers")
    names = [text(container.get("name")) for container in containers]
    if not containers:
        findings.error(where.at("containers"), "must have at least one container")
    findings.names(where, "containers", containers, FIELD_NAME)
    mounts: dict[str, str] = {}
    for index, mount in enumerate(entries(template["containerSet"], "volumeMounts")):
        _judge_mount(findings, where.entry("volumeMounts", index), mount, mounts)
    for index, container in enumerate(containers):
        here = where.entry("containers", index, names[index])
        if not is_given(container, "image"):
            findings.error(here.at("image"), "may not be empty")
        for dependency in container.get("dependencies") or ():
            if dependency not in names:
                findings.error(here, f"dependency '{dependency}' not defined")
    needs = {text(each.get("name")): list(each.get("dependencies") or ()) for each in containers}
    if found := cycle(needs):
        findings.error(where.at("containers"), f"dependency cycle detected: {'->'.join(found)}")
    outputs = mapping(template.get("outputs"))
    wants_main = entries(template.get("inputs"), "artifacts") or outputs.get("parameters") or outputs.get("artifacts")
    if wants_main and "main" not in names:
        findings.error(where.at("containers"), 'must have a container named "main" for input or output')


def _judge_resource(findings: Findings, place: Place, template: Json) -> None:
    resource, where = mapping(template["resource"]), place.at("resource")
    action = text(resource.get("action"))
    if is_dynamic(action):
        return
    if action not in ACTIONS:
        findings.error(where.at("action"), f"must be one of: {', '.join(ACTIONS)}")
        return
    if action not in NAMING_ACTIONS:
        _judge_manifest(findings, where, template)
    elif not is_given(resource, "manifest") and resource.get("manifestFrom") is None and not resource.get("flags"):
        findings.late(where, "does not say which object is meant", "give it a manifest, or flags as of kubectl")
    strategy = text(resource.get("mergeStrategy"))
    if action == "patch" and strategy and not is_dynamic(strategy) and strategy not in MERGE_STRATEGIES:
        known = f"choose one of: {', '.join(MERGE_STRATEGIES)}"
        findings.late(where.at("mergeStrategy"), f"'{strategy}' is no way of patching", known)
    if action == "delete" and is_given(resource, "successCondition", "failureCondition"):
        findings.late(where, "cannot wait for a condition of what it deletes", "leave the conditions out")
    if action == "delete" and mapping(template.get("outputs")).get("parameters"):
        findings.late(place.at("outputs.parameters"), "cannot come from a resource that is deleted", "leave them out")


def _judge_manifest(findings: Findings, where: Place, template: Json) -> None:
    """An action that writes has what it writes, from one place."""
    resource = mapping(template["resource"])
    has_manifest, has_source = is_given(resource, "manifest"), resource.get("manifestFrom") is not None
    if has_manifest and has_source:
        said = "shouldn't have both `manifest` and `manifestFrom` specified in `Manifest` for resource template"
        findings.error(where._replace(names=""), said, "keep one of them")
    if not has_manifest and not has_source:
        named = where._replace(names=f"either {where.names}.manifest or {where.names}.manifestFrom")
        findings.error(named, "must be specified")
    if has_manifest and not _is_yaml(TAG.sub("tag", text(resource["manifest"]))):
        findings.error(where.at("manifest"), "must be a valid yaml")
    source = mapping(mapping(resource.get("manifestFrom")).get("artifact"))
    name = text(source.get("name"))
    if source and name not in [text(each.get("name")) for each in entries(template.get("inputs"), "artifacts")]:
        said = f"artifact {name} in `manifestFrom` refer to a non-exist artifact"
        findings.error(where.at("manifestFrom")._replace(names=""), said, "declare it among the template's inputs")


def _is_yaml(manifest: str) -> bool:
    try:
        for _ in yaml.parse(manifest, Loader=yaml.CSafeLoader):
            pass
    except yaml.YAMLError:
        return False
    return True


def _judge_names(findings: Findings, place: Place, template: Json) -> None:
    """Containers of one pod have names, each its own, and none that the executor's containers have."""
    own = ["main"] if template.get("container") is not None or template.get("script") is not None else []
    lists = [("initContainers", place, template), ("sidecars", place, template)]
    if template.get("containerSet") is not None:
        lists.append(("containers", place.at("containerSet"), mapping(template["containerSet"])))
    taken = set(own)
    for field, where, holder in lists:
        for index, container in enumerate(entries(holder, field)):
            name = text(container.get("name"))
            here = where.entry(field, index)
            if not name and field == "initContainers":
                findings.error(here._replace(names="initContainers"), "must all have container name")
            elif not name:
                findings.error(here, "must have a container name")
            elif name in RESERVED_NAMES or name.startswith(RESERVED_PREFIX):
                findings.error(
                    here._replace(names=f"{where.names}.{field}:"), f'"{name}" is a reserved Argo container name'
                )
            elif name in taken and field != "containers":
                findings.error(here, f'"{name}" is the name of another container of the pod')
            taken.add(name)


def _judge_deadline(findings: Findings, place: Place, template: Json) -> None:
    deadline = template.get("activeDeadlineSeconds")
    if deadline is None or is_dynamic(deadline):
        return
    where, rule = place.at("activeDeadlineSeconds"), "must be a positive integer > 0 or an argo variable"
    if not WHOLE_NUMBER.fullmatch(text(deadline)):
        findings.error(where, rule)
    elif int(deadline) == 0:
        findings.late(where, rule, "leave it out, or say how many seconds")


def judge_pod_resources(findings: Findings, where: Place, resources: Json | None) -> None:
    """Judge resources of a whole pod: Kubernetes knows fewer of them than of a container."""
    if resources is None:
        return
    if resources.get("claims"):
        findings.error(where.at("claims"), "is not supported for pod-level resources")
    named: Iterable[str] = {name for kind in ("limits", "requests") for name in mapping(resources.get(kind))}
    for name in sorted(named):
        if name not in POD_RESOURCES and not name.startswith("hugepages-"):
            rule = "is not a valid pod-level resource, only cpu, memory and hugepages-* are supported"
            findings.error(where._replace(names=f"{where.names}:"), f'"{name}" {rule}')

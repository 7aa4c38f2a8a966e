"""One trial from its namespace to its end: apply, act as a person would, wait, and gather what there is to judge.

Nothing is judged here; `verdict` does that, on plain values.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import anyio

from actors.names.ids import pod_name
from actors.workflow.state import WORKFLOWS
from runtime.api import ApiError, LogOptions
from runtime.objects import PODS, Object, Reference, reference
from tests.conformance.cluster import PodRecord, Site
from tests.conformance.table import Trial
from tiphys.cli import control, nodes

PODS_END_S: Final = 10.0
"""How long after the workflow's end its last pods may take to end."""
OTHERS_END_S: Final = 60.0
"""How long after its end the workflows it has made may take to end."""


ENDED: Final = {"Succeeded", "Failed", "Error"}


@dataclass(slots=True)
class Outcome:
    """What a trial left: the workflow, the pods of its namespace, the logs that are asked about, what went wrong."""

    workflow: Object = field(default_factory=dict)
    pods: list[PodRecord] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)  # node id -> log of its main container
    artifacts: dict[tuple[str, str], str] = field(default_factory=dict)  # (node id, name) -> contents
    others: dict[str, str] = field(default_factory=dict)  # the namespace's other workflows: name -> phase
    claims: int = 0  # PersistentVolumeClaims that are still there
    deleted: bool = False  # the workflow, after its end
    problem: str = ""  # it could not be started, or did not end
    took_s: float = 0.0

    @property
    def phase(self) -> str:
        """How the workflow ended, or the problem."""
        return nodes.phase_of(self.workflow) or "not started"


async def run(site: Site, trial: Trial) -> Outcome:
    """Run a trial to its end, or until its time is up."""
    outcome = Outcome()
    start = time.monotonic()
    try:
        with anyio.fail_after(trial.limit_s):
            await _run(site, trial, outcome)
    except TimeoutError:
        outcome.problem = f"not finished after {trial.limit_s:g} s"
    except (ApiError, ValueError) as error:
        outcome.problem = f"{type(error).__name__}: {error}"
    outcome.pods = list(site.observer.pods.get(trial.namespace, {}).values())
    outcome.took_s = time.monotonic() - start
    return outcome


async def _run(site: Site, trial: Trial, outcome: Outcome) -> None:
    await site.namespace(trial.namespace)
    for key, holders in trial.limits.items():
        await site.limit(trial.namespace, key, holders)
    for thing in trial.things:
        outcome.workflow = await site.apply(trial.namespace, site.web.here(thing, trial.served, trial.store))
    meta = outcome.workflow["metadata"]
    mine = (trial.namespace, meta["uid"])

    def newest() -> Object:
        outcome.workflow = site.observer.workflows.get(mine, outcome.workflow)
        return outcome.workflow

    for act in trial.act:
        await site.observer.until(lambda act=act: _waits_for(newest(), act["when"]))  # type: ignore[misc]
        await _perform(site, newest(), act)
    await site.observer.until(lambda: bool((newest().get("status") or {}).get("finishedAt")))
    if "others" in trial.expect:
        with anyio.move_on_after(OTHERS_END_S):
            await site.observer.until(lambda: set(site.observer.others(newest()).values()) <= ENDED)
    with anyio.move_on_after(PODS_END_S + (trial.takes_s if "gone" in trial.expect else 0)):
        await site.observer.until(lambda: _at_rest(site, trial, newest()))
    outcome.logs = await _logs(site, newest(), trial.expect.get("nodes", {}))
    outcome.artifacts = read_artifacts(newest(), trial.expect.get("nodes", {}))
    if "deleted" in trial.expect:
        with anyio.move_on_after(trial.takes_s + PODS_END_S):
            await site.observer.until(lambda: meta["uid"] in site.observer.deleted)
    outcome.deleted = meta["uid"] in site.observer.deleted
    outcome.others = site.observer.others(newest())
    outcome.claims = site.observer.claims_in(trial.namespace)


def _at_rest(site: Site, trial: Trial, workflow: Object) -> bool:
    """Whether nothing runs any more, and what must go is gone: a pod, a claim."""
    pods = site.observer.pods.get(trial.namespace, {}).values()
    claims = site.observer.claims_in(trial.namespace)
    return (
        all(pod.ended for pod in pods)
        and all(pod.gone for pod in pods if belongs_to(pod.object, workflow, trial.expect.get("gone", [])))
        and claims <= trial.expect.get("claims", claims)
    )


# ------------------------------------------------------------------------------------------------ acting


def _waits_for(workflow: Object, display_name: str) -> bool:
    return any(
        node.get("displayName") == display_name and nodes.is_suspended(node)
        for node in nodes.nodes_of(workflow).values()
    )


async def _perform(site: Site, workflow: Object, act: Mapping[str, Any]) -> None:
    """Do what `argo node set` and `argo resume` do, in this order."""
    ref = reference(WORKFLOWS, workflow)
    if "set" in act:
        await control.change(site.api, ref, lambda found: _with_outputs(found, act["when"], act["set"]))
    if act.get("resume"):
        await control.change(site.api, ref, lambda found: control.resumed(found, [], time.time()))


def _with_outputs(workflow: Object, display_name: str, values: Mapping[str, str]) -> Object:
    changed = {
        key: {**node, "outputs": {**node["outputs"], "parameters": _supplied(node["outputs"]["parameters"], values)}}
        if node.get("displayName") == display_name
        else node
        for key, node in nodes.nodes_of(workflow).items()
    }
    return {**workflow, "status": {**workflow["status"], "nodes": changed}}


def _supplied(parameters: list[dict[str, Any]], values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{**p, "value": values[p["name"]]} if p["name"] in values else p for p in parameters]


# ------------------------------------------------------------------------------------------------ gathering


def template_of(node: Mapping[str, Any]) -> str:
    """The template that names a node's pod: the referenced one where there is a reference."""
    referenced: str = (node.get("templateRef") or {}).get("template", "")
    return referenced or node.get("templateName", "")


def title(node: Mapping[str, Any], workflow: str) -> str:
    """What the table calls a node: its display name, with `root` for the workflow's own generated name."""
    name = str(node.get("displayName", ""))
    return "root" + name.removeprefix(workflow) if name.startswith(workflow) else name


def belongs_to(pod: Object, workflow: Object, titles: Sequence[str]) -> bool:
    """Whether a pod is that of one of the nodes with these titles."""
    meta = workflow["metadata"]
    return any(
        pod["metadata"]["name"] == pod_name(meta["name"], str(node["name"]), template_of(node))
        for node in nodes.nodes_of(workflow).values()
        if title(node, meta["name"]) in titles
    )


async def _logs(site: Site, workflow: Object, asked: Mapping[str, Any]) -> dict[str, str]:
    """The logs of the nodes whose log the table speaks of."""
    logs: dict[str, str] = {}
    meta = workflow["metadata"]
    for key, node in nodes.nodes_of(workflow).items():
        wish = asked.get(title(node, meta["name"]))
        if node.get("type") == "Pod" and isinstance(wish, dict) and "log" in wish:
            ref = Reference(PODS, meta["namespace"], pod_name(meta["name"], str(node["name"]), template_of(node)))
            logs[key] = await _log(site, ref)
    return logs


def read_artifacts(workflow: Object, asked: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """The contents of the artifacts that the table speaks of, read where the workflow's repository keeps them."""
    found: dict[tuple[str, str], str] = {}
    for key, node in nodes.nodes_of(workflow).items():
        wish = asked.get(title(node, workflow["metadata"]["name"]))
        wanted = wish.get("artifacts", {}) if isinstance(wish, dict) else {}
        for artifact in (node.get("outputs") or {}).get("artifacts") or ():
            if artifact["name"] in wanted:
                found[key, artifact["name"]] = _contents(artifact, workflow)
    return found


def _contents(artifact: Mapping[str, Any], workflow: Object) -> str:
    """The text of an artifact that is one file, stored as it is or in an archive."""
    recorded = (workflow["status"].get("artifactRepositoryRef") or {}).get("artifactRepository") or {}
    place = {**(recorded.get("s3") or {}), **(artifact.get("s3") or {})}
    folder = Path(urlsplit(str(place.get("endpoint", ""))).path)
    path = folder / str(place.get("bucket", "")) / str(place.get("key", ""))
    if not path.is_file():
        return f"(nothing at {path})"
    if not tarfile.is_tarfile(path):
        return path.read_text()
    with tarfile.open(path) as archive:
        files = [archive.extractfile(member) for member in archive if member.isfile()]
        return "".join(file.read().decode() for file in files if file)


async def _log(site: Site, ref: Reference) -> str:
    try:
        async with site.api.log(ref, LogOptions(container="main")) as chunks:
            return b"".join([chunk async for chunk in chunks]).decode(errors="replace")
    except ApiError as error:
        return f"(no log: {error})"

"""What a check finds: pure functions from what the cluster says to sentences with a remedy each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import yaml

from actors.contract.repository import driver_of
from actors.names import labels
from runtime.objects import Object
from tiphys.configuration.problems import BadConfiguration
from tiphys.configuration.reading import configuration
from tiphys.controller.leading import ROLLOUTS_LEASE, WORKFLOWS_LEASE
from tiphys.controller.lease_names import is_together

OLDEST: Final = (1, 29)
NEWEST: Final = (1, 36)
ARCHITECTURES: Final = ("amd64", "arm64")


class Finding(NamedTuple):
    """One fact. `wrong` is to be repaired, `note` is to be known; both may have a remedy."""

    level: Literal["ok", "note", "wrong"]
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        mark = {"ok": "✔", "note": "•", "wrong": "✖"}[self.level]
        return f"{mark} {self.text}" + (f"\n    {self.remedy}" if self.remedy else "")


def of_version(text: str) -> Finding:
    """The server's version, as `major.minor` with whatever follows."""
    try:
        major, minor = (int("".join(c for c in part if c.isdigit())) for part in text.split(".")[:2])
    except ValueError:
        return Finding("note", f"Kubernetes {text}: its version cannot be read")
    known = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
    if (major, minor) < OLDEST:
        return Finding("wrong", f"Kubernetes {text} is too old", f"native sidecars need {known}; upgrade the cluster")
    if (major, minor) > NEWEST:
        return Finding("note", f"Kubernetes {text} is newer than what was tried ({known})")
    return Finding("ok", f"Kubernetes {text}")


def of_definitions(wanted: Iterable[Object], there: Mapping[str, Object]) -> list[Finding]:
    """Which of our kinds are served, and by whose definitions."""
    found, good = [], 0
    for definition in wanted:
        name, plural = definition["metadata"]["name"], definition["spec"]["names"]["plural"]
        thing = there.get(name)
        if thing is None:
            found.append(Finding("wrong", f"{plural} are not served", "tiphys install makes the missing definitions"))
            continue
        versions = [entry["name"] for entry in thing["spec"].get("versions") or () if entry.get("served")]
        conditions = {
            entry.get("type"): entry.get("status") for entry in (thing.get("status") or {}).get("conditions") or ()
        }
        if "v1alpha1" not in versions:
            served = ", ".join(versions) or "nothing"
            found.append(Finding("wrong", f"{plural} are served as {served}, not as v1alpha1"))
        elif conditions.get("Established", "True") != "True":
            found.append(
                Finding("wrong", f"{plural}: the definition is not established", f"kubectl describe crd {name}")
            )
        else:
            good += 1
    return [Finding("ok", f"{good} kinds of argoproj.io/v1alpha1 are served"), *found] if good else found


def of_rights(refused: Sequence[str], asked: int, who: str) -> list[Finding]:
    """Which rights are missing; each as `verb resource: reason`."""
    if not refused:
        return [Finding("ok", f"{who} has all {asked} rights that are needed")]
    remedy = "tiphys install applies the roles; deploy/overlays has them as files"
    return [Finding("wrong", f"{who} may not {right}", remedy) for right in refused]


def leader(lease: Object, now: float) -> str:
    """Who holds one of the controllers' leases at this moment; empty for nobody, or for another lease."""
    spec = lease.get("spec") or {}
    stands = lease["metadata"]["name"].startswith((WORKFLOWS_LEASE, ROLLOUTS_LEASE))
    lasts = now - _moment(spec.get("renewTime")) <= float(spec.get("leaseDurationSeconds") or 15)
    holder = str(spec.get("holderIdentity") or "")
    return holder if stands and lasts and not is_together(holder) else ""  # whose leases of their own say who they are


def of_lease(lease: Object, ours: frozenset[str], now: float) -> Finding:
    """Who holds one of upstream's leases. `ours` are the uids of our pods."""
    spec, meta = lease.get("spec") or {}, lease["metadata"]
    name, holder = f"{meta.get('namespace')}/{meta['name']}", spec.get("holderIdentity") or ""
    if not holder:
        return Finding("note", f"lease {name}: nobody holds it")
    age = now - _moment(spec.get("renewTime"))
    if not leader(lease, now):
        return Finding("note", f"lease {name}: {holder} held it and has not renewed it for {age:.0f} s")
    if holder in ours:
        return Finding("ok", f"lease {name}: our pod {holder} leads")
    remedy = "two controllers do not work side by side: ours stands by until that one is scaled to 0"
    return Finding("note", f"lease {name}: {holder} leads, which is none of our pods", remedy)


def _moment(text: Any) -> float:
    try:
        return datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0.0


def of_configuration(name: str, data: Mapping[str, str] | None) -> list[Finding]:
    """Whether the controller's ConfigMap can be read; None: there is none."""
    if data is None:
        return [Finding("note", f"ConfigMap {name}: there is none, so everything is as it is by default")]
    try:
        configuration(data)
    except BadConfiguration as error:
        return [Finding("wrong", f"ConfigMap {name}: {problem}", "docs/configuration.md") for problem in error.problems]
    return [Finding("ok", f"ConfigMap {name} can be read")]


def of_config_map(thing: Object) -> list[Finding]:
    """What is wrong with a ConfigMap that controllers read: executor plugins, artifact repositories."""
    meta, data = thing["metadata"], thing.get("data") or {}
    name = f"ConfigMap {meta.get('namespace')}/{meta['name']}"
    kind = (meta.get("labels") or {}).get(labels.CONFIGMAP_TYPE)
    if kind == labels.CONFIGMAP_TYPE_EXECUTOR_PLUGIN:
        container = _yaml(data.get("sidecar.container"))
        if not isinstance(container, dict) or not container.get("ports"):
            return [Finding("wrong", f"{name}: sidecar.container is no container with a port", "docs/agents.md")]
    elif meta["name"] == "artifact-repositories":
        wrong = [key for key, text in data.items() if not _is_repository(_yaml(text))]
        return [Finding("wrong", f"{name}: {key} names no driver", "docs/artifacts.md") for key in wrong]
    return []


def _is_repository(found: Any) -> bool:
    return isinstance(found, dict) and bool(driver_of(found))


def _yaml(text: Any) -> Any:
    try:
        return yaml.safe_load(text) if isinstance(text, str) else None
    except yaml.YAMLError:
        return None


def of_nodes(nodes: Sequence[Object]) -> list[Finding]:
    """Whether there is somewhere for pods to run, and what runs on no node."""
    if not nodes:
        return [Finding("wrong", "there are no nodes: no pod will ever start", "tiphys node joins a simulated one")]
    ready = [node for node in nodes if _is_ready(node)]
    found = [Finding("ok" if ready else "wrong", f"{len(ready)} of {len(nodes)} nodes are ready")]
    for node in nodes:
        about = (node.get("status") or {}).get("nodeInfo") or {}
        system, machine = about.get("operatingSystem") or "linux", about.get("architecture") or "amd64"
        if system != "linux" or machine not in ARCHITECTURES:
            text = f"node {node['metadata']['name']} is {system}/{machine}: outputs cannot be captured there"
            found.append(Finding("note", text, "keep workflows away from it with a nodeSelector"))
    return found


def _is_ready(node: Object) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(entry.get("type") == "Ready" and entry.get("status") == "True" for entry in conditions)


def of_deployment(thing: Object | None, name: str) -> Finding:
    """Whether the controller runs."""
    if thing is None:
        return Finding("note", f"{name} is not there", "tiphys install")
    wanted, state = thing["spec"].get("replicas", 1), thing.get("status") or {}
    available = state.get("availableReplicas") or 0
    image = thing["spec"]["template"]["spec"]["containers"][0]["image"]
    if available >= wanted:
        return Finding("ok", f"{name}: {available} of {wanted} replicas are available ({image})")
    namespace = thing["metadata"]["namespace"]
    remedy = f"kubectl -n {namespace} describe pods -l app.kubernetes.io/name=tiphys"
    return Finding("wrong", f"{name}: {available} of {wanted} replicas are available ({image})", remedy)


def of_stuck(names: Sequence[str]) -> list[Finding]:
    """Objects that were deleted and are kept by our finalizer."""
    remedy = "a running controller takes it away; without one: tiphys uninstall --finalizers-only"
    return [Finding("wrong", f"{name} was deleted and is kept by our finalizer", remedy) for name in names]

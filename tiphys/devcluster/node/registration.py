"""The Node object: what this machine is and has, as the scheduler and `kubectl get nodes` read it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from runtime.api import AlreadyExists, Api
from runtime.objects import NODES, Object, Reference
from tiphys.devcluster.node.lifecycle import ADDRESS, rfc3339
from tiphys.devcluster.node.settings import Mode

PODS_MAX = 5000  # told as capacity; nothing counts against it: pods are processes or mere records
SIMULATED_CPUS = 1_000_000  # requests of simulated pods never run out
SIMULATED_MEMORY_KI = 2**40

ONLY_WARNINGS = "node.tiphys.dev/only-warnings"
"""Annotation of a node about whose pods no Events of type Normal are written: the scheduler keeps to it too."""

_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def architecture() -> str:
    """The machine's architecture in Go's words."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def capacity(mode: Mode, scratch: Path) -> Object:
    """What the machine has, as quantities."""
    if mode == "simulated":
        cpus, memory_ki, disk_ki = SIMULATED_CPUS, SIMULATED_MEMORY_KI, SIMULATED_MEMORY_KI
    else:
        cpus = os.cpu_count() or 1
        memory_ki = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024
        filesystem = os.statvfs(scratch)
        disk_ki = filesystem.f_blocks * filesystem.f_frsize // 1024
    return {
        "cpu": str(cpus),
        "memory": f"{memory_ki}Ki",
        "ephemeral-storage": f"{disk_ki}Ki",
        "pods": str(PODS_MAX),
    }


def node_object(name: str, labels: dict[str, str], has: Object, now: float, *, only_warnings: bool = False) -> Object:
    """The Node, ready and without taints."""
    system, arch = platform.system().lower(), architecture()
    at = rfc3339(now)
    conditions = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("Ready", "True", "KubeletReady"),
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": system,
                "kubernetes.io/arch": arch,
                "beta.kubernetes.io/os": system,
                "beta.kubernetes.io/arch": arch,
                **labels,
            },
            "annotations": {ONLY_WARNINGS: "true"} if only_warnings else {},
        },
        "spec": {},
        "status": {
            "capacity": has,
            "allocatable": has,
            "addresses": [{"type": "InternalIP", "address": ADDRESS}, {"type": "Hostname", "address": name}],
            "conditions": [
                {"type": t, "status": s, "reason": r, "lastHeartbeatTime": at, "lastTransitionTime": at}
                for t, s, r in conditions
            ],
            "nodeInfo": _machine(),
        },
    }


def _machine() -> Object:
    return {
        "architecture": architecture(),
        "operatingSystem": platform.system().lower(),
        "kernelVersion": platform.release(),
        "osImage": f"{platform.system()} {platform.release()}",
        "containerRuntimeVersion": f"tiphys://{_version()}",
        "kubeletVersion": f"tiphys-{_version()}",
    }


async def register(api: Api, node: Object) -> None:
    """Create the Node object, or bring labels and status of the one that is there up to date."""
    ref = Reference(NODES, "", node["metadata"]["name"])
    try:
        await api.create(NODES, node)
    except AlreadyExists:
        await api.patch(ref, {"metadata": {"labels": node["metadata"]["labels"]}})
    await api.patch(ref, {"status": node["status"]}, subresource="status")


def _version() -> str:
    try:
        return version("tiphys")
    except PackageNotFoundError:
        return "source"

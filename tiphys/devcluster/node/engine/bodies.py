"""From a pod's container to what the engine is asked to create. Pure.

Pods share the machine's network, as on the process node: the API server stays on loopback and is reached there. Users,
capabilities, limits and a read-only root are the engine's to keep; a privileged container is not made, since hostPath
volumes are shown only where the node allows it, and privileges would be a way around.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from runtime.objects import Object
from tiphys.devcluster.node import images, launch
from tiphys.devcluster.node.containers import CannotCreate
from tiphys.devcluster.node.quantity import parse_quantity
from tiphys.devcluster.node.volumes import Mount

GRANTED = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
"""Capabilities that a container may add: those that engines give anyway (Kubernetes' baseline)."""

CPU_NANOS_MIN = 10_000_000  # what engines accept: a hundredth of a CPU
CPU_SHARES_MIN = 2


class Image(NamedTuple):
    """What an image says of itself."""

    id: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""


class Abilities(NamedTuple):
    """What the engine can keep containers to: in rootless ones it depends on what was delegated."""

    memory: bool = True
    swap: bool = True
    cpu_quota: bool = True
    cpu_shares: bool = True


class Start(NamedTuple):
    """What was found out for one attempt of a container."""

    image: Image
    argv: Sequence[str]
    env: Mapping[str, str]
    binds: Sequence[Mapping[str, Any]]  # source, target, read_only
    labels: Mapping[str, str]


def image_of(inspected: Mapping[str, Any]) -> Image:
    """Read the engine's description of an image."""
    config = inspected.get("Config") or {}
    return Image(
        id=str(inspected.get("Id") or ""),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        user=str(config.get("User") or ""),
    )


def abilities_of(told: Mapping[str, Any]) -> Abilities:
    """Read the engine's description of itself."""
    return Abilities(*(bool(told.get(k)) for k in ("MemoryLimit", "SwapLimit", "CpuCfsQuota", "CPUShares")))


def command_of(container: Object, image: Image, env: Mapping[str, str]) -> list[str]:
    """The command line: of the pod, or of the image (args replace its Cmd). Raises CannotCreate when there is none."""
    if not (container.get("command") or container.get("args") or image.entrypoint or image.command):
        raise CannotCreate("no command specified", reason="CreateContainerError")
    return images.command_of(container, images.Image(image.entrypoint, image.command), env)


def user_of(pod: Object, container: Object, image: Image) -> str:
    """User and group as the engine reads them; empty for the image's own. Raises CannotCreate for root against
    runAsNonRoot."""
    whole = (pod.get("spec") or {}).get("securityContext") or {}
    own = container.get("securityContext") or {}
    uid, gid = own.get("runAsUser", whole.get("runAsUser")), own.get("runAsGroup", whole.get("runAsGroup"))
    if own.get("runAsNonRoot", whole.get("runAsNonRoot")):
        _check_not_root(uid, image)
    if uid is None and gid is None:
        return ""
    user = (image.user.partition(":")[0] or "0") if uid is None else str(uid)
    return user if gid is None else f"{user}:{gid}"


def _check_not_root(uid: int | None, image: Image) -> None:
    name = image.user.partition(":")[0] if uid is None else str(uid)
    if name and not name.isdigit():
        raise CannotCreate(
            f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root"
        )
    if int(name or 0) == 0:
        whose = "image will run as root" if uid is None else "container's runAsUser breaks non-root policy"
        raise CannotCreate(f"container has runAsNonRoot and {whose}: set runAsUser")


def binds_of(mounts: Iterable[Mount], files: Mapping[str, str]) -> list[dict[str, Any]]:
    """The pod's volumes, and then the node's own files by target where no volume is mounted there."""
    taken = {m.target for m in mounts}
    volumes = [{"source": str(m.source), "target": m.target, "read_only": m.read_only} for m in mounts]
    own = [{"source": s, "target": t, "read_only": False} for t, s in files.items() if t not in taken]
    return volumes + own


def container_body(pod: Object, container: Object, start: Start, can: Abilities) -> dict[str, Any]:
    """The body of the request that creates the container."""
    security = container.get("securityContext") or {}
    body: dict[str, Any] = {
        "Image": start.image.id,
        "Hostname": launch.hostname(pod),
        "Entrypoint": list(start.argv),
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in start.env.items()],
        "Labels": dict(start.labels),
        "Tty": bool(container.get("tty")),
        "OpenStdin": bool(container.get("stdin")),
        "AttachStdout": True,
        "AttachStderr": True,
    }
    if directory := container.get("workingDir"):
        body["WorkingDir"] = str(directory)
    if user := user_of(pod, container, start.image):
        body["User"] = user
    body["HostConfig"] = {
        "NetworkMode": "host",
        "LogConfig": {"Type": "none"},  # what it prints comes over the connection, and is kept by the node
        "Mounts": [_mount(bind) for bind in start.binds],
        "GroupAdd": _groups(pod),
        "ReadonlyRootfs": bool(security.get("readOnlyRootFilesystem")),
        "CapAdd": sorted(_capabilities(container, "add") & GRANTED),
        "CapDrop": sorted(_capabilities(container, "drop")),
        "SecurityOpt": _security_options(pod, container),
        **_resources(container, can),
    }
    return body


def unhonoured(pod: Object, can: Abilities) -> list[str]:
    """What of the pod's wishes an engine's containers do not get, in words."""
    spec = pod.get("spec") or {}
    told = []
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        name, security = container["name"], container.get("securityContext") or {}
        if security.get("privileged"):
            told.append(f"{name} is not privileged")
        if refused := sorted(_capabilities(container, "add") - GRANTED):
            told.append(f"{name} is not given {', '.join(refused)}")
        for limit, able in (("memory", can.memory), ("cpu", can.cpu_quota)):
            if not able and limit in ((container.get("resources") or {}).get("limits") or ()):
                told.append(f"{name} has no limit of {limit}: the engine was not given the right to set one")
    told += [f"{field} is not set" for field in ("hostPID", "hostIPC", "shareProcessNamespace") if spec.get(field)]
    return told


# ------------------------------------------------------------------------------------------------ inside


def _mount(bind: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": "bind", "Source": bind["source"], "Target": bind["target"], "ReadOnly": bool(bind["read_only"])}


def _groups(pod: Object) -> list[str]:
    whole = (pod.get("spec") or {}).get("securityContext") or {}
    groups = [*(whole.get("supplementalGroups") or ())]
    if whole.get("fsGroup") is not None:
        groups.append(whole["fsGroup"])
    return [str(group) for group in groups]


def _capabilities(container: Object, which: str) -> set[str]:
    named = ((container.get("securityContext") or {}).get("capabilities") or {}).get(which) or ()
    return {str(name).upper().removeprefix("CAP_") for name in named}


def _security_options(pod: Object, container: Object) -> list[str]:
    whole = (pod.get("spec") or {}).get("securityContext") or {}
    own = container.get("securityContext") or {}
    options = ["label=disable"]  # under SELinux volumes would otherwise have to be labelled anew, claims too
    if own.get("allowPrivilegeEscalation") is False:
        options.append("no-new-privileges")
    seccomp = own.get("seccompProfile") or whole.get("seccompProfile") or {}
    if seccomp.get("type") == "Unconfined":
        options.append("seccomp=unconfined")
    elif seccomp.get("type") == "Localhost":
        raise CannotCreate(
            f"container {container['name']}: seccompProfile Localhost names a file of a cluster's node, and this "
            "machine is none: use RuntimeDefault or Unconfined"
        )
    return options


def _resources(container: Object, can: Abilities) -> dict[str, Any]:
    asked = container.get("resources") or {}
    limits, requests = asked.get("limits") or {}, asked.get("requests") or {}
    found: dict[str, Any] = {}
    memory = launch.memory_limit(container)
    if memory is not None and can.memory:
        found["Memory"] = memory
        if can.swap:
            found["MemorySwap"] = memory  # none beyond it, as on a cluster
    try:
        if can.cpu_quota and "cpu" in limits:
            found["NanoCpus"] = max(int(parse_quantity(limits["cpu"]) * 10**9), CPU_NANOS_MIN)
        if can.cpu_shares and (share := requests.get("cpu", limits.get("cpu"))) is not None:
            found["CpuShares"] = max(int(parse_quantity(share) * 1024), CPU_SHARES_MIN)
    except ValueError as error:
        raise CannotCreate(f"cpu of container {container['name']}: {error}") from error
    return found

"""From a container's spec to what the sandbox is told: argv, environment, mounts, user. Pure but for file names."""

from __future__ import annotations

import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runtime.objects import Object
from tiphys.devcluster.node import images
from tiphys.devcluster.node.containers import CannotCreate, CannotRun
from tiphys.devcluster.node.layout import Layout
from tiphys.devcluster.node.quantity import parse_quantity
from tiphys.devcluster.node.settings import Mode, NodeSettings
from tiphys.devcluster.node.volumes import Mount

DEFAULT_TERMINATION_PATH = "/dev/termination-log"
SYSTEM = ("/usr", "/etc", "/nix/store", "/gnu/store")
SYSTEM_LINKS = ("bin", "sbin", "lib")  # and every /lib*; directories of their own on some machines
PLAIN_PREFIX = "tiphys-"  # volumes that a plain container may mount: its program is told their real places


class System(NamedTuple):
    """What of the machine containers see, read-only. `own` is for those of the executor's image alone: it may lie
    anywhere, and below /tmp it would be in the way of whoever looks at his own /tmp."""

    binds: list[str]  # directories
    links: dict[str, str]  # to recreate
    own: list[str]  # directories of this program and its environment, where `binds` do not have them


def system(packages: tuple[str, ...]) -> System:
    """The machine's system directories and its interpreter, which every image has; and what only this program needs."""
    binds = [path for path in SYSTEM if Path(path).is_dir()]
    links: dict[str, str] = {}
    tops = {entry.name for entry in Path("/").iterdir() if entry.name in SYSTEM_LINKS or entry.name.startswith("lib")}
    for name in sorted(tops - {"lost+found"}):
        path = Path("/", name)
        if path.is_symlink():
            links[f"/{name}"] = os.path.relpath(path.resolve(), "/")
        elif path.is_dir():
            binds.append(str(path))
    binds += _not_below(binds, _interpreter_paths())
    return System(binds, links, _not_below(binds, _program_paths(packages)))


def _not_below(binds: list[str], paths: set[Path]) -> list[str]:
    """Those that nothing bound has in it, the topmost alone."""
    found: list[str] = []
    for path in sorted((p for p in paths if p.is_dir() and len(p.parts) > 1), key=lambda p: len(p.parts)):
        if not any(path.is_relative_to(bound) for bound in (*binds, *found)):
            found.append(str(path))
    return found


def import_roots(packages: tuple[str, ...]) -> list[str]:
    """The directories to put on the import path so that `packages` are found, as in this process."""
    roots = {str(folder.parent) for folder in _package_folders(packages)}
    return sorted(roots)


def _package_folders(packages: tuple[str, ...]) -> list[Path]:
    folders = []
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is not None:
            folders += [Path(place).resolve() for place in spec.submodule_search_locations or ()]
    return folders


def _interpreter_paths() -> set[Path]:
    """Of Python itself, without what was installed into an environment."""
    executable = Path(sys.executable).resolve()
    return {
        Path(sys.base_prefix),
        Path(sys.base_exec_prefix),
        executable.parent.parent,
        Path(sysconfig.get_path("stdlib")),
    }


def _program_paths(packages: tuple[str, ...]) -> set[Path]:
    """Of the environment and of `packages`, wherever they are imported from."""
    paths = {Path(sys.prefix)} | {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    return paths | {Path(p) for p in site.getsitepackages()} | set(_package_folders(packages))


# ------------------------------------------------------------------------------------------------ one container


def first_environment(
    pod: Object, container: Object, settings: NodeSettings, mode: Mode, layout: Layout
) -> dict[str, str]:
    """What a container's environment has before the pod adds its own."""
    env = {"PATH": images.PATH, "HOSTNAME": hostname(pod), "HOME": "/root"}
    if mode == "plain":
        env["PATH"] = f"{layout.stand_ins}:{os.environ.get('PATH', images.PATH)}"
    if images.same_image(container.get("image") or "", settings.executor_image):
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        env["PYTHONPATH"] = ":".join(import_roots(settings.packages))
    if images.repository(container.get("image") or "") == "nginx" and (ports := container.get("ports")):
        env["TIPHYS_NGINX_PORT"] = str(ports[0]["containerPort"])
    return env | service_environment(settings)


def service_environment(settings: NodeSettings) -> dict[str, str]:
    """Where programs in pods look for the API server."""
    if settings.endpoint is None:
        return {}
    port = str(settings.endpoint.port)
    return {
        "KUBERNETES_SERVICE_HOST": settings.endpoint.host,
        "KUBERNETES_SERVICE_PORT": port,
        "KUBERNETES_SERVICE_PORT_HTTPS": port,
    }


def hostname(pod: Object) -> str:
    """What the pod calls itself: at most 63 characters."""
    return str((pod.get("spec") or {}).get("hostname") or pod["metadata"]["name"])[:63].rstrip("-.")


def hosts_file(pod: Object, machine: str) -> str:
    """/etc/hosts: the machine's, the pod's own name, and its hostAliases."""
    lines = [machine.rstrip("\n"), f"127.0.0.1\t{hostname(pod)}"]
    aliases = (pod.get("spec") or {}).get("hostAliases") or ()
    lines += ["\t".join([alias["ip"], *(alias.get("hostnames") or ())]) for alias in aliases]
    return "\n".join(lines) + "\n"


def bind_mounts(mounts: list[Mount], layout: Layout) -> list[dict[str, Any]]:
    """All bind mounts of a container in process mode: stand-ins, the machine's resolver, then the pod's volumes."""
    binds = [_bind(layout.stand_ins, images.STAND_INS)]
    if images.has_local_bin():
        binds += [_bind(Path(images.LOCAL_BIN), images.LOCAL_BIN_MOVED), _bind(layout.local_bin, images.LOCAL_BIN)]
    resolver = Path("/etc/resolv.conf").resolve()
    if resolver.is_file() and not resolver.is_relative_to("/etc"):
        binds.append(_bind(resolver, str(resolver)))
    return binds + [{"source": str(m.source), "target": m.target, "read_only": m.read_only} for m in mounts]


def own_mounts(machine: System) -> list[dict[str, Any]]:
    """The bind mounts of a container of the executor's image, to come before all others."""
    return [_bind(Path(place), place) for place in machine.own]


def _bind(source: Path, target: str) -> dict[str, Any]:
    return {"source": str(source), "target": target, "read_only": True}


def check_plain(mounts: list[Mount], container: Object) -> None:
    """Raise CannotRun for what a container without a root of its own cannot see."""
    fixed = [m for m in mounts if not m.volume.startswith(PLAIN_PREFIX)]
    if fixed:
        names = ", ".join(f"{m.volume} at {m.target}" for m in fixed)
        raise CannotRun(
            f"container {container['name']} mounts {names}, and without namespaces (plain mode) a process has no root "
            "of its own in which anything could be at a fixed path; allow user namespaces on this machine "
            "(kernel.apparmor_restrict_unprivileged_userns=0, or a container with --security-opt seccomp=unconfined), "
            "run as root on Linux, or use a cluster",
            reason="ContainerCannotRun",
        )


def plain_environment(mounts: list[Mount], scratch: Path, termination: Path) -> dict[str, str]:
    """Where things really are when a container has no root of its own."""
    env = {
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "TIPHYS_TERMINATION_MESSAGE_PATH": str(termination),
    }
    for mount in mounts:
        env["TIPHYS_MOUNT_" + mount.volume.upper().replace("-", "_")] = str(mount.source)
    return env


def user_of(pod: Object, container: Object) -> dict[str, Any]:
    """The user and groups that the security contexts ask for, by the sandbox's names."""
    whole = (pod.get("spec") or {}).get("securityContext") or {}
    own = container.get("securityContext") or {}
    uid, gid = own.get("runAsUser", whole.get("runAsUser")), own.get("runAsGroup", whole.get("runAsGroup"))
    groups = list(whole.get("supplementalGroups") or [])
    if whole.get("fsGroup") is not None:
        groups.append(whole["fsGroup"])
    if own.get("runAsNonRoot", whole.get("runAsNonRoot")) and not uid:
        raise CannotCreate("container has runAsNonRoot and image will run as root: set runAsUser")
    user: dict[str, Any] = {"groups": groups}
    if uid is not None:
        user["uid"] = uid
        user["gid"] = 0 if gid is None else gid
    elif gid is not None:
        user["gid"] = gid
    return user


def memory_limit(container: Object) -> int | None:
    """The bytes that the container's processes may have together; None without a limit. Raises CannotCreate."""
    amount = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    try:
        return None if amount is None else int(parse_quantity(amount))
    except ValueError as error:
        raise CannotCreate(f"memory limit of container {container['name']}: {error}") from error


def termination_limit(pod: Object) -> int:
    """How many bytes of a termination message are kept: the kubelet's share of 12 KiB per pod, at most 4 KiB."""
    spec = pod.get("spec") or {}
    count = len(spec.get("initContainers") or ()) + len(spec.get("containers") or ())
    return min(4096, 12288 // max(count, 1))


def working_directory(container: Object, scratch: Path, mode: Mode) -> str:
    """Where the command starts: workingDir or /, in plain mode below the scratch directory."""
    wanted = container.get("workingDir") or "/"
    return str(Path("/", wanted)) if mode == "process" else str(scratch / wanted.lstrip("/"))


def search_path_executable(command: str, env: Mapping[str, str]) -> str:
    """The command as given; a stand-in's own path in plain mode is found by its name on PATH."""
    if "/" not in command or Path(command).exists():
        return command
    name = Path(command).name
    places = (Path(folder) / name for folder in env.get("PATH", "").split(":"))
    return next((str(place) for place in places if place.is_file()), command)

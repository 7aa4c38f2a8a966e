"""The containers of a workflow's pod: the user's as they are or behind the shim, and ours around them.

Which it is depends on what is wanted of them and is decided in `manifest.py`; here each is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.contract import paths
from actors.contract.documents import Instructions
from actors.contract.instructions import to_env
from actors.names import tracing
from actors.node.manifest_request import BadTemplate, PodRequest, UnknownEntrypoint
from actors.node.patches import merge_container

NO_DEADLINE = "0001-01-01T00:00:00Z"
TERMINATION_LOG = "/dev/termination-log"
UNPRIVILEGED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What a namespace that is `restricted` asks of every container; whose user it is, the pod or the image says."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A user's container that runs behind the shim, with what the shim has to do."""

    instructions: Instructions


def user_container(
    request: PodRequest, container: Mapping[str, Any], name: str, captured: Captured | None, script: str = ""
) -> dict[str, Any]:
    """A container of the user's; `script` is the path of its source, appended after command and args (SCR-1)."""
    built = {"name": name, **merge_container({**container, "name": name}, request.settings.main_container)}
    built.pop("source", None)
    built.pop("dependencies", None)
    if not built.get("image"):
        raise BadTemplate(f"container {name}: no image: set it, or give templateDefaults one")
    if captured is None:
        _append_script(built, script)
        return _with_env(built, _mounts_env(built) + own_env(request, name))
    command = list(built.get("command") or ())
    if not command:
        entrypoint, cmd = _entrypoint(request, name, str(built["image"]))
        command = list(entrypoint)
        if not built.get("args") and cmd:
            built["args"] = list(cmd)
    if not command:  # an image with a CMD alone
        command, built["args"] = list(built.get("args") or ())[:1], list(built.get("args") or ())[1:]
    built["command"] = [shim_path(), "--", *command]
    _append_script(built, script)
    instructions = captured.instructions
    instructions["user_message"] = str(built.get("terminationMessagePath") or TERMINATION_LOG)
    _own_termination(built, name)
    _mount_shim(built)
    env = _mounts_env(built) + own_env(request, name) + _shim_env(instructions)
    if is_paused(container):
        _mount_for_people(built)
    return _with_env(built, env)


def is_paused(container: Mapping[str, Any]) -> bool:
    """Whether the container may be told to wait before or after its command; a value from elsewhere may say so."""
    switches = (paths.PAUSE_BEFORE_ENV, paths.PAUSE_AFTER_ENV)
    return any(
        entry.get("name") in switches and str(entry.get("value", "true")) == "true"
        for entry in container.get("env") or ()
    )


def sidecar(
    request: PodRequest, container: Mapping[str, Any], main_mounts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A sidecar is a native one: an init container that goes on running, and is stopped when the others have ended."""
    built = dict(container)
    if built.pop("mirrorVolumeMounts", False):
        built["volumeMounts"] = _mirrored(built.get("volumeMounts") or (), main_mounts, "")
    built["restartPolicy"] = "Always"
    return _with_env(built, own_env(request, str(built.get("name", ""))))


def user_init(
    request: PodRequest, container: Mapping[str, Any], main_mounts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """One of the template's initContainers: untouched but for mirrored mounts and our variables (SIDE-3)."""
    built = dict(container)
    if built.pop("mirrorVolumeMounts", False):
        built["volumeMounts"] = _mirrored(built.get("volumeMounts") or (), main_mounts, "")
    return _with_env(built, own_env(request, str(built.get("name", ""))))


def executor_container(
    request: PodRequest, name: str, verb: Sequence[str], instructions: Instructions
) -> dict[str, Any]:
    """One of our own: init, wait, or the main of a resource template."""
    built = unprivileged(request, name, [*request.settings.executor_command, *verb])
    _own_termination(built, name)
    _mount_shim(built)
    env = _mounts_env(built) + own_env(request, name) + _instructions_env(instructions)
    return _with_env(built, env)


def unprivileged(request: PodRequest, name: str, command: Sequence[str]) -> dict[str, Any]:
    """A container of our image as the installation wishes it, with no more rights than `restricted` grants."""
    built: dict[str, Any] = {"name": name, "image": request.settings.executor_image, "command": list(command)}
    built = merge_container(built, request.settings.executor_container)
    return merge_container(built, {"securityContext": UNPRIVILEGED})


def mirror(container: dict[str, Any], main_mounts: Sequence[Mapping[str, Any]]) -> None:
    """Let init or wait see main's own volumes below `/mainctrfs`."""
    container["volumeMounts"] = _mirrored(container.get("volumeMounts") or (), main_mounts, paths.MAIN_ROOT)


def mount(container: dict[str, Any], volume: str, path: str, *, read_only: bool = False) -> None:
    """Mount one of our volumes and, when it is a `tiphys-` one, say in the environment where."""
    entry: dict[str, Any] = {"name": volume, "mountPath": path}
    if read_only:
        entry["readOnly"] = True
    container["volumeMounts"] = [*(container.get("volumeMounts") or ()), entry]
    if volume.startswith("tiphys-"):
        variable = {"name": paths.mount_env(volume), "value": path}
        if variable not in (container.get("env") or ()):
            container["env"] = [variable, *(container.get("env") or ())]


def shim_path() -> str:
    """The staged program, as Kubernetes will expand it."""
    return f"$({paths.mount_env(paths.SHIM_VOLUME)})/{paths.SHIM_FILE}"


def own_env(request: PodRequest, container: str) -> list[dict[str, Any]]:
    """The variables that upstream gives every container, as far as they mean something here."""
    values = {
        "ARGO_CONTAINER_NAME": container,
        "ARGO_NODE_ID": request.node_id,
        "ARGO_POD_NAME": request.pod_name,
        "ARGO_WORKFLOW_NAME": request.workflow_name,
        "ARGO_WORKFLOW_UID": request.workflow_uid,
        "ARGO_INCLUDE_SCRIPT_OUTPUT": "true" if request.include_result else "false",
        "ARGO_DEADLINE": request.deadline or NO_DEADLINE,
    }
    if request.settings.traced:
        values["TRACEPARENT"] = tracing.traceparent(request.workflow_uid, request.node_id)
    return [{"name": name, "value": value} for name, value in values.items()]


# ------------------------------------------------------------------------------------------------ inside


def _entrypoint(request: PodRequest, name: str, image: str) -> tuple[Sequence[str], Sequence[str]]:
    known = request.settings.image_entrypoints.get(image)
    if known is None or not (known[0] or known[1]):
        raise UnknownEntrypoint(
            f"container {name}: its output is wanted, so its command must be known, and the entrypoint of image "
            f"{image!r} is not: set `command` in the template, or the image's entrypoint in the controller's `images`",
            image,
        )
    return known


def _append_script(container: dict[str, Any], script: str) -> None:
    if script:
        container["args"] = [*(container.get("args") or ()), script]


def _own_termination(container: dict[str, Any], name: str) -> None:
    container["terminationMessagePath"] = f"{paths.SHIM_MOUNT}/{paths.termination_file(name)}"
    container["terminationMessagePolicy"] = "File"


def _mount_shim(container: dict[str, Any]) -> None:
    entry = {"name": paths.SHIM_VOLUME, "mountPath": paths.SHIM_MOUNT}
    container["volumeMounts"] = [*(container.get("volumeMounts") or ()), entry]


def _mount_for_people(container: dict[str, Any]) -> None:
    """Mount the shim's volume where upstream's is: there they look for the files that a paused container waits for."""
    if all(entry.get("mountPath") != paths.DEBUG_MOUNT for entry in container["volumeMounts"]):
        container["volumeMounts"].append({"name": paths.SHIM_VOLUME, "mountPath": paths.DEBUG_MOUNT})


def _mounts_env(container: dict[str, Any]) -> list[dict[str, Any]]:
    """Where our volumes are; one that holds the script or an argument is mounted on the way."""
    named = {text for text in map(str, container.get("args") or ()) if "$(TIPHYS_MOUNT_" in text}
    mounted = {entry.get("name") for entry in container.get("volumeMounts") or ()}
    for volume, path in ((paths.SCRIPT_VOLUME, paths.SCRIPT_MOUNT), (paths.SHIM_VOLUME, paths.SHIM_MOUNT)):
        if volume not in mounted and any(paths.mount_env(volume) in text for text in named):
            entry = {"name": volume, "mountPath": path}
            container["volumeMounts"] = [*(container.get("volumeMounts") or ()), entry]
    return [
        {"name": paths.mount_env(entry["name"]), "value": entry["mountPath"]}
        for entry in container.get("volumeMounts") or ()
        if str(entry.get("name", "")).startswith("tiphys-")
    ]


def _shim_env(instructions: Instructions) -> list[dict[str, Any]]:
    progress = f"$({paths.mount_env(paths.SHIM_VOLUME)})/{paths.PROGRESS_FILE}"
    return [{"name": paths.PROGRESS_ENV, "value": progress}, *_instructions_env(instructions)]


def _instructions_env(instructions: Instructions) -> list[dict[str, Any]]:
    try:
        return list(to_env(instructions))
    except ValueError as error:
        raise BadTemplate(
            f"container {instructions.get('container')}: {error}: pass large inputs as artifacts"
        ) from error


def _with_env(container: dict[str, Any], env: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Ours first, so that the user's may refer to them; a variable of the user's own wins."""
    own = container.get("env") or []
    named = {entry.get("name") for entry in own}
    container["env"] = [dict(entry) for entry in env if entry["name"] not in named] + list(own)
    return container


def _mirrored(
    own: Sequence[Mapping[str, Any]], main_mounts: Sequence[Mapping[str, Any]], root: str
) -> list[dict[str, Any]]:
    taken = {entry.get("mountPath") for entry in own}
    mirrored = [{**entry, "mountPath": f"{root}{entry['mountPath']}"} for entry in main_mounts]
    return [*map(dict, own), *(entry for entry in mirrored if entry["mountPath"] not in taken)]

"""A node's pod is a pure function of its request: the smallest shape that serves what is wanted of it.

bare: nothing is captured, the user's container as it is. shim: a result, parameters, progress, a pause, or order inside
a containerSet; an init container stages one small program that runs the user's command and reports in the termination
message. full: artifacts too; `init` loads and `wait` saves. The podSpecPatch has the last word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.contract import paths
from actors.contract.documents import Instructions, Parameter
from actors.contract.frame import FRAME_BYTES_MIN, budget
from actors.contract.secrets import secret_mount, secret_volume, secret_volumes
from actors.language.jsontext import parameter_text
from actors.names.durations import parse_duration
from actors.node import manifest_containers as containers
from actors.node.assessment import promised_parameters
from actors.node.manifest_arguments import long_arguments, with_files
from actors.node.manifest_artifacts import ArtifactPlan, archives_logs, artifact_plan
from actors.node.manifest_data import data_container, data_source
from actors.node.manifest_metadata import metadata, pod_nonce
from actors.node.manifest_progress import speaks_of_progress, teller
from actors.node.manifest_request import BadTemplate, PodRequest, PodSettings, TokenPolicy
from actors.node.manifest_resource import resource_container, resource_inputs
from actors.node.manifest_spec import patched, pod_fields, pod_volumes

__all__ = ["BadTemplate", "PodRequest", "PodSettings", "TokenPolicy", "pod_for"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What was decided about a pod before anything of it is built."""

    users: Sequence[tuple[str, Mapping[str, Any]]]  # name and container, as the template says it
    captured: bool  # main's result or parameters are wanted
    shims: Sequence[str]  # containers that run behind the shim
    artifacts: ArtifactPlan
    source: str  # of a script
    ours: str = ""  # "resource" or "data": main is a program of ours
    long: Mapping[str, str] = field(default_factory=dict)  # arguments that become files, by their names
    logs: bool = False  # are archived
    reads_files: bool = False  # of the main container, after its end
    tells: bool = False  # how far it is while it runs
    paused: bool = False  # it may wait before or after its command, as long as somebody wants to look at it

    @property
    def source_in_annotation(self) -> bool:
        """Whether the script's source reaches the pod as an annotation; else init writes it."""
        return 0 < len(self.source.encode()) <= paths.SOURCE_BYTES_MAX

    @property
    def init(self) -> bool:
        """Whether there is anything to prepare."""
        return bool(self.shims or self.artifacts.inputs or self.long or (self.source and not self.source_in_annotation))

    @property
    def wait(self) -> bool:
        """Whether there is anything to save after main's end."""
        return bool(self.artifacts.outputs or self.artifacts.logs)

    @property
    def gathers(self) -> bool:
        """Whether main's shim waits for the other containers of its set: outputs are read when all have ended."""
        return self.reads_files and len(self.users) > 1 and paths.MAIN in self.shims

    @property
    def main_mounts(self) -> Sequence[Mapping[str, Any]]:
        """The volume mounts of the main container as the template has them."""
        return _main(self.users).get("volumeMounts") or ()


def pod_for(request: PodRequest) -> dict[str, Any]:
    """The pod of a node. Raises BadTemplate when there can be none."""
    shape = _shape(request)
    limit = _budget(request, shape)
    main = _mains(request, shape, limit)
    wait = [_wait(request, shape, limit)] if shape.wait else []
    init = [_init(request, shape)] if shape.init else []
    mounts = _after_inputs(shape)
    template = request.template
    sidecars = [containers.sidecar(request, entry, mounts) for entry in template.get("sidecars") or ()]
    user_inits = [containers.user_init(request, entry, mounts) for entry in template.get("initContainers") or ()]
    tellers = [teller(request)] if shape.tells else []
    spec: dict[str, Any] = {"containers": wait + main}
    if init or user_inits or sidecars:
        spec["initContainers"] = init + user_inits + sidecars + tellers
    spec |= pod_fields(request)
    if shape.paused:
        spec.pop("activeDeadlineSeconds", None)
    spec["volumes"] = pod_volumes(request, spec, secret_volumes(shape.artifacts.secrets()))
    if not spec["volumes"]:
        del spec["volumes"]
    wanted = bool(
        shape.captured
        or shape.wait
        or shape.ours == "data"
        or (shape.ours == "resource" and _output_parameters(request))
    )
    source = shape.source if shape.source_in_annotation else ""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(request, source=source, outputs_wanted=wanted),
        "spec": patched(request, spec),
    }


# ------------------------------------------------------------------------------------------------ decisions


def _shape(request: PodRequest) -> Shape:
    template = request.template
    users = _users(template)
    is_set = template.get("containerSet") is not None
    ours = next((kind for kind in ("resource", "data") if not users and template.get(kind) is not None), "")
    source = str((template.get("script") or {}).get("source") or "") if not is_set else ""
    parameters = _output_parameters(request)
    captured = bool(parameters) or (request.include_result and paths.MAIN in dict(users))
    logs = archives_logs(request)
    names = [name for name, _ in users] if users else [paths.MAIN]
    main = _main(users)
    plan = artifact_plan(request, main.get("volumeMounts") or (), names if logs else ())
    if ours == "resource":
        plan.inputs.extend(resource_inputs(request))
    if ours == "data":
        plan.listing.append(data_source(request))
    wanted = captured or bool(plan.outputs)
    if is_set and wanted and paths.MAIN not in names:
        raise BadTemplate("containerSet: outputs are taken from a container named main, and there is none")
    captured = captured and not ours
    progress, paused = speaks_of_progress(request, users), any(containers.is_paused(user) for _, user in users)
    shims = names if users and (wanted or logs or progress or paused or _ordered(template)) else []
    reads = bool(parameters or plan.staged)
    long = long_arguments(users)
    tells = progress and min(request.settings.progress_tick_s, request.settings.progress_file_s) > 0
    return Shape(
        users, captured, shims, plan, source, ours=ours, long=long, logs=logs, reads_files=reads, tells=tells,
        paused=paused,
    )  # fmt: skip


def _users(template: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    for kind in ("container", "containerSet", "script", "resource", "data"):
        if template.get(kind) is None:
            continue
        if kind in ("resource", "data"):
            return []
        if kind != "containerSet":
            return [(paths.MAIN, template[kind])]
        shared = template[kind].get("volumeMounts") or []
        return [
            (str(entry.get("name", "")), {**entry, "volumeMounts": [*(entry.get("volumeMounts") or ()), *shared]})
            for entry in template[kind].get("containers") or ()
        ]
    name = template.get("name", "")
    raise BadTemplate(
        f"template {name!r} has no container, containerSet, script, resource or data: no pod can be made of it"
    )


def _main(users: Sequence[tuple[str, Mapping[str, Any]]]) -> Mapping[str, Any]:
    return next((container for name, container in users if name == paths.MAIN), {})


def _ordered(template: Mapping[str, Any]) -> bool:
    group = template.get("containerSet") or {}
    return bool(group.get("retryStrategy") or any(entry.get("dependencies") for entry in group.get("containers") or ()))


def _budget(request: PodRequest, shape: Shape) -> int:
    template = request.template
    others = len(template.get("sidecars") or ()) + len(template.get("initContainers") or ())
    count = max(len(shape.users), 1) + others + shape.init + shape.wait + shape.tells
    limit = budget(count, request.settings.frame_bytes)
    if shape.shims and limit < FRAME_BYTES_MIN:
        raise BadTemplate(
            f"{count} containers in a pod leave {limit} bytes for each termination message, and {FRAME_BYTES_MIN} are "
            "needed to report outputs: use fewer containers"
        )
    return limit


def _after_inputs(shape: Shape) -> Sequence[Mapping[str, Any]]:
    return [*shape.main_mounts, *shape.artifacts.mounts]


# ------------------------------------------------------------------------------------------------ containers


def _mains(request: PodRequest, shape: Shape, limit: int) -> list[dict[str, Any]]:
    if shape.ours == "data":
        return [_data(request, shape, limit)]
    if shape.ours == "resource":
        return [resource_container(request, pod_nonce(request), limit, keep_log=shape.logs)]
    return [_main_container(request, shape, name, container, limit) for name, container in shape.users]


def _data(request: PodRequest, shape: Shape, limit: int) -> dict[str, Any]:
    told: Instructions = {"container": paths.MAIN, "nonce": pod_nonce(request), "budget": limit}
    if shape.logs:
        told["keep_log"] = True
    if shape.artifacts.hosted("listing"):
        told["repository_root"] = request.settings.repository_root
    return _stores(shape, "listing", data_container(request, shape.artifacts.listing[0], told))


def _main_container(
    request: PodRequest, shape: Shape, name: str, container: Mapping[str, Any], limit: int
) -> dict[str, Any]:
    built = with_files(container, name) if shape.long else dict(container)
    if name == paths.MAIN and shape.artifacts.mounts:
        built["volumeMounts"] = [*(built.get("volumeMounts") or ()), *shape.artifacts.mounts]
    captured = None
    if name in shape.shims:
        captured = containers.Captured(_shim_instructions(request, shape, name, container, limit))
    script = _script_path(shape) if request.template.get("script") is container else ""
    return containers.user_container(request, built, name, captured, script)


def _shim_instructions(
    request: PodRequest, shape: Shape, name: str, container: Mapping[str, Any], limit: int
) -> Instructions:
    told: Instructions = {"container": name, "nonce": pod_nonce(request), "budget": limit}
    if name == paths.MAIN:
        told["result"] = request.include_result
        told["parameters"] = [_parameter(entry) for entry in _output_parameters(request)]
        told["staged"] = list(shape.artifacts.staged)
        if shape.gathers:
            told["peers"] = [other for other, _ in shape.users if other != name]
    if shape.logs:
        told["keep_log"] = True
    if container.get("dependencies"):
        told["after"] = [str(entry) for entry in container["dependencies"]]
    retry = (request.template.get("containerSet") or {}).get("retryStrategy") or {}
    if retry.get("retries") is not None:
        told["attempts"] = max(int(retry["retries"]), 1)
        told["pause_s"] = _pause(retry)
    return told


def _output_parameters(request: PodRequest) -> Sequence[Mapping[str, Any]]:
    return promised_parameters(request.template.get("outputs") or {})


def _parameter(entry: Mapping[str, Any]) -> Parameter:
    source = entry.get("valueFrom") or {}
    name = str(entry.get("name", ""))
    if not source.get("path") and source.get("default") is None:
        raise BadTemplate(
            f"outputs.parameters.{name}.valueFrom.path is not set: a container's output is read from a file"
        )
    told: Parameter = {"name": name, "path": str(source.get("path") or "")}
    default = source.get("default", entry.get("default"))
    if default is not None:
        told["default"] = parameter_text(default).removesuffix("\n")  # as of what the file holds
    return told


def _pause(retry: Mapping[str, Any]) -> float:
    try:
        return parse_duration(str(retry.get("duration") or "0s"))
    except ValueError as error:
        raise BadTemplate(f"containerSet.retryStrategy.duration: {error}") from error


def _script_path(shape: Shape) -> str:
    if not shape.source:
        return ""
    if shape.source_in_annotation:
        return f"$({paths.mount_env(paths.SCRIPT_VOLUME)})/{paths.SCRIPT_FILE}"
    return f"$({paths.mount_env(paths.SHIM_VOLUME)})/{paths.SOURCE_FILE}"


def _init(request: PodRequest, shape: Shape) -> dict[str, Any]:
    told: Instructions = {"container": paths.INIT, "shims": list(shape.shims), "inputs": list(shape.artifacts.inputs)}
    if shape.source and not shape.source_in_annotation:
        told["source"] = shape.source
    if shape.long:
        told["arguments"] = dict(shape.long)
    return _ours(request, shape, "inputs", told)


def _wait(request: PodRequest, shape: Shape, limit: int) -> dict[str, Any]:
    told: Instructions = {"container": paths.WAIT, "nonce": pod_nonce(request), "budget": limit}
    told["mains"] = [name for name, _ in shape.users] or [paths.MAIN]
    if shape.gathers:
        told["mains"].append(paths.OUTPUTS)
    told["outputs"] = list(shape.artifacts.outputs)
    told["logs"] = list(shape.artifacts.logs)
    return _ours(request, shape, "outputs", told)


def _ours(request: PodRequest, shape: Shape, side: str, told: Instructions) -> dict[str, Any]:
    """init or wait: with the repository, main's volumes and the input volume where that side needs them."""
    if shape.artifacts.hosted(side):
        told["repository_root"] = request.settings.repository_root
    built = _stores(shape, side, containers.executor_container(request, told["container"], [told["container"]], told))
    if side == "inputs" and shape.artifacts.mounts:
        containers.mount(built, paths.INPUTS_VOLUME, paths.INPUTS_MOUNT)
    if shape.artifacts.mirrored(side):
        containers.mirror(built, shape.main_mounts)
    return built


def _stores(shape: Shape, side: str, container: dict[str, Any]) -> dict[str, Any]:
    """A container of ours with what its stores need: the node's repository, and the Secrets they name."""
    if shape.artifacts.hosted(side):
        containers.mount(container, paths.REPOSITORY_VOLUME, paths.REPOSITORY_MOUNT)
    for name in sorted({key.name for key in shape.artifacts.secrets(side)}):
        containers.mount(container, secret_volume(name), secret_mount(name), read_only=True)
    return container

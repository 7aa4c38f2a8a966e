"""Which artifacts a pod loads and saves, where they are kept, and who touches them: init, the shim, or wait.

An artifact on one of the user's volumes is read and written there by init and wait, which see the volume below
`/mainctrfs`. Any other input lies on a shared volume mounted at its path; any other output is packed by the shim.
(ART-1, ART-4..10, ART-14..16.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.contract import repository
from actors.contract.documents import Staged, Transfer
from actors.contract.paths import INPUTS_MOUNT, INPUTS_VOLUME, MAIN_ROOT
from actors.contract.secrets import SecretKey, secret_keys
from actors.node.manifest_drivers import READ_ONLY, check_driver
from actors.node.manifest_request import BadTemplate, PodRequest

COMPRESSION_DEFAULT = -1


@dataclass(frozen=True, slots=True)
class ArtifactPlan:
    """What init loads, the shim packs and wait saves; `mounts` go to main, `hosted` needs the repository volume."""

    inputs: list[Transfer] = field(default_factory=list)
    outputs: list[Transfer] = field(default_factory=list)
    staged: list[Staged] = field(default_factory=list)
    logs: list[Transfer] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    listing: list[Transfer] = field(default_factory=list)  # of a data template

    def hosted(self, side: str) -> bool:
        """Whether `side` ("inputs", "outputs" or "listing") touches a repository that is a directory of the node."""
        return any(repository.host_directory(transfer["location"]) for transfer in self._of(side))

    def secrets(self, side: str = "") -> list[SecretKey]:
        """The keys of Secrets that a side's stores ask for; of all sides when none is named."""
        sides = [side] if side else ["inputs", "outputs", "listing"]
        transfers = [transfer for one in sides for transfer in self._of(one)]
        return sorted({key for transfer in transfers for key in secret_keys(transfer["location"])})

    def _of(self, side: str) -> list[Transfer]:
        return {"inputs": self.inputs, "outputs": [*self.outputs, *self.logs], "listing": self.listing}[side]

    def mirrored(self, side: str) -> bool:
        """Whether `side` reads or writes on main's own volumes."""
        transfers = self.inputs if side == "inputs" else self.outputs
        return any(transfer.get("place", "").startswith(MAIN_ROOT + "/") for transfer in transfers)


def artifact_plan(
    request: PodRequest, mounts: Sequence[Mapping[str, Any]], log_containers: Sequence[str]
) -> ArtifactPlan:
    """The plan for a template whose main container has `mounts`; logs of `log_containers` are archived."""
    try:
        inputs = [_input(request, entry, mounts) for entry in _artifacts(request, "inputs") if _is_loaded(entry)]
        plan = ArtifactPlan(
            inputs=inputs,
            logs=[_log(request, name) for name in log_containers],
            mounts=[
                {"name": INPUTS_VOLUME, "mountPath": _from_root(entry["path"]), "subPath": entry["name"]}
                for entry in inputs
                if entry["place"].startswith(INPUTS_MOUNT)
            ],
        )
        for number, entry in enumerate(_artifacts(request, "outputs")):
            transfer, staged = _output(request, entry, number, mounts)
            plan.outputs.append(transfer)
            plan.staged.extend(staged)
    except repository.BadLocation as error:
        raise BadTemplate(str(error)) from error
    return plan


def archives_logs(request: PodRequest) -> bool:
    """Whether the logs are saved (ART-14): a repository that says so cannot be overruled."""
    if (request.repository or {}).get("archiveLogs"):
        return True
    own = (request.template.get("archiveLocation") or {}).get("archiveLogs")
    return bool(own if own is not None else request.spec.get("archiveLogs"))


def manifest_input(request: PodRequest, artifact: Mapping[str, Any], place: str) -> Transfer:
    """A resource template's `manifestFrom.artifact`, loaded by init to `place`."""
    try:
        return _transfer(request, {**artifact, "path": place}, place)
    except repository.BadLocation as error:
        raise BadTemplate(str(error)) from error


def volume_of(path: str, mounts: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a path lies on one of the mounts."""
    clean = path.rstrip("/") + "/"
    return any(clean.startswith(str(mount.get("mountPath", "")).rstrip("/") + "/") for mount in mounts)


# ------------------------------------------------------------------------------------------------ one artifact


def _artifacts(request: PodRequest, side: str) -> list[dict[str, Any]]:
    return list((request.template.get(side) or {}).get("artifacts") or ())


def _is_loaded(entry: Mapping[str, Any]) -> bool:
    """Whether there is something to load: what is optional need not be passed."""
    return bool(entry.get("path") and (repository.driver_of(entry) or not entry.get("optional")))


def _from_root(path: str) -> str:
    """Where the kubelet mounts what says a relative path."""
    return path if path.startswith("/") or path[1:3] in (":\\", ":/") else f"/{path}"


def _input(request: PodRequest, entry: Mapping[str, Any], mounts: Sequence[Mapping[str, Any]]) -> Transfer:
    path = _from_root(str(entry["path"]))
    place = MAIN_ROOT + path if volume_of(path, mounts) else f"{INPUTS_MOUNT}/{entry['name']}"
    return _transfer(request, entry, place)


def _transfer(request: PodRequest, entry: Mapping[str, Any], place: str) -> Transfer:
    name = str(entry.get("name", ""))
    base = repository.base_location(request.template.get("archiveLocation"), request.repository)
    location = repository.located(entry, base)
    if not location:
        raise BadTemplate(f"inputs.artifacts.{name}: no location: pass one with `from`, or name a driver such as s3")
    if entry.get("subPath"):
        location = repository.with_sub_path(location, str(entry["subPath"]))
    check_driver(request, name, location, "load")
    transfer: Transfer = {"name": name, "path": str(entry["path"]), "place": place, "location": location}
    transfer["archive"] = repository.archive_form(entry) if entry.get("archive") else "auto"
    transfer["optional"] = bool(entry.get("optional"))
    if entry.get("mode") is not None:
        transfer["mode"] = int(entry["mode"])
        transfer["recurse"] = bool(entry.get("recurseMode"))
    return transfer


def _output(
    request: PodRequest, entry: Mapping[str, Any], number: int, mounts: Sequence[Mapping[str, Any]]
) -> tuple[Transfer, list[Staged]]:
    name, path = str(entry.get("name", "")), str(entry.get("path") or "")
    if not path:
        raise BadTemplate(f"outputs.artifacts.{name}.path is empty: say where in the container the files are")
    driver = repository.driver_of(entry)
    if driver in READ_ONLY:
        check_driver(request, name, {driver: entry[driver]}, "save")
    archive_location = request.template.get("archiveLocation")
    location = repository.save_location(entry, archive_location, request.repository, key_prefix(request))
    check_driver(request, name, location, "save")
    form = repository.archive_form(entry)
    level = ((entry.get("archive") or {}).get("tar") or {}).get("compressionLevel", COMPRESSION_DEFAULT)
    transfer: Transfer = {"name": name, "path": path, "location": location, "archive": form, "number": number}
    transfer["level"] = int(level)
    transfer["optional"] = bool(entry.get("optional"))
    if volume_of(path, mounts):
        transfer["place"] = MAIN_ROOT + path
        return transfer, []
    return transfer, [{"name": name, "path": path, "number": number, "form": form, "level": int(level)}]


def _log(request: PodRequest, container: str) -> Transfer:
    entry: dict[str, Any] = {"name": f"{container}-logs", "path": f"/{container}.log", "archive": {"none": {}}}
    archive_location = request.template.get("archiveLocation")
    location = repository.save_location(entry, archive_location, request.repository, key_prefix(request))
    check_driver(request, f"{container}-logs", location, "save")
    return {"name": container, "location": location}


def key_prefix(request: PodRequest) -> str:
    """The folder of this pod's artifacts: the repository's key format, by default `<workflow>/<pod>` (ART-16)."""
    return request.key_format or f"{request.workflow_name}/{request.pod_name}"

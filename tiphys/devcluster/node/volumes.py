"""A pod's volumes as folders of this machine, and where each is mounted.

emptyDir and written files live in the pod's scratch, claims in a folder of their own, hostPath only where the node's
settings allow it. A volume kind that a laptop cannot offer is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from runtime.api import Api, ApiError, Gone
from runtime.log import Log
from runtime.objects import CLAIMS, Object, Reference
from tiphys.devcluster.node.accounts import AccountTokens, Wish, wishes
from tiphys.devcluster.node.atomicfiles import write_files
from tiphys.devcluster.node.configuration import fetch
from tiphys.devcluster.node.containers import CannotCreate, CannotPrepare
from tiphys.devcluster.node.downward import Surroundings
from tiphys.devcluster.node.environment import Source, expand
from tiphys.devcluster.node.layout import Layout
from tiphys.devcluster.node.projections import File, Files, files_of, is_projection, sources_of
from tiphys.devcluster.node.settings import NodeSettings

log = Log()

TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - where tokens are, not one
TOKEN_VOLUME = "tiphys-service-account-token"  # noqa: S105 - a volume's name


class Mount(NamedTuple):
    """A folder or file of this machine and where a container sees it."""

    source: Path
    target: str
    read_only: bool
    volume: str


class Volumes:
    """Makes and finds the volumes of the pods of one node."""

    def __init__(self, api: Api, settings: NodeSettings, layout: Layout, allocatable: Mapping[str, str]) -> None:
        self._api = api
        self._settings = settings
        self._layout = layout
        self._allocatable = allocatable
        self.tokens = AccountTokens(api, make_accounts=settings.make_accounts)

    async def prepare(self, pod: Object) -> None:
        """Make every volume of the pod. Raises CannotPrepare naming the volume."""
        for volume in _volumes(pod):
            try:
                await self._prepare(pod, volume)
            except (CannotPrepare, CannotCreate) as error:
                name = volume["name"]
                raise CannotPrepare(f'MountVolume.SetUp failed for volume "{name}" : {error.message}') from error
            except OSError as error:
                raise CannotPrepare(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from error
        if _wants_token(pod, self._settings):
            await self._write_token(pod)

    async def refresh(self, pod: Object) -> None:
        """Write the files of all projections again: labels, annotations or what they show have changed.

        What cannot be shown any more stays as it was, as the kubelet leaves it."""
        token_is_old = self.tokens.is_due(pod["metadata"]["uid"])
        for volume in _volumes(pod):
            if is_projection(volume):
                try:
                    await self._prepare(pod, volume)
                except (CannotPrepare, CannotCreate, OSError) as error:
                    log.warning("volume.kept", pod=pod["metadata"]["name"], volume=volume["name"], error=str(error))
        if token_is_old and _wants_token(pod, self._settings):
            try:
                await self._write_token(pod)
            except (CannotPrepare, OSError) as error:
                log.warning("token.kept", pod=pod["metadata"]["name"], error=str(error))

    def sources(self, pod: Object) -> set[Source]:
        """The ConfigMaps and Secrets that the pod's volumes show."""
        return {source for volume in _volumes(pod) if is_projection(volume) for source in sources_of(volume)}

    def mounts(self, pod: Object, container: Object, env: Mapping[str, str]) -> list[Mount]:
        """Where the container sees what, in an order in which nested mount points work. Raises CannotCreate."""
        volumes = {volume["name"]: volume for volume in _volumes(pod)}
        mounts = []
        for entry in container.get("volumeMounts") or ():
            volume = volumes.get(entry["name"])
            if volume is None:
                raise CannotCreate(f"volumeMount {entry['name']!r} names no volume of the pod")
            source = self._source(pod, volume)
            sub_path = entry.get("subPath") or expand(entry.get("subPathExpr") or "", env)
            if sub_path:
                source = sub_folder(source, sub_path)
            read_only = bool(entry.get("readOnly")) or is_projection(volume)
            mounts.append(Mount(source, str(PurePosixPath("/", entry["mountPath"])), read_only, entry["name"]))
        if _wants_token(pod, self._settings) and not any(m.target == TOKEN_FOLDER for m in mounts):
            folder = self._layout.volume(pod["metadata"]["uid"], TOKEN_VOLUME)
            mounts.append(Mount(folder, TOKEN_FOLDER, True, TOKEN_VOLUME))
        return sorted(mounts, key=lambda m: PurePosixPath(m.target).parts)

    # -------------------------------------------------------------------------------------------- one volume

    async def _prepare(self, pod: Object, volume: Object) -> None:
        meta = pod["metadata"]
        if is_projection(volume):
            found = await fetch(self._api, meta["namespace"], sorted(sources_of(volume)))
            tokens = {wish: await self.tokens.get(pod, wish) for wish in wishes(volume)}
            files = files_of(volume, found, Surroundings(pod, self._allocatable), tokens)
            write_files(self._layout.volume(meta["uid"], volume["name"]), files)
        elif "persistentVolumeClaim" in volume:
            await self._bind_claim(meta["namespace"], volume["persistentVolumeClaim"]["claimName"])
        elif "hostPath" in volume:
            self._check_host_path(volume["hostPath"])
        elif "emptyDir" in volume:
            folder = self._layout.volume(meta["uid"], volume["name"])
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)  # whoever the container runs as
        else:
            kind = next((key for key in volume if key != "name"), "unknown")
            raise CannotPrepare(f"volumes of kind {kind} are not offered by this node: it has folders of this machine")

    def _source(self, pod: Object, volume: Object) -> Path:
        meta = pod["metadata"]
        if claim := volume.get("persistentVolumeClaim"):
            return self._layout.claim(meta["namespace"], claim["claimName"]).resolve()
        if host := volume.get("hostPath"):
            return Path(host["path"]).resolve()
        return self._layout.volume(meta["uid"], volume["name"]).resolve()

    async def _write_token(self, pod: Object) -> None:
        """What a pod has of which nothing is said: Kubernetes' own admission puts a volume of it into every pod."""
        endpoint = self._settings.endpoint
        assert endpoint is not None
        files: Files = {
            "token": File((await self.tokens.get(pod, Wish())).encode(), 0o644),
            "ca.crt": File(endpoint.ca.encode(), 0o644),
            "namespace": File(pod["metadata"]["namespace"].encode(), 0o644),
        }
        write_files(self._layout.volume(pod["metadata"]["uid"], TOKEN_VOLUME), files)

    async def _bind_claim(self, namespace: str, name: str) -> None:
        ref = Reference(CLAIMS, namespace, name)
        try:
            claim = await self._api.get(ref)
            if (claim.get("status") or {}).get("phase") != "Bound":
                spec = claim.get("spec") or {}
                capacity = (spec.get("resources") or {}).get("requests") or {}
                bound = {"phase": "Bound", "accessModes": spec.get("accessModes") or [], "capacity": capacity}
                await self._api.patch(ref, {"status": bound}, subresource="status")
        except Gone:
            raise CannotPrepare(f'persistentvolumeclaim "{name}" not found') from None
        except ApiError as error:
            raise CannotPrepare(f'persistentvolumeclaim "{name}": {error.message}') from error
        folder = self._layout.claim(namespace, name)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)

    def _check_host_path(self, host: Object) -> None:
        path = Path(host["path"]).resolve()
        allowed = [Path(p).resolve() for p in self._settings.host_paths]
        if not any(path == p or path.is_relative_to(p) for p in allowed):
            listed = ", ".join(str(p) for p in allowed) or "none"
            raise CannotPrepare(
                f"hostPath {host['path']} is not below a directory that this node was allowed to show to pods "
                f"(allowed: {listed}); use an emptyDir or a PersistentVolumeClaim, or allow the directory"
            )
        kind = host.get("type") or ""
        if kind == "DirectoryOrCreate":
            path.mkdir(parents=True, exist_ok=True)
        elif kind == "FileOrCreate":
            path.touch(exist_ok=True)
        elif (kind == "Directory" and not path.is_dir()) or (kind == "File" and not path.is_file()):
            raise CannotPrepare(f"hostPath type check failed: {host['path']} is not a {kind.lower()}")
        elif not path.exists():
            raise CannotPrepare(f"hostPath {host['path']} does not exist on this machine")


def sub_folder(source: Path, sub_path: str) -> Path:
    """A subPath inside a volume, made when absent. Raises CannotCreate when it would lead out of the volume."""
    wanted = PurePosixPath(sub_path)
    if wanted.is_absolute() or ".." in wanted.parts:
        raise CannotCreate(f"subPath {sub_path!r} must be relative and without '..'")
    path = (source / wanted).resolve()
    if path != source and not path.is_relative_to(source):
        raise CannotCreate(f"subPath {sub_path!r} leads out of its volume")
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(0o777)
    return path


def _volumes(pod: Object) -> list[Object]:
    volumes = (pod.get("spec") or {}).get("volumes") or []
    return [v if len(v) > 1 else {**v, "emptyDir": {}} for v in volumes]


def _wants_token(pod: Object, settings: NodeSettings) -> bool:
    return settings.endpoint is not None and (pod.get("spec") or {}).get("automountServiceAccountToken") is not False

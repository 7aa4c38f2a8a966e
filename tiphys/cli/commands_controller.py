"""`tiphys controller`: the controllers as the process that a cluster runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tiphys.controller.process import ProcessSettings

EXECUTOR_IMAGE = "tiphys:0.1.0"


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(controller)


def controller(
    kubeconfig: Annotated[
        str, typer.Option(help="Default: the pod's own credentials, else the usual kubeconfig.")
    ] = "",
    context: Annotated[str, typer.Option(help="The context of the kubeconfig.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only this namespace; default: all.")] = "",
    namespaced: Annotated[
        bool, typer.Option("--namespaced", envvar="ARGO_NAMESPACED", help="Only the namespace that it runs in.")
    ] = False,
    managed_namespace: Annotated[
        str, typer.Option(envvar="ARGO_MANAGED_NAMESPACE", help="With --namespaced: only this one, wherever it runs.")
    ] = "",
    config: Annotated[
        Path | None, typer.Option(help="A file with the configuration, instead of a ConfigMap; read once.")
    ] = None,
    configmap: Annotated[
        str, typer.Option(envvar="ARGO_CONFIGMAP", help="The ConfigMap with the configuration; followed while it runs.")
    ] = "workflow-controller-configmap",
    http_address: Annotated[
        str, typer.Option(help="HOST:PORT of /metrics, /livez, /readyz and /debug/actors.")
    ] = "0.0.0.0:9090",
    executor_image: Annotated[
        str,
        typer.Option(
            envvar=["TIPHYS_EXECUTOR_IMAGE", "ARGO_EXECUTOR_IMAGE"], help="The image of the helpers in workflow pods."
        ),
    ] = EXECUTOR_IMAGE,
    artifact_repository: Annotated[
        str,
        typer.Option(help="A YAML file (s3: {endpoint, bucket, …}): where artifacts go by default."),
    ] = "",
    only: Annotated[
        str, typer.Option(help="workflows or rollouts: leave the others to another controller; default: both.")
    ] = "",
    leader_elect: Annotated[
        bool, typer.Option(help="Stand for upstream's leases and work while they are held (LEADER_ELECTION_DISABLE).")
    ] = True,
    lease_namespace: Annotated[str, typer.Option(help="Where the leases are; default: the credentials' own.")] = "",
    instance_id: Annotated[str, typer.Option(help="Its lease for workflows is workflow-controller-ID.")] = "",
    shards: Annotated[
        int,
        typer.Option(
            min=0,
            help="Divide all namespaces into so many shards among all controllers that say the same; 0: one does all.",
        ),
    ] = 0,
    executor_plugins: Annotated[
        bool, typer.Option("--executor-plugins", envvar="ARGO_EXECUTOR_PLUGINS", help="Use those of ConfigMaps, too.")
    ] = False,
    record: Annotated[
        int, typer.Option(help="Messages that the flight recorder keeps, for /debug/recording and tiphys replay.")
    ] = 0,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the controllers against a cluster until SIGTERM; prints `ready` when its caches are filled."""
    import anyio  # noqa: PLC0415

    from runtime import log  # noqa: PLC0415
    from runtime.credentials import BadKubeconfig  # noqa: PLC0415
    from tiphys.cli.configured import configuration_of  # noqa: PLC0415
    from tiphys.cli.problems import InputError  # noqa: PLC0415
    from tiphys.configuration.problems import BadConfiguration, problems_of  # noqa: PLC0415
    from tiphys.controller.leading import PARTS, Candidacy  # noqa: PLC0415
    from tiphys.controller.process import ProcessSettings, control  # noqa: PLC0415

    host, _, port = http_address.rpartition(":")
    if not port.isdigit():
        raise InputError(f"--http-address {http_address!r}: write HOST:PORT, for instance 127.0.0.1:9090")
    parts = tuple(part for part in PARTS if only in ("", part))
    if not parts:
        raise InputError(f"--only {only!r}: write {' or '.join(PARTS)}, or leave it out for both")
    settings = ProcessSettings(
        kubeconfig=kubeconfig, context=context, namespace=namespace or managed_namespace,
        host=host or "0.0.0.0", port=int(port),  # noqa: S104
        executor_image=executor_image, repository=_repository(artifact_repository), record=record,
        executor_plugins=executor_plugins, parts=parts,
        candidacy=Candidacy(leader_elect, lease_namespace, instance_id), namespaced=namespaced,
        config=configuration_of(config), config_map=configmap, shards=shards,
    )  # fmt: skip
    _divisible(settings)
    log.configure(level=log_level)
    try:
        anyio.run(control, settings, backend_options={"use_uvloop": sys.platform != "win32"})
    except* BadKubeconfig as group:
        raise InputError(str(group.exceptions[0])) from group
    except* BadConfiguration as group:
        raise InputError(*(f"configuration: {problem}" for problem in problems_of(group))) from group
    except* OSError as group:
        raise InputError(f"--http-address {http_address}: {group.exceptions[0]}; choose another port") from group


def _divisible(settings: ProcessSettings) -> None:
    """Raises InputError for what cannot be divided."""
    from actors.names.buckets import BUCKETS  # noqa: PLC0415
    from tiphys.cli.problems import InputError  # noqa: PLC0415
    from tiphys.controller.leading import wanted  # noqa: PLC0415

    if not settings.shards:
        return
    if settings.shards > BUCKETS:
        raise InputError(f"--shards {settings.shards}: write a number from 1 to {BUCKETS}, or 0 for none")
    if settings.namespace or settings.namespaced:
        raise InputError("--shards divides namespaces, and there is one: leave --shards or --namespace(d) out")
    if not wanted(settings.candidacy.elect):
        raise InputError("--shards needs leases: leave out --no-leader-elect and LEADER_ELECTION_DISABLE")


def _repository(path: str) -> dict[str, object] | None:
    import yaml  # noqa: PLC0415

    from tiphys.cli.problems import InputError  # noqa: PLC0415

    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            found = yaml.safe_load(file)
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"--artifact-repository {path}: {error}") from error
    if not isinstance(found, dict):
        raise InputError(
            f"--artifact-repository {path}: write a driver and its settings, for instance s3: {{bucket: b}}"
        )
    return found

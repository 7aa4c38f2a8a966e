"""`tiphys install`, `uninstall` and `check`: Tiphys in a cluster, and what a cluster lacks for it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from tiphys.cli import options
from tiphys.cli.problems import EXIT_FAILED, InputError

if TYPE_CHECKING:
    from tiphys.cli.connect import Connection
    from tiphys.installation.choice import Choice

Where: TypeAlias = Annotated[str, typer.Option("--namespace", "-n", help="The namespace that the controller runs in.")]
Namespaced: TypeAlias = Annotated[bool, typer.Option("--namespaced", help="It looks after its own namespace only.")]
Managed: TypeAlias = Annotated[str, typer.Option(help="It looks after this one namespace, wherever it runs.")]
Only: TypeAlias = Annotated[str, typer.Option(help="workflows or rollouts: the others are somebody else's.")]
Plugins: TypeAlias = Annotated[
    bool, typer.Option("--executor-plugins", help="And the right to read them in ConfigMaps.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(install)
    app.command()(uninstall)
    app.command()(check)


def install(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the manifests; needs no cluster. For kubectl apply --server-side.")
    ] = False,
    namespace: Where = "tiphys",
    namespaced: Namespaced = False,
    managed_namespace: Managed = "",
    ha: Annotated[
        bool, typer.Option("--ha", help="Two replicas, one of which stands by, and a disruption budget.")
    ] = False,
    shards: Annotated[
        int, typer.Option(min=0, max=64, help="Divide all namespaces into so many among replicas that all work.")
    ] = 0,
    replicas: Annotated[int, typer.Option(min=0, help="Default: 1, and 2 with --ha or --shards.")] = 0,
    image: Annotated[str, typer.Option(help="The image of the controller and of the helpers in pods.")] = "",
    instance_id: Annotated[str, typer.Option(help="Only objects labelled so.")] = "",
    only: Only = "",
    executor_plugins: Plugins = False,
    cache_period: Annotated[
        str, typer.Option(help="How often remembered results are looked through, for instance 1h; default: never.")
    ] = "",
    database: Annotated[
        bool, typer.Option("--database", help="With the right to read the Secrets of its own namespace (persistence).")
    ] = False,
    event_server: Annotated[
        bool, typer.Option("--event-server", help="And what takes events from outside (WorkflowEventBindings).")
    ] = False,
    network_policy: Annotated[bool, typer.Option("--network-policy", help="With a NetworkPolicy.")] = False,
    monitoring: Annotated[
        bool, typer.Option("--monitoring", help="With a ServiceMonitor (Prometheus' operator must be there).")
    ] = False,
    crds: Annotated[
        bool, typer.Option(help="With the CustomResourceDefinitions; others' are left as they are.")
    ] = True,
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Install the controller in a cluster: definitions, roles with a reason for each verb, Deployment, Service."""
    from dataclasses import replace  # noqa: PLC0415

    from tiphys.installation.choice import IMAGE  # noqa: PLC0415
    from tiphys.installation.manifests import manifests  # noqa: PLC0415

    if shards and (namespaced or managed_namespace):
        raise InputError("--shards divides namespaces, and there is one: leave --shards or --namespaced out")
    choice = replace(
        _choice(namespace, namespaced, managed_namespace, only, executor_plugins),
        image=image or IMAGE, replicas=replicas or (2 if ha or shards else 1), shards=shards,
        instance_id=instance_id, cache_period=cache_period, database=database,
        event_server=event_server, network_policy=network_policy, monitoring=monitoring, definitions=crds,
    )  # fmt: skip
    if dry_run:
        from tiphys.installation.text import documents  # noqa: PLC0415

        print(documents(manifests(choice)), end="")
        return

    async def act(at: Connection) -> int:
        from tiphys.installation.applying import apply  # noqa: PLC0415

        async for applied in apply(at.api, manifests(choice)):
            print(applied)
        print(f"`tiphys check -n {namespace}` says how it fares")
        return 0

    _on_cluster(kubeconfig, context, act)


def uninstall(
    namespace: Where = "tiphys",
    namespaced: Namespaced = False,
    managed_namespace: Managed = "",
    crds: Annotated[
        bool, typer.Option("--crds", help="The definitions too, and with them EVERY workflow and rollout there is.")
    ] = False,
    delete_namespace: Annotated[bool, typer.Option("--delete-namespace", help="The namespace too.")] = False,
    finalizers_only: Annotated[
        bool, typer.Option("--finalizers-only", help="Only take our finalizers away: no controller runs any more.")
    ] = False,
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Take the controller out of a cluster. Workflows stay; nothing is left that could not be deleted."""
    choice = _choice(namespace, namespaced, managed_namespace, "", executor_plugins=False)

    async def act(at: Connection) -> int:
        from tiphys.installation import removal  # noqa: PLC0415

        lines = (
            removal.strip(at.api, choice.watched)
            if finalizers_only
            else removal.remove(at.api, choice, definitions=crds, namespace=delete_namespace)
        )
        try:
            async for line in lines:
                print(line)
        except removal.StillThere as error:
            raise InputError(str(error)) from error
        return 0

    _on_cluster(kubeconfig, context, act)


def check(
    namespace: Where = "tiphys",
    namespaced: Namespaced = False,
    managed_namespace: Managed = "",
    only: Only = "",
    executor_plugins: Plugins = False,
    shards: Annotated[
        bool, typer.Option("--shards", help="And the rights of controllers that share the work.")
    ] = False,
    as_self: Annotated[
        bool, typer.Option("--self", help="Ask for the rights of whoever runs this, not of the installed controller.")
    ] = False,
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Say what is missing in a cluster, before and after an installation; exit 1 when something is."""
    from dataclasses import replace  # noqa: PLC0415

    choice = replace(
        _choice(namespace, namespaced, managed_namespace, only, executor_plugins), shards=1 if shards else 0
    )

    async def act(at: Connection) -> int:
        import json  # noqa: PLC0415

        from runtime.client import HttpApi  # noqa: PLC0415
        from tiphys.cli.offloaded import plain  # noqa: PLC0415
        from tiphys.installation.checking import look  # noqa: PLC0415

        server = plain(at.api)
        assert isinstance(server, HttpApi)
        about = json.loads(await server.text("/version"))
        wrong = False
        async for finding in look(at.api, choice, f"{about['major']}.{about['minor']}", time.time(), as_self=as_self):
            print(finding)
            wrong = wrong or finding.level == "wrong"
        return EXIT_FAILED if wrong else 0

    _on_cluster(kubeconfig, context, act)


def _choice(namespace: str, namespaced: bool, managed: str, only: str, executor_plugins: bool) -> Choice:
    from tiphys.installation.choice import Choice  # noqa: PLC0415
    from tiphys.installation.rights import PARTS  # noqa: PLC0415

    scope = "managed" if managed else "namespaced" if namespaced else "cluster"
    parts = tuple(part for part in PARTS if only in ("", part))
    if not parts:
        raise InputError(f"--only {only!r}: write {' or '.join(PARTS)}, or leave it out for both")
    return Choice(namespace, scope, managed, executor_plugins=executor_plugins, parts=parts)  # type: ignore[arg-type]  # one of three


def _on_cluster(kubeconfig: str, context: str, act: Callable[[Connection], Awaitable[int]]) -> None:
    from tiphys.cli.connect import Target, on_cluster  # noqa: PLC0415

    raise typer.Exit(on_cluster(Target(kubeconfig, context), act))

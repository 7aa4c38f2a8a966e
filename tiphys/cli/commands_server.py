"""`tiphys server`: takes events from outside and submits what WorkflowEventBindings make of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tiphys.cli import options
from tiphys.cli.problems import InputError

if TYPE_CHECKING:
    from tiphys.eventserver.process import Credentials
    from tiphys.eventserver.settings import EventSettings


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(server)


def server(
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, help="The port to listen on; 0: any that is free.")
    ] = 2746,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "0.0.0.0",  # noqa: S104  inside a pod
    secure: Annotated[
        bool, typer.Option("--secure/--no-secure", "-e", help="HTTPS, with a certificate of its own making.")
    ] = True,
    tls_certificate_secret_name: Annotated[
        str, typer.Option(help="A Secret of its own namespace: its tls.crt and tls.key are the certificate.")
    ] = "",
    instance_id: Annotated[
        str, typer.Option("--instanceid", "--instance-id", help="Only bindings labelled so, and workflows get it.")
    ] = "",
    event_async_dispatch: Annotated[
        bool, typer.Option("--event-async-dispatch", help="Answer at once and submit afterwards.")
    ] = False,
    event_operation_queue_size: Annotated[
        int, typer.Option(min=0, help="Events that may wait, with --event-async-dispatch.")
    ] = 16,
    event_worker_count: Annotated[
        int, typer.Option(min=1, help="How many are submitted at once, with --event-async-dispatch.")
    ] = 4,
    log_level: Annotated[str, typer.Option("--loglevel", help="debug, info, warning or error.")] = "info",
    kubeconfig: options.Kubeconfig = "",
    context: options.Context = "",
) -> None:
    """Take events at /api/v1/events/NAMESPACE/DISCRIMINATOR, and submit what WorkflowEventBindings make of them."""
    from runtime import log  # noqa: PLC0415
    from tiphys.eventserver.settings import EventSettings  # noqa: PLC0415

    log.configure(level=log_level)
    settings = EventSettings(
        host, port, secure=secure, certificate=tls_certificate_secret_name, instance_id=instance_id,
        asynchronous=event_async_dispatch, queue_size=event_operation_queue_size, workers=event_worker_count,
    )  # fmt: skip
    _run(settings, kubeconfig, context)


def _run(settings: EventSettings, kubeconfig: str, context: str) -> None:
    import anyio  # noqa: PLC0415

    from tiphys.eventserver.process import BadCertificate  # noqa: PLC0415

    credentials = _credentials(kubeconfig, context)
    try:
        anyio.run(_until_told, settings, credentials)
    except* BadCertificate as group:
        raise InputError(str(group.exceptions[0])) from group
    except* OSError as group:
        where = f"{settings.host}:{settings.port}"
        raise InputError(f"{where}: {group.exceptions[0]}; choose another --port or --host") from group


def _credentials(kubeconfig: str, context: str) -> Credentials:
    """The pod's own where there are any, unless a kubeconfig is named. Raises BadKubeconfig."""
    from runtime.credentials import POD_FOLDER, bearer, from_kubeconfig, in_pod  # noqa: PLC0415
    from tiphys.cli import places  # noqa: PLC0415
    from tiphys.eventserver.process import Credentials  # noqa: PLC0415

    if not kubeconfig and not context and (POD_FOLDER / "token").exists():
        own = in_pod()
        return Credentials(own, own._replace(headers=bearer(lambda: "")))
    path = str(places.kubeconfig(kubeconfig))
    return Credentials(from_kubeconfig(path, context or None), from_kubeconfig(path, context or None, anonymous=True))


async def _until_told(settings: EventSettings, credentials: Credentials) -> None:
    import signal  # noqa: PLC0415

    import anyio  # noqa: PLC0415

    from tiphys.eventserver.process import serve  # noqa: PLC0415

    def ready(url: str) -> None:
        print(f"submitting to {credentials.own.url}", file=sys.stderr)
        print(f"ready {url}", flush=True)

    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, settings, credentials, ready)
            async for _ in received:
                tasks.cancel_scope.cancel()
                break

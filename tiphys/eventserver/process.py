"""The server's process: credentials, certificate, port, until it is told to stop."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.abc
from aiohttp import web

from runtime.api import Api
from runtime.client import HttpApi
from runtime.credentials import Access, bearer
from runtime.objects import SECRETS, Reference
from tiphys.devcluster.pki import Identity, new_identity, server_context
from tiphys.eventserver.dispatching import Dispatcher
from tiphys.eventserver.front import Front
from tiphys.eventserver.settings import EventSettings
from tiphys.eventserver.waiting import Waiting

GRACE_S = 10.0  # how long requests may take to end


class BadCertificate(Exception):
    """The certificate cannot be used. The text names the Secret and what it should hold."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The process's own access, and how it speaks for others: the same server, and nothing of who we are."""

    own: Access
    anonymous: Access

    @asynccontextmanager
    async def as_bearer(self, token: str) -> AsyncIterator[Api]:
        """The API as the bearer of this token sees it."""
        async with HttpApi(self.anonymous._replace(headers=bearer(lambda: token))) as api:
            yield api


async def serve(
    settings: EventSettings,
    credentials: Credentials,
    ready: Callable[[str], None],
    *,
    task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Take events until cancelled; `ready` hears the URL. What has been answered is submitted before it ends.

    Raises OSError for a port that is taken, BadCertificate."""
    async with HttpApi(credentials.own) as own:
        context = await _context(own, settings)
        waiting = Waiting(settings.queue_size, settings.workers) if settings.asynchronous else None
        front = Front(
            Dispatcher(own, settings.instance_id),
            credentials.as_bearer,
            waiting=waiting,
            body_max=settings.body_max,
        )
        async with anyio.create_task_group() as tasks:
            if waiting is not None:
                tasks.start_soon(_drained, waiting)
            try:
                async with _listening(front.application(), settings, context) as url:
                    ready(url)
                    task_status.started()
                    await anyio.sleep_forever()
            finally:
                if waiting is not None:
                    waiting.close()  # nobody puts anything in any more


@asynccontextmanager
async def _listening(
    application: web.Application, settings: EventSettings, context: ssl.SSLContext | None
) -> AsyncIterator[str]:
    """Serve; gives the URL. At its end requests that have begun are answered."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=GRACE_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, ssl_context=context).start()
        host, port = runner.addresses[0][:2]
        shown = f"[{host}]" if ":" in host else host
        yield f"{'https' if context else 'http'}://{shown}:{port}"
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


async def _drained(waiting: Waiting) -> None:
    """What has been answered is done, also when the process is told to stop."""
    with anyio.CancelScope(shield=True):
        await waiting.run()


async def _context(own: Api, settings: EventSettings) -> ssl.SSLContext | None:
    if not settings.secure:
        return None
    if not settings.certificate:
        return server_context(new_identity())
    assert isinstance(own, HttpApi)
    found = (await own.get(Reference(SECRETS, own.namespace, settings.certificate))).get("data") or {}
    try:
        pair = [base64.b64decode(found[name]) for name in ("tls.crt", "tls.key")]
        return server_context(Identity(b"", pair[0] + b"\n", pair[1]))
    except (KeyError, ValueError, ssl.SSLError) as error:
        where = f"Secret {own.namespace}/{settings.certificate}"
        raise BadCertificate(f"{where} should hold tls.crt and tls.key in PEM: {error}") from error

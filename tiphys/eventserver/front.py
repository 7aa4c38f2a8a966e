"""The HTTP side: POST /api/v1/events/{namespace}/{discriminator}, answered as upstream's server answers.

What is refused is refused with a `code` of gRPC's and a message, and a status that fits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from aiohttp import web

from actors.eventbinding.creators import claims, creator
from actors.eventbinding.variables import variables
from actors.eventbinding.webhooks import BODY_MAX
from runtime.api import ApiError
from runtime.log import Log
from tiphys.eventserver.callers import Bearers, Forbidden, token_for, token_of
from tiphys.eventserver.dispatching import Dispatch, Dispatcher, NotDispatched, bindings
from tiphys.eventserver.waiting import Full, Waiting

EVENTS_PATH: Final = "/api/v1/events/{namespace}/{discriminator:[^/]*}"
PROBES: Final = ("/livez", "/readyz", "/healthz")
READ_BYTES: Final = 64 * 1024

log = Log()


class Code(NamedTuple):
    """A kind of refusal: gRPC's number, and the status of the answer."""

    number: int
    status: int


INVALID_ARGUMENT: Final = Code(3, 400)
RESOURCE_EXHAUSTED: Final = Code(8, 429)
INTERNAL: Final = Code(13, 500)
UNAVAILABLE: Final = Code(14, 503)
UNAUTHENTICATED: Final = Code(16, 401)
OF_STATUS: Final = {
    400: INVALID_ARGUMENT,
    401: UNAUTHENTICATED,
    403: Code(7, 403),
    404: Code(5, 404),
    429: RESOURCE_EXHAUSTED,
    503: UNAVAILABLE,
}
"""What a refusal of Kubernetes' API server becomes; others are internal errors."""


class Refusal(Exception):
    """An event is not taken."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Front:
    """Takes events: each is submitted before it is answered, or waits for its turn when there is a queue."""

    def __init__(self, dispatcher: Dispatcher, bearers: Bearers, *, waiting: Waiting | None, body_max: int) -> None:
        self._dispatcher = dispatcher
        self._bearers = bearers
        self._waiting = waiting
        self._body_max = body_max

    def application(self) -> web.Application:
        """The application, for a runner."""
        app = web.Application()
        app.router.add_post(EVENTS_PATH, self._event)
        for path in PROBES:
            app.router.add_get(path, _alive)
        return app

    async def _event(self, request: web.Request) -> web.Response:
        try:
            await self._take(request)
        except Refusal as refusal:
            body = {"code": refusal.code.number, "message": refusal.message}
            return web.json_response(body, status=refusal.code.status)
        except Forbidden as error:
            log.warning("webhook.forbidden", namespace=request.match_info["namespace"], error=str(error))
            return web.json_response({"message": "failed to process webhook request"}, status=403)
        return web.json_response({})

    async def _take(self, request: web.Request) -> None:
        namespace, discriminator = request.match_info["namespace"], request.match_info["discriminator"]
        headers = {name.lower(): value for name, value in request.headers.items()}
        token = token_of(headers)
        if token:
            body = await _body(request, self._body_max)
        else:
            try:
                body = await _body(request, BODY_MAX)
            except Refusal as refusal:
                raise Forbidden(refusal.message) from refusal
            token = await token_for(self._dispatcher.own, namespace, headers, body)
        if not token:
            raise Refusal(UNAUTHENTICATED, "token not valid: send Authorization: Bearer TOKEN")
        try:
            seen = variables(namespace, discriminator, _forwarded(request), body)
        except ValueError as error:
            raise Refusal(INVALID_ARGUMENT, f"the body is no JSON: {error}") from error
        await self._dispatch(token, namespace, seen)

    async def _dispatch(self, token: str, namespace: str, seen: Mapping[str, object]) -> None:
        try:
            async with self._bearers(token) as api:
                found = await bindings(api, namespace, self._dispatcher.instance_id)
                wanted = Dispatch(namespace, found, seen, creator(claims(token)))
                if self._waiting is None:
                    await self._dispatcher.dispatch(api, wanted)
                else:
                    self._waiting.put(self._later(token, wanted))
        except ApiError as error:
            raise Refusal(OF_STATUS.get(error.code, INTERNAL), error.message) from error
        except NotDispatched as error:
            raise Refusal(INTERNAL, str(error)) from error
        except Full as error:
            raise Refusal(UNAVAILABLE, "operation queue full") from error

    def _later(self, token: str, wanted: Dispatch) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            try:
                async with self._bearers(token) as api:
                    await self._dispatcher.dispatch(api, wanted)
            except (ApiError, NotDispatched) as error:  # an Event has told of each binding
                log.warning("event.failed", namespace=wanted.namespace, error=str(error))

        return act


async def _alive(request: web.Request) -> web.Response:
    del request
    return web.Response(text="ok\n")


async def _body(request: web.Request, most: int) -> bytes:
    found = bytearray()
    while chunk := await request.content.read(READ_BYTES):
        found += chunk
        if len(found) > most:
            raise Refusal(RESOURCE_EXHAUSTED, f"the body has more than {most} bytes")
    return bytes(found)


def _forwarded(request: web.Request) -> list[tuple[str, str]]:
    """The headers, with where the request came from and to: what upstream's gateway adds."""
    headers = list(request.headers.items())
    for name, value in (("X-Forwarded-Host", request.host), ("X-Forwarded-For", request.remote or "")):
        if value and name not in request.headers:
            headers.append((name, value))
    return headers

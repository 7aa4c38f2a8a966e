"""One HTTP client for all providers, with a limit on everything, and errors that tell no secret.

A message names scheme, host and path: never a query, a header, a body of ours or a user's name, since tokens stand
there. A redirect to another host takes none of the user's headers along.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlencode, urljoin, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakKeyDictionary

from actors.analysis.query import ProviderError

if TYPE_CHECKING:
    import aiohttp

BODY_MAX: Final = 4 * 1024 * 1024
"""Bytes of an answer: more is no measurement, and a server that never stops must not fill the memory."""

REDIRECTS_MAX: Final = 10
TIMEOUT_MAX_S: Final = 240.0
"""Less than the runtime lets a question wait, so that the error says what was slow."""

QUOTED_MAX: Final = 300
"""Characters of an answer's body that an error repeats."""

HOST_CONCURRENCY: Final = 64
"""Questions to one host at once: one that hangs must not hold up what is asked of others."""

HOST_PATIENCE_S: Final = 5.0
"""How long a question waits for its turn at a host before it is an error."""

CARRIED: Final = frozenset({"accept", "content-type", "user-agent"})
"""Headers that a redirect to another host may know."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout_s: float = 10.0
    insecure: bool = False  # certificates are not checked
    oauth2: Mapping[str, Any] | None = None  # a token is got first


@dataclass(frozen=True, slots=True)
class Response:
    """What came back."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    @property
    def quoted(self) -> str:
        """The beginning of the body, for a message."""
        text = self.text.strip()
        return text if len(text) <= QUOTED_MAX else text[: QUOTED_MAX - 1] + "…"


def shown(url: str) -> str:
    """A URL as messages may show it."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(a URL that cannot be read)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def check_url(url: str) -> None:
    """Raises ProviderError for what is no http or https URL."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ProviderError(f'"{shown(url)}" is no http or https URL')


async def send(request: Request) -> Response:
    """Send a request, and follow redirects. Raises ProviderError when no whole answer came."""
    if request.timeout_s > TIMEOUT_MAX_S:
        request = replace(request, timeout_s=TIMEOUT_MAX_S)
    check_url(request.url)
    request = _without_login(request)
    async with _turn(urlsplit(request.url).netloc):
        try:
            async with asyncio.timeout(request.timeout_s):
                if request.oauth2:
                    headers = {**request.headers, "Authorization": f"Bearer {await _token(request)}"}
                    request = replace(request, headers=headers, oauth2=None)
                return await _follow(request)
        except TimeoutError:
            where = f"{request.method} {shown(request.url)}"
            raise ProviderError(f"{where}: no answer within {request.timeout_s:g} s") from None


def _without_login(request: Request) -> Request:
    """The request with a login of its URL in a header, where one of the user's own wins."""
    parts = urlsplit(request.url)
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return request
    headers = dict(request.headers)
    if not any(name.lower() == "authorization" for name in headers):
        user, _, password = login.partition(":")
        headers["Authorization"] = basic(unquote(user), unquote(password))
    return replace(request, url=urlunsplit(parts._replace(netloc=host)), headers=headers)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL; None: there is none on the way."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)


@dataclass(slots=True)
class _Gate:
    """The turns at one host, and how many want one."""

    turns: asyncio.Semaphore
    users: int = 0


_gates: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Gate]] = WeakKeyDictionary()


@asynccontextmanager
async def _turn(host: str) -> AsyncIterator[None]:
    """Be one of those that ask a host. Raises ProviderError when none of them comes to an end."""
    gates = _gates.setdefault(asyncio.get_running_loop(), {})
    gate = gates.setdefault(host, _Gate(asyncio.Semaphore(HOST_CONCURRENCY)))
    gate.users += 1
    try:
        try:
            async with asyncio.timeout(HOST_PATIENCE_S):
                await gate.turns.acquire()
        except TimeoutError:
            text = f"{HOST_CONCURRENCY} questions to {host} have been without an answer for {HOST_PATIENCE_S:g} s"
            raise ProviderError(f"{text}: it hangs, or is asked too much") from None
        try:
            yield
        finally:
            gate.turns.release()
    finally:
        gate.users -= 1
        if not gate.users:
            gates.pop(host, None)


async def _follow(request: Request) -> Response:
    import aiohttp  # noqa: PLC0415  # a tenth of a second, and most processes never measure

    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for _ in range(REDIRECTS_MAX + 1):
            try:
                response, location = await _once(session, request)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise ProviderError(f"{request.method} {shown(request.url)}: {_reason(error)}") from None
            if location is None:
                return response
            request = _redirected(request, response.status, location)
    raise ProviderError(f"{shown(request.url)}: stopped after {REDIRECTS_MAX} redirects")


async def _once(session: aiohttp.ClientSession, request: Request) -> tuple[Response, str | None]:
    trust: Any = _no_checks() if request.insecure else True
    async with session.request(
        request.method, request.url, data=request.body, headers=dict(request.headers), ssl=trust,
        allow_redirects=False, proxy=_proxy(request.url),
    ) as answer:  # fmt: skip
        location = answer.headers.get("Location") if answer.status in (301, 302, 303, 307, 308) else None
        if location is not None:
            return Response(answer.status, b""), location
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            if len(body) > BODY_MAX:
                raise ProviderError(f"{shown(request.url)}: the answer has more than {BODY_MAX} bytes")
        return Response(answer.status, bytes(body)), None


def _redirected(request: Request, status: int, location: str) -> Request:
    url = urljoin(request.url, location)
    check_url(url)
    old, new = urlsplit(request.url), urlsplit(url)
    headers = request.headers
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        headers = {name: value for name, value in headers.items() if name.lower() in CARRIED}
    if status in (307, 308) or request.method in ("GET", "HEAD"):
        return replace(request, url=url, headers=headers)
    return replace(request, url=url, headers=headers, method="GET", body=None)


def _no_checks() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _reason(error: Exception) -> str:
    """What went wrong in words that repeat nothing of the request."""
    import aiohttp  # noqa: PLC0415

    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"the certificate is not trusted: {error.certificate_error}"
        case aiohttp.ClientConnectorError():
            number = error.os_error.errno
            return f"cannot connect: {os.strerror(number) if number and number > 0 else error.os_error.strerror}"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "the answer broke off"
        case aiohttp.InvalidURL():
            return "the URL cannot be read"
        case aiohttp.ClientResponseError():
            return f"the answer is no HTTP: {error.message}"
    return type(error).__name__


async def _token(request: Request) -> str:
    """Get a token with the client's own credentials, in the header or, where that is refused, in the form."""
    from actors.language.jsontext import loads  # noqa: PLC0415

    settings = request.oauth2 or {}
    client, secret = settings.get("clientId"), settings.get("clientSecret")
    if not client or not secret:
        raise ProviderError("missing mandatory parameter in metric for OAuth2 setup")
    form = {"grant_type": "client_credentials"}
    if settings.get("scopes"):
        form["scope"] = " ".join(settings["scopes"])
    plain = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    base = Request(str(settings["tokenUrl"]), "POST", insecure=request.insecure)
    check_url(base.url)
    answer = await _follow(
        replace(base, headers={**plain, "Authorization": basic(client, secret)}, body=urlencode(form).encode())
    )
    if 400 <= answer.status < 500:
        form |= {"client_id": client, "client_secret": secret}
        answer = await _follow(replace(base, headers=plain, body=urlencode(form).encode()))
    if answer.status // 100 != 2:
        raise ProviderError(f"{shown(base.url)}: no token: the answer is {answer.status}")
    try:
        found = loads(answer.text)
    except ValueError:
        found = None
    token = found.get("access_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token:
        raise ProviderError(f"{shown(base.url)}: the answer has no access_token")
    return token


def basic(user: str, password: str) -> str:
    """The value of an Authorization header."""
    import base64  # noqa: PLC0415

    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

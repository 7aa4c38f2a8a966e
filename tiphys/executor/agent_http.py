"""An http template is one request: its answer's body is the result, a 2xx or the template's condition its success.

Values of headers may come from Secrets, which are read when the request is made and appear nowhere else.
(AGENT-1, AGENT-2, COND-8, SCR-4)
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from tiphys.executor.agent import Answer, Template
from tiphys.executor.redaction import keep_secret, keep_users, redacted, without_kept
from tiphys.executor.request_errors import BROKEN_OFF, DEADLINE, REDIRECTS_MAX, failure, unfit

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

    from runtime.api import Api

BODY_BYTES_MAX = 512 << 10  # of an answer: it has to fit the task set and the workflow's status
CONNECT_S = 30.0
WRITTEN_OUT = re.compile(r"[!#-;=?-Z\[\]_a-z~]*")  # an address without a character that would have to be escaped


class Unanswerable(Exception):
    """The request cannot be made, or its answer not be used; the text is the node's message."""


class HttpTasks:
    """Makes requests in the name of http templates."""

    def __init__(self, session: aiohttp.ClientSession, api: Api, namespace: str) -> None:
        self._session = session
        self._api = api
        self._namespace = namespace

    async def execute(self, template: Template) -> Answer:
        """Make the request; never raises for what the other side does."""
        import aiohttp  # noqa: PLC0415  (it is loaded already where this runs)

        section: Mapping[str, Any] = template["http"]
        keep_users(section)
        method, url = _method(section), str(section.get("url") or "")
        try:
            headers = await self._headers(section)
            body = _body(section)
            if wrong := unfit(method, url, headers):
                return _failed(wrong)
            return await self._requested(section, headers, body)
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            return _failed(failure(method, url, error))
        except Unanswerable as error:
            return _failed(str(error))

    async def _requested(self, section: Mapping[str, Any], headers: list[tuple[str, str]], body: bytes) -> Answer:
        import aiohttp  # noqa: PLC0415  (as above)

        timeout = aiohttp.ClientTimeout(total=section.get("timeoutSeconds") or None, sock_connect=CONNECT_S)
        async with self._session.request(
            _method(section), _address(str(section.get("url") or "")), headers=headers, data=body or None,
            timeout=timeout, ssl=not section.get("insecureSkipVerify"), max_redirects=REDIRECTS_MAX,
            skip_auto_headers=("Content-Type",),
        ) as answer:  # fmt: skip
            text = await _text(answer)
            response = {
                "statusCode": answer.status,
                "body": text,
                "headers": _grouped(list(answer.headers.items())),
            }
        return _judged(str(section.get("successCondition") or ""), _asked(section, body), response)

    async def _headers(self, section: Mapping[str, Any]) -> list[tuple[str, str]]:
        found = []
        for header in section.get("headers") or ():
            key = (header.get("valueFrom") or {}).get("secretKeyRef")
            value = await self._secret(key) if key else str(header.get("value") or "")
            found.append((str(header.get("name") or ""), value))
        return found

    async def _secret(self, key: Mapping[str, Any]) -> str:
        from runtime.api import ApiError  # noqa: PLC0415
        from runtime.objects import SECRETS, Reference  # noqa: PLC0415

        name, field = str(key.get("name") or ""), str(key.get("key") or "")
        try:
            secret = await self._api.get(Reference(SECRETS, self._namespace, name))
        except ApiError as error:
            raise Unanswerable(error.message) from error
        value = (secret.get("data") or {}).get(field)
        if value is None:
            raise Unanswerable(f"secret '{name}' does not have the key '{field}'")
        return keep_secret(base64.b64decode(value).decode("utf-8", "surrogateescape"))


def session(**options: Any) -> aiohttp.ClientSession:
    """What requests are made with: one task's cookies are no other task's, and no time is set but to connect."""
    import aiohttp  # noqa: PLC0415  (only the agent pays for it)

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)  # AGENT-1: none but the template's own
    return aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), **options)


def _asked(section: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """The request as a condition sees it: as it is written, and nothing out of a Secret."""
    headers = [header for header in section.get("headers") or () if not header.get("valueFrom")]
    return {
        "method": _method(section),
        "url": str(section.get("url") or ""),
        "body": str(section.get("body") or ""),
        "bodyBytes": body if section.get("bodyFrom") else b"",
        "headers": {str(header.get("name") or ""): [str(header.get("value") or "")] for header in headers},
    }


def _judged(condition: str, request: dict[str, Any], response: dict[str, Any]) -> Answer:
    """Success by the condition, else by the answer's code (COND-8)."""
    node: dict[str, Any] = {"phase": "Succeeded", "outputs": {"result": without_kept(response["body"])}}
    code = response["statusCode"]
    if not condition:
        if not 200 <= code < 300:
            node |= {"phase": "Failed", "message": f"received non-2xx response code: {code}"}
        return Answer(node)
    if not _holds(condition, {"request": request, "response": response}):
        node |= {"phase": "Failed", "message": f"successCondition '{condition}' evaluated false"}
    return Answer(node)


def _holds(condition: str, known: Mapping[str, Any]) -> bool:
    """Raises Unanswerable where that cannot be said; then there is no result either."""
    from actors.language.expression import compile_expression, evaluate  # noqa: PLC0415  (its parts take time to load)
    from actors.language.faults import ExpressionError  # noqa: PLC0415

    try:
        compile_expression(condition)
    except ExpressionError as error:
        raise Unanswerable(str(error)) from error
    try:
        verdict = evaluate(condition, known)
    except ExpressionError as error:
        raise Unanswerable(f"unable to evaluate expression '{condition}': {error}") from error
    if not isinstance(verdict, bool):
        raise Unanswerable(f"unable to cast expression result '{without_kept(str(verdict))}' to bool")
    return verdict


async def _text(answer: aiohttp.ClientResponse) -> str:
    """The body as text; bytes that are none are marked as such."""
    pieces, size = [], 0
    async for piece in _pieces(answer):
        pieces.append(piece)
        size += len(piece)
        if size > BODY_BYTES_MAX:
            raise Unanswerable(
                f"the answer is larger than {BODY_BYTES_MAX} bytes, too large for a result: load it as an http artifact"
            )
    return b"".join(pieces).decode("utf-8", "replace")


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    import aiohttp  # noqa: PLC0415  (as above)

    try:
        async for piece in answer.content.iter_chunked(64 << 10):
            yield piece
    except TimeoutError as error:
        raise Unanswerable(DEADLINE) from error
    except aiohttp.ClientPayloadError as error:
        raise Unanswerable(BROKEN_OFF) from error


def _body(section: Mapping[str, Any]) -> bytes:
    given = (section.get("bodyFrom") or {}).get("bytes")
    if given is None:
        return str(section.get("body") or "").encode()
    try:
        return base64.b64decode(str(given), validate=True)
    except ValueError as error:
        raise Unanswerable(f"http.bodyFrom.bytes is not base64: {error}") from error


def _address(url: str) -> URL:
    """Where to: as it is written, for what signs an address signs its every character."""
    from yarl import URL  # noqa: PLC0415

    return URL(url, encoded=bool(WRITTEN_OUT.fullmatch(url)))


def _method(section: Mapping[str, Any]) -> str:
    return str(section.get("method") or "GET")


def _grouped(headers: list[tuple[str, str]]) -> dict[str, list[str]]:
    """An answer's headers as an expression sees them: every value of a name, the name in its canonical spelling."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(value)
    return found


def _failed(message: str) -> Answer:
    return Answer({"phase": "Failed", "message": redacted(message)})

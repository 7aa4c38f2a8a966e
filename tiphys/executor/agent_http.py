"""An http template is one request: its answer's body is the result, a 2xx or the template's condition its success.

Values of headers may come from Secrets, which are read when the request is made and appear nowhere else.
(AGENT-1, AGENT-2, COND-8, SCR-4)
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tiphys.executor.agent import Answer, Template
from tiphys.executor.redaction import keep_secret, keep_users, redacted, without_kept

if TYPE_CHECKING:
    import aiohttp

    from runtime.api import Api

BODY_BYTES_MAX = 512 << 10  # of an answer: it has to fit the task set and the workflow's status
REDIRECTS_MAX = 10


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
        try:
            headers = await self._headers(section)
            body = _body(section)
            return await self._requested(section, headers, body)
        except TimeoutError:
            return _failed(f'{_method(section)} "{section.get("url")}": no answer within the time-out')
        except aiohttp.ClientError as error:
            return _failed(f'{_method(section)} "{section.get("url")}": {error}')
        except Unanswerable as error:
            return _failed(str(error))

    async def _requested(self, section: Mapping[str, Any], headers: list[tuple[str, str]], body: bytes) -> Answer:
        import aiohttp  # noqa: PLC0415  (as above)

        timeout = aiohttp.ClientTimeout(total=section.get("timeoutSeconds") or None, sock_connect=30)
        async with self._session.request(
            _method(section), str(section.get("url") or ""), headers=headers, data=body or None, timeout=timeout,
            ssl=not section.get("insecureSkipVerify"), max_redirects=REDIRECTS_MAX,
            skip_auto_headers=("Content-Type",),
        ) as answer:  # fmt: skip
            text = await _text(answer)
            request = {
                "method": _method(section),
                "url": str(section.get("url") or ""),
                "body": body.decode("utf-8", "replace"),
                "headers": _grouped(headers),
            }
            response = {
                "statusCode": answer.status,
                "body": text,
                "headers": _grouped(list(answer.headers.items())),
            }
        return _judged(str(section.get("successCondition") or ""), request, response)

    async def _headers(self, section: Mapping[str, Any]) -> list[tuple[str, str]]:
        found = []
        for header in section.get("headers") or ():
            key = (header.get("valueFrom") or {}).get("secretKeyRef")
            value = await self._secret(key) if key else str(header.get("value") or "")
            if "\n" in value or "\r" in value:
                raise Unanswerable(f"http.headers: the value of {header.get('name')!r} has a line break")
            found.append((str(header.get("name") or ""), value))
        return found

    async def _secret(self, key: Mapping[str, Any]) -> str:
        from runtime.api import ApiError  # noqa: PLC0415
        from runtime.objects import SECRETS, Reference  # noqa: PLC0415

        name, field = str(key.get("name") or ""), str(key.get("key") or "")
        try:
            secret = await self._api.get(Reference(SECRETS, self._namespace, name))
        except ApiError as error:
            raise Unanswerable(f"secret {name!r} of a header cannot be read: {error.message}") from error
        value = (secret.get("data") or {}).get(field)
        if value is None:
            raise Unanswerable(f"secret {name!r} of a header has no key {field!r}")
        return keep_secret(base64.b64decode(value).decode("utf-8", "surrogateescape"))


def _judged(condition: str, request: dict[str, Any], response: dict[str, Any]) -> Answer:
    """Success by the condition, else by the answer's code (COND-8)."""
    from actors.language.expression import evaluate  # noqa: PLC0415  (its parts take time to load)
    from actors.language.faults import ExpressionError  # noqa: PLC0415

    node: dict[str, Any] = {"phase": "Succeeded", "outputs": {"result": without_kept(response["body"])}}
    code = response["statusCode"]
    if not condition:
        if not 200 <= code < 300:
            node |= {"phase": "Failed", "message": f"received non-2xx response code: {code}"}
        return Answer(node)
    try:
        verdict = evaluate(condition, {"request": request, "response": response})
    except ExpressionError as error:
        text = redacted(f"successCondition '{condition}': {error}")
        return Answer({**node, "phase": "Failed", "message": text})
    if not isinstance(verdict, bool):
        text = f"successCondition '{condition}' gives {type(verdict).__name__}, not true or false"
        return Answer({**node, "phase": "Failed", "message": text})
    if not verdict:
        node |= {"phase": "Failed", "message": f"successCondition '{condition}' evaluated false"}
    return Answer(node)


async def _text(answer: aiohttp.ClientResponse) -> str:
    """The body as text; bytes that are none are marked as such."""
    pieces, size = [], 0
    async for piece in answer.content.iter_chunked(64 << 10):
        pieces.append(piece)
        size += len(piece)
        if size > BODY_BYTES_MAX:
            raise Unanswerable(
                f"the answer is larger than {BODY_BYTES_MAX} bytes, too large for a result: load it as an http artifact"
            )
    return b"".join(pieces).decode("utf-8", "replace")


def _body(section: Mapping[str, Any]) -> bytes:
    given = (section.get("bodyFrom") or {}).get("bytes")
    if given is None:
        return str(section.get("body") or "").encode()
    try:
        return base64.b64decode(str(given), validate=True)
    except ValueError as error:
        raise Unanswerable(f"http.bodyFrom.bytes is not base64: {error}") from error


def _method(section: Mapping[str, Any]) -> str:
    return str(section.get("method") or "GET")


def _grouped(headers: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Headers as an expression sees them: every value of a name, the name in its canonical spelling."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        found.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(value)
    return found


def _failed(message: str) -> Answer:
    return Answer({"phase": "Failed", "message": redacted(message)})

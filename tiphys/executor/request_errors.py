"""A request that failed is told in the words that Go's client has for it.

People search for them, conditions of retries compare them, and the policy that retries passing troubles alone knows
them by these words (RTY-3). What those words do not cover is told as it is. (AGENT-2)
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp

DEADLINE = "context deadline exceeded"
BROKEN_OFF = "unexpected EOF"  # an answer of which only a part has come
REDIRECTS_MAX = 10
UNKNOWN_ISSUERS = frozenset({18, 19, 20, 21})  # OpenSSL's codes of a chain that ends at nobody whom we trust
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_TRIED = re.compile(r"\('([^']+)', (\d+)")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")


def told(method: str, url: str, reason: str) -> str:
    """`Get "http://host/": the reason`."""
    return f"{(method or 'GET').capitalize()} {json.dumps(url, ensure_ascii=False)}: {reason}"


def unfit(method: str, url: str, headers: Iterable[tuple[str, str]]) -> str:
    """Why a request cannot be sent at all; else empty."""
    if not _TOKEN.fullmatch(method):
        return f"net/http: invalid method {json.dumps(method)}"
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in ("http", "https"):
        found = _SCHEME.match(url)
        return told(method, url, f'unsupported protocol scheme "{found[1].lower() if found else ""}"')
    if not re.split(r"[/?#]", rest)[0]:
        return told(method, url, "http: no Host in request URL")
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            return told(method, url, f"net/http: invalid header field name {json.dumps(name)}")
        if not _VALUE.fullmatch(value):
            return told(method, url, f"net/http: invalid header field value for {json.dumps(name)}")
    return ""


def failure(method: str, url: str, error: Exception) -> str:
    """What went wrong with a request that was sent."""
    import aiohttp  # noqa: PLC0415  (it is loaded already where this runs)

    match error:
        case aiohttp.ConnectionTimeoutError():
            return told(method, url, "dial tcp: i/o timeout")
        case TimeoutError():
            return told(method, url, DEADLINE)
        case aiohttp.TooManyRedirects():
            return told("GET", str(error.history[-1].url), f"stopped after {REDIRECTS_MAX} redirects")
        case aiohttp.ClientConnectorCertificateError():
            return told(method, url, f"tls: failed to verify certificate: {_untrusted(error)}")
        case aiohttp.ClientConnectorError():
            return told(method, url, f"dial tcp{_undialled(error)}")
        case aiohttp.ServerDisconnectedError():
            return told(method, url, "EOF")
        case aiohttp.ClientOSError(errno=int(code)):
            return told(method, url, f"read tcp: {os.strerror(code).lower()}")
    return told(method, url, str(error) or type(error).__name__)


def _undialled(error: aiohttp.ClientConnectorError) -> str:
    trouble = error.os_error
    if isinstance(trouble, socket.gaierror):
        return f": lookup {error.host}: no such host"
    tried = _TRIED.search(str(trouble))
    host, port = (tried[1], tried[2]) if tried else (error.host, str(error.port))
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reason = os.strerror(trouble.errno).lower() if trouble.errno else str(trouble)
    return f" {place}: connect: {reason}"


def _untrusted(error: aiohttp.ClientConnectorCertificateError) -> str:
    why = error.certificate_error
    if getattr(why, "verify_code", None) in UNKNOWN_ISSUERS:
        return "x509: certificate signed by unknown authority"
    return f"x509: {getattr(why, 'verify_message', '') or why}"

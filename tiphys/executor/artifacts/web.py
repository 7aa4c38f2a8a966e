"""An HTTP artifact is loaded with GET and saved with PUT, streamed both ways (DRV-3)."""

from __future__ import annotations

import shutil
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from tiphys.executor.artifacts import NotFound, Place, StoreError, StoreUnavailable
from tiphys.executor.artifacts.web_auth import authorization, client_tls
from tiphys.executor.redaction import keep_secret

TIMEOUT_S = 60.0  # without a byte
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


def load(place: Place, target: Path) -> None:
    """GET the url into a file; 404 is NotFound, any other answer but 2xx a StoreError."""
    request = _request(place, "GET")
    try:
        with _opened(request, _tls(place)) as answer, target.open("wb") as file:
            shutil.copyfileobj(answer, file)
            _complete(place, answer.headers.get("Content-Length"), file.tell())
    except urllib.error.HTTPError as error:
        raise _refused(place, error) from error
    except (OSError, HTTPException) as error:
        raise StoreUnavailable(f"GET {place.section.get('url')}: {error}") from error


def _complete(place: Place, promised: str | None, got: int) -> None:
    """The standard library takes a connection that closes early for the end of the body."""
    if promised is not None and promised.isdecimal() and int(promised) != got:
        raise StoreUnavailable(f"GET {place.section.get('url')}: {got} of {promised} bytes arrived")


def save(place: Place, source: Path) -> None:
    """PUT a file to the url, following one redirect that keeps the method (307, 308)."""
    if source.is_dir():
        raise StoreError("a directory cannot be saved over http unpacked: use archive tar or zip")
    try:
        _put(_request(place, "PUT"), source, _tls(place))
    except urllib.error.HTTPError as error:
        target = error.headers.get("Location")
        if error.code not in (307, 308) or not target:
            raise _refused(place, error) from error
        _put_again(_elsewhere(place, target), source)
    except (OSError, HTTPException) as error:
        raise StoreUnavailable(f"PUT {place.section.get('url')}: {error}") from error


def _elsewhere(place: Place, url: str) -> Place:
    """The same artifact where a redirect points; another host is not shown who asks."""
    section = {**place.section, "url": url}
    if urlsplit(url).netloc != urlsplit(str(place.section.get("url"))).netloc:
        section.pop("auth", None)
    return place._replace(section=section)


def _put_again(place: Place, source: Path) -> None:
    try:
        _put(_request(place, "PUT"), source, _tls(place))
    except urllib.error.HTTPError as error:
        raise _refused(place, error) from error
    except (OSError, HTTPException) as error:
        raise StoreUnavailable(f"PUT {place.section.get('url')}: {error}") from error


def _put(request: urllib.request.Request, source: Path, tls: ssl.SSLContext) -> None:
    with source.open("rb") as file:
        request.data = file  # sent as it is read; setting it forgets the length, so the length comes after
        request.add_header("Content-Length", str(source.stat().st_size))
        with _opened(request, tls):
            return


def _opened(request: urllib.request.Request, tls: ssl.SSLContext) -> Any:
    return urllib.request.urlopen(request, timeout=TIMEOUT_S, context=tls)  # noqa: S310  (checked in _request)


def _request(place: Place, method: str) -> urllib.request.Request:
    url = str(place.section.get("url") or "")
    if not url.startswith(("http://", "https://")):
        raise StoreError(f"http.url: {url!r} is neither http:// nor https://")
    url, own = _without_user(_checked(url))
    request = urllib.request.Request(url, method=method)  # noqa: S310  (the scheme was checked)
    for header in place.section.get("headers") or ():
        request.add_header(str(header["name"]), str(header.get("value", "")))
    if header := authorization(place.section.get("auth") or {}) or own:
        request.add_unredirected_header("Authorization", header)  # it is for this server, not for another
    return request


def _checked(url: str) -> str:
    try:
        port = urlsplit(url).port
    except ValueError as error:
        raise StoreError(f"http.url: {error}: is there a character in the password that has to be escaped?") from error
    del port
    return url


def _without_user(url: str) -> tuple[str, str]:
    """A URL without the user and password in it, and the header that says the same."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, ""
    both = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, f"Basic {keep_secret(b64encode(both.encode()).decode())}"


def _tls(place: Place) -> ssl.SSLContext:
    return client_tls(place.section.get("auth") or {})


def _refused(place: Place, error: urllib.error.HTTPError) -> Exception:
    error.close()
    text = f"{place.section.get('url')} answered {error.code} {error.reason}"
    if error.code == 404:
        return NotFound(text)
    return StoreUnavailable(text) if error.code in _AGAIN else StoreError(text)

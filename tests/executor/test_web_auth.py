"""An HTTP artifact shows who asks: by password, certificate or token; another server is never shown it."""

from __future__ import annotations

import datetime
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from tests.executor.credentials import given
from tiphys.executor.artifacts import Place, StoreError, StoreUnavailable, artifactory, web

BASIC = f"Basic {b64encode(b'me:pw').decode()}"


class Store(BaseHTTPRequestHandler):
    """A WebDAV-like store for whoever shows the password or the token it gave."""

    kept: ClassVar[dict[str, bytes]] = {}
    forms: ClassVar[list[dict[str, list[str]]]] = []
    shown: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.shown.append(self.headers.get("Authorization", ""))
        if self.path.startswith("/elsewhere"):
            self.answer(302, location=f"http://localhost:{self.server.server_port}/open")  # type: ignore[attr-defined]
        elif self.path == "/half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
        elif self.path == "/open":
            self.answer(200, b"open")
        elif self.headers.get("Authorization") in (BASIC, "Bearer t0ken"):
            self.answer(200 if self.path in self.kept else 404, self.kept.get(self.path, b""))
        else:
            self.answer(401)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        allowed = self.headers.get("Authorization") in (BASIC, "Bearer t0ken")
        if allowed:
            self.kept[self.path] = body
        self.answer(201 if allowed else 401)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.forms.append(parse_qs(body))
        good = self.headers.get("Authorization") == BASIC
        self.answer(200 if good else 401, b'{"access_token": "t0ken"}' if good else b"")

    def answer(self, code: int, body: bytes = b"", location: str = "") -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def served() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site(served: HTTPServer) -> str:
    return f"http://127.0.0.1:{served.server_port}"


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, site: str) -> dict[str, dict[str, str]]:
    return given(monkeypatch, tmp_path / "secrets", "web", user="me", word="pw", url=f"{site}/token")


@pytest.mark.spec("DRV-3")
def test_basic_auth_opens_the_store_and_stays_with_it(
    site: str, keys: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("hello")
    auth = {"basicAuth": {"usernameSecret": keys["user"], "passwordSecret": keys["word"]}}
    web.save(Place({"url": f"{site}/b", "auth": auth}), tmp_path / "out")
    web.load(Place({"url": f"{site}/b", "auth": auth}), tmp_path / "in")
    assert (tmp_path / "in").read_text() == "hello"
    with pytest.raises(StoreError, match="401"):
        web.load(Place({"url": f"{site}/b"}), tmp_path / "in")
    web.load(Place({"url": f"{site}/elsewhere", "auth": auth}), tmp_path / "in")
    assert Store.shown[-2:] == [BASIC, ""]


@pytest.mark.spec("DRV-3")
def test_a_token_is_fetched_with_the_clients_own_credentials(
    site: str, keys: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("hello")
    oauth = {"clientIDSecret": keys["user"], "clientSecretSecret": keys["word"], "tokenURLSecret": keys["url"]}
    oauth |= {"scopes": ["a", "b"], "endpointParams": [{"key": "audience", "value": "x"}]}
    place = Place({"url": f"{site}/o", "auth": {"basicAuth": {}, "clientCert": {}, "oauth2": oauth}})
    web.save(place, tmp_path / "out")
    web.load(place, tmp_path / "in")
    assert (tmp_path / "in").read_text() == "hello"
    assert Store.forms[-1] == {"grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["x"]}


@pytest.mark.spec("DRV-3")
def test_a_user_in_the_url_is_shown_to_the_server_and_to_nobody_else(site: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    url = site.replace("://", "://me:pw@")
    web.save(Place({"url": f"{url}/u"}), tmp_path / "x")
    web.load(Place({"url": f"{url}/u"}), tmp_path / "in")
    assert (tmp_path / "in").read_text() == "x"
    with pytest.raises(StoreError) as caught:
        web.load(Place({"url": f"{site.replace('://', '://me:wrong@')}/u"}), tmp_path / "in")
    assert "wrong" not in str(caught.value)


@pytest.mark.spec("ART-17")
def test_a_download_that_breaks_off_is_no_artifact(site: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="4 of 1000 bytes"):
        web.load(Place({"url": f"{site}/half"}), tmp_path / "in")


@pytest.mark.spec("DRV-4")
def test_artifactory_always_says_who_asks(site: str, keys: dict[str, dict[str, str]], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("hello")
    section = {"url": f"{site}/a", "usernameSecret": keys["user"], "passwordSecret": keys["word"]}
    artifactory.save(Place(section), tmp_path / "out")
    artifactory.load(Place(section), tmp_path / "in")
    assert (tmp_path / "in").read_text() == "hello"
    with pytest.raises(StoreError, match="401"):
        artifactory.load(Place({"url": f"{site}/a"}), tmp_path / "in")
    assert Store.shown[-1] == f"Basic {b64encode(b':').decode()}"


@pytest.mark.spec("DRV-3")
def test_a_client_shows_its_certificate(served: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = pair()
    (tmp_path / "cert").write_text(certificate)
    (tmp_path / "key").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    context.load_verify_locations(tmp_path / "cert")
    context.verify_mode = ssl.CERT_REQUIRED
    served.socket = context.wrap_socket(served.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    keys = given(monkeypatch, tmp_path / "secrets", "tls", cert=certificate, key=key)
    auth = {"clientCert": {"clientCertSecret": keys["cert"], "clientKeySecret": keys["key"]}}
    web.load(Place({"url": f"https://localhost:{served.server_port}/open", "auth": auth}), tmp_path / "in")
    assert (tmp_path / "in").read_text() == "open"
    half = {"clientCert": {"clientCertSecret": keys["cert"]}}
    with pytest.raises(StoreError, match="need each other"):
        web.load(Place({"url": f"https://localhost:{served.server_port}/open", "auth": half}), tmp_path / "in")


def pair() -> tuple[str, str]:
    """A certificate for localhost that is its own authority, and its key."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()

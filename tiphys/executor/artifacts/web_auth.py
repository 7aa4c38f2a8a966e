"""How an HTTP artifact's request says who asks: basic, a client's certificate, or a token of OAuth 2 (DRV-3, DRV-4)."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

from tiphys.executor.artifacts import StoreError, StoreUnavailable
from tiphys.executor.artifacts.credentials import secret_file, secret_text
from tiphys.executor.redaction import keep_secret

TIMEOUT_S = 60.0


def authorization(auth: Mapping[str, Any]) -> str:
    """The Authorization header that `http.auth` asks for; empty when it asks for none.

    Upstream's own clients write the sections that nobody filled in, too, as empty maps."""
    if auth.get("basicAuth"):
        return basic(auth["basicAuth"])
    if (auth.get("oauth2") or {}).get("clientIDSecret"):
        return f"Bearer {_token(auth['oauth2'])}"
    return ""


def basic(section: Mapping[str, Any]) -> str:
    """User and password of `usernameSecret` and `passwordSecret`, as a header."""
    both = f"{secret_text(section, 'usernameSecret')}:{secret_text(section, 'passwordSecret')}"
    return f"Basic {keep_secret(b64encode(both.encode()).decode())}"


def client_tls(auth: Mapping[str, Any]) -> ssl.SSLContext:
    """The machine's trust, with the client's certificate when there is one."""
    context = ssl.create_default_context()
    certificate = auth.get("clientCert") or {}
    file, key = secret_file(certificate, "clientCertSecret"), secret_file(certificate, "clientKeySecret")
    if file and key:
        try:
            context.load_cert_chain(file, key)
        except (OSError, ssl.SSLError) as error:
            raise StoreError(f"http.auth.clientCert: certificate and key do not load: {error}") from error
    elif file or key:
        raise StoreError("http.auth.clientCert: clientCertSecret and clientKeySecret need each other")
    return context


def _token(section: Mapping[str, Any]) -> str:
    """Ask for a token with the client's own credentials."""
    url = secret_text(section, "tokenURLSecret")
    if not url.startswith(("http://", "https://")):
        raise StoreError("http.auth.oauth2.tokenURLSecret: neither http:// nor https://")
    form = [("grant_type", "client_credentials")]
    if section.get("scopes"):
        form.append(("scope", " ".join(map(str, section["scopes"]))))
    form += [(str(entry["key"]), str(entry.get("value", ""))) for entry in section.get("endpointParams") or ()]
    request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode(), method="POST")  # noqa: S310  (checked)
    client = {"usernameSecret": section.get("clientIDSecret"), "passwordSecret": section.get("clientSecretSecret")}
    request.add_header("Authorization", basic(client))
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  (checked)
            return keep_secret(str(json.load(answer)["access_token"]))
    except urllib.error.HTTPError as error:
        text = f"http.auth.oauth2: the token's server answered {error.code} {error.reason}"
        raise (StoreUnavailable(text) if error.code >= 500 else StoreError(text)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError("http.auth.oauth2: the token's server gave no access_token") from error
    except (OSError, HTTPException) as error:
        raise StoreUnavailable(f"http.auth.oauth2: {error}") from error

"""Who a kept cluster is stays the same: its authority, tokens and port are in a file beside the objects (mode 0600).

So a kubeconfig that was written once works after every restart, as long as the port is free.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_urlsafe
from typing import NamedTuple

from cryptography import x509

from tiphys.devcluster.pki import Identity, new_identity

RENEW_BEFORE = timedelta(days=30)  # of the certificate's end: then everything is new


class Credentials(NamedTuple):
    """What clients must know to be let in. `port` 0: none was used yet."""

    identity: Identity
    token: str
    signing: str  # what service accounts' tokens are signed with
    port: int = 0


def new_credentials() -> Credentials:
    """A new authority and a new token."""
    return Credentials(new_identity(), token_urlsafe(32), token_urlsafe(32))


def load(path: Path, now: datetime | None = None) -> Credentials:
    """The credentials in the file; new ones where it is absent, unreadable or its certificate ends soon."""
    try:
        kept = json.loads(path.read_text())
        pems = [kept[name].encode() for name in ("ca", "certificate", "key")]
        certificate = x509.load_pem_x509_certificate(pems[1])
        if certificate.not_valid_after_utc - RENEW_BEFORE > (now or datetime.now(UTC)):
            signing = str(kept.get("signing") or token_urlsafe(32))  # older files have none
            return Credentials(Identity(*pems), str(kept["token"]), signing, int(kept["port"]))
    except (OSError, ValueError, KeyError, TypeError):
        return new_credentials()
    return new_credentials()


def save(path: Path, credentials: Credentials) -> None:
    """Write the file for its owner alone, replacing an older one in one step. Raises OSError."""
    ca, certificate, key = (pem.decode() for pem in credentials.identity)
    kept = {
        "ca": ca,
        "certificate": certificate,
        "key": key,
        "token": credentials.token,
        "signing": credentials.signing,
        "port": credentials.port,
    }
    new = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(kept, file)
    new.replace(path)

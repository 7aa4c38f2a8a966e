"""Who sent a webhook, where it brings no token: GitHub, GitLab and Bitbucket prove that they know a secret.

The Secret `argo-workflows-webhook-clients` of the namespace maps service accounts to the kind of sender and what it
knows; an event that one of them sent is submitted with that account's rights. (EVT-4; upstream's docs/webhooks.md.)
A client without a secret matches nobody: it would let everybody in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from actors.names import labels

CLIENTS: Final = "argo-workflows-webhook-clients"
BODY_MAX: Final = 2 * 1024 * 1024  # bytes: a signature is computed before anybody is known


class BadClient(Exception):
    """An entry of the Secret cannot be used. The text names it and the remedy, and no secret."""


class Client(NamedTuple):
    """A sender of webhooks, and the account that acts for it."""

    account: str
    type: str
    secret: str


def client(account: str, entry: Any) -> Client:
    """One entry of the Secret, its YAML read. Raises BadClient."""
    if not isinstance(entry, Mapping):
        raise BadClient(f"{CLIENTS}: {account!r} should be a map with type and secret")
    kind, secret = str(entry.get("type") or ""), str(entry.get("secret") or "")
    if kind not in _PROOFS:
        raise BadClient(f"{CLIENTS}: the type of {account!r} is {kind!r}: write one of {', '.join(_PROOFS)}")
    if not secret:
        raise BadClient(f"{CLIENTS}: {account!r} has no secret, and everybody could pretend to be it: write one")
    return Client(account, kind, secret)


def is_sender(sender: Client, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a request proves that this client sent it: it names its event, holds JSON, and knows the secret.

    `headers` have names in lower case."""
    proof = _PROOFS[sender.type]
    if not headers.get(proof.event) or not proof.holds(sender.secret, headers.get(proof.header, ""), body):
        return False
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def token_secret(account: Mapping[str, Any]) -> str:
    """The name of the Secret with a service account's token: annotated, else the account's with a suffix."""
    meta = account["metadata"]
    named = (meta.get("annotations") or {}).get(labels.SERVICE_ACCOUNT_TOKEN_NAME)
    return named or f"{meta['name']}.service-account-token"


def _signed(secret: str, signature: str, body: bytes) -> bool:
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return _same(signature.removeprefix("sha256="), wanted)


def _told(secret: str, text: str, body: bytes) -> bool:
    del body
    return _same(text, secret)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


class _Proof(NamedTuple):
    event: str  # the header with the name of the event
    header: str  # the header with the proof
    holds: Callable[[str, str, bytes], bool]


_PROOFS: Final = {
    "bitbucket": _Proof("x-event-key", "x-hook-uuid", _told),
    "bitbucketserver": _Proof("x-event-key", "x-hub-signature", _signed),
    "github": _Proof("x-github-event", "x-hub-signature-256", _signed),
    "gitlab": _Proof("x-gitlab-event", "x-gitlab-token", _told),
}

"""A service account's token says whose it is and until when, signed with the cluster's key: nothing is remembered.

So it works after a restart, and ends with its account, or with the pod it is bound to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, NamedTuple

import orjson

from runtime.objects import PODS, SERVICE_ACCOUNTS, Object
from tiphys.devcluster import errors
from tiphys.devcluster.storage import Storage

ISSUER = "https://kubernetes.default.svc"
_HEADER = {"alg": "HS256", "typ": "JWT"}


class User(NamedTuple):
    """Who asks."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""

    def info(self) -> Object:
        """As reviews say it."""
        return {"username": self.name, **({"uid": self.uid} if self.uid else {}), "groups": list(self.groups)}


OWNER = User("tiphys", ("system:masters", "system:authenticated"))
"""The holder of the dev cluster's own token."""


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signature(key: bytes, text: str) -> str:
    return _coded(hmac.new(key, text.encode(), hashlib.sha256).digest())


def issue(key: bytes, account: Object, spec: Object, issued: float, expires: float) -> str:
    """A token of a service account for what a TokenRequest asks, valid between two moments (seconds since 1970)."""
    meta = account["metadata"]
    private: Object = {
        "namespace": meta["namespace"],
        "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
    }
    bound = errors.part(spec, "boundObjectRef")
    if bound.get("kind") == "Pod":
        private["pod"] = {"name": bound.get("name", ""), "uid": bound.get("uid", "")}
    claims = {
        "aud": spec.get("audiences") or [ISSUER],
        "exp": int(expires),
        "iat": int(issued),
        "iss": ISSUER,
        "nbf": int(issued),
        "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        "kubernetes.io": private,
    }
    text = f"{_coded(orjson.dumps(_HEADER))}.{_coded(orjson.dumps(claims))}"
    return f"{text}.{_signature(key, text)}"


def holder(key: bytes, token: str, storage: Storage, now: float) -> User | None:
    """Whose token it is; None when it is not of this cluster, over, or its account or pod is gone."""
    text, _, signature = token.rpartition(".")
    if not text or not hmac.compare_digest(signature.encode(), _signature(key, text).encode()):
        return None
    claims = _claims(text)
    private = claims.get("kubernetes.io") or {}
    account, pod = private.get("serviceaccount") or {}, private.get("pod")
    namespace = private.get("namespace", "")
    if claims.get("exp", 0) <= now or not _is_there(storage, SERVICE_ACCOUNTS.plural, namespace, account):
        return None
    if pod is not None and not _is_there(storage, PODS.plural, namespace, pod):
        return None
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(str(claims["sub"]), groups, account["uid"])


def _claims(text: str) -> Object:
    part = text.rpartition(".")[2]
    try:
        found: Any = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def _is_there(storage: Storage, plural: str, namespace: str, named: Object) -> bool:
    """True when that very object exists."""
    record = storage.bucket("", plural).records.get((namespace, named.get("name", "")))
    return record is not None and record.object["metadata"]["uid"] == named.get("uid")

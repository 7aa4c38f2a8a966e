"""A service account's token says whose it is and until when, signed with the cluster's key: nothing is remembered.

So it works after a restart, and ends with its account, or with the pod, secret or node it is bound to. One that is kept
in a secret has no end of its own: it holds while the secret does. A token is for its audiences, and for nobody else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection
from typing import Any, NamedTuple

import orjson

from runtime.objects import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, Object, Resource
from tiphys.devcluster import errors
from tiphys.devcluster.storage import Storage

ISSUER = "https://kubernetes.default.svc"
LASTING_ISSUER = "kubernetes/serviceaccount"
_LASTING = "kubernetes.io/serviceaccount"  # the prefix of the claims of tokens that are kept in secrets
_INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"  # a label by which a secret's token is put out of use
BOUND_TO = {"Pod": PODS, "Secret": SECRETS, "Node": NODES}  # the kinds of objects that a token may end with
_POD_NOTE = "authentication.kubernetes.io/pod-"
_HEADER = {"alg": "HS256", "typ": "JWT"}


class User(NamedTuple):
    """Who asks."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""
    audiences: tuple[str, ...] = (ISSUER,)  # whom the token is for
    extra: tuple[tuple[str, str], ...] = ()  # what else a token says: the pod it belongs to

    def info(self) -> Object:
        """As reviews say it."""
        said: Object = {"username": self.name, **({"uid": self.uid} if self.uid else {}), "groups": list(self.groups)}
        return {**said, "extra": {name: [value] for name, value in self.extra}} if self.extra else said


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
    if bound.get("kind") in BOUND_TO:
        private[str(bound["kind"]).lower()] = {"name": bound.get("name", ""), "uid": bound.get("uid", "")}
    claims = {
        "aud": spec.get("audiences") or [ISSUER],
        "exp": int(expires),
        "iat": int(issued),
        "iss": ISSUER,
        "nbf": int(issued),
        "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
        "kubernetes.io": private,
    }
    return _signed(key, claims)


def issue_lasting(key: bytes, account: Object, secret: str) -> str:
    """A token for the secret of that name in the account's namespace: it has no expiry, and ends with the secret."""
    meta = account["metadata"]
    claims = {
        "iss": LASTING_ISSUER,
        f"{_LASTING}/namespace": meta["namespace"],
        f"{_LASTING}/secret.name": secret,
        f"{_LASTING}/service-account.name": meta["name"],
        f"{_LASTING}/service-account.uid": meta["uid"],
        "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
    }
    return _signed(key, claims)


def _signed(key: bytes, claims: Object) -> str:
    text = f"{_coded(orjson.dumps(_HEADER))}.{_coded(orjson.dumps(claims))}"
    return f"{text}.{_signature(key, text)}"


def holder(key: bytes, token: str, storage: Storage, now: float, audiences: Collection[str] = (ISSUER,)) -> User | None:
    """Whose token it is; None when it is not of this cluster, for none of the audiences, over, or its account or what
    it is bound to is gone."""
    text, _, signature = token.rpartition(".")
    if not text or not hmac.compare_digest(signature.encode(), _signature(key, text).encode()):
        return None
    claims = _claims(text)
    if claims.get("iss") == LASTING_ISSUER:
        return _lasting_holder(claims, token, storage) if ISSUER in audiences else None
    private = claims.get("kubernetes.io") or {}
    account, namespace = private.get("serviceaccount") or {}, private.get("namespace", "")
    meant = tuple(audience for audience in claims.get("aud") or () if audience in audiences)
    if not meant or claims.get("exp", 0) <= now or not _is_there(storage, SERVICE_ACCOUNTS, namespace, account):
        return None
    for kind, resource in BOUND_TO.items():
        bound = private.get(kind.lower())
        if bound is not None and not _is_there(storage, resource, namespace, bound):
            return None
    pod = private.get("pod") or {}
    extra = tuple((f"{_POD_NOTE}{field}", str(pod[field])) for field in ("name", "uid") if field in pod)
    return _user(claims, namespace, account["uid"])._replace(audiences=meant, extra=extra)


def _lasting_holder(claims: Object, token: str, storage: Storage) -> User | None:
    """Whose token of a secret it is: the secret must hold this very one."""
    said = {name: str(claims.get(f"{_LASTING}/{name}", "")) for name in ("namespace", "secret.name")}
    namespace = said["namespace"]
    record = storage.bucket("", SECRETS.plural).records.get((namespace, said["secret.name"]))
    if record is None:
        return None
    secret = record.object
    meta, kept = secret["metadata"], str((secret.get("data") or {}).get("token", ""))
    if "deletionTimestamp" in meta or (meta.get("labels") or {}).get(_INVALID_SINCE):
        return None
    if not hmac.compare_digest(kept.encode(), base64.b64encode(token.encode())):
        return None
    account = {name: claims.get(f"{_LASTING}/service-account.{name}") for name in ("name", "uid")}
    if not _is_there(storage, SERVICE_ACCOUNTS, namespace, account):
        return None
    return _user(claims, namespace, str(account["uid"]))


def _user(claims: Object, namespace: str, uid: str) -> User:
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(str(claims["sub"]), groups, uid)


def _claims(text: str) -> Object:
    part = text.rpartition(".")[2]
    try:
        found: Any = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}


def _is_there(storage: Storage, resource: Resource, namespace: str, named: Object) -> bool:
    """True when that very object exists."""
    key = (namespace if resource.namespaced else "", named.get("name", ""))
    record = storage.bucket(resource.group, resource.plural).records.get(key)
    return record is not None and record.object["metadata"]["uid"] == named.get("uid")

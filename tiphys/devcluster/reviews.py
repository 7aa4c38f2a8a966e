"""Who holds the token may do everything: reviews say yes, and service accounts get tokens of their own."""

from __future__ import annotations

import secrets
from typing import Any

from runtime.objects import Object
from tiphys.devcluster.metadata import stamp
from tiphys.devcluster.server import ApiServer

TOKEN_S = 3600


def access(body: Any) -> Object:
    """SelfSubjectAccessReview: allowed."""
    review: Object = body if isinstance(body, dict) else {}
    status = {"allowed": True, "reason": "the holder of the dev cluster's token may do everything"}
    return {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", **review, "status": status}


def rules(body: Any) -> Object:
    """SelfSubjectRulesReview: everything."""
    review: Object = body if isinstance(body, dict) else {}
    status = {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    }
    return {"kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1", **review, "status": status}


def whoami(body: Any) -> Object:
    """SelfSubjectReview: the one user there is."""
    review: Object = body if isinstance(body, dict) else {}
    user = {"username": "tiphys", "groups": ["system:masters", "system:authenticated"]}
    return {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        **review,
        "status": {"userInfo": user},
    }


def token(server: ApiServer, key: tuple[str, str], body: Object) -> Object:
    """A TokenRequest answered: a new token that this server accepts until its expiry."""
    spec = body.get("spec") or {}
    lasts_s = int(spec.get("expirationSeconds") or TOKEN_S)
    until = server.now() + lasts_s
    new = secrets.token_urlsafe(32)
    server.tokens[new] = until
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": key[1], "namespace": key[0], "creationTimestamp": stamp(server.now())},
        "spec": {"audiences": ["https://kubernetes.default.svc"], **spec, "expirationSeconds": lasts_s},
        "status": {"token": new, "expirationTimestamp": stamp(until)},
    }

"""Who holds the token may do everything: reviews say yes, and service accounts get tokens of their own."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster import errors, tokens
from tiphys.devcluster.metadata import stamp
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.tokens import User

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


def subject_access(body: Any) -> Object:
    """SubjectAccessReview: nobody is refused anything, whoever is asked about."""
    review: Object = body if isinstance(body, dict) else {}
    status = {"allowed": True, "reason": "roles are stored by the dev cluster, and not enforced"}
    return {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", **review, "status": status}


def whoami(body: Any, user: User) -> Object:
    """SelfSubjectReview: who asks."""
    review: Object = body if isinstance(body, dict) else {}
    return {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        **review,
        "status": {"userInfo": user.info()},
    }


def review(server: ApiServer, body: Any) -> Object:
    """TokenReview: whose token it is."""
    asked: Object = body if isinstance(body, dict) else {}
    said = errors.part(asked, "spec")
    found = server.user_of(str(said.get("token") or ""))
    status: Object = {"error": "invalid bearer token", "user": {}}
    if found is not None:
        audiences = said.get("audiences") or [tokens.ISSUER]
        status = {"authenticated": True, "user": found.info(), "audiences": audiences}
    return {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", **asked, "status": status}


def token(server: ApiServer, account: Object, body: Object) -> Object:
    """A TokenRequest answered: a new token that this server accepts until its expiry."""
    spec, meta, now = errors.part(body, "spec"), account["metadata"], server.now()
    lasts_s = spec.get("expirationSeconds") or TOKEN_S
    if not isinstance(lasts_s, int):
        raise errors.bad_request("TokenRequest: spec.expirationSeconds must be a number of seconds")
    until = now + lasts_s
    new = tokens.issue(server.signing_key, account, spec, now, until)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "creationTimestamp": stamp(now)},
        "spec": {"audiences": [tokens.ISSUER], **spec, "expirationSeconds": lasts_s},
        "status": {"token": new, "expirationTimestamp": stamp(until)},
    }

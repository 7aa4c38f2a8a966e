"""Who holds the token may do everything: reviews say yes, and service accounts get tokens of their own."""

from __future__ import annotations

from typing import Any

from runtime.objects import Object
from tiphys.devcluster import errors, tokens
from tiphys.devcluster.metadata import stamp
from tiphys.devcluster.server import ApiServer
from tiphys.devcluster.tokens import User

TOKEN_S, TOKEN_MIN_S, TOKEN_MAX_S = 3600, 600, 1 << 32


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
    """TokenReview: whose token it is, and for which of the audiences asked about."""
    asked: Object = body if isinstance(body, dict) else {}
    said = errors.part(asked, "spec")
    found = server.user_of(str(said.get("token") or ""), tuple(said.get("audiences") or (tokens.ISSUER,)))
    status: Object = {"error": "invalid bearer token", "user": {}}
    if found is not None:
        status = {"authenticated": True, "user": found.info(), "audiences": list(found.audiences)}
    return {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", **asked, "status": status}


def token(server: ApiServer, account: Object, body: Object) -> Object:
    """A TokenRequest answered: a new token, good until its expiry or the end of what it is bound to.

    Raises Gone, Conflict or Refused (400) for something it cannot be bound to, Refused (422) for too short a life."""
    spec, meta, now = errors.part(body, "spec"), account["metadata"], server.now()
    lasts_s = spec.get("expirationSeconds") or TOKEN_S
    if not isinstance(lasts_s, int):
        raise errors.bad_request("TokenRequest: spec.expirationSeconds must be a number of seconds")
    if not TOKEN_MIN_S <= lasts_s <= TOKEN_MAX_S:
        bound = "less than 10 minutes" if lasts_s < TOKEN_MIN_S else "larger than 2^32 seconds"
        cause = errors.invalid_value("spec.expirationSeconds", str(lasts_s), f"may not specify a duration {bound}")
        raise errors.invalid("TokenRequest", "authentication.k8s.io", "", [cause])
    until = now + lasts_s
    new = tokens.issue(server.signing_key, account, {**spec, **_binding(server, account, spec)}, now, until)
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "creationTimestamp": stamp(now)},
        "spec": {"audiences": [tokens.ISSUER], **spec, "expirationSeconds": lasts_s},
        "status": {"token": new, "expirationTimestamp": stamp(until)},
    }


def _binding(server: ApiServer, account: Object, spec: Object) -> Object:
    """The boundObjectRef with the uid of the object that is there now; nothing when a token is to be bound to none."""
    bound, account_name = errors.part(spec, "boundObjectRef"), account["metadata"]["name"]
    if not bound:
        return {}
    version, kind, name = str(bound.get("apiVersion") or ""), str(bound.get("kind")), str(bound.get("name") or "")
    resource = tokens.BOUND_TO.get(kind) if "/" not in version else None
    if resource is None:
        shown = version if "/" in version else f"/{version}"
        raise errors.bad_request(f"cannot bind token to object of type {shown}, Kind={kind}")
    found = server.rest.read(server.catalog.of(resource), account["metadata"]["namespace"], name).object
    uses = (found.get("spec") or {}).get("serviceAccountName") or "default"
    if kind == "Pod" and uses != account_name:
        why = (
            f'cannot bind token for serviceaccount "{account_name}" to pod running with different serviceaccount name.'
        )
        raise errors.bad_request(why)
    uid = found["metadata"]["uid"]
    if bound.get("uid") not in (None, "", uid):
        why = (
            f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record. "
            "The object might have been deleted and then recreated"
        )
        raise errors.conflict(resource, name, why, kind=kind)
    return {"boundObjectRef": {**bound, "uid": uid}}

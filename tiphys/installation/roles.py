"""Who may do what: the controller, by the table of rights, and people, by view, edit and admin.

A controller of one namespace has a Role there and nothing cluster-wide. Whom a cluster lets edit a namespace may use
our kinds in it: the roles below are aggregated to Kubernetes' own, and no further grant is needed to run workflows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from crds import GROUP, KINDS
from runtime.objects import Object
from tiphys.installation.choice import EVENT_SERVER, NAME, PART_OF, WEBHOOKS, Choice
from tiphys.installation.rights import EVENT_SERVER as SERVING
from tiphys.installation.rights import EXECUTOR, OWN, PARTS, Feature, Right, own_rights, rights
from tiphys.installation.rights import WEBHOOKS as HOOKED

API: Final = "rbac.authorization.k8s.io"
USE: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
INTERNAL: Final = ("WorkflowTaskSet", "WorkflowTaskResult", "WorkflowArtifactGCTask")
"""Kinds that controllers and pods hand to each other: people may read them."""


def features(choice: Choice) -> list[Feature]:
    """What this installation enables."""
    enabled: dict[Feature, bool] = {
        "whole cluster": choice.scope == "cluster",
        "executor plugins": choice.executor_plugins,
        "cache collection": bool(choice.cache_period),
        "database": choice.database,
        "shards": choice.shards > 0,
    }
    return [feature for feature, on in enabled.items() if on]


def controller_roles(choice: Choice) -> list[Object]:
    """The controller's own rights, and those where it looks after objects: a role for workflows, one for rollouts."""
    found = _bound("Role", f"{NAME}-own", own_rights(features(choice)), choice, choice.namespace)
    for part in choice.parts:
        kind = "ClusterRole" if choice.scope == "cluster" else "Role"
        found += _bound(kind, f"{NAME}-{part}", rights(features(choice), (part,)), choice, choice.watched)
    return found


def event_server_roles(choice: Choice) -> list[Object]:
    """What takes events may write Events. To read what webhooks know, it is let in each namespace that takes some; in
    the one that it looks after, it is."""
    if choice.scope == "cluster":
        alone = _role("ClusterRole", WEBHOOKS, HOOKED)
        return [*_bound("ClusterRole", EVENT_SERVER, SERVING, choice, choice.watched, EVENT_SERVER), alone]
    table = (*SERVING, *HOOKED)
    return _bound("Role", EVENT_SERVER, table, choice, choice.watched, EVENT_SERVER)


def people_roles() -> list[Object]:
    """What Kubernetes' own view, edit and admin mean for our kinds, and what an agent's service account needs."""
    mine = [kind.plural for kind in KINDS.values() if kind.name not in INTERNAL]
    internal = [kind.plural for kind in KINDS.values() if kind.name in INTERNAL]
    look = [_rule([*mine, *internal], ("get", "list", "watch"))]
    work = [*look, _rule(mine, USE), _rule(["rollouts/scale", "rollouts/status"], ("get", "patch", "update"))]
    grant = [right.rule() for right in EXECUTOR]  # nobody may grant what he has not himself
    return [
        _aggregated("view", look),
        _aggregated("edit", work),
        _aggregated("admin", [*work, *grant]),
        _role("ClusterRole", f"{NAME}-executor", EXECUTOR),
    ]


def reasons(thing: Object) -> list[list[str]]:
    """For each rule of a role of ours, why it is there; empty lists for what is no such role."""
    tables: dict[str, Sequence[Right]] = {
        **{f"{NAME}-{part}": rights(get_args(Feature), (part,)) for part in PARTS},
        f"{NAME}-own": OWN,
        f"{NAME}-executor": EXECUTOR,
        EVENT_SERVER: (*SERVING, *HOOKED),
        WEBHOOKS: HOOKED,
    }
    if thing["kind"] not in ("Role", "ClusterRole"):
        return []
    found = []
    for rule in thing.get("rules") or ():
        table = tables.get(thing["metadata"]["name"], ())
        found.append(next((right.words() for right in table if right.rule() == rule), []))
    return found


def _role(kind: str, name: str, table: Sequence[Right], namespace: str = "") -> Object:
    meta: dict[str, Any] = {"name": name, "labels": dict(PART_OF)}
    if namespace:
        meta["namespace"] = namespace
    return {"apiVersion": f"{API}/v1", "kind": kind, "metadata": meta, "rules": [right.rule() for right in table]}


def _bound(
    kind: str, name: str, table: Sequence[Right], choice: Choice, namespace: str, account: str = NAME
) -> list[Object]:
    """A role with its binding to a service account of the installation."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": choice.namespace}
    return [_role(kind, name, table, namespace), _binding(kind, name, subject, namespace)]


def _binding(role: str, name: str, subject: Object, namespace: str = "") -> Object:
    meta: dict[str, Any] = {"name": name, "labels": dict(PART_OF)}
    if namespace:
        meta["namespace"] = namespace
    return {
        "apiVersion": f"{API}/v1",
        "kind": f"{role}Binding",
        "metadata": meta,
        "roleRef": {"apiGroup": API, "kind": role, "name": name},
        "subjects": [subject],
    }


def _aggregated(to: str, rules: list[Object]) -> Object:
    labels = {**PART_OF, f"{API}/aggregate-to-{to}": "true"}
    meta = {"name": f"{NAME}-aggregate-to-{to}", "labels": labels}
    return {"apiVersion": f"{API}/v1", "kind": "ClusterRole", "metadata": meta, "rules": rules}


def _rule(resources: list[str], verbs: Sequence[str]) -> Object:
    return {"apiGroups": [GROUP], "resources": resources, "verbs": list(verbs)}

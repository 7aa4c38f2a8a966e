"""Every right that the controllers need, with the reason of each verb: the roles are generated from this table.

What is watched is read, listed and watched; the rest are the commands that minds give. Secrets are not among it: only
analyses read some, where a namespace lets them (docs/analysis.md). A right that is for one feature only says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from runtime.objects import Object

Feature: TypeAlias = Literal["", "whole cluster", "executor plugins", "cache collection", "database", "shards"]
"""What must be enabled for a right to be asked for; empty: nothing."""

Part: TypeAlias = Literal["workflows", "rollouts"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)

ARGO: Final = "argoproj.io"
READ: Final = ("get", "list", "watch")


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on some resources of one API group, each with what needs it."""

    group: str
    resources: tuple[str, ...]
    watched: str = ""  # why they are read, listed and watched; empty: they are not
    verbs: Mapping[str, str] = field(default_factory=dict)  # further ones, with their reasons
    feature: Feature = ""

    @property
    def reasons(self) -> dict[str, str]:
        """Every verb with its reason, in the order they are written."""
        return {**(dict.fromkeys(READ, self.watched) if self.watched else {}), **self.verbs}

    def rule(self) -> Object:
        """The rule of a Role."""
        return {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.reasons)}

    def words(self) -> list[str]:
        """The reasons, a line each: what is watched first."""
        found = [f"{', '.join(READ)}: {self.watched}"] if self.watched else []
        return found + [f"{verb}: {why}" for verb, why in self.verbs.items()]


_OWNED = {"update": "to own what it makes, where OwnerReferencesPermissionEnforcement is on"}
_ROUTED = {"patch": "weights and headers of a canary"}
_MADE = {"create": "the canary's own one beside it, which goes with its Rollout"}
_LET_GO = {"delete": "when the Rollout needs it no more"}

WORKFLOWS: Final = (
    Right(
        ARGO,
        ("workflows",),
        "they are what runs",
        {"create": "runs of CronWorkflows", "patch": "status, labels and finalizers", "delete": "whose time has come"},
    ),
    Right(ARGO, ("cronworkflows",), "schedules", {"patch": "their status"}),
    Right(ARGO, ("workflows/finalizers", "cronworkflows/finalizers"), verbs=_OWNED),
    Right(ARGO, ("workflowtemplates",), verbs={"get": "what workflows and schedules refer to"}),
    Right(
        ARGO,
        ("clusterworkflowtemplates",),
        verbs={"get": "what workflows and schedules refer to"},
        feature="whole cluster",
    ),
    Right(
        ARGO,
        ("workflowtasksets",),
        "what the agents of http and plugin nodes answer",
        {"create": "tasks for the agent", "patch": "further tasks, and that there are no more"},
    ),
    Right(ARGO, ("workflowtasksets/status",), verbs={"patch": "answers that are on record are taken out"}),
    Right(
        "",
        ("pods",),
        "pods of nodes",
        {
            "create": "one for a node",
            "patch": "labels, finalizers, the deadline that stops it",
            "delete": "podGC, and pods that never began",
        },
    ),
    Right("", ("pods/log",), verbs={"get": "outputs too large for a termination message, progress of running pods"}),
    Right(
        "",
        ("configmaps",),
        verbs={
            "get": "parameters, artifact repositories, limits of semaphores, remembered results",
            "create": "results to remember (memoize)",
            "patch": "results to remember (memoize)",
        },
    ),
    Right("", ("configmaps",), "executor plugins that they define", feature="executor plugins"),
    Right(
        "",
        ("configmaps",),
        "remembered results that are old (CACHE_GC_PERIOD)",
        {"delete": "a cache of which nothing is left"},
        feature="cache collection",
    ),
    Right(
        "",
        ("persistentvolumeclaims",),
        verbs={
            "get": "whose claim of that name it is",
            "create": "volumeClaimTemplates",
            "delete": "claims of finished workflows",
        },
    ),
    Right(
        "policy",
        ("poddisruptionbudgets",),
        verbs={
            "get": "whose budget of that name it is",
            "create": "podDisruptionBudget of a workflow",
            "delete": "when the workflow has ended",
        },
    ),
    Right("", ("events",), verbs={"create": "what happened, for people to read"}),
    Right("", ("namespaces",), "their label says how many workflows run in them at once", feature="whole cluster"),
)

ROLLOUTS: Final = (
    Right(ARGO, ("rollouts",), "they are what is kept", {"patch": "replicas that are missing, the revision"}),
    Right(ARGO, ("rollouts/status",), verbs={"patch": "their status"}),
    Right(ARGO, ("rollouts/finalizers", "experiments/finalizers", "analysisruns/finalizers"), verbs=_OWNED),
    Right(
        ARGO,
        ("analysisruns", "experiments"),
        "what Rollouts wait for",
        {"create": "analyses and experiments of Rollouts", "patch": "status, termination", "delete": "old ones"},
    ),
    Right(ARGO, ("analysistemplates",), "what analyses are made of"),
    Right(ARGO, ("clusteranalysistemplates",), "what analyses are made of", feature="whole cluster"),
    Right(
        "batch",
        ("jobs",),
        "their end is a measurement",
        {"create": "metrics of the kind job", "delete": "old ones, and those of terminated runs"},
    ),
    Right(
        "apps",
        ("replicasets",),
        "versions of Rollouts and Experiments",
        {"create": "a new version", "patch": "replicas, labels and annotations", "delete": "old versions"},
    ),
    Right(
        "apps", ("deployments",), "what a workloadRef names", {"patch": "it is scaled down as the Rollout takes over"}
    ),
    Right("", ("podtemplates",), "what a workloadRef names"),
    Right(
        "",
        ("services",),
        "what Rollouts switch",
        {
            "create": "in front of an experiment's pods",
            "patch": "the selector of the version that serves",
            "delete": "when the experiment has ended",
        },
    ),
    Right("", ("pods",), "pods of versions and of jobs", {"patch": "labels that a version's role gives them"}),
    Right("", ("pods/eviction",), verbs={"create": "restartAt"}),
    Right("", ("events",), verbs={"create": "what happened, for people to read"}),
)

TRAFFIC: Final = (
    Right("networking.k8s.io", ("ingresses",), "nginx and ALB", {**_ROUTED, **_MADE}),
    Right("networking.istio.io", ("virtualservices", "destinationrules"), "Istio", _ROUTED),
    Right(
        "gateway.networking.k8s.io", ("httproutes", "grpcroutes", "tcproutes", "tlsroutes"), "the Gateway API", _ROUTED
    ),
    Right("split.smi-spec.io", ("trafficsplits",), "SMI", {**_ROUTED, **_MADE}),
    Right("getambassador.io", ("mappings",), "Ambassador", {**_ROUTED, **_MADE, **_LET_GO}),
    Right("appmesh.k8s.aws", ("virtualservices",), "App Mesh"),
    Right("appmesh.k8s.aws", ("virtualrouters", "virtualnodes"), "App Mesh", _ROUTED),
    Right("traefik.io", ("traefikservices",), "Traefik", _ROUTED),
    Right("apisix.apache.org", ("apisixroutes",), "APISIX", {**_ROUTED, **_MADE, **_LET_GO}),
)

OWN: Final = (
    Right(
        "coordination.k8s.io",
        ("leases",),
        verbs={"get": "who leads", "create": "the first time", "update": "one of several leads, and says so"},
    ),
    Right(
        "coordination.k8s.io",
        ("leases",),
        verbs={"list": "who is there, and who holds which shard", "delete": "the announcement of who has left"},
        feature="shards",
    ),
    Right("", ("configmaps",), "its configuration, followed while it runs"),
    Right("", ("events",), verbs={"create": "what is wrong with the configuration"}),
    Right("", ("secrets",), verbs={"get": "user and password of the database (persistence)"}, feature="database"),
)
"""In the namespace that it runs in, whatever it looks after."""


def rights(features: Iterable[Feature], parts: Iterable[Part] = PARTS) -> list[Right]:
    """What is needed where objects of these parts are looked after, with these features enabled."""
    tables = {"workflows": WORKFLOWS, "rollouts": (*ROLLOUTS, *TRAFFIC)}
    return _enabled((right for part in parts for right in tables[part]), features)


def own_rights(features: Iterable[Feature]) -> list[Right]:
    """What is needed in the controller's own namespace."""
    return _enabled(OWN, features)


def _enabled(table: Iterable[Right], features: Iterable[Feature]) -> list[Right]:
    enabled = {"", *features}
    return [right for right in table if right.feature in enabled]


EVENT_SERVER: Final = (
    Right("", ("events",), verbs={"create": "what is wrong with a WorkflowEventBinding, for people to read"}),
)
"""All that the server may do itself: the rest is done with the rights of whoever sends an event."""

WEBHOOKS: Final = (
    Right("", ("secrets",), verbs={"get": "argo-workflows-webhook-clients, and the tokens of accounts that it names"}),
    Right("", ("serviceaccounts",), verbs={"get": "which Secret has the token of an account"}),
)
"""What it may do besides where webhooks are taken; bound in one namespace after the other."""

EXECUTOR: Final = (
    Right(
        ARGO,
        ("workflowtaskresults",),
        verbs={"create": "pods of upstream's executor report so", "patch": "pods of upstream's executor report so"},
    ),
    Right(ARGO, ("workflowtasksets",), verbs={"list": "the agent's tasks", "watch": "the agent's tasks"}),
    Right(ARGO, ("workflowtasksets/status",), verbs={"patch": "the agent's answers"}),
)
"""For the service accounts of workflows with http or plugin templates, and of pods that upstream's controller began."""

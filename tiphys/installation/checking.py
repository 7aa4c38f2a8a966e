"""Look at a cluster: what is there, what is missing, and who else is at work. Nothing is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anyio

from actors.names import labels, resources
from runtime.api import Api, ApiError, Gone, Selection
from runtime.objects import CONFIGMAPS, CRDS, LEASES, NODES, PODS, Object, Reference, Resource
from tiphys.configuration.following import NAME as CONFIGURATION
from tiphys.controller.leading import ROLLOUTS_LEASE, WORKFLOWS_LEASE
from tiphys.installation import findings, shard_findings
from tiphys.installation.choice import CONTROLLER, NAME, Choice
from tiphys.installation.findings import Finding
from tiphys.installation.kinds import DEPLOYMENTS
from tiphys.installation.manifests import definitions, manifests
from tiphys.installation.rights import Right, own_rights, rights
from tiphys.installation.roles import features
from tiphys.installation.workload import SELECTOR
from tiphys.observability.gauges import is_stuck

AUTHORIZATION: Final = "authorization.k8s.io/v1"
MYSELF: Final = Resource(AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False)
ANYBODY: Final = Resource(AUTHORIZATION, "SubjectAccessReview", "subjectaccessreviews", namespaced=False)
WORKFLOWS: Final = Resource(*resources.WORKFLOW)
AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """One right: in which namespace (empty: in all), and why."""

    right: Right
    resource: str
    verb: str
    namespace: str

    def attributes(self) -> dict[str, str]:
        """As reviews name them."""
        resource, _, subresource = self.resource.partition("/")
        found = {"group": self.right.group, "resource": resource, "verb": self.verb}
        found |= {"subresource": subresource} if subresource else {}
        return {**found, "namespace": self.namespace} if self.namespace else found

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{where}: {self.right.reasons[self.verb]}"


def needed(choice: Choice) -> Iterator[Asked]:
    """Every right that the controller of this installation needs."""
    enabled = features(choice)
    for table, namespace in ((rights(enabled, choice.parts), choice.watched), (own_rights(enabled), choice.namespace)):
        for right in table:
            for resource in right.resources:
                for verb in right.reasons:
                    yield Asked(right, resource, verb, namespace)


async def look(api: Api, choice: Choice, version: str, now: float, *, as_self: bool) -> AsyncIterator[Finding]:
    """All findings, each as it is known. What may not be looked at is a note; raises Unavailable without an answer."""
    yield findings.of_version(version)
    for part in (_definitions, _nodes):
        async for finding in _safely(part.__name__[1:], part(api)):
            yield finding
    deployment = await _get(api, Reference(DEPLOYMENTS, choice.namespace, CONTROLLER))
    yield findings.of_deployment(deployment, f"Deployment {choice.namespace}/{CONTROLLER}")
    if as_self or deployment is not None:
        async for finding in _safely("rights", _rights(api, choice, as_self=as_self)):
            yield finding
    else:
        async for finding in _safely("rights", _installer(api, choice)):
            yield finding
    async for finding in _safely("leases", _leases(api, choice, now)):
        yield finding
    async for finding in _safely("config maps", _config_maps(api, choice)):
        yield finding
    async for finding in _safely("what is stuck", _stuck(api, choice, now)):
        yield finding


async def _safely(what: str, part: AsyncIterator[Finding]) -> AsyncIterator[Finding]:
    try:
        async for finding in part:
            yield finding
    except ApiError as error:
        yield Finding("note", f"{what} could not be looked at: {error.message}")


async def _get(api: Api, ref: Reference) -> Object | None:
    try:
        return await api.get(ref)
    except Gone:
        return None


async def _definitions(api: Api) -> AsyncIterator[Finding]:
    there = {thing["metadata"]["name"]: thing for thing in (await api.list(CRDS)).items}
    for finding in findings.of_definitions(definitions(), there):
        yield finding


async def _nodes(api: Api) -> AsyncIterator[Finding]:
    for finding in findings.of_nodes((await api.list(NODES)).items):
        yield finding


async def _rights(api: Api, choice: Choice, *, as_self: bool) -> AsyncIterator[Finding]:
    asked = list(needed(choice))
    account = f"system:serviceaccount:{choice.namespace}:{NAME}"
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{choice.namespace}", "system:authenticated"]
    reviews = [_review(one.attributes(), None if as_self else (account, groups)) for one in asked]
    allowed = await _answers(api, MYSELF if as_self else ANYBODY, reviews)
    refused = [str(one) for one, yes in zip(asked, allowed, strict=True) if not yes]
    who = "whoever asks" if as_self else f"service account {choice.namespace}/{NAME}"
    for finding in findings.of_rights(refused, len(asked), who):
        yield finding


async def _installer(api: Api, choice: Choice) -> AsyncIterator[Finding]:
    """Before anything is there: may whoever asks install it?"""
    from tiphys.installation.kinds import reference_of  # noqa: PLC0415  only before an installation

    refs = [reference_of(thing) for thing in manifests(choice)]
    wanted = list(dict.fromkeys((ref.resource, ref.namespace) for ref in refs))
    reviews = [
        _review({"group": to.group, "resource": to.plural, "verb": "patch", "namespace": namespace}, None)
        for to, namespace in wanted
    ]
    allowed = await _answers(api, MYSELF, reviews)
    refused = [f"patch {to.plural}: to install" for (to, _), yes in zip(wanted, allowed, strict=True) if not yes]
    for finding in findings.of_rights(refused, len(wanted), "whoever asks"):
        yield finding


def _review(attributes: dict[str, str], subject: tuple[str, list[str]] | None) -> Object:
    spec: dict[str, Any] = {"resourceAttributes": attributes}
    if subject is not None:
        spec["user"], spec["groups"] = subject
    return {"metadata": {}, "spec": spec}


async def _answers(api: Api, resource: Resource, reviews: Sequence[Object]) -> list[bool]:
    """Whether each is allowed; several are asked at once."""
    found = [False] * len(reviews)
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def ask(at: int) -> None:
        async with limit:
            answer = await api.create(resource, reviews[at])
            found[at] = bool((answer.get("status") or {}).get("allowed"))

    try:
        async with anyio.create_task_group() as tasks:
            for at in range(len(reviews)):
                tasks.start_soon(ask, at)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group
    return found


async def _leases(api: Api, choice: Choice, now: float) -> AsyncIterator[Finding]:
    selector = ",".join(f"{key}={value}" for key, value in SELECTOR.items())
    pods = (await api.list(PODS, Selection(choice.namespace, selector))).items
    ours = frozenset(pod["metadata"]["uid"] for pod in pods)
    found = (await api.list(LEASES, Selection(None if choice.scope == "cluster" else choice.namespace))).items
    stood_for = [lease for lease in found if lease["metadata"]["name"].startswith((WORKFLOWS_LEASE, ROLLOUTS_LEASE))]
    for lease in stood_for:
        if not shard_findings.is_of_shards(lease):
            yield findings.of_lease(lease, ours, now)
    for finding in shard_findings.of_shards(stood_for, ours, now):
        yield finding


async def _config_maps(api: Api, choice: Choice) -> AsyncIterator[Finding]:
    own = await _get(api, Reference(CONFIGMAPS, choice.namespace, CONFIGURATION))
    name = f"{choice.namespace}/{CONFIGURATION}"
    for finding in findings.of_configuration(name, None if own is None else own.get("data") or {}):
        yield finding
    where = choice.watched or None
    plugins = f"{labels.CONFIGMAP_TYPE}={labels.CONFIGMAP_TYPE_EXECUTOR_PLUGIN}"
    for selection in (Selection(where, plugins), Selection(where, fields="metadata.name=artifact-repositories")):
        for thing in (await api.list(CONFIGMAPS, selection)).items:
            for finding in findings.of_config_map(thing):
                yield finding


async def _stuck(api: Api, choice: Choice, now: float) -> AsyncIterator[Finding]:
    where = choice.watched or None
    for resource, selector in ((PODS, labels.WORKFLOW), (WORKFLOWS, "")):
        try:
            things = (await api.list(resource, Selection(where, selector))).items
        except Gone:
            continue
        names = [
            f"{resource.kind} {thing['metadata']['namespace']}/{thing['metadata']['name']}"
            for thing in things
            if is_stuck(thing, now)
        ]
        for finding in findings.of_stuck(names):
            yield finding

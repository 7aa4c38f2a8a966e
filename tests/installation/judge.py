"""An API that refuses whatever a role does not allow, as Kubernetes' authorizer does: the rules are all it looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from runtime.api import Api, LogOptions, ObjectList, PatchType, Propagation, Refused, Selection, WatchEvent
from runtime.objects import EVICTION_PATH, Object, Reference, Resource


def bound(manifests: Iterable[Object], account: tuple[str, str]) -> list[tuple[str, Object]]:
    """The rules that bindings give to a service account (namespace, name), each with its namespace (empty: all)."""
    things = list(manifests)
    roles = {(t["kind"], t["metadata"].get("namespace", ""), t["metadata"]["name"]): t for t in things}
    found = []
    for binding in things:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        if not any((s.get("namespace"), s["name"]) == account for s in binding["subjects"]):
            continue
        namespace = binding["metadata"].get("namespace", "")
        ref = binding["roleRef"]
        role = roles[ref["kind"], namespace if ref["kind"] == "Role" else "", ref["name"]]
        found += [(namespace, rule) for rule in role["rules"]]
    return found


class Judged:
    """Only what the rules allow; what they did not is in `refused`, what was asked for in `used`."""

    def __init__(self, api: Api, rules: list[tuple[str, Object]]) -> None:
        self._api = api
        self._rules = rules
        self.refused: set[str] = set()
        self.used: set[tuple[str, str, str]] = set()

    def _judge(self, resource: Resource, namespace: str | None, verb: str, subresource: str = "") -> None:
        plural = resource.plural
        if plural.endswith(EVICTION_PATH):
            plural, subresource = "pods", "eviction"
        name = f"{plural}/{subresource}" if subresource else plural
        self.used.add((resource.group, name, verb))
        where = (namespace or "") if resource.namespaced else ""
        for given, rule in self._rules:
            about = resource.group in rule["apiGroups"] and name in rule["resources"]
            if about and verb in rule["verbs"] and given in ("", where):
                return
        self.refused.add(f"{verb} {name}.{resource.group} in {where or 'all namespaces'}")
        raise Refused(f"{name} is forbidden: cannot {verb}", code=403, reason="Forbidden")

    async def get(self, ref: Reference) -> Object:
        self._judge(ref.resource, ref.namespace, "get")
        return await self._api.get(ref)

    async def list(self, resource: Resource, selection: Selection = Selection(), **options: Any) -> ObjectList:
        self._judge(resource, selection.namespace, "list")
        return await self._api.list(resource, selection, **options)

    def watch(
        self, resource: Resource, selection: Selection = Selection(), *, resource_version: str, timeout_s: int = 290
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        self._judge(resource, selection.namespace, "watch")
        return self._api.watch(resource, selection, resource_version=resource_version, timeout_s=timeout_s)

    async def create(self, resource: Resource, thing: Object, *, dry_run: bool = False) -> Object:
        self._judge(resource, thing["metadata"].get("namespace"), "create")
        for owner in thing["metadata"].get("ownerReferences") or ():
            if owner.get("blockOwnerDeletion"):  # the admission of OwnerReferencesPermissionEnforcement
                kinds = {"Workflow": "workflows", "CronWorkflow": "cronworkflows", "Rollout": "rollouts"}
                if owner["kind"] in kinds:
                    of = Resource(owner["apiVersion"], owner["kind"], kinds[owner["kind"]])
                    self._judge(of, thing["metadata"].get("namespace"), "update", "finalizers")
        return await self._api.create(resource, thing, dry_run=dry_run)

    async def replace(self, resource: Resource, thing: Object, *, subresource: str = "") -> Object:
        self._judge(resource, thing["metadata"].get("namespace"), "update", subresource)
        return await self._api.replace(resource, thing, subresource=subresource)

    async def patch(
        self, ref: Reference, body: Any, *, kind: PatchType = "merge", subresource: str = "", manager: str = ""
    ) -> Object:
        self._judge(ref.resource, ref.namespace, "patch", subresource)
        return await self._api.patch(ref, body, kind=kind, subresource=subresource, manager=manager)

    async def delete(
        self, ref: Reference, *, grace_s: int | None = None, propagation: Propagation | None = None
    ) -> None:
        self._judge(ref.resource, ref.namespace, "delete")
        await self._api.delete(ref, grace_s=grace_s, propagation=propagation)

    def log(
        self, ref: Reference, options: LogOptions = LogOptions()
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        self._judge(ref.resource, ref.namespace, "get", "log")
        return self._api.log(ref, options)

"""A workflow cannot do, through any template type, what its own service account may not: with roles that are enforced.

Pods reach the API server by HTTPS alone, with what tokens they have; the roles in the cluster judge each request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from actors.workflow.state import WORKFLOWS
from runtime.api import Api, Gone, Selection
from runtime.objects import CONFIGMAPS, SECRETS, SERVICE_ACCOUNTS, Object, Reference, Resource, reference
from tests.executor.echo import echo_server
from tests.executor.test_canary_cluster import ended
from tests.installation.judge import bound
from tiphys.cli.session import SessionSettings, opened
from tiphys.devcluster import errors
from tiphys.devcluster.http import HttpsFront
from tiphys.devcluster.routes import target
from tiphys.devcluster.tokens import User

RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(f"{RBAC}/v1", "Role", "roles")
BINDINGS = Resource(f"{RBAC}/v1", "RoleBinding", "rolebindings")
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}

SMALL: list[Object] = [
    {"apiGroups": ["argoproj.io"], "resources": ["workflowtasksets"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["argoproj.io"], "resources": ["workflowtasksets/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
]
LARGE: list[Object] = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]

FLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: w, namespace: default}
spec:
  entrypoint: main
  serviceAccountName: ACCOUNT
  executor: {serviceAccountName: large}
  templates:
  - name: main
    steps:
    - - {name: reads, template: reads, continueOn: {failed: true, error: true}}
      - {name: looks, template: looks, continueOn: {failed: true, error: true}}
      - {name: makes, template: makes, continueOn: {failed: true, error: true}}
      - {name: changes, template: changes, continueOn: {failed: true, error: true}}
      - {name: spawns, template: spawns, continueOn: {failed: true, error: true}}
      - {name: grants, template: grants, continueOn: {failed: true, error: true}}
      - {name: asks, template: asks, continueOn: {failed: true, error: true}}
    - - {name: drops, template: drops, continueOn: {failed: true, error: true}}
  - name: reads
    resource: {action: get, manifest: "{apiVersion: v1, kind: ConfigMap, metadata: {name: guarded}}"}
  - name: looks
    resource: {action: get, manifest: "{apiVersion: v1, kind: Secret, metadata: {name: bird}}"}
  - name: makes
    resource: {action: create, manifest: "{apiVersion: v1, kind: ConfigMap, metadata: {name: made}, data: {a: b}}"}
  - name: changes
    resource:
      action: patch
      mergeStrategy: merge
      manifest: "{apiVersion: v1, kind: ConfigMap, metadata: {name: guarded}, data: {k: changed}}"
  - name: drops
    resource: {action: delete, manifest: "{apiVersion: v1, kind: ConfigMap, metadata: {name: guarded}}"}
  - name: spawns
    resource:
      action: create
      manifest: |
        apiVersion: argoproj.io/v1alpha1
        kind: Workflow
        metadata: {name: child}
        spec:
          serviceAccountName: large
          suspend: true
          entrypoint: main
          templates: [{name: main, suspend: {}}]
  - name: grants
    resource:
      action: apply
      manifest: |
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: mine}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: large}
        subjects: [{kind: ServiceAccount, name: small, namespace: default}]
  - name: asks
    http:
      url: "http://ADDRESS/"
      headers: [{name: Authorization, valueFrom: {secretKeyRef: {name: bird, key: text}}}]
"""


class Roles:
    """Judges what pods ask of the API server by the roles and bindings that it has, and notes who asked for what."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, str, str]] = set()  # user, verb, resource
        self.refused: set[tuple[str, str]] = set()

    def judge(self, front: HttpsFront, request: web.BaseRequest, user: User) -> None:
        server = front._server
        found = target(server.catalog, request.path)
        if found is None:
            return  # what kinds there are: anybody may know
        resource = found.kind.resource
        verb = VERBS[request.method] if found.name or request.method == "POST" else "list"
        verb = "watch" if request.query.get("watch") in ("1", "true") else verb
        name = f"{resource.plural}/{found.subresource}" if found.subresource else resource.plural
        self.asked.add((user.name, verb, name))
        _, _, namespace, account = user.name.split(":")
        things = [record.object for kind in (ROLES, BINDINGS) for record in self._stored(server, kind)]
        for where, rule in bound(things, (namespace, account)):
            groups, resources, verbs = (rule[key] for key in ("apiGroups", "resources", "verbs"))
            fits = {resource.group, "*"} & set(groups) and {name, "*"} & set(resources) and {verb, "*"} & set(verbs)
            if fits and where in ("", found.namespace):
                return
        self.refused.add((verb, name))
        raise errors.failure(403, "Forbidden", f"{name} is forbidden: User {user.name!r} cannot {verb}")

    @staticmethod
    def _stored(server: Any, kind: Resource) -> Iterator[Any]:
        yield from server.rest.bucket(server.catalog.of(kind)).records.values()


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch) -> Roles:
    """The dev cluster's door, with an authorizer behind it."""
    judging, answer = Roles(), HttpsFront._answer

    async def judged(self: HttpsFront, request: web.BaseRequest, user: User) -> web.StreamResponse:
        judging.judge(self, request, user)
        return await answer(self, request, user)

    monkeypatch.setattr(HttpsFront, "_quick", lambda self, asked: None)  # all requests take the long way
    monkeypatch.setattr(HttpsFront, "_answer", judged)
    return judging


async def furnish(api: Api) -> None:
    """Two accounts with a role each, a Secret and a ConfigMap."""
    for name, rules in (("small", SMALL), ("large", LARGE)):
        meta = {"name": name, "namespace": "default"}
        await api.create(SERVICE_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": dict(meta)})
        head = {"apiVersion": f"{RBAC}/v1", "metadata": meta}
        await api.create(ROLES, {**head, "kind": "Role", "rules": rules})
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": "default"}]
        ref = {"apiGroup": RBAC, "kind": "Role", "name": name}
        await api.create(BINDINGS, {**head, "kind": "RoleBinding", "roleRef": ref, "subjects": subjects})
    meta = {"name": "bird", "namespace": "default"}
    await api.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"text": "psst"}})
    thing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**meta, "name": "guarded"}}
    await api.create(CONFIGMAPS, {**thing, "data": {"k": "as it was"}})


@asynccontextmanager
async def result(folder: Path, account: str) -> AsyncIterator[tuple[dict[str, Object], Api]]:
    """How each node ended, and what there is afterwards."""
    with echo_server() as address:
        async with opened(SessionSettings(mode="plain", data=folder)) as session:
            await furnish(session.api)
            flow = yaml.safe_load(FLOW.replace("ACCOUNT", account).replace("ADDRESS", address))
            ref = reference(WORKFLOWS, await session.api.create(WORKFLOWS, flow))
            done = await ended(session.api, ref)
            yield {node["displayName"]: node for node in done["status"]["nodes"].values()}, session.api


DEEDS = {
    "looks": ("get", "secrets"),
    "makes": ("create", "configmaps"),
    "changes": ("patch", "configmaps"),
    "drops": ("delete", "configmaps"),
    "spawns": ("create", "workflows"),
    "grants": ("patch", "rolebindings"),
    "asks": ("get", "secrets"),
}


async def there(api: Api, resource: Resource, name: str) -> Object | None:
    try:
        return await api.get(Reference(resource, "default", name))
    except Gone:
        return None


@pytest.mark.spec("OPS-8")
@pytest.mark.spec("OPS-9")
async def test_no_template_does_what_the_workflows_account_may_not(roles: Roles, tmp_path: Path) -> None:
    async with result(tmp_path, "small") as (nodes, api):
        assert nodes["reads"]["phase"] == "Succeeded", nodes["reads"]
        for name in DEEDS:
            node = nodes[name]
            assert node["phase"] in {"Failed", "Error"}, node
            assert "forbidden" in node["message"], node
        assert set(DEEDS.values()) <= roles.refused
        assert {user for user, _, _ in roles.asked} == {"system:serviceaccount:default:small"}
        guarded = await there(api, CONFIGMAPS, "guarded")
        assert guarded is not None
        assert guarded["data"] == {"k": "as it was"}
        assert await there(api, CONFIGMAPS, "made") is None
        assert await there(api, WORKFLOWS, "child") is None
        assert len((await api.list(BINDINGS, Selection("default"))).items) == 2


@pytest.mark.spec("OPS-8")
async def test_the_same_templates_do_all_of_it_with_an_account_that_may(roles: Roles, tmp_path: Path) -> None:
    async with result(tmp_path, "large") as (nodes, api):
        done = {name for name, node in nodes.items() if node["phase"] == "Succeeded"}
        assert done >= {"reads", "looks", "makes", "changes", "spawns", "grants", "drops"}, nodes
        assert "received non-2xx response code: 403" in nodes["asks"]["message"]  # it was asked, with the secret
        assert await there(api, CONFIGMAPS, "guarded") is None
        assert roles.refused == set()
